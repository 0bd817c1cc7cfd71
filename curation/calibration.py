"""Calibration: from a few verdicts of a person to the threshold that has the precision this person wants.

Enters: one score over a whole data set, and the share of reviewers who would drop each reviewed pair. Leaves: the probability of a drop as a
monotone function of the score (calibration.csv), the lowest threshold with the wanted precision, and what it is worth.

The curve is the psychometric function [Wichmann & Hill 2001, Perception & Psychophysics 63, eq. 1] on the logit of the score,

    p(s) = floor + (top - floor) / (1 + exp(-slope (logit s - middle))),

whose floor and top leave room for wrong clicks and honest false alarms. Its four parameters are not fitted but averaged: every point
of a grid counts by its likelihood [Kontsevich & Tyler 1999, Vision Research 39], so 40 clicks, all on one side of a gap even, give
a curve with its uncertainty. Given the score, which pairs were picked for review tells nothing more, so a mean of p over the pairs
*of the set* is right however the sample was stratified. In simulations (benchmarks/calibrate.py --compare) its intervals held where
those of isotonic regression were too narrow; a plain logistic curve met the wanted precision as well, but it promises 1 at the top
whatever the detector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from curation.place import Place
from curation.review_sample import ENOUGH
from curation.reviews import ReviewError
from curation.thresholds import write_thresholds

FEWEST = 20  # reviewed pairs: below that an interval spans nearly everything
FEWEST_ABOVE = 5  # reviewed pairs at or above a threshold, so that one verdict does not make a precision
DRAWS = 1000  # curves that stand for what is not known
LIMIT = 7.6  # logits; scores beyond 0.0005 and 0.9995 are not told apart
NODES = np.linspace(-LIMIT, LIMIT, 201)
MIDDLES = np.linspace(-LIMIT - 2, LIMIT + 2, 61)
SLOPES = np.geomspace(0.35, 6, 9)
TOPS = (0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.99, 0.995)
FLOORS = (0.005, 0.03, 0.1)
STEPS = np.round(np.linspace(0, 1, 101), 2)  # scores at which calibration.csv gives the curve
CSV_COLUMNS = ["reason", "score", "probability", "low", "high", "pairs_at_or_above", "reviewed_at_or_above"]


@dataclass(frozen=True)
class Curve:
    """Probability of a drop. mean: (201,) at NODES, never falling; draws: (DRAWS, 201), curves as likely as they are many."""

    mean: np.ndarray
    draws: np.ndarray

    def at(self, scores: np.ndarray) -> np.ndarray:
        """(n,) scores in [0, 1] -> (n,) probabilities."""
        return self.mean[_node(scores)]

    def interval(self, scores: np.ndarray) -> np.ndarray:
        """(n,) scores -> (2, n): the bounds of the middle 95 %."""
        return np.quantile(self.draws, [0.025, 0.975], axis=0)[:, _node(scores)]


@dataclass(frozen=True)
class Worth:
    """What a threshold is worth. rejects: pairs at or above it; reviewed: how many of them a person saw; precision: the share of them
    that people drop or would drop, and the bounds of its middle 95 %. NaN where it rejects none."""

    threshold: float
    rejects: int
    reviewed: int
    precision: float
    low: float
    high: float

    def doubt(self) -> str:
        """In words how far the precision may be off."""
        return "all seen" if 0 < self.rejects == self.reviewed else f"95 %: {self.low:.2f}-{self.high:.2f}"


@dataclass(frozen=True)
class Calibration:
    """before: None where the rule was switched off. dropped: reviewed pairs that at least half of their reviewers drop."""

    reason: str
    reviews: int
    dropped: int
    before: Worth | None
    after: Worth
    steps: pd.DataFrame


def fit(scores: np.ndarray, drop: np.ndarray) -> Curve:
    """(n,) scores in [0, 1] of reviewed pairs and (n,) shares of reviewers who drop them, in [0, 1] -> the curve."""
    drops, keeps = (np.bincount(_node(scores), weights=w, minlength=len(NODES)) for w in (drop, 1 - drop))
    grid, log_drop, log_keep = _grid()
    log_likelihood = log_drop @ drops + log_keep @ keeps
    weight = np.exp(log_likelihood - log_likelihood.max())
    weight /= weight.sum()
    heard = (np.arange(DRAWS) + 0.5) / DRAWS  # evenly through the weights: no chance in it
    rows = np.minimum(np.searchsorted(np.cumsum(weight), heard), len(weight) - 1)
    return Curve(weight @ grid, grid[rows])


def calibrate(
    reason: str,
    scores: pd.Series,
    reviews: pd.DataFrame,
    before: float | None,
    wanted: float,
    more: Callable[[int], str],
) -> Calibration:
    """The lowest threshold whose precision over the whole data set is `wanted`.

    Args:
        scores: (N,) in [0, 1], indexed by pair id; every pair of the set that has this score.
        reviews: columns pair_id and drop (see reviews.py), of this reason; those without a score are passed over.
        before: the threshold in force; None = switched off.
        more: the sentence that says how to get so many more pairs to review, for the messages.

    Raises ReviewError: too few reviews, all alike, or no threshold is as precise as wanted.
    """
    verdicts = reviews.set_index("pair_id")["drop"]
    verdicts = verdicts[verdicts.index.isin(scores.index)]
    n, total = len(verdicts), float(verdicts.sum())
    get = more(max(ENOUGH - n, FEWEST))
    if n < FEWEST:
        raise ReviewError(f"{reason}: {n} reviewed pairs are too few, {FEWEST} are the least and {ENOUGH} serve. {get}")
    if total in (0, n):
        said, where = ("keep", "higher") if total == 0 else ("drop", "lower")
        raise ReviewError(
            f"{reason}: all {n} reviewed pairs have the verdict {said}, so nothing tells where it changes. "
            f"Review more pairs, with {where} scores if there are any. {get}"
        )
    curve = fit(scores[verdicts.index].to_numpy(), verdicts.to_numpy())
    ranked = scores.sort_values(ascending=False, kind="stable")
    values = ranked.to_numpy()
    seen = verdicts.reindex(ranked.index).to_numpy()
    expected = np.where(np.isnan(seen), curve.at(values), seen)
    precision = np.cumsum(expected) / np.arange(1, len(values) + 1)
    last = np.append(values[1:] != values[:-1], True)  # equal scores go together
    candidate = last & (np.cumsum(~np.isnan(seen)) >= FEWEST_ABOVE)
    enough = np.flatnonzero(candidate & (precision >= wanted - 1e-9))
    if not len(enough):
        best = max(np.flatnonzero(candidate), key=lambda i: (precision[i], i))
        w = worth(curve, values, seen, float(values[best]))
        raise ReviewError(
            f"{reason}: no threshold is as precise as {wanted:g}; the best is {w.precision:.2f} (95 %: {w.low:.2f}-{w.high:.2f}) at "
            f"{w.threshold:g}, which rejects {w.rejects:,} pairs. Ask for a lower precision, or review more pairs. {get}"
        )
    lowest = enough[-1]
    below = float(values[lowest + 1]) if lowest + 1 < len(values) else 0.0
    threshold = _short(below, float(values[lowest]))
    return Calibration(
        reason,
        n,
        int((verdicts >= 0.5).sum()),
        None if before is None else worth(curve, values, seen, before),
        worth(curve, values, seen, threshold),
        _steps(reason, curve, values, seen),
    )


def worth(curve: Curve, values: np.ndarray, seen: np.ndarray, threshold: float) -> Worth:
    """What a threshold is worth by the reviews so far. values: (N,) all scores; seen: (N,) shares of drops, NaN where not reviewed. What was
    seen is known; the rest follows the curve."""
    above = values >= threshold
    rejects, known = int(above.sum()), above & ~np.isnan(seen)
    if not rejects:
        return Worth(threshold, 0, 0, np.nan, np.nan, np.nan)
    unseen = np.bincount(_node(values[above & ~known]), minlength=len(NODES))
    sure = seen[known].sum()
    mean = curve.draws @ unseen
    spread = np.sqrt((curve.draws * (1 - curve.draws)) @ unseen)  # of a sum of independent verdicts
    drawn = (sure + mean + spread * np.random.default_rng(0).standard_normal(DRAWS)) / rejects
    low, high = np.quantile(np.clip(drawn, sure / rejects, (sure + unseen.sum()) / rejects), [0.025, 0.975])
    middle = (sure + curve.mean @ unseen) / rejects
    return Worth(threshold, rejects, int(known.sum()), *(round(float(v), 4) for v in (middle, low, high)))


def update_thresholds(file: Place, found: Mapping[str, Calibration]) -> None:
    """Write the new thresholds into a TOML file for --thresholds; its other lines stay as they are. Raises RuleError."""
    write_thresholds(
        file, {reason: c.after.threshold for reason, c in found.items()}, {r: note(c) for r, c in found.items()}
    )


def note(c: Calibration) -> str:
    """In a few words what the new threshold rests on."""
    return f"{c.reviews} reviews: precision {c.after.precision:.2f} ({c.after.doubt()})"


def print_calibrations(found: list[Calibration], wanted: float) -> None:
    """The table of thresholds before and after."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    says = "rejects: pairs at or above the threshold; seen: how many of them were reviewed"
    table = Table(
        title=f"Thresholds for a precision of {wanted:g}", caption=says, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.title_justify = table.caption_justify = "left"
    for column in ("reason", "", "threshold", "precision", "95 %", "rejects", "seen"):
        table.add_column(column, justify="left" if column in ("reason", "") else "right", no_wrap=True)
    for c in found:
        table.add_row(c.reason, "before", *(_cells(c.before) if c.before else ["off", "-", "-", "0", "0"]))
        table.add_row(f"  {c.reviews} reviews, {c.dropped} drop", "after", *_cells(c.after), end_section=True)
    Console().print(table)


def _cells(w: Worth) -> list[str]:
    if not w.rejects:
        return [f"{w.threshold:g}", "-", "-", "0", "0"]
    return [
        f"{w.threshold:g}",
        f"{w.precision:.2f}",
        w.doubt().removeprefix("95 %: "),
        f"{w.rejects:,}",
        f"{w.reviewed:,}",
    ]


@cache
def _grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(13176, 201) each: every curve of the grid at NODES, in (0, 1), the logarithm of it and of what it lacks to 1."""
    middle, slope, top, floor = (a.reshape(-1, 1) for a in np.meshgrid(MIDDLES, SLOPES, TOPS, FLOORS, indexing="ij"))
    curves = floor + (top - floor) / (1 + np.exp(-slope * (NODES - middle)))
    return curves, np.log(curves), np.log1p(-curves)


def _node(scores: np.ndarray) -> np.ndarray:
    """(n,) scores -> (n,) the nearest of NODES."""
    inside = np.clip(np.asarray(scores, np.float64), 1e-9, 1 - 1e-9)
    place = (np.log(inside / (1 - inside)) + LIMIT) / (2 * LIMIT) * (len(NODES) - 1)
    return np.clip(np.round(place), 0, len(NODES) - 1).astype(np.int64)


def _short(below: float, at: float) -> float:
    """The shortest decimal in (below, at], near the middle; scores have 4 decimals, so there is one."""
    for digits in (2, 3, 4):
        value = round((below + at) / 2, digits)
        if below < value <= at:
            return value
    return at


def _steps(reason: str, curve: Curve, values: np.ndarray, seen: np.ndarray) -> pd.DataFrame:
    low, high = curve.interval(STEPS)
    reviewed = np.sort(values[~np.isnan(seen)])
    above = [len(v) - np.searchsorted(v, STEPS, "left") for v in (np.sort(values), reviewed)]
    columns = [reason, STEPS, *(np.round(v, 4) for v in (curve.at(STEPS), low, high)), *above]
    return pd.DataFrame(dict(zip(CSV_COLUMNS, columns, strict=True)))
