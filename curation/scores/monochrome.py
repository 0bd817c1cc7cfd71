"""Monochrome: greyscale or toned (sepia, cyanotype): the hue follows from the lightness alone."""

from __future__ import annotations

import cv2
import numpy as np

from curation.scores.view import View, ramp

SHRINK = 6  # the compression noise of a toned JPEG averages out over 6x6 preview pixels, real colours do not


def chroma_left(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> (h / 6, w / 6, 2) float64: CIE Lab a, b minus the one tone that fits the photo best.

    The tone is the best quadratic a(L), b(L) over the picture.
    """
    size = [max(2, side // SHRINK) for side in photo.shape[1::-1]]
    lab = cv2.cvtColor(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float64)
    tone = np.vander(lab[:, :, 0].ravel() / 255, 3)
    chroma = lab[:, :, 1:].reshape(-1, 2) - 128
    left = chroma - tone @ np.linalg.solve(tone.T @ tone + 1e-3 * np.eye(3), tone.T @ chroma)
    return left.reshape(*lab.shape[:2], 2)


def measure(view: View) -> float:
    """Lack of colour in [0, 1], from the chroma that is left once the tone is taken out: 0.5 at 4 CIE Lab units.

    The 99th percentile over the picture: a greyscale photo leaves 0, one toned and compressed at quality 75 about 3, the
    greyest ordinary photos 5.5.
    """
    squared = (chroma_left(view.photo) ** 2).sum(2).ravel()
    nearly_all = int(0.99 * (len(squared) - 1))
    return ramp(-float(np.sqrt(np.partition(squared, nearly_all)[nearly_all])), -6.0, -2.0)
