"""Equivalence classes of layouts: label maps so alike that they are the same input, each class within a bounded radius.

Every member is at least TAU similar to its representative. Joining everything that is similar to something similar would
chain: at .80 agreement one connected component swallows 788 of 1000 real landscape maps. Here the layout with most neighbours becomes
a representative and takes them; then the next among what is left [Butina 1999, J. Chem. Inf. Comput. Sci. 39(4)]. The
result depends on the layouts and ids alone, not on their order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from curation.layout import CELLS, mirrored

TAU = 0.92  # least share of agreeing cells between a member and its representative
COMPARISONS = 8_000_000  # at once, which bounds the memory


def neighbours(
    layouts: np.ndarray, tau: float = TAU, mirror: bool = True, tick: Callable[[int], None] = lambda rows: None
) -> list[np.ndarray]:
    """For each of (n, 36, 48) uint8 layouts, the indices at least tau similar to it (itself included), ascending; exact.

    `tick(rows)` is told how many more rows are done.

    Two bounds spare most comparisons, both exact: the agreeing area cannot exceed the overlap of the class shares, of the whole
    picture and then of its rows.
    """
    n = len(layouts)
    flat = layouts.reshape(n, CELLS)
    flipped = np.ascontiguousarray(mirrored(layouts)).reshape(n, CELLS)
    least = int(np.ceil(tau * CELLS - 1e-9))
    classes = np.unique(flat)
    code = np.zeros(256, np.uint8)
    code[classes] = np.arange(len(classes))
    shares = _counts(code[flat], len(classes), 1)
    rows = _counts(code[flat], len(classes), 6)  # bands of rows are the same in a mirror
    lists: list[list[np.ndarray]] = [[] for _ in range(n)]
    step = max(1, COMPARISONS // max(n, 1))
    for start in range(0, n, step):
        stop = min(start + step, n)
        bound = CELLS - _l1(shares[start:stop], shares[start:]) // 2
        i, j = np.nonzero(np.triu(bound >= least))
        i, j = i + start, j + start
        for at in range(0, len(i), 200_000):
            a, b = i[at : at + 200_000], j[at : at + 200_000]
            keep = CELLS - np.abs(rows[a] - rows[b]).sum(1) // 2 >= least
            a, b = a[keep], b[keep]
            same = agreement(flat, flat, a, b)
            if mirror:
                same = np.maximum(same, agreement(flat, flipped, a, b))
            a, b = a[same >= least], b[same >= least]
            for x, y in zip(a, b, strict=True):
                lists[x].append(y)
                if x != y:
                    lists[y].append(x)
        tick(stop - start)
    return [np.sort(np.array(one, np.int64)) for one in lists]


def agreement(a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Number of agreeing cells between rows i of a and rows j of b, in pieces that stay small in memory."""
    out = np.empty(len(i), np.int64)
    for at in range(0, len(i), 20_000):
        piece = slice(at, at + 20_000)
        out[piece] = np.count_nonzero(a[i[piece]] == b[j[piece]], axis=1)
    return out


def classes_of(
    pair_ids: list[str],
    layouts: np.ndarray,
    tau: float = TAU,
    mirror: bool = True,
    tick: Callable[[int], None] = lambda rows: None,
) -> list[tuple[int, float]]:
    """For each pair, the index of its class's representative and its similarity to it, in [0, 1].

    Identical layouts count as one when neighbours are counted, so that a million empty skies cost what one does.
    """
    if not pair_ids:
        return []
    order = sorted(range(len(pair_ids)), key=pair_ids.__getitem__)
    unique: dict[bytes, int] = {}
    of_pair = np.empty(len(pair_ids), np.int64)
    first: list[int] = []
    for p in order:
        key = layouts[p].tobytes()
        if key not in unique:
            unique[key] = len(first)
            first.append(p)
        of_pair[p] = unique[key]
    distinct = layouts[first]
    lists = neighbours(distinct, tau, mirror, tick)
    weight = np.bincount(of_pair, minlength=len(first))
    representative = _butina(lists, weight)
    flat = distinct.reshape(len(first), CELLS)
    flipped = mirrored(distinct).reshape(len(first), CELLS)
    everyone = np.arange(len(first))
    same = agreement(flat, flat, everyone, representative)
    if mirror:
        same = np.maximum(same, agreement(flat, flipped, everyone, representative))
    return [(first[representative[u]], round(float(same[u]) / CELLS, 4)) for u in of_pair]


def _butina(lists: list[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Representative of each item: the one with most free neighbours first, the lower index on a tie."""
    n = len(lists)
    representative = np.full(n, -1, np.int64)
    free = np.ones(n, bool)
    size = np.array([int(weight[one].sum()) for one in lists])
    heap = [(-int(size[i]), i) for i in range(n)]
    heapq.heapify(heap)
    while heap:
        count, i = heapq.heappop(heap)
        if not free[i]:
            continue
        members = lists[i][free[lists[i]]]
        now = int(weight[members].sum())
        if now < -count:  # some neighbours went to other classes meanwhile: look again when its turn comes
            heapq.heappush(heap, (-now, i))
            continue
        representative[members] = i
        free[members] = False
    return representative


def _counts(codes: np.ndarray, n_classes: int, bands: int) -> np.ndarray:
    """(n, CELLS) class codes -> (n, bands * n_classes) int16 cells per class within horizontal bands."""
    n = len(codes)
    band = np.repeat(np.arange(bands), CELLS // bands)
    out = np.zeros((n, bands * n_classes), np.int16)
    for at in range(0, n, 4096):
        piece = codes[at : at + 4096].astype(np.int64) + band * n_classes
        keys = piece + np.arange(len(piece))[:, None] * (bands * n_classes)
        out[at : at + 4096] = np.bincount(keys.ravel(), minlength=len(piece) * bands * n_classes).reshape(
            len(piece), -1
        )
    return out


def _l1(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(p, k) and (q, k) int16 -> (p, q) int32 sums of absolute differences, one class at a time to stay small in memory."""
    out = np.zeros((len(a), len(b)), np.int32)
    for k in range(a.shape[1]):
        out += np.abs(a[:, k, None] - b[None, :, k])
    return out
