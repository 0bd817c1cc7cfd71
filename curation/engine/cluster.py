"""The engine of many machines: Dask's scheduler hands the functions of the shards to workers, wherever they are.

The same functions run as on one machine, on the same files, and results come in the order of the jobs: so do the manifests, byte for byte.
Dask gives the jobs of a worker that is lost to another one. Workers must see DATA and WORK under the names they have here, and
run one thread each: a process is what a network of OpenCV can be shared by.
"""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import curation
from curation.engine.errors import EngineError, WorkersDied
from curation.engine.local import Job, Result, children_ignore_interrupts, progress, settle

if TYPE_CHECKING:
    from distributed import Client, Future

IN_FLIGHT = 8  # jobs per worker: a slow one at the head of the line shall not let the others wait
LOOK = 2.0  # seconds after which it is seen whether there still are workers
PATIENCE = 60  # seconds until a scheduler answers, and until it has a worker
COMMAND = "dask worker ADDRESS --nworkers auto --nthreads 1"
CERTIFICATES = [f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")]


class Cluster:
    """Workers that a scheduler knows. far: whether they may be on other machines. revive: starts those of this machine that are gone for
    good; None where others see to that."""

    def __init__(self, client: Client, far: bool, revive: Callable[[], object] | None = None) -> None:
        self.client, self.far, self._revive = client, far, revive

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: list[Job],
        caption: str = "",
        weigh: Callable[[Job], int] = lambda job: 1,
        quiet: bool = False,
    ) -> Iterator[Result]:
        """Yield function(job) for each job, in order, with progress; see engine.local.run. Raises WorkersDied."""
        if not jobs:
            return
        with progress(caption, sum(weigh(job) for job in jobs), quiet) as advance:
            for job, result in zip(jobs, self.map(function, jobs), strict=True):
                advance(weigh(job))
                yield result

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield function(job) for each job, in order. Raises WorkersDied when one job killed worker after worker.

        Jobs are asked for as they are needed, so they may be a generator of large ones.
        """
        from distributed import KilledWorker

        waiting, flying = iter(jobs), deque()
        try:
            while True:
                room = IN_FLIGHT * max(1, len(self.client.nthreads())) - len(flying)
                flying.extend(self.client.map(function, list(islice(waiting, room)), pure=False))
                if not flying:
                    return
                yield self._done(flying.popleft()).result()
        except KilledWorker as error:
            raise WorkersDied(
                f"{error.allowed_failures + 1} workers were killed one after the other at the same place, most likely for lack of memory. "
                "Run again with workers that have more; what is done is kept."
            ) from None
        finally:
            self.client.cancel(list(flying))

    def _done(self, future: Future) -> Future:
        """The future once it is done. A worker that dies while it starts is not started again by Dask, so where none is left, new ones are."""
        from distributed import wait

        alone = 0.0
        while not future.done():
            try:
                wait(future, timeout=LOOK)
            except asyncio.TimeoutError:
                if self._revive is None or self.client.nthreads():
                    alone = 0.0
                    continue
                alone += LOOK
                if alone > PATIENCE:
                    raise WorkersDied("No worker is left, and none can be started. What is done is kept.") from None
                self._revive()
        return future

    def everywhere(self, function: Callable[[Job], object], job: Job) -> None:
        """Call function(job) once in every worker there is."""
        self.client.run(function, job)

    def must_see(self, folder: Path) -> None:
        """Raises EngineError, naming a worker, where workers do not see a folder of this machine."""
        blind = [worker for worker, sees in self.client.run(os.path.isdir, str(folder)).items() if not sees]
        if blind:
            raise EngineError(
                f"The worker {blind[0]} does not see {folder}. DATA and WORK must lie where every worker sees them under the same name: "
                "on a shared file system, or at an address such as s3://bucket/folder."
            )


@contextmanager
def connected(scheduler: str | None, workers: int, say: Callable[[str], None]) -> Iterator[Cluster]:
    """A cluster: that of a scheduler's address, such as tcp://host:8786, or so many workers started on this machine.

    Raises EngineError: no Dask installed, no scheduler there, no workers, workers of another version or with several threads.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise EngineError("The engine dask needs dask[distributed]: pip install 'pair-curation[cluster]'.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a dashboard's port that is taken, a version that differs in its last digit
        if scheduler is None:
            with children_ignore_interrupts():
                there = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:8787",
                    memory_limit=None,  # shards are bounded; memory-mapped files would be counted as a worker's own
                    silence_logs=logging.CRITICAL,
                )
        try:
            client = Client(there if scheduler is None else scheduler, timeout=PATIENCE)
        except TypeError:  # what distributed raises for tls:// when its configuration names no certificate
            raise EngineError(
                f"{scheduler} asks for a certificate. Name them in the environment: {', '.join(CERTIFICATES)}."
            ) from None
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(
                f"No Dask scheduler answers at {scheduler} ({error}). Start one with `dask scheduler`, and workers with `{COMMAND}`."
            ) from None
    try:
        _check(client, scheduler or "this machine")
        client.register_plugin(_plugin(), name="pair-curation")
        say(
            f"dask: {len(client.nthreads()):,} workers at {client.scheduler.address}; dashboard: {client.dashboard_link}"
        )
        if scheduler is None:
            yield Cluster(client, False, partial(there.scale, workers))
        else:
            yield Cluster(client, True)
    finally:
        client.close()
        if scheduler is None:
            there.close()


def _check(client: Client, where: str) -> None:
    """Raises EngineError where the workers cannot do the work."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise EngineError(f"The scheduler at {where} has no workers. Start them with `{COMMAND}`.") from None
    threads = client.nthreads()
    if several := [worker for worker, n in threads.items() if n > 1]:
        raise EngineError(
            f"The worker {several[0]} runs {threads[several[0]]} threads; one process a processor is needed. Start workers with `{COMMAND}`."
        )
    try:
        versions = client.run(version)
    except ModuleNotFoundError:
        raise EngineError(
            "The workers have no pair-curation. Install the same version there, with its extra `cluster`."
        ) from None
    for worker, there in versions.items():
        if there != curation.__version__:
            raise EngineError(
                f"The worker {worker} has pair-curation {there}, and this is {curation.__version__}. Install the same."
            )


def version() -> str:
    """The version of this package where it is called."""
    return curation.__version__


def _plugin():
    from distributed import WorkerPlugin

    class Settled(WorkerPlugin):
        """What every process that measures does once, also one that joins later."""

        def setup(self, worker: object) -> None:
            settle()

    return Settled()
