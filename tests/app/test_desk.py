"""What one reviewer has before them, and what the others get."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest
from browser_clicks import click

from app import desk as module
from app.desk import AHEAD, Desk
from app.order import candidates
from curation.calibration import ENOUGH
from curation.verdicts import KEEP, Decision


def whole(desk: Desk, said: dict | None = None, seconds: float = 60.0) -> dict:
    """The answer once every item on the desk is there, as a browser asks for it."""
    said, items, until = dict(said or {}), {}, time.monotonic() + seconds
    while True:
        answer = desk.answer(said)
        items |= answer["items"]
        said["have"] = [pair_id for pair_id, item in items.items() if item["whole"]]
        if set(answer["queue"]) <= set(said["have"]):
            return answer | {"items": items}
        assert time.monotonic() < until, "items are not made"
        said.pop("outbox", None)


def in_order(opened, reason=None, order="informative", text="") -> list[str]:
    return [opened.table.id(p) for p in candidates(opened.table, reason, order, text, ENOUGH).positions]


def test_a_reason_has_as_many_pairs_as_a_calibration_wants(opened):
    desk = Desk(opened, "anna")
    desk.choose("monochrome", "score", "")
    assert desk.answer(None)["left"] >= ENOUGH > opened.table.counts()["monochrome"]


def test_the_first_candidates_are_on_the_desk(opened):
    answer = whole(Desk(opened, "anna"))
    wanted = in_order(opened)
    assert answer["queue"] == wanted[:AHEAD] and answer["left"] == len(wanted)
    assert set(answer["items"]) == set(wanted[:AHEAD])
    assert (answer["decided"], answer["undo"], answer["message"], answer["confirmed"]) == (0, None, None, [])
    assert answer["owner"].endswith(" anna") and answer["order"] == "None|informative|"


def test_the_pair_for_the_screen_comes_with_the_first_answer(opened):
    answer = Desk(opened, "anna").answer(None)
    assert answer["queue"][0] in answer["items"]
    assert answer["items"][answer["queue"][0]]["photo"].startswith("data:image/jpeg;base64,")


def test_what_the_browser_has_is_not_sent_again(opened):
    desk = Desk(opened, "anna")
    answer = whole(desk)
    assert desk.answer({"have": answer["queue"]})["items"] == {}
    assert list(desk.answer({"have": answer["queue"][1:]})["items"]) == answer["queue"][:1]


def test_what_is_decided_leaves_the_desk_and_others_come(opened):
    desk = Desk(opened, "anna")
    wanted = in_order(opened)
    clicks = [click(pair_id, "skip" if i == 2 else "keep") for i, pair_id in enumerate(wanted[:5])]
    answer = desk.answer({"outbox": clicks})
    assert answer["confirmed"] == [c["uuid"] for c in clicks]
    assert answer["queue"] == wanted[5 : 5 + AHEAD] and answer["left"] == len(wanted) - 5
    assert answer["decided"] == 4
    assert answer["undo"] == {
        "uuid": clicks[4]["uuid"],
        "pair_id": wanted[4],
        "verdict": clicks[4]["verdict"],
        "reason": "person",
    }
    again = desk.answer({"outbox": clicks})  # as a browser does that did not hear it
    assert again["confirmed"] == answer["confirmed"] and len(list(opened.decisions.all())) == 5


def test_an_undo_brings_a_pair_back(opened):
    desk = Desk(opened, "anna")
    wanted = in_order(opened)
    first = click(wanted[0], "drop")
    assert wanted[0] not in desk.answer({"outbox": [first]})["queue"]
    for pair_id in wanted[1:5]:  # the desk is filled again when half of it is decided
        desk.answer({"outbox": [click(pair_id)]})
    answer = desk.answer({"outbox": [click(wanted[0], "undo", undoes=first["uuid"])], "at": wanted[0]})
    assert answer["left"] == len(wanted) - 4 and wanted[0] in answer["items"]
    answer = desk.answer({"outbox": [click(p) for p in answer["queue"][:4]]})
    assert wanted[0] in answer["queue"]


def test_two_reviewers_never_have_the_same_pair(opened):
    anna, ben = Desk(opened, "anna"), Desk(opened, "ben")
    wanted = in_order(opened)
    hers, his = anna.answer(None)["queue"], ben.answer(None)["queue"]
    assert hers == wanted[:AHEAD] and his == wanted[AHEAD : 2 * AHEAD]
    hers = anna.answer({"outbox": [click(p) for p in hers[:5]]})["queue"]
    assert hers == [*wanted[5:AHEAD], *wanted[2 * AHEAD : 2 * AHEAD + 5]]
    assert ben.answer(None)["queue"] == his  # his stay his


def test_the_same_reviewer_in_two_browsers_sees_the_same(opened):
    assert Desk(opened, "anna").answer(None)["queue"] == Desk(opened, "anna").answer(None)["queue"]


def test_what_another_reviewer_decides_leaves_the_desk(opened, monkeypatch):
    desk = Desk(opened, "anna")
    queue = desk.answer(None)["queue"]
    opened.decisions.add([Decision(queue[3], KEEP, "ben")])
    monkeypatch.setattr("app.known.FRESH", 0.0)
    answer = desk.answer(None)
    assert answer["queue"] == [p for p in queue if p != queue[3]] and answer["left"] == len(in_order(opened)) - 1


def test_a_lease_that_ran_out_goes_to_whoever_asks(opened, monkeypatch):
    monkeypatch.setattr(module, "LEASE", 0.2)
    hers = Desk(opened, "anna").answer(None)["queue"]
    time.sleep(0.3)
    assert Desk(opened, "ben").answer(None)["queue"] == hers


def test_another_reason_order_and_text(opened):
    desk = Desk(opened, "anna")
    for asked in (("backlight", "score", ""), (None, "id", "00"), ("kept", "informative", "")):
        desk.choose(*asked)
        answer = desk.answer(None)
        assert answer["queue"] == in_order(opened, *asked)[:AHEAD] and answer["left"] == len(in_order(opened, *asked))
        assert answer["order"] == "|".join(map(str, asked))


def test_when_nothing_is_left_it_says_so(opened):
    desk = Desk(opened, "anna")
    desk.choose("backlight", "id", "no such text")
    answer = desk.answer(None)
    assert answer["queue"] == [] and answer["left"] == 0 and answer["items"] == {}
    assert answer["nothing"].startswith("Nothing is left to decide here for backlight.")


def test_a_pair_that_was_gone_back_to_is_shown(opened):
    desk = Desk(opened, "anna")
    wanted = in_order(opened)
    desk.answer({"outbox": [click(wanted[0], "drop")]})
    answer = whole(desk, {"at": wanted[0]})
    until = time.monotonic() + 30
    while not answer["items"].get(wanted[0], {}).get("whole"):
        assert time.monotonic() < until
        answer = desk.answer({"at": wanted[0], "have": answer["queue"]})
    item = answer["items"][wanted[0]]
    assert item["verdict"] == "drop" and item["state"].startswith("dropped by anna")


@pytest.mark.parametrize(
    "said",
    [
        5,
        "x",
        [],
        {"at": "../../etc/passwd"},
        {"at": {"a": 1}},
        {"have": [{}, None, 5, ["x"]]},
        {"have": 5},
        {"have": None},
        {"outbox": {"uuid": 5}},
        {"outbox": [[], None, {"uuid": "12345678"}]},
        {"n": {"a": []}},
    ],
)
def test_browsers_that_send_nonsense_get_their_pairs_all_the_same(opened, said):
    answer = Desk(opened, "anna").answer(said)
    assert answer["queue"] == in_order(opened)[:AHEAD] and list(opened.decisions.all()) == []
    assert "../../etc/passwd" not in answer["items"]


def test_while_the_database_is_locked_the_desk_stays_and_the_click_waits(opened):
    desk = Desk(opened, "anna")
    queue = desk.answer(None)["queue"]
    sent = click(queue[0], "drop")
    with closing(sqlite3.connect(opened.work.decisions)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = desk.answer({"outbox": [sent]})
        assert "locked" in answer["message"] and answer["confirmed"] == [] and answer["queue"] == queue
    answer = desk.answer({"outbox": [sent]})
    assert answer["message"] is None and answer["confirmed"] == [sent["uuid"]] and queue[0] not in answer["queue"]


def test_no_more_is_begun_than_leaves_room_for_others(opened):
    desk = Desk(opened, "anna")
    desk.answer(None)
    assert len(desk._items) <= module.MOST_BEGUN + 1


def test_pairs_of_another_choice_go_back_to_the_others(opened):
    anna, ben = Desk(opened, "anna"), Desk(opened, "ben")
    before = anna.answer(None)["queue"]
    anna.choose("monochrome", "id", "")
    now = anna.answer(None)["queue"]
    assert now and opened.decisions.leases.held_by_others("ben") == set(now)
    assert set(ben.answer(None)["queue"]) & set(before) - set(now)
