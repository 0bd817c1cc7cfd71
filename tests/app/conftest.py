"""A work directory as a reviewer finds it: the small demo set, measured, with its Selection II."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served

from app.opened import Asked, Opened, open_work
from benchmarks.served import browser as started_browser
from benchmarks.served import why_no_browser
from curation import stages
from curation.rules import Settings


@pytest.fixture(autouse=True)
def _main_stays_what_it_is(monkeypatch) -> None:
    """A page that a test runs becomes `__main__`, which every process that is spawned later would run again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def reviewed_work(demo_set, tmp_path_factory) -> Path:
    """WORK of a Selection II of the demo set, nothing decided yet. Read only: tests that decide something take `work_copy`."""
    folder = tmp_path_factory.mktemp("reviewed")
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, folder / "work", demo_set)
    stages.build_selection(run, work, folder / "manifests", Settings(2), judge="plain")
    return folder / "work"


@pytest.fixture
def work_copy(reviewed_work, tmp_path) -> Path:
    """A copy of `reviewed_work` to decide in; the photos are those of the demo set, which stay as they are."""
    return Path(shutil.copytree(reviewed_work, tmp_path / "work"))


@pytest.fixture
def opened(work_copy) -> Iterator[Opened]:
    """`work_copy` as the app has it open."""
    opened = open_work(Asked(work_copy, None, None, work_copy.parent / "out", (), False))
    yield opened
    opened.makers.shutdown(cancel_futures=True)
    opened.decisions.close()


@pytest.fixture(scope="session")
def browser():
    """A real one; the test is skipped, with the reason, where there is none."""
    if why := why_no_browser():
        pytest.skip(why)
    with started_browser() as there:
        yield there


@pytest.fixture
def served(work_copy, tmp_path) -> Iterator[Served]:
    """The app on a copy of the work directory, in a directory of its own."""
    (tmp_path / "cwd").mkdir()
    there = Served(work_copy, tmp_path / "cwd", "--out", tmp_path / "out")
    yield there
    there.kill()
