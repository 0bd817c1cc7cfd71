"""Place: where a file or folder lies. On this machine a pathlib.Path; anywhere else a RemotePlace, a URL that fsspec understands.

Enters: a path or URL as a person writes it. Leaves: a Place, which the rest of the package uses without asking where it lies: both
kinds have `/`, name, parent, exists, iterdir, read_bytes and so on. fsspec is imported for a URL and never for a path.

Credentials are the business of the environment (AWS_*, GOOGLE_*) or of fsspec's own files (~/.config/fsspec); a URL that holds a
password is refused, for URLs stand in tables, recipes and messages.
"""

from __future__ import annotations

import fnmatch
import inspect
import os
import posixpath
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = (
    16  # requests in flight: each waits some 20-50 ms for an answer, so one by one they would take most of the time
)
# stores whose put is all or nothing; on other file systems a file is written beside its place and renamed
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "r2")
_URL = re.compile(r"([a-z][a-z0-9+.:-]*)://([^/]*)", re.IGNORECASE)
_SECRET = re.compile(
    r"(?<=://)[^/@\s:]*:(?!\d+(?:/|\s|$))\S*@"
)  # a port is no password, and a password may hold slashes


class PlaceError(RuntimeError):
    """A place that cannot be used or reached; the message says which, why, and what to do."""


@dataclass(frozen=True, order=True)
class RemotePlace:
    """A file or folder behind a URL, with those methods of pathlib.Path that are used here.

    Nothing is remembered of what lies there, since other processes write there, too. Where there is no such file, FileNotFoundError is
    raised as for a local one; whatever else goes wrong (no credentials, no network) is a PlaceError.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> RemotePlace:
        return RemotePlace(f"{self.url}/{name}")

    @property
    def root(self) -> str:
        """Protocol and host or bucket: s3://bucket."""
        return _URL.match(self.url).group()

    @property
    def below_root(self) -> str:
        """The rest, from its first slash on; "/" for the root itself."""
        return self.url[len(self.root) :] or "/"

    @property
    def name(self) -> str:
        return self.below_root.rpartition("/")[2] or self.root.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.removesuffix(self.suffix)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    @property
    def parent(self) -> RemotePlace:
        return RemotePlace(self.root + self.below_root.rpartition("/")[0])

    def with_name(self, name: str) -> RemotePlace:
        return self.parent / name

    def with_suffix(self, suffix: str) -> RemotePlace:
        return self.with_name(self.stem + suffix)

    def exists(self) -> bool:
        with self._reached("looked up") as (fs, path):
            return fs.exists(path)

    def is_file(self) -> bool:
        with self._reached("looked up") as (fs, path):
            return fs.isfile(path)

    def is_dir(self) -> bool:
        with self._reached("looked up") as (fs, path):
            return fs.isdir(path)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Folders come and go with their files; nothing to do."""

    def iterdir(self) -> Iterator[RemotePlace]:
        return iter([self / name for name in self.names()])

    def glob(self, pattern: str) -> list[RemotePlace]:
        """What lies in this folder itself and fits a pattern."""
        return [self / name for name in fnmatch.filter(self.names(), pattern)]

    def names(self) -> list[str]:
        """The names of what lies in this folder, sorted; none where there is no such folder."""
        with self._reached("listed") as (fs, path):
            try:
                found = fs.ls(path, detail=False)
            except FileNotFoundError:
                return []
        names = {name.rstrip("/").rpartition("/")[2] for name in found if name.rstrip("/") != path.rstrip("/")}
        return sorted(names)

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file below this folder: {path relative to it: (bytes, stamp)}, by one listing that comes page by page.

        The stamp is another number when the content is another: made of the checksum or generation that the store lists (ETag), or, where it
        lists none, the time of the last change in ns.
        """
        with self._reached("listed") as (fs, path):
            found = fs.find(path, detail=True)
        above = len(path.rstrip("/")) + 1
        return {
            name[above:]: (int(info["size"] or 0), _stamp(info))
            for name, info in found.items()
            if len(name) > above and not name.endswith("/") and info["type"] == "file"
        }

    def open(self) -> BinaryIO:
        """To read parts of a file; each read asks for just those bytes."""
        with self._reached("read") as (fs, path):
            return fs.open(path, "rb", cache_type="none")

    def read_bytes(self) -> bytes:
        with self._reached("read") as (fs, path):
            return fs.cat_file(path)

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding).replace("\r\n", "\n")

    def put(self, file: Path) -> None:
        """Put a local file here, whole or not at all."""
        with self._reached("written") as (fs, path):
            if self.url.partition("://")[0] in OBJECT_STORES:
                fs.put_file(str(file), path)
                return
            temporary = f"{posixpath.dirname(path)}/.{self.name}.{os.urandom(8).hex()}.tmp"
            try:
                fs.put_file(str(file), temporary)
                if fs.exists(path):  # HDFS does not rename over a file
                    fs.rm_file(path)
                fs.mv(temporary, path)
            except BaseException:
                if fs.exists(temporary):
                    fs.rm_file(temporary)
                raise

    def get(self, file: Path) -> None:
        """Copy this file to a local one."""
        with self._reached("read") as (fs, path):
            fs.get_file(path, str(file))

    def unlink(self, missing_ok: bool = False) -> None:
        with self._reached("removed") as (fs, path):
            if not missing_ok or fs.exists(path):
                fs.rm_file(path)

    @contextmanager
    def _reached(self, doing: str) -> Iterator[tuple[Any, str]]:
        """The file system and the path on it, as long as both can be reached."""
        missing = () if doing == "written" else (FileNotFoundError, IsADirectoryError, NotADirectoryError)
        try:
            yield _file_system(self.root, os.getpid()), _on_file_system(self.url)
        except missing:
            raise
        except Exception as error:  # each library has its own kinds
            words = " ".join(str(error).split())[:300] or type(error).__name__
            raise PlaceError(f"{self} cannot be {doing}: {without_secrets(words)}") from None


