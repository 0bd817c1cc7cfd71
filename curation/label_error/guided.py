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
    red, green, blue = guide = [np.ascontiguousarray(c) for c in np.moveaxis(photo.astype(np.float32) / 255, 2, 0)]
    r, g, b = mean = [_mean(colour) for colour in guide]
    rr, gg, bb = (_mean(c * c) - m * m + EPSILON for c, m in zip(guide, mean, strict=True))
    rg, gb, br = _mean(red * green) - r * g, _mean(green * blue) - g * b, _mean(blue * red) - b * r
    first, second, third = gg * bb - gb * gb, gb * br - rg * bb, rg * gb - gg * br
    scale = 1 / (rr * first + rg * second + br * third)
    across = (br * rg - rr * gb) * scale
    inverse = [
        [first * scale, second * scale, third * scale],
        [second * scale, (rr * bb - br * br) * scale, across],
        [third * scale, across, (rr * gg - rg * rg) * scale],
    ]  # of the covariance of the colours in each window

    def filtered(layer: np.ndarray) -> np.ndarray:
        level = _mean(layer)
        x, y, z = (_mean(c * layer) - m * level for c, m in zip(guide, mean, strict=True))
        slope = [row[0] * x + row[1] * y + row[2] * z for row in inverse]  # (19)
        offset = level - slope[0] * r - slope[1] * g - slope[2] * b  # (20)
        return _mean(slope[0]) * red + _mean(slope[1]) * green + _mean(slope[2]) * blue + _mean(offset)  # (21)

    return filtered


def _mean(layer: np.ndarray) -> np.ndarray:
    return cv2.blur(layer, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)
