"""The first start: the demo data set is made by a process of its own, watched, killed, asked for twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from command import ROOT
from streamlit.testing.v1 import AppTest

from app import demo
from app.apart import PROGRAM, Apart
from app.opened import arguments, open_work

PAIRS = 24


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wait(making: Apart, until=lambda: False, seconds: float = 120) -> None:
    began = time.monotonic()
    while making.running and not until():
        assert time.monotonic() - began < seconds, making.steps
        time.sleep(0.02)


def test_it_is_made_once_however_many_ask_and_tells_how_far_it_is(here):
    making = Apart(demo.make, pairs=PAIRS)
    assert not demo.is_made() and not making.running
    making.begin()
    first, seen = making._process, []
    making.begin()
    assert making._process is first
    wait(making, lambda: seen.append(dict(making.steps)))
    assert making.failed() == "" and demo.is_made()
    assert list(making.steps)[:2] == ["draw landscapes", "score"] and "find classes" in making.steps
    assert all(done == total for done, total in making.steps.values())
    drawn = {steps["draw landscapes"][0] for steps in seen if "draw landscapes" in steps}
    assert len(drawn) > 5  # seen while it was at work
    assert len(open_work(arguments([])).table) == PAIRS
    steps = []
    demo.make(lambda step, done, total: steps.append(step), PAIRS)
    assert set(steps) == {"draw landscapes"}  # what is there is not measured again


def test_killed_in_the_middle_it_is_begun_again(here):
    making = Apart(demo.make, pairs=PAIRS)
    making.begin()
    wait(making, lambda: "score" in making.steps)
    making._process.kill()
    assert "status -9" in making.failed() and not demo.is_made()
    making.begin()
    assert "score" not in making.steps
    wait(making)
    assert making.failed() == "" and demo.is_made()


def test_it_ends_with_the_server_and_the_next_start_waits_for_it(here):
    program = [sys.executable, "-c", PROGRAM.format(root=str(ROOT), module="app.demo", function="make")]
    first = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first.stdin.write(json.dumps({"pairs": PAIRS}))
    first.stdin.close()
    assert "draw landscapes" in first.stdout.readline()
    second = Apart(demo.make, pairs=PAIRS)
    second.begin()
    wait(second, lambda: "wait for another program that makes it" in second.steps)
    assert first.poll() is None
    first.stdout.close()  # as when the server that reads it is gone
    assert first.wait(60) == 130
    wait(second)
    assert second.failed() == "" and demo.is_made()


def test_where_nothing_may_be_written_it_says_so(here):
    (here / "demo").write_text("in the way")
    making = Apart(demo.make, pairs=PAIRS)
    making.begin()
    wait(making)
    assert "demo" in making.failed() and "Traceback" not in making.failed()


def test_a_folder_called_app_in_the_current_directory_is_not_ours(here):
    (here / "app").mkdir()
    (here / "app" / "__init__.py").write_text("raise SystemExit('another app')")
    making = Apart(demo.make, pairs=PAIRS)
    making.begin()
    wait(making, lambda: "draw landscapes" in making.steps)
    assert "draw landscapes" in making.steps
    making._process.kill()


def test_the_page_shows_the_queue_when_it_is_made(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["review.py"])
    monkeypatch.setattr(demo, "MAKING", Apart(demo.make, pairs=PAIRS))
    page = AppTest.from_file(str(ROOT / "app" / "review.py"), default_timeout=120)
    page.query_params["reviewer"] = "anna"
    page.run()
    assert not page.exception and not page.error and demo.is_made()
    assert [box.label for box in page.sidebar.selectbox][:2] == ["Reason", "Order"]


def test_the_page_says_why_there_is_no_demo(here, monkeypatch):
    (here / "demo").write_text("in the way")
    monkeypatch.setattr(sys, "argv", ["review.py"])
    monkeypatch.setattr(demo, "MAKING", Apart(demo.make, pairs=PAIRS))
    page = AppTest.from_file(str(ROOT / "app" / "review.py"), default_timeout=60)
    page.run()
    assert not page.exception and "could not be made" in page.error[0].value and "Reload" in page.error[0].value
