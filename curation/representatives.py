"""Layouts that stand for others: for each of many layouts, one of the representatives that is similar enough, if there is one.

A bucketed join. Class shares of the whole picture differ by no more than the layouts do, so layouts are put into buckets round pivots in
the space of class shares, and buckets that are too far apart need not be compared; nothing is lost by that. Within what is left, sketches
(sketch.py) say which couples can be similar enough; those are compared slot by slot. Memory: the sketches and class shares of all layouts
(0.3 kB each and what their classes take), and one block of couples; never N x N. The layouts themselves may lie in a memory-mapped file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from curation.layout import SHAPE, SLOTS, mirrored
from curation.sketch import REGIONS, WIDTH, in_mirror, pooled, sketches

EXACT = 20_000  # layouts, up to which the sketches leave so much room that none is missed
ROOM, ROOM_EXACT = 1.5, 2.4  # by which a squared distance of sketches may be above what is expected
MOST_PIVOTS = 400
PIVOT_RADIUS = 0.12  # of the picture: pivots are at least so far apart
BLOCK = 1024  # layouts that are looked up at once
COUNTED = 4_000_000  # counts at once while sketching


class Representatives:
    """The layouts of a set, and which of them stand for others so far.

    layouts: (m, SLOTS) uint8, may be memory-mapped. rows: (n,) those of them that are meant; layout i of the n is layouts[rows[i]].
    Ties are decided by the lower i.
    """

    def __init__(
        self,
        layouts: np.ndarray,
        rows: np.ndarray,
        tau: float,
        mirror: bool,
        tick: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.layouts, self.rows, self.mirror = layouts, rows, mirror
        self.most_apart = int(np.floor((1 - tau) * SLOTS + 1e-9))  # slots
        room = ROOM_EXACT if len(rows) <= EXACT else ROOM
        self.limit = np.float32(room * 2 * self.most_apart * WIDTH)
        classes = _classes_of(layouts)
        n, k = len(rows), len(classes)
        self.sketch, self.mirrored_sketch = (
            np.empty((n, WIDTH), np.int16),
            np.empty((n if mirror else 0, WIDTH), np.int16),
        )
        self.shares = np.empty((n, k), np.int16)

        def describe(some: slice) -> int:
            counts = pooled(layouts[rows[some]], classes)
            self.sketch[some] = sketches(counts, classes)
            if mirror:
                self.mirrored_sketch[some] = sketches(in_mirror(counts), classes)
            self.shares[some] = counts.sum(1, dtype=np.int16)
            return len(counts)

        for done in _in_threads(describe, _blocks(n, max(1, COUNTED // (k * REGIONS[0] * REGIONS[1])))):
            tick(done)
        self._make_buckets()

    def nearest(self, asked: np.ndarray, among: np.ndarray, rank: np.ndarray | None = None) -> np.ndarray:
        """For each layout asked, the one among others that is similar enough and whose sketch is nearest, or -1.

        Args:
            asked, among: (q,), (r,) indices.
            rank: (n,); only layouts of lower rank than the one asked count. Left out: all do.
        """
        found = np.full(len(asked), -1, np.int64)
        bucket, others = self.bucket[asked], self.bucket[among]
        by_bucket = np.argsort(others, kind="stable")
        others, among = others[by_bucket], among[by_bucket]
        jobs = []
        for one in np.unique(bucket):
            mine = np.flatnonzero(bucket == one)
            near = among[self.near[one][others]]
            if len(near):
                jobs += [(mine[rows], near) for rows in _blocks(len(mine), BLOCK)]

        def look_up(job: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            return job[0], self._nearest(asked[job[0]], job[1], rank)

        for rows, nearest in _in_threads(look_up, jobs):
            found[rows] = nearest
        return found

    def similar(self, first: np.ndarray, second: np.ndarray, enough: int = SLOTS) -> np.ndarray:
        """(p,) slots on which layouts agree, the second in a mirror where that is better and not `enough` agree already."""
        a, b = self.layouts[self.rows[first]], self.layouts[self.rows[second]]
        same = np.count_nonzero(a == b, axis=1)
        if self.mirror:
            few = np.flatnonzero(same < enough)
            flipped = mirrored(b[few].reshape(-1, *SHAPE)).reshape(len(few), SLOTS)
            same[few] = np.maximum(same[few], np.count_nonzero(a[few] == flipped, axis=1))
        return same

    def crowd(self, sample: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(n,) for each layout, the weight of those of a sample whose sketches are near: how crowded it is around it."""
        crowd = np.empty(len(self.rows), np.int64)
        near = self.limit / np.float32(ROOM * 1.5)
        weight = weight.astype(np.float32)

        def count(rows: slice) -> int:
            distance = self._distances(np.arange(rows.start, rows.stop), sample)
            crowd[rows] = (distance <= near) @ weight
            return 0

        list(_in_threads(count, list(_blocks(len(crowd), BLOCK))))
        return crowd

    def candidates(self, asked: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The couples that may be similar enough: positions in `asked`, positions in `among`, squared distances of sketches."""
        distance = self._distances(asked, among)
        distance[~self.near[self.bucket[asked]][:, self.bucket[among]]] = np.inf
        i, j = np.nonzero(distance <= self.limit)
        may = np.abs(self.shares[asked[i]] - self.shares[among[j]]).sum(1) <= 2 * self.most_apart
        i, j = i[may], j[may]
        return i, j, distance[i, j]

    def _nearest(self, asked: np.ndarray, among: np.ndarray, rank: np.ndarray | None) -> np.ndarray:
        i, j, distance = self.candidates(asked, among)
        b = among[j]
        if rank is not None:
            before = rank[b] < rank[asked[i]]
            i, b, distance = i[before], b[before], distance[before]
        by_distance = np.lexsort((b, distance, i))
        i, b = i[by_distance], b[by_distance]
        turn = np.arange(len(i)) - np.searchsorted(i, i)  # 0 for the nearest of each
        found = np.full(len(asked), -1, np.int64)
        start, width = 0, 1
        while len(i):
            now = turn < start + width
            enough = SLOTS - self.most_apart
            same = self.similar(asked[i[now]], b[now], enough) >= enough
            hits, first = np.unique(i[now][same], return_index=True)
            found[hits] = b[now][same][first]
            left = ~now & (found[i] < 0)
            i, b, turn = i[left], b[left], turn[left]
            start, width = start + width, min(2 * width, 64)
        return found

    def _distances(self, asked: np.ndarray, among: np.ndarray) -> np.ndarray:
        """(q, r) float32 squared distances of sketches, of the nearer mirror image; whole numbers."""
        others = self.sketch[among].astype(np.float32)
        length = np.einsum("ij,ij->i", others, others)

        def to(sketch: np.ndarray) -> np.ndarray:
            mine = sketch[asked].astype(np.float32)
            distance = mine @ others.T
            distance *= -2
            distance += length
            distance += np.einsum("ij,ij->i", mine, mine)[:, None]
            return distance

        distance = to(self.sketch)
        return np.minimum(distance, to(self.mirrored_sketch), out=distance) if self.mirror else distance

    def _make_buckets(self) -> None:
        """bucket: (n,) the nearest pivot; near: (p, p) bool, whether two buckets can hold similar layouts."""
        n = len(self.rows)
        pivots = [0]
        most = int(min(MOST_PIVOTS, np.sqrt(n)))
        apart = _l1(self.shares, self.shares[pivots[0]])
        while len(pivots) < most and apart.max() > 2 * PIVOT_RADIUS * SLOTS:
            far = int(apart.argmax())  # farthest first, so the radii are small
            pivots.append(far)
            apart = np.minimum(apart, _l1(self.shares, self.shares[far]))
        self.bucket = np.zeros(n, np.int32)
        nearest = np.full(n, np.iinfo(np.int32).max)
        for at, pivot in enumerate(pivots):
            distance = _l1(self.shares, self.shares[pivot])
            closer = distance < nearest
            nearest[closer], self.bucket[closer] = distance[closer], at
        radius = np.zeros(len(pivots), np.int64)
        np.maximum.at(radius, self.bucket, nearest)
        between = np.stack([_l1(self.shares[pivots], self.shares[pivot]) for pivot in pivots])
        self.near = between <= radius[:, None] + radius + 2 * self.most_apart


def _l1(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    return np.abs(points - point).sum(1, dtype=np.int32)


def _classes_of(layouts: np.ndarray) -> np.ndarray:
    present = np.zeros(256, bool)
    for rows in _blocks(len(layouts), 16 * BLOCK):
        present |= np.bincount(layouts[rows].ravel(), minlength=256) > 0
    return np.flatnonzero(present)


def _blocks(n: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, n)) for at in range(0, n, size))


def _in_threads(function: Callable, jobs) -> Iterator:
    """Results in the order of the jobs; NumPy leaves the interpreter to others while it works."""
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(function, list(jobs))
