"""The packed set: the pairs of a manifest, decoded once and kept at the size of training.

In comes a manifest of `curate build-selection`, out come two arrays that are mapped into memory: photos and channel indices. They lie in
CACHE/KEY as photos.npy, ids.npy and about.json. KEY is a digest of all that decides their bytes, so what lies there is never stale;
the folder gets that name by a rename when it is whole, so it is never half written. Users' files are read, never written.
"""

from __future__ import annotations

import json
import math
import shutil
import struct
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from training.classes import ClassesError, TrainingClasses, classes_of
from training.whole_folder import lock, sweep, whole

if TYPE_CHECKING:
    from curation.label_space import LabelSpace
    from curation.manifest import Manifest

FORMAT = 1  # part of KEY; higher it when the same files would give other bytes
HEADER = 128  # bytes before the array in our .npy files: always the same number, so that it can be written last
IN_FLIGHT = 4  # decoded pairs a worker that may wait to be written: bounds memory
FEW_BAD = 3  # so many pairs may be bad in any set, however small
AGAIN = "run `curate build-selection` again"


class DataError(ValueError):
    """Data that cannot be trained on; says what, which file, what to do."""


@dataclass(frozen=True, eq=False)
class PackedSet:
    """The pairs of a manifest at one size, in the order of the manifest.

    Attributes:
        photos: (N, H, W, 3) uint8 RGB, mapped read-only.
        ids: (N, H, W) uint8 channel indices (see TrainingClasses), mapped read-only.
        pair_ids: (N,) pair ids.
        weights: (N,) float64 >= 0, not all zero: how often to draw each pair, relative to the others.
        classes: what the channels stand for.
        skipped: "PAIR: fault: PATH" of each pair of the manifest that is left out.
        size: (width, height) in pixels.
        key: digest of all that decides the arrays, in hex; the name of their folder.
        folder: where they lie.
        reused: they were there already; no file of the user was opened.
        manifest_sha256: digest of the manifest, in hex.
    """

    photos: np.ndarray
    ids: np.ndarray
    pair_ids: tuple[str, ...]
    weights: np.ndarray
    classes: TrainingClasses
    skipped: tuple[str, ...]
    size: tuple[int, int]
    key: str
    folder: Path
    reused: bool
    manifest_sha256: str

    def __len__(self) -> int:
        return len(self.pair_ids)


def pack(
    manifest: Path,
    size: tuple[int, int],
    cache: Path,
    *,
    on_skip: Callable[[str], None],
    data: Path | None = None,
    most_bad: float = 0.01,
    quiet: bool = False,
    workers: int = 0,
) -> PackedSet:
    """The packed set of a manifest; decoded when CACHE does not have it yet. Processes that want the same one wait for the first.

    Photos are resized by Pillow's bicubic filter, label maps by nearest (see curation.decode). A pair whose files are gone, changed since
    the manifest was written (SHA-256 of the very bytes that are decoded) or not usable is skipped.

    Args:
        manifest: the CSV file; its recipe (.json) lies beside it.
        size: (width, height) in pixels.
        cache: folder for packed sets.
        on_skip: called with a sentence for each pair that is left out, also when the packed set was there already.
        data: the folder that holds the files now, if it is not where the recipe says.
        most_bad: share of the pairs that may be left out; three always may.
        quiet: write nothing on stderr.
        workers: decoding threads; 0 = one a processor. The arrays do not depend on it.

    Raises:
        DataError: no usable manifest, recipe or weights; more bad pairs than allowed; no room in `cache`.
    """
    from curation.workspace import file_digest

    manifest, cache = Path(manifest), Path(cache)
    width, height = (int(side) for side in size)
    read, weights = _read(manifest)
    most = max(FEW_BAD, int(most_bad * len(read.pairs)))
    try:
        key = _key(read, width, height)
        folder = cache / key
        found = _open(folder)
        reused = found is not None
        if found is None:
            cache.mkdir(parents=True, exist_ok=True)
            with lock(folder, quiet=quiet) as held:
                found = _open(folder)  # another process may have packed it meanwhile
                reused = found is not None
                if found is None:
                    sweep(cache, folder if held else None)
                    _check_room(len(read.pairs), width, height, cache)
                    _write(folder, manifest, read, (width, height), _decoded(read, size, data, workers, quiet), most)
                    found = _open(folder)
    except ClassesError as error:
        raise DataError(f"{manifest.with_suffix('.json')}: {error}") from None
    except OSError as error:
        mend = "Free some room or name another folder with --cache."
        raise DataError(
            f"The packed set of {manifest} cannot be kept in {cache}: {error.strerror or error}. {mend}"
        ) from error
    if found is None:
        raise DataError(f"{folder} was written and cannot be read back. Name a folder on another disk with --cache.")
    about, photos, ids = found
    skipped = tuple(about["skipped"])
    _check_skipped(skipped, most, len(read.pairs), manifest)
    if reused and not quiet:
        print(f"{len(photos)} pairs of {manifest} are packed in {folder}; none is decoded again.", file=sys.stderr)
    for fault in skipped:
        on_skip(f"{fault}; {AGAIN}" + (f", or remove {folder} to have it looked at again" if reused else ""))
    kept = np.array([weights[pair_id] for pair_id in about["pairs"]])
    if not kept.any():
        raise DataError(f"{manifest}: every pair that can be used has weight 0. Give some a weight above 0.")
    return PackedSet(
        photos=photos,
        ids=ids,
        pair_ids=tuple(about["pairs"]),
        weights=kept,
        classes=about["classes"],
        skipped=skipped,
        size=(width, height),
        key=key,
        folder=folder,
        reused=reused,
        manifest_sha256=file_digest(manifest),
    )


