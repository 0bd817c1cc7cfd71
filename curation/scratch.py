"""Scratch: files that many jobs read for a while, memory-mapped; written in a folder of this machine, found by every worker.

Where workers share a file system with this machine they read the same files. Where WORK is at a URL and workers are elsewhere,
each file is put there once and every worker's machine keeps a copy until the work is done.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.place import Place, RemotePlace, place
from curation.workspace import atomic, digest

_own: dict[str, Path] = {}  # those that this process writes need no copies here


class Scratch:
    """A folder to write to, and its `key`, by which jobs find it."""

    def __init__(self, folder: Path, shared: Place) -> None:
        self.folder, self.shared = folder, shared

    @property
    def key(self) -> str:
        return str(self.shared)

    def publish(self, *names: str) -> None:
        """Let workers see files that are written whole."""
        if isinstance(self.shared, RemotePlace):
            for name in names:
                (self.shared / name).put(self.folder / name)


@contextmanager
def scratch(beside: Place | None = None, far: bool = False) -> Iterator[Scratch]:
    """A scratch folder in WORK, or anywhere; gone at the end. far: whether workers on other machines read it."""
    remote = isinstance(beside, RemotePlace)
    with tempfile.TemporaryDirectory(dir=None if remote else beside, prefix="scratch-") as folder:
        shared = beside / Path(folder).name if remote and far else Path(folder)
        room = Scratch(Path(folder), shared)
        _own[room.key] = room.folder
        try:
            yield room
        finally:
            del _own[room.key]
            if isinstance(shared, RemotePlace):
                for file in shared.iterdir():
                    file.unlink(missing_ok=True)


def here(key: str, name: str) -> Path:
    """A file of a scratch on the machine of the worker that asks."""
    if key in _own:
        return _own[key] / name
    shared = place(key)
    if not isinstance(shared, RemotePlace):
        return shared / name
    copy = _copies(key) / name
    if not copy.exists():
        with atomic(copy) as temporary:
            (shared / name).get(temporary)
    return copy


def forget(key: str) -> None:
    """Remove the copies on the machine of the worker that is told."""
    shutil.rmtree(_copies(key), ignore_errors=True)


def _copies(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"pair-curation-{digest(key)[:16]}"
