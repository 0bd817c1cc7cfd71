"""WORK: the folder that holds what was measured; atomic writes, digests, done-markers, one run at a time.

Every result is written to a temporary name beside its place and renamed, so a file that is there is whole. A Parquet file carries
the digest of what it was made from (`inputs`), so a stage knows without reading a photo whether its result still holds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curation.label_space import LabelSpace


class WorkspaceError(ValueError):
    """WORK cannot be used; the message says why and the way out."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to; renamed to `path` when the block ends well, removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: object) -> None:
    """Write JSON, sorted by key, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame | pa.Table, inputs: str, facts: dict | None = None) -> None:
    """Write a Parquet table with the digest of what it was made from and other facts about it (JSON), atomically."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    about = {b"inputs": inputs.encode(), b"facts": json.dumps(facts or {}, sort_keys=True).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **about})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV (UTF-8, quoted where needed), atomically."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: Path) -> pd.DataFrame:
    """The columns of a Parquet table that a person can read: all but those that hold bytes."""
    columns = [f.name for f in pq.read_schema(path) if not pa.types.is_binary(f.type)]
    return pd.read_parquet(path, columns=columns)


def inputs_of(path: Path) -> str | None:
    """The digest a Parquet table was made from, or None when there is no such (whole) table."""
    return _about(path).get(b"inputs", b"").decode() or None


def facts_of(path: Path) -> dict:
    """The facts a Parquet table was written with; empty when there is no such (whole) table."""
    return json.loads(_about(path).get(b"facts", b"{}"))


def _about(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}


def digest(*parts: object) -> str:
    """SHA-256, as hex, of the canonical JSON of the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with open(path, "rb") as f:
        if hasattr(hashlib, "file_digest"):
            return hashlib.file_digest(f, "sha256").hexdigest()
        state = hashlib.sha256()  # Python 3.10
        while block := f.read(1 << 20):
            state.update(block)
        return state.hexdigest()


@dataclass
class Workspace:
    """One work directory: what it is about (`work.json`) and where each stage leaves its file."""

    folder: Path
    data: Path  # the folder that all paths in the tables are relative to
    source: Path  # what the user named: that folder, or a CSV
    space: LabelSpace
    layout: str
    options: dict[str, str | None]  # how the pairs were found: images, labels, root, label_space

    @property
    def pairs(self) -> Path:
        return self.folder / "pairs.parquet"

    @property
    def parts(self) -> Path:
        return self.folder / "parts"

    @property
    def scores(self) -> Path:
        return self.folder / "scores.parquet"

    @property
    def label_evidence(self) -> Path:
        return self.folder / "label_evidence.parquet"

    @property
    def label_fit(self) -> Path:
        return self.folder / "label_fit.parquet"

    @property
    def coupled_classes(self) -> Path:
        return self.folder / "coupled_classes.parquet"

    @property
    def class_structure(self) -> Path:
        return self.folder / "class_structure.parquet"

    @property
    def label_error(self) -> Path:
        return self.folder / "label_error"

    @property
    def layouts(self) -> Path:
        return self.folder / "layouts.bin"

    @property
    def thumbnails(self) -> Path:
        return self.folder / "thumbnails.bin"

    @property
    def groups(self) -> Path:
        return self.folder / "groups.parquet"

    @property
    def duplicates(self) -> Path:
        return self.folder / "duplicates.parquet"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

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
    def load(folder: Path) -> Workspace | None:
        """The work directory as it was saved, or None where there is none yet."""
        file = folder / "work.json"
        if not file.exists():
            return None
        try:
            saved = json.loads(file.read_text(encoding="utf-8"))
            return Workspace(
                folder,
                Path(saved["data"]),
                Path(saved["source"]),
                LabelSpace.from_dict(saved["label_space"]),
                saved["layout"],
                saved["options"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{file} cannot be read ({error}). Remove {folder} and run again.") from None


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a work directory for this run. Raises WorkspaceError when another run holds it."""
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
