"""Undecided: which pairs a reviewer has still to decide, by position, kept up with what is known.

Enters: the news of known.py, by id. Leaves: one array, and how many of some candidates are still open; keeping that up costs as much as
there is news, however many pairs and decisions there are.
"""

from __future__ import annotations

import numpy as np

from app.known import Known
from app.table import NOBODY, Table


class Undecided:
    """Of one reviewer. `candidates`: (n,) positions, each once, whose open ones are counted."""

    def __init__(self, table: Table, known: Known, reviewer: str) -> None:
        self._table, self._known, self._reviewer = table, known, reviewer
        self._open = np.ones(len(table), bool)
        self._counted = np.zeros(len(table), bool)
        self._news = 0
        self.left = 0
        self.choose(np.zeros(0, np.int32))

    def choose(self, candidates: np.ndarray) -> None:
        """Other candidates."""
        self._counted[:] = False
        self._counted[candidates] = True
        self.refresh()
        self.left = int(self._open[candidates].sum())

    def refresh(self) -> np.ndarray:
        """(N,) bool: open for this reviewer, as of the last refresh of `known`. Not to be written to."""
        changed, self._news = self._known.news(self._news)
        at = self._table.positions(changed)
        now = np.array([self._known.is_open(pair_id, self._reviewer) for pair_id in changed], bool)[at != NOBODY]
        at = at[at != NOBODY]
        self.left += int((self._counted[at] & now).sum()) - int((self._counted[at] & self._open[at]).sum())
        self._open[at] = now
        return self._open
