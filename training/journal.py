"""The journal of a run: what was measured at which step, as lines that a person can read and as TensorBoard events.

Enters: numbers, notes and pictures, as they come up. Leaves, in the run's folder:

    log.jsonl    one JSON object a line: step, epoch, phase, time and the numbers; or a note and its text
    events/      the same numbers, and pictures, for `tensorboard --logdir`

A line is in the file when `write` returns, whole or not at all, so a run that is killed loses nothing that was written, and a full
disk leaves no torn line. A run that goes on from an earlier step first cuts off what came after that step.
"""

from __future__ import annotations

import errno
import json
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

LOG = "log.jsonl"
EVENTS = "events"
RESERVED = ("step", "epoch", "phase", "time", "note", "text")  # keys of a line that no measured value may take


class JournalError(RuntimeError):
    """The journal cannot be written or read; the message names the file and the way out."""


class Journal:
    """The open log and events of one run. A context manager; use it from one thread.

    Args:
        folder: the run's folder; made when it is not there.
        resume_step: None for a new run. Otherwise the step of the checkpoint that training goes on from (0: from the start): lines
            of later steps are cut off the log, and TensorBoard is told to hide later events. Notes without a step stay.

    Raises:
        JournalError: a new run finds the log of another one; the log is damaged before its end; a file cannot be written.
    """

    def __init__(self, folder: Path, *, resume_step: int | None = None) -> None:
        folder = Path(folder)
        with _writable(folder / LOG):
            folder.mkdir(parents=True, exist_ok=True)
            _cut(folder / LOG, resume_step)
            self._log = _Appended(folder / LOG)
        self._events: _Events | None = None
        try:
            with _without_torch():
                self._events = _Events(folder / EVENTS, resume_step)
        except JournalError:
            self._log.close()
            raise
        except Exception as error:  # not there, or there with a protobuf that it cannot load, which raises a TypeError
            text = (
                f"TensorBoard events are left out, {LOG} has all numbers: tensorboardX cannot be imported ({error}). "
                'It comes with `pip install -e ".[train]"`.'
            )
            self.note("no events", text)
            print(text, file=sys.stderr)

    def write(self, step: int, epoch: int, phase: str, values: dict[str, float]) -> None:
        """Append what was measured at a step (steps done since the start of the run).

        Floats are written with all their digits: `read` gives the same bits back. Values that are not finite are written as NaN,
        Infinity and -Infinity, which Python and pandas read, though strict JSON has no such numbers.

        Raises:
            JournalError: the disk is full or the file cannot be written; the journal stays as it was before the call.
            ValueError: a value has the name of one of the fixed keys.
        """
        if taken := [name for name in values if name in RESERVED]:
            raise ValueError(f"{taken[0]!r} is a fixed key of a line in {LOG}; give the value another name.")
        measured = {name: float(value) for name, value in values.items()}  # also from numpy's scalars
        self._append({"step": int(step), "epoch": int(epoch), "phase": phase, "time": _now(), **measured})
        if self._events:
            self._events.numbers(int(step), measured)

    def note(self, kind: str, text: str, **facts: Any) -> None:
        """Append a line about the run that is no measurement: {"note": kind, "text": text, "time": ..., and the facts}.

        Args:
            facts: anything JSON has; a `step` among them lets a resumed run cut the note off with the numbers of that step.

        Raises:
            JournalError: as `write`.
        """
        self._append({"note": kind, "text": text, "time": _now(), **facts})

    def picture(self, step: int, name: str, picture: Path | np.ndarray) -> None:
        """Add a picture to the TensorBoard events (it is kept nowhere else; save it with training.pictures).

        Args:
            picture: a PNG file, taken as it is, or pixels (H, W, 3) uint8 RGB.

        Raises:
            JournalError: as `write`, or the file cannot be read.
            PictureError: the array is no such picture.
        """
        if not self._events:
            return
        if isinstance(picture, np.ndarray):
            from training.pictures import png

            self._events.picture(int(step), name, png(picture))
            return
        with _readable(Path(picture)):
            content = Path(picture).read_bytes()
        if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 24:
            raise JournalError(f"{picture} is no PNG file; only PNG files and arrays can be shown in TensorBoard.")
        self._events.picture(int(step), name, content)

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        self._log.close()
        if self._events:
            self._events.file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _append(self, line: dict[str, Any]) -> None:
        self._log.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, in order, numbers and notes; a last line that is still being written is left out.

    Raises:
        JournalError: there is no log, or a line before the last cannot be read.
    """
    path = Path(folder) / LOG
    if not path.is_file():
        raise JournalError(f"{path} is not there. Name the folder of a run, the one that holds its config.json.")
    with _readable(path):
        return [content for _, content in _lines(path)]


def unwritable(path: Path, error: OSError) -> str:
    """What to tell a person when a file of a run cannot be written: the file, the reason, the mend."""
    reason, mend = error.strerror or str(error), "Mend that"
    if error.errno == errno.ENOSPC:
        folder = next(p for p in [path, *path.parents, Path(".")] if p.is_dir())
        reason += f", {shutil.disk_usage(folder).free / 1e6:,.1f} MB free in {folder}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        mend = "Free some space"
    return f"{path} cannot be written: {reason}. {mend}, then start or resume the run; what it saved before is whole."


class _Appended:
    """A file that grows by whole records."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (open as long as the run)

    def append(self, record: bytes) -> None:
        """Write a record whole; when that fails, take back what was written of it and raise JournalError."""
        with _writable(self._path):
            before = self._file.seek(0, 2)
            try:
                rest = memoryview(record)
                while rest:  # a disk that is almost full takes a part and fails at the next
                    rest = rest[self._file.write(rest) :]
            except OSError:
                with suppress(OSError):
                    self._file.truncate(before)
                raise

    def close(self) -> None:
        with _writable(self._path):
            self._file.close()


