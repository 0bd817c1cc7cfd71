"""Losses against PyTorch's stored numbers and NumPy, with gradients, also where they could overflow."""

import numpy as np
import pytest
from jittor_here import jt
from stored import arrays, assert_near

from training import losses
from training.losses import GAN_LOSSES

STORED = arrays("layers")
SIDES = ("fake0", "fake1", "real0", "real1")


def drawn(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("kind", GAN_LOSSES)
def test_gan_losses(kind):
    given = {
        key: STORED[f"loss {kind}/{key}"] for key in ("out", "in/g", *(f"{d}/{s}" for d in ("in", "d") for s in SIDES))
    }
    logits = {side: jt.array(given[f"in/{side}"]) for side in SIDES}
    features = jt.ones((1, 2, 3, 3))  # are not looked at
    fake, real = ([[features, logits[f"{side}{scale}"]] for scale in range(2)] for side in ("fake", "real"))
    paid = [*losses.discriminator_loss(fake, real, kind), losses.generator_loss(fake, kind)]
    assert_near(np.array([loss.item() for loss in paid]), given["out"], 1e-6)
    total = sum(loss * float(g) for loss, g in zip(paid, given["in/g"], strict=True))
    for side, gradient in zip(SIDES, jt.grad(total, list(logits.values())), strict=True):
        assert_near(gradient.numpy(), given[f"d/{side}"], 2e-6, side)


@pytest.mark.parametrize("kind", GAN_LOSSES)
@pytest.mark.parametrize("part", range(3))
def test_gan_losses_far_out_and_at_zero(kind, part):
    x = np.array([-100.0, -30, 0, 30, 100])
    real, fake = np.ones(5), np.zeros(5)
    target = (real, fake, real)[part]
    wanted = {
        "hinge": (np.maximum(0, 1 - x), np.maximum(0, 1 + x), -x)[part],
        "ls": (x - target) ** 2,
        "original": np.logaddexp(0, x) - target * x,
        "wasserstein": (-x, x, -x)[part],
    }[kind]
    slope = {
        "hinge": (-1.0 * (x < 1), 1.0 * (x > -1), -real)[part],
        "ls": 2 * (x - target),
        "original": 1 / (1 + np.exp(-x)) - target,
        "wasserstein": (-real, real, -real)[part],
    }[kind]
    var = jt.array(x)
    loss = GAN_LOSSES[kind][part](var)
    assert np.abs(loss.numpy() - wanted).max() <= 1e-6 * np.abs(wanted).max()
    gradient = jt.grad(loss.sum(), var).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient - slope).max() < 1e-6 * max(1, np.abs(slope).max())


def test_feature_matching_is_a_mean_over_scales_of_all_stages_but_the_logits():
    shapes = [(2, 3, 4, 4), (2, 5, 2, 2), (2, 1, 2, 2)]
    fake, real = ([drawn(*shapes, seed=seed), drawn(*shapes, seed=seed + 1)] for seed in (1, 3))
    wanted = (
        sum(
            np.abs(f - r).mean() for fs, rs in zip(fake, real, strict=True) for f, r in zip(fs[:2], rs[:2], strict=True)
        )
        / 2
    )
    fake_vars, real_vars = ([[jt.array(a) for a in scale] for scale in side] for side in (fake, real))
    loss = losses.feature_matching(fake_vars, real_vars)
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    to_fake, to_real, to_logits = jt.grad(loss, [fake_vars[0][0], real_vars[0][0], fake_vars[0][2]])
    assert_near(to_fake.numpy(), np.sign(fake[0][0] - real[0][0]) / fake[0][0].size / 2, 1e-6)
    assert (to_real.numpy() == 0).all()
    assert (to_logits.numpy() == 0).all()


def test_feature_matching_refuses_outputs_of_another_shape():
    one, two = [[jt.ones((1, 1, 2, 2))] * 3], [[jt.ones((1, 1, 2, 2))] * 2]
    with pytest.raises(ValueError, match="zip"):
        losses.feature_matching(one, two)


def test_kl_is_summed_over_the_batch_and_zero_at_the_normal():
    mu, logvar = drawn((3, 5), (3, 5))
    wanted = 0.5 * (mu.astype(np.float64) ** 2 + np.exp(logvar.astype(np.float64)) - logvar - 1).sum()
    variables = [jt.array(mu), jt.array(logvar)]
    loss = losses.kl_divergence(*variables)
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    to_mu, to_logvar = jt.grad(loss, variables)
    assert_near(to_mu.numpy(), mu)
    assert_near(to_logvar.numpy(), (np.exp(logvar) - 1) / 2)
    assert losses.kl_divergence(jt.zeros((2, 4)), jt.zeros((2, 4))).item() == 0
