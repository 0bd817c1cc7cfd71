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
    depth of field is not blur. A blur so wide that both are weak shows between a quarter and a sixteenth of the scale.
    """
    fine, coarse, coarsest = (_strongest(d) + 0.5 for d in (view.fine_detail, view.coarse_detail, view.coarsest_detail))
    return ramp(float(np.log(max(coarse / fine, coarsest / coarse))), *BLURRED)


def _strongest(detail: np.ndarray) -> float:
    """99.5th percentile of a uint8 picture, interpolated between its levels."""
    below = np.cumsum(cv2.calcHist([detail], [0], None, [256], [0, 256]).ravel()) / detail.size
    level = int(np.searchsorted(below, 0.995))
    before = below[level - 1] if level else 0.0
    return level + float((0.995 - before) / (below[level] - before)) - 0.5
