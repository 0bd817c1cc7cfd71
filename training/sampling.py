"""Drawing with a trained generator: label maps in, photos out. Always in evaluation mode; z is sampled or of a style photo, never of the ground truth."""

from __future__ import annotations

import numpy as np

from training.config import TrainConfig
from training.models.tsit import MULTIPLE, Z_CHANNELS
from training.objective import one_hot
from training.runtime import jt

AT_ONCE = 4  # pictures; bounds memory


def sample_start(
    config: TrainConfig, size: tuple[int, int], count: int, seed: int | np.random.SeedSequence
) -> np.ndarray | None:
    """What `count` pictures of `size` (height, width) start from, float32 of N(0, 1), the same for the same seed on every machine.

    (count, 256) z for a VAE, a (count, 3, h, w) noise map, or None where a picture starts from its label map.
    """
    if not (config.vae or config.noise_start):
        return None
    shape = (Z_CHANNELS,) if config.vae else (3, size[0] // MULTIPLE, size[1] // MULTIPLE)
    return np.random.Generator(np.random.Philox(seed)).standard_normal((count, *shape), np.float32)


def encode_style(encoder: jt.nn.Module, photos: np.ndarray) -> np.ndarray:
    """Mean of z of style photos: (n, H, W, 3) uint8 -> (n, 256) float32."""
    encoder.eval()
    with jt.no_grad():
        return np.array(encoder(on_device(photos))[0].numpy())


def draw(
    generator: jt.nn.Module,
    channels_map: np.ndarray,
    channels: int,
    start: np.ndarray | None = None,
    style: np.ndarray | None = None,
) -> np.ndarray:
    """Photos for label maps.

    Args:
        generator: its weights are used as they stand.
        channels_map: (n, H, W) uint8 channel indices.
        channels: of the generator's input.
        start: what `sample_start` gives: (n, 256) z or (n, 3, h, w) noise, float32.
        style: (n, H, W, 3) uint8 where it has a style stream.

    Returns:
        (n, 3, H, W) float32 in [-1, 1].
    """
    generator.eval()
    drawn = []
    with jt.no_grad():
        for first in range(0, len(channels_map), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            condition = one_hot(jt.array(channels_map[part]), channels)
            photo = None if style is None else on_device(style[part])
            first_numbers = None if start is None else jt.array(start[part])
            z, noise = (first_numbers, None) if generator.vae else (None, first_numbers)
            fake = generator(condition, photo, z, noise)
            drawn.append(np.array(fake.numpy()))
    return np.concatenate(drawn)


def on_device(photos: np.ndarray) -> jt.Var:
    """(n, H, W, 3) uint8 -> (n, 3, H, W) float32 in [-1, 1]."""
    return jt.array(photos).float32().transpose((0, 3, 1, 2)) / 127.5 - 1
