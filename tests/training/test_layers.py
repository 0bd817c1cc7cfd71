"""Layers against PyTorch's stored numbers and against NumPy in float64, values and gradients."""

import numpy as np
import pytest
from jittor_here import jt
from stored import arrays, assert_near

from training import layers, weights
from training.layers import BatchNorm, Conv, Fade, Linear, Spade

STORED = arrays("layers")
CASES = sorted({key.split("/")[0] for key in STORED})


def of(case):
    """The arrays of one case, by the rest of their keys."""
    return {key.removeprefix(f"{case}/"): value for key, value in STORED.items() if key.startswith(f"{case}/")}


def named(kind):
    return [case for case in CASES if case.startswith(f"{kind} ")]


def numbers(case):
    return [tuple(map(int, word.split("x"))) for word in case.split() if word[0].isdigit()]


def holds(case, function, relative=2e-6, **held):
    """Hold a function of Vars, by its value and gradients, against a stored case; `held` are Vars of a layer that take the input of that name.

    In evaluation Jittor's layers let no gradient into their weights, only through to what they are given.
    """
    given = of(case)
    names = [key[3:] for key in given if key.startswith("in/") and key != "in/g"]
    for name, var in held.items():
        var.update(jt.array(given[f"in/{name}"]))
    jt.sync_all(True)
    inputs = {name: jt.array(given[f"in/{name}"]) for name in names if name not in held}
    out = function(*inputs.values())
    assert_near(out.numpy(), given["out"], relative, f"{case} out")
    wanted = inputs if case.endswith("eval") else inputs | held
    gradients = jt.grad((out * jt.array(given["in/g"])).sum(), list(wanted.values()))
    for name, gradient in zip(wanted, gradients, strict=True):
        assert_near(gradient.numpy(), given[f"d/{name}"], relative, f"{case} gradient by {name}")


@pytest.fixture(params=["one kernel", "composed"])
def norms(request, monkeypatch):
    """Norms as processors run them, and as CUDA does."""
    monkeypatch.setattr(layers, "_fused", lambda: request.param == "one kernel")


def far_from_zero(*shape):
    """Pixels around 100 of deviation 1: float32 keeps five digits of them."""
    return (np.random.default_rng(4).standard_normal(shape) + 100).astype(np.float32)


def normalised(x, axes):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


# --- convolution, resizing, pooling ---


@pytest.mark.parametrize("case", named("conv"))
def test_convolution(case):
    (kernel,), (stride,), (padding,) = numbers(case)
    conv = Conv(3, 2, kernel, stride, padding)
    holds(case, conv, weight=conv.weight, bias=conv.bias)


def test_linear_is_x_wt_plus_b():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((4, 6)), rng.standard_normal((3, 6)), rng.standard_normal(3)
    linear = Linear(6, 3)
    linear.weight.update(jt.array(w))
    linear.bias.update(jt.array(b))
    assert_near(linear(jt.array(x)).numpy(), x @ w.T + b)


@pytest.mark.parametrize("case", named("pool"))
def test_pool_does_not_count_padding(case):
    holds(case, layers.pool_3x3)


@pytest.mark.parametrize("case", named("nearest"))
def test_nearest(case):
    _, (height, width) = numbers(case)
    holds(case, lambda x: layers.nearest(x, height, width), relative=3e-7)


@pytest.mark.parametrize("case", named("bilinear"))
def test_bilinear(case):
    _, (height, width) = numbers(case)
    holds(case, lambda x: layers.bilinear(x, height, width))


@pytest.mark.parametrize("old, new", [((5, 7), (15, 14)), ((15, 9), (4, 5)), ((6, 4), (6, 9)), ((384, 512), (12, 16))])
def test_nearest_takes_row_floor_of_i_old_over_new(old, new):
    x = np.random.default_rng(1).standard_normal((1, 2, *old)).astype(np.float32)
    rows, columns = (np.arange(n) * o // n for o, n in zip(old, new, strict=True))
    assert (layers.nearest(jt.array(x), *new).numpy() == x[:, :, rows][..., columns]).all()


def test_halving_and_doubling():
    holds("nearest 4x6 to 2x3", layers.shrink, relative=3e-7)
    holds("bilinear 4x6 to 2x3", layers.shrink_mean)
    x = np.random.default_rng(2).standard_normal((2, 3, 5, 7)).astype(np.float32)
    grown = layers.grow(jt.array(x))
    assert (grown.numpy() == x.repeat(2, 2).repeat(2, 3)).all()
    assert (layers.shrink(grown).numpy() == x).all()
    assert_near(layers.shrink_mean(grown).numpy(), x, 2e-7)
    var, g = jt.array(x), np.random.default_rng(3).standard_normal(grown.shape)
    gradient = jt.grad((layers.grow(var) * jt.array(g)).sum(), var).numpy()
    assert_near(gradient, g.reshape(2, 3, 5, 2, 7, 2).sum((3, 5)))


def test_tanh_and_its_gradient_stay_finite_far_out():
    x = np.array([-100, -50, -3, -0.2, 0, 0.2, 3, 50, 100], np.float64)
    var = jt.array(x)
    y = layers.tanh(var)
    assert np.abs(y.numpy() - np.tanh(x)).max() < 2e-7
    gradient = jt.grad(y.sum(), var).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient - (1 - np.tanh(x) ** 2)).max() < 5e-7


