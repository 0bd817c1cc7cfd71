"""The search for the same picture among many thumbnails: candidates by hash, confirmed in steps of which each costs more than the last.

1. Hashes of each photo's WINDOWS are looked up among those of all photos and of their mirror images.
2. The cosines behind the bits must agree; that sifts out three of four.
3. At half size, the whole or, after a few steps of alignment, a part must agree in its details.
4. At full size, the details must agree as only those of one photo do: in all of it, in the part that is found, or, where a mark was put
   on the photo, in most of its tiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curation.alignment import WHOLE, align, correlation, detail, tiles
from curation.engine.local import in_threads
from curation.hash_index import HashIndex
from curation.perceptual_hash import BITS, SIDE, SPANS, WINDOWS, agreement, cosines, hashes, mirrored, signatures

LEAST_DETAIL = 1.0  # grey levels, at half size: a photo with less is flat and says nothing
LEAST_ALIKE = 0.85  # agreement of cosines, and of details at half size; below that none is the same
LEAST_CORRELATION = (
    0.97  # of details; copies lie above 0.98, other photos below 0.91, other tones and noise below 0.965
)
LEAST_MARKED = 0.85  # of details, where a mark was put on the photo
LEAST_TILE, WORST_TILE = 0.97, 0.3  # then half of the tiles agree so well, and nine tenths so well
MOST_CANDIDATES = (
    32  # of a photo that are aligned; more than a few pass the second step only where there are crowds of copies
)
BLOCK, COUPLES = 512, 256  # photos hashed, couples aligned at once
ROUGH_STEPS, FINE_STEPS = 3, 4

Found = tuple[int, int, bool, float, np.ndarray]


def find_alike(
    thumbs: np.ndarray, rows: np.ndarray, tick: Callable[[int], None] = lambda rows: None
) -> tuple[np.ndarray, list[Found]]:
    """Which of some thumbnails are flat, and couples of the others that show the same photo.

    Args:
        thumbs: (n, 48, 48) uint8; rows: (u,) those that are meant, no two of them identical.
        tick: told how many more of 2u steps are done.

    Returns (u,) bool, and of each couple: positions in rows; whether the second is mirrored; similarity in [0, 1]; box of the first that
    the second shows. A couple may come twice, once from each side.
    """
    u = len(rows)
    flat, whole, signature = np.ones(u, bool), np.zeros((2, u), np.uint64), np.zeros((u, BITS), np.int8)

    def describe(block: slice) -> int:
        pictures = thumbs[rows[block]]
        flat[block] = detail(_halved(pictures)).std((1, 2)) < LEAST_DETAIL
        found = cosines(pictures, SPANS[:1])[:, 0]
        whole[0, block], whole[1, block] = hashes(found), hashes(mirrored(found))
        signature[block] = signatures(found)
        return len(pictures)

    blocks = [slice(at, min(at + BLOCK, u)) for at in range(0, u, BLOCK)]
    for done in in_threads(describe, blocks):
        tick(done)
    busy = np.flatnonzero(~flat)
    index = HashIndex(whole[:, busy].ravel())

    def search(block: slice) -> tuple[int, list[Found]]:
        mine = busy[(busy >= block.start) & (busy < block.stop)]
        if not len(mine):
            return block.stop - block.start, []
        ours = cosines(thumbs[rows[mine]])
        i, other, window = _candidates(index, hashes(ours), np.searchsorted(busy, mine), len(busy))
        mirror, j = other >= len(busy), busy[other % len(busy)]
        theirs = signature[j]
        theirs = np.where(mirror[:, None], mirrored(theirs), theirs)
        good = np.flatnonzero(agreement(signatures(ours)[i, window], theirs) >= LEAST_ALIKE)
        good = good[np.arange(len(good)) - np.searchsorted(i[good], i[good]) < MOST_CANDIDATES]
        i, j, mirror, window = mine[i[good]], j[good], mirror[good], window[good]
        return block.stop - block.start, _confirmed(thumbs, rows, i, j, mirror, WINDOWS[window])

    found: list[Found] = []
    for done, some in in_threads(search, blocks):
        found += some
        tick(done)
    return flat, found


def _candidates(
    index: HashIndex, asked: np.ndarray, mine: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(q, w) hashes of windows of photos whose own numbers are `mine` -> each couple once: photo, number found, the nearest window."""
    at, other, apart = index.look_up(asked.ravel())
    photo, window = np.divmod(at, asked.shape[1])
    order = np.lexsort((window, apart, other, photo))
    photo, window, other = photo[order], window[order], other[order]
    new = np.ones(len(photo), bool)
    new[1:] = (photo[1:] != photo[:-1]) | (other[1:] != other[:-1])
    new &= mine[photo] != other % n
    return photo[new], other[new], window[new]


def _confirmed(thumbs, rows, i, j, mirror, boxes) -> list[Found]:
    found = []
    for start in range(0, len(i), COUPLES):
        some = slice(start, start + COUPLES)
        first, second = thumbs[rows[i[some]]], thumbs[rows[j[some]]]
        second = np.where(mirror[some, None, None], second[:, :, ::-1], second)
        half, half_too = _halved(first), _halved(second)
        rough, guess = correlation(detail(half), detail(half_too)), np.tile(WHOLE, (len(first), 1))
        other = np.flatnonzero(rough < LEAST_CORRELATION)
        if len(other):
            parted, guess[other] = align(half[other], half_too[other], boxes[some][other], ROUGH_STEPS)
            rough[other] = np.maximum(rough[other], parted)
        near = np.flatnonzero(rough >= LEAST_ALIKE)
        if len(near):
            similarity, box = _compare(first[near], second[near], guess[near])
            for k, s, b in zip(near + start, similarity, box, strict=True):
                if s > 0:
                    found.append((int(i[k]), int(j[k]), bool(mirror[k]), min(float(s), 1.0), b))
    return found


def _compare(first: np.ndarray, second: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, 48, 48) thumbnails, twice -> (m,) similarity, 0 where they do not show the same photo, and (m, 4) what part the second shows."""
    whole = correlation(detail(first), detail(second))
    similarity = np.where(whole >= LEAST_CORRELATION, whole, 0)
    box = np.tile(WHOLE, (len(first), 1))
    other = np.flatnonzero(similarity == 0)
    if len(other):
        parted, where = align(first[other], second[other], guess[other], FINE_STEPS)
        part = parted >= LEAST_CORRELATION
        similarity[other[part]], box[other[part]] = parted[part], where[part]
    for k in np.flatnonzero((similarity == 0) & (whole >= LEAST_MARKED)):
        tile = tiles(first[k : k + 1], second[k : k + 1])
        tile = tile[~np.isnan(tile)]
        if len(tile) and np.median(tile) >= LEAST_TILE and np.quantile(tile, 0.1) >= WORST_TILE:
            similarity[k] = np.median(tile)
    return similarity, box


def _halved(pictures: np.ndarray) -> np.ndarray:
    """(m, 48, 48) -> (m, 24, 24) float64, means of 2x2."""
    return pictures.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4))
