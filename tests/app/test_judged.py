"""Verdicts by position, kept up with the news."""

from __future__ import annotations

import numpy as np
import pytest
from browser_clicks import click

from app import judged
from app.inbox import Inbox
from app.judged import DROPPED, KEPT, Judged
from curation.verdicts import Decision


@pytest.mark.parametrize("few", [0, 1000])  # looked up all at once, or one by one
def test_each_pair_has_the_verdict_that_is_known(opened, monkeypatch, few):
    monkeypatch.setattr(judged, "FEW", few)
    found, inbox = Judged(opened.table, opened.known), Inbox(opened, "anna")
    assert not found.verdicts().any() and len(found.verdicts()) == 120
    first = click("0003", "drop")
    inbox.store([first, click("0007", "keep"), click("0119", "skip")])
    assert dict(zip(*(a.tolist() for a in _said(found)), strict=True)) == {3: DROPPED, 7: KEPT}
    inbox.store([click("0003", "undo", undoes=first["uuid"]), click("0007", "drop")])
    assert dict(zip(*(a.tolist() for a in _said(found)), strict=True)) == {7: DROPPED}


def test_only_the_news_is_looked_at(opened, monkeypatch):
    opened.decisions.add([Decision(f"{i:04}", "drop", "anna") for i in range(50)])
    opened.known.refresh(at_once=True)
    found = Judged(opened.table, opened.known)
    assert found.verdicts().sum() == 50 * DROPPED
    asked = []
    verdict = opened.known.verdict
    monkeypatch.setattr(opened.known, "verdict", lambda pair_id: asked.append(pair_id) or verdict(pair_id))
    monkeypatch.setattr(opened.known, "verdicts", lambda: pytest.fail("all verdicts were looked at"))
    opened.decisions.add([Decision("0099", "keep", "anna")])
    opened.known.refresh(at_once=True)
    assert found.verdicts()[99] == KEPT and asked == ["0099"]


def test_a_verdict_on_a_pair_that_is_no_longer_listed_is_passed_over(opened):
    opened.decisions.add([Decision("gone", "drop", "anna"), Decision("0000", "drop", "anna")])
    opened.known.refresh(at_once=True)
    for few in (0, 1000):
        judged.FEW, before = few, judged.FEW
        try:
            assert np.flatnonzero(Judged(opened.table, opened.known).verdicts()).tolist() == [0]
        finally:
            judged.FEW = before


def _said(found):
    at = np.flatnonzero(found.verdicts())
    return at, found.verdicts()[at]
