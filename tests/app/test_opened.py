"""A work directory as the app has it open."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app import demo
from app.opened import Asked, WordsError, arguments, must_be_there, open_work, stamp
from app.table import TableError
from curation.workspace import Workspace


def asked(work: Path) -> Asked:
    return Asked(work, None, None, work.parent / "out", (), False)


def test_words_on_the_command_line():
    said = arguments(
        ["--work", "w", "--database", "postgresql://h/d", "--data-set", "x", "--out", "m", "--compare", "a", "b"]
    )
    assert said == Asked(Path("w"), "postgresql://h/d", "x", Path("m"), (Path("a"), Path("b")), False)
    assert arguments(["--work", "w"]).out == Path("data_manifests")
    assert arguments([]) == Asked(demo.WORK, None, None, demo.OUT, (), True)


def test_words_that_are_wrong_are_told_with_those_that_are_right():
    with pytest.raises(WordsError, match="unrecognized arguments: --wrok w") as wrong:
        arguments(["--wrok", "w"])
    with pytest.raises(WordsError) as asked:
        arguments(["--help"])
    assert "--work WORK" in wrong.value.help and "--compare" in asked.value.help


def test_what_is_no_work_directory_says_how_one_is_made(tmp_path):
    with pytest.raises(
        TableError,
        match=f"^{tmp_path} is no work directory of curate. Name one with -- --work DIR, or make it: curate build",
    ):
        open_work(asked(tmp_path))


def test_a_data_set_that_was_moved_says_what_to_do(work_copy, demo_set, tmp_path):
    data = Path(shutil.copytree(demo_set, tmp_path / "data"))
    work = Workspace.load(work_copy)
    work.data = work.source = data
    work.save()
    opened = open_work(asked(work_copy))
    data.rename(tmp_path / "elsewhere")
    for is_gone in (lambda: must_be_there(opened.work), lambda: open_work(asked(work_copy))):
        with pytest.raises(
            TableError, match=f"^The data set {data} is gone: .* Put it back, or measure it where it is now"
        ):
            is_gone()
    (tmp_path / "elsewhere").rename(data)
    must_be_there(opened.work)


def test_the_stamp_changes_with_every_table_that_is_shown(work_copy):
    before = stamp(asked(work_copy))
    assert stamp(asked(work_copy)) == before
    for name in ("scores", "faults", "groups"):
        file = work_copy / f"{name}.parquet"
        os.utime(file, ns=(1, 1))
        assert stamp(asked(work_copy)) != before
        before = stamp(asked(work_copy))
    (work_copy / "faults.parquet").unlink()
    assert stamp(asked(work_copy)) != before
    assert stamp(asked(work_copy / "none")) == ("",)
