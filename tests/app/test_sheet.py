"""A page of the grid: which pairs, in which order, with what is said of them."""

from __future__ import annotations

import time
from threading import Event

import pytest
from browser_clicks import click

from app.opened import MAKERS
from app.order import KEPT, candidates
from app.sheet import SIZES, Sheet
from app.table import NOBODY, REASONS
from app.tiles import Tiles, number, words


def whole(sheet, **said):
    """An answer once all pictures of its page are made."""
    have, pictures = [], {}
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = sheet.answer({"have": have, **said})
        pictures |= answer["pictures"]
        have = list(pictures)
        if not answer["missing"] and not answer["coming"]:
            return answer | {"pictures": pictures}
        time.sleep(0.05)
    raise AssertionError("the pictures were never made")


def test_pages_show_the_pairs_in_order_each_once_and_the_next_page_ahead(opened):
    sheet = Sheet(opened, "anna")
    sheet.choose(KEPT, "id", "", 24)
    found = candidates(opened.table, KEPT, "id").positions
    first = whole(sheet)
    assert first["total"] == len(found) == 75 and first["pages"] == 4 and first["page"] == 0
    seen, ahead = [], first["shown"]
    for page in range(4):
        answer = whole(sheet, order=first["order"], page=page)
        assert answer["page"] == page
        assert answer["shown"] == ahead
        seen, ahead = seen + answer["shown"], answer["ahead"]
        assert set(answer["tiles"]) == set(answer["pictures"]) == {*answer["shown"], *ahead}
        assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in answer["pictures"].values())
    assert ahead == [] and seen == [opened.table.id(p) for p in found]


@pytest.mark.parametrize(
    ("asked", "got"), [(99, 3), (-1, 0), ("2", 0), (None, 0), (float("nan"), 0), (True, 0), (2.0, 2)]
)
def test_a_page_that_is_not_there_is_the_nearest_or_the_first(opened, asked, got):
    sheet = Sheet(opened, "anna")
    sheet.choose(KEPT, "id", "", 24)
    order = sheet.answer(None)["order"]
    assert sheet.answer({"order": order, "page": asked})["page"] == got
    assert sheet.answer({"order": "another", "page": 2})["page"] == 0


@pytest.mark.parametrize(
    "said", [None, 7, [], {"outbox": 3, "have": "x", "page": {}, "order": []}, {"have": [1, None]}]
)
def test_a_browser_that_sends_nonsense_gets_the_first_page(opened, said):
    answer = Sheet(opened, "anna").answer(said)
    assert answer["page"] == 0 and len(answer["shown"]) == SIZES[0] and answer["message"] is None


def test_a_batch_is_stored_whole_and_its_tiles_say_whose_it_is(opened):
    sheet = Sheet(opened, "anna")
    sheet.choose("label_error", "score", "", 24)
    ids = sheet.answer(None)["shown"]
    batch = [click(p, "drop", reason="label_error") for p in ids]
    answer = sheet.answer({"outbox": batch})
    assert sorted(answer["confirmed"]) == sorted(c["uuid"] for c in batch)
    assert answer["decided"] == len(ids) == answer["total"] == 19
    tile = answer["tiles"][ids[0]]
    assert (tile["verdict"], tile["by"], tile["reason"]) == ("drop", ("anna",), "label_error")
    assert tile["says"].startswith("dropped by anna (2026-01-23), for label_error")
    stored = {d.pair_id: d for d in opened.decisions.all()}
    assert stored[ids[0]].score == tile["score"] and stored[ids[0]].threshold == 0.5
    undone = [click(c["pair_id"], "undo", undoes=c["uuid"]) for c in batch]
    answer = sheet.answer({"outbox": undone})
    assert answer["decided"] == 0 and not any(tile["verdict"] for tile in answer["tiles"].values())


