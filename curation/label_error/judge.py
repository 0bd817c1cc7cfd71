"""A judge of cells that never saw the pair it judges: per fold, a closed-form classifier fitted on all other folds.

Random rectified features and ridge regression on the class shares [Rahimi & Recht 2008, "Weighted sums of random kitchen sinks"]:
fitting is two sums and one linear system, so it has no schedule, no seed luck, and is the same on every machine up to
rounding. The sums are kept per fold: fold k is judged by the sums of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.label_error.features import FEATURES, GRID
from curation.workspace import atomic

FOLDS = 4
HIDDEN = 512
RIDGE = 3e-4  # of the mean eigenvalue
VERSION = 1


def fold_of(pair_id: str) -> int:
    """The fold of a pair, from its id alone."""
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=4, person=b"fold").digest(), "big") % FOLDS


@dataclass
class Judge:
    """mean, scale (FEATURES,), weights (FOLDS, 1 + FEATURES + HIDDEN, n_classes), all float64."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    @property
    def n_classes(self) -> int:
        return self.weights.shape[2]

    def evidence(self, features: np.ndarray, fold: int) -> np.ndarray:
        """(24, 32, FEATURES) -> (24, 32, n_classes) float32 class evidence, about the expected share, by the model of a fold."""
        return (
            (_lift(features.reshape(-1, FEATURES), self.mean, self.scale) @ self.weights[fold])
            .reshape(*GRID, -1)
            .astype(np.float32)
        )

    def save(self, path: Path) -> None:
        """Write as .npz (plain arrays, nothing that runs when it is read)."""
        with atomic(path) as temporary, open(temporary, "wb") as f:
            np.savez(f, mean=self.mean, scale=self.scale, weights=self.weights)

    @staticmethod
    def load(path: Path) -> Judge:
        with np.load(path, allow_pickle=False) as saved:
            return Judge(saved["mean"], saved["scale"], saved["weights"])


def fit(samples: list[tuple[int, np.ndarray, np.ndarray]], tick: Callable[[int], None] = lambda samples: None) -> Judge:
    """Fit one model per fold. `samples`: for each pair its fold, features (n, FEATURES), class shares (n, n_classes).

    `tick(samples)` is told how many more samples are done.
    """
    mean, scale = _spread([features for _, features, _ in samples])
    width, n_classes = 1 + FEATURES + HIDDEN, samples[0][2].shape[1]
    square = np.zeros((FOLDS, width, width))
    cross = np.zeros((FOLDS, width, n_classes))
    for fold in range(FOLDS):
        mine = [(x, y) for f, x, y in samples if f == fold]
        for at in range(0, len(mine), 64):
            x = _lift(np.concatenate([x for x, _ in mine[at : at + 64]]), mean, scale)
            y = np.concatenate([y for _, y in mine[at : at + 64]])
            square[fold] += x.T @ x
            cross[fold] += x.T @ y
            tick(len(mine[at : at + 64]))
    weights = np.zeros((FOLDS, width, n_classes))
    for fold in range(FOLDS):
        others = [other for other in range(FOLDS) if other != fold]
        system = square[others].sum(0)
        system[np.diag_indices(width)] += RIDGE * np.trace(system) / width
        weights[fold] = np.linalg.solve(system, cross[others].sum(0))
    return Judge(mean, scale, weights)


def _spread(pieces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column over all pieces, one piece at a time."""
    n = sum(len(piece) for piece in pieces)
    mean = sum(piece.sum(0, dtype=np.float64) for piece in pieces) / n
    variance = sum(((piece - mean) ** 2).sum(0) for piece in pieces) / n
    return mean, np.sqrt(variance) + 1e-6


def _lift(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(n, FEATURES) -> (n, 1 + FEATURES + HIDDEN) float64: a constant, the standardised features, random rectified mixtures."""
    standard = np.clip((features - mean) / scale, -5, 5)
    return np.concatenate([np.ones((len(standard), 1)), standard, np.maximum(standard @ _MIX + _SHIFT, 0)], axis=1)


_rng = np.random.default_rng(20220625)
_MIX = _rng.standard_normal((FEATURES, HIDDEN)) * (1.5 / np.sqrt(FEATURES))
_SHIFT = _rng.uniform(-1.5, 1.5, HIDDEN)
