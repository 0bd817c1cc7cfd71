"""The layout of a label map: its classes on a common grid; how similar two layouts are.

A layout is what a layout-to-photo generator gets as its input, at the scale at which people call two inputs the same. A cell holds
not one class but two, the lower and the upper quartile of its points in the order of the class indices: [a, a] where nearly
all of it is a, [a, b] where a and b share it. So two maps whose borders are ragged in different ways agree, and
where two cells hold the same two classes, their agreement is the overlap of their class histograms, to the half.
"""

from __future__ import annotations

import numpy as np

GRID = (36, 48)  # rows, columns
SHAPE = (*GRID, 2)
SLOTS = GRID[0] * GRID[1] * 2
POINTS = 4  # a side of a cell, where its classes are read
QUARTILES = (4, 11)  # of the 16 sorted points: as far from the first as from the last


def layout_of(ids: np.ndarray) -> np.ndarray:
    """(h, w) uint8 class indices, 255 = unknown -> SHAPE uint8: the quartile classes of each cell, at 4x4 points evenly spread."""
    height, width = ids.shape
    ys = ((np.arange(GRID[0] * POINTS) + 0.5) * (height / (GRID[0] * POINTS))).astype(np.intp)
    xs = ((np.arange(GRID[1] * POINTS) + 0.5) * (width / (GRID[1] * POINTS))).astype(np.intp)
    points = ids[ys[:, None], xs].reshape(GRID[0], POINTS, GRID[1], POINTS).transpose(0, 2, 1, 3)
    return np.sort(points.reshape(*GRID, POINTS * POINTS), axis=2)[:, :, QUARTILES]


def mirrored(layout: np.ndarray) -> np.ndarray:
    """(..., 36, 48, 2) layouts seen in a mirror."""
    return layout[..., ::-1, :]


def similarity(a: np.ndarray, b: np.ndarray, mirror: bool = True) -> float:
    """Share of the slots with the same class, in [0, 1]; with `mirror`, of the better of b and b in a mirror. 1 - it is a metric."""
    same = float((a == b).mean())
    return max(same, float((a == mirrored(b)).mean())) if mirror else same


def mirrored_rows(layouts: np.ndarray) -> np.ndarray:
    """(n, SLOTS) layouts, flat, seen in a mirror; a cell moves as one number, five times as fast as slot by slot."""
    cells = np.ascontiguousarray(layouts).view(np.uint16).reshape(len(layouts), *GRID)
    return np.ascontiguousarray(cells[:, :, ::-1]).view(np.uint8).reshape(len(layouts), SLOTS)


def agreeing(same: np.ndarray) -> np.ndarray:
    """(n, SLOTS) bool -> (n,) int64: how many slots are true; eight are added at once, twice as fast as NumPy counts along rows."""
    eights = same.view(np.uint64).reshape(len(same), SLOTS // 8 // 24, 24)  # no byte of a sum exceeds 18
    return eights.sum(1).view(np.uint8).sum(1, dtype=np.int64)
