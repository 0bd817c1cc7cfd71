"""The losses of GAN training for label map -> photo; each returns a scalar Var.

Formulas: hinge, Lim & Ye 2017; least squares, Mao et al. 2017; original, Goodfellow et al. 2014; Wasserstein, Arjovsky et al. 2017; feature matching, Wang et
al. 2018 (eq. 4); KL, Kingma & Welling 2014 (appendix B). Over scales the GAN loss is a mean.
"""

from __future__ import annotations

from collections.abc import Callable

from training.layers import mean_all
from training.runtime import jt

Outputs = list[list]  # of the discriminator: scales x stages, the last stage the logits


def _softplus(x: jt.Var) -> jt.Var:
    """log(1 + exp(x)), which cannot overflow; written with max and abs, its slope at 0 would be another than 1/2."""
    positive = (x > 0).float32()
    return x * positive + jt.log(1 + jt.exp(x * (1 - positive * 2)))


# name -> (loss of logits that should be real, of logits that should be fake, of the generator's logits), elementwise
GAN_LOSSES: dict[str, tuple[Callable, Callable, Callable]] = {
    "hinge": (lambda x: jt.maximum(1 - x, 0), lambda x: jt.maximum(1 + x, 0), lambda x: -x),
    "ls": (lambda x: (x - 1) * (x - 1), lambda x: x * x, lambda x: (x - 1) * (x - 1)),
    "original": (lambda x: _softplus(-x), lambda x: _softplus(x), lambda x: _softplus(-x)),
    "wasserstein": (lambda x: -x, lambda x: x, lambda x: -x),
}


def discriminator_loss(fake: Outputs, real: Outputs, kind: str = "hinge") -> tuple[jt.Var, jt.Var]:
    """What the discriminator pays for fakes and for photos."""
    on_real, on_fake, _ = GAN_LOSSES[kind]
    return _over_scales(fake, on_fake), _over_scales(real, on_real)


def generator_loss(fake: Outputs, kind: str = "hinge") -> jt.Var:
    """What the generator pays for fakes that were seen through."""
    return _over_scales(fake, GAN_LOSSES[kind][2])


def _over_scales(outputs: Outputs, loss: Callable) -> jt.Var:
    return sum(mean_all(loss(scale[-1])) for scale in outputs) / len(outputs)


def feature_matching(fake: Outputs, real: Outputs) -> jt.Var:
    """Mean over scales of the summed L1 distances of all stages but the logits; no gradient goes to the real side."""
    total = sum(
        mean_all(jt.abs(f - r.detach()))
        for fakes, reals in zip(fake, real, strict=True)
        for f, r in zip(fakes[:-1], reals[:-1], strict=True)
    )
    return total / len(fake)


def kl_divergence(mu: jt.Var, logvar: jt.Var) -> jt.Var:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over the batch and the dimensions, as published: it grows with the batch."""
    return (1 + logvar - mu * mu - jt.exp(logvar)).sum() * -0.5
