"""Counts: how many pairs each level keeps under thresholds as a person is moving them.

Enters: a table with its last selection, the thresholds, the verdicts of people. Leaves: kept pairs by level: at once an estimate, which
takes copies as the last selection had them and lets each equivalence class keep up to k of the pairs that are clean now; for sets of up to
MOST_EXACT pairs soon after it what the build itself would keep, worked out in a thread.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from app.table import NOBODY, Table
from curation.photo_similarity import TAU_PHOTO
from curation.reviews import SCORED
from curation.rules import COPIES, LEVELS, Settings, select
from curation.verdicts import KEEP, Verdict
from curation.workspace import read_frame

if TYPE_CHECKING:
    import pandas as pd

MOST_EXACT = 20_000  # pairs; the rules take some seconds for so many
REMEMBERED = 64  # counts, so that going back to former thresholds is free
Levels = dict[int, int | None]  # level -> kept pairs; None: not known


@dataclass(frozen=True)
class Counted:
    """kept: pairs by level. exact: as the build would have it. pending: the exact counts are being worked out. error: why they cannot be."""

    kept: Levels
    exact: bool
    pending: bool
    error: str = ""


def last_settings(table: Table) -> Settings:
    """The settings of the last selection."""
    return Settings.from_dict(table.settings) if table.settings else Settings()


class Counts:
    """Of one table. Safe to use from several threads."""

    def __init__(self, table: Table) -> None:
        self.table, self.settings = table, last_settings(table)
        self._exact: OrderedDict[tuple, Future] = OrderedDict()
        self._decided: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None
        self._lock, self._pool = Lock(), ThreadPoolExecutor(1)

    @cached_property
    def last(self) -> Levels:
        """What the last selection kept, and what lower levels keep of it; None for levels above it, and where a number was asked for."""
        known = {level: self._last_of(level) for level in LEVELS if level < self.settings.level}
        if self.settings.target_size is not None:
            known = dict.fromkeys(known)
        return dict.fromkeys(LEVELS) | known | {self.settings.level: int(self.table.kept.sum())}

    def under(
        self,
        thresholds: Mapping[str, float | None],
        verdicts: Mapping[str, Verdict],
        version: int = 0,
        soon: bool = True,
    ) -> Counted:
        """Kept pairs under these thresholds: exact where that is known, else estimated.

        thresholds: of scores; None = off. verdicts: by pair id; version: changes when they do. soon: whether to work it out exactly, which
        is not worth it while a threshold moves; ask again for it.
        """
        settings = replace(self.settings, thresholds={**self.settings.thresholds, **thresholds})
        if len(self.table) > MOST_EXACT or not soon:
            return Counted(self.estimate(settings, self.decided(verdicts, version)), False, False)
        future = self._begun(settings.thresholds, verdicts, version)
        if future.done() and not future.exception():
            return Counted(future.result(), True, False)
        error = str(future.exception()) if future.done() else ""
        return Counted(self.estimate(settings, self.decided(verdicts, version)), False, not future.done(), error)

    def soon(
        self, seconds: float, thresholds: Mapping[str, float | None], verdicts: Mapping[str, Verdict], version: int = 0
    ) -> Counted:
        """As `under`, but waits for the exact counts for a while."""
        end, counted = time.monotonic() + seconds, self.under(thresholds, verdicts, version)
        while counted.pending and time.monotonic() < end:
            time.sleep(0.02)
            counted = self.under(thresholds, verdicts, version)
        return counted

    def estimate(self, settings: Settings, decided: tuple[np.ndarray, np.ndarray]) -> Levels:
        """Kept pairs by level. decided: (N,) bool each, what people keep and drop."""
        return {level: self._estimated(replace(settings, level=level), *decided) for level in LEVELS}

    def decided(self, verdicts: Mapping[str, Verdict], version: int) -> tuple[np.ndarray, np.ndarray]:
        """(N,) bool each: the pairs that people keep, and those that they drop."""
        known = self._decided
        if known is None or known[0] != version:
            known = self._decided = version, masks_of(self.table, verdicts)
        return known[1]

    def exact(self, thresholds: Mapping[str, float | None], verdicts: Mapping[str, Verdict]) -> Levels:
        """Kept pairs by level, by the rules themselves."""
        settings, found = replace(self.settings, thresholds=thresholds), {}
        for level in LEVELS:
            found[level] = len(select(*self._tables, replace(settings, level=level), verdicts).kept)
        return found

    def _begun(self, thresholds: Mapping[str, float | None], verdicts: Mapping[str, Verdict], version: int) -> Future:
        """The exact counts, done or not."""
        key = tuple(sorted(thresholds.items())), version
        with self._lock:
            if key not in self._exact or self._exact[key].cancelled():
                if self._exact:
                    next(reversed(self._exact.values())).cancel()  # of thresholds that are over, unless it has begun
                self._exact[key] = self._pool.submit(self.exact, thresholds, verdicts)
                self._exact.move_to_end(key)
                while len(self._exact) > REMEMBERED:
                    self._exact.popitem(last=False)
            return self._exact[key]

    @cached_property
    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        work = self.table.work
        return read_frame(work.scores), read_frame(work.duplicates), read_frame(work.groups)

    def _estimated(self, settings: Settings, wanted: np.ndarray, unwanted: np.ndarray) -> int:
        rules, readable = settings.active(), self.table.readable
        out = np.zeros(len(readable), bool)
        for reason in COPIES:
            if reason in rules:
                out |= self._copies[reason]
        if "person" in rules:
            out |= unwanted
        if settings.target_size is not None:  # so many of what is no copy, whatever the scores
            left = readable & (wanted | ~out)
            return min(int(left.sum()), max(settings.target_size, int((left & wanted).sum())))
        for reason, rule in rules.items():
            if reason in self.table.scores and reason in SCORED:
                out |= self.table.scores[reason] >= np.float32(rule.threshold)
        by_class = "equivalence_class" in rules
        if by_class:
            out |= self._copies["alike"]
        clean = readable & (wanted | ~out)
        if not by_class or settings.reweight:
            return int(clean.sum())
        name = self.table.classes.of
        grouped = clean & (name != NOBODY)
        size = np.bincount(name[grouped], minlength=1)
        asked = np.bincount(name[grouped & wanted], minlength=len(size))
        return int((clean & ~grouped).sum() + np.maximum(asked, np.minimum(size, settings.keep_per_class)).sum())

    @cached_property
    def _copies(self) -> dict[str, np.ndarray]:
        """(N,) bool of the copies that the last selection dropped, by reason; `alike`: those dropped for a photo within their class that is
        practically the same, which only the level with classes does."""
        found = {}
        for reason in COPIES:
            found[reason] = np.zeros(len(self.table), bool)
            found[reason][self.table.dropped_for(reason)[0]] = True
        at, limit = self.table.dropped_for("near_duplicate")[0], self.table.limits_of("near_duplicate")
        found["alike"] = np.zeros(len(self.table), bool)
        found["alike"][at[limit == np.float32(TAU_PHOTO)]] = True
        found["near_duplicate"] &= ~found["alike"]
        return found

    def _last_of(self, level: int) -> int:
        out = ~self.table.readable
        for reason in replace(self.settings, level=level).active():
            out[self.table.dropped_for(reason)[0]] = True
        if level < 2:
            alone = self._copies["alike"]  # a pair that is dropped for that has no other fault
            out &= ~alone
        return int((~out).sum())


@lru_cache(1)
def counts_of(table: Table) -> Counts:
    """The counts of a table, the same for all who look at it; the table before it is let go."""
    return Counts(table)


def masks_of(table: Table, verdicts: Mapping[str, Verdict]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool each: the pairs that people keep, and those that they drop; verdicts on pairs that the table lacks are passed over."""
    wanted, unwanted = np.zeros((2, len(table)), bool)
    if not verdicts:
        return wanted, unwanted
    for mask, pick in ((wanted, True), (unwanted, False)):
        at = table.positions([p for p, verdict in verdicts.items() if (verdict.verdict == KEEP) == pick])
        mask[at[at != NOBODY]] = True
    return wanted, unwanted
