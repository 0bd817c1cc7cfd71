"""Monochrome: greyscale or toned (sepia, cyanotype): the hue follows from the lightness alone."""

from __future__ import annotations

import cv2
import numpy as np

from curation.scores.view import View, ramp


def measure(view: View) -> float:
    """Lack of colour in [0, 1], from the chroma that is left once the tone is taken out: 0.5 at 4 CIE Lab units.

    The tone is the best quadratic a(L), b(L) over the picture; a greyscale or toned photo leaves only compression noise
    (below 2 units), the greyest ordinary photos leave 7 (99th percentile of the residual over the pixels).
    """
    lab = cv2.cvtColor(view.photo[::4, ::4], cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)
    tone = np.vander(lab[:, 0] / 255, 3)
    chroma = lab[:, 1:] - 128
    fitted = tone @ np.linalg.solve(tone.T @ tone + 1e-3 * np.eye(3), tone.T @ chroma)
    squared = ((chroma - fitted) ** 2).sum(1)
    nearly_all = int(0.99 * (len(squared) - 1))
    return ramp(-float(np.sqrt(np.partition(squared, nearly_all)[nearly_all])), -6.0, -2.0)
