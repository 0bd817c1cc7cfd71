"""Equivalence classes of layouts: label maps so alike that they are the same input, each class within a bounded radius.

Every member is at least TAU similar to its representative. Joining everything that is similar to something similar would
chain: at .80 agreement one connected component swallows 788 of 1000 real landscape maps. Here layouts are taken one after
the other, the most crowded first; one that no representative is similar to becomes a representative, any other
joins the one whose sketch is nearest (Butina's clustering [1999, J. Chem. Inf. Comput. Sci. 39(4)] with the order decided beforehand, so
the layouts can be taken in large batches). The result depends on the layouts and ids alone, not on their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.engine.local import in_threads
from curation.layout import SLOTS
from curation.layout_index import Over, make
from curation.near_classes import NearClasses
from curation.representatives import Representatives
from curation.scratch import Scratch, scratch

TAU = 0.92  # least similarity of a member to its representative
SAMPLE = 4096  # layouts by which it is counted how crowded it is around each
FIRST_BATCH, LARGEST_BATCH = (
    256,
    16_384,
)  # layouts; the first, in the most crowded places, spare the others most comparisons


def classes_of(
    pair_ids: list[str],
    layouts: np.ndarray,
    tau: float = TAU,
    mirror: bool = True,
    near: NearClasses = NearClasses(),
    tick: Callable[[int], None] = lambda rows: None,
    over: Over = in_threads,
    room: Scratch | None = None,
) -> list[tuple[int, float]]:
    """For each pair, the index of its class's representative and its similarity to it, in [0, 1].

    Args:
        layouts: (n, 36, 48, 2) uint8 of layout.py; best a whole file, memory-mapped.
        near: classes that count as partly the same.
        tick: told how many more of 2n steps are done.
        over: runs the jobs of layout_index.py.
        room: a scratch for the index, with which it goes: 0.3 kB a layout and 2 bytes for each of its classes. The jobs must find it.

    Identical layouts count as one, so a million empty skies cost what one does.
    """
    if not len(pair_ids):
        return []
    if room is None:
        with scratch() as room:
            return classes_of(pair_ids, layouts, tau, mirror, near, tick, over, room)
    file = _file_of(layouts, room)
    rows, of_pair = _distinct(pair_ids, np.memmap(room.folder / file, np.uint8, "r").reshape(-1, SLOTS))
    index = make(room, file, rows, tau, mirror, near, over, tick)
    search = Representatives(index, over)
    representative = _representatives(search, np.bincount(of_pair), tick)
    tick(2 * (len(pair_ids) - len(rows)))
    same = search.similarity(np.arange(len(rows)), representative)
    return [(int(rows[representative[u]]), round(float(same[u]), 4)) for u in of_pair]


def _representatives(search: Representatives, copies: np.ndarray, tick: Callable[[int], None]) -> np.ndarray:
    """(m,) the representative of each layout; copies: (m,) how many pairs have it."""
    n = len(copies)
    crowd = search.crowd(np.arange(min(n, SAMPLE)), copies[:SAMPLE])
    order = np.argsort(-crowd, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    representative = np.full(n, -1, np.int64)
    taken = np.zeros(0, np.int64)
    start, size = 0, FIRST_BATCH
    while start < n:
        left = batch = order[start : start + size]
        if len(taken):
            representative[batch] = search.nearest(batch, taken)
            left = batch[representative[batch] < 0]
        while len(left):
            alone = left[search.nearest(left, left, rank) < 0]  # nothing before them is similar
            representative[alone] = alone
            taken = np.concatenate([taken, alone])
            left = left[representative[left] < 0]
            if len(left):
                representative[left] = search.nearest(left, alone, rank)
                left = left[representative[left] < 0]
        tick(len(batch))
        start, size = start + size, min(2 * size, LARGEST_BATCH)
    return representative


def _file_of(layouts: np.ndarray, room: Scratch) -> str:
    """A file that holds these layouts and nothing else: their own, or a copy."""
    if isinstance(layouts, np.memmap) and layouts.filename and Path(layouts.filename).stat().st_size == layouts.nbytes:
        own = Path(layouts.filename)
        return own.name if own.parent == room.folder else str(own)
    layouts.tofile(room.folder / "layouts.bin")
    room.publish("layouts.bin")
    return "layouts.bin"


def _distinct(pair_ids: list[str], flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) for each different layout the pair with the lowest id, in the order of a digest of the layout; (pairs,) which one each has.

    The order is as good as random, and the same for the same layouts. `flat` should be a mapping of its own: its pages leave memory with it.
    """
    digests = np.frombuffer(
        b"".join(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in flat), ">u8"
    ).reshape(-1, 2)
    by_id = np.empty(len(pair_ids), np.int64)
    by_id[sorted(range(len(pair_ids)), key=pair_ids.__getitem__)] = np.arange(len(pair_ids))
    order = np.lexsort((by_id, digests[:, 1], digests[:, 0]))
    new = np.ones(len(order), bool)
    new[1:] = (digests[order[1:]] != digests[order[:-1]]).any(1)
    of_pair = np.empty(len(order), np.int64)
    of_pair[order] = np.cumsum(new) - 1
    return order[new], of_pair
