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
_REGION = np.repeat(
    np.kron(np.arange(REGIONS[0] * REGIONS[1]).reshape(REGIONS), np.ones((GRID[0] // REGIONS[0], GRID[1] // REGIONS[1]), np.int32)),
    SHAPE[2],
).astype(np.int32)  # fmt: skip


def pooled(layouts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n, SLOTS) uint8 -> (n, 48, k) uint8 slots in each region of each of the (k,) `classes`, ascending, which are all there are."""
    n, regions, k = len(layouts), REGIONS[0] * REGIONS[1], len(classes)
    code = np.zeros(256, np.int32)
    code[classes] = np.arange(k)
    keys = code[layouts]
    keys += _REGION * k
    keys += (np.arange(n, dtype=np.int32) * (regions * k))[:, None]
    return np.bincount(keys.ravel(), minlength=n * regions * k).astype(np.uint8).reshape(n, regions, k)


def sketches(counts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n, 48, k) of `pooled` -> (n, WIDTH) int16; squared distances are about WIDTH times the L1 distance of the counts."""
    which, region, class_ = np.nonzero(counts)
    rows = _steps(tuple(classes.tolist()))[class_, region, counts[which, region, class_]]
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    return np.add.reduceat(rows, starts, axis=0, dtype=np.int16)


def in_mirror(counts: np.ndarray) -> np.ndarray:
    """The counts of the same layouts seen in a mirror."""
    return counts.reshape(len(counts), *REGIONS, -1)[:, :, ::-1].reshape(counts.shape)


@cache
def _steps(classes: tuple[int, ...]) -> np.ndarray:
    """(k, 48, IN_REGION + 1, WIDTH) int16: for a class in a region, the sum of the signs of its first slots."""
    return np.stack([_steps_of(index) for index in classes])


def _steps_of(index: int) -> np.ndarray:
    """The same of one class; its signs depend on its index alone."""
    rng = np.random.default_rng([20220625, index])
    bits = np.unpackbits(np.frombuffer(rng.bytes(REGIONS[0] * REGIONS[1] * IN_REGION * WIDTH // 8), np.uint8))
    signs = (2 * bits.astype(np.int8) - 1).reshape(-1, IN_REGION, WIDTH)
    return np.concatenate(
        [np.zeros((len(signs), 1, WIDTH), np.int16), np.cumsum(signs, axis=1, dtype=np.int16)], axis=1
    )
