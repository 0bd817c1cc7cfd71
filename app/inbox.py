"""Inbox: the way of clicks from one reviewer's browser (browser/outbox.js) into the store.

Enters: what waits in the browser, as often as it likes to send it. Leaves: decisions, each stored once; the uuids that the browser may forget;
what a person must know when the database is busy or gone.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from app.clicks import decisions_of
from app.opened import Opened
from curation.verdicts import Decision, DecisionsError

CONFIRMED = 400  # uuids that are confirmed again and again, should the browser have missed it
WAITS = "What you clicked waits in this browser and is sent again."


class Inbox:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._confirmed: OrderedDict[str, None] = OrderedDict()

    def store(self, clicks: Any) -> tuple[list[Decision], str | None]:
        """Store what is new, all of it or nothing -> those decisions, and what a person must know."""
        clicks = clicks if isinstance(clicks, list) else []
        named = [c for c in clicks if isinstance(c, dict) and isinstance(c.get("uuid"), str)]
        new = [c for c in named if c["uuid"] not in self._confirmed]
        decisions, refused = decisions_of(new, self.opened.table, self.reviewer)
        try:
            self.opened.decisions.add(decisions)
        except DecisionsError as error:
            return [], str(error)
        for uuid in (*(d.uuid for d in decisions), *refused):
            self._confirmed[uuid] = None
        while len(self._confirmed) > max(CONFIRMED, len(clicks)):
            self._confirmed.popitem(last=False)
        if decisions:
            try:
                self.opened.known.refresh(at_once=True)
            except DecisionsError as error:
                return decisions, str(error)
        return decisions, None

    def says(self, message: str | None) -> dict[str, Any]:
        """What every page tells its browser: whose clicks are taken, which are stored, and the message."""
        return {
            "owner": f"{self.opened.decisions.data_set} {self.reviewer}",
            "reviewer": self.reviewer,
            "confirmed": list(self._confirmed),
            "message": message and f"{message} {WAITS}",
        }
