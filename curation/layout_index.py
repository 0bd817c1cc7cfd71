"""An index of layouts in a scratch: small arrays about many layouts, by which any process can say which of them are similar.

Enters: a file of layouts and which of them are meant. Leaves, there: `about.json`, and one memory-mapped array a file, row i
about layout i: its sketch (sketch.py) as it is and in a mirror, its class shares, its bucket. Class shares of the whole picture differ
by no more than the layouts do, so layouts lie in buckets round pivots in the space of class shares, and buckets too far apart need not
be compared; nothing is lost by that.

The functions of one job (`describe`, `assign`, `look_up`, `crowd`, `agreement`) are pure: an engine may run them in a thread, in another
process or on another machine that finds the scratch, in any order and more than once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from curation.layout import SLOTS, mirrored_rows
from curation.near_classes import NearClasses
from curation.scratch import Scratch, here
from curation.sketch import CELLS, WIDTH, pooled, sketches
from curation.workspace import write_json

Over = Callable[[Callable, Iterable], Iterable]  # the results of function(job) for each job, in their order

EXACT = 20_000  # layouts, up to which the sketches leave so much room that none is missed
ROOM, ROOM_EXACT = 1.5, 2.4  # by which a squared distance of sketches may be above what is expected
MOST_PIVOTS = 1000
PIVOTS_AMONG = 20_000  # layouts of which pivots are chosen
PIVOT_EACH = 32  # layouts or more for each pivot
PIVOT_RADIUS = 0.12  # of the picture: pivots are at least twice as far apart
COUNTED = 4_000_000  # counts at once while sketching
ASSIGNED = 4096  # layouts at once whose pivot is looked for
BLOCK = 1024  # layouts that are looked up at once
MOST_AMONG = 16_384  # layouts that one job looks through: larger buckets are split


@dataclass(frozen=True)
class Rows:
    """Work on the layouts start:stop."""

    key: str
    start: int
    stop: int


@dataclass(frozen=True)
class LookUp:
    """For each layout asked, find among others the nearest that is similar enough; with ranks, of those of lower rank only."""

    key: str
    asked: np.ndarray
    among: np.ndarray
    asked_rank: np.ndarray | None = None
    among_rank: np.ndarray | None = None


@dataclass(frozen=True)
class Crowd:
    """How much weight of a sample is near each of the layouts start:stop."""

    key: str
    start: int
    stop: int
    sample: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Couples:
    """Layouts to compare slot by slot: the first with the first, and so on."""

    key: str
    first: np.ndarray
    second: np.ndarray


def _array(name: str) -> cached_property:
    return cached_property(lambda self: np.load(here(self.key, f"{name}.npy"), mmap_mode="r", allow_pickle=False))


class LayoutIndex:
    """The files of one scratch, opened when they are needed; layout i is row rows[i] of the file of layouts.

    most_apart: slots on which similar layouts differ at most. least: their agreement, in units of `near`. limit: how far
    apart (squared) their sketches are at most, `expected` without the room for chance.
    """

    rows = _array("rows")
    classes = _array("classes")
    sketch = _array("sketch")
    mirrored_sketch = _array("mirrored_sketch")
    shares = _array("shares")
    pivots = _array("pivots")
    bucket = _array("bucket")
    from_pivot = _array("from_pivot")
    near_buckets = _array("near_buckets")

    def __init__(self, key: str) -> None:
        self.key = key
        about = json.loads(here(key, "about.json").read_text(encoding="utf-8"))
        self.layouts = np.memmap(here(key, about["layouts"]), np.uint8, "r").reshape(-1, SLOTS)
        self.mirror: bool = about["mirror"]
        self.near = NearClasses.from_list(about["near"])
        self.most_apart = int(np.floor((1 - about["tau"]) * SLOTS + 1e-9))
        self.least = self.near.unit * SLOTS - int(np.floor((1 - about["tau"]) * SLOTS * self.near.unit + 1e-9))
        self.expected = np.float32(2 * self.most_apart * WIDTH)
        self.limit = np.float32(about["room"]) * self.expected

    def agreement(self, first: np.ndarray, second: np.ndarray, enough: int | None = None) -> np.ndarray:
        """(p,) agreement of couples in units of `near`, the second in a mirror where that is better and it is not `enough` already."""
        a, b = self.layouts[self.rows[first]], self.layouts[self.rows[second]]
        same = self.near.agreement(a, b)
        if self.mirror:
            few = np.arange(len(a)) if enough is None else np.flatnonzero(same < enough)
            same[few] = np.maximum(same[few], self.near.agreement(a[few], mirrored_rows(b[few])))
        return same

    def candidates(self, asked: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The couples that may be similar enough: positions in `asked`, positions in `among`, squared distances of sketches."""
        distance = self.distances(asked, among)
        i, j = np.nonzero(distance <= self.limit)
        may = np.abs(self.shares[asked[i]] - self.shares[among[j]]).sum(1) <= 2 * self.most_apart
        i, j = i[may], j[may]
        return i, j, distance[i, j]

    def distances(self, asked: np.ndarray, among: np.ndarray) -> np.ndarray:
        """(q, r) float32 squared distances of sketches, of the nearer mirror image; whole numbers, so the same on any machine."""
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


