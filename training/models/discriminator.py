"""The multi-scale patch discriminator of pix2pixHD, SPADE and TSIT.

Enters: the condition (one-hot label map, or None) and pictures, (N, C, H, W) and (N, 3, H, W). Leaves, for each scale, the outputs of all stages; the last
is the map of logits.
"""

from __future__ import annotations

import contextlib

from training.layers import SLOPE, Conv, instance_norm, leaky_relu, pool_3x3
from training.runtime import jt

nn = jt.nn
MOST_CHANNELS = 512


class PatchDiscriminator(nn.Module):
    """4x4 convolutions with padding 2: stride 2 but in the last two; spectral and instance norm but in the first and last."""

    def __init__(self, channels: int, width: int, layers: int):
        sizes = [channels, *(min(width * 2**i, MOST_CHANNELS) for i in range(layers))]
        stages = [Conv(channels, width, 4, 2, 2)]
        for number in range(1, layers):
            stride = 1 if number == 3 else 2
            stages.append(Conv(sizes[number], sizes[number + 1], 4, stride, 2, bias=False, spectral=True))
        self.stages = nn.ModuleList([*stages, Conv(sizes[-1], 1, 4, 1, 2)])

    def execute(self, condition: jt.Var | None, pictures: list[jt.Var], learns: list[bool]) -> list[list[jt.Var]]:
        weights = [stage.normalised() for stage in self.stages]  # once for all pictures: one power iteration a pass
        shared = None
        if condition is not None:  # the condition is the same for all pictures, so its part of the first convolution is
            split = condition.shape[1]
            shared = nn.conv2d(condition, weights[0][:, :split], None, 2, 2)
            weights[0] = weights[0][:, split:]
        outputs = []
        for picture, learn in zip(pictures, learns, strict=True):
            with contextlib.nullcontext() if learn else jt.no_grad():
                outputs.append(self._judge(shared, picture, weights))
        return outputs

    def _judge(self, shared: jt.Var | None, x: jt.Var, weights: list[jt.Var]) -> list[jt.Var]:
        outputs = []
        for number, (stage, weight) in enumerate(zip(self.stages, weights, strict=True)):
            x = nn.conv2d(x, weight, stage.bias, stage.stride, stage.padding)
            if number == 0 and shared is not None:
                x = x + shared
            if stage.spectral:
                x = instance_norm(x, SLOPE)
            elif number < len(weights) - 1:
                x = leaky_relu(x)
            outputs.append(x)
        return outputs


class Discriminator(nn.Module):
    """`scales` patch discriminators, each on a picture half the size of the one before.

    Args:
        channels: of condition and picture together.
        width: channels of the first stage; 64 as published.
        scales: 2 in the published code, 3 in the paper.
        layers: stages before the logits: 4 for label maps, 3 for photos.
    """

    def __init__(self, channels: int, width: int = 64, scales: int = 2, layers: int = 4):
        self.scales = nn.ModuleList([PatchDiscriminator(channels, width, layers) for _ in range(scales)])

    def execute(
        self, condition: jt.Var | None, pictures: list[jt.Var], learns: list[bool] | None = None
    ) -> list[list[list[jt.Var]]]:
        """Outputs for each of `pictures` (picture, scale, stage). Instance norm keeps samples apart, so judging fakes and photos one after the other is
        the same as in one batch; `learns` says for which of them gradients are wanted (default: all)."""
        learns = learns or [True] * len(pictures)
        outputs: list[list[list[jt.Var]]] = [[] for _ in pictures]
        for number, scale in enumerate(self.scales):
            if number:
                condition = None if condition is None else pool_3x3(condition)
                pictures = [pool_3x3(picture) for picture in pictures]
            for seen, judged in zip(outputs, scale(condition, pictures, learns), strict=True):
                seen.append(judged)
        return outputs
