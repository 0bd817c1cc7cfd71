"""Overexposed: the burnt-out pixels marked."""

from __future__ import annotations

import numpy as np

from curation.evidence.marks import MAGENTA, grey, tint
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.seen import SeenPair
from curation.scores.overexposed import BURNT
from curation.scores.view import LEVELS


def show(pair: SeenPair) -> Picture:
    """Photo, and photo with what is burnt out in magenta."""
    burnt = np.log2(np.maximum(pair.view.luminance, 2**-10)) >= BURNT * 10 / LEVELS - 10
    says = f"{percent(burnt.mean())} of the picture (magenta) is burnt out to white"
    marked = tint(grey(pair.display), pair.enlarge(burnt), MAGENTA, 0.85)
    return Picture(((Panel(pair.display, "photo"), Panel(marked, says)),), says)