@lru_cache(maxsize=1)
def opened(key: str) -> LayoutIndex:
    """The index of a scratch; a process keeps the last one open."""
    return LayoutIndex(key)


def make(
    scratch: Scratch,
    layouts: str,
    rows: np.ndarray,
    tau: float,
    mirror: bool,
    near: NearClasses,
    over: Over,
    tick: Callable[[int], None] = lambda n: None,
) -> LayoutIndex:
    """Write the index of some layouts into a scratch and open it.

    Args:
        layouts: name of a file in the scratch, or its path, that holds (n, 36, 48, 2) uint8 and nothing else.
        rows: (m,) which of them, each once.
        tau: least similarity, in [0, 1].
        tick: told how many more layouts are described.
    """
    n, write = len(rows), _Writer(scratch, len(rows))
    room = ROOM_EXACT if n <= EXACT else ROOM
    about = {"layouts": layouts, "tau": tau, "mirror": mirror, "near": near.to_list(), "room": room}
    write_json(scratch.folder / "about.json", about)
    scratch.publish("about.json")
    write.array("rows", rows)
    present = np.zeros(256, bool)
    for some in over(classes_of, _blocks(scratch, n, BLOCK)):
        present |= some
    write.array("classes", np.flatnonzero(present))
    index = opened(scratch.key)
    at_once = max(1, COUNTED // (int(present.sum()) * CELLS))
    write.pieces(over, describe, _blocks(scratch, n, at_once), tick)
    write.array("pivots", _pivots(index.shares[:PIVOTS_AMONG], n))
    write.pieces(over, assign, _blocks(scratch, n, ASSIGNED))
    radius = np.zeros(len(index.pivots), np.int64)
    np.maximum.at(radius, index.bucket, index.from_pivot)
    between = np.stack([_l1(index.pivots, pivot) for pivot in index.pivots])
    write.array("near_buckets", between <= radius[:, None] + radius + 2 * index.most_apart)
    return index


class _Writer:
    """Arrays on their way into a scratch."""

    def __init__(self, scratch: Scratch, n: int) -> None:
        self.scratch, self.n = scratch, n

    def array(self, name: str, array: np.ndarray) -> None:
        np.save(self.scratch.folder / f"{name}.npy", array)
        self.scratch.publish(f"{name}.npy")

    def pieces(
        self, over: Over, function: Callable, jobs: list[Rows], tick: Callable[[int], None] = lambda n: None
    ) -> None:
        """The arrays whose pieces a function gives for blocks of rows."""
        made: dict[str, np.memmap] = {}
        for job, arrays in zip(jobs, over(function, jobs), strict=True):
            for name, some in arrays.items():
                if name not in made:
                    file, shape = self.scratch.folder / f"{name}.npy", (self.n, *some.shape[1:])
                    made[name] = np.lib.format.open_memmap(file, "w+", some.dtype, shape)
                made[name][job.start : job.stop] = some
            tick(job.stop - job.start)
        for name, array in made.items():
            array.flush()
            self.scratch.publish(f"{name}.npy")


def classes_of(job: Rows) -> np.ndarray:
    """(256,) bool: the classes there are, near ones as one."""
    index = opened(job.key)
    found = np.bincount(index.near.merged(index.layouts[index.rows[job.start : job.stop]]).ravel(), minlength=256)
    return found > 0


def describe(job: Rows) -> dict[str, np.ndarray]:
    """sketch, mirrored_sketch: (b, WIDTH) int16; shares: (b, k) int16 slots of each class."""
    index = opened(job.key)
    counts = pooled(index.near.merged(index.layouts[index.rows[job.start : job.stop]]), index.classes)
    sketch, mirrored = sketches(counts, index.classes)
    of = {"sketch": sketch, "shares": counts.sum(1, dtype=np.int16)}
    return of | ({"mirrored_sketch": mirrored} if index.mirror else {})


def assign(job: Rows) -> dict[str, np.ndarray]:
    """bucket: (b,) int32 the nearest pivot; from_pivot: (b,) int32 how far it is."""
    index = opened(job.key)
    shares = np.ascontiguousarray(index.shares[job.start : job.stop].T)  # class by class, so that sums run along rows
    bucket, nearest = np.zeros(shares.shape[1], np.int32), np.full(shares.shape[1], np.iinfo(np.int32).max, np.int32)
    for at, pivot in enumerate(np.asarray(index.pivots)):
        distance = np.abs(shares - pivot[:, None]).sum(0, dtype=np.int32)
        closer = distance < nearest
        nearest[closer], bucket[closer] = distance[closer], at
    return {"bucket": bucket, "from_pivot": nearest}


def look_up(job: LookUp) -> tuple[np.ndarray, np.ndarray]:
    """For each layout asked, the one among the others that is similar enough and whose sketch is nearest, or -1; and how far it is.

    Ties are decided by the lower number.
    """
    index = opened(job.key)
    i, j, distance = index.candidates(job.asked, job.among)
    if job.asked_rank is not None:
        before = job.among_rank[j] < job.asked_rank[i]
        i, j, distance = i[before], j[before], distance[before]
    found, far = np.full(len(job.asked), -1, np.int64), np.full(len(job.asked), np.inf, np.float32)
    b = job.among[j]
    by_distance = np.lexsort((b, distance, i))
    i, b, distance = i[by_distance], b[by_distance], distance[by_distance]
    turn = np.arange(len(i)) - np.searchsorted(i, i)  # 0 for the nearest of each
    start, width = 0, 1
    while len(i):  # the nearest first, and only where it is not similar enough the next ones
        now = turn < start + width
        same = index.agreement(job.asked[i[now]], b[now], index.least) >= index.least
        hits, first = np.unique(i[now][same], return_index=True)
        found[hits], far[hits] = b[now][same][first], distance[now][same][first]
        left = ~now & (found[i] < 0)
        i, b, distance, turn = i[left], b[left], distance[left], turn[left]
        start, width = start + width, min(2 * width, 64)
    return found, far


def crowd(job: Crowd) -> np.ndarray:
    """(b,) for each layout, the weight of those of a sample whose sketches are as near as those of similar layouts are expected to be."""
    index = opened(job.key)
    near = index.distances(np.arange(job.start, job.stop), job.sample) <= index.expected
    return near @ job.weight


def agreement(job: Couples) -> np.ndarray:
    """(p,) similarity of couples, in [0, 1]."""
    index = opened(job.key)
    return index.agreement(job.first, job.second) / (SLOTS * index.near.unit)


def _pivots(shares: np.ndarray, n: int) -> np.ndarray:
    """(p, k) class shares that lie far from each other: the farthest first, so that the radii are small."""
    pivots = [0]
    apart = _l1(shares, shares[0])
    while len(pivots) < min(MOST_PIVOTS, n / PIVOT_EACH) and apart.max() > 2 * PIVOT_RADIUS * SLOTS:
        far = int(apart.argmax())
        pivots.append(far)
        apart = np.minimum(apart, _l1(shares, shares[far]))
    return shares[pivots]


def _l1(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    return np.abs(points - point).sum(1, dtype=np.int32)


def _blocks(scratch: Scratch, n: int, size: int) -> list[Rows]:
    return [Rows(scratch.key, at, min(at + size, n)) for at in range(0, n, size)]