def _read(path: Path) -> tuple[Manifest, dict[str, float]]:
    """The manifest and the weight of each pair."""
    from curation.manifest import COLUMNS, Manifest, ManifestError, read_manifest

    write_it_again = "Write it again with `curate build-selection`."
    try:
        read = read_manifest(path)
    except ManifestError as error:
        raise DataError(f"{error} {write_it_again}" if path.exists() else str(error)) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Name a manifest (.csv).") from None
    pairs = read.pairs.assign(**{column: read.pairs[column].fillna("") for column in COLUMNS})  # rows that end early
    if not len(pairs):
        raise DataError(f"{path} lists no pair. Choose another manifest, or looser thresholds when it is built.")
    if not isinstance(read.recipe, dict) or not read.recipe:
        raise DataError(
            f"{path.with_suffix('.json')}, the recipe with the label space, is missing or empty. Copy it to its place "
            f"beside {path.name}, or build the manifest again with `curate build-selection`."
        )
    for column in ("image", "label"):
        if (empty := pairs["pair_id"][pairs[column] == ""]).size:
            raise DataError(f"{path}: pair {empty.iloc[0]} has no {column}; training needs a photo and a label map.")
    if (twice := pairs["pair_id"][pairs["pair_id"].duplicated()]).size:
        raise DataError(f"{path} lists pair {twice.iloc[0]} twice. Keep one row; `weight` says how often it is drawn.")
    weights = {row.pair_id: _weight(row.weight, row.pair_id, path) for row in pairs.itertuples(index=False)}
    if not any(weights.values()):
        raise DataError(f"{path}: all weights are 0. Give some pairs a weight above 0.")
    return Manifest(read.folder, pairs, read.recipe), weights


def _weight(text: str, pair_id: str, path: Path) -> float:
    try:
        weight = float(text.strip() or 1)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise DataError(f"{path}: pair {pair_id} has weight {text!r}; write a number from 0 up (empty means 1).")
    return weight


def _key(read: Manifest, width: int, height: int) -> str:
    from curation.workspace import digest

    classes = classes_of(read.recipe)  # refuses a bad recipe before anything is decoded
    # the name of a label map decides whether an id alias of the label space applies
    rows = [
        (row.pair_id, row.sha256_image, row.sha256_label, Path(row.label).name)
        for row in read.pairs.itertuples(index=False)
    ]
    return digest(FORMAT, rows, [width, height], classes.to_dict())[:20]


