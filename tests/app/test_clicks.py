"""Clicks of browsers that say what they like."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from browser_clicks import click
from made_up import made_up

from app.clicks import LONGEST, decisions_of, standing
from app.table import Table
from curation.verdicts import UNDO


@pytest.fixture
def table(tmp_path) -> Table:
    pairs = {"a": {"backlight": 0.71239, "dark": 0.3}, "b": {}, "c": {"error": "photo: empty file (0 bytes)"}}
    return Table(made_up(tmp_path, pairs))


def test_a_click_becomes_a_decision_with_score_and_threshold_of_the_time(table):
    made, refused = decisions_of(
        [click("a", "drop", "u" * 32, reason="backlight", note="dim", time="2024-05-06T10:00:00Z")], table, "anna"
    )
    (decision,) = made
    assert refused == []
    assert (decision.pair_id, decision.verdict, decision.reviewer, decision.reason) == (
        "a",
        "drop",
        "anna",
        "backlight",
    )
    assert (decision.note, decision.uuid, decision.undoes, decision.id) == ("dim", "u" * 32, None, 0)
    assert (decision.score, decision.threshold) == (0.7124, 0.5)
    assert decision.time == datetime(2024, 5, 6, 10, tzinfo=timezone.utc)


def test_whatever_score_and_reviewer_the_browser_names_is_passed_over(table):
    (decision,), _ = decisions_of(
        [click("b", "keep", reason="backlight", score=0.9, threshold=0.1, reviewer="ben", id=7)], table, "anna"
    )
    assert (decision.score, decision.threshold, decision.reviewer, decision.id) == (0.0, 0.5, "anna", 0)


def test_an_unknown_reason_is_none_of_the_rules(table):
    for reason in ("<b>", "", None, 5, ["backlight"]):
        (decision,), _ = decisions_of([click("a", "drop", reason=reason)], table, "anna")
        assert (decision.reason, decision.score) == ("person", None)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"pair_id": "../../etc/passwd"},
        {"pair_id": None},
        {"pair_id": ["a"]},
        {"pair_id": 5},
        {"verdict": "delete"},
        {"verdict": None},
        {"verdict": ["drop"]},
        {"verdict": UNDO},  # which names nothing to undo
        {"time": "yesterday"},
        {"time": None},
        {"time": 1e300},
        {"time": "9999-12-31T23:59:59-23:59"},  # past the last year when it is in UTC
        {"time": "2024-05-06T10:00:00"},  # of no time zone: taken as this machine's would be wrong
    ],
)
def test_nonsense_is_refused_by_its_uuid(table, nonsense):
    sent = click("b", "drop", "12345678") | nonsense
    made, refused = decisions_of([sent, click("a", "keep", "87654321")], table, "anna")
    assert [d.uuid for d in made] == ["87654321"] and refused == ["12345678"]


def test_a_uuid_that_is_none_cannot_be_confirmed_or_stored(table):
    for uuid in (None, 5, ["12345678"], "short", "x" * 65):
        made, refused = decisions_of([click("a", "drop", "12345678") | {"uuid": uuid}], table, "anna")
        assert made == [] and refused == ([uuid] if isinstance(uuid, str) else [])


def test_what_is_no_list_of_clicks_is_nothing(table):
    for sent in (None, "drop", 5, {"uuid": "12345678"}, [None, 5, "x", [], {}]):
        assert decisions_of(sent, table, "anna") == ([], [])


def test_a_note_is_text_and_not_too_long(table):
    notes = ["x" * 9999, 5, None, ["<b>"], "<img src=x onerror=alert(1)>"]
    made, _ = decisions_of([click("a", "drop", note=note) for note in notes], table, "anna")
    assert [d.note for d in made] == ["x" * LONGEST, "5", "", "['<b>']", "<img src=x onerror=alert(1)>"]


def test_an_undo_names_what_it_takes_back_and_nothing_else_does(table):
    (undo, drop), refused = decisions_of(
        [click("a", UNDO, undoes="u" * 32), click("a", "drop", undoes="u" * 32)], table, "anna"
    )
    assert (undo.undoes, drop.undoes, refused) == ("u" * 32, None, [])


def test_times_come_in_utc(table):
    (decision,), _ = decisions_of([click("a", time="2024-05-06T12:30:00.250+02:00")], table, "anna")
    assert decision.time == datetime(2024, 5, 6, 10, 30, 0, 250_000, timezone.utc)


def test_a_clock_that_is_ahead_does_not_outvote_what_is_said_later(table):
    (decision,), _ = decisions_of([click("a", time="2999-01-01T00:00:00Z")], table, "anna")
    assert abs((datetime.now(timezone.utc) - decision.time).total_seconds()) < 60


def test_the_standing_of_a_pair(table):
    assert standing(table, 0, "backlight") == (0.7124, 0.5)  # of its fault
    assert standing(table, 0, "dark") == (0.3, 0.5)  # of a rule that is not applied
    assert standing(table, 2, "backlight") == standing(table, 0, "equivalence_class") == (None, None)
