"""A copy of a paired data set in which known defects are planted, with the truth written down.

    python -m benchmarks.planting --data DATA --out COPY [--seed 7] [--fraction 0.25] [--label-space NAME]

Enters: DATA, anything that `curate index` takes (a folder in a known layout, a CSV of paths). Leaves:

    COPY/images/ID.jpg          photos; where nothing is planted in one, its own bytes
    COPY/labels/ID.png          label maps, greyscale class ids, as deep (8 or 16 bits) as the originals
    COPY/label_space.toml       ids, names and roles of the classes; none where DATA names no classes
    COPY/planting.json          what the copy was made from
    COPY/truth.csv              pair_id, defect, detail; a pair without a row is clean; detail of a copy = its original

`fraction` of the pairs get a defect of IN_PLACE (benchmarks/defects.py), the kinds in equal numbers where enough pairs
suit them; a few of the clean ones get a damaged file, and a few are there a second time. Every label map is written
anew, so nothing but the defect tells a planted one from a clean one. Every choice follows from the seed and the ids.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.defects import ALTERED_COPIES, IN_PLACE, QUALITY, Change, Scene
from curation import stages
from curation.decode import PairError, label_at, photo_at, read_pair
from curation.engine.local import progress
from curation.label_space import UNKNOWN, LabelSpace
from curation.pairs import Pair
from curation.workspace import write_csv, write_json

VERSION = 1  # raise when the same seed would plant otherwise
FILE_DEFECTS = ("truncated_image", "empty_image", "label_other_size", "id_out_of_range")
COPIES = ("copy_exact", *ALTERED_COPIES)
DAMAGED, COPIED = 5, 10  # pairs of each kind of file defect and of copy; fewer in a small set
FEWEST = 30  # readable pairs


@dataclass(frozen=True)
class Original:
    """A readable pair of DATA: where its files are, its upright size, whether its label map has 16 bits."""

    pair: Pair
    width: int
    height: int
    deep: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--fraction", type=float, default=0.25)
    parser.add_argument("--label-space")
    arguments = parser.parse_args()
    try:
        truth = plant(arguments.data, arguments.out, arguments.seed, arguments.fraction, arguments.label_space)
    except ValueError as error:
        sys.exit(str(error))
    print(truth["defect"].value_counts(sort=False).to_string())


def plant(
    source: Path, out: Path, seed: int, fraction: float = 0.25, label_space: str | None = None, quiet: bool = False
) -> pd.DataFrame:
    """Write the planted copy of `source` to `out` and return its truth: pair_id, defect, detail.

    A copy of the same making that is already there is taken as it is. Raises ValueError when `out` holds anything else,
    when `source` has fewer than FEWEST readable pairs or when two ids give one file name; and what `stages.index` raises.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"--fraction {fraction}: a share of the pairs above 0 and up to 1 gets a defect")
    source, out = Path(source), Path(out)
    made_from = {
        "source": str(source.resolve()), "seed": seed, "fraction": fraction, "label_space": label_space, "version": VERSION
    }  # fmt: skip
    if (out / "truth.csv").is_file() and (out / "planting.json").is_file():
        if json.loads((out / "planting.json").read_text(encoding="utf-8")) == made_from:
            return read_truth(out)
        raise ValueError(f"{out} holds a copy that was planted otherwise (see planting.json); name another folder")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no finished copy; name another folder or remove it")
    with tempfile.TemporaryDirectory() as scratch:
        work = stages.index(stages.Run(quiet=True), Path(scratch) / "work", source, label_space)
        copy = _Copy(work.data, out, work.space, stages.read_pairs(work), seed, quiet)
    truth = [*copy.in_place(fraction), *copy.file_defects(), *copy.copies()]
    write_json(out / "planting.json", made_from)
    table = pd.DataFrame(sorted(truth), columns=["pair_id", "defect", "detail"], dtype=str)
    write_csv(out / "truth.csv", table)  # last: with it the copy is whole
    return table


def read_truth(copy: Path) -> pd.DataFrame:
    """truth.csv of a planted copy: pair_id, defect, detail, all texts."""
    return pd.read_csv(copy / "truth.csv", dtype=str, keep_default_na=False)


