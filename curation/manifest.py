"""Manifests: which pairs a selection keeps, which it drops and why, and the recipe it was made by.

For `selection2`: selection2.csv (kept), selection2.rejected.csv (dropped, with reasons), selection2.json (recipe). Paths are relative to
the manifest, so data set and manifests can move together; URLs where the two lie in different stores. The same tables and settings give the
same bytes. selection2.parquet/ and selection2.rejected.parquet/ hold the same rows for programs that read many files at once.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import curation
from curation import verdicts
from curation.label_space import LabelSpace
from curation.place import Place, PlaceError, absolute, follow, in_turn, inside, moved, place, way, without_secrets
from curation.rules import LEVELS, STRUCTURAL, Fault, Selection, count_by_reason
from curation.workspace import atomic, digest, file_digest, source, write_json

COLUMNS = [
    "pair_id",
    "image",
    "label",
    "width",
    "height",
    "sha256_image",
    "sha256_label",
    "equivalence_class",
    "weight",
    "by",
]
REJECTED_COLUMNS = ["pair_id", "image", "label", "reason", "score", "threshold", "representative", "detail", "by"]
BY_PERSON, BY_RULE = "person", "rule"  # who decided about a pair
PARQUET_ROWS = 100_000  # of a file: some 15 MB, which any reader takes as one piece of work
PARQUET_KINDS = {
    "width": int,
    "height": int,
    "weight": float,
    "score": float,
    "threshold": float,
}  # the others are texts
_ARROW = {int: pa.int32(), float: pa.float64(), str: pa.string()}


class ManifestError(ValueError):
    """A manifest that cannot be read; says what, which file, what to do."""


@dataclass(frozen=True)
class Manifest:
    """A manifest as read: `pairs` with COLUMNS (paths as written, relative to `folder`) and its recipe, if there is one."""

    folder: Place
    pairs: pd.DataFrame
    recipe: dict


def write_manifest(
    out: Place,
    name: str,
    selection: Selection,
    scores: pd.DataFrame,
    groups: pd.DataFrame,
    made: dict,
    data: Place,
    space: LabelSpace,
    parquet: bool = False,
) -> Place:
    """Write the three files of a selection; returns the path of the manifest itself.

    `made`: the settings that the tables were made with, for the recipe: judge, similarity, mirror. `parquet`: the two tables also as folders of
    Parquet files; without it those of an earlier selection are removed, which would contradict this one.
    """
    base = way(out, data)
    rows = scores.set_index("pair_id", drop=False)
    classes = groups.set_index("pair_id")["equivalence_class"]

    def path(value: str | None) -> str:
        return f"{base}/{value}" if isinstance(value, str) else ""

    kept = []
    for row in rows.loc[selection.kept].itertuples(index=False):
        group = classes.get(row.pair_id)
        files = (path(row.image), path(row.label), int(row.width), int(row.height), row.sha256_image, row.sha256_label)
        kept.append(
            [
                row.pair_id,
                *files,
                "" if pd.isna(group) else group,
                f"{selection.weights.get(row.pair_id, 1):.4g}",
                _by(selection, row.pair_id),
            ]
        )
    rejected = []
    for pair_id, faults in selection.faults.items():
        row, first = rows.loc[pair_id], faults[0]
        others = [_also(fault) for fault in faults[1:]]
        why = (first.reason, _number(first.score), _number(first.threshold), first.representative or "")
        rejected.append([pair_id, path(row["image"]), path(row["label"]), *why, "; ".join([first.detail, *others])])
        rejected[-1].append(_by(selection, pair_id))
    manifest = out / f"{name}.csv"
    for folder in (f"{name}.parquet", f"{name}.rejected.parquet"):
        _remove_parquet(out / folder)
    _write_csv(out / f"{name}.rejected.csv", REJECTED_COLUMNS, rejected)
    write_json(out / f"{name}.json", _recipe(selection, scores, made, space, base))
    _write_csv(manifest, COLUMNS, kept)
    if parquet:
        _write_parquet(out / f"{name}.rejected.parquet", REJECTED_COLUMNS, rejected)
        _write_parquet(out / f"{name}.parquet", COLUMNS, kept)
    return manifest


def _by(selection: Selection, pair_id: str) -> str:
    return BY_PERSON if selection.by_person(pair_id) else BY_RULE


def _also(fault: Fault) -> str:
    words = ["also", fault.reason, _number(fault.score), f"({fault.representative})" if fault.representative else ""]
    return " ".join(word for word in words if word)


def _recipe(selection: Selection, scores: pd.DataFrame, made: dict, space: LabelSpace, base: str) -> dict:
    settings = selection.settings
    grouping = {name: value for name, value in made.items() if name != "judge"}
    return {
        "version": curation.__version__,
        "selection": LEVELS[settings.level],
        "level": settings.level,
        "merges": [list(group) for group in settings.merges],
        "thresholds": {
            reason: rule.threshold
            for reason, rule in settings.active().items()
            if rule.threshold is not None and (reason in scores or reason in STRUCTURAL)
        },
        "equivalence_classes": {**grouping, "keep": settings.keep_per_class, "reweight": settings.reweight},
        "judge": made.get("judge"),
        "keeper": list(settings.keeper),
        "target_size": settings.target_size,
        "data": base,
        "label_space": space.to_dict(),
        "pairs": len(scores),
        "kept": len(selection.kept),
        "dropped": count_by_reason(selection),
        "decisions": {
            "kept": sum(selection.by_person(p) for p in selection.kept),
            "dropped": sum(selection.by_person(p) for p in selection.faults),
            "sha256": verdicts.digest(selection.decided),
        },
        "table_sha256": table_digest(scores),
    }


def table_digest(scores: pd.DataFrame) -> str:
    """SHA-256 of the table the selection was made from, by content."""
    return digest(
        scores.astype(object).where(scores.notna(), None).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    )


def read_manifest(path: Place) -> Manifest:
    """Read a manifest and, if it lies beside it, its recipe. Raises ManifestError."""
    path = place(path)
    try:
        pairs = pd.read_csv(
            source(path, True), dtype={c: str for c in COLUMNS}, keep_default_na=False, encoding="utf-8"
        )
    except FileNotFoundError:
        raise ManifestError(f"{path} does not exist. Make it with `curate build-selection`.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is no manifest: {error}") from None
    if "by" not in pairs.columns:  # a manifest of the time before people could decide
        pairs["by"] = BY_RULE
    missing = [c for c in COLUMNS if c not in pairs.columns]
    if missing:
        raise ManifestError(
            f"{path} is no manifest: it lacks the column{'s' if missing[1:] else ''} {', '.join(missing)}."
        )
    recipe = path.with_suffix(".json")
    try:
        return Manifest(path.parent, pairs, json.loads(recipe.read_text(encoding="utf-8")) if recipe.exists() else {})
    except ValueError as error:
        raise ManifestError(f"{recipe} is no recipe: {error}") from None


def resolve(manifest: Manifest, data: Place | None = None) -> Callable[[str], Place]:
    """How to find the files of a manifest: a function from a path as written there to the place where the file lies now.

    They lie below `data`, or below the folder that the recipe names. ManifestError if that folder does not exist; the
    function raises ManifestError for a path outside it.
    """
    root, written = _data_folder(manifest, data), _written(manifest)

    def find(relative: str) -> Place:
        path, is_inside = inside(root, moved(relative, written))
        if not is_inside:
            raise ManifestError(
                f"{without_secrets(relative)} lies outside the data set {root}; pass --data with the folder that holds the files"
            )
        return root / path

    return find


def _written(manifest: Manifest) -> str:
    """The data folder as seen from the manifest when it was written."""
    return manifest.recipe.get("data", ".")


def _data_folder(manifest: Manifest, data: Place | None) -> Place:
    """Where the data folder is now."""
    try:
        root = follow(manifest.folder, str(absolute(data)) if data else _written(manifest))
        there = root.is_dir()
    except PlaceError as error:
        raise ManifestError(f"{error} --data names the folder that holds the files.") from None
    if not there:
        raise ManifestError(f"{root} does not exist. Pass --data with the folder that holds the files.")
    return root


def verify(manifest: Manifest, data: Place | None = None) -> Iterator[tuple[str, str | None]]:
    """Hash every file again; yields each pair id with what is wrong with it (None = unchanged).

    No file outside the data set is opened; see resolve.
    """
    root = _data_folder(manifest, data)
    find = resolve(manifest, root)
    rows = manifest.pairs.itertuples(index=False)
    yield from in_turn(lambda row: (row.pair_id, _changed(find, row)), rows, root)


def _changed(find: Callable[[str], Place], row) -> str | None:
    for kind, relative, expected in (
        ("photo", row.image, row.sha256_image),
        ("label map", row.label, row.sha256_label),
    ):
        try:
            if file_digest(find(relative)) != expected:
                return f"{kind} changed: {relative}"
        except ManifestError as error:
            return str(error)
        except OSError as error:
            return f"{kind} cannot be read: {relative} ({error.strerror or error})"
    return None


def _write_parquet(folder: Place, columns: list[str], rows: list[list]) -> None:
    """Rows as they stand in the CSV, but with numbers as numbers and null for nothing, in files of PARQUET_ROWS; _SUCCESS comes last."""
    for part, start in enumerate(range(0, max(len(rows), 1), PARQUET_ROWS)):
        some = rows[start : start + PARQUET_ROWS]
        arrays = [
            pa.array([None if row[i] in ("", None) else kind(row[i]) for row in some], _ARROW[kind])
            for i, kind in enumerate(PARQUET_KINDS.get(name, str) for name in columns)
        ]
        with atomic(folder / f"part-{part:05}.parquet") as temporary:
            pq.write_table(pa.table(arrays, columns), temporary, compression="zstd")
    with atomic(folder / "_SUCCESS") as temporary:
        temporary.write_bytes(b"")


def _remove_parquet(folder: Place) -> None:
    """Remove what _write_parquet wrote, the sign that it is whole first."""
    ours = [file for file in folder.glob("*") if re.fullmatch(r"part-\d{5,}\.parquet|_SUCCESS", file.name)]
    for file in sorted(ours):
        file.unlink(missing_ok=True)
    if ours and isinstance(folder, Path) and not any(folder.iterdir()):
        folder.rmdir()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _write_csv(path: Place, header: list[str], rows: list[list]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with atomic(path) as temporary:
        temporary.write_bytes(text.getvalue().encode())
