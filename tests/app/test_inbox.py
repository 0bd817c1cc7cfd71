"""Clicks on their way into the store: each once, all or nothing, none lost while the database is busy."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from app.inbox import CONFIRMED, Inbox


def click(uuid, pair_id="0003", verdict="drop", **more):
    return {"uuid": uuid, "pair_id": pair_id, "verdict": verdict, "time": "2026-11-23T10:00:00Z", **more}


def test_a_click_that_is_sent_twice_is_stored_once_and_confirmed_each_time(opened):
    inbox = Inbox(opened, "anna")
    stored, message = inbox.store([click("a" * 8)])
    assert [d.pair_id for d in stored] == ["0003"] and message is None
    assert inbox.store([click("a" * 8), click("b" * 8, "0004")])[0][0].pair_id == "0004"
    assert inbox.says(None)["confirmed"] == ["a" * 8, "b" * 8]
    assert Inbox(opened, "anna").store([click("a" * 8)])[1] is None  # another start of the app
    assert [d.pair_id for d in opened.decisions.all()] == ["0003", "0004"]
    assert opened.known.verdict("0003").by == ("anna",)


def test_nonsense_is_confirmed_and_not_stored(opened):
    inbox = Inbox(opened, "anna")
    stored, message = inbox.store([click("n" * 8, "../../etc/passwd"), 7, None, {"uuid": ["x"]}])
    assert stored == [] and message is None and inbox.says(None)["confirmed"] == ["n" * 8]
    assert inbox.store("nothing")[0] == inbox.store(None)[0] == []
    assert list(opened.decisions.all()) == []


def test_a_locked_database_stores_nothing_confirms_nothing_and_says_so(opened):
    Inbox(opened, "ben").store([click("first000")])  # makes the tables
    inbox = Inbox(opened, "anna")
    batch = [click(f"{i:08}", f"{i:04}") for i in range(20)]
    with closing(sqlite3.connect(opened.work.decisions)) as other:
        other.execute("BEGIN EXCLUSIVE")
        stored, message = inbox.store(batch)
        assert stored == [] and "locked" in message
        told = inbox.says(message)
        assert told["confirmed"] == [] and "sent again" in told["message"]
    stored, message = inbox.store(batch)
    assert len(stored) == 20 and message is None
    assert len(list(opened.decisions.all())) == 21


def test_a_long_backlog_is_confirmed_whole(opened):
    inbox = Inbox(opened, "anna")
    batch = [click(f"{i:08}") for i in range(CONFIRMED + 50)]
    inbox.store(batch)
    assert len(inbox.says(None)["confirmed"]) == CONFIRMED + 50
    inbox.store([click("one more")])
    assert inbox.says(None)["confirmed"][-1] == "one more" and len(inbox.says(None)["confirmed"]) == CONFIRMED