# --- spectral norm ---


def spectral_conv(inputs=8, outputs=6, seed=0):
    conv = Conv(inputs, outputs, spectral=True)
    weights.initialise(conv, np.random.default_rng(seed))
    return conv


def sigma(conv):
    """What the weight is divided by, as it stands."""
    w, u, v = (a.astype(np.float64) for a in (conv.weight.numpy(), conv.u.numpy(), conv.v.numpy()))
    return u @ w.reshape(len(w), -1) @ v


def test_spectral_norm_follows_pytorch_over_steps():
    given = of("spectral norm")
    conv = Conv(3, 4, bias=False, spectral=True)
    weights.load(conv, {"weight": given["in/orig"], "u": given["in/u"], "v": given["in/v"]}, "it")
    for number in range(4):
        conv.train() if number < 3 else conv.eval()
        x = jt.array(given["in/x"][number])
        out = conv(x)
        gradients = jt.grad((out * jt.array(given["in/g"][number])).sum(), [x, conv.weight])
        found = {"out": out, "d/x": gradients[0], "u": conv.u, "v": conv.v}
        if number < 3:
            found["d/weight"] = gradients[1]
        for key, value in found.items():
            assert_near(value.numpy(), given[key][number], 3e-6, f"pass {number}, {key}")


def test_the_gradient_is_that_of_w_over_sigma_with_u_and_v_constant():
    conv = spectral_conv()
    g = np.random.default_rng(5).standard_normal((6, 8, 3, 3))
    found = jt.grad((conv.normalised() * jt.array(g)).sum(), conv.weight).numpy()
    w, u, v = (a.astype(np.float64) for a in (conv.weight.numpy(), conv.u.numpy(), conv.v.numpy()))
    flat, step = w.ravel(), 1e-7 * np.abs(w).max()

    def value(numbers):
        return (g.ravel() * numbers).sum() / (u @ numbers.reshape(6, -1) @ v)

    unit = np.eye(flat.size)
    wanted = np.array([(value(flat + step * e) - value(flat - step * e)) / (2 * step) for e in unit])
    assert_near(found.ravel(), wanted, 1e-5)


def test_sigma_finds_the_largest_singular_value():
    conv = spectral_conv()
    conv.weight.update(conv.weight * 30 + 0.1)  # far from where the first u was made for
    conv.train()
    for _ in range(50):
        divided = conv.normalised()
        divided.sync()
    largest = np.linalg.svd(conv.weight.numpy().reshape(6, -1).astype(np.float64), compute_uv=False)[0]
    assert sigma(conv) == pytest.approx(largest, rel=0.01)
    assert np.linalg.svd(divided.numpy().reshape(6, -1), compute_uv=False)[0] == pytest.approx(1, rel=0.01)


def test_u_and_v_move_in_training_only():
    conv = spectral_conv()
    x = jt.array(np.random.default_rng(1).standard_normal((1, 8, 4, 4)))

    def remembered():
        return np.concatenate([conv.u.numpy(), conv.v.numpy()])

    first = remembered()
    conv.eval()
    quiet = [conv(x).numpy() for _ in range(3)]
    assert (remembered() == first).all()
    assert all((out == quiet[0]).all() for out in quiet)
    conv.train()
    before = sigma(conv)
    with jt.no_grad():  # as the discriminator's step draws its fake
        conv(x).sync()
    assert (remembered() != first).mean() > 0.9
    assert sigma(conv) > before
    assert np.linalg.norm(conv.u.numpy()) == pytest.approx(1, abs=1e-6)


def test_gradients_flow_again_after_evaluation():
    """Jittor stops all gradients of a layer in eval() and starts them in train()."""
    conv = spectral_conv()
    x = jt.array(np.random.default_rng(1).standard_normal((1, 8, 4, 4)))
    g = jt.array(np.random.default_rng(2).standard_normal((1, 6, 4, 4)))
    conv.eval()
    evaluated = jt.grad((conv(x) * g).sum(), x).numpy()
    conv.train()
    out = conv(x)
    to_x, to_weight, to_u = (d.numpy() for d in jt.grad((out * g).sum(), [x, conv.weight, conv.u]))
    assert np.abs(evaluated).max() > 0.1
    assert np.abs(to_x).max() > 0.1
    assert np.abs(to_weight).max() > 0.1
    assert (to_u == 0).all()


def test_spectral_norm_goes_on_from_saved_arrays():
    conv, other = spectral_conv(), spectral_conv(seed=1)
    x = jt.array(np.random.default_rng(1).standard_normal((1, 8, 4, 4)))
    conv(x).sync()
    weights.load(other, weights.arrays(conv), "saved")
    for _ in range(3):
        assert (conv(x).numpy() == other(x).numpy()).all()
    assert (conv.u.numpy() == other.u.numpy()).all()


