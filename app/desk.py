"""Desk: what one reviewer has before them: a few pairs that nobody else gets, with their pictures, and the way their clicks take.

Enters: what the browser says (browser/queue.js). Leaves: what it needs next. Pictures of the next pairs are made while a person looks at
this one; what is here twice is sent once.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from app.inbox import Inbox
from app.item import Item
from app.opened import Opened
from app.order import Candidates, candidates
from app.table import REASONS
from app.tiles import words
from app.undecided import Undecided
from curation.leases import Leases
from curation.verdicts import DecisionsError

AHEAD = 8  # pairs on a desk
LEASE = 600.0  # seconds for which they are nobody else's
WINDOW = 64  # candidates offered for a lease at once
PATIENT = 0.15  # seconds for what takes longer; the browser asks again for what was not ready, and a click that comes meanwhile waits as long
NEXT = 2  # pairs that are sent before they are whole
MOST_HELD = 24  # items
MOST_BEGUN = 3  # items at a time


class Desk:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._inbox = Inbox(opened, reviewer)
        self._undecided = Undecided(opened.table, opened.known, reviewer)
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._mine: list[str] = []
        self._leased_at = 0.0
        self._let_go: set[str] = set()  # leased for what was chosen before
        self.chosen: tuple = ()
        self.choose(None, "informative", "")

    def choose(self, reason: str | None, order: str, text: str) -> None:
        """Another reason, order or text to look for."""
        chosen = (reason, order, text)
        if self.chosen == chosen:
            return
        self.chosen = chosen
        found: Candidates = candidates(self.opened.table, reason, order, text, _enough() if reason else 0)
        self._positions, self._reasons = found.positions, found.reasons
        self._undecided.choose(found.positions)
        self._let_go |= set(self._mine)
        self._mine, self._leased_at = [], 0.0
        self._items.clear()

    def answer(self, said: dict[str, Any] | None) -> dict[str, Any]:
        """What the browser gets for what it said: everything queue.js names."""
        said = said if isinstance(said, dict) else {}
        _, message = self._inbox.store(said.get("outbox"))
        try:
            self._fill()
        except DecisionsError as error:
            message = str(error)
        at = said.get("at")
        shown = [at] if isinstance(at, str) and self._knows(at) else []
        have = words(said.get("have"))
        wanted = [p for p in dict.fromkeys((*shown, *self._mine)) if p not in have]
        items = self._ready(wanted, now=not have or wanted[:1] == shown) if have or self._items else self._first(wanted)
        by = self.opened.known.by(self.reviewer)
        return {
            **self._inbox.says(message),
            "n": said.get("n"),
            "order": "|".join(map(str, self.chosen)),
            "queue": self._mine,
            "items": items,
            "left": self._undecided.left,
            "decided": by["keep"] + by["drop"],
            "undo": self._last(),
            "nothing": f"Nothing is left to decide here{'' if self.chosen[0] is None else f' for {self.chosen[0]}'}. Choose another reason, or look at the other pages.",
        }

    def _fill(self) -> None:
        """Keep AHEAD pairs on the desk, leased, in the order of the candidates."""
        self.opened.known.refresh()
        is_open = self._undecided.refresh()
        mine = [p for p in self._mine if is_open[self.opened.table.position(p)]]
        stale = time.monotonic() - self._leased_at > LEASE / 3
        if len(mine) > AHEAD // 2 and not stale:
            self._mine = mine
            return
        leases: Leases = self.opened.decisions.leases
        offered: list[str] = []
        window, got = WINDOW, []
        following = self._following(is_open)
        while len(got) < AHEAD:
            more = list(islice(following, window))
            offered += [p for p in more if p not in mine]
            got = leases.lease(self.reviewer, [*mine, *offered], AHEAD, LEASE)
            if len(more) < window:
                break
            window *= 4
        leases.release(self.reviewer, self._let_go - set(got))
        self._let_go.clear()
        self._mine, self._leased_at = got, time.monotonic()

    def _following(self, is_open: np.ndarray) -> Iterator[str]:
        """Ids of open candidates, in order."""
        for place in np.flatnonzero(is_open[self._positions]):
            yield self.opened.table.id(self._positions[place])

    def _last(self) -> dict[str, str] | None:
        try:
            last = self.opened.decisions.last_of(self.reviewer)
        except DecisionsError:
            return None
        return last and {"uuid": last.uuid, "pair_id": last.pair_id, "verdict": last.verdict, "reason": last.reason}

    def _knows(self, pair_id: str) -> bool:
        try:
            self.opened.table.position(pair_id)
        except KeyError:
            return False
        return True

    def _first(self, wanted: list[str]) -> dict[str, Any]:
        """The first pair of a page that has none, and nothing begun beside it, which would take its processor: the browser asks for more at once."""
        return {pair_id: self._item(pair_id).at_once() | {"whole": False} for pair_id in wanted[:1]}

    def _ready(self, wanted: list[str], now: bool) -> dict[str, Any]:
        """Items as far as they are made; a few others are begun. now: somebody waits for the first."""
        if now and wanted:
            self._item(wanted[0]).at_once()  # before others ask for the same processors
        unfinished = sum(not item.is_whole for item in self._items.values())
        found: dict[str, Any] = {}
        patience = 0 if now else PATIENT
        for i, pair_id in enumerate(wanted):
            if pair_id not in self._items:
                if i and unfinished >= MOST_BEGUN:  # other reviewers wait for the same makers
                    break
                self._item(pair_id)
                unfinished += 1
            self._items[pair_id].begin()
        for i, pair_id in enumerate(wanted):
            item = self._items.get(pair_id)
            made = item and item.so_far(patience)
            if made and (made["whole"] or i < NEXT):
                found[pair_id] = made
            if not (made and made["whole"]):
                patience = 0
        while len(self._items) > MOST_HELD:
            self._items.popitem(last=False)
        return found

    def _item(self, pair_id: str) -> Item:
        if pair_id not in self._items:
            position = self.opened.table.position(pair_id)
            self._items[pair_id] = Item(self.opened, position, self._reason(position))
        return self._items[pair_id]

    def _reason(self, position: int) -> str:
        at = np.flatnonzero(self._positions == position)
        if len(at):
            return REASONS[self._reasons[at[0]]]
        return self.opened.table.first_reason(position) or "person"


def _enough() -> int:
    """How many pairs of a reason serve for a calibration."""
    from curation.calibration import ENOUGH  # with all that a calibration needs, which no first page waits for

    return ENOUGH
