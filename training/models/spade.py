"""The SPADE generator (Park et al., CVPR 2019): residual blocks that read the label map at every scale.

Enters: a one-hot label map (N, C, H, W), and z (N, 256) with the VAE. Leaves: a photo (N, 3, H, W) in [-1, 1].
H and W are multiples of 32 ("normal"), 64 ("more") or 128 ("most").
"""

from __future__ import annotations

import itertools

from training.layers import Conv, Linear, Spade, grow, leaky_relu, nearest, tanh
from training.models.tsit import Z_CHANNELS, start_size
from training.runtime import jt

nn = jt.nn
HALVINGS = {"normal": 5, "more": 6, "most": 7}


class SpadeBlock(nn.Module):
    """Residual block: two (SPADE, leaky ReLU, conv), min(in, out) channels between; a SPADE and 1x1 shortcut where they differ."""

    def __init__(self, inputs: int, outputs: int, label_channels: int):
        middle = min(inputs, outputs)
        self.norm0, self.conv0 = Spade(inputs, label_channels), Conv(inputs, middle, spectral=True)
        self.norm1, self.conv1 = Spade(middle, label_channels), Conv(middle, outputs, spectral=True)
        change = inputs != outputs
        self.norm_shortcut = Spade(inputs, label_channels) if change else None
        self.shortcut = Conv(inputs, outputs, 1, padding=0, bias=False, spectral=True) if change else None

    def execute(self, x: jt.Var, m: jt.Var) -> jt.Var:
        h = self.conv0(leaky_relu(self.norm0(x, m)))
        h = self.conv1(leaky_relu(self.norm1(h, m)))
        return h + (x if self.shortcut is None else self.shortcut(self.norm_shortcut(x, m)))


class SpadeGenerator(nn.Module):
    """See the module.

    Args:
        channels: of the label map (classes and, where there is one, the unknown channel).
        width: channels of the last block of "normal" and "more"; 64 as published.
        start: (height, width) of the coarsest map: the picture's size over 32, 64 or 128; without the VAE any size can be drawn.
        vae: the start is a linear map of z; else the label map, resized and convolved.
        upsampling: "normal", "more" (one more doubling) or "most" (one more, and one more block of half the width).
    """

    def __init__(
        self, channels: int, width: int, start: tuple[int, int], *, vae: bool = False, upsampling: str = "normal"
    ):
        self.width, self.vae, self.upsampling = width, vae, upsampling
        self.made_for = start if vae else None
        self.start = Linear(Z_CHANNELS, 16 * width * start[0] * start[1]) if vae else Conv(channels, 16 * width)
        sizes = [16 * width] * 4 + [8 * width, 4 * width, 2 * width, width]
        if upsampling == "most":
            sizes.append(width // 2)
        self.blocks = nn.ModuleList([SpadeBlock(i, o, channels) for i, o in itertools.pairwise(sizes)])
        self.to_rgb = Conv(sizes[-1], 3)

    def execute(
        self, content: jt.Var, style: jt.Var | None = None, z: jt.Var | None = None, noise: jt.Var | None = None
    ) -> jt.Var:
        size = start_size(content, 2 ** HALVINGS[self.upsampling], self.made_for)
        if self.vae:
            x = self.start(z).reshape((content.shape[0], 16 * self.width, *size))
        else:
            x = self.start(nearest(content, *size))
        for number, block in enumerate(self.blocks):
            if number and not (number == 2 and self.upsampling == "normal"):
                x = grow(x)
            x = block(x, content)
        return tanh(self.to_rgb(leaky_relu(x)))