def test_undecided_only_is_what_nobody_had_decided_when_it_was_chosen(opened):
    sheet = Sheet(opened, "anna")
    sheet.choose("label_error", "score", "", 24)
    ids = sheet.answer(None)["shown"]
    sheet.answer({"outbox": [click(p, "drop") for p in ids[:3]]})
    sheet.choose("label_error", "score", "", 24, True)
    assert sheet.answer(None)["shown"] == ids[3:]
    answer = sheet.answer({"outbox": [click(p, "keep") for p in ids[3:]]})
    assert answer["shown"] == ids[3:] and answer["decided"] == answer["total"] == len(ids) - 3
    sheet.choose("label_error", "score", "", 36, True)  # as many more on a page change nothing
    assert sheet.answer(None)["total"] == len(ids) - 3
    sheet.choose("label_error", "score", "", 24)
    assert sheet.answer(None)["shown"] == ids
    sheet.choose("label_error", "score", "", 24, True)
    assert sheet.answer(None)["total"] == 0 and "undecided" in sheet.answer(None)["nothing"]


def test_a_tile_says_what_the_rules_say(opened):
    table = opened.table
    position = table.position("0041")
    facts = Tiles(opened, "anna").facts([position, 0], [REASONS.index("near_duplicate"), NOBODY])
    assert facts["0041"]["faults"] == ["near_duplicate"] and facts["0041"]["score"] > 0.95
    assert (facts["0000"]["reason"], facts["0000"]["score"], facts["0000"]["verdict"]) == ("", None, None)
    broken = int(table.error.is_valid().to_numpy(zero_copy_only=False).argmax())
    assert Tiles(opened, "anna").facts([broken], [0])[table.id(broken)]["error"]


def test_what_others_have_open_is_marked(opened):
    opened.decisions.leases.lease("ben", ["0005", "0006"], 2, 60)
    facts = Tiles(opened, "anna").facts([4, 5, 6], [0, 0, 0])
    assert [facts[p]["held"] for p in ("0004", "0005", "0006")] == [False, True, True]
    assert not Tiles(opened, "ben").facts([5], [0])["0005"]["held"]


def test_a_picture_that_cannot_be_made_says_why_and_the_others_are_there(opened, monkeypatch):
    from app.pictures import PictureError

    def thumbnail(position, made=opened.pictures.thumbnail):
        if position == 5:
            raise PictureError("The photo x.jpg cannot be shown: truncated.")
        return made(position)

    monkeypatch.setattr(opened.pictures, "thumbnail", thumbnail)
    tiles, found = Tiles(opened, "anna"), {}
    while len(found) < 2:
        found |= tiles.pictures([4, 5], [], set(found))[0]
    assert found["0005"] == {"error": "The photo x.jpg cannot be shown: truncated."} and "src" in found["0004"]


def test_a_page_does_not_wait_for_slow_pictures_and_gives_up_those_of_a_page_that_was_left(opened, monkeypatch):
    made, go_on = [], Event()

    def slow(position):
        assert go_on.wait(60)
        made.append(position)
        return b"\xff\xd8"

    monkeypatch.setattr(opened.pictures, "thumbnail", slow)
    tiles = Tiles(opened, "anna")
    found, missing, coming = tiles.pictures(list(range(20)), list(range(20, 40)), set())
    assert (found, missing) == ({}, 20) and coming <= 20
    found, missing, coming = tiles.pictures([60, 61], [], set())
    assert (found, missing) == ({}, 2)
    go_on.set()
    while missing:
        some, missing, coming = tiles.pictures([60, 61], [], set(found))
        found |= some
    assert set(found) == {"0060", "0061"} and not coming
    assert len(made) <= 2 + MAKERS  # of the first page only what was begun


def test_texts_and_numbers_from_a_browser():
    assert words(["a", 1, None, "a", ["b"]]) == {"a"} and words("ab") == words(None) == set()
    assert [number(v, 0, 5) for v in (3, 3.9, 9, -9, "3", None, float("inf"))] == [3, 3, 5, 0, 0, 0, 0]
