"""Low information: the flat tiles marked."""

from __future__ import annotations

import cv2

from curation.evidence.marks import BLUE, grey, tint
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.seen import SeenPair
from curation.scores.low_information import FLAT, TILE


def show(pair: SeenPair) -> Picture:
    """Photo, and photo with every flat tile in blue."""
    coarse = pair.view.coarse_detail
    h, w = (max(1, side // TILE) for side in coarse.shape)
    flat = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_AREA) <= FLAT
    says = f"{percent(flat.mean())} of the picture (blue) is flat"
    marked = tint(grey(pair.display), pair.enlarge(flat), BLUE, 0.55)
    return Picture(((Panel(pair.display, "photo"), Panel(marked, says)),), says)
