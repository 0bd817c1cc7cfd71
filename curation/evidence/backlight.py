"""Backlight: the dark mass in blue and the bright ground in yellow, split where the score splits them."""

from __future__ import annotations

import numpy as np

from curation.evidence.marks import BLUE, YELLOW, grey, tint
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.seen import SeenPair
from curation.scores.backlight import sky_stops, split, two_tones
from curation.scores.view import LEVELS


def show(pair: SeenPair) -> Picture:
    """Photo, and photo with both sides of the split marked; the stops between them as the score counts them."""
    dark = pair.enlarge(dark_side(pair))
    stops, _ = two_tones(pair.view.log_luminance_histogram)
    marked = tint(tint(grey(pair.display), dark, BLUE, 0.5), ~dark, YELLOW, 0.55)
    says = f"the dark mass (blue, {percent(dark.mean())}) lies {stops:.1f} stops below the bright ground (yellow)"
    sky = sky_stops(pair.view)
    if sky is not None:
        says += f"; sky against the rest: {sky:.1f} stops"
    return Picture(((Panel(pair.display, "photo"), Panel(marked, says)),), says)


def dark_side(pair: SeenPair) -> np.ndarray:
    """(h, w) bool: pixels below Otsu's threshold of log2 luminance, the split that the score takes its stops from."""
    at = split(pair.view.log_luminance_histogram)
    return np.log2(np.maximum(pair.view.luminance, 2**-10)) < (at + 1) * 10 / LEVELS - 10
