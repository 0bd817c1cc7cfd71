"""Copies of a photo: the pair beside the one that stays, photos above label maps."""

from __future__ import annotations

import cv2
import numpy as np

from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.plain import label_panel
from curation.evidence.seen import SeenPair

SAYS = {
    "exact": "the same file",
    "same": "the same photo",
    "mirrored": "the same photo, mirrored",
    "cropped": "the same photo, cropped",
}


def show(pair: SeenPair) -> Picture:
    """Both photos above both label maps."""
    other = pair.other
    if other is None:
        return Picture(((Panel(pair.display, pair.pair_id),),), f"{pair.pair_id} is a copy")
    what = SAYS.get(pair.relation or "same", SAYS["same"])
    size = "" if pair.size is None or pair.size == (other.size or pair.size) else f", {pair.size[0]}x{pair.size[1]}"
    kept = "" if not size else f", {other.size[0]}x{other.size[1]}"
    rows = [(Panel(pair.display, f"{pair.pair_id}{size}"), Panel(other.display, f"{other.pair_id}{kept} (stays)"))]
    if pair.relation == "cropped":  # one label map does not lie over the other
        rows.append((label_panel(pair), label_panel(other)))
    elif pair.ids is not None and other.ids is not None:
        share = _agreement(pair.ids, other.ids, pair.relation == "mirrored")
        left, right = label_panel(pair), label_panel(other)
        rows.append((left, Panel(right.pixels, f"label map; the two agree on {percent(share)} of the pixels")))
        what = f"the label maps agree on {percent(share)} of the pixels"
    return Picture(tuple(rows), what)


def _agreement(first: np.ndarray, second: np.ndarray, mirrored: bool) -> float:
    """Share of pixels with the same class once one map lies over the other."""
    second = cv2.resize(second, first.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return float((first == (second[:, ::-1] if mirrored else second)).mean())
