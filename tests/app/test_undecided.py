"""Which pairs a reviewer has still to decide."""

from __future__ import annotations

import numpy as np

from app.undecided import Undecided
from curation.verdicts import DROP, KEEP, SKIP, UNDO, Decision


def test_it_follows_the_news_and_counts_the_candidates(opened):
    store, known = opened.decisions, opened.known
    store.add([Decision("0001", KEEP, "anna"), Decision("0050", SKIP, "ben"), Decision("gone", DROP, "anna")])
    known.refresh(at_once=True)
    anna, ben = (Undecided(opened.table, known, name) for name in ("anna", "ben"))
    for mine in (anna, ben):
        mine.choose(np.array([0, 1, 2, 50, 60], np.int32))
    assert (anna.left, ben.left) == (4, 3)
    assert np.flatnonzero(~anna.refresh()).tolist() == [1] and np.flatnonzero(~ben.refresh()).tolist() == [1, 50]
    drop = Decision("0002", DROP, "anna")
    store.add([drop, Decision("0003", DROP, "anna")])  # 3 is no candidate
    known.refresh(at_once=True)
    assert np.flatnonzero(~ben.refresh()).tolist() == [1, 2, 3, 50] and ben.left == 2
    store.add([Decision("0002", UNDO, "anna", undoes=drop.uuid)])
    known.refresh(at_once=True)
    assert np.flatnonzero(~ben.refresh()).tolist() == [1, 3, 50] and ben.left == 3
    assert anna.left == 4  # not yet asked again
    assert anna.refresh()[2] and anna.left == 4
    ben.choose(np.array([3, 4], np.int32))
    assert ben.left == 1
    ben.choose(np.zeros(0, np.int32))
    assert ben.left == 0


def test_it_costs_as_much_as_there_is_news(opened, monkeypatch):
    opened.decisions.add([Decision(f"{i:04}", KEEP, "anna") for i in range(100)])
    opened.known.refresh(at_once=True)
    mine = Undecided(opened.table, opened.known, "anna")
    asked = []
    positions = opened.table.positions
    monkeypatch.setattr(opened.table, "positions", lambda ids: asked.append(list(ids)) or positions(ids))
    opened.decisions.add([Decision("0110", KEEP, "ben")])
    opened.known.refresh(at_once=True)
    mine.refresh()
    mine.refresh()
    assert asked == [["0110"], []]
