"""Coupling: the pair of classes that interleaves most, in two strong colours over the grey photo; all else dim."""

from __future__ import annotations

import numpy as np

from curation.evidence.marks import ORANGE, blend, grey, name_of
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.plain import label_panel
from curation.evidence.seen import SeenPair
from curation.scores.coupling import fragments, heaviest_first, interleaved_area, interleavings, why

FIRST, SECOND = ORANGE, (0, 70, 200)  # told apart by their lightness, too
STRONG, DIM = 0.75, 0.7  # opacity of the colours; of the paper over what does not interleave
PAPER = 235


def show(pair: SeenPair) -> Picture:
    """Photo, label map, and the two classes where they interleave."""
    photo = Panel(pair.display, "photo")
    if pair.ids is None:
        return Picture(((photo,),), "there is no label map")
    found, noise = interleavings(pair.ids), fragments(pair.ids)
    alike = pair.learned and pair.learned.alike
    says = why(found, noise, alike, [name_of(pair.space, index) for index in range(len(pair.space.names))])
    label = label_panel(pair)
    if not found:
        return Picture(((photo, label),), says)
    most, area = heaviest_first(found, alike)[0], interleaved_area(pair.ids)
    first, second = (name_of(pair.space, index) for index in (most.first, most.second))
    caption = f"{first} (orange) and {second} (blue) interleave over {percent(most.share)} of the picture"
    if alike is not None and not np.isnan(alike[most.first, most.second]):
        caption += f" and look alike to {percent(float(alike[most.first, most.second]))}"
    if len(found) > 1:
        caption += f"; all classes together over {percent(area.mean())}"
    return Picture(((photo, label, Panel(_marked(pair, area, most.first, most.second), caption)),), says)


def _marked(pair: SeenPair, area: np.ndarray, first: int, second: int) -> np.ndarray:
    """Grey photo under paper; the two classes in their colours where they interleave."""
    photo, ids, area = grey(pair.display), pair.enlarge(pair.ids), pair.enlarge(area)
    marked = blend(photo, np.full_like(photo, PAPER), DIM)
    for index, colour in ((first, FIRST), (second, SECOND)):
        here = area & (ids == index)
        marked[here] = blend(photo, np.full_like(photo, colour), STRONG)[here]
    return marked
