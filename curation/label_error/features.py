"""The two ways to describe the cells of a photo. FEATURES is the only list of them.

`compact(photo)` takes (h, w, 3) uint8 RGB and gives 1-D float16, to be kept between the passes; `cells(compact)` gives
(24, 32, width) float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.label_error import network_features, plain_features
from curation.label_error.grid import GRID


@dataclass(frozen=True)
class Features:
    """`says`: in words, for a person who chooses."""

    says: str
    compact: Callable[[np.ndarray], np.ndarray]
    cells: Callable[[np.ndarray], np.ndarray]


def _plain(photo: np.ndarray) -> np.ndarray:
    return plain_features.cell_features(photo).astype(np.float16).ravel()


def _plain_cells(kept: np.ndarray) -> np.ndarray:
    return kept.astype(np.float32).reshape(*GRID, plain_features.FEATURES)


FEATURES = {
    "network": Features(
        "EfficientNet-lite0, trained on ImageNet",
        network_features.compact,
        network_features.cells,
    ),
    "plain": Features("hand-made features of colour and texture", _plain, _plain_cells),
}
JUDGES = ("auto", *FEATURES, "none")


def choose(judge: str) -> str:
    """The features for a judge by name; "auto" is the network where its weights are installed."""
    if judge == "auto":
        return "network" if network_features.available() else "plain"
    return judge
