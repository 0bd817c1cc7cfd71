"""What a cell of a photo looks like: hand-made features of colour, texture, surroundings and place; no network, no weights file.

A photo is cut into 24 x 32 cells. Each cell knows its own mean colour and spread (CIE Lab), its edges (strength, direction) and
detail at three scales, the same averaged over 3x3 and 9x9 cells, the mean colour of all cells above it, the means of its row
and of the whole photo, and where it lies.
"""

from __future__ import annotations

import cv2
import numpy as np

from curation.label_error.grid import GRID, place

FEATURES = 65


def cell_features(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> (24, 32, FEATURES) float32."""
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * np.float32([1 / 50, 1 / 25, 1 / 25])
    light = np.ascontiguousarray(lab[:, :, 0])
    mean = _cells(lab)
    spread = np.sqrt(np.maximum(_cells(lab * lab) - mean * mean, 0))
    dx = cv2.Scharr(light, cv2.CV_32F, 1, 0, scale=1 / 16)
    dy = cv2.Scharr(light, cv2.CV_32F, 0, 1, scale=1 / 16)
    edges = _cells(cv2.merge([np.abs(dx), np.abs(dy)]))
    xx, yy, xy = cv2.split(_cells(cv2.merge([dx * dx, dy * dy, dx * dy])))  # the structure tensor
    energy = xx + yy + np.float32(1e-4)
    textures, finer = [], light
    for side in (3, 7, 15):
        coarser = cv2.blur(light, (side, side))
        textures.append(np.log(_cells(np.abs(finer - coarser)) + np.float32(0.005)))
        finer = coarser
    own = np.dstack([mean, spread, np.log(edges + np.float32(0.005)), (xx - yy) / energy, 2 * xy / energy, *textures])
    rows, columns = GRID
    above = np.cumsum(mean, axis=0, dtype=np.float64) / np.arange(1, rows + 1)[:, None, None]
    return np.dstack(
        [
            own,
            cv2.blur(own, (3, 3)),
            cv2.blur(own, (9, 9)),
            above.astype(np.float32),
            np.broadcast_to(own.mean((0, 1), dtype=np.float64).astype(np.float32), own.shape),
            np.broadcast_to(own[:, :, :6].mean(1, keepdims=True), (rows, columns, 6)),
            place(),
        ]
    )


def _cells(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, GRID[::-1], interpolation=cv2.INTER_AREA)
