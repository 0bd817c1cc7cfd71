"""The pair itself: its photo, and its label map in class colours over the photo."""

from __future__ import annotations

from curation.evidence.marks import blend, class_colours
from curation.evidence.panel import Panel, Picture
from curation.evidence.seen import SeenPair


def show(pair: SeenPair) -> Picture:
    """Photo, and label map over it where there is one."""
    panels = [Panel(pair.display, "photo")]
    if pair.ids is not None:
        panels.append(label_panel(pair))
    return Picture((tuple(panels),), f"the pair {pair.pair_id}")


def label_panel(pair: SeenPair) -> Panel:
    """The label map in class colours, with a little of the photo shining through."""
    return Panel(blend(pair.display, class_colours(pair.enlarge(pair.ids), pair.space), 0.65), "label map")
