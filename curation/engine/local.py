"""The engine of one machine: a pool of spawned processes, at most a few jobs in flight, progress on a terminal."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from curation.engine.errors import WorkersDied

Job = TypeVar("Job")
Result = TypeVar("Result")

# numeric libraries must not open one thread a core in every worker
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
RETRIES = 2  # fresh pools in a row without a result; one dying worker takes the jobs of the others with it
IN_FLIGHT = 3  # jobs per worker: enough to keep it busy, few enough to bound memory


def run(
    function: Callable[[Job], Result],
    jobs: list[Job],
    workers: int,
    caption: str = "",
    weigh: Callable[[Job], int] = lambda job: 1,
    quiet: bool = False,
) -> Iterator[Result]:
    """Yield function(job) for each job, in order. `weigh(job)`: items in a job, for the rate and the time that is left.

    `function` must be importable and jobs picklable (workers are spawned, not forked). One worker means this process. A job whose
    worker dies is given to a fresh pool; if workers die RETRIES times more without a result, WorkersDied is raised.
    """
    if not jobs:
        return
    total = sum(weigh(job) for job in jobs)
    _keep_memory()
    with progress(caption, total, quiet) as advance:
        results = (
            map(function, jobs) if workers == 1 or len(jobs) == 1 else _pooled(function, jobs, min(workers, len(jobs)))
        )
        for job, result in zip(jobs, results, strict=True):
            advance(weigh(job))
            yield result


def _pooled(function: Callable[[Job], Result], jobs: list[Job], workers: int) -> Iterator[Result]:
    waiting = deque(jobs)
    died = 0
    while waiting:
        with _one_thread_each():
            pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
            flying: deque[tuple[Job, Future]] = deque()
            try:
                while waiting or flying:
                    while waiting and len(flying) < IN_FLIGHT * workers:
                        job = waiting.popleft()
                        with children_ignore_interrupts():  # a submit may start workers
                            flying.append((job, pool.submit(function, job)))
                    result = flying[0][1].result()
                    flying.popleft()
                    died = 0
                    yield result
                pool.shutdown()
            except BrokenProcessPool:
                died += 1
                waiting.extendleft(job for job, _ in reversed(flying))
                if died > RETRIES:
                    raise WorkersDied(
                        "Worker processes were killed again and again at the same place, most likely for lack of memory. "
                        "Run again with fewer --workers; what is done is kept."
                    ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def in_threads(function: Callable[[Job], Result], jobs: Iterable[Job], threads: int = 0) -> Iterator[Result]:
    """Yield function(job) for each job, in order, from threads of this process: for work in NumPy, which leaves the interpreter to others.

    Jobs are asked for as they are needed, so they may be a generator of large ones.
    """
    from threadpoolctl import threadpool_limits

    threads, flying = threads or default_workers(), deque()
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for job in jobs:
            flying.append(pool.submit(function, job))
            if len(flying) == IN_FLIGHT * threads:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; only this one shall act on it, and the workers leave with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def settle() -> None:
    """What every process that measures does once: one thread for OpenCV, and memory that is kept."""
    import cv2

    cv2.setNumThreads(1)
    _keep_memory()


def _start_worker() -> None:
    settle()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _keep_memory() -> None:
    """Tell glibc to keep freed memory for the next picture.

    Arrays of a megabyte are allocated and freed by the dozen for each pair; giving each back to the kernel and faulting it in again
    costs a third of the time. Elsewhere than on glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(-1, 1 << 28)  # M_TRIM_THRESHOLD
    mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD


def _leave_with_parent() -> None:
    """A worker whose parent was killed would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The environment that spawned workers inherit."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def progress(caption: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left on a terminal; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(caption, total=total, rate="")

        def advance(n: int) -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(task, advance=n, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


def default_workers() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
