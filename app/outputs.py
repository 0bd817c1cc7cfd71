"""Outputs: folders of generated pictures, matched to one another by the label map that each picture was drawn from.

Enters: folders on this machine, and where label maps lie. Leaves: a Comparison: which pictures there are of each label map, and what people
must know of what is missing. A picture is named by the label map's stem and the folder's number; its file is looked up here.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.columns import numbers
from app.table import NOBODY, Table
from curation.pair_layouts import LABEL_SUFFIXES, PHOTO_SUFFIXES
from curation.place import Place, is_remote, is_url

DRAWN = "pictures"  # RUN/pictures: where the pictures of a run are looked for
NUMBERED = re.compile(
    r"(.+)_([1-9][0-9]*)", re.DOTALL
)  # STEM_1, STEM_2 ...: as `generate --n` names several pictures of a label map
TOLD = 3  # stems that a message names


class OutputsError(ValueError):
    """Folders that cannot be compared, or a file that may not be read; the message says which and what to do."""


@dataclass(frozen=True)
class Folder:
    """name: what people call it, unlike every other's; root: the real folder of the files; files: stem of the label map -> file names."""

    name: str
    root: Path
    files: Mapping[str, tuple[str, ...]]

    def path(self, file: str) -> Path:
        """The real file. Raises OutputsError when it is gone, or leads out of the folder."""
        return real_file(self.root, file)


