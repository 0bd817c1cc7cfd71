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
        self._seen = 0  # of the news
        self._array = np.zeros(len(table), np.int8)

    def verdicts(self) -> np.ndarray:
        """(N,) int8: OPEN, KEPT or DROPPED by people. Not to be written to."""
        changed, self._seen = self._known.news(self._seen)
        if changed:
            said = [_code(self._known.verdict(pair_id)) for pair_id in changed]
            at = self._positions(changed)
            self._array[at[at != NOBODY]] = np.array(said, np.int8)[at != NOBODY]
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


def _code(verdict: Verdict | None) -> int:
    if verdict is None:
        return OPEN
    return KEPT if verdict.verdict == KEEP else DROPPED
