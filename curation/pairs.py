"""Find the pairs of a data set: a folder, two globs, or a CSV of paths -> one row per pair.

Enters: DATA as the user has it. Leaves: `Pair`s with paths relative to DATA, in the order of their ids, each with an
`error` where a partner is missing or two files claim one place. Nothing is opened here: files are only listed.

How photo and label map find each other is a layout: see pair_layouts.py.
"""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from curation.pair_layouts import (
    PHOTO_SUFFIXES,
    PHOTOS_ONLY,
    TWO_FOLDERS,
    Layout,
    best_layout,
    glob_pattern,
    match_key,
)


class NoPairsError(ValueError):
    """Nothing to work on; the message says what was looked for and what was seen."""


@dataclass(frozen=True)
class Pair:
    """One photo and its label map; paths are POSIX, relative to DATA. `error` says why it cannot be a pair."""

    pair_id: str
    image: str | None
    label: str | None
    image_stat: tuple[int, int] = (0, 0)  # size in bytes, time of the last change in ns: what "unchanged" means
    label_stat: tuple[int, int] = (0, 0)
    error: str | None = None


@dataclass(frozen=True)
class Found:
    """What `find_pairs` found: the pairs, the name of the layout, and the label space that layout implies."""

    pairs: list[Pair]
    layout: str
    label_space: str | None


def find_pairs(
    data: Path,
    images: str | None = None,
    labels: str | None = None,
    root: Path | None = None,
    photos_only_ok: bool = False,
) -> Found:
    """Find the pairs of DATA: a folder in a known layout, a folder with two globs, or a CSV of paths.

    `images`, `labels`: globs below DATA (`*` within a folder name, `**` across); what the wildcards match is the shared
    key.
    `root`: for a CSV, the folder its paths are relative to and may not leave (default: the CSV's folder).
    Raises NoPairsError, saying what was looked for and what was seen.
    """
    data = Path(data)
    if not data.exists():
        raise NoPairsError(
            f"{data} does not exist. Give the folder that holds the photos and label maps, or a CSV of paths."
        )
    if data.is_file():
        return Found(_from_csv(data, root or data.parent), "CSV", None)
    files = list_files(data)
    if images or labels:
        if not (images and labels):
            raise NoPairsError(
                "Give both --images and --labels, for example --images 'a/*.jpg' --labels 'b/*_mask.png'."
            )
        layout = Layout("globs", glob_pattern(images), glob_pattern(labels))
        pairs = _pair_up(files, layout)
        if not any(p.image and p.label for p in pairs):
            raise NoPairsError(_nothing_found(data, files, f"--images {images!r} and --labels {labels!r}"))
        return Found(pairs, "globs", None)
    layout = best_layout(files)
    if layout:
        return Found(_pair_up(files, layout), layout.name, layout.label_space)
    photos = {p: s for p, s in files.items() if p.rpartition(".")[2].lower() in PHOTO_SUFFIXES}
    stems = Counter(_without_suffix(p).rpartition("/")[2] for p in photos)
    twice = sum(n > 1 for n in stems.values()) > len(stems) / 2  # most likely photos and label maps in folders unknown
    if photos and photos_only_ok and not twice and not any(TWO_FOLDERS.label.fullmatch(p) for p in files):
        return Found(_pair_up(photos, PHOTOS_ONLY), PHOTOS_ONLY.name, None)
    raise NoPairsError(
        _nothing_found(data, files, "images/ + labels/ and the other layouts `curate index --help` names")
    )


