"""Equivalence class: the pair beside the one it is held against, cells in which their layouts differ marked."""

from __future__ import annotations

import cv2
import numpy as np

from curation.evidence.marks import WHITE, blend, class_colours, outline
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.seen import SeenPair
from curation.layout import GRID, layout_of, mirrored


def show(pair: SeenPair) -> Picture:
    """Both photos above both label maps; the cells that differ are white in both."""
    other = pair.other
    if other is None or pair.ids is None or other.ids is None:
        return Picture(((Panel(pair.display, pair.pair_id),),), f"{pair.pair_id} is one of an equivalence class")
    mine, theirs = layout_of(pair.ids), layout_of(other.ids)
    straight, turned = mine != theirs, mine != mirrored(theirs)
    in_mirror = turned.sum() < straight.sum()
    slots = turned if in_mirror else straight
    differ = slots.any(2)
    agree, cells = int(np.prod(GRID) - differ.sum()), int(np.prod(GRID))
    how = f"{agree:,} of {cells:,} cells agree, similarity {percent(1 - float(slots.mean()))}"
    how += ", seen in a mirror" if in_mirror else ""
    rows = (
        (Panel(pair.display, pair.pair_id), Panel(other.display, f"{other.pair_id} (stays)")),
        (
            Panel(_marked(pair, differ), "label map; cells that differ are white"),
            Panel(_marked(other, differ[:, ::-1] if in_mirror else differ), how),
        ),
    )
    return Picture(rows, f"the label map is practically that of {other.pair_id}: {how}")


def _marked(pair: SeenPair, differ: np.ndarray) -> np.ndarray:
    """The label map in class colours with (36, 48) cells marked."""
    colours = class_colours(pair.enlarge(pair.ids), pair.space)
    area = cv2.resize(differ.astype(np.uint8), colours.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    marked = blend(pair.display, colours, 0.85)
    marked[area] = blend(marked, np.full_like(marked, WHITE), 0.9)[area]
    return outline(marked, area, WHITE, 1) if area.any() else marked
