"""Background: what the whole data set says of one pair, for its evidence: the judge of label maps, how this map fits, how two photos relate.

Enters: WORK's label_error/, label_fit.parquet, duplicates.parquet. Leaves: the same by position, read when it is first asked for: a million
rows are not read again for each picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.columns import floats, numbers
from app.table import NOBODY, Table
from curation.workspace import source

if TYPE_CHECKING:
    from curation.evidence.learned import Learned


@dataclass(frozen=True)
class _Fits:
    """By position. kind: (N,) int8 index into `kinds`, or NOBODY where no label map was judged; shift: (N, 2) float32."""

    kinds: list[str]
    kind: np.ndarray
    shift: np.ndarray


class Background:
    """Of one table; safe to use from several threads."""

    def __init__(self, table: Table) -> None:
        self._table, self._lock = table, Lock()

    def of(self, position: int) -> Learned | None:
        """What was learned, with the fit of this pair; None where no label map was judged."""
        from curation.evidence.learned import Fit

        with self._lock:
            learned = self._learned
            if learned is None:
                return None
            fits = self._fits
        kind = fits.kind[position]
        if kind == NOBODY:
            return learned
        x, y = (float(share) for share in fits.shift[position])
        return replace(learned, fits={self._table.id(position): Fit(fits.kinds[kind], (x, y))})

    def relation(self, one: int, other: int) -> str | None:
        """How the photos of two pairs relate, if the one is a copy of the other."""
        with self._lock:
            relations = self._relations
        return relations.get((min(one, other), max(one, other)))

    @cached_property
    def _learned(self) -> Learned | None:
        from curation.evidence.learned import load_learned

        return load_learned(self._table.work, set())

    @cached_property
    def _fits(self) -> _Fits:
        rows = _read(self._table.work.label_fit, ["pair_id", "kind", "shift_x", "shift_y"])
        at = self._table.positions(rows["pair_id"])
        there = at != NOBODY
        kinds = rows["kind"].combine_chunks().dictionary_encode()
        kind, shift = np.full(len(self._table), NOBODY, np.int8), np.full((len(self._table), 2), np.nan, np.float32)
        kind[at[there]] = numbers(kinds.indices)[there]
        shift[at[there]] = np.stack([floats(rows[name]) for name in ("shift_x", "shift_y")], 1)[there]
        return _Fits(kinds.dictionary.to_pylist(), kind, shift)

    @cached_property
    def _relations(self) -> dict[tuple[int, int], str]:
        rows = _read(self._table.work.duplicates, ["first", "second", "relation"])
        couples = np.sort(np.stack([self._table.positions(rows[name]) for name in ("first", "second")], 1), axis=1)
        return dict(zip(map(tuple, couples.tolist()), rows["relation"].to_pylist(), strict=True))


def _read(file, columns: list[str]) -> pa.Table:
    return pq.ParquetFile(source(file, True)).read(columns)
