"""What a browser gets and what it may say: label maps that nobody else has, blind or not, and choices of pictures that were seen."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from drawn import draw, two_models
from PIL import Image

from app.choices import Choices
from app.lineup import AHEAD, Lineup, blind_order, item
from app.output_pictures import OutputPictures
from app.outputs import compare
from app.pictures import label_picture
from app.tally import Tally
from curation.decode import label_at

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def lineup(opened, tmp_path):
    """Makes lineups of 20 label maps; those of one test share what was chosen."""
    found = two_models(tmp_path / "models", 20)
    pictures = OutputPictures(found, opened.pictures)
    tally = Tally(Choices(opened.decisions.database, opened.decisions.data_set, found.key))
    yield lambda reviewer="anna", blind=False: Lineup(opened, pictures, tally, reviewer, blind)
    tally.choices.close()


def click(n, act="choose", stem="0000", **more):
    return {"uuid": f"{n:08}", "act": act, "stem": stem, "time": "2026-01-23T10:00:00Z", **more}


def chosen(n, said, stem, place=0):
    """A click on a picture of an answer."""
    picture = said["items"][stem]["pictures"][place]
    return click(n, stem=stem, folder=picture["folder"], picture=picture["picture"])


def all_items(lineup):
    """The stems of a queue, once a browser has all their items."""
    have = []
    while len(have) < AHEAD:
        have += lineup.answer({"have": have})["items"]
    return have


def test_a_choice_is_stored_confirmed_and_the_next_ones_come(lineup):
    anna = lineup()
    said = anna.answer(None)
    assert said["queue"] == [f"{i:04d}" for i in range(AHEAD)] and said["left"] == said["total"] == 20
    assert [p["name"] for p in said["items"]["0000"]["pictures"]] == ["first", "second"]
    one = chosen(1, said, "0000", 1)
    said = anna.answer({"outbox": [one, one], "have": list(said["items"]), "at": "0001"})
    assert (
        said["confirmed"] == [one["uuid"]] and said["left"] == 19 and said["mine"] == 1 and "0000" not in said["queue"]
    )
    assert said["undo"] == {"uuid": one["uuid"], "stem": "0000"}
    assert [(w["name"], w["won"], w["of"]) for w in said["wins"]] == [("first", 0, 1), ("second", 1, 1)]
    (stored,) = anna.tally.choices.all()
    assert (stored.stem, stored.chosen, stored.file) == ("0000", "second", "0000.png")
    assert (stored.among, stored.reviewer) == (("first", "second"), "anna") and stored.sha256 == one["picture"]


def test_an_undo_opens_it_again_and_shows_what_is_asked_for(lineup):
    anna = lineup()
    one = chosen(1, anna.answer(None), "0000")
    anna.answer({"outbox": [one]})
    assert anna.answer({"at": "0000"})["items"]["0000"]["best"] == {
        "folder": one["folder"],
        "picture": one["picture"],
        "says": "chosen by anna",
    }
    said = anna.answer({"outbox": [click(2, "undo", undoes=one["uuid"])], "at": "0000"})
    assert said["left"] == 20 and said["undo"] is None and said["items"]["0000"]["best"] is None


def test_a_skip_is_for_oneself(lineup):
    anna, ben = lineup("anna"), lineup("ben")
    said = anna.answer({"outbox": [click(1, "skip", "0003")]})
    assert said["left"] == 19 and "0003" not in said["queue"] and said["undo"]["stem"] == "0003"
    assert ben.answer(None)["left"] == 20


def test_a_clock_that_is_ahead_outvotes_nobody(lineup):
    anna, ben = lineup("anna"), lineup("ben")
    said = anna.answer(None)
    anna.answer({"outbox": [chosen(1, said, "0000") | {"time": "2999-01-01T00:00:00Z"}]})
    ben.answer({"outbox": [chosen(2, said, "0000", 1) | {"time": "2999-01-01T00:00:00Z"}]})
    assert anna.tally.best("0000").chosen == "second" and anna.tally.best("0000").time.year < 2999


def test_two_reviewers_never_get_the_same_label_map(lineup):
    anna, ben = lineup("anna"), lineup("ben")
    queues = anna.answer(None)["queue"], ben.answer(None)["queue"]
    assert len(set(queues[0]) | set(queues[1])) == 2 * AHEAD


def test_what_a_browser_may_not_say_is_confirmed_and_not_stored(lineup, tmp_path):
    anna = lineup()
    good = chosen(1, anna.answer(None), "0000")
    draw(tmp_path, "secret.png")
    wrong = [
        good | {"uuid": "w0000001", "stem": "../secret"},
        good | {"uuid": "w0000002", "stem": "0001"},  # the digest is of another picture
        good | {"uuid": "w0000003", "folder": 1 - good["folder"]},
        good | {"uuid": "w0000004", "folder": "../.."},
        good | {"uuid": "w0000005", "picture": None},
        good | {"uuid": "w0000006", "picture": ["x"]},
        good | {"uuid": "w0000007", "act": "delete"},
        good | {"uuid": "w0000008", "time": "0001-01-01T00:00:00+14:00"},
        good | {"uuid": "w0000009", "time": 7},
        good | {"uuid": "w0000010", "stem": ["0000"]},
        good | {"uuid": "short"},
        good | {"uuid": "nul\0nul\0nul"},
        click(11, "undo"),
        click(12, "undo", undoes=["x"] * 9),
        click(13, "undo", undoes="'; --"),
        {"uuid": "w0000014"},
    ]
    said = anna.answer({"outbox": [*wrong, 7, None, {"uuid": 7}], "have": 7, "at": ["x"]})
    assert said["confirmed"] == [click["uuid"] for click in wrong]
    assert list(anna.tally.choices.all()) == []
    for nonsense in ("nothing", 7, [], {"outbox": "x", "at": "nowhere", "have": {"a": 1}}):
        assert anna.answer(nonsense)["left"] == 20


def test_a_picture_that_was_drawn_anew_is_not_the_one_that_was_chosen(lineup, tmp_path):
    anna = lineup()
    one = chosen(1, anna.answer(None), "0000")
    draw(tmp_path / "models" / "first", "0000.png", level=9)
    have = all_items(anna)
    said = anna.answer({"outbox": [one], "have": have, "at": "0001"})
    assert list(anna.tally.choices.all()) == [] and said["confirmed"] == [one["uuid"]]
    assert said["message"].startswith("0000: the picture that you chose was drawn anew") and said["left"] == 20
    again = anna.answer({"outbox": [one], "have": have, "at": "0001"})  # the answer did not arrive
    assert list(said["items"]) == list(again["items"]) == ["0000"] and again["message"] == said["message"]
    new = chosen(2, said, "0000")
    assert new["picture"] != one["picture"]
    said = anna.answer({"outbox": [new], "have": have, "at": "0001"})
    assert said["message"] is None and "0000" not in said["items"]
    assert [choice.sha256 for choice in anna.tally.choices.all()] == [new["picture"]]


def test_a_lineup_of_folders_as_they_are_now_sends_what_a_browser_has_of_before(lineup):
    have = all_items(lineup())
    anna = lineup()
    said = anna.answer({"have": have, "at": have[0]})
    assert have[0] in said["items"]
    assert have[0] not in anna.answer({"have": have, "at": have[0]})["items"]


def test_blind_hides_names_and_shuffles_the_same_way_each_time(lineup):
    one, two = lineup(blind=True).answer(None), lineup(blind=True).answer(None)
    for stem in ("0000", "0001"):
        shown = one["items"][stem]["pictures"]
        assert [p["name"] for p in shown] == [p["file"] for p in shown] == [None, None]
        assert shown == two["items"][stem]["pictures"] and sorted(p["folder"] for p in shown) == [0, 1]
    assert "first" not in json.dumps(one["items"]) and "second" not in json.dumps(one["items"])


def test_blind_order_is_a_matter_of_the_stem_alone_and_favours_nobody():
    assert blind_order("0000", 4) == [0, 3, 1, 2] and blind_order("forest ü", 3) == [0, 1, 2]
    firsts = np.bincount([blind_order(f"{i:04d}", 3)[0] for i in range(3000)])
    assert (abs(firsts - 1000) < 120).all()  # 4.6 standard deviations


def test_a_picture_that_cannot_be_decoded_shows_its_error(lineup, tmp_path):
    bad = tmp_path / "models" / "first" / "0000.png"
    bad.write_bytes(bad.read_bytes()[:300])
    (tmp_path / "models" / "second" / "0001.png").unlink()
    items = lineup().answer(None)["items"]
    first, second = items["0000"]["pictures"]
    assert (
        first["error"] == "This picture cannot be shown: truncated image" and first["url"] is first["picture"] is None
    )
    assert second["url"].startswith("data:image/jpeg;base64,") and second["error"] is None
    assert items["0001"]["pictures"][1]["error"] == "This picture cannot be shown: is gone, or no file"


def test_hostile_names_are_texts_like_any_other(opened, tmp_path):
    found = compare([draw(tmp_path / name, f"{HOSTILE}.png") for name in (HOSTILE, "b")])
    pictures = OutputPictures(found, opened.pictures)
    shown = item(pictures, HOSTILE, False)
    assert [p["name"] for p in shown["pictures"]] == [HOSTILE, "b"] and all(p["url"] for p in shown["pictures"])
    tally = Tally(Choices(opened.decisions.database, "d", found.key))
    anna = Lineup(opened, pictures, tally, HOSTILE, False)
    said = anna.answer(None)
    anna.answer({"outbox": [chosen(1, said, HOSTILE)]})
    assert tally.best(HOSTILE).by == (HOSTILE,)
    tally.choices.close()


def test_label_maps_are_shown_in_the_colours_of_their_classes(opened, tmp_path):
    table = opened.table
    stem = table.label[0].as_py().rpartition("/")[2].removesuffix(".png")
    folders = [draw(tmp_path / name, f"{stem}.png", "else.png") for name in ("a", "b")]
    pictures = OutputPictures(compare(folders, table), opened.pictures)
    shown = item(pictures, stem, False)
    assert shown["label"].startswith("data:image/png") and shown["classes"] == [
        vars(named) for named in opened.pictures.label(0).classes
    ]
    assert item(pictures, "else", False)["label"] is None

    source = table.work.data / table.label[0].as_py()
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / f"{stem}.png").write_bytes(source.read_bytes())
    Image.fromarray(np.full((24, 32), 250, np.uint8)).save(tmp_path / "maps" / "else.png")
    pictures = OutputPictures(compare(folders, table, tmp_path / "maps"), opened.pictures)
    wanted = label_picture(label_at(source, table.work.space, 32, 24)[0], table.work.space)
    assert pictures.label(stem, (32, 24)) == wanted
    assert "else.png cannot be shown" in item(pictures, "else", False)["error"]


def test_a_locked_database_loses_no_choice(lineup, opened):
    anna = lineup()
    said = anna.answer({"outbox": [click(1, "skip")]})  # makes the tables
    one = chosen(2, said, "0001")
    with closing(sqlite3.connect(opened.work.decisions)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = anna.answer({"outbox": [one]})
        assert "locked" in said["message"] and "sent again" in said["message"] and one["uuid"] not in said["confirmed"]
    assert one["uuid"] in anna.answer({"outbox": [one]})["confirmed"]
    assert anna.tally.best("0001").chosen == "first"
