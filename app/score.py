"""Score: one score over all pairs: its histogram, what a threshold cuts off, who lies beside it, how precise it is by the reviews so far.

Enters: a table, and what people said about the reason of this name. Leaves: numbers and positions; no picture is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from app.table import NOBODY, REASONS, Table
from curation.calibration import Calibration, Curve, Worth, calibrate, fit, worth
from curation.reviews import SCORED, reviews_of
from curation.verdicts import Decision

BARS = 100  # of a histogram over 0..1, so that a threshold with two decimals lies between two of them
FINE = 10_000  # scores have four decimals


@dataclass(frozen=True)
class Reviewed:
    """Pairs that people judged for one reason. at: (n,) positions; drop: (n,) share of their reviewers who would drop each, in [0, 1]."""

    at: np.ndarray
    drop: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


class Score:
    """Of the pairs that can be read and have this score. What is sorted is sorted when it is asked for: a million pairs take a while."""

    def __init__(self, table: Table, reason: str) -> None:
        self.table, self.reason = table, reason
        readable = table.readable
        self.values = np.where(readable, table.scores[reason], np.float32(np.nan))  # (N,) float32, NaN: none
        self.pairs = int((~np.isnan(self.values)).sum())
        self._curve: tuple[Reviewed, Curve] | None = None

    @cached_property
    def bars(self) -> np.ndarray:
        """(BARS,) how many pairs have a score in each hundredth, of which the lower end counts to it and the last holds 1, too."""
        hundredth = np.rint(self.values[~np.isnan(self.values)].astype(np.float64) * FINE).astype(np.int64) // (
            FINE // BARS
        )
        return np.bincount(np.clip(hundredth, 0, BARS - 1), minlength=BARS)

    def above(self, threshold: float) -> int:
        """How many pairs a threshold rejects: at or above it."""
        return int(np.count_nonzero(self.values >= np.float32(threshold)))

    def beside(self, threshold: float, n: int) -> tuple[list[int], list[int]]:
        """Positions of up to n pairs just below a threshold and of up to n at it or just above, each the nearest first."""
        border = len(self._order) - self.above(threshold)
        below, above = self._order[max(0, border - n) : border][::-1], self._order[border : border + n]
        return below.tolist(), above.tolist()

    def reviewed(self, at: np.ndarray, drop: np.ndarray) -> Reviewed:
        """What people said for this reason: (n,) positions, NOBODY for pairs that are not there, and shares; those without this score are
        passed over."""
        there = (at != NOBODY) & ~np.isnan(self.values[at])
        return Reviewed(at[there], drop[there])

    def worth(self, threshold: float, reviewed: Reviewed) -> Worth | None:
        """How precise a threshold is by the reviews so far; None where there is none."""
        if not len(reviewed):
            return None
        if self._curve is None or self._curve[0] is not reviewed:
            self._curve = reviewed, fit(self.values[reviewed.at], reviewed.drop)
        above = np.flatnonzero(
            self.values >= np.float32(threshold)
        )  # what lies below tells nothing but through the curve
        seen = np.full(len(self.values), np.nan)
        seen[reviewed.at] = reviewed.drop
        return worth(self._curve[1], self.values[above], seen[above], float(np.float32(threshold)))

    def calibrated(self, reviewed: Reviewed, before: float | None, wanted: float) -> Calibration:
        """The lowest threshold with the wanted precision. Raises ReviewError, which says what is lacking."""
        at = np.flatnonzero(~np.isnan(self.values))
        scores = pd.Series(np.round(self.values[at].astype(np.float64), 4), index=at)
        reviews = pd.DataFrame({"pair_id": reviewed.at, "drop": reviewed.drop})
        return calibrate(
            self.reason,
            scores,
            reviews,
            before,
            wanted,
            lambda n: f"The Queue asks for them where the reason {self.reason} is chosen.",
        )

    @cached_property
    def _order(self) -> np.ndarray:
        """(n,) int32 positions by rising score, equal ones by position."""
        at = np.flatnonzero(~np.isnan(self.values)).astype(np.int32)
        return at[np.argsort(self.values[at], kind="stable")]


def reviews_by_reason(table: Table, decisions: Iterable[Decision]) -> dict[str, Reviewed]:
    """What people said, and did not take back, for each score of the table."""
    said = reviews_of(decisions)
    at, drop = (
        table.positions(said["pair_id"].tolist()) if len(said) else np.zeros(0, np.int32),
        said["drop"].to_numpy(float),
    )
    found = {}
    for reason, score in scores_of(table).items():
        mine = (said["reason"] == reason).to_numpy()
        found[reason] = score.reviewed(at[mine], drop[mine])
    return found


@lru_cache(1)
def scores_of(table: Table) -> dict[str, Score]:
    """The scores of a table that have a threshold, in the order of the rules; the same for all who look at it."""
    return {r: Score(table, r) for r in REASONS if r in SCORED and r in table.scores}
