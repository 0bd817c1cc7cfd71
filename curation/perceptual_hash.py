"""Perceptual hashes of a photo and of its crops: thumbnails -> 64 bits each, and how alike the cosines behind the bits are.

A hash says which of the 8x8 lowest frequencies of a thumbnail's cosine transform lie above their median [Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions"]; that of the whole photo is what `imagehash.phash(thumbnail, 8, 6)` works out, its bits
in the order of their frequency. Each photo is hashed in WINDOWS, too, so that one that shows a part of another meets the hash of that
part. Cosines are whole multiples of 2^-16, so every sum is exact and the hashes are the same on any machine.
"""

from __future__ import annotations

import numpy as np

SIDE = 48  # pixels of a thumbnail
FREQUENCIES = 8  # a side
BITS = FREQUENCIES**2
STEP, STEPS = 0.05, 2  # what a window leaves off of a side of the photo
SPANS = [(STEP * left, 1 - STEP * (off - left)) for off in range(STEPS + 1) for left in range(off + 1)]
WINDOWS = np.array(
    [(*x, *y) for y in SPANS for x in SPANS]
)  # (36, 4) left, right, top, bottom; the first is the whole photo
ONE = 2.0**16
_ROW, _COLUMN = np.divmod(np.arange(BITS), FREQUENCIES)
ORDER = np.lexsort((np.maximum(_ROW, _COLUMN), _ROW + _COLUMN))  # of the bits: where they lie in the 8x8 of imagehash
_WEIGHT = np.where(
    _ROW + _COLUMN > 0, (_ROW**2 + _COLUMN**2) ** 0.25, 0
)  # photos hold less at high frequencies; this evens it out


def cosines(thumbs: np.ndarray, spans: list[tuple[float, float]] = SPANS) -> np.ndarray:
    """(n, 48, 48) uint8 -> (n, s * s, 64) float64 whole numbers: the cosine transform of the windows that spans make, row by row."""
    base = np.concatenate([_base(*span) for span in spans])
    across = (thumbs.reshape(-1, SIDE).astype(np.float64) @ base.T).reshape(len(thumbs), SIDE, len(base))
    found = (base @ across).reshape(len(thumbs), len(spans), FREQUENCIES, len(spans), FREQUENCIES)
    return found.transpose(0, 1, 3, 2, 4).reshape(len(thumbs), len(spans) ** 2, BITS)


def mirrored(cosines: np.ndarray) -> np.ndarray:
    """Cosines or signatures of whole photos -> those of their mirror images."""
    return cosines * np.where(_COLUMN % 2, -1, 1).astype(cosines.dtype)


def hashes(cosines: np.ndarray) -> np.ndarray:
    """(..., 64) -> (...) uint64; the lowest frequency is the highest bit."""
    middle = np.sort(cosines, axis=-1)[..., BITS // 2 - 1 : BITS // 2 + 1].mean(-1, keepdims=True)
    bits = np.ascontiguousarray((cosines > middle)[..., ORDER])
    return np.packbits(bits, axis=-1).view(">u8")[..., 0].astype(np.uint64)


def signatures(cosines: np.ndarray) -> np.ndarray:
    """(..., 64) -> (..., 64) int8: without the mean brightness, evened out over the frequencies and of length 127."""
    even = cosines * _WEIGHT
    length = np.sqrt((even**2).sum(-1, keepdims=True))
    return np.rint(127 * even / np.maximum(length, 1)).astype(np.int8)


def agreement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, 64) int8 signatures, twice -> (m,) float32 correlation, -1 to 1."""
    return np.einsum("ij,ij->i", first.astype(np.float32), second.astype(np.float32)) / np.float32(127**2)


def bits_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many bits of uint64 hashes differ."""
    different = a ^ b
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.bitwise_count(different)
    return _BITS16[different[..., None].view(np.uint16)].sum(-1, dtype=np.uint8)


_BITS16 = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)


def _base(start: float, stop: float) -> np.ndarray:
    """(8, 48) whole numbers: cosines over a span of the thumbnail, of each pixel the share that lies in it."""
    edges = np.clip(np.arange(SIDE + 1) / SIDE, start, stop)
    middle = ((edges[1:] + edges[:-1]) / 2 - start) / (stop - start)
    share = np.diff(edges) * SIDE
    return np.rint(ONE * share * np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * middle))