# --- norms ---


def test_instance_norm(norms):
    holds("instance norm", layers.instance_norm, 5e-6)


def test_instance_norm_with_leaky_relu(norms):
    x = np.random.default_rng(6).standard_normal((2, 3, 9, 7))
    g = jt.array(np.random.default_rng(7).standard_normal(x.shape))
    results = []
    for function in (lambda v: layers.instance_norm(v, 0.2), lambda v: layers.leaky_relu(layers.instance_norm(v))):
        var = jt.array(x)
        out = function(var)
        results.append((out.numpy(), jt.grad((out * g).sum(), var).numpy()))
    h = normalised(x, (2, 3))
    assert_near(results[0][0], np.where(h > 0, h, 0.2 * h))
    assert_near(results[0][1], results[1][1], 5e-6)


def test_instance_norm_keeps_its_digits_far_from_zero(norms):
    x = far_from_zero(2, 3, 96, 128)
    assert_near(layers.instance_norm(jt.array(x)).numpy(), normalised(x, (2, 3)), 1e-4)


def test_batch_norm_keeps_its_digits_far_from_zero(norms):
    x = far_from_zero(2, 3, 96, 128)
    norm = BatchNorm(3)
    assert_near(norm(jt.array(x)).numpy(), normalised(x, (0, 2, 3)), 1e-4)
    assert_near(norm.running_var.numpy(), 0.9 + 0.1 * x.astype(np.float64).var((0, 2, 3), ddof=1), 1e-4)


def test_instance_norm_of_one_pixel_is_zero(norms):
    assert (layers.instance_norm(jt.array(far_from_zero(2, 3, 1, 1))).numpy() == 0).all()


def test_batch_norm_follows_pytorch_over_steps(norms):
    given = of("batch norm")
    norm = BatchNorm(3)
    for number in range(4):
        norm.train() if number < 3 else norm.eval()
        x = jt.array(given["in/x"][number])
        out = norm(x)
        gradient = jt.grad((out * jt.array(given["in/g"][number])).sum(), x)
        found = {"out": out, "d/x": gradient, "mean": norm.running_mean, "var": norm.running_var}
        for key, value in found.items():
            assert_near(value.numpy(), given[key][number], 5e-6, f"pass {number}, {key}")


def test_running_variance_is_unbiased_with_momentum_a_tenth(norms):
    x = np.random.default_rng(8).standard_normal((1, 2, 2, 2)) * 3 + 5
    norm = BatchNorm(2)
    norm(jt.array(x)).sync()
    assert_near(norm.running_mean.numpy(), 0.1 * x.mean((0, 2, 3)))
    assert_near(norm.running_var.numpy(), 0.9 + 0.1 * x.var((0, 2, 3), ddof=1), 5e-6)


# --- FADE, SPADE, FAdaIN ---


def modulation(case):
    layer = Fade(4) if case.startswith("fade") else Spade(4, 3, hidden=5)
    held = {"gamma": layer.gamma.weight, "gamma_bias": layer.gamma.bias}
    held |= {"beta": layer.beta.weight, "beta_bias": layer.beta.bias}
    if isinstance(layer, Spade):
        held |= {"shared": layer.shared.weight, "shared_bias": layer.shared.bias}
    layer.norm(jt.array(STORED[f"{case.split()[0]}/before"])).sync()  # one training step's memory
    return layer, held


@pytest.mark.parametrize("case", ["fade", "fade eval", "spade", "spade eval"])
def test_modulation(case, norms):
    layer, held = modulation(case)
    if case.endswith("eval"):
        layer.eval()
    holds(case, layer, 5e-6, **held)


@pytest.mark.parametrize("alpha", [0, 0.7, 1])
def test_fadain_moves_statistics(alpha):
    rng = np.random.default_rng(9)
    content, style = rng.standard_normal((2, 3, 6, 5)) * 2 + 1, rng.standard_normal((2, 3, 4, 7)) * 3 - 4

    def moments(x):
        return x.mean((2, 3), keepdims=True), np.sqrt(x.var((2, 3), keepdims=True, ddof=1) + 1e-5)

    (mean, std), (style_mean, style_std) = moments(content), moments(style)
    wanted = alpha * ((content - mean) / std * style_std + style_mean) + (1 - alpha) * content
    assert_near(layers.fadain(jt.array(content), jt.array(style), alpha).numpy(), wanted)


def test_fadain_keeps_its_digits_far_from_zero():
    content, style = far_from_zero(1, 2, 96, 128), np.random.default_rng(10).standard_normal((1, 2, 96, 128))
    moved = layers.fadain(jt.array(content), jt.array(style)).numpy()
    wanted = normalised(content, (2, 3)) * style.std((2, 3), keepdims=True) + style.mean((2, 3), keepdims=True)
    assert_near(moved, wanted, 2e-4)
