"""One pair as the browser shows it."""

from __future__ import annotations

import numpy as np
import pytest
from browser_clicks import click

from app.inbox import Inbox
from app.item import NEIGHBOURS, Item
from app.table import REASONS


def shown(opened, position: int, reason: str) -> dict:
    item = Item(opened, int(position), reason)
    assert not {"evidence", "whole"} & {name for name, value in item.at_once().items() if value}
    assert not item.so_far(60)["whole"]  # nobody was told to make the rest
    item.begin()
    found = item.so_far(60)
    assert found["whole"]
    return found


def dropped_for(opened, reason: str) -> int:
    return next(p for p in range(len(opened.table)) if opened.table.first_reason(p) == reason)


def test_a_dropped_pair_says_why_with_its_evidence(opened):
    position = dropped_for(opened, "backlight")
    item = shown(opened, position, "backlight")
    pair_id = opened.table.id(position)
    assert item["files"] == [f"images/{pair_id}.jpg", f"labels/{pair_id}.png"]
    assert item["why"] == "backlight: strongly backlit" and item["state"].startswith("dropped: backlight")
    assert item["score"] >= item["threshold"] == 0.5 and item["error"] is None and item["verdict"] is None
    assert item["photo"].startswith("data:image/jpeg") and item["label"].startswith("data:image/png")
    assert item["evidence"].startswith("data:image/jpeg") and item["says"]
    assert sum(c["share"] for c in item["classes"]) == pytest.approx(1)


def test_a_copy_stands_beside_the_pair_that_stays(opened):
    position = dropped_for(opened, "near_duplicate")
    stays = next(f.stands for f in opened.table.faults(position) if f.reason == "near_duplicate")
    first = shown(opened, position, "near_duplicate")["others"][0]
    assert first["id"] == opened.table.id(stays) and first["picture"].startswith("data:image/jpeg")
    assert first["about"] == f"{'kept' if first['kept'] else 'dropped'}: {first['id']}"


def test_neighbours_of_the_class_are_few_and_not_the_pair_itself(opened):
    classes = opened.table.classes
    name = int(classes.sizes.argmax())
    for position in classes.members(name):
        item = shown(opened, position, "equivalence_class")
        others = [o["id"] for o in item["others"]]
        assert item["class"] == f"equivalence class of {len(classes.members(name))}"
        assert opened.table.id(position) not in others and len(set(others)) == len(others) <= NEIGHBOURS


def test_a_pair_that_stays_says_what_it_was_looked_at_for(opened):
    position = int(np.flatnonzero(opened.table.kept)[0])
    item = shown(opened, position, "backlight")
    assert item["why"] == "backlight: strongly backlit? Not by the threshold." and item["state"] == "kept by the rules"
    opened.table.scores["dark"][position] = 0.9
    assert shown(opened, position, "dark")["why"] == "dark: hardly any light? The rule is not applied."


def test_an_unreadable_pair_shows_its_error_and_nothing_else(opened):
    item = shown(opened, dropped_for(opened, "unreadable"), "unreadable")
    assert item["error"] and item["evidence"] is None
    assert item["why"] == f"unreadable: {item['error']}"


def test_a_photo_that_went_away_shows_its_error_and_the_label_map(opened, tmp_path):
    position = dropped_for(opened, "backlight")
    opened.table.work.data = tmp_path / "moved"
    item = shown(opened, position, "backlight")
    assert item["photo"] is item["label"] is item["evidence"] is None
    assert item["error"] == f"The photo {item['files'][0]} cannot be shown: file does not exist"
    assert item["others"] == []


def test_what_people_decided_stands_there(opened):
    position = dropped_for(opened, "backlight")
    Inbox(opened, "anna").store([click(opened.table.id(position), "keep", note="<b>fine</b>")])
    item = shown(opened, position, "backlight")
    assert item["verdict"] == "keep" and item["state"].startswith("kept by anna (")
    assert item["state"].endswith(": <b>fine</b>")  # the page sets it as text


def test_every_dropped_pair_can_be_shown_for_each_of_its_reasons(opened):
    seen = set()
    for position in np.flatnonzero(~opened.table.kept):
        for fault in opened.table.faults(position):
            if fault.reason not in seen:
                assert shown(opened, position, fault.reason)["reason"] == fault.reason in REASONS
                seen.add(fault.reason)
    assert len(seen) >= 6


def test_a_mistake_in_a_drawing_does_not_stop_the_queue(opened, monkeypatch):
    position = dropped_for(opened, "backlight")
    monkeypatch.setattr(opened.pictures, "evidence", lambda position, reason: 1 / 0)
    item = shown(opened, position, "backlight")
    assert item["says"] == "The evidence could not be drawn: division by zero" and item["photo"]
