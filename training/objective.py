"""What generator and discriminator pay for one batch: networks and batch in, named losses out.

Follows the published training of SPADE and TSIT: the generator's loss is GAN + feature matching + perceptual + KL, the discriminator's is GAN on
fakes and photos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training import losses
from training.models.discriminator import Discriminator
from training.models.encoder import Encoder
from training.runtime import jt


@dataclass(frozen=True)
class Networks:
    """The three networks; `encoder` is None without the VAE."""

    generator: jt.nn.Module
    discriminator: Discriminator
    encoder: Encoder | None


@dataclass(frozen=True)
class Objective:
    """Weights of the losses. `perceptual_loss` maps (fake, photo) to a scalar; None leaves it out, as weight 0 does each."""

    gan: str = "hinge"
    feature_matching: float = 10.0
    perceptual: float = 10.0
    kl: float = 0.05
    perceptual_loss: Callable | None = None


@dataclass(frozen=True)
class Example:
    """One batch on the device: `condition` (N, C, H, W), `photo` (N, 3, H, W) in [-1, 1]; `eps` (N, 256) for z or `noise` for the start."""

    condition: jt.Var
    photo: jt.Var
    eps: jt.Var | None = None
    noise: jt.Var | None = None
    judged_with: bool = True  # whether the discriminator sees the condition: label maps yes, content photos no


def generate(networks: Networks, example: Example) -> tuple[jt.Var, jt.Var | None, jt.Var | None]:
    """The fake for a batch, and mean and log variance of z with the VAE (z = mu + eps * exp(logvar / 2))."""
    z = mu = logvar = None
    if networks.encoder is not None:
        mu, logvar = networks.encoder(example.photo)
        z = mu + example.eps * jt.exp(logvar * 0.5)
    return networks.generator(example.condition, example.photo, z, example.noise), mu, logvar


def judge(networks: Networks, example: Example, fake: jt.Var, *, learn_from_photo: bool) -> list[losses.Outputs]:
    """The discriminator's outputs for the fake and for the photo."""
    condition = example.condition if example.judged_with else None
    return networks.discriminator(condition, [fake, example.photo], [True, learn_from_photo])


def generator_losses(
    networks: Networks, example: Example, aims: Objective, parts: int = 1
) -> tuple[dict[str, jt.Var], jt.Var]:
    """The generator's losses by name, each with its weight, and the fake.

    Args:
        parts: of how many parts, whose losses and gradients are averaged, this batch is one: processes times micro-batches. The KL is a sum
            over the whole batch, so each part counts that often.
    """
    fake, mu, logvar = generate(networks, example)
    on_fake, on_photo = judge(networks, example, fake, learn_from_photo=False)
    found = {"GAN": losses.generator_loss(on_fake, aims.gan)}
    if aims.feature_matching:
        found["FM"] = losses.feature_matching(on_fake, on_photo) * aims.feature_matching
    if aims.perceptual and aims.perceptual_loss is not None:
        found["perceptual"] = aims.perceptual_loss(fake, example.photo) * aims.perceptual
    if mu is not None and aims.kl:
        found["KL"] = losses.kl_divergence(mu, logvar) * (aims.kl * parts)
    return found, fake


def discriminator_losses(
    networks: Networks, example: Example, aims: Objective, fake: jt.Var | None = None
) -> dict[str, jt.Var]:
    """The discriminator's losses by name, on `fake`, or on one made anew without gradients, as published."""
    if fake is None:
        with jt.no_grad():
            fake, _, _ = generate(networks, example)
    on_fake, on_photo = judge(networks, example, fake.detach(), learn_from_photo=True)
    fake_loss, real_loss = losses.discriminator_loss(on_fake, on_photo, aims.gan)
    return {"D fake": fake_loss, "D real": real_loss}


def one_hot(channels_map: jt.Var, channels: int) -> jt.Var:
    """(N, H, W) channel numbers -> (N, channels, H, W) float32 of 0 and 1, on the device."""
    n, h, w = channels_map.shape
    numbers = jt.arange(channels).reshape((1, channels, 1, 1))
    return (channels_map.int32().reshape((n, 1, h, w)) == numbers).float32()
