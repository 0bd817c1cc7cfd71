"""Mixed folder: for each label map the picture that people chose, else that of one folder, copied into a new folder with a list.

Enters: a comparison and what was chosen. Leaves: FOLDER with STEM.png ... and mixed.csv, whole or not at all; sources stay as they are.
"""

from __future__ import annotations

import csv
import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import Path
from uuid import uuid4

from app.outputs import Comparison, OutputsError, some_of
from app.tally import Best
from curation.decode import PairError, photo_within, read_bytes
from curation.reviews import harmless

LIST = "mixed.csv"
COLUMNS = ["stem", "file", "chosen_from", "reviewer", "time", "by", "source"]
PERSON, DEFAULT = "person", "default"
CHECKED = 64  # pixels: a copy is decoded to see that it can be


@dataclass
class Mixed:
    """What was written. by: pictures by `person` and `default`; taken: pictures by folder; changed: label maps whose chosen picture is
    no longer what was chosen; lacking: those without any picture to take; broken: stem -> why the picture cannot be read."""

    folder: Path
    by: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    changed: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def says(self) -> list[str]:
        """For people, line by line."""
        taken = ", ".join(f"{n:,} from {name}" for name, n in self.taken.most_common())
        few = [
            (self.changed, "chosen pictures are gone or were drawn anew since, and count as not chosen"),
            (self.lacking, "label maps are left out: the folder that is taken without a choice has no picture of them"),
            (list(self.broken.values()), "label maps are left out: their picture cannot be read"),
        ]
        return [
            f"{self.taken.total():,} pictures in {self.folder}: {taken}. "
            f"{self.by[PERSON]:,} by a person's choice, {self.by[DEFAULT]:,} without one.",
            *(f"{len(some):,} {why}: {some_of(some)}." for some, why in few if some),
        ]


def write_mixed(
    folder: Path,
    comparison: Comparison,
    chosen: Mapping[str, Best],
    default: int,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Mixed:
    """Copy the chosen pictures, and for label maps without a choice the first one of folder number `default`.

    A chosen picture that was drawn anew since, or is gone, counts as not chosen. Times in the list are UTC; `file` is the copy, `source` the
    file it was copied from. Raises OutputsError: the folder is there and not empty, cannot be written, or nothing could be copied.
    """
    folder = Path(os.path.abspath(folder))
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    try:
        if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())):
            raise OutputsError(_refused(folder))
        temporary.mkdir(parents=True)
        mixed = _fill(temporary, folder, comparison, chosen, default, tick)
        if not mixed.taken:
            raise OutputsError(f"No picture could be copied, so {folder} was not made. {_first(mixed)}")
        try:
            os.rename(temporary, folder)  # takes the place of an empty folder, and of nothing else
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise OutputsError(_refused(folder)) from None
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutputsError(f"{folder} cannot be written: {error.strerror or error}.") from None
        raise
    return mixed


def _fill(
    temporary: Path,
    folder: Path,
    comparison: Comparison,
    chosen: Mapping[str, Best],
    default: int,
    tick: Callable[[int, int], None],
) -> Mixed:
    mixed = Mixed(folder)
    with open(temporary / LIST, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for done, stem in enumerate(comparison.all_stems, 1):
            row = _take(temporary, comparison, stem, chosen.get(stem), default, mixed)
            if row:
                writer.writerow([harmless(cell) for cell in row])
            tick(done, len(comparison.all_stems))
    return mixed


def _take(
    temporary: Path, comparison: Comparison, stem: str, best: Best | None, default: int, mixed: Mixed
) -> list[str] | None:
    """Copy the picture of one label map -> its row of the list."""
    number = comparison.number(best.chosen) if best else None
    if number is not None:
        copy = _copied(temporary, comparison, stem, number, best.file, best.sha256)
        if copy:
            return _counted(
                mixed,
                stem,
                copy,
                best.chosen,
                ", ".join(best.by),
                best.time.astimezone(timezone.utc).isoformat(),
                PERSON,
                best.file,
            )
    if best:
        mixed.changed.append(stem)
    folder = comparison.folders[default]
    files = folder.files.get(stem)
    if not files:
        mixed.lacking.append(stem)
        return None
    try:
        copy = _copied(temporary, comparison, stem, default, files[0])
    except (PairError, OutputsError) as error:
        mixed.broken[stem] = f"{files[0]}: {error}"
        return None
    return _counted(mixed, stem, copy, folder.name, "", "", DEFAULT, files[0])


def _counted(mixed: Mixed, stem: str, copy: str, name: str, *rest: str) -> list[str]:
    mixed.taken[name] += 1
    mixed.by[rest[2]] += 1
    return [stem, copy, name, *rest]


def _copied(
    temporary: Path, comparison: Comparison, stem: str, number: int, file: str, sha256: str | None = None
) -> str | None:
    """Copy one picture and look whether the copy can be decoded -> its name. With a digest: None unless it is that very picture.

    Raises PairError, OutputsError where no digest is asked for.
    """
    copy = temporary / f"{stem}{os.path.splitext(file)[1]}"
    try:
        data = read_bytes(comparison.folders[number].path(file))
        copy.write_bytes(data)
        _, found = photo_within(copy, CHECKED)
    except (PairError, OutputsError):
        copy.unlink(missing_ok=True)
        if sha256 is None:
            raise
        return None
    if sha256 in (None, found):
        return copy.name
    copy.unlink()
    return None


def _refused(folder: Path) -> str:
    return f"{folder} is there and not an empty folder; nothing in it is changed. Name a new folder."


def _first(mixed: Mixed) -> str:
    return next(iter(mixed.broken.values()), "The folder that is taken without a choice has none of these label maps.")
