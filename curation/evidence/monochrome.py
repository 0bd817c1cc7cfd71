"""Monochrome: the colour left once the one tone of the photo is taken out, at one lightness, three times as strong."""

from __future__ import annotations

import cv2
import numpy as np

from curation.evidence.panel import Panel, Picture
from curation.evidence.seen import SeenPair
from curation.scores.monochrome import chroma_left

STRONGER = 3
LIGHTNESS = 150  # of 255


def show(pair: SeenPair) -> Picture:
    """Photo, and the colour left in it: grey where the lightness alone says the hue."""
    left = chroma_left(pair.photo)
    nearly_all = float(np.quantile(np.linalg.norm(left, axis=2), 0.99))
    lab = np.dstack([np.full(left.shape[:2], LIGHTNESS), 128 + STRONGER * left])
    shown = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    shown = cv2.resize(shown, pair.display.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    says = f"99 % of the pixels lie within {nearly_all:.1f} CIE Lab units of one tone"
    caption = (
        f"colour left without its tone, {STRONGER} times as strong: 99 % of the pixels within {nearly_all:.1f} units"
    )
    return Picture(((Panel(pair.display, "photo"), Panel(shown, caption)),), says)
