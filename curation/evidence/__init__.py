"""A picture that explains a reason at a glance. PICTURES is the only list of them: reason -> function.

Enters: a SeenPair (seen.py), what was measured of a pair and what a rule says of it. Leaves: a Picture (panel.py),
panels with captions, which `picture` draws as one array and the report sets as figures. One picture a file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curation.evidence import (
    backlight,
    blur,
    copies,
    coupling,
    dark,
    equivalence_class,
    label_error,
    low_information,
    monochrome,
    overexposed,
    plain,
)
from curation.evidence.learned import Learned, load_learned
from curation.evidence.panel import Panel, Picture, draw
from curation.evidence.seen import SeenPair, find_seen, see_files

__all__ = [
    "PICTURES",
    "Learned",
    "Panel",
    "Picture",
    "SeenPair",
    "draw",
    "find_seen",
    "load_learned",
    "picture",
    "see_files",
    "show",
]

PICTURES: dict[str, Callable[[SeenPair], Picture] | None] = {
    "unreadable": None,  # nothing was decoded; the error text says it all
    "person": plain.show,
    "exact_duplicate": copies.show,
    "near_duplicate": copies.show,
    "label_error": label_error.show,
    "coupling": coupling.show,
    "backlight": backlight.show,
    "monochrome": monochrome.show,
    "dark": dark.show,
    "overexposed": overexposed.show,
    "blur": blur.show,
    "low_information": low_information.show,
    "equivalence_class": equivalence_class.show,
    "target_size": plain.show,
}


def show(reason: str, pair: SeenPair) -> Picture | None:
    """The picture of a reason, as panels; None where there is none to show."""
    function = PICTURES[reason]
    return None if function is None else function(pair)


def picture(reason: str, pair: SeenPair) -> np.ndarray | None:
    """The picture of a reason, drawn: (H, W, 3) uint8 RGB, captions under the panels; None where there is none."""
    shown = show(reason, pair)
    return None if shown is None else draw(shown)
