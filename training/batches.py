"""Batches of a packed set: which pair when, cropped where, mirrored or not; photos and channel indices out, made ahead in a thread.

Every choice is a function of (seed, epoch, step) alone, so a run that resumes sees what it would have seen, and the
processes of a run see the parts of one batch.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.packed import DataError, PackedSet

AHEAD = 2  # batches that are ready before they are asked for
ORDER, PICTURES = 0, 1  # the streams of random numbers: of an epoch's order, of a step's crops and flips


@dataclass(frozen=True, eq=False)
class Batch:
    """photos (n, H, W, 3) uint8 RGB and ids (n, H, W) uint8 channel indices, C-contiguous; rows (n,) int64 of the packed set."""

    photos: np.ndarray
    ids: np.ndarray
    rows: np.ndarray


class Batches:
    """The batches of one process.

    An epoch draws as many pairs as have a weight above 0 (N), each floor or ceil of N * weight / (sum of weights) times and
    on average exactly that often; with equal weights each pair once. Pairs that do not fill a batch wait for another
    epoch, whose order is another. Mirroring is horizontal, of half the draws; the crop is a random window. Photo and label
    map always share both.

    Args:
        packed: the packed set.
        size: (width, height) of the pictures, at most that of the packed set.
        batch_size: pairs a step in all processes together.
        seed: 0 or higher.
        flip: whether to mirror.
        rank, world: number of this process and how many there are; process r has rows r*b/world to (r+1)*b/world of each
            batch of b.

    Raises:
        DataError: size, batch size, seed or rank that cannot be; fewer pairs than a batch holds.
    """

    def __init__(
        self,
        packed: PackedSet,
        *,
        size: tuple[int, int],
        batch_size: int,
        seed: int,
        flip: bool = True,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        _check_size(packed, size)
        if batch_size < 1 or world < 1 or batch_size % world:
            raise DataError(
                f"batch size {batch_size} cannot be shared by {world} processes; make it a multiple of {world}"
            )
        if not 0 <= rank < world:
            raise DataError(f"process {rank} of {world} does not exist; ranks are 0 to {world - 1}")
        if seed < 0:
            raise DataError(f"seed {seed} is negative; give 0 or higher")
        self._drawn = np.flatnonzero(packed.weights > 0)
        if len(self._drawn) < batch_size:
            raise DataError(
                f"{len(self._drawn)} pairs (with a weight above 0) do not fill a batch of {batch_size}; "
                f"make the batch size {len(self._drawn)} or less, or choose a larger manifest"
            )
        self._packed, self._size, self._batch_size, self._seed, self._flip = packed, size, batch_size, seed, flip
        share = batch_size // world
        self._mine = slice(rank * share, (rank + 1) * share)
        self.steps_per_epoch = len(self._drawn) // batch_size

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, made ahead in a thread of their own, which ends with the iterator.

        Close the iterator, or let go of it, to leave an epoch early. What goes wrong in the thread is raised here.

        Raises:
            DataError: `start` is not in 0..steps_per_epoch.
        """
        if not 0 <= start <= self.steps_per_epoch:
            raise DataError(f"epoch {epoch} cannot start at step {start}; it has {self.steps_per_epoch} steps")
        return self._ahead(epoch, range(start, self.steps_per_epoch))

    def fixed(self, rows: Sequence[int] | np.ndarray, size: tuple[int, int]) -> Batch:
        """Pairs as they are, by row of the packed set, for validation: the middle of each, never mirrored.

        Raises:
            DataError: `size` (width, height) is larger than the packed set's.
        """
        _check_size(self._packed, size)
        rows = np.asarray(rows, np.int64)
        (wide, high), (width, height) = self._packed.size, size
        lefts, tops = np.full(len(rows), (wide - width) // 2), np.full(len(rows), (high - height) // 2)
        return _cut(self._packed, rows, lefts, tops, np.zeros(len(rows), bool), size)

    def _ahead(self, epoch: int, steps: range) -> Iterator[Batch]:
        ready: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
        room = threading.Semaphore(AHEAD)
        left = threading.Event()

        def make() -> None:
            try:
                order = self._order(epoch)
                for step in steps:
                    room.acquire()
                    if left.is_set():
                        return
                    ready.put(self._batch(order, epoch, step))
            except BaseException as error:  # the consumer waits: whatever it is, it must hear of it
                ready.put(error)

        thread = threading.Thread(target=make, name="batches", daemon=True)
        thread.start()
        try:
            for _ in steps:
                batch = ready.get()
                if isinstance(batch, BaseException):
                    raise batch
                room.release()
                yield batch
        finally:
            left.set()
            room.release()
            thread.join()

    def _order(self, epoch: int) -> np.ndarray:
        """(N,) int64 rows of the packed set in the order of the epoch."""
        random = self._random(ORDER, epoch)
        counts = draws(self._packed.weights[self._drawn], random.random())
        return random.permutation(np.repeat(self._drawn, counts))

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> Batch:
        random = self._random(PICTURES, epoch, step)
        (wide, high), (width, height) = self._packed.size, self._size
        # drawn for all processes and whether used or not, so that neither changes the other numbers
        mirrored = (random.random(self._batch_size) < 0.5) & self._flip
        lefts = random.integers(0, wide - width + 1, self._batch_size)
        tops = random.integers(0, high - height + 1, self._batch_size)
        rows = order[step * self._batch_size : (step + 1) * self._batch_size]
        mine = self._mine
        return _cut(self._packed, rows[mine], lefts[mine], tops[mine], mirrored[mine], self._size)

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self._seed, spawn_key=stream)))


