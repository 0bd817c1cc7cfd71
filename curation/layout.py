"""The layout of a label map: its class on a common grid; how similar two layouts are.

A layout is what a layout-to-photo generator gets as its input, at the scale at which people call two inputs the same.
"""

from __future__ import annotations

import cv2
import numpy as np

GRID = (36, 48)  # rows, columns
CELLS = GRID[0] * GRID[1]


def layout_of(ids: np.ndarray) -> np.ndarray:
    """(h, w) uint8 class indices -> (36, 48) uint8: the class with the largest area in each cell (the lower index on a tie)."""
    present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
    if len(present) == 1:
        return np.full(GRID, present[0], np.uint8)
    best = np.full(GRID, -1.0, np.float32)
    layout = np.zeros(GRID, np.uint8)
    for c in present:
        share = cv2.resize((ids == c).astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
        larger = share > best + 1e-6
        layout[larger] = c
        np.maximum(best, share, out=best)
    return layout


def mirrored(layout: np.ndarray) -> np.ndarray:
    """(..., 36, 48) layouts seen in a mirror."""
    return layout[..., ::-1]


def similarity(a: np.ndarray, b: np.ndarray, mirror: bool = True) -> float:
    """Share of cells with the same class, in [0, 1]; with `mirror`, of the better of b and b in a mirror."""
    same = float((a == b).mean())
    return max(same, float((a == mirrored(b)).mean())) if mirror else same