@dataclass(frozen=True)
class Comparison:
    """folders: by name; labels: stem -> file of the label map, or position of its pair in the table; notes: for people."""

    folders: tuple[Folder, ...]
    labels: Mapping[str, Path | int]
    notes: tuple[str, ...]

    @cached_property
    def key(self) -> str:
        """What choices are stored under: the names of the folders, whatever their order and wherever they lie."""
        return json.dumps([folder.name for folder in self.folders], ensure_ascii=False)

    @cached_property
    def all_stems(self) -> tuple[str, ...]:
        return tuple(sorted({stem for folder in self.folders for stem in folder.files}))

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Those with more than one picture, so that there is something to choose."""
        count = Counter(stem for folder in self.folders for stem, files in folder.files.items() for _ in files)
        return tuple(stem for stem in self.all_stems if count[stem] > 1)

    @cached_property
    def known(self) -> frozenset[str]:
        return frozenset(self.stems)

    def pictures(self, stem: str) -> list[tuple[int, str]]:
        """(number of the folder, file name) of every picture of a label map."""
        return [(n, file) for n, folder in enumerate(self.folders) for file in folder.files.get(stem, ())]

    def among(self, stem: str) -> tuple[str, ...]:
        """The names of the folders that have a picture of it."""
        return tuple(folder.name for folder in self.folders if stem in folder.files)

    def number(self, name: str | None) -> int | None:
        """Of the folder with this name; None where there is none."""
        return next((n for n, folder in enumerate(self.folders) if folder.name == name), None)


def compare(named: Sequence[Place | str], table: Table | None = None, labels: Place | str | None = None) -> Comparison:
    """Match the pictures of folders, or of runs. Label maps come from the folder `labels`, else from the pair table.

    Raises OutputsError: not a folder of this machine, no picture in it, one named twice, nothing to choose.
    """
    roots = {Path(os.path.abspath(folder)): pictures_of(folder) for folder in map(local, named)}
    if len(set(roots.values())) < len(named):
        raise OutputsError("A folder is named twice. Name each once.")
    listed = {path: _listed(root, PHOTO_SUFFIXES) for path, root in roots.items()}
    for path, (files, _) in listed.items():
        if not files:
            raise OutputsError(f"{path} holds no picture ({', '.join(PHOTO_SUFFIXES)}).{_of_run(path)}")
    maps, notes = _label_maps({stem for files, _ in listed.values() for stem in files}, table, labels)
    grouped, guessed = group([files for files, _ in listed.values()], maps)
    names = distinct_names(list(roots))
    folders = [Folder(*made) for made in zip(names, roots.values(), grouped, strict=True)]
    found = Comparison(tuple(sorted(folders, key=lambda folder: folder.name)), maps, ())
    if not found.stems:
        raise OutputsError(
            "No two of these pictures are of the same label map: no file name of one folder stands in another. "
            f"{folders[0].name} has {some_of(folders[0].files)}, {folders[-1].name} has {some_of(folders[-1].files)}."
        )
    left_out = {name: n for name, (_, n) in zip(names, listed.values(), strict=True) if n}
    notes = [*_missing(found), *notes, *(f"{name}: {n} files left out{LEFT_OUT}" for name, n in left_out.items())]
    if guessed:
        notes.append(
            "STEM_1, STEM_2 ... are taken for pictures of one label map, as generate --n names them. "
            "Name the folder of the label maps to be sure."
        )
    return Comparison(found.folders, maps, tuple(notes))


def pictures_of(folder: Path) -> Path:
    """The real folder that holds the pictures: itself, or `pictures` in it where it is a run. Raises OutputsError."""
    drawn = folder / DRAWN
    try:
        has_own = any(p.suffix[1:].lower() in PHOTO_SUFFIXES for p in folder.iterdir())
    except OSError as error:
        raise OutputsError(f"{folder} is not a folder on the machine of this app ({error.strerror}).") from None
    return Path(os.path.realpath(drawn if drawn.is_dir() and not has_own else folder))


def local(named: Place | str) -> Path:
    """A folder as a person wrote it. Raises OutputsError for a URL."""
    if is_remote(named) or (isinstance(named, str) and is_url(named)):
        raise OutputsError(f"{named}: only folders on the machine of this app can be compared.")
    if not _is_text(str(named)):
        raise OutputsError(f"{str(named)!r} has characters that are no text. Rename it.")
    try:
        return Path(named).expanduser()
    except RuntimeError:  # ~somebody
        raise OutputsError(f"{named}: nobody of this name has a home on the machine of this app.") from None


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """For each path as many of its last parts as it takes to tell it from the others."""
    for depth in range(1, max(len(p.parts) for p in paths) + 1):
        names = ["/".join(p.parts[-depth:]).removeprefix("//") for p in paths]
        if len(set(names)) == len(names):
            break
    return names


def group(
    folders: Sequence[Mapping[str, list[str]]], maps: Container[str]
) -> tuple[list[dict[str, tuple[str, ...]]], bool]:
    """Files by their own stem -> files by the stem of the label map, for each folder; whether that had to be guessed.

    STEM_1, STEM_2 ... may be several pictures of STEM or each one of a label map of that name. A folder is read as what explains more of its
    files: by the label maps, where any of them is known, else by the files of the other folders. Where nothing tells, and in each
    folder every stem has the same numbers 1 ... n, they are taken for several pictures.
    """
    read = []
    known_maps = any(stem in maps or base_of(stem) in maps for files in folders for stem in files)
    for files in folders:
        known = maps if known_maps else {stem for other in folders if other is not files for stem in other}
        read.append(sum(base_of(stem) in known for stem in files) > sum(stem in known for stem in files))
    guessed = not known_maps and not any(read) and all(_is_complete(files) for files in folders)
    return [_by_label_map(files, numbered or guessed) for files, numbered in zip(folders, read, strict=True)], guessed


def base_of(stem: str) -> str | None:
    """STEM of STEM_3; None where there is no number."""
    found = NUMBERED.fullmatch(stem)
    return found and found[1]


def _by_label_map(files: Mapping[str, list[str]], numbered: bool) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for stem, of_stem in files.items():
        found[(numbered and base_of(stem)) or stem] += of_stem
    return {
        stem: tuple(sorted(some, key=lambda file: (len(file), file))) for stem, some in found.items()
    }  # _2 before _10


def _is_complete(files: Iterable[str]) -> bool:
    """Whether every stem has a number, and all have the same ones: 1, 2 ... n."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for stem in files:
        found = NUMBERED.fullmatch(stem)
        if not found:
            return False
        numbers[found[1]].add(int(found[2]))
    most = max(map(len, numbers.values()))
    return most > 1 and all(some == set(range(1, most + 1)) for some in numbers.values())


