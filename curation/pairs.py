"""Find the pairs of a data set: a folder, two globs, or a table of paths (CSV, Parquet) -> one row per pair.

Enters: DATA as the user has it, on this machine or elsewhere (place.py). Leaves: `Pair`s with paths relative to DATA, in the order of their ids, each with an
`error` where a partner is missing or two files claim one place. Nothing is opened here: files are only listed.

How photo and label map find each other is a layout: see pair_layouts.py.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import count

from curation.listing import Stat, list_files, reason_of, stat_files
from curation.pair_layouts import (
    PHOTO_SUFFIXES,
    PHOTOS_ONLY,
    TWO_FOLDERS,
    Layout,
    best_layout,
    glob_pattern,
    match_key,
)
from curation.pair_table import PARQUET, NoPairsError, is_partitioned, made_from, read_rows
from curation.place import Place, absolute, inside, is_url, moved, place


@dataclass(frozen=True)
class Pair:
    """One photo and its label map; paths are POSIX, relative to DATA. `error` says why it cannot be a pair."""

    pair_id: str
    image: str | None
    label: str | None
    image_stat: Stat = (0, 0)  # size in bytes, stamp: what "unchanged" means, see listing.py
    label_stat: Stat = (0, 0)
    error: str | None = None


@dataclass(frozen=True)
class Found:
    """What `find_pairs` found: the pairs, the name of the layout, the label space that layout implies, the folder of the paths."""

    pairs: list[Pair]
    layout: str
    label_space: str | None
    base: Place


def find_pairs(
    data: Place,
    images: str | None = None,
    labels: str | None = None,
    root: Place | None = None,
    photos_only_ok: bool = False,
) -> Found:
    """Find the pairs of DATA: a folder in a known layout, a folder with two globs, or a table of paths: a CSV or Parquet file, or a
    folder of nothing but Parquet files.

    `images`, `labels`: globs below DATA (`*` within a folder name, `**` across); what the wildcards match is the shared
    key.
    `root`: for a table, the folder its paths are relative to and may not leave (default: the table's folder). Of a manifest whose recipe lies
    beside it, where its data folder is now (default: where the recipe says).
    Raises NoPairsError, saying what was looked for and what was seen.
    """
    data = place(data)
    if not data.exists():
        raise NoPairsError(
            f"{data} does not exist. Give the folder that holds the photos and label maps, or a CSV of paths."
        )
    if data.is_file():
        return _from_table(data, None, root)
    files = list_files(data)
    if is_partitioned(files):
        return _from_table(data, files, root)
    if images or labels:
        if not (images and labels):
            raise NoPairsError(
                "Give both --images and --labels, for example --images 'a/*.jpg' --labels 'b/*_mask.png'."
            )
        layout = Layout("globs", glob_pattern(images), glob_pattern(labels))
        pairs = _pair_up(files, layout)
        if not any(p.image and p.label for p in pairs):
            raise NoPairsError(_nothing_found(data, files, f"--images {images!r} and --labels {labels!r}"))
        return Found(pairs, "globs", None, data)
    layout = best_layout(files)
    if layout:
        return Found(_pair_up(files, layout), layout.name, layout.label_space, data)
    photos = {p: s for p, s in files.items() if p.rpartition(".")[2].lower() in PHOTO_SUFFIXES}
    stems = Counter(_without_suffix(p).rpartition("/")[2] for p in photos)
    twice = sum(n > 1 for n in stems.values()) > len(stems) / 2  # most likely photos and label maps in folders unknown
    if photos and photos_only_ok and not twice and not any(TWO_FOLDERS.label.fullmatch(p) for p in files):
        return Found(_pair_up(photos, PHOTOS_ONLY), PHOTOS_ONLY.name, None, data)
    raise NoPairsError(
        _nothing_found(data, files, "images/ + labels/ and the other layouts `curate index --help` names")
    )


def _pair_up(files: dict[str, Stat], layout: Layout) -> list[Pair]:
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


def _listing_error(path: str, stat: Stat) -> str:
    return f"{path} {reason_of(stat)}"


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


def _from_table(table: Place, files: dict[str, Stat] | None, root: Place | None) -> Found:
    """Pairs from a table with the columns image, label and, if wished, pair_id; paths relative to `root`. `files`: those of a folder."""
    columns, lines = read_rows(table, files)
    if "image" not in columns or "label" not in columns:
        has = _as_text(", ".join(columns))[:100] or "none"
        raise NoPairsError(f"{table} needs the columns image and label (and, if wished, pair_id); it has: {has}.")
    written, base = made_from(table) or (None, table.parent)
    base = absolute(root or base)
    rows, all_outside = [], True
    for line in lines:
        paths, error, stays = [], None, True
        for column in ("image", "label"):
            text = (line.get(column) or "").strip()
            path, is_inside = inside(base, text if written is None else moved(text, written)) if text else (None, True)
            if not text:
                error = error or f"the {column} column is empty"
            elif not is_inside:
                shown = path if is_url(text) else text
                error = error or f"{shown} lies outside {base}; pass --root with the folder that holds all files"
                stays = False
            paths.append(path)
        key = (line.get("pair_id") or "").strip() or _without_suffix(paths[0] or paths[1] or "row")
        rows.append((key, *paths, [(0, 0), (0, 0)], error))
        all_outside = all_outside and not stays
    stats = stat_files(base, {path for _, *paths, _, error in rows if not error for path in paths})
    for i, (key, *paths, _, error) in enumerate(rows):
        if not error:
            found = [stats[path] for path in paths]
            missing = next(((p, s) for p, s in zip(paths, found, strict=True) if s[0] < 0), None)
            if missing:
                error = _listing_error(*missing) if missing[1][0] == -1 else f"{missing[0]} does not exist"
            rows[i] = (key, *paths, found, error)
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
    pairs = sorted((_as_pair(*row) for row in rows), key=lambda p: p.pair_id)
    return Found(pairs, "CSV" if files is None and not table.name.endswith(PARQUET) else "Parquet", None, base)


def _tell_apart(rows: list, table: str) -> list:
    """The rows of a table with distinct keys: the first of several with one key keeps it, the others get an error."""
    taken, seen, told = {key for key, *_ in rows}, set(), []
    for key, image, label, stats, error in rows:
        if key in seen:
            error = error or f"pair_id {key} stands in {table} more than once"
            key = next(other for n in count(2) if (other := f"{key}#{n}") not in taken)
            taken.add(key)
        seen.add(key)
        told.append((key, image, label, stats, error))
    return told


def _nothing_found(data: Place, files: dict, looked_for: str) -> str:
    seen: Counter[str] = Counter()
    for path in files:
        folder, _, name = path.rpartition("/")
        seen[f"{folder or '.'}/*{os.path.splitext(name)[1]}"] += 1
    listing = _as_text(", ".join(f"{n} {kind}" for kind, n in seen.most_common(8))) or "no files at all"
    more = f" and {len(seen) - 8} more kinds" if len(seen) > 8 else ""
    return (
        f"No pairs found in {data}. Looked for {looked_for}; saw {listing}{more}. "
        "A photo and its label map must share a name. Other layouts: --images 'a/*.jpg' --labels 'b/*_mask.png', "
        "or a CSV or Parquet table with the columns image and label."
    )
