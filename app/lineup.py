"""Lineup: what one reviewer has before them of a comparison: a few label maps with their pictures, and the way their choices take.

Enters: what the browser says (browser/compare.js). Leaves: what it needs next. As at the desk of the queue, the next ones are made while a
person looks at this one, and no two reviewers get the same label map at once.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from app.choices import Choice
from app.inbox import CONFIRMED, WAITS
from app.opened import Opened
from app.output_pictures import NO_SIZE, OutputPictures
from app.pictures import PictureError, data_url
from app.tally import Tally
from curation.leases import Leases
from curation.verdicts import DecisionsError

AHEAD = 6  # label maps in a lineup
LEASE = 600.0  # seconds for which they are nobody else's
WAIT = 8.0  # seconds for the label map to be shown; for later ones PATIENT
PATIENT = 0.4
MOST_HELD = 48  # items
UUID = re.compile(r"[0-9A-Za-z-]{8,64}")
ANEW = "{}: the picture that you chose was drawn anew or is gone since, so the choice is not stored. Go back to it and choose again."
NOTHING = "Nothing is left to choose here. The mixed folder can be written below."


class Lineup:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, pictures: OutputPictures, tally: Tally, reviewer: str, blind: bool) -> None:
        self.opened, self.pictures, self.tally, self.reviewer, self.blind = opened, pictures, tally, reviewer, blind
        self.comparison = pictures.comparison
        decisions = opened.decisions
        key = hashlib.sha256(self.comparison.key.encode()).hexdigest()[:16]
        self.owner = f"{decisions.data_set} {key} {reviewer}"
        self._leases = Leases(decisions.database, f"{decisions.data_set} {key}")
        self._confirmed: OrderedDict[str, None] = OrderedDict()
        self._items: OrderedDict[str, Future] = OrderedDict()
        self._mine: list[str] = []
        self._sent: set[str] = (
            set()
        )  # stems whose items this browser got from here, so not of folders as they were before
        self._refused: dict[
            str, str
        ] = {}  # uuid -> stem of a choice that is not stored, until the browser has the new pictures
        self._message: str | None = None  # of the last choices that were refused
        self._leased_at = float("-inf")

    def answer(self, said: dict[str, Any] | None) -> dict[str, Any]:
        """What the browser gets for what it said: everything compare.js names."""
        said = said if isinstance(said, dict) else {}
        message = self._store(said.get("outbox"))
        try:
            self._fill()
        except DecisionsError as error:
            message = str(error)
        at = said.get("at")
        shown = [at] if isinstance(at, str) and at in self.comparison.known and at not in self._mine else []
        have = said.get("have")
        have = {stem for stem in have if isinstance(stem, str)} if isinstance(have, list) else set()
        wanted = dict.fromkeys((*shown, *self._refused.values(), *self._mine))
        items = self._ready([stem for stem in wanted if stem not in have & self._sent])
        self._sent.update(items)
        last = self.tally.last_of(self.reviewer)
        closed = self.tally.closed(self.reviewer)
        return {
            "owner": self.owner,
            "order": "blind" if self.blind else "named",
            "reviewer": self.reviewer,
            "confirmed": list(self._confirmed),
            "queue": self._mine,
            "items": items,
            "total": len(self.comparison.stems),
            "left": len(self.comparison.known - closed),
            "mine": self.tally.chosen_by(self.reviewer),
            "wins": [vars(wins) for wins in self.tally.wins(folder.name for folder in self.comparison.folders)],
            "undo": last and {"uuid": last.uuid, "stem": last.stem},
            "notes": list(self.comparison.notes),
            "message": f"{message} {WAITS}" if message else self._message,
            "nothing": NOTHING,
        }

    def _store(self, clicks: Any) -> str | None:
        """Store what is new; returns what a person must know. Nonsense is confirmed, so that it is not sent for ever."""
        clicks = clicks if isinstance(clicks, list) else []
        sent = [c for c in clicks if isinstance(c, dict) and isinstance(c.get("uuid"), str)]
        new = [c for c in sent if c["uuid"] not in self._confirmed]
        self._sent -= {self._refused.get(c["uuid"], "") for c in sent}  # it has not heard of the refusal yet
        self._refused = {uuid: stem for uuid, stem in self._refused.items() if stem not in self._sent}
        if new:
            self._message = None
        choices = [choice for choice in map(self._choice, new) if choice]
        try:
            self.tally.choices.add(choices)
            self._confirmed.update(dict.fromkeys(click["uuid"] for click in new))
            self.tally.refresh(at_once=bool(choices))
        except DecisionsError as error:
            return str(error)
        while len(self._confirmed) > max(CONFIRMED, len(sent)):
            self._confirmed.popitem(last=False)
        return None

    def _choice(self, click: dict[str, Any]) -> Choice | None:
        """A click as it is stored; None for one that is none. A picture is the one that was seen: its content is still the same."""
        try:
            uuid, stem, act = click["uuid"], click["stem"], click["act"]
            when = datetime.fromisoformat(click["time"].replace("Z", "+00:00")).astimezone(timezone.utc)
            if not UUID.fullmatch(uuid) or stem not in self.comparison.known:
                return None
            when = min(when, datetime.now(timezone.utc))  # a clock that is ahead would outvote what is said later
            made = Choice(stem, self.reviewer, among=self.comparison.among(stem), time=when, uuid=uuid)
            if act == "skip":
                return made
            if act == "undo":
                return replace(made, undoes=click["undoes"]) if UUID.fullmatch(click["undoes"]) else None
            if act == "choose":
                files = [file for number, file in self.comparison.pictures(stem) if number == click["folder"]]
                for file in files:
                    if self._digest(click["folder"], file) == click["picture"]:
                        name = self.comparison.folders[click["folder"]].name
                        return replace(made, chosen=name, file=file, sha256=click["picture"])
                if files and isinstance(click["picture"], str):
                    self._refused[uuid], self._message = stem, ANEW.format(stem)
                    self._items.pop(stem, None)
                    self._sent.discard(stem)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            pass
        return None

    def _digest(self, number: int, file: str) -> str | None:
        try:
            return self.pictures.picture(number, file).sha256
        except PictureError:
            return None

    def _fill(self) -> None:
        """Keep AHEAD label maps in the lineup, leased, in order."""
        self.tally.refresh()
        closed = self.tally.closed(self.reviewer)
        mine = [stem for stem in self._mine if stem not in closed]
        stale = time.monotonic() - self._leased_at > LEASE / 3
        if len(mine) <= AHEAD // 2 or stale:
            mine = self._leases.lease(self.reviewer, self._following(mine, closed), AHEAD, LEASE)
            self._leased_at = time.monotonic()
        self._mine = mine

    def _following(self, mine: list[str], closed: set[str]) -> Iterator[str]:
        yield from mine
        yield from (stem for stem in self.comparison.stems if stem not in closed and stem not in mine)

    def _ready(self, wanted: list[str]) -> dict[str, Any]:
        """Items that are made; the first is waited for, the others are begun."""
        for stem in wanted:
            if stem not in self._items:
                self._items[stem] = self.opened.makers.submit(item, self.pictures, stem, self.blind)
        found: dict[str, Any] = {}
        for i, stem in enumerate(wanted):
            try:
                made = self._items[stem].result(WAIT if not i else PATIENT if len(found) < 2 else 0)
            except NotYet:
                break
            found[stem] = made | {"best": self._best(stem)}
        while len(self._items) > MOST_HELD:
            self._items.popitem(last=False)
        return found

    def _best(self, stem: str) -> dict[str, Any] | None:
        best = self.tally.best(stem)
        if not best:
            return None
        says = f"chosen by {', '.join(name or 'somebody' for name in best.by)}"
        says += f", {best.against} against" if best.against else ""
        return {"folder": self.comparison.number(best.chosen), "picture": best.sha256, "says": says}


def item(pictures: OutputPictures, stem: str, blind: bool) -> dict[str, Any]:
    """One label map and its pictures as the browser shows them. What cannot be shown has its `error` instead."""
    comparison = pictures.comparison
    shown, size = [], None
    for number, file in comparison.pictures(stem):
        name = None if blind else comparison.folders[number].name
        alone = len(comparison.folders[number].files[stem]) == 1
        one = {
            "folder": number,
            "name": name,
            "file": None if blind or alone else file,
            "picture": None,
            "url": None,
            "error": None,
        }
        try:
            drawn = pictures.picture(number, file)
            size = size or (drawn.width, drawn.height)
            one |= {"picture": drawn.sha256, "url": data_url(drawn.jpeg)}
        except PictureError as error:
            one["error"] = str(error)
        shown.append(one)
    found: dict[str, Any] = {"label": None, "classes": [], "error": None}
    found["pictures"] = [shown[i] for i in blind_order(stem, len(shown))] if blind else shown
    try:
        label = pictures.label(stem, size or NO_SIZE)
        if label:
            found |= {"label": data_url(label.png), "classes": [vars(named) for named in label.classes]}
    except PictureError as error:
        found["error"] = str(error)
    return found


def blind_order(stem: str, n: int) -> list[int]:
    """0 ... n-1 shuffled, the same way for the same stem wherever and whenever it is shown."""
    seed = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big")
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return order
