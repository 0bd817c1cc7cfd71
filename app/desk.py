"""Desk: what one reviewer has before them: a few pairs that nobody else gets, with their pictures, and the way their clicks take.

Enters: what the browser says (browser/queue.js). Leaves: what it needs next. Pictures of the next pairs are made while a person looks at
this one; what is here twice is sent once.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from concurrent.futures import Future
from itertools import islice
from typing import Any

import numpy as np

from app.clicks import standing
from app.inbox import Inbox
from app.opened import Opened
from app.order import Candidates, candidates
from app.pictures import PictureError, data_url
from app.table import NOBODY, REASONS, Table
from curation.leases import Leases
from curation.rules import RULES
from curation.verdicts import UNDO, DecisionsError

AHEAD = 8  # pairs on a desk
LEASE = 600.0  # seconds for which they are nobody else's
WINDOW = 64  # candidates offered for a lease at once
WAIT = 8.0  # seconds for the pair to be shown; for later ones PATIENT
PATIENT = 0.4
MOST_HELD = 64  # items
NEIGHBOURS = 8  # of an equivalence class, as thumbnails
SAYS = {rule.reason: rule.says for rule in RULES}


class Desk:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._inbox = Inbox(opened, reviewer)
        self._items: OrderedDict[str, Future] = OrderedDict()
        self._mine: list[str] = []
        self._leased_at = 0.0
        self._n = 0  # of the browser's messages
        self.choose(None, "informative", "")

    def choose(self, reason: str | None, order: str, text: str) -> None:
        """Another reason, order or text to look for."""
        chosen = (reason, order, text)
        if getattr(self, "chosen", None) == chosen:
            return
        self.chosen = chosen
        found: Candidates = candidates(self.opened.table, reason, order, text)
        self._positions, self._reasons = found.positions, found.reasons
        self._start = 0  # everything before is decided
        self._mine, self._leased_at = [], 0.0
        self._items.clear()
        self._left: tuple[int, int] = (-1, 0)

    def answer(self, said: dict[str, Any] | None) -> dict[str, Any]:
        """What the browser gets for what it said: everything queue.js names."""
        said = said if isinstance(said, dict) else {}
        stored, message = self._inbox.store(said.get("outbox"))
        if any(decision.verdict == UNDO for decision in stored):
            self._start = 0
        try:
            self._fill()
        except DecisionsError as error:
            message = str(error)
        at = said.get("at")
        shown = [at] if isinstance(at, str) and at not in self._mine and self._knows(at) else []
        have = {p for p in said.get("have", []) if isinstance(p, str)}
        items = self._ready([p for p in (*self._mine, *shown) if p not in have])
        by = self.opened.known.by(self.reviewer)
        return {
            **self._inbox.says(message),
            "order": "|".join(map(str, self.chosen)),
            "queue": self._mine,
            "items": items,
            "left": self._open(),
            "decided": by["keep"] + by["drop"],
            "undo": self._last(),
            "nothing": f"Nothing is left to decide here{'' if self.chosen[0] is None else f' for {self.chosen[0]}'}. Choose another reason, or look at the other pages.",
        }

    def _fill(self) -> None:
        """Keep AHEAD pairs on the desk, leased, in the order of the candidates."""
        known = self.opened.known
        known.refresh()
        mine = [p for p in self._mine if known.is_open(p, self.reviewer)]
        stale = time.monotonic() - self._leased_at > LEASE / 3
        if len(mine) > AHEAD // 2 and not stale:
            self._mine = mine
            return
        leases: Leases = self.opened.decisions.leases
        offered: list[str] = []
        window, got = WINDOW, []
        following = self._following()
        while len(got) < AHEAD:
            more = list(islice(following, window))
            offered += [p for p in more if p not in mine]
            got = leases.lease(self.reviewer, [*mine, *offered], AHEAD, LEASE)
            if len(more) < window:
                break
            window *= 4
        self._mine, self._leased_at = got, time.monotonic()

    def _following(self):
        """Ids of open candidates, in order."""
        known, table = self.opened.known, self.opened.table
        at_front = True
        for place in range(self._start, len(self._positions)):
            pair_id = table.id(self._positions[place])
            if known.is_open(pair_id, self.reviewer):
                at_front = False
                yield pair_id
            elif at_front:
                self._start = place + 1

    def _open(self) -> int:
        """Candidates that are still to be decided."""
        known = self.opened.known
        if self._left[0] != known.version:
            closed = self.opened.table.positions(sorted(known.closed(self.reviewer)))
            self._left = known.version, int((~np.isin(self._positions, closed)).sum())
        return self._left[1]

    def _last(self) -> dict[str, str] | None:
        try:
            last = self.opened.decisions.last_of(self.reviewer)
        except DecisionsError:
            return None
        return last and {"uuid": last.uuid, "pair_id": last.pair_id, "reason": last.reason}

    def _knows(self, pair_id: str) -> bool:
        try:
            self.opened.table.position(pair_id)
        except KeyError:
            return False
        return True

    def _ready(self, wanted: list[str]) -> dict[str, Any]:
        """Items that are made; the first is waited for, the others are begun."""
        for pair_id in wanted:
            if pair_id not in self._items:
                position = self.opened.table.position(pair_id)
                self._items[pair_id] = self.opened.makers.submit(item, self.opened, position, self._reason(position))
        found: dict[str, Any] = {}
        for i, pair_id in enumerate(wanted):
            future = self._items[pair_id]
            try:
                found[pair_id] = future.result(WAIT if not i else PATIENT if len(found) < 2 else 0)
            except TimeoutError:
                break
        while len(self._items) > MOST_HELD:
            self._items.popitem(last=False)
        return found

    def _reason(self, position: int) -> str:
        at = np.flatnonzero(self._positions == position)
        if len(at):
            return REASONS[self._reasons[at[0]]]
        return self.opened.table.first_reason(position) or "person"


def item(opened: Opened, position: int, reason: str) -> dict[str, Any]:
    """One pair as the browser shows it. Never raises for a pair that cannot be shown: its `error` says why."""
    table, pictures = opened.table, opened.pictures
    faults = table.faults(position)
    mine = next((f for f in faults if f.reason == reason), None)
    score, threshold = standing(table, position, reason)
    files = [name for column in (table.image, table.label) if (name := column[position].as_py())]
    error = table.error[position].as_py()
    found: dict[str, Any] = {
        "files": files,
        "reason": reason,
        "why": f"{reason}: {mine.detail or SAYS[reason]}"
        if mine
        else f"{reason}: {SAYS[reason]}? Not by the threshold.",
        "state": f"dropped: {', '.join(f.reason for f in faults)}" if faults else "kept by the rules",
        "verdict": None,
        "score": score,
        "threshold": threshold,
        "error": error,
        "photo": None,
        "label": None,
        "classes": [],
        "evidence": None,
        "says": "",
        "class": "",
        "others": [],
    }
    verdict = opened.known.verdict(table.id(position))
    if verdict:
        found |= {"verdict": verdict.verdict, "state": verdict.says()}
    try:
        found["photo"] = data_url(pictures.photo(position))
        label = pictures.label(position)
        if label:
            found["label"] = data_url(label.png)
            found["classes"] = [vars(named) for named in label.classes]
    except PictureError as unseen:
        found["error"] = error or str(unseen)
    if not found["error"]:
        evidence = pictures.evidence(position, reason)
        if evidence:
            found |= {"evidence": data_url(evidence[0]), "says": evidence[1]}
    found["class"], found["others"] = _others(opened, position)
    return found


def _others(opened: Opened, position: int) -> tuple[str, list[dict[str, Any]]]:
    """What is alike: the pairs that stay in the place of this one, and its equivalence class; a caption and thumbnails."""
    table: Table = opened.table
    stands = [fault.stands for fault in table.faults(position) if fault.stands != NOBODY]
    classes = table.classes
    name = classes.of[position]
    members = classes.members(name) if name != NOBODY else np.zeros(0, np.int32)
    told = f"equivalence class of {len(members):,}" if len(members) > 1 else "the same photo" if stands else ""
    chosen = list(dict.fromkeys([*stands, *(int(m) for m in members[: NEIGHBOURS + 1] if m != position)]))[:NEIGHBOURS]
    found = []
    for other in chosen:
        kept = bool(table.kept[other])
        about = f"{'kept' if kept else 'dropped'}: {table.id(other)}"
        try:
            found.append(
                {
                    "id": table.id(other),
                    "picture": data_url(opened.pictures.thumbnail(other)),
                    "about": about,
                    "kept": kept,
                }
            )
        except PictureError:
            continue
    return told, found
