"""Score: one score over all pairs: its histogram, what a threshold cuts off, who lies beside it, how precise it is by the reviews so far.

Enters: a table, and what people said about the reason of this name. Leaves: numbers and positions; no picture is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from app.table import NOBODY, REASONS, Table
from curation.calibration import Calibration, Curve, Worth, calibrate, fit, worth
from curation.reviews import SCORED

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
    """Of the pairs that can be read and have this score."""

    def __init__(self, table: Table, reason: str) -> None:
        self.table, self.reason = table, reason
        self._all = table.scores[reason]
        self._curve: tuple[Reviewed, Curve] | None = None

    @cached_property
    def order(self) -> np.ndarray:
        """(n,) int32 positions by rising score, equal ones by position."""
        has = ~np.isnan(self._all) & self.table.error.is_null().to_numpy(zero_copy_only=False)
        at = np.flatnonzero(has).astype(np.int32)
        return at[np.argsort(self._all[at], kind="stable")]

    @cached_property
    def bars(self) -> np.ndarray:
        """(BARS,) how many pairs have a score in each hundredth, of which the lower end counts to it and the last holds 1, too."""
        hundredth = np.rint(self._all[self.order].astype(np.float64) * FINE).astype(np.int64) // (FINE // BARS)
        return np.bincount(np.clip(hundredth, 0, BARS - 1), minlength=BARS)

    def above(self, threshold: float) -> int:
        """How many pairs a threshold rejects: at or above it."""
        return len(self.order) - self._border(threshold)

    def beside(self, threshold: float, n: int) -> tuple[list[int], list[int]]:
        """Positions of up to n pairs just below a threshold and of up to n at it or just above, each the nearest first."""
        border = self._border(threshold)
        below, above = self.order[max(0, border - n) : border][::-1], self.order[border : border + n]
        return below.tolist(), above.tolist()

    def reviewed(self, reviews: pd.DataFrame) -> Reviewed:
        """What people said for this reason. reviews: as reviews.reviews_of gives them; pairs without this score are passed over."""
        mine = reviews[reviews["reason"] == self.reason]
        at, drop = self.table.positions(mine["pair_id"].tolist()), mine["drop"].to_numpy(np.float64)
        there = at != NOBODY
        there[there] &= np.isin(at[there], self.order)
        return Reviewed(at[there], drop[there])

    def worth(self, threshold: float, reviewed: Reviewed) -> Worth | None:
        """How precise a threshold is by the reviews so far; None where there is none."""
        if not len(reviewed):
            return None
        if self._curve is None or self._curve[0] is not reviewed:
            self._curve = reviewed, fit(self._all[reviewed.at], reviewed.drop)
        above = self.order[self._border(threshold) :]  # what lies below says nothing of it but through the curve
        return worth(self._curve[1], self._all[above], self._seen(reviewed)[above], float(np.float32(threshold)))

    def calibrated(self, reviewed: Reviewed, before: float | None, wanted: float) -> Calibration:
        """The lowest threshold with the wanted precision. Raises ReviewError, which says what is lacking."""
        scores = pd.Series(np.round(self._all[self.order].astype(np.float64), 4), index=self.order)
        reviews = pd.DataFrame({"pair_id": reviewed.at, "drop": reviewed.drop})
        return calibrate(self.reason, scores, reviews, before, wanted, lambda n: f"Queue, Reason: {self.reason}")

    def _border(self, threshold: float) -> int:
        """How many pairs lie below a threshold."""
        return int(np.searchsorted(self._sorted, np.float32(threshold), "left"))

    @cached_property
    def _sorted(self) -> np.ndarray:
        return self._all[self.order]

    def _seen(self, reviewed: Reviewed) -> np.ndarray:
        """(N,) shares of drops, NaN where nobody judged."""
        seen = np.full(len(self._all), np.nan)
        seen[reviewed.at] = reviewed.drop
        return seen


@lru_cache(1)
def scores_of(table: Table) -> dict[str, Score]:
    """The scores of a table that have a threshold, in the order of the rules; the same for all who look at it."""
    return {r: Score(table, r) for r in REASONS if r in SCORED and r in table.scores}
