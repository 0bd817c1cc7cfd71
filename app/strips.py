"""Strips: equivalence classes of two pairs or more as one reviewer sees them, each a strip of thumbnails, ten on a page.

Enters: what the browser says (browser/classes.js). Leaves: the page it asks for, and the next one ahead of being asked; of a large class the
first members, and more when they are asked for. Every strip begins with the representative, then what the last selection kept, then the most
similar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from app.choice import FAULTY
from app.columns import truths
from app.inbox import Inbox
from app.judged import OPEN
from app.opened import Opened
from app.table import NOBODY
from app.tiles import Tiles, number, words
from curation.verdicts import DecisionsError

ORDERS = {"largest": "largest first", "id": "by id of the representative"}
SIZE = 10  # classes on a page
FIRST = 24  # members that are shown of a class at first
MOST_SHOWN = 600  # thumbnails of one class; whoever needs more of them wants the grid


class Strips:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._inbox, self._tiles = Inbox(opened, reviewer), Tiles(opened, reviewer)
        self._choice, self._judged = self._inbox.class_clicks.choice, self._inbox.class_clicks.judged
        self.chosen: tuple = ()
        self.choose("largest", "")

    def choose(self, order: str, text: str) -> None:
        """Another order or text."""
        if self.chosen != (order, text):
            self.chosen = (order, text)
            self._names = self._found(order, text.strip())

    def answer(self, said: dict[str, Any] | None) -> dict[str, Any]:
        """What the browser gets for what it said: everything classes.js names."""
        said = said if isinstance(said, dict) else {}
        _, message = self._inbox.store(said.get("outbox"))
        try:
            self.opened.known.refresh()
        except DecisionsError as error:
            message = str(error)
        key, n = "|".join(self.chosen), len(self._names)
        pages = max(1, -(-n // SIZE))
        page = number(said.get("page"), 0, pages - 1) if said.get("order") == key else 0
        more = said.get("more") if isinstance(said.get("more"), dict) else {}
        shown, ahead = (self._names[SIZE * at : SIZE * (at + 1)] for at in (page, page + 1))
        strips, members = zip(*(self._strip(name, more) for name in shown), strict=True) if len(shown) else ((), ())
        next_strips, next_members = (
            zip(*(self._strip(name, {}) for name in ahead), strict=True) if len(ahead) else ((), ())
        )
        now, later = (np.concatenate([np.zeros(0, np.int32), *some]) for some in (members, next_members))
        pictures, missing, coming = self._tiles.pictures(now, later, words(said.get("have")))
        return {
            **self._inbox.says(message),
            "order": key,
            "page": page,
            "pages": pages,
            "size": SIZE,
            "total": n,
            "shown": strips,
            "ahead": next_strips,
            "tiles": self._facts(np.concatenate([now, later])),
            "pictures": pictures,
            "missing": missing,
            "coming": coming,
            "nothing": self._nothing(),
        }

    def _found(self, order: str, text: str) -> np.ndarray:
        """Names of the classes to show, in order."""
        classes = self.opened.table.classes
        names = np.flatnonzero(classes.sizes > 1)  # by id of the representative
        if text:
            has = truths(pc.match_substring(self.opened.table.ids, text, ignore_case=True))
            names = names[np.isin(names, classes.of[has])]
        return names[np.argsort(-classes.sizes[names], kind="stable")] if order == "largest" else names

    def _strip(self, name: int, more: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """One class, and the positions of its members that are shown."""
        table, verdicts = self.opened.table, self._judged.verdicts()
        members = table.classes.members(name)
        pair_id = table.id(members[0])
        stays = self._choice.stays(members, verdicts)
        n = number(more.get(pair_id), FIRST, MOST_SHOWN)
        by_rules = np.argsort(~table.kept[members[1:]], kind="stable") + 1
        shown = members[np.concatenate([[0], by_rules])[:n]]
        strip = {
            "id": pair_id,
            "size": len(members),
            "stays": int(stays.sum()),
            "faulty": int((self._choice.rules[members[stays]] == FAULTY).sum()),
            "chosen": int((verdicts[members] != OPEN).sum()),
            "loose": self._choice.loose(members, verdicts),
            "filled": self._choice.filled(members, verdicts),
            "members": [table.id(m) for m in shown],
            "more": len(members) > len(shown) < MOST_SHOWN,
        }
        return strip, shown

    def _facts(self, positions: np.ndarray) -> dict[str, dict[str, Any]]:
        similarity, stays = (
            self.opened.table.classes.similarity,
            self._choice.stays(positions, self._judged.verdicts()),
        )
        found = self._tiles.facts(positions, np.full(len(positions), NOBODY))
        for position, stay, facts in zip(positions, stays, found.values(), strict=True):
            facts |= {"stays": bool(stay), "similarity": round(float(similarity[position]), 3)}
        return found

    def _nothing(self) -> str:
        if self.chosen[1].strip():
            return f'No class has a pair whose id contains "{self.chosen[1].strip()}".'
        return "No two label maps are so alike that they are in one equivalence class."