Place = Path | RemotePlace


def place(text: str | os.PathLike | Place) -> Place:
    """The place that a path or URL names. Raises PlaceError for a URL that cannot be used."""
    if isinstance(text, os.PathLike):
        return Path(text)
    if not isinstance(text, str) or not (url := _URL.match(text)):
        return text if not isinstance(text, str) else Path(text)
    protocol = url[1].lower()
    shown = without_secrets(text)
    if protocol in ("file", "local"):
        return Path(text[len(protocol) + 3 :])
    if shown != text:
        raise PlaceError(
            f"{shown}: a password in a URL would end up in tables and messages. Give credentials by the environment, or "
            "in fsspec's configuration."
        )
    path = text[len(protocol) + 3 :].rstrip("/")
    if not path or "::" in text or "?" in text or {".", ".."} & set(path.split("/")):
        raise PlaceError(
            f"{shown.partition('?')[0]} is no plain URL. Write protocol://bucket/folder, without '..', '?' or '::'."
        )
    _check_protocol(protocol, shown)
    return RemotePlace(f"{protocol}://{path}")


def absolute(where: Place) -> Place:
    """A place that means the same from any folder; links stay as they are."""
    return where if isinstance(where, RemotePlace) else Path(os.path.abspath(where))


def is_remote(where: object) -> bool:
    return isinstance(where, RemotePlace)


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def without_secrets(text: str) -> str:
    """A text without the user names and passwords of URLs in it."""
    return _SECRET.sub("", text)


def inside(base: Place, text: str) -> tuple[str, bool]:
    """A path or URL, relative to a folder or absolute -> its POSIX path relative to the folder, and whether it stays inside."""
    if isinstance(base, RemotePlace):
        if is_url(text):
            if not text.startswith(base.root + "/"):
                return without_secrets(text), False
            text = text[len(base.root) :]
        top = base.below_root
        full = posixpath.normpath(posixpath.join(top, text)[1:])  # without its first slash, at which ".." would end
        stays = full.split("/")[0] != ".." and posixpath.commonpath([top, f"/{full}"]) == top
        return posixpath.relpath(f"/{full}", top) if stays else text, stays
    if is_url(text):
        return without_secrets(text), False
    top = os.path.abspath(base)
    full = os.path.normpath(os.path.join(top, text))
    return os.path.relpath(full, top).replace(os.sep, "/"), os.path.commonpath([top, full]) == top


def moved(path: str, folder: str) -> str:
    """A path in terms of a folder that is written in the same way, as a manifest and its recipe write them; itself when it is not."""
    return path if is_url(path) != is_url(folder) else os.path.relpath(path, folder).replace(os.sep, "/")


def way(start: Place, goal: Place) -> str:
    """How to write a folder in a file that lies in another one: relative where both lie in one store, so that they can move together."""
    if isinstance(start, RemotePlace) and isinstance(goal, RemotePlace):
        return posixpath.relpath(goal.below_root, start.below_root) if start.root == goal.root else str(goal)
    if isinstance(start, RemotePlace) or isinstance(goal, RemotePlace):
        return str(goal) if isinstance(goal, RemotePlace) else os.path.realpath(goal).replace(os.sep, "/")
    return os.path.relpath(os.path.realpath(goal), os.path.realpath(start)).replace(os.sep, "/")


