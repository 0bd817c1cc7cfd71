"""Networks: `GENERATORS` is the only list of the models one can train. New model = one file and one entry here."""

from __future__ import annotations

from training.config import TrainConfig
from training.models.discriminator import Discriminator
from training.models.encoder import Encoder
from training.models.spade import HALVINGS, SpadeGenerator
from training.models.tsit import MULTIPLE, TsitGenerator

GENERATORS = {"tsit": TsitGenerator, "spade": SpadeGenerator}


def generator(config: TrainConfig, channels: int, size: tuple[int, int]):
    """The generator of a config, with weights of zero, for label maps of `channels` at `size` (width, height)."""
    width, height = size
    if config.model == "tsit":
        start = (height // MULTIPLE, width // MULTIPLE)
        more = {
            "style_stream": config.style_stream,
            "alpha": config.alpha,
            "downsample": config.downsample,
            "noise_start": config.noise_start,
        }
    else:
        start = (height >> HALVINGS[config.upsampling], width >> HALVINGS[config.upsampling])
        more = {"upsampling": config.upsampling}
    return GENERATORS[config.model](channels, config.width, start, vae=config.vae, **more)


def encoder(config: TrainConfig) -> Encoder | None:
    """The encoder of the VAE; None without."""
    return Encoder(config.width) if config.vae else None


def discriminator(config: TrainConfig, channels: int) -> Discriminator:
    """The discriminator for label maps of `channels` and photos."""
    return Discriminator(channels + 3, config.discriminator_width, config.scales, config.layers)
