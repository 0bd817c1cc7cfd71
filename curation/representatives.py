"""Layouts that stand for others: for each of many layouts, one of the representatives that is similar enough, if there is one.

A bucketed join over a layout index: only buckets that are near each other are looked through, in jobs of bounded size (a large bucket is
many jobs), which an engine runs wherever it likes. Within a job, sketches say which couples can be similar enough; those are
compared slot by slot. Memory: one job's block of couples for each that runs at once; never N x N.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from curation.layout_index import (
    BLOCK,
    MOST_AMONG,
    Couples,
    Crowd,
    LayoutIndex,
    LookUp,
    Over,
    agreement,
    crowd,
    look_up,
)

COMPARED = 4096  # couples in one job


class Representatives:
    """A search over an index; layouts are its numbers 0..n-1. `over` runs the jobs."""

    def __init__(self, index: LayoutIndex, over: Over) -> None:
        self.index, self.over = index, over

    def nearest(self, asked: np.ndarray, among: np.ndarray, rank: np.ndarray | None = None) -> np.ndarray:
        """For each layout asked, the one among others that is similar enough and whose sketch is nearest (then the lowest), or -1.

        Args:
            asked, among: (q,), (r,) numbers.
            rank: (n,); only layouts of lower rank than the one asked count. Left out: all do.
        """
        places: deque[np.ndarray] = deque()

        def jobs() -> Iterator[LookUp]:
            for mine, near in self._near(asked, among):
                a, b = asked[mine].astype(np.int32), among[near].astype(np.int32)  # a job may travel: half the bytes
                places.append(mine)
                yield LookUp(self.index.key, a, b, *((None, None) if rank is None else (rank[a], rank[b])))

        if rank is not None:
            rank = rank.astype(np.int32)
        found, far = np.full(len(asked), -1, np.int64), np.full(len(asked), np.inf, np.float32)
        for one, distance in self.over(look_up, jobs()):
            mine = places.popleft()
            better = (distance < far[mine]) | ((distance == far[mine]) & (one < found[mine]))
            found[mine[better]], far[mine[better]] = one[better], distance[better]
        return found

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(p,) of couples, in [0, 1]."""
        jobs = (Couples(self.index.key, first[some], second[some]) for some in _blocks(len(first), COMPARED))
        return np.concatenate([np.zeros(0), *self.over(agreement, jobs)])

    def crowd(self, sample: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(n,) for each layout, the weight of those of a sample whose sketches are near: how crowded it is around it."""
        n = len(self.index.rows)
        jobs = (Crowd(self.index.key, b.start, b.stop, sample, weight) for b in _blocks(n, BLOCK))
        return np.concatenate([np.zeros(0, np.int64), *self.over(crowd, jobs)])

    def _near(self, asked: np.ndarray, among: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of positions in `asked`, each with positions in `among` of layouts whose buckets are near; none too large."""
        bucket, others = np.asarray(self.index.bucket)[asked], np.asarray(self.index.bucket)[among]
        order = np.argsort(bucket, kind="stable")
        borders = np.flatnonzero(np.diff(bucket[order], prepend=-1))
        for start, stop in zip(borders, [*borders[1:], len(order)], strict=True):
            near = np.flatnonzero(self.index.near_buckets[bucket[order[start]]][others])
            for rows in _blocks(stop - start, BLOCK):
                for some in _blocks(len(near), MOST_AMONG):
                    yield order[start:stop][rows], near[some]


def _blocks(n: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, n)) for at in range(0, n, size))
