"""The cluster engine with two real workers: order, lost workers, clear errors, the same bytes as on one machine."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from command import curate

from curation.engine import cluster
from curation.engine.errors import EngineError, WorkersDied

distributed = pytest.importorskip("distributed", reason="no Dask: pip install 'pair-curation[cluster]'")


def square(n: int) -> int:
    time.sleep(0.02 * (n % 3))
    return n * n


def fail(n: int) -> int:
    if n == 3:
        raise OSError(28, "No space left on device")
    return n


def die_once(flag: str) -> str:
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(9)
    return "alive"


def die(_: int) -> None:
    os._exit(9)


def threads(_: int) -> int:
    import cv2

    return cv2.getNumThreads()


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def two_workers(said):
    with cluster.connected(None, 2, said.append) as workers:
        yield workers


def test_results_come_in_the_order_of_the_jobs_and_a_person_is_told_where_they_run(two_workers, said):
    assert list(two_workers.run(square, list(range(40)))) == [n * n for n in range(40)]
    assert list(two_workers.run(square, [])) == [] == list(two_workers.map(square, []))
    assert "2 workers" in said[0] and "tcp://127.0.0.1:" in said[0] and "dashboard: http://127.0.0.1:" in said[0]


def test_workers_use_one_thread_each(two_workers):
    assert set(two_workers.map(threads, list(range(8)))) == {1}


def test_an_error_in_a_worker_reaches_the_caller_and_the_cluster_goes_on(two_workers):
    with pytest.raises(OSError, match="No space left"):
        list(two_workers.map(fail, list(range(8))))
    assert list(two_workers.map(square, [5])) == [25]


def test_a_job_whose_worker_died_is_run_again(two_workers, tmp_path):
    assert list(two_workers.map(die_once, [str(tmp_path / f) for f in "ab"])) == ["alive", "alive"]


def test_a_job_that_kills_every_worker_is_reported(two_workers):
    with pytest.raises(WorkersDied, match="workers that have more"):
        list(two_workers.map(die, [1]))
    assert list(two_workers.map(square, [5])) == [25]


def test_workers_that_are_gone_for_good_are_replaced(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.5)
    with cluster.connected(None, 1, print) as alone:
        there = alone.client.cluster
        for nanny in list(there.workers.values()):
            there.sync(nanny.close)  # as when a worker dies while it starts: nobody starts it again
        assert not alone.client.nthreads()
        assert list(alone.map(square, [5, 6])) == [25, 36]


def test_no_worker_can_be_started(monkeypatch):
    monkeypatch.setattr(cluster, "LOOK", 0.2)
    with cluster.connected(None, 1, print) as alone:
        there = alone.client.cluster
        for nanny in list(there.workers.values()):
            there.sync(nanny.close)
        monkeypatch.setattr(cluster, "PATIENCE", 1)
        monkeypatch.setattr(alone, "_revive", lambda: None)
        with pytest.raises(WorkersDied, match="No worker is left"):
            list(alone.map(square, [5]))


def test_a_folder_that_a_worker_does_not_see_is_named(two_workers, tmp_path):
    two_workers.must_see(tmp_path)
    with pytest.raises(EngineError, match=r"nowhere.* shared file system"):
        two_workers.must_see(tmp_path / "nowhere")


def test_workers_of_another_version_are_refused(two_workers, monkeypatch):
    monkeypatch.setattr(cluster.curation, "__version__", "99.0")
    with pytest.raises(EngineError, match=r"this is 99\.0"), cluster.connected(_address(two_workers), 2, print):
        pass


def test_no_scheduler_there(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with (
        pytest.raises(EngineError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9 .*dask scheduler"),
        cluster.connected("tcp://127.0.0.1:9", 2, print),
    ):
        pass


def test_a_scheduler_that_asks_for_a_certificate():
    with (
        pytest.raises(
            EngineError, match=r"tls://127\.0\.0\.1:9 asks for a certificate.*DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
        ),
        cluster.connected("tls://127.0.0.1:9", 2, print),
    ):
        pass


@pytest.mark.parametrize(("workers", "says"), [(0, "has no workers"), (1, "runs 2 threads")])
def test_a_cluster_that_cannot_do_the_work(workers, says, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 3)
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=2, processes=False, dashboard_address=None
        ) as there,
        pytest.raises(EngineError, match=says),
        cluster.connected(there.scheduler_address, 2, print),
    ):
        pass


@pytest.fixture(scope="module")
def local_manifests(demo_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    curate("build-selection", "--data", demo_set, "--work", "work", "--out", folder / "out", cwd=folder)
    return folder / "out"


def test_one_command_and_the_manifests_are_the_same_bytes(demo_set, local_manifests, tmp_path):
    out = local_manifests.parent / "dask"
    done = curate(
        "build-selection",
        "--engine",
        "dask",
        "--workers",
        2,
        "--data",
        demo_set,
        "--work",
        "work",
        "--out",
        out,
        cwd=tmp_path,
    )
    assert "2 workers at tcp://127.0.0.1" in done.stderr
    _same(out, local_manifests)


def test_a_worker_killed_in_the_middle_costs_a_retry(two_workers, demo_set, local_manifests, tmp_path):
    """Workers of a scheduler that runs already; while they measure, one after the other is killed."""
    out = local_manifests.parent / "killed"
    killed = []
    parts = tmp_path / "work" / "parts"

    def kill():
        for least in (1, 2):
            while not parts.is_dir() or len(list(parts.glob("*.json"))) < least:
                if done.is_set():
                    return
                time.sleep(0.02)
            pid = next(iter(two_workers.client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    done = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        curate(
            "build-selection",
            "--scheduler",
            _address(two_workers),
            "--data",
            demo_set,
            "--work",
            "work",
            "--out",
            out,
            cwd=tmp_path,
        )
    finally:
        done.set()
        killer.join()
    assert killed
    _same(out, local_manifests)


def test_without_dask_the_way_to_it_is_named(demo_set, tmp_path):
    program = "import sys; sys.modules['distributed'] = None; from curation.cli import main; main()"
    command = [sys.executable, "-c", program, "index", "--data", str(demo_set), "--engine", "dask"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'pair-curation[cluster]'" in done.stderr
    assert not (tmp_path / ".curate").exists()


def test_an_engine_that_does_not_exist_is_a_mistake(demo_set, tmp_path):
    done = curate("index", "--data", demo_set, "--engine", "spark", cwd=tmp_path, check=False)
    assert done.returncode == 2 and 'No engine "spark"' in done.stderr


def _address(workers: cluster.Cluster) -> str:
    return workers.client.scheduler.address


def _same(out: Path, expected: Path) -> None:
    names = sorted(file.name for file in expected.iterdir())
    assert names == sorted(file.name for file in out.iterdir()) and "selection2.csv" in names
    for name in names:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
