"""The same photo twice: exact copies by SHA-256; re-encoded, resized, brightened, marked, mirrored and cropped ones by their picture.

Enters: ids, digests and thumbnails of all photos. Leaves: a table of couples. Candidates come from perceptual hashes of each photo,
of its mirror image and of its parts (perceptual_hash.py, hash_index.py); a second, independent measure confirms them: the correlation of the
detail of both thumbnails, once the part that one shows is found in the other (alignment.py). Smooth pictures alone (two grey skies)
have no detail and never make a duplicate. Time grows little faster than the number of photos; memory: 0.3 kB a photo and a few blocks,
while the thumbnails may lie in a memory-mapped file.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd

from curation.alignment import WHOLE, inverse
from curation.perceptual_hash import SIDE
from curation.picture_search import find_alike

SLACK = 0.015  # of a side: a smaller crop is none
FIRST_FEW = 4  # of photos that are identical stand for all of them
COLUMNS = ["first", "second", "relation", "similarity", "left", "right", "top", "bottom"]
RELATIONS = ["exact", "same", "mirrored", "cropped"]


def thumbnail(luminance: np.ndarray) -> np.ndarray:
    """(h, w) uint8 luminance -> (48, 48) uint8, area-averaged, whatever the shape of the photo."""
    return cv2.resize(luminance, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def find_duplicates(
    pair_ids: list[str], sha256: list[str], thumbs: np.ndarray, tick: Callable[[int], None] = lambda rows: None
) -> pd.DataFrame:
    """Couples of the same photo: COLUMNS, the first the lower pair id.

    Args:
        thumbs: (n, 48, 48) uint8; may be memory-mapped.
        tick: told how many more of 2n steps are done.

    relation: "exact" (same bytes), "same" (same picture), "mirrored" (perhaps a part of it) or "cropped". similarity in [0, 1]. left,
    right, top, bottom: what the second shows (mirrored, where it is) of the first, as shares of its sides; beyond 0 and 1 where the
    first shows a part of the second. Of photos with identical pictures only the first few are coupled with each other one, so a
    photo that is there a million times makes a few million couples.
    """
    n = len(pair_ids)
    by_id = sorted(range(n), key=pair_ids.__getitem__)
    files: dict[str, list[int]] = defaultdict(list)
    for row in by_id:
        files[sha256[row]].append(row)
    pictures: dict[bytes, list[int]] = defaultdict(list)
    for rows in files.values():
        pictures[hashlib.blake2b(thumbs[rows[0]].tobytes(), digest_size=16).digest()] += rows
    sets = [pictures[digest] for digest in sorted(pictures)]  # in the same order whatever the order of the photos
    tick(2 * (n - len(sets)))
    flat, alike = find_alike(thumbs, np.array([rows[0] for rows in sets], np.int64), tick)
    found: list[tuple] = []

    def couple(one: int, other: int, relation: str, similarity: float, box: np.ndarray) -> None:
        if pair_ids[one] > pair_ids[other]:
            one, other, box = other, one, inverse(box, relation == "mirrored")
        found.append((pair_ids[one], pair_ids[other], relation, round(similarity, 4), *(box.round(3) + 0.0).tolist()))

    for rows in files.values():
        _each_with_the_first(rows, lambda a, b: couple(a, b, "exact", 1.0, WHOLE))
    for rows, says_nothing in zip(sets, flat, strict=True):
        if not says_nothing:
            _each_with_the_first(rows, lambda a, b: couple(a, b, "same", 1.0, WHOLE))
    for a, b, mirror, similarity, box in alike:
        whole = np.abs(box - WHOLE).max() < SLACK
        relation = "mirrored" if mirror else "same" if whole else "cropped"
        for one in sets[a][:FIRST_FEW]:
            for other in sets[b][:FIRST_FEW]:
                couple(one, other, relation, similarity, WHOLE if whole else box)
    table = pd.DataFrame(found, columns=COLUMNS)
    table["order"] = table["relation"].map(RELATIONS.index)
    table = table.sort_values(
        ["first", "second", "order", "similarity"], ascending=[True, True, True, False], kind="stable"
    )
    return table.drop_duplicates(["first", "second"]).drop(columns="order").reset_index(drop=True)


def _each_with_the_first(rows: list[int], couple: Callable[[int, int], None]) -> None:
    for k, one in enumerate(rows[:FIRST_FEW]):
        for other in rows[k + 1 :]:
            couple(one, other)