LEFT_OUT = ": links that lead out of the folder, or names that are no text."


def _listed(root: Path, suffixes: Container[str]) -> tuple[dict[str, list[str]], int]:
    """Files of a folder, by stem, and how many were left out (LEFT_OUT). Hidden files are passed over."""
    found: dict[str, list[str]] = defaultdict(list)
    left_out = 0
    with os.scandir(root) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if entry.name.startswith(".") or suffix[1:].lower() not in suffixes:
                continue
            if not _is_text(entry.name) or (entry.is_symlink() and not _stays(root, entry.name)):
                left_out += 1
            elif entry.is_file():
                found[stem].append(entry.name)
    return dict(found), left_out


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8: no browser and no database takes them
        return False
    return True


def _stays(root: Path, file: str) -> bool:
    try:
        real_file(root, file)
    except OutputsError:
        return False
    return True


def real_file(root: Path, file: str) -> Path:
    """Where a file of a real folder lies. Raises OutputsError, which leaves its name out: it leads out of the folder, is gone, or no file."""
    path = Path(os.path.realpath(root / file))
    if not path.is_relative_to(root):
        raise OutputsError("leads out of its folder and is not read")
    if not path.is_file():  # nor a pipe, which would be waited for
        raise OutputsError("is gone, or no file")
    return path


def _label_maps(
    stems: set[str], table: Table | None, labels: Place | str | None
) -> tuple[dict[str, Path | int], list[str]]:
    """Label maps by stem, of those that may be asked for, and what is to be told."""
    if labels:
        folder = local(labels)
        if not folder.is_dir():
            raise OutputsError(f"{folder}, the folder of the label maps, is not a folder on the machine of this app.")
        root = Path(os.path.realpath(folder))
        files, _ = _listed(root, LABEL_SUFFIXES)
        twice = sum(len(some) > 1 for some in files.values())
        told = [f"{folder} has two label maps of one name {twice} times; the first is shown."] if twice else []
        return {stem: root / min(some) for stem, some in files.items()}, told
    return (in_table(table, sorted(stems | {b for b in map(base_of, stems) if b})) if table else {}), []


def in_table(table: Table, wanted: Sequence[str]) -> dict[str, int]:
    """Positions of the pairs whose label map's file has one of these stems; without stems that several files have."""
    stems = pc.replace_substring_regex(table.label, r"(?s)^.*/", "")
    stems = pc.replace_substring_regex(stems, r"\.[^.]*$", "")
    found = numbers(pc.index_in(stems, pa.array(wanted, stems.type)), NOBODY)
    at = np.flatnonzero(found != NOBODY)
    which = found[at]
    once = np.bincount(which, minlength=len(wanted))[which] == 1
    return {wanted[w]: int(position) for w, position in zip(which[once], at[once], strict=True)}


def _missing(found: Comparison) -> list[str]:
    total, told = len(found.all_stems), []
    for folder in found.folders:
        lacking = [stem for stem in found.all_stems if stem not in folder.files]
        if lacking:
            told.append(f"{folder.name} lacks {len(lacking):,} of {total:,}: {some_of(lacking)}.")
    single = total - len(found.stems)
    if single:
        told.append(f"{single:,} of {total:,} have a single picture, so there is nothing to choose.")
    unmapped = [stem for stem in found.stems if stem not in found.labels]
    if unmapped:
        told.append(f"{len(unmapped):,} of {len(found.stems):,} without a label map to show: {some_of(unmapped)}.")
    return told


def some_of(stems: Iterable[str]) -> str:
    """The first few, for a message."""
    stems = list(stems)
    return ", ".join(stems[:TOLD]) + (" and more" if len(stems) > TOLD else "")


def _of_run(path: Path) -> str:
    if not (path / "config.json").is_file():
        return ""
    return f" It is a run; draw its pictures: generate --checkpoint {path} --labels LABELS --out {path / DRAWN}"
