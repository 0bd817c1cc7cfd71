"""Balance: how much of the pictures each class covers, over all pairs and over those that stay.

Enters: the label maps as they were measured (WORK/parts), of a sample of pairs, read in a thread. Leaves: shares by class. Parts are named by digests,
so the first ones stand for all; reading them all would take minutes for a million pairs.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Thread

import numpy as np

from app.table import NOBODY, Table
from curation.place import Place
from curation.report.shares import ClassShare, areas, rows_of, shares_of

MOST = 4000  # pairs in the sample


class Balance:
    """Of one table. counted: label maps read so far; total: of how many; error: why it cannot be known, empty where it can."""

    def __init__(self, table: Table, most: int = MOST) -> None:
        self.table, self.most = table, most
        self.counted, self.total, self.error = 0, min(most, len(table)), ""
        self._at = np.zeros(0, np.int32)
        self._areas = np.zeros((0, 256), np.float32)
        self._thread = Thread(target=self._read, daemon=True, name="balance")
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Whether it is done within so many seconds."""
        self._thread.join(seconds)
        return self.done

    def shares(self, kept: np.ndarray) -> list[ClassShare]:
        """Classes by falling area: over all pairs of the sample, and over those of them that `kept`, (N,) bool, holds."""
        area, shows = np.zeros((2, 256)), np.zeros((2, 256))
        for side, some in enumerate((self._areas, self._areas[kept[self._at]])):
            if len(some):
                area[side], shows[side] = some.mean(0), (some > 0).mean(0)
        return shares_of(self.table.work.space, area, shows)

    def _read(self) -> None:
        try:
            files, rows = self._some()
            ids, found = [], []
            for pair_id, covers in areas(files, self.most / max(1, rows)):
                ids.append(pair_id)
                found.append(covers.astype(np.float32))
                self.counted = len(ids)
            at = self.table.positions(ids)
            there = at != NOBODY
            self._areas = np.stack(found)[there] if found else self._areas
            self._at = at[there]
        except (OSError, ValueError) as error:
            self.error = f"The label maps as they were measured cannot be read: {error}"

    def _some(self) -> tuple[list[Place], int]:
        """The first parts that together hold enough pairs, and how many they hold."""
        files, rows = [], 0
        for file in sorted(self.table.work.parts.glob("*.parquet")):
            files.append(file)
            rows += rows_of([file])
            if rows >= self.most:
                break
        return files, rows


@lru_cache(1)
def balance_of(table: Table) -> Balance:
    """The balance of a table, read once for all who look at it."""
    return Balance(table)
