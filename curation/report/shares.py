"""How much of the pictures each class covers, before a selection and after."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from curation.evidence.marks import NO_CLASS
from curation.label_space import UNKNOWN, LabelSpace
from curation.place import Place, in_turn
from curation.workspace import read_parts, source

MOST_SAMPLED = 20_000  # pairs whose label maps are counted


@dataclass(frozen=True)
class ClassShare:
    """A class before and after: its mean share of the picture, and the share of pairs that show it."""

    name: str
    colour: tuple[int, int, int]
    area: tuple[float, float]
    pairs: tuple[float, float]


def class_shares(parts: Place, space: LabelSpace, kept: set[str]) -> tuple[int, list[ClassShare]]:
    """How many label maps were counted, and the classes by falling area: over all pairs and over the kept ones.

    Above MOST_SAMPLED pairs a sample by the hash of the id stands for all.
    """
    files = sorted(parts.glob("*.parquet"))
    chance = min(1.0, MOST_SAMPLED / max(1, sum(in_turn(_rows, files, parts))))
    area, shows, n = np.zeros((2, 256)), np.zeros((2, 256)), np.zeros(2)
    for part in read_parts(files, ["pair_id", "ids"]):
        for row in part.to_pylist():
            if row["ids"] is None or _chance(row["pair_id"]) >= chance:
                continue
            counts = np.bincount(np.frombuffer(row["ids"], np.uint8), minlength=256)
            for side in (0, 1) if row["pair_id"] in kept else (0,):
                area[side] += counts / counts.sum()
                shows[side] += counts > 0
                n[side] += 1
    area, shows = area / np.maximum(n, 1)[:, None], shows / np.maximum(n, 1)[:, None]
    order = sorted(np.flatnonzero(shows[0]).tolist(), key=lambda c: (-area[0, c], c))
    return int(n[0]), [
        ClassShare(
            "unknown" if c == UNKNOWN else space.names[c],
            NO_CLASS if c == UNKNOWN else space.colours[c],
            (float(area[0, c]), float(area[1, c])),
            (float(shows[0, c]), float(shows[1, c])),
        )
        for c in order
    ]


def _rows(file: Place) -> int:
    return pq.read_metadata(source(file)).num_rows


def _chance(pair_id: str) -> float:
    """A number in [0, 1) from the id alone."""
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=4, person=b"share").digest(), "big") / 2**32
