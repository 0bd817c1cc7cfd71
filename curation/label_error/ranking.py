"""From the measures of a label map to the probability that it is wrong, and in which way.

The set explains itself: for some pairs, label maps are made wrong on purpose (simulated.py) and measured like the given ones; a
classifier for each kind of error learns to tell it from the given ones. So what is honest noise in a set (ragged borders, classes that look
alike) is learned from that set. It is fitted per fold, so that no pair's own label map takes part in its verdict. It is
logistic regression on random rectified features of the measures' signed roots: smooth, with one optimum.

Some of the given maps are wrong themselves, and would teach it that wrong is right; those that a first round is SURE of are left out of a
second one. It learns from as many wrong as given maps. How many maps of the set are really wrong is estimated from what it says of them
[Saerens, Latinne & Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14(1)], so
0.5 means "as likely wrong as right in this set".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from curation.label_error.simulated import KINDS

FEWEST = 50  # pairs: below that there is nothing to learn from
HIDDEN = 96
PENALTY = 0.3  # inverse strength
MOST_WEIGHT = (
    500  # given maps that may weigh against it, and as many simulated ones: what few maps seem to say is believed less
)
LEAST_WRONG, MOST_WRONG = 0.02, 0.5  # share of wrong maps in a set
ROUNDS = 200
SURE = 2.0  # log odds of one kind: an eighth of the maps may be wrong in the same way and still stand out


@dataclass(frozen=True)
class Verdicts:
    """score (n,) in [0, 1]; kind (n,): the most likely of KINDS, should the map be wrong; wrong: share of the set that is."""

    score: np.ndarray
    kind: np.ndarray
    wrong: float


def rank(
    values: np.ndarray,
    fold: np.ndarray,
    simulated: np.ndarray,
    kind: np.ndarray,
    simulated_fold: np.ndarray,
    teaches: np.ndarray | None = None,
) -> Verdicts:
    """Judge every given map.

    Args:
        values: (n, m) measures of the given maps; fold (n,); teaches (n,) bool: those that may be learned from, left out: all.
        simulated: (k, m) measures of wrong maps; kind (k,) of KINDS; simulated_fold (k,) of the pair each was made from.
    """
    of_kind = np.zeros((len(values), len(KINDS)))
    with threadpool_limits(1):  # the systems are small: threads would only wait for one another
        for _ in range(2):
            trusted = of_kind.max(1) < SURE
            if teaches is not None:
                trusted &= teaches
            of_kind = _out_of_fold(values, fold, trusted, simulated, kind, simulated_fold)
    log_odds, kinds = np.logaddexp.reduce(of_kind, axis=1) - np.log(len(KINDS)), np.array(KINDS)[of_kind.argmax(1)]
    wrong = _share_of_wrong(log_odds)
    score = 1 / (1 + np.exp(-np.clip(log_odds + np.log(wrong / (1 - wrong)), -60, 60)))
    return Verdicts(np.round(score, 3), kinds, wrong)  # the fourth digit is not the same on every machine


def _out_of_fold(
    values: np.ndarray,
    fold: np.ndarray,
    trusted: np.ndarray,
    simulated: np.ndarray,
    kind: np.ndarray,
    simulated_fold: np.ndarray,
) -> np.ndarray:
    """What `_tell_apart` says of each map, from the trusted and simulated maps of the other folds."""
    of_kind = np.zeros((len(values), len(KINDS)))
    for each in np.unique(fold):
        mine, others, wrong = fold == each, (fold != each) & trusted, simulated_fold != each
        if others.any() and wrong.any():
            of_kind[mine] = _tell_apart(values[others], simulated[wrong], kind[wrong], values[mine])
    return of_kind


def _tell_apart(given: np.ndarray, simulated: np.ndarray, kind: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(n, kinds) log odds of being wrong in each way, each learned from as many wrong as given maps."""
    from sklearn.linear_model import (
        LogisticRegression,
    )  # half of a second, which a run with nothing to judge need not wait for

    lift = _lift(_rooted(given))
    right, asked = lift(given), lift(asked)
    log_odds = np.full((len(asked), len(KINDS)), -np.inf)
    for i, name in enumerate(KINDS):
        wrong = lift(simulated[kind == name])
        if len(wrong):
            is_wrong = np.repeat([False, True], [len(right), len(wrong)])
            weight = min(MOST_WEIGHT, len(right))
            weights = np.where(is_wrong, weight / len(wrong), weight / len(right))
            model = LogisticRegression(C=PENALTY, solver="newton-cholesky", max_iter=100, tol=1e-8)
            model.fit(np.concatenate([right, wrong]), is_wrong, sample_weight=weights)
            log_odds[:, i] = model.decision_function(asked)
    return log_odds


def _lift(rooted: np.ndarray):
    mean, scale = rooted.mean(0), rooted.std(0) + 1e-6
    rng = np.random.default_rng(20220625)
    mix = rng.standard_normal((rooted.shape[1], HIDDEN)) / np.sqrt(rooted.shape[1])
    shift = rng.uniform(-1, 1, HIDDEN)

    def lift(values: np.ndarray) -> np.ndarray:
        standard = np.clip((_rooted(values) - mean) / scale, -4, 4)
        return np.concatenate([standard, np.maximum(standard @ mix + shift, 0)], axis=1)

    return lift


def _rooted(values: np.ndarray) -> np.ndarray:
    """Signed square roots: most of the measures have long tails."""
    values = values.astype(np.float64)
    return np.sign(values) * np.sqrt(np.abs(values))


def _share_of_wrong(log_odds: np.ndarray) -> float:
    """The share of wrong maps that explains the odds best, by expectation and maximisation."""
    share, odds = 0.1, np.exp(np.clip(log_odds, -60, 60))
    for _ in range(ROUNDS):
        prior = share / (1 - share)
        share = float(np.clip((prior * odds / (1 + prior * odds)).mean(), LEAST_WRONG, MOST_WRONG))
    return share
