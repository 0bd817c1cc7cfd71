"""Search: which pairs a text is said of: in the id, a reason, its detail, an error, or the name of a class that the label map shows.

Enters: a table and a text. Leaves: (N,) bool by position. Label maps are looked through as they were measured (WORK/parts), for data sets of
up to MOST_LAYOUTS pairs: those of a million would keep everybody waiting for a minute.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from app.table import NOBODY, Table
from curation.layout import SLOTS
from curation.workspace import read_parts

MOST_LAYOUTS = 100_000
_SHOWN: WeakKeyDictionary[Table, dict[int, np.ndarray]] = WeakKeyDictionary()


def mentioned(table: Table, text: str) -> np.ndarray:
    """(N,) bool; upper and lower case are the same. Where label maps cannot be read, what else is known counts."""
    found = table.mentions(text)
    if looks_at_classes(table):
        for index, name in enumerate(table.work.space.names):
            if text.lower() in name.lower():
                found |= _shown(table, index)
    return found


def looks_at_classes(table: Table) -> bool:
    return len(table) <= MOST_LAYOUTS


def _shown(table: Table, index: int) -> np.ndarray:
    """(N,) bool: pairs whose label map shows the class: a third of a cell of its layout, or more."""
    known = _SHOWN.setdefault(table, {})
    if index not in known:
        shown = np.zeros(len(table), bool)
        try:
            for part in read_parts(sorted(table.work.parts.glob("*.parquet")), ["pair_id", "layout"]):
                part = part.filter(part["layout"].is_valid())
                at = table.positions(part["pair_id"])
                shows = (_layouts(part["layout"]) == index).any(1)
                shown[at[shows & (at != NOBODY)]] = True
        except (OSError, pa.ArrowInvalid):
            return shown  # not remembered: it may come back
        known[index] = shown
    return known[index]


def _layouts(column: pa.ChunkedArray) -> np.ndarray:
    """(n, SLOTS) uint8."""
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    offsets = np.frombuffer(whole.buffers()[1], np.int32)[whole.offset : whole.offset + len(whole) + 1]
    return np.frombuffer(whole.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(-1, SLOTS)