class _Events:
    """A TensorBoard event file, made of tensorboardX's messages and written by this process.

    tensorboardX's own SummaryWriter hands events to a thread. A full disk ends that thread, its queue of ten fills, and the training
    hangs in the next call; this one raises an error instead.
    """

    def __init__(self, folder: Path, resume_step: int | None) -> None:
        from tensorboardX.proto import event_pb2, summary_pb2
        from tensorboardX.record_writer import masked_crc32c

        self._event, self._summary, self._checksum = event_pb2.Event, summary_pb2.Summary, masked_crc32c
        with _writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # numbered: TensorBoard reads the files in the order of their names, and two starts within a second need two files
            last = max(
                (int(p.suffix[1:]) for p in folder.glob("events.out.tfevents.*") if p.suffix[1:].isdigit()), default=0
            )
            self.file = _Appended(folder / f"events.out.tfevents.{last + 1:06}")
        self._add(self._event(file_version="brain.Event:2"))
        if resume_step is not None:  # TensorBoard hides what the files before hold from this step on
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(self._event(step=resume_step + 1, session_log=start))

    def numbers(self, step: int, values: dict[str, float]) -> None:
        scalars = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(self._event(step=step, summary=self._summary(value=scalars)))

    def picture(self, step: int, name: str, png: bytes) -> None:
        width, height = struct.unpack(">II", png[16:24])  # the header is the first chunk of a PNG
        image = self._summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
        self._add(self._event(step=step, summary=self._summary(value=[self._summary.Value(tag=name, image=image)])))

    def _add(self, event: Event) -> None:
        """One TFRecord: length (uint64), its masked CRC-32C, the message, its masked CRC-32C; little-endian."""
        event.wall_time = time.time()
        content = event.SerializeToString()
        length = struct.pack("<Q", len(content))
        checksums = [struct.pack("<I", self._checksum(part)) for part in (length, content)]
        self.file.append(length + checksums[0] + content + checksums[1])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _lines(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Every whole line of a log, as it stands and as read; what a kill or a power cut left at the end is dropped."""
    lines: list[tuple[bytes, dict[str, Any]]] = []
    damaged = ""
    for number, raw in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        try:
            content = json.loads(raw) if raw.endswith(b"\n") else None
        except ValueError:  # also text that is not UTF-8
            content = None
        if not isinstance(content, dict):
            damaged = damaged or f"{path} line {number} is no JSON object. Remove that line; the others can be used."
        elif damaged:
            raise JournalError(damaged)
        else:
            lines.append((raw, content))
    return lines


def _cut(path: Path, resume_step: int | None) -> None:
    """Leave in a log only whole lines, and none of a later step."""
    if not path.exists():
        return
    lines = _lines(path)
    if resume_step is None and lines:
        raise JournalError(
            f"{path} is the log of another run, with {len(lines)} lines. Resume that run, or name a new folder."
        )
    kept = b"".join(raw for raw, content in lines if content.get("step", 0) <= (resume_step or 0))
    if len(kept) != path.stat().st_size:
        from curation.workspace import atomic

        with atomic(path) as temporary:
            temporary.write_bytes(kept)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """An OSError as a JournalError that names the file and the mend."""
    try:
        yield
    except OSError as error:
        raise JournalError(unwritable(path, error)) from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror or error}. Mend that and try again.") from error


@contextmanager
def _without_torch() -> Iterator[None]:
    """tensorboardX imports PyTorch where it is installed, for seconds and hundreds of MB; nothing here needs it."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # makes `import torch` an ImportError
    try:
        yield
    finally:
        sys.modules.pop("torch", None)