def _open(folder: Path) -> tuple[dict[str, Any], np.ndarray, np.ndarray] | None:
    """What about.json says, photos, ids; None when there is no whole packed set. `classes` are TrainingClasses already."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        photos = np.load(folder / "photos.npy", mmap_mode="r", allow_pickle=False)
        ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
        width, height = about["size"]
        count = len(about["pairs"])
        about["classes"] = TrainingClasses.from_dict(about["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = photos.shape == (count, height, width, 3) and ids.shape == (count, height, width)
    return (about, photos, ids) if whole else None


def _decoded(
    read: Manifest, size: tuple[int, int], data: Path | None, workers: int, quiet: bool
) -> Iterator[tuple[np.ndarray, np.ndarray] | str]:
    """Photo and class indices of each pair, in order, or what is wrong with it."""
    from curation.engine.local import default_workers, progress
    from curation.manifest import ManifestError, resolve

    try:
        find = resolve(read, data)
    except ManifestError as error:
        raise DataError(str(error)) from None
    space = classes_of(read.recipe).space
    workers = workers or default_workers()
    flying: deque[Future] = deque()
    with (
        warnings.catch_warnings(),  # threads that each save and restore the filters would leave them changed
        progress("pack", len(read.pairs), quiet) as advance,
        ThreadPoolExecutor(workers) as pool,  # Pillow and zlib-ng let go of the interpreter while they work
    ):
        for row in read.pairs.itertuples(index=False):
            flying.append(pool.submit(_decode, find, row, space, size))
            if len(flying) == IN_FLIGHT * workers:
                yield flying.popleft().result()
                advance(1)
        while flying:
            yield flying.popleft().result()
            advance(1)


def _decode(
    find: Callable[[str], Path], row: Any, space: LabelSpace, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray] | str:
    from curation.decode import PairError, label_at, photo_at
    from curation.manifest import ManifestError
    from curation.place import PlaceError

    kind, relative = "photo", row.image
    try:
        photo, sha256 = photo_at(find(row.image), *size)
        if sha256 == row.sha256_image:
            kind, relative = "label map", row.label
            ids, sha256 = label_at(find(row.label), space, *size)
            if sha256 == row.sha256_label:
                return photo, ids
    except PairError as error:
        return f"{kind}: {error}: {relative}"
    except ManifestError as error:
        return str(error)
    except PlaceError as error:  # no pair's fault: the store that the manifest names cannot be reached
        raise DataError(str(error)) from None
    return f"{kind} changed since the manifest was written: {relative}"


def _write(
    folder: Path,
    manifest: Path,
    read: Manifest,
    size: tuple[int, int],
    decoded: Iterator[tuple[np.ndarray, np.ndarray] | str],
    most: int,
) -> None:
    """Write a packed set from what is decoded. DataError as soon as more than `most` pairs cannot be used."""
    from curation.workspace import write_json

    width, height = size
    present = np.zeros(256, bool)
    kept: list[str] = []
    skipped: list[str] = []
    with whole(folder) as temporary:
        # written, not mapped: a disk that is full gives an error so, and a killed process otherwise
        with open(temporary / "photos.npy", "wb") as photos, open(temporary / "ids.npy", "wb") as ids, closing(decoded):
            photos.write(bytes(HEADER))
            ids.write(bytes(HEADER))
            for pair_id, found in zip(read.pairs["pair_id"], decoded, strict=True):
                if isinstance(found, str):
                    skipped.append(f"{pair_id}: {found}")
                    _check_skipped(skipped, most, len(read.pairs), manifest)
                else:
                    photos.write(np.ascontiguousarray(found[0]).data)
                    ids.write(np.ascontiguousarray(found[1]).data)
                    present |= np.bincount(found[1].ravel(), minlength=256) > 0
                    kept.append(pair_id)
            if not kept:
                _check_skipped(skipped, 0, len(read.pairs), manifest)
            _write_header(photos, (len(kept), height, width, 3))
            _write_header(ids, (len(kept), height, width))
        classes = classes_of(read.recipe, set(np.flatnonzero(present).tolist()))
        for one in (array := np.load(temporary / "ids.npy", mmap_mode="r+")):
            one[:] = classes.of(one)
        array.flush()
        about = {"key": folder.name, "size": [width, height], "pairs": kept, "skipped": skipped}
        write_json(temporary / "about.json", {**about, "classes": classes.to_dict()})


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The .npy header (format 1.0) of a uint8 array, padded to HEADER bytes. np.save would need the shape first."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    file.seek(0)
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER - 10) + text.ljust(HEADER - 11).encode() + b"\n")


def _check_skipped(skipped: Sequence[str], most: int, total: int, manifest: Path) -> None:
    if len(skipped) > most:
        raise DataError(
            f"{manifest}: {len(skipped)} of {total} pairs cannot be used so far, and no more than {most} may be left "
            f"out. The first: {'; '.join(skipped[:3])}. Pass --data if the files lie elsewhere now; if they changed, {AGAIN}."
        )


def _check_room(count: int, width: int, height: int, cache: Path) -> None:
    needed = count * (width * height * 4 + 200) + (1 << 20)
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise DataError(
            f"{count} pairs at {width}x{height} need {needed / 1e9:.2f} GB; {free / 1e9:.2f} GB are free in {cache}. "
            "Name a folder on another disk with --cache."
        )
