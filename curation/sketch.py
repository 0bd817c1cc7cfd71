"""Sketches of layouts: short vectors whose distance tells, nearly, how many slots of two layouts differ.

A layout is pooled to how many slots of each class lie in each of 6x8 regions. Moving a border within a region changes those counts by what
moved, so their L1 distance is at most twice the number of differing slots. Written in unary (one bit per slot counted), an
L1 distance is a squared Euclidean one, and a random projection with signs keeps squared distances [Achlioptas 2003, "Database-friendly
random projections", J. Comput. Syst. Sci. 66(4)]. Everything is a whole number below 2^24, so float32 products are exact and the same on any machine.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from curation.layout import GRID, SHAPE, SLOTS

REGIONS = (6, 8)  # rows, columns
IN_REGION = SLOTS // (REGIONS[0] * REGIONS[1])  # slots of a region
WIDTH = 64  # numbers of a sketch
CELLS = REGIONS[0] * REGIONS[1]
AT_ONCE = 64  # layouts: what is worked on stays in the processor's cache, which makes it three times as fast
_REGION = np.repeat(
    np.kron(np.arange(CELLS).reshape(REGIONS), np.ones((GRID[0] // REGIONS[0], GRID[1] // REGIONS[1]), np.intp)),
    SHAPE[2],
)  # of each slot


def pooled(layouts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n, SLOTS) uint8 -> (n, 48, k) uint8 slots in each region of each of the (k,) `classes`, ascending, which are all there are."""
    n, k = len(layouts), len(classes)
    code = np.zeros(256, np.intp)
    code[classes] = np.arange(k)
    counts = np.empty((n, CELLS, k), np.uint8)
    for start in range(0, n, AT_ONCE):
        keys = code[layouts[start : start + AT_ONCE]]
        keys += _REGION * k
        keys += (np.arange(len(keys)) * (CELLS * k))[:, None]
        counts[start : start + AT_ONCE] = np.bincount(keys.ravel(), minlength=len(keys) * CELLS * k).reshape(
            -1, CELLS, k
        )
    return counts


def sketches(counts: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 48, k) of `pooled` -> (n, WIDTH) int16 twice: of the layouts, and of the layouts seen in a mirror.

    Squared distances are about WIDTH times the L1 distance of the counts.
    """
    n, k = len(counts), len(classes)
    steps = _steps(tuple(classes.tolist())).reshape(-1, WIDTH)
    region, class_ = np.divmod(np.arange(CELLS * k), k)
    row, column = np.divmod(region, REGIONS[1])
    first = (region * k + class_) * (IN_REGION + 1)
    first_mirrored = ((row * REGIONS[1] + REGIONS[1] - 1 - column) * k + class_) * (IN_REGION + 1)
    as_is, in_mirror = np.empty((2, n, WIDTH), np.int16)
    for start in range(0, n, AT_ONCE):
        some = counts[start : start + AT_ONCE].reshape(-1, CELLS * k)
        at = np.flatnonzero(some)
        which, place = np.divmod(at, CELLS * k)
        count, starts = some.ravel()[at], np.searchsorted(which, np.arange(len(some)))
        for out, base in ((as_is, first), (in_mirror, first_mirrored)):
            rows = steps.take(base[place] + count, axis=0)
            out[start : start + AT_ONCE] = np.add.reduceat(rows, starts, axis=0, dtype=np.int16)
    return as_is, in_mirror


@cache
def _steps(classes: tuple[int, ...]) -> np.ndarray:
    """(48, k, IN_REGION + 1, WIDTH) int16: for a class in a region, the sum of the signs of its first slots."""
    return np.stack([_steps_of(index) for index in classes], axis=1)


def _steps_of(index: int) -> np.ndarray:
    """The same of one class; its signs depend on its index alone."""
    rng = np.random.default_rng([20220625, index])
    bits = np.unpackbits(np.frombuffer(rng.bytes(CELLS * IN_REGION * WIDTH // 8), np.uint8))
    signs = (2 * bits.astype(np.int8) - 1).reshape(-1, IN_REGION, WIDTH)
    return np.concatenate(
        [np.zeros((len(signs), 1, WIDTH), np.int16), np.cumsum(signs, axis=1, dtype=np.int16)], axis=1
    )
