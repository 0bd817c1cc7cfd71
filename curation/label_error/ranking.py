"""From class evidence per cell to one label_error score per pair, comparable within the data set.

Two measures: the mean margin by which another class beats the given one (a wrong map, a wrong large class), and the worst spot
of that margin after blurring (a wrong patch). Each is put on the scale of the data set's own honest noise: distance from the
median in units of the lower half's spread, which wrong labels do not widen. So the default threshold means the same on an easy set and
on a noisy one.
"""

from __future__ import annotations

import cv2
import numpy as np

SPOT = 2.0  # cells: standard deviation of the blur that a wrong spot must survive
LIMIT, WIDTH = 8.0, 1.5  # units of honest noise: where the score is 0.5, and how soft the step is
FEWEST = 50  # pairs: below that there is nothing to learn from


def margins(evidence: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(24, 32, n) evidence and given class shares -> (24, 32) float32: best evidence minus that of the given classes, times known share."""
    known = given.sum(2)
    of_given = (evidence * given).sum(2) / np.maximum(known, 1e-6)
    return (evidence.max(2) - of_given) * known


def measures(evidence: np.ndarray, given: np.ndarray) -> tuple[float, float]:
    """Mean margin over the known area, and the worst spot."""
    margin = margins(evidence, given)
    known = float(given.sum())
    if known < 1:
        return 0.0, 0.0
    worst = cv2.GaussianBlur(margin, (0, 0), SPOT, borderType=cv2.BORDER_REFLECT_101).max()
    return float(margin.sum()) / known, float(worst)


def scores(mean_margin: np.ndarray, worst_spot: np.ndarray) -> np.ndarray:
    """Two (n,) measures over the whole set -> (n,) scores in [0, 1]; NaN stays NaN."""
    units = _units(mean_margin) + 0.5 * _units(worst_spot)
    return np.round(1 / (1 + np.exp(np.clip(-(units - LIMIT) / WIDTH, -60, 60))), 4)


def _units(values: np.ndarray) -> np.ndarray:
    middle, low = np.nanquantile(values, [0.5, 0.16])
    return (values - middle) / max(middle - low, 1e-6)
