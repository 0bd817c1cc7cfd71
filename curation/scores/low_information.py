"""Low information: nearly all of the photo is flat: fog, a bare wall, a placeholder picture."""

from __future__ import annotations

import cv2

from curation.scores.view import View, ramp

TILE = 4  # pixels of the coarse detail picture: 1/32 of the long side
FLAT = 1  # grey levels: mean detail up to which a tile shows nothing but noise


def measure(view: View) -> float:
    """Lack of content in [0, 1], from the share of flat tiles at a scale that blur leaves alone: 0.5 at 88 %."""
    h, w = (max(1, side // TILE) for side in view.coarse_detail.shape)
    detail = cv2.resize(view.coarse_detail, (w, h), interpolation=cv2.INTER_AREA)
    return ramp(float((detail <= FLAT).mean()), 0.76, 1.0)
