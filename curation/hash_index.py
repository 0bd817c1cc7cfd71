"""An index of 64-bit hashes: which of them lie within a few bits of a hash asked for.

The bits are cut into CHUNKS; hashes that agree in any two whole chunks meet in a bucket [multi-index hashing: Norouzi, Punjani and Fleet
2012, "Fast search in Hamming space"]. Up to CHUNKS - 2 differing bits that is certain; of more, the more the fewer chunks they
fall into, which is why the bits are ordered by frequency: the fine ones change first. A bucket of more than LARGEST hashes shows its first
ones only, so a million skies with one hash cost what a few do, each.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from curation.perceptual_hash import BITS, bits_apart

CHUNKS = 6
MOST_BITS = 8  # hashes further apart are not candidates
LARGEST = 64  # of a bucket, looked at
SPARE = 6  # bits by which there are more buckets than hashes
_CUTS = np.linspace(1, BITS, CHUNKS + 1).round().astype(int)  # the first bit, mean brightness, says nothing
_SPANS = [(int(BITS - stop), int(stop - start)) for start, stop in pairwise(_CUTS)]
TABLES = list(combinations(_SPANS, 2))


class HashIndex:
    """(n,) uint64 hashes, to be looked up; where a bucket is too large, those with the lower number are found."""

    def __init__(self, hashes: np.ndarray) -> None:
        self.hashes = hashes
        self.tables = []
        for table in TABLES:
            bits = min(table[0][1] + table[1][1], len(hashes).bit_length() + SPARE)
            keys = _keys(hashes, table, bits)
            size = 1 << bits
            starts = np.zeros(size + 1, np.int32)
            np.cumsum(np.bincount(keys, minlength=size), out=starts[1:])
            self.tables.append((bits, starts, np.argsort(keys, kind="stable").astype(np.int32)))

    def look_up(self, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(q,) uint64 -> positions in `asked`, numbers of hashes at most MOST_BITS from them, bits apart; some more than once."""
        found = []
        for table, (bits, starts, numbers) in zip(TABLES, self.tables, strict=True):
            keys = _keys(asked, table, bits)
            first = starts[keys]
            count = np.minimum(starts[keys + 1] - first, LARGEST)
            i = np.repeat(np.arange(len(asked)), count)
            j = numbers[np.arange(len(i)) + np.repeat(first - (np.cumsum(count) - count), count)]
            apart = bits_apart(asked[i], self.hashes[j])
            near = np.flatnonzero(apart <= MOST_BITS)
            found.append((i[near], j[near], apart[near]))
        return tuple(np.concatenate(columns) for columns in zip(*found, strict=True))


def _keys(hashes: np.ndarray, table: tuple[tuple[int, int], tuple[int, int]], bits: int) -> np.ndarray:
    """The bits of two chunks, the first `bits` of them; fewer than all put more hashes into a bucket, which loses nothing."""
    (low, wide), (low_too, wide_too) = table
    first = (hashes >> np.uint64(low)) & np.uint64((1 << wide) - 1)
    second = (hashes >> np.uint64(low_too)) & np.uint64((1 << wide_too) - 1)
    both = (first << np.uint64(wide_too)) | second
    return (both >> np.uint64(wide + wide_too - bits)).astype(np.int64)