class _Copy:
    """The copy while it is written."""

    def __init__(self, data: Path, out: Path, space: LabelSpace, pairs: list[Pair], seed: int, quiet: bool):
        self.data, self.out, self.space, self.seed, self.quiet = data, out, space, seed, quiet
        self.originals: dict[str, Original] = {}
        seen = np.zeros(256, bool)
        for pair in self._each([p for p in pairs if p.label and not p.error], "survey"):
            try:
                photo, label = read_pair(data / pair.image, data / pair.label, space)
            except PairError:
                continue  # what cannot be read is no clean pair to start from
            name = re.sub(r"[^\w.-]", "_", pair.pair_id).lstrip(".")
            if not name or name in self.originals:
                raise ValueError(f'pair_id "{pair.pair_id}" gives no file name of its own ("{name}"); rename that pair')
            seen[np.unique(label.ids)] = True
            self.originals[name] = Original(pair, photo.width, photo.height, _is_deep(data / pair.label))
        if len(self.originals) < FEWEST:
            raise ValueError(f"{data} has {len(self.originals)} readable pairs; {FEWEST} are needed to plant defects")
        self.classes = tuple(np.flatnonzero(seen[:UNKNOWN]).tolist())
        taken = {*space.ids, *space.unknown_ids}
        self.strange_id = next(i for i in range(max(space.ids) + 1, 65536) if i not in taken)
        self.unknown_id = next(iter(space.unknown_ids), self.strange_id + 1)
        self.id_of = np.zeros(256, np.uint16)
        self.id_of[: len(space.ids)] = space.ids
        self.id_of[UNKNOWN] = self.unknown_id
        self.clean: list[str] = []
        for room in ("images", "labels"):
            (out / room).mkdir(parents=True, exist_ok=True)
        if not space.allow_any:
            (out / "label_space.toml").write_text(_as_toml(space, self.unknown_id), encoding="utf-8")

    def in_place(self, fraction: float) -> Iterator[tuple[str, str, str]]:
        """Write every pair, with a defect where one is due; yields the truth."""
        order = sorted(self.originals, key=lambda name: self._rng("order", name).random())
        n = int(fraction * len(order))
        wanted = {kind: n // len(IN_PLACE) + (k < n % len(IN_PLACE)) for k, kind in enumerate(IN_PLACE)}
        for name in self._each(order, "plant"):
            ids = self._ids(name)
            scene = Scene(
                ids,
                self.classes,
                self.space.names,
                self.space.indices_of("sky"),
                lambda name=name: self._photo(name),
                lambda rng, name=name: self._ids(_another(order, name, rng)),
            )
            most_wanted = sorted((kind for kind in wanted if wanted[kind]), key=lambda kind: -wanted[kind])
            tries = ((kind, IN_PLACE[kind](scene, self._rng(kind, name))) for kind in most_wanted)
            kind, change = next(((k, c) for k, c in tries if c is not None), ("", Change()))
            self._write_label(name, ids if change.ids is None else change.ids, self.originals[name].deep)
            if change.photo is None:
                shutil.copyfile(self.data / self.originals[name].pair.image, self._image(name))
            else:
                self._write_photo(name, change.photo)
            if kind:
                wanted[kind] -= 1
                yield name, kind, change.detail
            else:
                self.clean.append(name)

    def file_defects(self) -> Iterator[tuple[str, str, str]]:
        """Damage the files of some clean pairs; yields the truth."""
        for kind in FILE_DEFECTS:
            for name in self._take(kind, DAMAGED, 40):
                image, ids, deep, detail = self._image(name), self._ids(name), self.originals[name].deep, ""
                if kind == "truncated_image":
                    image.write_bytes(image.read_bytes()[: image.stat().st_size // 3])
                elif kind == "empty_image":
                    image.write_bytes(b"")
                elif kind == "label_other_size":
                    self._write_label(name, ids[: len(ids) * 2 // 3], deep)
                else:
                    values = self.id_of[ids]
                    values[:5, :5] = self.strange_id
                    self._write_values(name, values, deep)
                    detail = str(self.strange_id)
                yield name, kind, detail

    def copies(self) -> Iterator[tuple[str, str, str]]:
        """Write some clean pairs a second time; yields the truth."""
        for kind in COPIES:
            for k, name in enumerate(self._take(kind, COPIED, 20)):
                new, deep = f"{kind}_{k:03d}", self.originals[name].deep
                if new in self.originals:
                    raise ValueError(f'the data set already has a pair "{new}", the name of a planted copy; rename it')
                if kind == "copy_exact":
                    shutil.copyfile(self._image(name), self.out / "images" / f"{new}{self._image(name).suffix}")
                    self._write_label(new, self._ids(name), deep)
                else:
                    rng = self._rng(kind, name)
                    photo, ids, quality = ALTERED_COPIES[kind](self._photo(name), self._ids(name), rng)
                    self._write_photo(new, photo, quality)
                    self._write_label(new, ids, deep)
                yield new, kind, name

    def _take(self, kind: str, most: int, one_in: int) -> list[str]:
        """Up to `most` clean pairs, 1 in `one_in` of them in a small set; they are clean originals no longer."""
        self.clean.sort(key=lambda name: self._rng("pick", name).random())
        taken = self.clean[: min(most, max(1, len(self.clean) // one_in))]
        del self.clean[: len(taken)]
        return taken

    def _rng(self, *words: str) -> np.random.Generator:
        text = "\0".join((str(self.seed), *words))
        return np.random.default_rng(
            int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16, person=b"plant").digest(), "big")
        )

    def _each(self, items: list, caption: str) -> Iterator:
        with progress(caption, len(items), self.quiet) as advance:
            for item in items:
                yield item
                advance(1)

    def _ids(self, name: str) -> np.ndarray:
        one = self.originals[name]
        return label_at(self.data / one.pair.label, self.space, one.width, one.height)[0]

    def _photo(self, name: str) -> np.ndarray:
        one = self.originals[name]
        return photo_at(self.data / one.pair.image, one.width, one.height)[0]

    def _image(self, name: str) -> Path:
        """Where the photo goes when its bytes stay as they are."""
        return self.out / "images" / f"{name}{Path(self.originals[name].pair.image).suffix.lower()}"

    def _write_photo(self, name: str, photo: np.ndarray, quality: int = QUALITY) -> None:
        pixels = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        (self.out / "images" / f"{name}.jpg").write_bytes(data.tobytes())

    def _write_label(self, name: str, ids: np.ndarray, deep: bool) -> None:
        self._write_values(name, self.id_of[ids], deep)

    def _write_values(self, name: str, values: np.ndarray, deep: bool) -> None:
        if not deep and values.max() < 256:
            values = values.astype(np.uint8)
        (self.out / "labels" / f"{name}.png").write_bytes(cv2.imencode(".png", values)[1].tobytes())


def _another(order: list[str], name: str, rng: np.random.Generator) -> str:
    return order[(order.index(name) + 1 + int(rng.integers(len(order) - 1))) % len(order)]


def _is_deep(label: Path) -> bool:
    """Whether a label map is a PNG of 16 bits (byte 24 of the file: bit depth, PNG specification 11.2.2)."""
    with open(label, "rb") as file:
        head = file.read(25)
    return head.startswith(b"\x89PNG") and head[24] == 16


def _as_toml(space: LabelSpace, unknown_id: int) -> str:
    """The label space of the copy: ids as written, no aliases, no colours."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)  # JSON's texts and lists are TOML's, too

    classes = [f"{class_id} = {text(name)}" for class_id, name in zip(space.ids, space.names, strict=True)]
    roles = [f"{role} = {text([space.names[i] for i in indices])}" for role, indices in space.roles.items()]
    head = [f"name = {text(space.name)}", f"unknown = {sorted({unknown_id, *space.unknown_ids})}"]
    return "\n".join([*head, "", "[classes]", *classes, "", "[roles]", *roles, ""])


if __name__ == "__main__":
    main()
