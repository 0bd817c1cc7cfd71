"""kill -9 at random points: a re-run goes on and ends in the same bytes."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from command import curate

TIMES = 20


def test_killed_at_random_points_it_ends_in_the_same_manifests(demo_set, tmp_path):
    began = time.monotonic()
    curate(
        "build-selection",
        "--data",
        demo_set,
        "--work",
        tmp_path / "whole",
        "--out",
        tmp_path / "a",
        "--workers",
        2,
        cwd=tmp_path,
    )
    whole = time.monotonic() - began
    command = [
        sys.executable,
        "-m",
        "curation.cli",
        "build-selection",
        "--data",
        str(demo_set),
        "--work",
        str(tmp_path / "cut"),
    ]
    command += ["--out", str(tmp_path / "b"), "--workers", "2", "--quiet"]
    rng = random.Random(1)
    for _ in range(TIMES):
        run = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, whole))
        if run.poll() is None:
            # half of the time only the main process: its workers must leave by themselves
            (os.kill if rng.random() < 0.5 else os.killpg)(run.pid, signal.SIGKILL)
        run.wait()
    subprocess.run(command, cwd=tmp_path, check=True)
    for file in sorted((tmp_path / "a").iterdir()):
        assert (tmp_path / "b" / file.name).read_bytes() == file.read_bytes()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (left := _running_in(tmp_path)):
        time.sleep(0.5)
    assert not left


def _running_in(folder: Path) -> list[str]:
    """Processes whose current directory is this folder; none where there is no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found
