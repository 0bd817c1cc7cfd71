"""Measure one shard of pairs: the pure function that every engine runs.

Enters: a Shard (where the data is, which pairs, which label space). Leaves: one Parquet part and, once that is whole, its
done-marker. A part has one row per pair: the columns of the table (TABLE) and what later stages need so that no file is opened
twice (KEPT): a preview of the photo, the ids at the same scale, the layout, a thumbnail, a descriptor.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.decode import PairError, read_pair, read_photo
from curation.duplicates import thumbnail
from curation.label_space import LabelSpace
from curation.layout import layout_of
from curation.pairs import Pair
from curation.photo_similarity import describe
from curation.place import AT_ONCE, Fetched, Place, RemotePlace, place, read_ahead
from curation.scores import SCORES, measure_all
from curation.scores.view import View
from curation.workspace import atomic, digest, source, write_json

MEASURED = [name for name, score in SCORES.items() if score.measure]
TABLE = pa.schema(
    [
        ("pair_id", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        *[(name, pa.float64()) for name in MEASURED],
        ("error", pa.string()),
        ("sha256_image", pa.string()),
        ("sha256_label", pa.string()),
    ]
)
KEPT = pa.schema(
    [
        ("preview", pa.binary()),  # JPEG of the photo at preview scale
        ("ids", pa.binary()),  # uint8 class indices, row by row, same size
        ("layout", pa.binary()),  # see layout.py
        ("thumbnail", pa.binary()),  # (48, 48) uint8, see duplicates.py
        ("descriptor", pa.binary()),  # (528,) uint8, see photo_similarity.py
    ]
)
PART = pa.schema([*TABLE, *KEPT])
VERSION = 3  # raise when decoding or a kept column changes
SHARD_MEAN, SHARD_MOST = 64, 256  # pairs: small enough to keep all processes busy on a few hundred


@dataclass(frozen=True)
class Shard:
    """Some pairs to measure, and where the part goes. `key` is the digest of all that decides its content."""

    key: str
    pairs: tuple[Pair, ...]
    data: str
    space: dict
    folder: str

    @property
    def part(self) -> Place:
        return place(self.folder) / f"{self.key}.parquet"

    @property
    def done(self) -> Place:
        return place(self.folder) / f"{self.key}.json"


def plan_shards(pairs: list[Pair], data: Place, space: LabelSpace, folder: Place) -> list[Shard]:
    """Cut the pairs, in order of id, into shards whose borders depend on the ids alone.

    A border falls after an id whose hash says so, so adding or removing a pair changes only the shard it is in, and the rest need
    not be measured again.
    """
    made_by = digest(VERSION, {n: SCORES[n].version for n in MEASURED}, space.digest())
    description = space.to_dict()
    shards, start = [], 0
    for i, pair in enumerate(pairs):
        border = int.from_bytes(hashlib.blake2b(pair.pair_id.encode(), digest_size=4).digest(), "big") % SHARD_MEAN == 0
        if border or i - start + 1 == SHARD_MOST or i == len(pairs) - 1:
            some = tuple(pairs[start : i + 1])
            key = digest(made_by, [p.__dict__ for p in some])[:24]
            shards.append(Shard(key, some, str(data), description, str(folder)))
            start = i + 1
    return shards


def is_done(shard: Shard) -> bool:
    """Whether the part of a shard is there and whole."""
    try:
        return json.loads(shard.done.read_text())["bytes"] == shard.part.stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find_undone(shards: list[Shard], folder: Place) -> list[Shard]:
    """The shards whose part is still to be made. A remote folder is listed once: what is there was put whole, markers last."""
    if not isinstance(folder, RemotePlace):
        return [shard for shard in shards if not is_done(shard)]
    there = set(folder.names())
    return [shard for shard in shards if not {shard.part.name, shard.done.name} <= there]


def measure_shard(shard: Shard) -> int:
    """Measure every pair of a shard and write its part and done-marker; returns the number of pairs."""
    began = time.perf_counter()
    space = LabelSpace.from_dict(shard.space)
    batches = [shard.pairs[i : i + AT_ONCE // 2] for i in range(0, len(shard.pairs), AT_ONCE // 2)]
    files = [[f for p in batch if not p.error for f in (p.image, p.label) if f] for batch in batches]
    rows = []
    for batch, data in zip(batches, read_ahead(place(shard.data), files), strict=True):
        rows += [measure_pair(pair, data, space) for pair in batch]
    with atomic(shard.part) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, PART), temporary, compression="zstd")
        size = temporary.stat().st_size
    faults = sum(row["error"] is not None for row in rows)
    seconds = round(time.perf_counter() - began, 3)
    write_json(shard.done, {"pairs": len(rows), "errors": faults, "seconds": seconds, "bytes": size})
    return len(rows)


def measure_pair(pair: Pair, data: Place | Fetched, space: LabelSpace) -> dict:
    """One row of a part. A pair that cannot be measured gets its `error` and nulls."""
    row: dict = {name: None for name in PART.names}
    row |= {"pair_id": pair.pair_id, "image": pair.image, "label": pair.label, "error": pair.error}
    if pair.error:
        return row
    try:
        if pair.label:
            photo, label = read_pair(data / pair.image, data / pair.label, space)
            row["sha256_label"] = label.sha256
            view = View(photo.photo, photo.detail, label.ids, space)
            row["ids"] = label.ids.tobytes()
            row["layout"] = layout_of(label.ids).tobytes()
        else:
            photo = read_photo(data / pair.image)
            view = View(photo.photo, photo.detail)
        row |= {"width": photo.width, "height": photo.height, "sha256_image": photo.sha256}
        row |= measure_all(view, MEASURED)
        row["thumbnail"] = thumbnail(photo.detail).tobytes()
        row["descriptor"] = describe(photo.photo).tobytes()
        row["preview"] = encode_preview(photo.photo)
    except PairError as error:
        row |= {name: None for name in PART.names[3:]}
        row["error"] = str(error)
    return row


def encode_preview(photo: np.ndarray) -> bytes:
    """(h, w, 3) uint8 RGB -> JPEG, quality 90: at 256 pixels about 15 kB."""
    return cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def decode_preview(preview: bytes) -> np.ndarray:
    """The JPEG of `encode_preview` -> (h, w, 3) uint8 RGB."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_kept(part: Place, columns: list[str]) -> list[dict]:
    """Rows of one part with some of its columns, without the pairs that could not be measured."""
    rows = pq.read_table(source(part, True), columns=[*columns, "error"]).to_pylist()
    return [row for row in rows if row["error"] is None]
