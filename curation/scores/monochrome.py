"""Monochrome: greyscale or toned (sepia, cyanotype): the hue follows from the lightness alone."""

from __future__ import annotations

import cv2
import numpy as np

from curation.scores.view import View, ramp

SHRINK = 6  # the compression noise of a toned JPEG averages out over 6x6 preview pixels, real colours do not
MOST_GAIN = 8.0  # a dark photo is brightened first: little light is not little colour


def chroma_left(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> (h / 6, w / 6, 2) float64: CIE Lab a, b minus the one tone that fits the photo best.

    A tone has one hue, that of the mean chroma, and a strength that is a quadratic of L. The one hue matters: through two or
    three flat colours, a blue sky above a yellow field, some curve a(L), b(L) always passes.
    """
    size = [max(2, side // SHRINK) for side in photo.shape[1::-1]]
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    gain = min(MOST_GAIN, 255 / max(float(small.max()), 1.0))
    lab = cv2.cvtColor(cv2.convertScaleAbs(small, alpha=gain), cv2.COLOR_RGB2LAB).astype(np.float64)
    chroma = lab[:, :, 1:].reshape(-1, 2) - 128
    mean = chroma.mean(0)
    hue = mean / max(float(np.hypot(*mean)), 1e-6)
    powers = np.vander(lab[:, :, 0].ravel() / 255, 3)
    strength = powers @ np.linalg.solve(powers.T @ powers + 1e-3 * np.eye(3), powers.T @ (chroma @ hue))
    left = chroma - np.maximum(strength, 0)[:, None] * hue
    return left.reshape(*lab.shape[:2], 2)


def measure(view: View) -> float:
    """Lack of colour in [0, 1], from the chroma that is left once the tone is taken out: 0.5 at 4.5 CIE Lab units.

    The 99th percentile over the picture: a greyscale photo leaves 0, one toned and compressed at quality 75 about 4, the
    greyest ordinary photos 6.
    """
    squared = (chroma_left(view.photo) ** 2).sum(2).ravel()
    nearly_all = int(0.99 * (len(squared) - 1))
    return ramp(-float(np.sqrt(np.partition(squared, nearly_all)[nearly_all])), -6.5, -2.5)
