"""The image encoder of SPADE and TSIT's VAE: a photo (N, 3, H, W) in [-1, 1] -> mean and log variance of z, (N, 256) each."""

from __future__ import annotations

import itertools

from training.layers import SLOPE, Conv, Linear, bilinear, instance_norm
from training.models.tsit import Z_CHANNELS
from training.runtime import jt

nn = jt.nn
SIDE = 256  # photos are resized to SIDE x SIDE first


class Encoder(nn.Module):
    """Six spectral-normed 3x3 convolutions of stride 2, each with instance norm, then two linear maps."""

    def __init__(self, width: int):
        sizes = [3, *(width * k for k in (1, 2, 4, 8, 8, 8))]
        self.convs = nn.ModuleList(
            [Conv(i, o, stride=2, bias=False, spectral=True) for i, o in itertools.pairwise(sizes)]
        )
        self.mu = Linear(width * 8 * 16, Z_CHANNELS)
        self.logvar = Linear(width * 8 * 16, Z_CHANNELS)

    def execute(self, photo: jt.Var) -> tuple[jt.Var, jt.Var]:
        x = bilinear(photo, SIDE, SIDE)
        for conv in self.convs:
            x = instance_norm(conv(x), SLOPE)
        x = x.reshape((x.shape[0], -1))
        return self.mu(x), self.logvar(x)
