"""Apart: a function in a process of its own: its news, its result, its end, and what went wrong in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.apart import Apart, Tell


def count(tell: Tell, to: int) -> dict:
    print("what a library prints")
    for n in range(to):
        tell("count", n + 1, to)
    return {"counted": to, "by": os.getpid()}


def refuse(tell: Tell, why: str) -> None:
    tell("refuse", 0, 1)
    raise ValueError(why)


def break_down(tell: Tell) -> None:
    raise ZeroDivisionError


@pytest.fixture(autouse=True)
def _this_module_is_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def ended(apart: Apart) -> Apart:
    apart.begin()
    assert apart.wait(60)
    return apart


def test_news_and_result_come_from_another_process():
    apart = ended(Apart(count, to=5))
    assert apart.steps == {"count": (5, 5)} and apart.failed() == ""
    assert apart.result["counted"] == 5 and apart.result["by"] != os.getpid()


def test_what_is_foreseen_is_told_as_it_is():
    apart = ended(Apart(refuse, why="<b>not</b> today: Grün"))
    assert apart.failed() == "<b>not</b> today: Grün" and apart.result is None


def test_what_nobody_foresaw_is_a_text_too(capfd):
    assert "status 1" in ended(Apart(break_down)).failed()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_it_can_be_begun_again():
    apart = ended(Apart(count, to=2))
    first = apart.result["by"]
    assert ended(apart).result["by"] != first
