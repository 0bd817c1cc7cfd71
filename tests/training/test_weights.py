"""Weights: how they start, by which names they go, and that only what fits is loaded."""

import numpy as np
import pytest
from jittor_here import jt

from training import weights
from training.layers import Conv, Fade, Linear
from training.weights import WeightsMismatch


class Small(jt.nn.Module):
    """One of each layer that has weights."""

    def __init__(self):
        self.normed = Conv(64, 48, spectral=True)
        self.plain = Conv(48, 64, 4)
        self.linear = Linear(256, 128)
        self.fades = jt.nn.ModuleList([Fade(3)])


CARRIED = {"normed.u", "normed.v", "fades.0.norm.running_mean", "fades.0.norm.running_var"}
TRAINED = {
    f"{layer}.{part}"
    for layer in ("normed", "plain", "linear", "fades.0.gamma", "fades.0.beta")
    for part in ("weight", "bias")
}


@pytest.fixture
def small():
    network = Small()
    weights.initialise(network, np.random.default_rng(3))
    return network


def test_names(small):
    assert set(weights.named(small)) == CARRIED | TRAINED
    assert set(weights.trainable(small)) == TRAINED


def test_a_layer_by_itself_has_names_too():
    assert set(weights.trainable(Conv(2, 2, spectral=True))) == {"weight", "bias"}


def test_weights_start_as_xavier_normal_with_gain_002(small):
    found = weights.arrays(small)
    for name, inputs, outputs in (("normed", 64 * 9, 48 * 9), ("plain", 48 * 16, 64 * 16), ("linear", 256, 128)):
        weight = found[f"{name}.weight"]
        wanted = 0.02 * np.sqrt(2 / (inputs + outputs))
        assert weight.std() == pytest.approx(wanted, rel=0.02), name
        assert abs(weight.mean()) < 4 * wanted / np.sqrt(weight.size)
        assert np.abs(weight).max() > 3 * wanted  # normal, not uniform
        assert (found[f"{name}.bias"] == 0).all()


def test_u_and_v_start_near_the_largest_singular_value(small):
    found = weights.arrays(small)
    u, v = found["normed.u"], found["normed.v"]
    assert np.linalg.norm(u) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(v) == pytest.approx(1, abs=1e-6)
    matrix = found["normed.weight"].reshape(48, -1)
    assert 0.8 < u @ matrix @ v / np.linalg.svd(matrix, compute_uv=False)[0] <= 1.00001


def test_the_same_seed_gives_the_same_weights(small):
    again, other = Small(), Small()
    weights.initialise(again, np.random.default_rng(3))
    weights.initialise(other, np.random.default_rng(4))
    first, second, third = (weights.arrays(network) for network in (small, again, other))
    assert all((first[name] == second[name]).all() for name in first)
    assert not (first["plain.weight"] == third["plain.weight"]).any()
    assert not (first["normed.u"] == third["normed.u"]).any()


def test_arrays_go_out_and_in(small):
    saved = weights.arrays(small)
    other = Small()
    weights.load(other, saved, "saved")
    assert all((value == saved[name]).all() for name, value in weights.arrays(other).items())
    kept = saved["plain.weight"].copy()
    small.plain.weight.update(small.plain.weight * 2)
    assert (saved["plain.weight"] == kept).all()


def test_arrays_of_float64_in_any_order_load(small):
    saved = {
        name: np.asfortranarray(value.astype(np.float64)) for name, value in reversed(weights.arrays(small).items())
    }
    other = Small()
    weights.load(other, saved, "saved")
    assert (other.plain.weight.numpy() == saved["plain.weight"]).all()


def test_carried_arrays_stay_without_gradient_after_loading(small):
    weights.load(small, weights.arrays(small), "saved")
    assert {name for name, var in weights.named(small).items() if var.is_stop_grad()} == CARRIED


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda found: found.pop("normed.u"), "1 missing (normed.u)"),
        (lambda found: found.update(old=np.zeros(1)), "1 too many (old)"),
        (lambda found: found.update({"linear.weight": np.zeros((256, 128))}), "linear.weight is (256, 128), the network has (128, 256)"),
        (lambda found: [found.pop(name) for name in sorted(TRAINED)], "10 missing (fades.0.beta.bias, fades.0.beta.weight, fades.0.gamma.bias)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(small, change, words):
    given = {name: value + 1 for name, value in weights.arrays(small).items()}
    change(given)
    before = weights.arrays(small)
    with pytest.raises(WeightsMismatch) as refusal:
        weights.load(small, given, "run/last.npz, generator")
    assert str(refusal.value) == f"run/last.npz, generator is of another model: {words}"
    assert all((value == before[name]).all() for name, value in weights.arrays(small).items())


def test_weights_of_one_element_survive_loading_and_use():
    """Jittor writes wrong C++ when an array of one element that was just made is fused into a kernel."""
    conv = Conv(1, 1, 1, padding=0)
    weights.load(conv, {"weight": np.full((1, 1, 1, 1), 3.0), "bias": np.array([0.5])}, "it")
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    assert (conv(jt.array(x)).numpy() == 3 * x + 0.5).all()
    assert (conv.weight * 2 + conv.bias.broadcast((1, 1, 1, 1))).numpy().item() == 6.5
