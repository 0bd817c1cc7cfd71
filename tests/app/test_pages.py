"""Thresholds and Overview as Streamlit runs them; their components are drawn by a browser alone."""

import shutil
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.board import Choice
from curation.manifest import read_manifest
from curation.rules import RuleError
from curation.thresholds import read_thresholds
from curation.verdicts import DecisionsError
from curation.workspace import Workspace, one_at_a_time, read_frame, write_table

REVIEW = Path(__file__).parents[2] / "app"


@pytest.fixture
def page(work_copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["review.py", "--work", str(work_copy), "--out", str(tmp_path / "out")])

    def run(name: str) -> AppTest:
        app = AppTest.from_file(str(REVIEW / "views" / f"{name}.py"), default_timeout=60)
        app.session_state["reviewer"] = "anna"
        app.run()
        assert not app.exception and not app.error
        return app

    return run


def test_thresholds_are_saved_where_the_app_runs(page):
    app = page("thresholds")
    board = app.session_state["board"]
    board.choices["blur"] = Choice(0.25, True)
    app.button(key="save").click().run()
    assert not app.exception and not app.error
    assert read_thresholds(Path("thresholds.toml")) == board.thresholds()
    assert read_thresholds(Path("thresholds.toml"))["blur"] == 0.25
    app.button(key="back").click().run()
    assert not board.moved and app.button(key="back").disabled


def test_a_file_that_cannot_be_changed_is_a_message(page):
    Path("thresholds.toml").write_text("thresholds = {}\n")
    app = AppTest.from_file(str(REVIEW / "views" / "thresholds.py"), default_timeout=60)
    app.session_state["reviewer"] = "anna"
    app.run()
    assert not app.exception and "cannot be changed line by line" in app.error[0].value
    assert Path("thresholds.toml").read_text() == "thresholds = {}\n"


@pytest.mark.parametrize("name", ["thresholds", "overview"])
def test_what_stands_in_an_error_is_no_markup(page, name, monkeypatch):
    app = page(name)
    at = {"thresholds": "curation.thresholds.text_with_thresholds", "overview": "app.known.Known.refresh"}[name]
    error = {"thresholds": RuleError, "overview": DecisionsError}[name]("![x](http://h/x.png) <b> $a$ :red[b]")

    def fail(*args, **options):
        raise error

    monkeypatch.setattr(at, fail)
    app.run()
    assert app.error[0].value == r"\!\[x\]\(http\:\/\/h\/x\.png\) \<b\> \$a\$ \:red\[b\]" and not app.exception


def test_overview_builds_with_the_thresholds_that_were_chosen(page, tmp_path):
    app = page("overview")
    app.session_state["board"].choices["monochrome"] = Choice(0.5, False)
    app.selectbox(key="level").select(1)
    app.run()
    app.selectbox(key="level").select(2)
    app.run()
    app.button(key="build").click().run()
    building = app.session_state["building"]
    assert building.wait(60) and not building.error
    app.run()
    assert not app.exception and app.code[0].value == str(tmp_path / "out" / "selection2.csv")
    assert len(read_manifest(building.manifest).pairs) == building.kept
    assert building.settings.thresholds["monochrome"] is None
    board = app.session_state["board"]
    assert not board.moved and board.choices["monochrome"] == Choice(0.5, False)  # they are the last ones now


def test_another_curate_at_work_is_told_on_the_page(page, work_copy):
    app = page("overview")
    with one_at_a_time(work_copy):
        app.button(key="build").click().run()
        assert app.session_state["building"].wait(60)
    app.run()
    assert "Another curate is at work" in app.error[0].value and not app.exception


def test_a_work_directory_that_is_gone_is_told(page, work_copy):
    shutil.rmtree(work_copy)
    for name in ("thresholds", "overview"):
        app = AppTest.from_file(str(REVIEW / "views" / f"{name}.py"), default_timeout=60)
        app.run()
        assert "is no work directory" in app.error[0].value and not app.exception


def test_a_selection_older_than_what_was_measured_is_told(page, work_copy):
    app = page("overview")
    assert not app.warning
    work = Workspace.load(work_copy)
    write_table(work.scores, read_frame(work.scores), "measured again")
    app.run()
    assert not app.exception and "Build the selection again" in app.warning[0].value