def draws(weights: np.ndarray, start: float) -> np.ndarray:
    """How often each of n pairs is drawn in n draws: systematic resampling (Carpenter, Clifford and Fearnhead 1999).

    Args:
        weights: (n,) float64 above 0.
        start: in [0, 1), uniformly random; the only chance there is.

    Returns:
        (n,) int64 that sum to n, each floor or ceil of n * weight / (sum of weights), and that on average over `start`.
    """
    shares = weights / weights.max()  # equal weights become 1 exactly, and so do their shares
    shares = shares * (len(weights) / shares.sum())
    counts = np.floor(shares).astype(np.int64)
    rest = shares - counts  # below 1 each: at most one of the points start, start + 1, ... falls in it
    points = start + np.arange(len(weights) - counts.sum())
    hit = np.searchsorted(np.cumsum(rest), points, side="right")
    last = np.flatnonzero(rest)[-1:]  # rounding may leave the last point a hair past the end
    return counts + np.bincount(np.minimum(hit, last) if len(last) else hit, minlength=len(weights))


def _check_size(packed: PackedSet, size: tuple[int, int]) -> None:
    if not all(0 < side <= most for side, most in zip(size, packed.size, strict=True)):
        raise DataError(
            f"pictures of {size[0]}x{size[1]} cannot be cut from a packed set of {packed.size[0]}x{packed.size[1]}; "
            "pack it at that size or larger"
        )


def _cut(
    packed: PackedSet,
    rows: np.ndarray,
    lefts: np.ndarray,
    tops: np.ndarray,
    mirrored: np.ndarray,
    size: tuple[int, int],
) -> Batch:
    width, height = size
    photos = np.empty((len(rows), height, width, 3), np.uint8)
    ids = np.empty((len(rows), height, width), np.uint8)
    for i, (row, left, top) in enumerate(zip(rows, lefts, tops, strict=True)):
        window = np.s_[top : top + height, left : left + width]
        across = slice(None, None, -1 if mirrored[i] else 1)
        photos[i] = packed.photos[row][window][:, across]
        ids[i] = packed.ids[row][window][:, across]
    return Batch(photos, ids, rows.astype(np.int64))
