"""Blur: no edge anywhere in the photo is sharp (out of focus, shaken, enlarged from a small file)."""

from __future__ import annotations

import cv2
import numpy as np

from curation.scores.view import View, ramp

BLURRED = (0.8, 1.6)  # log ratio of coarse to fine detail: see RESULTS.md for ordinary and blurred photos


def measure(view: View) -> float:
    """Blur in [0, 1], from fine against coarse detail where each is strongest; contrast and exposure cancel out.

    Detail is what a 3x3 mean removes: fine at full scale, coarse at a quarter of it, each at its 99.5th percentile. A
    sharp edge is as strong on both scales, a blurred one weaker on the fine one. One sharp edge is enough, so a shallow
    depth of field is not blur.
    """
    ratio = np.log((_strongest(view.coarse_detail) + 0.5) / (_strongest(view.fine_detail) + 0.5))
    return ramp(float(ratio), *BLURRED)


def _strongest(detail: np.ndarray) -> float:
    """99.5th percentile of a uint8 picture, interpolated between its levels."""
    below = np.cumsum(cv2.calcHist([detail], [0], None, [256], [0, 256]).ravel()) / detail.size
    level = int(np.searchsorted(below, 0.995))
    before = below[level - 1] if level else 0.0
    return level + float((0.995 - before) / (below[level] - before)) - 0.5
