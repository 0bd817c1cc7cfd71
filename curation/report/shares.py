"""How much of the pictures each class covers, before a selection and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
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
    area, shows, n = np.zeros((2, 256)), np.zeros((2, 256)), np.zeros(2)
    for pair_id, covers in areas(files, MOST_SAMPLED / max(1, rows_of(files))):
        for side in (0, 1) if pair_id in kept else (0,):
            area[side] += covers
            shows[side] += covers > 0
            n[side] += 1
    return int(n[0]), shares_of(space, area / np.maximum(n, 1)[:, None], shows / np.maximum(n, 1)[:, None])


def areas(files: Sequence[Place], chance: float) -> Iterator[tuple[str, np.ndarray]]:
    """(pair id, (256,) share of the picture that each class index covers) of the pairs with a label map, or of a sample of them."""
    for part in read_parts(files, ["pair_id", "ids"]):
        for row in part.to_pylist():
            if row["ids"] is not None and _chance(row["pair_id"]) < chance:
                counts = np.bincount(np.frombuffer(row["ids"], np.uint8), minlength=256)
                yield row["pair_id"], counts / counts.sum()


def shares_of(space: LabelSpace, area: np.ndarray, shows: np.ndarray) -> list[ClassShare]:
    """The classes that are there by falling area. (2, 256) each, before and after: mean share of the picture, share of pairs."""
    order = sorted(np.flatnonzero(shows[0]).tolist(), key=lambda c: (-area[0, c], c))
    return [
        ClassShare(
            "unknown" if c == UNKNOWN else space.names[c],
            NO_CLASS if c == UNKNOWN else space.colours[c],
            (float(area[0, c]), float(area[1, c])),
            (float(shows[0, c]), float(shows[1, c])),
        )
        for c in order
    ]


def rows_of(files: Sequence[Place]) -> int:
    """How many pairs are in these parts."""
    return sum(in_turn(_rows, files, files[0])) if files else 0


def _rows(file: Place) -> int:
    return pq.read_metadata(source(file)).num_rows


def _chance(pair_id: str) -> float:
    """A number in [0, 1) from the id alone."""
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=4, person=b"share").digest(), "big") / 2**32
