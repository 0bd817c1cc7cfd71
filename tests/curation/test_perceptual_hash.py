"""Hashes are imagehash's, of the whole photo and of its parts; a mirror image's follows from the photo's own cosines."""

import cv2
import imagehash
import numpy as np
from PIL import Image

from curation.hash_index import CHUNKS, MOST_BITS, HashIndex
from curation.perceptual_hash import (
    ORDER,
    SIDE,
    SPANS,
    WINDOWS,
    agreement,
    bits_apart,
    cosines,
    hashes,
    mirrored,
    signatures,
)


def thumbs(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (n, 9, 9)).astype(np.float32)
    return np.stack([cv2.resize(c, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for c in coarse]).astype(np.uint8)


def packed(bits: np.ndarray) -> int:
    return int(np.packbits(bits.ravel()[ORDER]).view(">u8")[0])


def test_the_hash_of_a_photo_is_that_of_imagehash():
    """But for a bit or two of a rare one, whose two middle frequencies are equal to the fifth place."""
    some = thumbs(500)
    ours = hashes(cosines(some, SPANS[:1]))[:, 0]
    theirs = np.array([packed(imagehash.phash(Image.fromarray(t), 8, 6).hash) for t in some], np.uint64)
    apart = bits_apart(ours, theirs)
    assert apart.max() <= 2 and (apart == 0).mean() > 0.99


def test_the_first_window_is_the_whole_and_the_others_are_nearly_the_hashes_of_parts():
    some = thumbs(20)
    assert WINDOWS[0].tolist() == [0, 1, 0, 1] and len(WINDOWS) == 36
    every = hashes(cosines(some))
    for w, (left, right, top, bottom) in enumerate(WINDOWS):
        enlarged = [cv2.resize(t, (480, 480), interpolation=cv2.INTER_NEAREST) for t in some]
        parts = [e[round(480 * top) : round(480 * bottom), round(480 * left) : round(480 * right)] for e in enlarged]
        parts = np.stack([cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in parts])
        assert bits_apart(hashes(cosines(parts, SPANS[:1]))[:, 0], every[:, w]).max() <= 4


def test_the_hash_of_the_mirror_image_follows_from_the_cosines():
    some = thumbs(50)
    own = cosines(some, SPANS[:1])
    flipped = cosines(some[:, :, ::-1], SPANS[:1])
    assert np.array_equal(hashes(mirrored(own)), hashes(flipped))
    assert np.array_equal(mirrored(signatures(own)), signatures(flipped))


def test_signatures_agree_with_themselves_whatever_the_brightness():
    some = thumbs(30)
    own, other = signatures(cosines(some, SPANS[:1]))[:, 0], signatures(cosines(some // 2 + 40, SPANS[:1]))[:, 0]
    assert agreement(own, other).min() > 0.99
    assert agreement(own, np.roll(own, 1, axis=0)).max() < 0.8


def test_the_index_finds_all_within_the_bits_it_is_sure_of_and_most_of_the_others():
    rng = np.random.default_rng(0)
    known = rng.integers(0, 2**63, 3000, dtype=np.uint64)
    asked = known[:500].copy()
    flips = rng.integers(0, MOST_BITS + 3, 500)
    for i, n in enumerate(flips):
        for bit in rng.choice(63, n, replace=False):
            asked[i] ^= np.uint64(1 << int(bit))
    i, j, apart = HashIndex(known).look_up(asked)
    assert np.array_equal(apart, bits_apart(asked[i], known[j])) and apart.max() <= MOST_BITS
    met = set(i[i == j].tolist())
    assert {k for k in range(500) if flips[k] <= CHUNKS - 2} <= met
    assert np.isin(np.flatnonzero(flips <= MOST_BITS), list(met)).mean() > 0.75
    brute = {(a, b) for a in range(500) for b in np.flatnonzero(bits_apart(asked[a], known) <= CHUNKS - 2)}
    assert brute <= set(zip(i.tolist(), j.tolist(), strict=True))


def test_numpy_without_bit_counts_counts_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2**63, (2, 1000), dtype=np.uint64)
    exact = [bin(int(x) ^ int(y)).count("1") for x, y in zip(a, b, strict=True)]
    assert bits_apart(a, b).tolist() == exact
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert bits_apart(a, b).tolist() == exact
