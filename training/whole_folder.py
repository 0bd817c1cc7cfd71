"""Folders of results that appear whole: written under a temporary name beside their place, then renamed.

One process at a time makes a folder; a killed one leaves FOLDER.tmp-PID behind, which the next run removes.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A temporary folder to write to; takes the place of `folder` when the block ends well, removed when it does not."""
    temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def lock(folder: Path, wait: bool = True, quiet: bool = False) -> Iterator[bool]:
    """Hold the right to make a folder; the system lets go of it when a process dies. Gives whether it is held.

    Not held: another process has it and `wait` is False, or the system or the disk knows no locks. Without them two
    processes may make the same folder twice; the rename keeps either whole.
    """
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with open(folder.with_name(f".{folder.name}.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except OSError as error:
            held = False
            if wait and error.errno in (errno.EAGAIN, errno.EACCES):
                if not quiet:
                    print(f"Waiting for another process that writes {folder}.", file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
                held = True
        yield held


def sweep(parent: Path, held: Path | None = None) -> None:
    """Remove what killed processes left: temporary folders whose lock nobody holds, and those of the folder held here."""
    for left in parent.glob("*.tmp-*"):
        folder = parent / left.name.split(".tmp-")[0]
        if folder == held:
            shutil.rmtree(left, ignore_errors=True)
            continue
        with lock(folder, wait=False) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
