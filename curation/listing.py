"""Listing: the files below a data folder, each with what tells that it is unchanged. No file is opened.

Enters: a folder. Leaves: {POSIX path: (bytes, stamp)}, sorted. The stamp is the time of the last change in ns; of a remote file, a
number made of the checksum that the store lists, where it lists one (see place.py).
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from curation.pair_layouts import PHOTO_SUFFIXES
from curation.pair_table import NoPairsError
from curation.place import Place, RemotePlace

Stat = tuple[int, int]  # bytes, stamp; a size below 0 says why there is none, see reason_of


def reason_of(stat: Stat) -> str:
    """Why a listed name is no file to read."""
    return {-1: "is a folder, not a file", -2: "may not be read", -3: "is a link to nothing"}[stat[0]]


def list_files(data: Place) -> dict[str, Stat]:
    """Every file and image-named folder below DATA; dot files are left out.

    A folder called `x.jpg` is listed too, with size -1, so that it can be reported instead of vanishing.
    """
    if isinstance(data, RemotePlace):
        found = data.files()
        return {path: found[path] for path in sorted(found) if all(map(_is_seen, path.split("/")))}
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
            if not _is_seen(entry.name):
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


def stat_files(base: Place, paths: Iterable[str]) -> dict[str, Stat]:
    """What is known of some paths below a folder; size -3 where there is no such file. Remote ones are found by one listing."""
    if not isinstance(base, RemotePlace):
        return {path: _stat(base, path) for path in paths}
    paths = list(paths)
    common = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
    found = (base / common if common else base).files() if paths else {}
    return {path: found.get(posixpath.relpath(path, common or "."), (-3, 0)) for path in paths}


def _is_seen(name: str) -> bool:
    return bool(name) and not name.startswith(".") and name != "__MACOSX"


def _changed(stat: os.stat_result) -> int:
    """When a file last changed, in ns: its content (mtime) or its rights (ctime), since either can end an error."""
    return max(stat.st_mtime_ns, stat.st_ctime_ns)


def _stat(base: os.PathLike, path: str) -> Stat:
    try:
        stat = os.stat(os.path.join(base, path))
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return (-3, 0)
    return (-1, 0) if os.path.isdir(os.path.join(base, path)) else (stat.st_size, _changed(stat))
