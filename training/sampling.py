"""Drawing with a trained generator: label maps in, photos out. Always in evaluation mode; z is sampled or of a style photo, never of the ground truth."""

from __future__ import annotations

import numpy as np

from training.models.tsit import Z_CHANNELS
from training.objective import one_hot
from training.runtime import jt

AT_ONCE = 4  # pictures; bounds memory


def sample_z(count: int, seed: int) -> np.ndarray:
    """(count, 256) float32 from N(0, 1), the same for the same seed on every machine."""
    return np.random.Generator(np.random.Philox(seed)).standard_normal((count, Z_CHANNELS), np.float32)


def encode_style(encoder: jt.nn.Module, photos: np.ndarray) -> np.ndarray:
    """Mean of z of style photos: (n, H, W, 3) uint8 -> (n, 256) float32."""
    encoder.eval()
    with jt.no_grad():
        return np.array(encoder(on_device(photos))[0].numpy())


def draw(
    generator: jt.nn.Module,
    channels_map: np.ndarray,
    channels: int,
    z: np.ndarray | None = None,
    style: np.ndarray | None = None,
) -> np.ndarray:
    """Photos for label maps.

    Args:
        generator: its weights are used as they stand.
        channels_map: (n, H, W) uint8 channel indices.
        channels: of the generator's input.
        z: (n, 256) float32 where the generator starts from z.
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
            fake = generator(condition, photo, None if z is None else jt.array(z[part]))
            drawn.append(np.array(fake.numpy()))
    return np.concatenate(drawn)


def on_device(photos: np.ndarray) -> jt.Var:
    """(n, H, W, 3) uint8 -> (n, 3, H, W) float32 in [-1, 1]."""
    return jt.array(photos).float32().transpose((0, 3, 1, 2)) / 127.5 - 1
