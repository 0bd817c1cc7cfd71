"""The TSIT generator (Jiang et al., ECCV 2020): a content stream, an optional style stream, seven FADE blocks.

Enters: a content picture, one-hot label map or photo, (N, C, H, W); a style photo where there is a style stream; z (N, 256) or noise.
Leaves: a photo (N, 3, H, W) in [-1, 1]. H and W are multiples of 128.
"""

from __future__ import annotations

import itertools

from training.layers import (
    SLOPE,
    Conv,
    Fade,
    Linear,
    fadain,
    grow,
    instance_norm,
    leaky_relu,
    nearest,
    shrink,
    shrink_mean,
    tanh,
)
from training.runtime import jt

nn = jt.nn
MULTIPLE = 128  # seven halvings
Z_CHANNELS = 256
LEVELS = (
    1,
    2,
    4,
    8,
    16,
    16,
    16,
    16,
)  # channels of the stream's features, in units of the width, from full size to 1/128
BLOCKS = ((16, 16), (16, 16), (16, 16), (16, 8), (8, 4), (4, 2), (2, 1))  # from 1/128 to 1/2, in units of the width


def start_size(picture: jt.Var, multiple: int, made_for: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of the coarsest map, 1/`multiple` of the picture.

    Raises:
        ValueError: the sides are not multiples of it, or the map is not the one of `made_for` (the VAE's linear start has one size).
    """
    height, width = picture.shape[2:]
    found = height // multiple, width // multiple
    if (found[0] * multiple, found[1] * multiple) != (height, width) or made_for not in (None, found):
        wanted = (
            f"{made_for[1] * multiple}x{made_for[0] * multiple}"
            if made_for
            else f"sides that are multiples of {multiple}"
        )
        raise ValueError(f"the label map is {width}x{height}, this generator draws {wanted}")
    return found


class StreamBlock(nn.Module):
    """Residual block of a stream: a(IN(conv(a(IN(conv(x)))))) + shortcut, a = leaky ReLU; nothing after the sum."""

    def __init__(self, inputs: int, outputs: int):
        self.conv0 = Conv(inputs, inputs, spectral=True)
        self.conv1 = Conv(inputs, outputs, spectral=True)
        self.shortcut = Conv(inputs, outputs, 1, padding=0, bias=False, spectral=True) if inputs != outputs else None

    def execute(self, x: jt.Var) -> jt.Var:
        h = instance_norm(self.conv0(x), SLOPE)
        h = instance_norm(self.conv1(h), SLOPE)
        return h + (x if self.shortcut is None else instance_norm(self.shortcut(x), SLOPE))


class Stream(nn.Module):
    """Eight residual blocks, each but the first at half the size of the one before; returns the features of all levels."""

    def __init__(self, inputs: int, width: int, downsample: str = "nearest"):
        channels = [inputs, *(width * k for k in LEVELS)]
        self.levels = nn.ModuleList([StreamBlock(i, o) for i, o in itertools.pairwise(channels)])
        self.shrink = {"nearest": shrink, "bilinear": shrink_mean}[downsample]

    def execute(self, x: jt.Var) -> list[jt.Var]:
        features = [self.levels[0](x)]
        for level in list(self.levels)[1:]:
            features.append(level(self.shrink(features[-1])))
        return features


class FadeBlock(nn.Module):
    """Residual block of the generator: two (FADE, leaky ReLU, conv); where the channels change, the shortcut is FADE and a 1x1 conv."""

    def __init__(self, inputs: int, outputs: int):
        self.norm0, self.conv0 = Fade(inputs), Conv(inputs, inputs, spectral=True)
        self.norm1, self.conv1 = Fade(inputs), Conv(inputs, outputs, spectral=True)
        change = inputs != outputs
        self.norm_shortcut = Fade(inputs) if change else None
        self.shortcut = Conv(inputs, outputs, 1, padding=0, bias=False, spectral=True) if change else None

    def execute(self, x: jt.Var, f: jt.Var) -> jt.Var:
        h = self.conv0(leaky_relu(self.norm0(x, f)))
        h = self.conv1(leaky_relu(self.norm1(h, f)))
        return h + (x if self.shortcut is None else self.shortcut(self.norm_shortcut(x, f)))


class TsitGenerator(nn.Module):
    """See the module. `vae`: the start is a linear map of z; else the label map, resized and convolved; with `noise_start`, noise is.

    Args:
        channels: of the content picture (classes and, where there is one, the unknown channel; 3 for photos).
        width: channels of the finest level; 64 as published.
        start: (height, width) of the coarsest map, the size of the picture over 128; without the VAE any size can be drawn.
        style_stream: whether a second stream reads a style photo, applied by FAdaIN with `alpha` in [0, 1].
        downsample: how streams halve, "nearest" as published, or "bilinear" as a Jittor port has it.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        start: tuple[int, int],
        *,
        vae: bool = True,
        style_stream: bool = False,
        alpha: float = 1.0,
        noise_start: bool = False,
        downsample: str = "nearest",
    ):
        self.width, self.vae, self.alpha, self.noise_start = width, vae, alpha, noise_start
        self.made_for = start if vae else None
        self.content = Stream(channels, width, downsample)
        self.style = Stream(3, width, downsample) if style_stream else None
        if vae:
            self.start = Linear(Z_CHANNELS, 16 * width * start[0] * start[1])
        else:
            self.start = Conv(3 if noise_start else channels, 16 * width)
        self.blocks = nn.ModuleList([FadeBlock(i * width, o * width) for i, o in BLOCKS])
        self.to_rgb = Conv(width, 3)

    def execute(
        self, content: jt.Var, style: jt.Var | None = None, z: jt.Var | None = None, noise: jt.Var | None = None
    ) -> jt.Var:
        x = self._start(content, z, noise)
        features = self.content(content)
        styles = self.style(style) if self.style is not None else None
        for number, block in enumerate(self.blocks):
            if number:
                x = grow(x)
            level = 7 - number
            if styles:
                x = fadain(x, styles[level], self.alpha)
            x = block(x, features[level])
        return tanh(self.to_rgb(leaky_relu(grow(x))))

    def _start(self, content: jt.Var, z: jt.Var | None, noise: jt.Var | None) -> jt.Var:
        size = start_size(content, MULTIPLE, self.made_for)
        if self.vae:
            return self.start(z).reshape((content.shape[0], 16 * self.width, *size))
        return self.start(noise if self.noise_start else nearest(content, *size))