def follow(start: Place, written: str) -> Place:
    """The folder that `way` wrote, from the folder it starts at. Raises PlaceError when it leads out of the store."""
    if is_url(written):
        return place(written)
    if isinstance(start, RemotePlace) and not os.path.isabs(written):
        full = posixpath.normpath(posixpath.join(start.below_root, written)[1:])
        if full.split("/")[0] == "..":
            raise PlaceError(f"{written} leads out of {start.root}. Name the folder by its URL.")
        return RemotePlace(start.root if full == "." else f"{start.root}/{full}")
    return Path(os.path.realpath(start / written if isinstance(start, Path) else written))


def may_write(folder: Place) -> bool:
    """Whether files can be written into a folder, which need not exist yet."""
    if isinstance(folder, RemotePlace):
        probe = folder / f".curate-{os.urandom(8).hex()}"
        try:
            with probe._reached("written") as (fs, path):
                fs.pipe_file(path, b"")
        except PlaceError:
            return False
        with suppress(PlaceError):  # one may write without being allowed to remove
            probe.unlink()
        return True
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def in_turn(function: Callable[[Item], Result], items: Iterable[Item], where: Place) -> Iterator[Result]:
    """function(item) for each item, in order; where files lie elsewhere several at once, since each waits for an answer."""
    if not isinstance(where, RemotePlace):
        yield from map(function, items)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    flying: deque[Future] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for item in items:
            flying.append(pool.submit(function, item))
            if len(flying) == 2 * AT_ONCE:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()


@dataclass(frozen=True)
class Fetched:
    """Files that were read before they are needed: `fetched / path` is one of them, with `name` and `read_bytes`."""

    files: dict[str, bytes | None]
    path: str = ""

    def __truediv__(self, path: str) -> Fetched:
        return Fetched(self.files, path)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def read_bytes(self) -> bytes:
        content = self.files[self.path]
        if content is None:
            raise FileNotFoundError(self.path)
        return content


def read_ahead(base: Place, batches: list[list[str]]) -> Iterator[Place | Fetched]:
    """For each batch of paths below a folder, that folder as it is, or the files in memory where it lies elsewhere.

    The files of the next batch are on their way while the caller works on one.
    """
    if not isinstance(base, RemotePlace):
        yield from (base for _ in batches)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    def content(path: str) -> bytes | None:
        try:
            return (base / path).read_bytes()
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        flying: deque[list[tuple[str, Future]]] = deque()
        for batch in [*batches, []]:
            flying.append([(path, pool.submit(content, path)) for path in batch])
            if len(flying) == 2:
                yield Fetched({path: future.result() for path, future in flying.popleft()})


@lru_cache(maxsize=64)
def _file_system(root: str, process: int) -> Any:
    """One a process and bucket: fsspec would make another, with connections of its own, for each thread."""
    from fsspec.core import get_filesystem_class, url_to_fs

    options: dict[str, Any] = {"use_listings_cache": False}  # what was listed before, others may have changed
    known = inspect.signature(get_filesystem_class(root.partition("://")[0]).__init__).parameters
    if "max_concurrency" in known:
        options["max_concurrency"] = 1  # else s3fs asks for the size of each file before it asks for the file
    return url_to_fs(f"{root}/", **options)[0]


def _on_file_system(url: str) -> str:
    from fsspec.core import strip_protocol

    return strip_protocol(url)


def _check_protocol(protocol: str, url: str) -> None:
    try:
        from fsspec import get_filesystem_class
    except ImportError:
        raise PlaceError(f"{url}: URLs need fsspec; pip install 'pair-curation[cluster]'") from None
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}.get(
            protocol
        )
        mend = f"{protocol}:// needs the package {package}; pip install {package}" if package else str(error)
        raise PlaceError(f"{url}: {mend}") from None
    except ValueError:
        raise PlaceError(
            f"{url}: nothing here can read {protocol}://. Known are s3://, gs://, hdfs:// and whatever else fsspec knows."
        ) from None


def _stamp(info: dict[str, Any]) -> int:
    import hashlib
    from datetime import datetime, timezone

    for name in ("ETag", "md5Hash", "generation", "etag"):
        if info.get(name):
            return int.from_bytes(hashlib.blake2b(str(info[name]).encode(), digest_size=8).digest(), "big") >> 1
    for name in ("LastModified", "last_modified", "mtime", "modified", "created"):
        when = info.get(name)
        if isinstance(when, datetime):
            when = (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
        if isinstance(when, int | float):
            return round(when * 1e9)
    return 0
