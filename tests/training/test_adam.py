"""Adam against PyTorch's stored steps; accumulation, and a state that goes on exactly."""

import numpy as np
import pytest
from jittor_here import jt
from stored import arrays, assert_near

from training.adam import Adam

STORED = arrays("layers")
TTUR, PLAIN = (0.0, 0.9), (0.5, 0.999)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def two_weights():
    return {"a": jt.array(drawn(3, 4)), "b": jt.array(drawn(5, seed=1))}


def run(optimiser, steps):
    """Some steps downhill, each with gradients of its own."""
    for step in steps:
        w = optimiser.weights
        optimiser.accumulate((w["a"] * jt.array(drawn(3, 4, seed=step))).sum() + (w["b"] * w["b"]).sum() * (step % 3))
        optimiser.step(0.01)


@pytest.mark.parametrize("betas", [TTUR, PLAIN])
def test_twenty_steps(betas):
    case = f"adam {betas[0]} {betas[1]}"
    weight = jt.array(STORED[f"{case}/in/w"])
    optimiser = Adam({"w": weight}, betas)
    for number, gradient in enumerate(STORED[f"{case}/in/g"]):
        optimiser.accumulate((weight * jt.array(gradient)).sum())
        optimiser.step(0.01)
        assert_near(weight.numpy(), STORED[f"{case}/out"][number], 1e-6, f"step {number + 1}")
    assert optimiser.steps == 20


@pytest.mark.parametrize("betas", [TTUR, PLAIN])
def test_a_saved_state_goes_on_exactly(betas):
    through = Adam(two_weights(), betas)
    run(through, range(9))
    before = Adam(two_weights(), betas)
    run(before, range(4))
    after = Adam({name: jt.array(w.numpy()) for name, w in before.weights.items()}, betas)
    after.load(before.arrays(), before.steps)
    run(after, range(4, 9))
    assert after.steps == through.steps == 9
    for name, weight in through.weights.items():
        assert (weight.numpy() == after.weights[name].numpy()).all()
    for name, moment in through.arrays().items():
        assert (moment == after.arrays()[name]).all()


def test_the_state_is_copied_out():
    optimiser = Adam(two_weights(), PLAIN)
    run(optimiser, range(2))
    saved = optimiser.arrays()
    kept = {name: moment.copy() for name, moment in saved.items()}
    run(optimiser, range(2, 4))
    assert set(saved) == {"first/a", "first/b", "second/a", "second/b"}
    assert all((saved[name] == kept[name]).all() for name in kept)


def test_without_beta1_no_first_moment_is_kept():
    assert set(Adam(two_weights(), TTUR).arrays()) == {"second/a", "second/b"}


def test_two_halves_accumulate_to_the_whole():
    x, target = drawn(8, 4, seed=2), drawn(8, 3, seed=3)

    def trained(parts):
        weight = jt.array(drawn(3, 4))
        optimiser = Adam({"w": weight}, PLAIN)
        for _ in range(3):
            for rows in np.array_split(np.arange(8), parts):
                wrong = jt.matmul(jt.array(x[rows]), weight.transpose()) - jt.array(target[rows])
                optimiser.accumulate((wrong * wrong).mean(), 1 / parts)
            optimiser.step(0.01)
        return weight.numpy()

    whole = trained(1)
    assert np.abs(whole - drawn(3, 4)).max() > 0.02
    assert_near(trained(2), whole, 1e-6)
    assert_near(trained(4), whole, 1e-6)


def test_a_step_uses_its_gradients_up():
    optimiser = Adam(two_weights(), PLAIN)
    run(optimiser, range(1))
    with pytest.raises(ValueError, match="call accumulate before step"):
        optimiser.step(0.01)


def test_only_its_own_weights_move():
    weights, other = two_weights(), jt.array(drawn(3, 4, seed=9))
    optimiser = Adam({"a": weights["a"]}, PLAIN)
    optimiser.accumulate((weights["a"] * other).sum() + weights["b"].sum())
    optimiser.step(0.1)
    assert (other.numpy() == drawn(3, 4, seed=9)).all()
    assert (weights["b"].numpy() == drawn(5, seed=1)).all()
    assert np.abs(weights["a"].numpy() - drawn(3, 4)).min() > 0.09


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda state: state.pop("second/b"), KeyError, "second/b"),
        (lambda state: state.update({"second/c": state["second/a"]}), KeyError, "second/c"),
        (lambda state: state.update({"second/a": state["second/a"].T}), ValueError, r"of a is \(4, 3\).* \(3, 4\)"),
    ],
)
def test_a_state_of_other_weights_is_refused(change, error, words):
    optimiser = Adam(two_weights(), TTUR)
    state = optimiser.arrays()
    change(state)
    with pytest.raises(error, match=words):
        optimiser.load(state, 3)
    assert optimiser.steps == 0
