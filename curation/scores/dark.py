"""Dark: even the brightest parts hold hardly any light (night, or exposed far too short)."""

from __future__ import annotations

import numpy as np

from curation.scores.view import LEVELS, View, ramp


def measure(view: View) -> float:
    """Darkness in [0, 1], from the 95th percentile of linear luminance: 0.5 at 4 stops below white (code 71 of 255)."""
    level = int(np.searchsorted(np.cumsum(view.log_luminance_histogram), 0.95))
    stops_below_white = 10 - level * 10 / LEVELS
    return ramp(stops_below_white, 3.0, 5.0)
