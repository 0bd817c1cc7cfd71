"""Inbox: the way of clicks from one reviewer's browser (browser/outbox.js) into the store.

Enters: what waits in the browser, as often as it likes to send it. Leaves: decisions, each stored once; the uuids that the browser may forget;
what a person must know when the database is busy or gone.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import groupby
from typing import Any

from app.class_clicks import ClassClicks, TooManyError, is_class_click
from app.clicks import decisions_of
from app.opened import Opened
from curation.verdicts import Decision, DecisionsError

CONFIRMED = 400  # uuids that are confirmed again and again, should the browser have missed it
WAITS = "What you clicked waits in this browser and is sent again."


class Inbox:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self.class_clicks = ClassClicks(opened.table, opened.known, reviewer)
        self._confirmed: OrderedDict[str, None] = OrderedDict()
        self._refused = ""  # why what was clicked last is not stored at all

    def store(self, clicks: Any) -> tuple[list[Decision], str | None]:
        """Store what is new, in order -> those decisions, and what a person must know. Neighbouring clicks on pairs go in together, all
        of them or none; a click on a class goes in alone, since what it means depends on those before."""
        clicks = clicks if isinstance(clicks, list) else []
        sent = [c for c in clicks if isinstance(c, dict) and isinstance(c.get("uuid"), str)]
        new = [c for c in sent if c["uuid"] not in self._confirmed]
        if new:
            self._refused = ""
        stored: list[Decision] = []
        try:
            for in_class, some in groupby(new, is_class_click):
                for batch in ([click] for click in some) if in_class else [list(some)]:
                    self._add(batch, in_class, stored)
        except DecisionsError as error:
            return stored, str(error)
        finally:
            while len(self._confirmed) > max(CONFIRMED, len(sent)):
                self._confirmed.popitem(last=False)
        return stored, None

    def _add(self, batch: list[dict[str, Any]], in_class: bool, stored: list[Decision]) -> None:
        """Raises DecisionsError; what was stored before that stands in `stored`."""
        if in_class:
            self.opened.known.refresh(at_once=True)
            decisions = self._of_class(batch[0])
        else:
            decisions, _ = decisions_of(batch, self.opened.table, self.reviewer)
        self.opened.decisions.add(decisions)
        stored += decisions
        self._confirmed.update(dict.fromkeys(click["uuid"] for click in batch))
        if decisions:
            self.opened.known.refresh(at_once=True)

    def _of_class(self, click: dict[str, Any]) -> list[Decision]:
        try:
            return self.class_clicks.decisions(click)
        except (KeyError, TypeError, ValueError, AttributeError):
            return []  # nonsense, which is confirmed so that it is not sent for ever
        except TooManyError as error:
            self._refused = str(error)
            return []

    def says(self, message: str | None) -> dict[str, Any]:
        """What every page tells its browser: whose clicks are taken, which are stored, and the message."""
        return {
            "owner": f"{self.opened.decisions.data_set} {self.reviewer}",
            "reviewer": self.reviewer,
            "confirmed": list(self._confirmed),
            "message": f"{message} {WAITS}" if message else self._refused or None,
        }
