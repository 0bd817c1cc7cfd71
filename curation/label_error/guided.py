"""The guided filter: a coarse layer brought to the borders of a photo [He, Sun & Tang 2013, "Guided image filtering", PAMI 35(6)].

Within each window the filtered layer is an affine function of the photo's colours, so it changes where they change. Enters: a photo
and layers at its scale. Leaves: the layers, filtered. Equation numbers are those of the paper.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

WINDOW = 33  # pixels, at 96x128: wide enough that evidence in cells of 4x4 finds its border
EPSILON = 1e-3  # squared contrast, of colours in [0, 1], below which a window is flat


def guided(photo: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """(h, w, 3) uint8 RGB -> function that filters an (h, w) float32 layer into one of the same shape."""
    guide = photo.astype(np.float32) / 255
    mean = _mean(guide)
    (rr, rg, rb), (_, gg, gb), (_, _, bb) = (
        [_mean(guide[..., i] * guide[..., j]) - mean[..., i] * mean[..., j] for j in range(3)] for i in range(3)
    )
    rr, gg, bb = rr + EPSILON, gg + EPSILON, bb + EPSILON
    adjugate = [
        [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb],
        [gb * rb - rg * bb, rr * bb - rb * rb, rb * rg - rr * gb],
        [rg * gb - gg * rb, rb * rg - rr * gb, rr * gg - rg * rg],
    ]  # of the covariance of the colours in each window
    determinant = rr * adjugate[0][0] + rg * adjugate[1][0] + rb * adjugate[2][0]

    def filtered(layer: np.ndarray) -> np.ndarray:
        level = _mean(layer)
        covariance = [_mean(guide[..., i] * layer) - mean[..., i] * level for i in range(3)]
        slope = [sum(row[j] * covariance[j] for j in range(3)) / determinant for row in adjugate]  # (19)
        offset = level - sum(slope[i] * mean[..., i] for i in range(3))  # (20)
        return sum(_mean(slope[i]) * guide[..., i] for i in range(3)) + _mean(offset)  # (21)

    return filtered


def _mean(layer: np.ndarray) -> np.ndarray:
    return cv2.blur(layer, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)
