"""Table: all pairs of a work directory in columns of one order, with what the last selection says of each.

Enters: WORK's scores.parquet, faults.parquet, groups.parquet. Leaves: columns by *position*, the place of a pair in ascending order of
ids. Texts stay in Arrow's columns until one of them is shown, so a million pairs take some 300 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.columns import floats, numbers, truths, valid, whole
from curation.place import Place
from curation.rules import COPIES, RULES
from curation.scores import SCORES
from curation.workspace import Workspace, facts_of, inputs_of, source

pa.set_memory_pool(pa.system_memory_pool())  # gives back what is read once, and takes its pages at a third of the cost
REASONS = [rule.reason for rule in RULES]
NOBODY = -1  # position of a pair that is not there
MEASURED = ("ids", "image", "label", "error", "scores", "size")  # what a table has from the scores
FEW = 2000  # ids that are looked up one by one: for more it is quicker to look at all


class TableError(ValueError):
    """WORK does not hold what the app shows; the message says what to do."""


@dataclass(frozen=True)
class Fault:
    """One reason against a pair. stands: position of the pair that stays in its place, or NOBODY."""

    reason: str
    score: float | None
    threshold: float | None
    stands: int
    detail: str


@dataclass(frozen=True)
class Classes:
    """Equivalence classes. of: (N,) int32 class of each pair, or NOBODY; order: (M,) int32 pairs class by class, the representative
    first, then the most similar; start: (C + 1,) where in `order` each class begins; similarity: (N,) float32 to the representative."""

    of: np.ndarray
    order: np.ndarray
    start: np.ndarray
    similarity: np.ndarray

    def members(self, name: int) -> np.ndarray:
        return self.order[self.start[name] : self.start[name + 1]]

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.diff(self.start)


class Table:
    """See the module; never changes. is_outdated: WORK was measured again after the last selection.

    before: the table that was open before, whose columns serve again as far as their files are the same: a new selection of a million pairs
    costs neither their time nor their memory twice. Raises TableError.
    """

    def __init__(self, work: Workspace, before: Table | None = None) -> None:
        for file, made_by in ((work.scores, "curate score"), (work.faults, "curate build-selection --level 2")):
            if not file.exists():
                raise TableError(f"{file} does not exist yet. Run `{made_by}` for this work directory first.")
        self.work = work
        self.settings = facts_of(work.faults)
        self.key = f"{inputs_of(work.scores)}-{inputs_of(work.faults)}"
        self.is_outdated = inputs_of(work.faults) != work.measured
        self._of = tuple(_version(file) for file in (work.scores, work.groups))
        self._classes_lock = Lock()
        scores, faults = _opened(work.scores), _opened(work.faults)
        if before is not None and before._of[0] == self._of[0]:
            for name in MEASURED:
                setattr(self, name, getattr(before, name))
            if before._of == self._of and "classes" in before.__dict__:
                self.__dict__["classes"] = before.classes
            self._take_faults(faults)
            return
        self.ids = whole(scores.read(["pair_id"])["pair_id"])
        with ThreadPoolExecutor(1) as beside:  # the one reads and looks up what the other need not wait for
            against = beside.submit(self._take_faults, faults)
            self._take_scores(scores)
            against.result()

    def _take_scores(self, file: pq.ParquetFile) -> None:
        texts = ["image", "label", "error"]
        figures = ["width", "height", *(name for name in SCORES if name in file.schema_arrow.names)]
        read = file.read([*texts, *figures])
        self.image, self.label, self.error = (whole(read[name]) for name in texts)
        self.scores = {name: floats(read[name]) for name in figures[2:]}
        self.size = np.stack([floats(read[name]) for name in figures[:2]], 1)

    def _take_faults(self, file: pq.ParquetFile) -> None:
        faults = file.read()
        at = self.positions(faults["pair_id"])
        if (at == NOBODY).any():  # the selection is older than the scores, and these pairs are gone
            faults = faults.filter(pa.array(at != NOBODY))
            at = at[at != NOBODY]
        self._at = at
        reason = whole(faults["reason"]).dictionary_encode()
        indices = np.array([REASONS.index(r) for r in reason.dictionary.to_pylist()], np.int8)
        self._reason = indices[numbers(reason.indices)]
        self._score, self._threshold = (floats(faults[name]) for name in ("score", "threshold"))
        self._stands, self._detail = (whole(faults[name]) for name in ("representative", "detail"))
        first = np.unique(self._at, return_index=True)
        self.first_fault = np.full(len(self), NOBODY, np.int32)
        self.first_fault[first[0]] = first[1]

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, position: int) -> str:
        return self.ids[int(position)].as_py()

    def position(self, pair_id: str) -> int:
        """Raises KeyError."""
        found = self._position(pair_id)
        if found == NOBODY:
            raise KeyError(pair_id)
        return found

    def _position(self, pair_id: str) -> int:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle].as_py() < pair_id:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self.ids[low].as_py() == pair_id else NOBODY

    def find(self, pair_id: str) -> int:
        """The position of a pair, or NOBODY."""
        try:
            return self.position(pair_id)
        except KeyError:
            return NOBODY

    def positions(self, pair_ids: Sequence[str] | pa.ChunkedArray) -> np.ndarray:
        """(n,) int32; NOBODY for ids that are not there."""
        if len(pair_ids) <= FEW and not isinstance(pair_ids, pa.ChunkedArray):
            return np.array([self._position(pair_id) for pair_id in pair_ids], np.int32)
        wanted = pair_ids if isinstance(pair_ids, pa.ChunkedArray) else pa.array(pair_ids, pa.string())
        wanted = wanted.cast(self.ids.type)  # an empty table's column may be of no type
        return numbers(pc.index_in(wanted, self.ids), NOBODY)

    @cached_property
    def readable(self) -> np.ndarray:
        """(N,) bool: could be measured."""
        return ~valid(self.error)

    @property
    def kept(self) -> np.ndarray:
        """(N,) bool: in the selection."""
        return self.first_fault == NOBODY

    def first_reason(self, position: int) -> str | None:
        at = self.first_fault[position]
        return None if at == NOBODY else REASONS[self._reason[at]]

    def faults(self, position: int) -> list[Fault]:
        """All reasons against a pair, the first one first."""
        at = self.first_fault[position]
        found = []
        while at != NOBODY and at < len(self._at) and self._at[at] == position:
            score, threshold = (
                None if np.isnan(v[at]) else round(float(v[at]), 4) for v in (self._score, self._threshold)
            )
            stands = self._stands[int(at)].as_py()
            found.append(
                Fault(
                    REASONS[self._reason[at]],
                    score,
                    threshold,
                    self.find(stands) if stands else NOBODY,
                    self._detail[int(at)].as_py() or "",
                )
            )
            at += 1
        return found

    def dropped_for(self, reason: str) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the pairs with this reason among theirs, and (n,) float32 the score each has for it."""
        mine = self._reason == REASONS.index(reason)
        return self._at[mine], self._score[mine]

    def has_other(self, reasons: Sequence[str]) -> np.ndarray:
        """(N,) bool: pairs against which a reason stands that is not among these."""
        other = ~np.isin(self._reason, [REASONS.index(reason) for reason in reasons])
        found = np.zeros(len(self), bool)
        found[self._at[other]] = True
        return found

    @cached_property
    def copies(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) positions of the pairs dropped as copies, and (n,) of the pair that stays for each, or NOBODY."""
        mine = np.isin(self._reason, [REASONS.index(reason) for reason in COPIES]) & valid(self._stands)
        return self._at[mine], self.positions(pa.chunked_array([self._stands.filter(pa.array(mine))]))

    def limits_of(self, reason: str) -> np.ndarray:
        """(n,) float32: the threshold that each pair of `dropped_for` reached; NaN where the reason has none."""
        return self._threshold[self._reason == REASONS.index(reason)]

    def mentions(self, text: str) -> np.ndarray:
        """(N,) bool: pairs with this text in their id, their error, a reason or its detail; upper and lower case are the same."""
        found, detail = (_holds(column, text) for column in (self.ids, self._detail))
        named = np.array([text.lower() in reason for reason in REASONS])
        found[self._at[detail | named[self._reason]]] = True
        return found | _holds(self.error, text)

    def counts(self) -> dict[str, int]:
        """Pairs by their first reason, in the order of RULES; only those there are."""
        first = self._reason[self.first_fault[self.first_fault != NOBODY]]
        n = np.bincount(first, minlength=len(REASONS))
        return {reason: int(n[i]) for i, reason in enumerate(REASONS) if n[i]}

    @cached_property
    def classes(self) -> Classes:
        """Read when they are first asked for; whoever else asks meanwhile waits for the same."""
        with self._classes_lock:
            if "classes" not in self.__dict__:
                self.__dict__["classes"] = self._read_classes()
            return self.__dict__["classes"]

    def _read_classes(self) -> Classes:
        read = _opened(self.work.groups).read(["pair_id", "representative", "similarity"])
        both = self.positions(pa.chunked_array([*read["pair_id"].chunks, *read["representative"].chunks]))
        at, stands = both[: len(read)], both[len(read) :]
        there = (at != NOBODY) & (stands != NOBODY)
        at, stands, similar = at[there], stands[there], floats(read["similarity"])[there]
        is_one = np.zeros(len(self), bool)
        is_one[stands] = True
        name = (np.cumsum(is_one, dtype=np.int32) - 1)[stands]
        order = np.lexsort((at, -similar, at != stands, name)).astype(np.int32)
        of, similarity = np.full(len(self), NOBODY, np.int32), np.full(len(self), np.nan, np.float32)
        of[at], similarity[at] = name, similar
        start = np.concatenate([[0], np.cumsum(np.bincount(name))])
        return Classes(of, at[order], start, similarity)

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each score in force, or the one its rule would have."""
        usual = {rule.reason: rule.threshold for rule in RULES if rule.threshold is not None}
        in_force = {name: value for name, value in self.settings.get("thresholds", {}).items() if value is not None}
        return usual | in_force

    def in_force(self, reason: str) -> bool:
        return self.settings.get("thresholds", {}).get(reason) is not None


def _version(file: Place) -> tuple[object, ...]:
    """Changes when the file does."""
    stat = (file.stat().st_mtime_ns, file.stat().st_size) if isinstance(file, Path) and file.exists() else ()
    return inputs_of(file), *stat


def _opened(file: Place) -> pq.ParquetFile:
    return pq.ParquetFile(source(file, True))


def _holds(column: pa.Array, text: str) -> np.ndarray:
    """(n,) bool; a null holds nothing."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column), bool)
    return truths(pc.match_substring(column, text, ignore_case=True))
