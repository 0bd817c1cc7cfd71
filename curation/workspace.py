"""WORK: the folder that holds what was measured; atomic writes, digests, done-markers, one run at a time.

WORK may lie on any file system (place.py). Every result is written to a temporary name beside its place and renamed, or, where it is
remote, written on this machine and put there whole; so a file that is there is whole. A Parquet file carries the digest of what it was
made from (`inputs`), so a stage knows without reading a photo whether its result still holds.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.label_space import LabelSpace
from curation.place import Place, RemotePlace, in_turn, place

if TYPE_CHECKING:
    import pandas as pd


class WorkspaceError(ValueError):
    """WORK cannot be used; the message says why and the way out."""


@contextmanager
def atomic(path: Place) -> Iterator[Path]:
    """A temporary local path to write to; renamed or put to `path` when the block ends well, removed when it does not."""
    if isinstance(path, RemotePlace):
        with tempfile.TemporaryDirectory(prefix="curate-") as folder:
            yield Path(folder) / path.name
            path.put(Path(folder) / path.name)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Place, content: object) -> None:
    """Write JSON, sorted by key, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(path: Place, table: pd.DataFrame | pa.Table, inputs: str, facts: dict | None = None) -> None:
    """Write a Parquet table with the digest of what it was made from and other facts about it (JSON), atomically."""
    if not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    about = {b"inputs": inputs.encode(), b"facts": json.dumps(facts or {}, sort_keys=True).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **about})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_csv(path: Place, table: pd.DataFrame) -> None:
    """Write a table as CSV (UTF-8, quoted where needed), atomically."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def source(path: Place, whole: bool = False) -> Path | BinaryIO:
    """A file for pandas, pyarrow or numpy to read. A remote one is read in pieces as they ask for them, or at once when they need it whole."""
    if not isinstance(path, RemotePlace):
        return path
    return io.BytesIO(path.read_bytes()) if whole else path.open()


def read_frame(path: Place, columns: list[str] | None = None, filters: list | None = None) -> pd.DataFrame:
    """A Parquet table, or some of its columns and rows."""
    import pandas as pd

    return pd.read_parquet(source(path, columns is None), columns=columns, filters=filters)


def read_parts(
    paths: Sequence[Place], columns: list[str] | None = None, filters: list | None = None
) -> Iterator[pa.Table]:
    """Parquet files one after the other, or some of their columns and rows; remote ones are on their way before they are asked for."""

    def read(path: Place) -> pa.Table:
        return pq.read_table(source(path, columns is None), columns=columns, filters=filters)

    yield from in_turn(read, paths, paths[0] if paths else Path())


def read_arrays(path: Place) -> Any:
    """What numpy saved in a file: arrays by name from .npz; from .npy one array, memory-mapped where it lies on this machine."""
    return np.load(source(path, True), mmap_mode=None if isinstance(path, RemotePlace) else "r", allow_pickle=False)


def read_table(path: Place) -> pd.DataFrame:
    """The columns of a Parquet table that a person can read: all but those that hold bytes."""
    columns = [f.name for f in pq.read_schema(source(path)) if not pa.types.is_binary(f.type)]
    return read_frame(path, columns)


def inputs_of(path: Place) -> str | None:
    """The digest a Parquet table was made from, or None when there is no such (whole) table."""
    return _about(path).get(b"inputs", b"").decode() or None


def facts_of(path: Place) -> dict:
    """The facts a Parquet table was written with; empty when there is no such (whole) table."""
    return json.loads(_about(path).get(b"facts", b"{}"))


def _about(path: Place) -> dict[bytes, bytes]:
    try:
        return pq.read_schema(source(path)).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}


def digest(*parts: object) -> str:
    """SHA-256, as hex, of the canonical JSON of the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str).encode()).hexdigest()


def file_digest(path: Place) -> str:
    """SHA-256 of a file, as hex."""
    if isinstance(path, RemotePlace):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with open(path, "rb") as f:
        if hasattr(hashlib, "file_digest"):
            return hashlib.file_digest(f, "sha256").hexdigest()
        state = hashlib.sha256()  # Python 3.10
        while block := f.read(1 << 20):
            state.update(block)
        return state.hexdigest()


@dataclass
class Workspace:
    """One work directory: what it is about (`work.json`), where each stage leaves its file, and where people's decisions are kept."""

    folder: Place
    data: Place  # the folder that all paths in the tables are relative to
    source: Place  # what the user named: that folder, or a CSV
    space: LabelSpace
    layout: str
    options: dict[str, str | None]  # how the pairs were found: images, labels, root, label_space

    @property
    def pairs(self) -> Place:
        return self.folder / "pairs.parquet"

    @property
    def parts(self) -> Place:
        return self.folder / "parts"

    @property
    def scores(self) -> Place:
        return self.folder / "scores.parquet"

    @property
    def label_evidence(self) -> Place:
        return self.folder / "label_evidence.parquet"

    @property
    def label_fit(self) -> Place:
        return self.folder / "label_fit.parquet"

    @property
    def coupled_classes(self) -> Place:
        return self.folder / "coupled_classes.parquet"

    @property
    def class_structure(self) -> Place:
        return self.folder / "class_structure.parquet"

    @property
    def label_error(self) -> Place:
        return self.folder / "label_error"

    @property
    def groups(self) -> Place:
        return self.folder / "groups.parquet"

    @property
    def duplicates(self) -> Place:
        return self.folder / "duplicates.parquet"

    @property
    def faults(self) -> Place:
        return self.folder / "faults.parquet"

    @property
    def evidence(self) -> Place:
        return self.folder / "evidence"

    @property
    def decisions(self) -> Place:
        return self.folder / "decisions.sqlite"

    @property
    def measured(self) -> str:
        """Digest of what a selection is made from; WORK/faults.parquet carries that of the last one."""
        return digest(inputs_of(self.scores), inputs_of(self.groups))

    def save(self) -> None:
        write_json(
            self.folder / "work.json",
            {
                "data": str(self.data),
                "source": str(self.source),
                "layout": self.layout,
                "options": self.options,
                "label_space": self.space.to_dict(),
            },
        )

    @staticmethod
    def load(folder: Place) -> Workspace | None:
        """The work directory as it was saved, or None where there is none yet."""
        file = folder / "work.json"
        if not file.exists():
            return None
        try:
            saved = json.loads(file.read_text(encoding="utf-8"))
            return Workspace(
                folder,
                place(saved["data"]),
                place(saved["source"]),
                LabelSpace.from_dict(saved["label_space"]),
                saved["layout"],
                saved["options"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{file} cannot be read ({error}). Remove {folder} and run again.") from None


@contextmanager
def one_at_a_time(folder: Place) -> Iterator[None]:
    """Hold a work directory for this run. Raises WorkspaceError when another run holds it.

    A remote one cannot be held: there is no lock that ends with its process. What holds there: files are put whole, so two runs of the same
    data set at once give the same tables and cost the work twice; when the data set changed between their starts, the one may remove
    parts that the other needs, which then stops and can be run again.
    """
    if isinstance(folder, RemotePlace):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no flock on Windows: renames still keep every file whole
            pass
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise WorkspaceError(f"Another curate is at work in {folder}. Wait for it, or use --work.") from None
        try:
            yield
        finally:
            if [entry.name for entry in folder.iterdir()] == ["lock"]:  # a mistake, not a run: leave nothing behind
                (folder / "lock").unlink()
                folder.rmdir()
