import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from app.board import BESIDE, Board, Choice, board_in
from curation.rules import Settings
from curation.thresholds import read_thresholds, write_thresholds
from curation.verdicts import DROP, KEEP, Decision

START = datetime(2026, 5, 1, tzinfo=timezone.utc)


@pytest.fixture
def board(opened) -> Board:
    return Board(opened)


def say(board: Board, wanted: float = 0.9, **said) -> dict:
    """What the browser gets at last, when all that is made is made."""
    said = {"n": 1, "revision": board.revision, **said}
    end = time.monotonic() + 60
    while (answer := board.answer(said, wanted))["pending"]:
        assert time.monotonic() < end
        time.sleep(0.02)
        items = (answer["examples"] or {}).get("items", {})
        said = {**said, "n": said["n"] + 1, "have": [*said.get("have", []), *items]}
    return answer


def review(board: Board, reason: str, border: float, n: int = 60) -> None:
    """A person who looks at every so many pairs, and drops those over a border."""
    table, values = board.opened.table, board.scores[reason].values
    ranked = np.argsort(-np.nan_to_num(values))[:n]
    board.opened.decisions.add(
        [
            Decision(
                table.id(p), DROP if values[p] >= border else KEEP, "anna", reason, time=START + timedelta(seconds=i)
            )
            for i, p in enumerate(ranked)
        ]
    )
    board.opened.known.refresh(at_once=True)


def test_it_begins_with_the_last_selection(board):
    answer = say(board)
    assert not board.moved and answer["exact"] and answer["levels"]["now"] == answer["levels"]["last"]
    assert answer["thresholds"]["backlight"] == {"value": 0.5, "on": True}
    assert answer["thresholds"]["dark"] == {"value": 0.5, "on": False}
    assert [s["reason"] for s in answer["scores"]][:3] == ["label_error", "coupling", "backlight"]
    assert all(sum(s["bars"]) == s["pairs"] for s in answer["scores"])


def test_a_threshold_that_moves_changes_counts_and_settings(board):
    above = int((board.scores["coupling"].values >= np.float32(0.1)).sum())
    answer = say(board, thresholds={"coupling": {"value": 0.1, "on": True}})
    assert answer["facts"]["coupling"]["above"] == above > 10
    now, last = answer["levels"]["now"], answer["levels"]["last"]
    assert now["1"] < last["1"] and now["2"] < last["2"]
    assert board.moved and board.settings(1).thresholds["coupling"] == 0.1 and board.settings(1).level == 1
    off = say(board, thresholds={"coupling": {"value": 0.5, "on": True}, "monochrome": {"value": 0.1, "on": False}})
    assert off["levels"]["now"]["1"] == last["1"] and off["levels"]["now"]["2"] > last["2"]
    assert board.thresholds()["monochrome"] is None
    Settings(2, board.thresholds())  # are taken as they are


@pytest.mark.parametrize(
    "told",
    [
        {"backlight": {"value": 1.5, "on": True}},
        {"backlight": {"value": "nan", "on": True}},
        {"backlight": {"value": None}},
        {"backlight": 0.1},
        {"__proto__": {"value": 0.1, "on": True}},
        ["backlight"],
        "backlight",
    ],
)
def test_what_a_browser_makes_up_changes_nothing(board, told):
    say(board, thresholds=told, active=["x"], have="x", open={"id": "../../etc/passwd", "reason": "blur"}, act="x")
    assert not board.moved and set(board.choices) == set(board.scores)


def test_thresholds_from_before_the_server_set_them_are_passed_over(board):
    say(board, thresholds={"blur": {"value": 0.3, "on": True}})
    board.back()
    answer = say(board, revision=board.revision - 1, thresholds={"blur": {"value": 0.3, "on": True}})
    assert not board.moved and answer["revision"] == board.revision


def test_examples_lie_beside_the_threshold_and_are_sent_once(board):
    value = float(np.sort(board.scores["coupling"].values)[-20])
    first = board.answer(
        {"n": 1, "revision": 1, "active": "coupling", "thresholds": {"coupling": {"value": value, "on": True}}}, 0.9
    )
    shown = say(board, active="coupling", have=list(first["examples"]["items"]))["examples"]
    table, scores = board.opened.table, board.scores["coupling"].values
    below, above = ([scores[table.position(p)] for p in shown[side]] for side in ("below", "above"))
    assert len(below) == len(above) == BESIDE
    assert sorted(below, reverse=True) == below and sorted(above) == above
    assert below[0] < np.float32(round(value, 4)) <= above[0]
    again = say(board, active="coupling", have=[*shown["below"], *shown["above"]])
    assert again["examples"]["items"] == {} and set(again["examples"]["about"]) == {*shown["below"], *shown["above"]}


