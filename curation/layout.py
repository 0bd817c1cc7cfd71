"""The layout of a label map: its class on a common grid; how similar two layouts are.

A layout is what a layout-to-photo generator gets as its input, at the scale at which people call two inputs the same.
"""

from __future__ import annotations

import numpy as np

GRID = (36, 48)  # rows, columns
CELLS = GRID[0] * GRID[1]
POINTS = 4  # a side of a cell, where its classes are counted
_CELL_OF_POINT = np.kron(np.arange(CELLS).reshape(GRID), np.ones((POINTS, POINTS), np.int64))


def layout_of(ids: np.ndarray) -> np.ndarray:
    """(h, w) uint8 class indices -> (36, 48) uint8: the class with the largest area in each cell (the lower index on a tie).

    The area is counted at 4x4 points of a cell, evenly spread.
    """
    height, width = ids.shape
    ys = ((np.arange(GRID[0] * POINTS) + 0.5) * (height / (GRID[0] * POINTS))).astype(np.intp)
    xs = ((np.arange(GRID[1] * POINTS) + 0.5) * (width / (GRID[1] * POINTS))).astype(np.intp)
    present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
    code = np.zeros(256, np.int64)
    code[present] = np.arange(len(present))
    points = code[ids[ys[:, None], xs]] + _CELL_OF_POINT * len(present)
    counts = np.bincount(points.ravel(), minlength=CELLS * len(present)).reshape(CELLS, -1)
    return present[counts.argmax(1)].astype(np.uint8).reshape(GRID)


def mirrored(layout: np.ndarray) -> np.ndarray:
    """(..., 36, 48) layouts seen in a mirror."""
    return layout[..., ::-1]


def similarity(a: np.ndarray, b: np.ndarray, mirror: bool = True) -> float:
    """Share of cells with the same class, in [0, 1]; with `mirror`, of the better of b and b in a mirror."""
    same = float((a == b).mean())
    return max(same, float((a == mirrored(b)).mean())) if mirror else same
