"""The store of choices, on SQLite and on a real PostgreSQL server, beside the decisions and out of their way."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Event

import pytest
import sqlalchemy as sa

from app.choices import Choice, Choices
from curation.database import Database
from curation.decisions import Decisions
from curation.verdicts import Decision, DecisionsError


@pytest.fixture
def store(database):
    choices = Choices(Database(database), "landscapes", '["a", "b"]')
    yield choices
    choices.close()


def test_what_is_stored_comes_back_as_it_was(store):
    summer = timezone(timedelta(hours=2))
    stem = "'; DROP TABLE choices; --\n<b>ü"
    one = Choice(stem, "anna", "a", "x_3.png", "0" * 64, ("a", "b"), time=datetime.now(summer))
    skip = Choice("y", "ben")
    store.add([one, skip])
    store.add([Choice("y", "ben", undoes=skip.uuid)])
    found = list(store.all())
    assert vars(found[0]) == vars(one) | {"id": 1} and vars(found[1]) == vars(skip) | {"id": 2}
    assert found[2].undoes == skip.uuid and found[2].chosen is None and found[0].time.utcoffset() == timedelta(0)
    assert [c.id for c in store.all(after=1)] == [2, 3] and list(store.all(after=3)) == []


def test_a_click_that_is_sent_twice_is_stored_once(store):
    click = Choice("x", "anna", "a", "x.png", "0" * 64)
    store.add([click, click])
    store.add([Choice("y", "anna"), click])
    store.add([])
    assert [c.stem for c in store.all()] == ["x", "y"]


def test_comparisons_and_data_sets_are_kept_apart(store):
    others = [
        Choices(store.database, "landscapes", '["a", "c"]'),
        Choices(store.database, "streets", store.comparison),
    ]
    for i, one in enumerate([store, *others]):
        one.add([Choice(f"x{i}", "anna")])
    assert [[c.stem for c in one.all()] for one in [store, *others]] == [["x0"], ["x1"], ["x2"]]
    for one in others:
        one.close()


def test_decisions_are_read_where_there_are_no_choices_yet_and_the_other_way_round(database):
    decisions = Decisions(Database(database), "landscapes")
    choices = Choices(decisions.database, "landscapes", "x")
    assert list(choices.all()) == [] and list(decisions.all()) == []
    decisions.add([Decision("p", "keep", "anna")])
    fresh = Decisions(Database(database), "landscapes")
    assert [d.pair_id for d in fresh.all()] == ["p"] and list(choices.all()) == []
    choices.add([Choice("x", "anna")])
    assert [c.stem for c in choices.all()] == ["x"] and [d.pair_id for d in fresh.all()] == ["p"]
    for one in (decisions, choices, fresh):
        one.close()


def test_who_reads_on_misses_no_choice_that_was_begun_earlier_and_stored_later(database):
    slow, fast = (Choices(Database(database), "landscapes", "x") for _ in "ab")
    slow.add([Choice("0", "anna")])  # makes the tables
    begun, go_on = Event(), Event()

    def held(connection):  # before the commit
        begun.set()
        go_on.wait(30)

    sa.event.listen(slow.database.engine, "commit", held)
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(slow.add, [Choice("1", "anna")])]
        assert begun.wait(30)
        writers.append(pool.submit(fast.add, [Choice("2", "ben")]))
        time.sleep(0.5)
        seen = list(fast.all())
        go_on.set()
        for writer in writers:
            writer.result(30)
    seen += fast.all(after=seen[-1].id)
    assert [c.stem for c in seen] == ["0", "1", "2"]
    slow.close()
    fast.close()


def test_twenty_writers_at_once_lose_nothing(database):
    def write(i):
        choices = Choices(Database(database, 60), "landscapes", "x")
        for n in range(3):
            choices.add([Choice(f"{i}-{n}", f"reviewer {i}"), Choice(f"{i}-{n}", f"reviewer {i}")])
        choices.close()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(20)))
    left = Choices(Database(database), "landscapes", "x")
    assert sorted(c.stem for c in left.all()) == sorted(f"{i}-{n}" for i in range(20) for n in range(3) for _ in "ab")
    left.close()


def test_reading_makes_no_file(tmp_path):
    choices = Choices(Database(tmp_path / "decisions.sqlite"), "landscapes", "x")
    assert list(choices.all()) == [] and not list(tmp_path.iterdir())


def test_a_locked_database_says_so_and_stores_nothing(tmp_path):
    choices = Choices(Database(tmp_path / "decisions.sqlite", 0.3), "landscapes", "x")
    choices.add([Choice("a", "anna")])
    with sqlite3.connect(tmp_path / "decisions.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DecisionsError, match="locked"):
            choices.add([Choice("b", "anna")])
        other.execute("ROLLBACK")
    assert [c.stem for c in choices.all()] == ["a"]
    choices.close()
    other.close()


def test_a_nul_in_a_name_is_left_out(store):
    store.add([Choice("a", "an\0na")])
    assert [c.reviewer for c in store.all()] == ["anna"]