def test_thumbnails_are_pictures(board):
    items = {}
    for _ in range(200):
        answer = board.answer({"n": 1, "revision": 1, "active": "coupling", "have": list(items)}, 0.9)
        items |= answer["examples"]["items"]
        if not answer["pending"]:
            break
        time.sleep(0.02)
    assert items and all(item["picture"].startswith("data:image/jpeg;base64,") for item in items.values())


def test_evidence_of_an_example_is_that_of_the_reason(board):
    pair_id = board.opened.table.id(board.opened.table.dropped_for("backlight")[0][0])
    found = say(board, open={"id": pair_id, "reason": "backlight"})["evidence"]
    assert found["id"] == pair_id and found["picture"].startswith("data:image/jpeg") and "dark" in found["says"]


def test_a_photo_that_is_gone_is_a_text_in_its_place(board):
    table = board.opened.table
    position = int(np.flatnonzero(table.kept)[0])
    photo = table.work.data / table.image[position].as_py()
    hidden = photo.with_suffix(".hidden")
    photo.rename(hidden)
    try:
        answer = say(board, open={"id": table.id(position), "reason": "backlight"})
    finally:
        hidden.rename(photo)
    assert answer["evidence"]["picture"] is None and photo.name in answer["evidence"]["says"]


def test_calibration_needs_reviews_and_says_so(board):
    act = {"id": "a-click-of-mine", "what": "calibrate", "reason": "backlight"}
    answer = say(board, act=act)
    assert "20 are the least" in answer["facts"]["backlight"]["told"]["error"] and answer["acted"] == act["id"]
    assert not board.moved and answer["fewest"] == 20


def test_calibration_sets_the_threshold_once_and_tells_before_and_after(board):
    review(board, "coupling", 0.3)
    act = {"id": "a-click-of-mine", "what": "calibrate", "reason": "coupling"}
    answer = say(board, act=act)
    told, found = answer["facts"]["coupling"]["told"], answer["thresholds"]["coupling"]
    assert found["on"] and answer["revision"] == 2 and answer["facts"]["coupling"]["reviews"] == 60
    assert told["before"].startswith("0.5: rejects") and told["after"].startswith(f"{found['value']:g}: rejects")
    assert answer["facts"]["coupling"]["worth"]["precision"] >= 0.9
    moved = say(board, act=act, thresholds={"coupling": {"value": 0.9, "on": True}})  # the same click once more
    assert moved["thresholds"]["coupling"]["value"] == 0.9 and moved["revision"] == 2
    assert moved["facts"]["coupling"]["told"] is None  # it spoke of another threshold


def test_notes_tell_what_a_threshold_rejects_and_rests_on(board, tmp_path):
    review(board, "coupling", 0.3)
    say(board, thresholds={"monochrome": {"value": 0.5, "on": False}})
    write_thresholds(tmp_path / "t.toml", board.thresholds(), board.notes())
    assert read_thresholds(tmp_path / "t.toml") == board.thresholds()
    line = next(x for x in (tmp_path / "t.toml").read_text().splitlines() if x.startswith("coupling"))
    n = board.scores["coupling"].above(0.5)
    assert line.startswith(
        f"coupling = 0.5  # rejects {n} of {board.scores['coupling'].pairs}; 60 reviews: precision 1.00"
    )
    assert "monochrome" not in board.notes()


def test_a_new_selection_makes_a_new_board_with_the_same_thresholds(board, opened):
    state: dict = {}
    mine = board_in(state, opened)
    assert board_in(state, opened) is mine
    mine.choices["blur"] = Choice(0.3, True)
    mine.opened = None  # WORK was opened anew
    new = board_in(state, opened)
    assert new is not mine and new.choices["blur"] == Choice(0.3, True) and new.revision == mine.revision + 1


def test_a_database_that_is_gone_is_a_message_and_not_an_end(board, opened):
    opened.decisions.add([Decision(opened.table.id(0), KEEP, "anna")])
    opened.known.refresh(at_once=True)
    opened.decisions.close()
    opened.work.decisions.unlink()
    opened.known._read_at = 0.0
    assert "is gone" in board.answer(None, 0.9)["message"]