def list_files(data: Path) -> dict[str, tuple[int, int]]:
    """Every file and image-named folder below DATA: {POSIX path: (bytes, last change in ns)}, sorted; dot files are left out.

    A folder called `x.jpg` is listed too, with size -1, so that it can be reported instead of vanishing.
    """
    found: dict[str, tuple[int, int]] = {}
    top = data.stat()
    folders = [("", frozenset([(top.st_dev, top.st_ino)]))]  # each with the folders it lies in: a link may lead back
    while folders:
        folder, above = folders.pop()
        try:
            entries = list(os.scandir(data / folder))
        except PermissionError as error:
            if not folder:
                raise NoPairsError(f"{data} may not be read: {error.strerror}.") from None
            found[folder + "/(folder may not be read).jpg"] = (-2, 0)
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                is_dir, stat = entry.is_dir(), entry.stat()
                size, mtime, place = stat.st_size, _changed(stat), (stat.st_dev, stat.st_ino)
            except OSError:  # a dangling link: the file is not there, and its row will say so
                is_dir, size, mtime, place = False, -3, 0, None
            if is_dir and not (entry.is_symlink() and place in above):
                folders.append((path, above | {place}))
            if is_dir:
                if path.rpartition(".")[2].lower() in PHOTO_SUFFIXES:
                    found[path] = (-1, 0)
            else:
                found[path] = (size, mtime)
    return dict(sorted(found.items()))


def _changed(stat: os.stat_result) -> int:
    """When a file last changed, in ns: its content (mtime) or its rights (ctime), since either can end an error."""
    return max(stat.st_mtime_ns, stat.st_ctime_ns)


