"""Blur: fine detail beside coarse detail, on one scale of brightness. A sharp edge is as bright in both."""

from __future__ import annotations

import cv2
import numpy as np

from curation.evidence.panel import Panel, Picture
from curation.evidence.seen import SeenPair
from curation.scores.blur import BLURRED


def show(pair: SeenPair) -> Picture:
    """Photo, fine detail, coarse detail."""
    view = pair.view
    height, width = pair.display.shape[:2]
    top = max(float(np.quantile(view.coarse_detail, 0.995)), 1.0)
    maps = [
        np.clip(cv2.resize(d, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) * (255 / top), 0, 255)
        for d in (view.fine_detail, view.coarse_detail)
    ]
    fine, coarse = (cv2.cvtColor(m.astype(np.uint8), cv2.COLOR_GRAY2RGB) for m in maps)
    says = "fine edges are weak against coarse ones"
    if pair.score is not None:
        says = f"the strongest edges are {ratio_of(pair.score)} times as strong coarsely as finely"
    panels = (Panel(pair.display, "photo"), Panel(fine, "fine detail"), Panel(coarse, f"coarse detail; {says}"))
    return Picture((panels,), says)


def ratio_of(score: float) -> str:
    """Coarse over fine detail that gave a score: the logistic step of `ramp` undone (see curation/scores/view.py)."""
    low, high = BLURRED
    near = min(max(score, 1e-4), 1 - 1e-4)  # scores have 4 decimals
    ratio = np.exp((low + high) / 2 + (high - low) / 8 * np.log(near / (1 - near)))
    return f"{'more than ' if score > near else 'less than ' if score < near else ''}{ratio:.1f}"
