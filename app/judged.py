"""Judged: the verdict on each pair by position, kept up with what is known, for whoever counts over a million pairs.

Enters: verdicts by id. Leaves: one array; keeping it up costs as much as there is news.
"""

from __future__ import annotations

import numpy as np

from app.known import Known
from app.table import NOBODY, Table
from curation.verdicts import KEEP, Verdict

OPEN, KEPT, DROPPED = 0, 1, 2
FEW = 2000  # ids that are looked up one by one rather than all at once


class Judged:
    """Of one table."""

    def __init__(self, table: Table, known: Known) -> None:
        self._table, self._known = table, known
        self._had: dict[str, Verdict] = {}
        self._version = -1
        self._array = np.zeros(len(table), np.int8)

    def verdicts(self) -> np.ndarray:
        """(N,) int8: OPEN, KEPT or DROPPED by people. Not to be written to."""
        if self._version != self._known.version:
            self._version, now = self._known.version, self._known.verdicts()
            changed = [p for p, verdict in now.items() if self._had.get(p) is not verdict]
            changed += [p for p in self._had if p not in now]
            said = [OPEN if p not in now else KEPT if now[p].verdict == KEEP else DROPPED for p in changed]
            at = self._positions(changed)
            self._array[at[at != NOBODY]] = np.array(said, np.int8)[at != NOBODY]
            self._had = now
        return self._array

    def _positions(self, pair_ids: list[str]) -> np.ndarray:
        if len(pair_ids) > FEW:
            return self._table.positions(pair_ids)
        found = np.full(len(pair_ids), NOBODY, np.int32)
        for i, pair_id in enumerate(pair_ids):
            try:
                found[i] = self._table.position(pair_id)
            except KeyError:  # decided about a pair that is no longer listed
                continue
        return found
