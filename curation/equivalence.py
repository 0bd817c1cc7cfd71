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

import numpy as np

from curation.layout import SLOTS
from curation.representatives import Representatives

TAU = 0.92  # least share of agreeing slots between a member and its representative
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
    tick: Callable[[int], None] = lambda rows: None,
) -> list[tuple[int, float]]:
    """For each pair, the index of its class's representative and its similarity to it, in [0, 1].

    Args:
        layouts: (n, 36, 48, 2) uint8 of layout.py; may be memory-mapped.
        tick: told how many more of 2n steps are done.

    Identical layouts count as one, so a million empty skies cost what one does.
    """
    n = len(pair_ids)
    if not n:
        return []
    flat = layouts.reshape(n, SLOTS)
    rows, of_pair = _distinct(pair_ids, flat)
    search = Representatives(flat, rows, tau, mirror, tick)
    copies = np.bincount(of_pair)
    crowd = search.crowd(np.arange(min(len(rows), SAMPLE)), copies[:SAMPLE])
    order = np.argsort(-crowd, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows))
    representative = np.full(len(rows), -1, np.int64)
    taken = np.zeros(0, np.int64)
    start, size = 0, FIRST_BATCH
    while start < len(order):
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
    tick(2 * (n - len(rows)))
    pieces = np.array_split(np.arange(len(rows)), len(rows) // 4096 + 1)
    same = np.concatenate([search.similar(piece, representative[piece]) for piece in pieces])
    return [(int(rows[representative[u]]), round(float(same[u]) / SLOTS, 4)) for u in of_pair]


def _distinct(pair_ids: list[str], flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) for each different layout the pair with the lowest id, in the order of a digest of the layout; (pairs,) which one each has.

    The order is as good as random, and the same for the same layouts.
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
