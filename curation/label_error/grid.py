"""The grid on which label maps are judged: 24 x 32 cells, whatever the shape of the photo.

Label maps come to it at LABEL pixels, 8 x 8 a cell, by nearest neighbour, so that a cell knows the share of each class.
"""

from __future__ import annotations

import cv2
import numpy as np

from curation.label_space import UNKNOWN

GRID = (24, 32)  # rows, columns
CELL = 8  # label pixels on a side
LABEL = (GRID[0] * CELL, GRID[1] * CELL)


def at_label_scale(ids: np.ndarray) -> np.ndarray:
    """(h, w) uint8 class indices -> LABEL, by nearest neighbour."""
    return cv2.resize(ids, LABEL[::-1], interpolation=cv2.INTER_NEAREST)


def class_shares(ids: np.ndarray, n_classes: int) -> np.ndarray:
    """LABEL uint8 class indices -> (24, 32, n_classes) float32 share of each class in each cell; unknown pixels have none."""
    cells = ids.reshape(GRID[0], CELL, GRID[1], CELL).transpose(0, 2, 1, 3).reshape(-1, CELL * CELL)
    at = np.arange(len(cells))[:, None] * 256 + cells
    counts = np.bincount(at.ravel(), minlength=len(cells) * 256).reshape(*GRID, 256)
    return counts[:, :, : min(n_classes, UNKNOWN)].astype(np.float32) / (CELL * CELL)


def place() -> np.ndarray:
    """(24, 32, 4) float32: where a cell lies: row and column from -1 to 1, distance from the middle column, row squared."""
    y, x = np.mgrid[0 : GRID[0], 0 : GRID[1]].astype(np.float32)
    y, x = y / GRID[0] * 2 - 1, x / GRID[1] * 2 - 1
    return np.dstack([y, x, np.abs(x), y * y])