def _pair_up(files: dict[str, tuple[int, int]], layout: Layout) -> list[Pair]:
    photos: dict[str, list[str]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    for path in files:
        # a label pattern is the narrower of the two: x_mask.png is no photo of its own
        if (key := match_key(layout.label, path)) is not None:
            labels[key].append(path)
        elif (key := match_key(layout.photo, path)) is not None:
            photos[key].append(path)
    rows = []
    for key in sorted(photos.keys() | labels.keys()):
        p, lab = photos.get(key, []), labels.get(key, [])
        image, label = (p[0] if p else None), (lab[0] if lab else None)
        if len(p) > 1:
            error = f"{len(p)} photos share one stem: {', '.join(p)}; rename or remove all but one"
        elif len(lab) > 1:
            error = f"{len(lab)} label maps share one stem: {', '.join(lab)}; rename or remove all but one"
        elif broken := next((f for f in (image, label) if f and files[f][0] < 0), None):
            error = _listing_error(broken, files[broken])
        elif image and not label and layout is not PHOTOS_ONLY:
            error = f"no label map for {image}"
        else:
            error = f"no photo for {label}" if label and not image else None
        stats = [files[f] if f else (0, 0) for f in (image, label)]
        rows.append((key, image, label, stats, error))
    return _with_ids(rows)


def _listing_error(path: str, stat: tuple[int, int]) -> str:
    reason = {-1: "is a folder, not a file", -2: "may not be read", -3: "is a link to nothing"}[stat[0]]
    return f"{path} {reason}"


def _with_ids(rows: list) -> list[Pair]:
    """Ids: the last part of the key; where that repeats, the file's path without suffix."""
    stems = Counter(key.rpartition("/")[2] for key, *_ in rows)
    pairs = []
    for key, *rest in rows:
        stem = key.rpartition("/")[2]
        pair_id = stem if stems[stem] == 1 and stem else _without_suffix(rest[0] or rest[1] or key)
        pairs.append(_as_pair(pair_id, *rest))
    taken = Counter(p.pair_id for p in pairs)
    if any(n > 1 for n in taken.values()):  # a path without suffix can still equal another pair's stem
        pairs = [Pair(p.image or p.label, *list(p.__dict__.values())[1:]) if taken[p.pair_id] > 1 else p for p in pairs]
    return sorted(pairs, key=lambda p: p.pair_id)


def _as_pair(pair_id: str, image: str | None, label: str | None, stats: list, error: str | None) -> Pair:
    """A Pair whose names a table can hold: bytes that are not UTF-8 reach Python as lone surrogates, which none can."""
    names = [pair_id, image, label]
    if any(n != _as_text(n) for n in names if n):
        pair_id, image, label = (n and _as_text(n) for n in names)
        error = f"file name is not valid UTF-8: {image or label}"
    return Pair(pair_id, image, label, tuple(stats[0]), tuple(stats[1]), error)


def _as_text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _from_csv(table: Path, root: Path) -> list[Pair]:
    """Pairs from a CSV with the columns image, label and, if wished, pair_id; paths relative to `root`."""
    try:
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as f:
            reader = csv.DictReader(f)
            columns = list(reader.fieldnames or [])
            lines = list(reader)
    except (OSError, csv.Error) as error:
        raise NoPairsError(f"{table} cannot be read as a CSV of paths: {error}.") from None
    if "image" not in columns or "label" not in columns:
        has = _as_text(", ".join(columns))[:100] or "none"
        raise NoPairsError(f"{table} needs the columns image and label (and, if wished, pair_id); it has: {has}.")
    base = os.path.abspath(root)
    rows, all_outside = [], True
    for line in lines:
        paths, error, inside = [], None, True
        for column in ("image", "label"):
            text = (line.get(column) or "").strip()
            full = os.path.normpath(os.path.join(base, text))
            if not text:
                error = error or f"the {column} column is empty"
            elif os.path.commonpath([base, full]) != base:
                error = error or f"{text} lies outside {base}; pass --root with the folder that holds all files"
                inside = False
            paths.append(os.path.relpath(full, base).replace(os.sep, "/") if text else None)
        stats = [_stat(base, p) if p and not error else (0, 0) for p in paths]
        for path, stat in zip(paths, stats, strict=True):
            if stat[0] < 0 and not error:
                error = _listing_error(path, stat) if stat[0] == -1 else f"{path} does not exist"
        key = (line.get("pair_id") or "").strip() or _without_suffix(paths[0] or paths[1] or "row")
        rows.append((key, *paths, stats, error))
        all_outside = all_outside and not inside
    if not rows:
        raise NoPairsError(f"{table} has a header and no rows.")
    if all_outside:
        raise NoPairsError(
            f"Every path in {table} lies outside {base}. Pass --root with the folder that holds all files."
        )
    rows = _tell_apart(rows, table.name)
    if "pair_id" not in columns:
        stems = Counter(key.rpartition("/")[2] for key, *_ in rows)
        rows = [(stem if stems[(stem := key.rpartition("/")[2])] == 1 else key, *rest) for key, *rest in rows]
    return sorted((_as_pair(*row) for row in rows), key=lambda p: p.pair_id)


def _tell_apart(rows: list, table: str) -> list:
    """The rows of a CSV with distinct keys: the first of several with one key keeps it, the others get an error."""
    taken, seen, told = {key for key, *_ in rows}, set(), []
    for key, image, label, stats, error in rows:
        if key in seen:
            error = error or f"pair_id {key} stands in {table} more than once"
            key = next(other for n in count(2) if (other := f"{key}#{n}") not in taken)
            taken.add(key)
        seen.add(key)
        told.append((key, image, label, stats, error))
    return told


def _stat(base: str, path: str) -> tuple[int, int]:
    try:
        stat = os.stat(os.path.join(base, path))
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return (-3, 0)
    return (-1, 0) if os.path.isdir(os.path.join(base, path)) else (stat.st_size, _changed(stat))


def _nothing_found(data: Path, files: dict, looked_for: str) -> str:
    seen: Counter[str] = Counter()
    for path in files:
        folder, _, name = path.rpartition("/")
        seen[f"{folder or '.'}/*{os.path.splitext(name)[1]}"] += 1
    listing = _as_text(", ".join(f"{n} {kind}" for kind, n in seen.most_common(8))) or "no files at all"
    more = f" and {len(seen) - 8} more kinds" if len(seen) > 8 else ""
    return (
        f"No pairs found in {data}. Looked for {looked_for}; saw {listing}{more}. "
        "A photo and its label map must share a name. Other layouts: --images 'a/*.jpg' --labels 'b/*_mask.png', "
        "or a CSV with the columns image and label."
    )
