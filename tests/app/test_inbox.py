"""Clicks on their way into the store: each once, all or nothing, none lost while the database is busy."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from browser_clicks import class_click, click

from app.inbox import CONFIRMED, Inbox


def test_a_click_that_is_sent_twice_is_stored_once_and_confirmed_each_time(opened):
    inbox = Inbox(opened, "anna")
    stored, message = inbox.store([click(uuid="a" * 8)])
    assert [d.pair_id for d in stored] == ["0003"] and message is None
    assert inbox.store([click(uuid="a" * 8), click("0004", uuid="b" * 8)])[0][0].pair_id == "0004"
    assert inbox.says(None)["confirmed"] == ["a" * 8, "b" * 8]
    assert Inbox(opened, "anna").store([click(uuid="a" * 8)])[1] is None  # another start of the app
    assert [d.pair_id for d in opened.decisions.all()] == ["0003", "0004"]
    assert opened.known.verdict("0003").by == ("anna",)


def test_nonsense_is_confirmed_and_not_stored(opened):
    inbox = Inbox(opened, "anna")
    stored, message = inbox.store([click("../../etc/passwd", uuid="n" * 8), 7, None, {"uuid": ["x"]}])
    assert stored == [] and message is None and inbox.says(None)["confirmed"] == ["n" * 8]
    assert inbox.store("nothing")[0] == inbox.store(None)[0] == []
    assert list(opened.decisions.all()) == []


def test_a_locked_database_stores_nothing_confirms_nothing_and_says_so(opened):
    Inbox(opened, "ben").store([click()])  # makes the tables
    inbox = Inbox(opened, "anna")
    batch = [click(f"{i:04}") for i in range(20)]
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
    batch = [click() for i in range(CONFIRMED + 50)]
    inbox.store(batch)
    assert len(inbox.says(None)["confirmed"]) == CONFIRMED + 50
    inbox.store([click(uuid="one more")])
    assert inbox.says(None)["confirmed"][-1] == "one more" and len(inbox.says(None)["confirmed"]) == CONFIRMED


def test_a_click_on_a_class_is_one_decision_a_pair_and_can_be_undone_whole(opened):
    inbox = Inbox(opened, "anna")
    made = class_click("0041", "keep")  # of class 0004, 0041: the second is a copy of the first
    stored, _ = inbox.store([made])
    assert [(d.pair_id, d.verdict, d.reason) for d in stored] == [
        ("0004", "keep", "equivalence_class"),
        ("0041", "keep", "equivalence_class"),
    ]
    assert made["uuid"] in inbox.says(None)["confirmed"]
    Inbox(opened, "anna").store([made])  # sent once more, to another start of the app
    assert len(list(opened.decisions.all())) == 2
    Inbox(opened, "ben").store([class_click("0004", "undo", undoes=made["uuid"])])
    assert set(opened.known.verdicts()) == {"0004", "0041"}  # nobody undoes what another said
    stored, _ = inbox.store([class_click("0004", "undo", undoes=made["uuid"])])
    assert len(stored) == 2 and opened.known.verdicts() == {}


def test_clicks_on_a_class_mean_what_those_before_them_left(opened):
    inbox = Inbox(opened, "anna")
    one, other = class_click("0028", "drop"), class_click("0028", "choose", k=1)
    stored, _ = inbox.store([one, click("0003"), other])  # class 0028, 0094; both are kept by the rules
    assert [(d.pair_id, d.verdict) for d in stored] == [("0094", "keep"), ("0028", "drop"), ("0003", "drop")]
    assert {p: v.verdict for p, v in opened.known.verdicts().items()} == {
        "0028": "drop",
        "0094": "keep",
        "0003": "drop",
    }
    assert len(inbox.says(None)["confirmed"]) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"pair_id": "nowhere"},
        {"pair_id": 7},
        {"verdict": "explode"},
        {"verdict": "choose"},
        {"verdict": "choose", "k": "2"},
        {"verdict": "choose", "k": float("inf")},
        {"verdict": "undo"},
        {"verdict": "undo", "undoes": "x"},
        {"time": "yesterday"},
        {"uuid": "no uuid at all"},
    ],
)
def test_nonsense_about_a_class_is_confirmed_and_not_stored(opened, bad):
    sent = class_click("0004", "drop") | bad
    inbox = Inbox(opened, "anna")
    assert inbox.store([sent]) == ([], None)
    assert inbox.says(None)["confirmed"] == [sent["uuid"]] and list(opened.decisions.all()) == []


def test_a_click_that_means_too_much_is_refused_and_says_why(opened, monkeypatch):
    monkeypatch.setattr("app.class_clicks.MOST", 1)
    inbox = Inbox(opened, "anna")
    assert inbox.store([class_click("0004", "choose", k=2)]) == ([], None)
    told = inbox.says(None)
    assert "takes 2 decisions, more than the 1" in told["message"] and "sent again" not in told["message"]
    assert len(told["confirmed"]) == 1
    inbox.store([click()])
    assert inbox.says(None)["message"] is None


def test_a_click_on_a_class_waits_for_a_locked_database(opened):
    Inbox(opened, "ben").store([click()])
    inbox = Inbox(opened, "anna")
    made = class_click("0041", "keep")
    with closing(sqlite3.connect(opened.work.decisions)) as other:
        other.execute("BEGIN EXCLUSIVE")
        stored, message = inbox.store([made])
        assert stored == [] and "locked" in message and inbox.says(message)["confirmed"] == []
    assert len(inbox.store([made])[0]) == 2
