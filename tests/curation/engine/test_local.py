"""The local engine: order, bounded flight, threads, workers that die."""

import os
import time
from pathlib import Path

import cv2
import pytest

from curation.engine import local


def square(n: int) -> int:
    time.sleep(0.02 * (n % 3))
    return n * n


def settings(_: int) -> tuple[int, str]:
    return cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS", "")


def die_once(flag: str) -> str:
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(9)
    return "alive"


def die(_: int) -> None:
    os._exit(9)


def fail(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers):
    assert list(local.run(square, list(range(12)), workers)) == [n * n for n in range(12)]


def test_no_jobs_start_no_workers():
    assert list(local.run(square, [], 2)) == []


def test_workers_use_one_thread_each():
    assert list(local.run(settings, [1, 2], 2)) == [(1, "1"), (1, "1")]


def test_a_job_whose_worker_died_is_run_again(tmp_path):
    assert list(local.run(die_once, [str(tmp_path / f) for f in "ab"], 2)) == ["alive", "alive"]


def test_a_job_that_kills_every_worker_is_reported():
    with pytest.raises(local.WorkersDied, match="fewer --workers"):
        list(local.run(die, [1, 2], 2))


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(OSError, match="No space left"):
        list(local.run(fail, [1, 2], 2))
