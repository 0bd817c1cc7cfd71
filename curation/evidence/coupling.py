"""Coupling: the two classes that interleave widest, in two strong colours; all else grey."""

from __future__ import annotations

import numpy as np

from curation.evidence.marks import NO_CLASS, ORANGE, blend, grey, name_of
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.plain import label_panel
from curation.evidence.seen import SeenPair
from curation.scores.coupling import interleaved_area, interleavings

FIRST, SECOND = ORANGE, (0, 70, 200)


def show(pair: SeenPair) -> Picture:
    """Photo, and the two classes; bright where they interleave, faded elsewhere."""
    photo = Panel(pair.display, "photo")
    if pair.ids is None:
        return Picture(((photo,),), "there is no label map")
    found = interleavings(pair.ids)
    if not found:
        return Picture(((photo, label_panel(pair)),), "no two classes interleave")
    widest, area = found[0], interleaved_area(pair.ids)
    first, second = (name_of(pair.space, c) for c in (widest.first, widest.second))
    ids, area_shown = pair.enlarge(pair.ids), pair.enlarge(area)
    colours = np.full(pair.display.shape, NO_CLASS, np.uint8)
    colours[ids == widest.first], colours[ids == widest.second] = FIRST, SECOND
    faded = blend(grey(pair.display), colours, 0.25)
    faded[area_shown] = colours[area_shown]
    says = f"{first} (orange) / {second} (blue) interleave over {percent(widest.share)} of the picture"
    if len(found) > 1:
        says += f"; all classes together over {percent(area.mean())}"
    return Picture(
        ((photo, Panel(faded, says)),), f"{first}/{second} interleave over {percent(widest.share)} of the picture"
    )
