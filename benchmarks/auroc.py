"""AUROC with its bootstrap interval. Enters: the scores of two classes. Leaves: three numbers."""

from __future__ import annotations

import numpy as np

RESAMPLES = 1000


def auroc(positive: np.ndarray, negative: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Area under the ROC curve and its 95 % interval.

    positive, negative: scores of each class, any shape; NaN is not allowed. The area is the share of couples (one of each
    class) that the score puts in the right order, an equal couple counting half [Mann & Whitney 1947, Ann. Math. Stat.
    18(1)]. The interval is the percentile bootstrap of RESAMPLES draws, each class drawn with replacement from itself.
    Raises ValueError for an empty class or NaN.
    """
    positive, negative = (np.asarray(side, np.float64).ravel() for side in (positive, negative))
    if not positive.size or not negative.size:
        raise ValueError(f"AUROC needs both classes; there are {positive.size} positives and {negative.size} negatives")
    if np.isnan(positive).any() or np.isnan(negative).any():
        raise ValueError("a score is NaN; leave such pairs out before asking for AUROC")
    values, level = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    level = level.ravel()
    sides = level[: positive.size], level[positive.size :]
    rng = np.random.default_rng(seed)
    drawn = [
        _area(*(side[rng.integers(0, side.size, side.size)] for side in sides), values.size) for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return _area(*sides, values.size), float(low), float(high)


def _area(positive: np.ndarray, negative: np.ndarray, levels: int) -> float:
    """Ranks of the scores, 0 to levels - 1 -> area. Each positive beats the negatives below it and half of its equals."""
    lost = np.bincount(negative, minlength=levels)
    beaten = np.cumsum(lost) - lost / 2
    return float(beaten[positive].sum() / (positive.size * negative.size))
