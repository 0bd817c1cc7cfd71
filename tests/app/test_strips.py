"""Equivalence classes as strips."""

from __future__ import annotations

import numpy as np
import pytest
from browser_clicks import class_click, click

from app import strips as strips_file
from app.strips import Strips
from app.table import Classes


def by_id(answer):
    return {strip["id"]: strip for strip in answer["shown"]}


def test_classes_of_two_or_more_come_largest_first_or_by_id(opened):
    strips = Strips(opened, "anna")
    answer = strips.answer(None)
    assert answer["total"] == 10 and answer["pages"] == 1
    assert [strip["id"] for strip in answer["shown"]] == sorted(strip["id"] for strip in answer["shown"])  # all of two
    first = answer["shown"][0]
    assert first["members"] == ["0004", "0041"]
    assert (first["size"], first["stays"], first["chosen"], first["filled"], first["more"]) == (2, 1, 0, 0, False)
    assert answer["tiles"]["0004"]["stays"] and not answer["tiles"]["0041"]["stays"]
    assert answer["tiles"]["0041"]["similarity"] <= answer["tiles"]["0004"]["similarity"] == 1


def test_a_text_finds_the_classes_of_the_pairs_whose_id_has_it(opened):
    strips = Strips(opened, "anna")
    strips.choose("id", " 0106 ")
    assert [s["members"] for s in strips.answer(None)["shown"]] == [["0017", "0106"]]
    strips.choose("id", "no such id")
    answer = strips.answer(None)
    assert answer["shown"] == () and answer["pages"] == 1 and '"no such id"' in answer["nothing"]


def test_a_click_pins_those_that_stay_and_undo_takes_it_all_back(opened):
    strips = Strips(opened, "anna")
    made = class_click("0041", "keep")
    strip = by_id(strips.answer({"outbox": [made]}))["0004"]
    assert (strip["stays"], strip["chosen"], strip["loose"]) == (2, 2, 0)
    strip = by_id(strips.answer({"outbox": [class_click("0004", "undo", undoes=made["uuid"])]}))["0004"]
    assert (strip["stays"], strip["chosen"]) == (1, 0)


def test_a_copy_that_was_kept_elsewhere_stays_instead_of_its_original_until_both_are_kept_by_name(opened):
    strips = Strips(opened, "anna")
    strip = by_id(strips.answer({"outbox": [click("0041", "keep")]}))["0004"]  # as on another page: without the others
    assert (strip["stays"], strip["loose"]) == (1, 0)
    strip = by_id(strips.answer({"outbox": [class_click("0004", "choose", k=2)]}))["0004"]
    assert (strip["stays"], strip["loose"]) == (2, 0)


def test_keep_k_says_how_many_stay_and_how_many_of_them_have_faults(opened):
    strips = Strips(opened, "anna")
    shown = by_id(strips.answer({"outbox": [class_click("0014", "choose", k=2), class_click("0028", "choose", k=0)]}))
    assert (shown["0014"]["stays"], shown["0014"]["faulty"]) == (2, 2)  # both have coupled labels
    assert (shown["0028"]["stays"], shown["0028"]["chosen"], shown["0028"]["filled"]) == (0, 2, 0)


@pytest.fixture
def large(opened):
    """The same pairs in one class of 100 and five of 4; the representative of the large one is dropped."""
    at = np.arange(120, dtype=np.int32)
    name = np.concatenate([np.zeros(100, int), np.repeat(np.arange(1, 6), 4)]).astype(np.int32)
    similarity = np.linspace(1, 0.92, 120).astype(np.float32)
    opened.table.__dict__["classes"] = Classes(name, at, np.array([0, 100, 104, 108, 112, 116, 120]), similarity)
    opened.table.first_fault[0] = 0
    return opened


def test_a_large_class_shows_its_first_members_and_more_when_asked(large, monkeypatch):
    strips = Strips(large, "anna")
    strip = strips.answer(None)["shown"][0]
    kept = [large.table.id(p) for p in range(1, 100) if large.table.kept[p]]
    assert strip["size"] == 100 and strip["more"] and strip["members"] == ["0000", *kept][:24]
    asked = {"order": strips.answer(None)["order"], "page": 0}
    assert len(strips.answer({**asked, "more": {"0000": 72}})["shown"][0]["members"]) == 72
    strip = strips.answer({**asked, "more": {"0000": 1000}})["shown"][0]
    assert sorted(strip["members"]) == [f"{i:04}" for i in range(100)] and not strip["more"]
    assert strip["members"][: 1 + len(kept)] == ["0000", *kept]
    for nonsense in ({"0000": "many"}, {"0000": -3}, [], 5):
        assert len(strips.answer({**asked, "more": nonsense})["shown"][0]["members"]) == 24
    monkeypatch.setattr(strips_file, "MOST_SHOWN", 50)
    strip = strips.answer({**asked, "more": {"0000": 1000}})["shown"][0]
    assert len(strip["members"]) == 50 and not strip["more"]


def test_classes_are_paged(large, monkeypatch):
    monkeypatch.setattr(strips_file, "SIZE", 4)
    strips = Strips(large, "anna")
    first = strips.answer(None)
    assert first["pages"] == 2 and [s["size"] for s in first["shown"]] == [100, 4, 4, 4] and len(first["ahead"]) == 2
    second = strips.answer({"order": first["order"], "page": 1})
    assert [s["id"] for s in second["shown"]] == [s["id"] for s in first["ahead"]] and second["ahead"] == ()
