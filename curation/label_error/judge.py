"""A judge of cells that never saw the pair it judges: per fold, a closed-form classifier fitted on all other folds.

Random rectified features and ridge regression on the class shares [Rahimi & Recht 2008, "Weighted sums of random kitchen sinks"]:
fitting is two sums and one linear system, so it has no schedule and is the same on every machine up to
rounding; the features are drawn from a fixed seed. The sums are kept per fold: fold k is judged by the sums of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from curation.place import Place
from curation.workspace import atomic, read_arrays

FOLDS = 4
HIDDEN = 512
RIDGE = 3e-3  # of the mean eigenvalue
TEMPERATURES = (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
LOWEST = -7.0  # log p: nothing is less likely than one in a thousand
VERSION = 2

Sample = tuple[int, np.ndarray, np.ndarray]  # fold, features (n, width), class shares (n, n_classes)


def fold_of(pair_id: str) -> int:
    """The fold of a pair, from its id alone."""
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=4, person=b"fold").digest(), "big") % FOLDS


@dataclass
class Judge:
    """features: their name; mean, scale: (width,) float32; weights: (FOLDS, 1 + width + HIDDEN, n_classes) float32; temperature: of the softmax."""

    features: str
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    temperature: float

    @property
    def n_classes(self) -> int:
        return self.weights.shape[2]

    def log_p(self, features: np.ndarray, fold: int) -> np.ndarray:
        """(..., width) -> (..., n_classes) float32 log probability of each class, by the model that saw no pair of the fold."""
        return _log_softmax(self._evidence(features, fold), self.temperature)

    def _evidence(self, features: np.ndarray, fold: int) -> np.ndarray:
        lifted = _lift(features.reshape(-1, features.shape[-1]), self.mean, self.scale)
        return (lifted @ self.weights[fold]).reshape(*features.shape[:-1], self.n_classes)

    def save(self, path: Place) -> None:
        """Write as .npz (plain arrays, nothing that runs when it is read)."""
        with atomic(path) as temporary, open(temporary, "wb") as f:
            np.savez(f, **self.__dict__)

    @staticmethod
    def load(path: Place) -> Judge:
        with read_arrays(path) as saved:
            return Judge(
                str(saved["features"]), saved["mean"], saved["scale"], saved["weights"], float(saved["temperature"])
            )


def fit(
    features: str,
    samples: Iterable[Sample],
    some: Callable[[], Iterable[Sample]],
    tick: Callable[[int], None] = lambda samples: None,
) -> Judge:
    """Fit one model per fold.

    Args:
        features: the name of the features, to be kept.
        samples: all to learn from; they are not held in memory together.
        some: gives some of them, from the start each time it is called: enough for the mean and scale and the temperature.
        tick: told how many more samples are done.
    """
    mean, scale = _spread(x for _, x, _ in some())
    square: np.ndarray | None = None
    for fold, x, y in samples:
        if square is None:
            width = 1 + x.shape[1] + HIDDEN
            square, cross = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width, y.shape[1]))
        lifted = _lift(x, mean, scale)
        square[fold] += lifted.T @ lifted
        cross[fold] += lifted.T @ y
        tick(1)
    weights = np.zeros(cross.shape, np.float32)
    for fold in range(FOLDS):
        others = [other for other in range(FOLDS) if other != fold]
        system = square[others].sum(0)
        system[np.diag_indices(width)] += RIDGE * max(np.trace(system), 1) / width  # 1: where nothing is known
        weights[fold] = np.linalg.solve(system, cross[others].sum(0))
    judge = Judge(features, mean, scale, weights, 1.0)
    loss = np.zeros(len(TEMPERATURES))
    for fold, x, y in some():
        evidence = judge._evidence(x, fold)
        loss += [-(y * _log_softmax(evidence, t)).sum(dtype=np.float64) for t in TEMPERATURES]
    judge.temperature = TEMPERATURES[int(loss.argmin())]
    return judge


def _spread(pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column over all pieces, one piece at a time."""
    n, total, squares = 0, 0.0, 0.0
    for piece in pieces:
        n += len(piece)
        total = total + piece.sum(0, dtype=np.float64)
        squares = squares + np.square(piece, dtype=np.float64).sum(0)
    n = max(n, 1)  # cells, none where no label map knows anything
    mean = total / n
    return mean.astype(np.float32), np.sqrt(np.maximum(squares / n - mean**2, 0) + 1e-6).astype(np.float32)


def _lift(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(n, width) -> (n, 1 + width + HIDDEN) float32: a constant, the standardised features, random rectified mixtures."""
    standard = np.clip((features - mean) / scale, -5, 5)
    mix, shift = _mixture(standard.shape[1])
    return np.concatenate(
        [np.ones((len(standard), 1), np.float32), standard, np.maximum(standard @ mix + shift, 0)], axis=1
    )


@cache
def _mixture(width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20220625)
    mix = rng.standard_normal((width, HIDDEN)) * (1.5 / np.sqrt(width))
    return mix.astype(np.float32), rng.uniform(-1.5, 1.5, HIDDEN).astype(np.float32)


def _log_softmax(evidence: np.ndarray, temperature: float) -> np.ndarray:
    z = evidence * np.float32(temperature)
    z = z - z.max(-1, keepdims=True)
    return np.maximum(z - np.log(np.exp(z).sum(-1, keepdims=True)), np.float32(LOWEST))
