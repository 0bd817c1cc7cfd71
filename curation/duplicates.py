"""The same photo twice: exact copies by SHA-256, and re-encoded, resized, brightened or mirrored ones by their picture.

Candidates come from the perceptual hash of imagehash [Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions"], of the photo and of its mirror image; a second, independent measure confirms them: the correlation of what is left of
a 32x32 thumbnail when its smooth part is taken away. A smooth part alone (two grey skies) never makes a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import imagehash
import numpy as np
import pandas as pd
from PIL import Image

SIDE = 32  # pixels of the thumbnail
MOST_BITS = 10  # of 64: hashes further apart are never candidates
LEAST_CORRELATION = 0.95  # of the detail of the thumbnails; different photos stay below 0.8, edited layouts below 0.94
LEAST_DETAIL = 1.5  # grey levels: below that a thumbnail is flat and says nothing
COMPARISONS = 8_000_000  # at once, which bounds the memory


def thumbnail(luminance: np.ndarray) -> np.ndarray:
    """(h, w) uint8 luminance -> (32, 32) uint8, area-averaged, whatever the shape of the photo."""
    return cv2.resize(luminance, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def perceptual_hash(thumb: np.ndarray) -> int:
    """The 64-bit perceptual hash of a (32, 32) uint8 thumbnail, as imagehash.phash works it out."""
    bits = imagehash.phash(Image.fromarray(thumb)).hash.ravel()
    return int(np.packbits(bits).view(">u8")[0])


def detail(thumbs: np.ndarray) -> np.ndarray:
    """(n, 32, 32) uint8 -> (n, 1024) float32: each minus its 7x7 mean, scaled to length 1; zeros for flat ones."""
    out = np.empty((len(thumbs), SIDE * SIDE), np.float32)
    for i, thumb in enumerate(thumbs.astype(np.float32)):
        rest = (thumb - cv2.blur(thumb, (7, 7), borderType=cv2.BORDER_REFLECT)).ravel()
        out[i] = rest / np.linalg.norm(rest) if rest.std() >= LEAST_DETAIL else 0
    return out


def find_duplicates(
    pair_ids: list[str], sha256: list[str], thumbs: np.ndarray, tick: Callable[[int], None] = lambda rows: None
) -> pd.DataFrame:
    """Every pair of the same photo: columns first, second (pair ids, first < second), relation, similarity.

    `thumbs` (n, 32, 32) uint8. relation: "exact" (same bytes), "same" (same picture) or "mirrored". similarity in [0, 1].
    `tick(rows)` is told how many more of the 2n rows (each photo and its mirror image) are done.
    """
    n = len(pair_ids)
    found: list[tuple[str, str, str, float]] = []
    exact: set[tuple[int, int]] = set()
    for same in pd.Series(range(n)).groupby(pd.Series(sha256, dtype=object), sort=False).apply(list) if n else []:
        for other in same[1:]:
            exact.add((same[0], other))
            found.append((pair_ids[same[0]], pair_ids[other], "exact", 1.0))
    details = detail(thumbs)
    rank = np.arange(n)
    hashes = np.array([perceptual_hash(t) for t in thumbs], np.uint64)
    sides = {"same": (hashes, details)}
    flipped = thumbs[:, :, ::-1]
    sides["mirrored"] = (
        np.array([perceptual_hash(np.ascontiguousarray(t)) for t in flipped], np.uint64),
        detail(flipped),
    )
    for relation, (other_hashes, other_details) in sides.items():
        step = max(1, COMPARISONS // max(n, 1))
        for start in range(0, n, step):
            block = slice(start, min(start + step, n))
            near = _bits_apart(hashes[block, None], other_hashes[None, start:]) <= MOST_BITS
            i, j = np.nonzero(near & (rank[block, None] < rank[None, start:]))
            i, j = i + start, j + start
            correlation = np.einsum("ij,ij->i", details[i], other_details[j])
            for a, b, c in zip(i, j, correlation, strict=True):
                if c >= LEAST_CORRELATION and (a, b) not in exact:
                    found.append((pair_ids[a], pair_ids[b], relation, round(min(float(c), 1.0), 4)))
            tick(block.stop - block.start)
    table = pd.DataFrame(found, columns=["first", "second", "relation", "similarity"])
    swap = table["first"] > table["second"]
    table.loc[swap, ["first", "second"]] = table.loc[swap, ["second", "first"]].to_numpy()
    order = ["exact", "same", "mirrored"]
    table["order"] = table["relation"].map(order.index)
    table = table.sort_values(["first", "second", "order"]).drop_duplicates(["first", "second"])
    return table.drop(columns="order").reset_index(drop=True)


def _bits_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    different = a ^ b
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.bitwise_count(different)
    pieces = different[..., None].view(np.uint16)
    return _BITS16[pieces].sum(-1, dtype=np.uint8)


_BITS16 = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)
