"""Sheet: what one reviewer has before them as a page of thumbnails, for one reason, in one order.

Enters: what the browser says (browser/grid.js). Leaves: the page it asks for, and the next one ahead of being asked. However many pairs there
are, only those of two pages are looked at one by one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from app.inbox import Inbox
from app.judged import OPEN, Judged
from app.opened import Opened
from app.order import Candidates, candidates
from app.tiles import Tiles, number, words
from curation.verdicts import DecisionsError

SIZES = (24, 36, 48, 60)  # thumbnails on a page


class Sheet:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._inbox, self._tiles = Inbox(opened, reviewer), Tiles(opened, reviewer)
        self._judged = Judged(opened.table, opened.known)
        self.chosen: tuple = ()
        self.choose(None, "informative", "", SIZES[0])

    def choose(self, reason: str | None, order: str, text: str, size: int, undecided: bool = False) -> None:
        """Another reason, order, text or number of thumbnails. undecided: only what nobody has decided until now; the pages stay as they are
        while they are decided, until something else is chosen."""
        if (*self.chosen[:3], *self.chosen[4:]) != (reason, order, text, undecided):
            self._found = candidates(self.opened.table, reason, order, text)
            if undecided:
                self._found = self._open(self._found)
        self.chosen = (reason, order, text, size, undecided)

    def _open(self, found: Candidates) -> Candidates:
        with suppress(DecisionsError):  # the answer says so
            self.opened.known.refresh(at_once=True)
        is_open = self._judged.verdicts()[found.positions] == OPEN
        return Candidates(found.positions[is_open], found.reasons[is_open])

    def answer(self, said: dict[str, Any] | None) -> dict[str, Any]:
        """What the browser gets for what it said: everything grid.js names."""
        said = said if isinstance(said, dict) else {}
        _, message = self._inbox.store(said.get("outbox"))
        try:
            self.opened.known.refresh()
        except DecisionsError as error:
            message = str(error)
        key, n, size = "|".join(map(str, self.chosen)), len(self._found.positions), self.chosen[3]
        pages = max(1, -(-n // size))
        page = number(said.get("page"), 0, pages - 1) if said.get("order") == key else 0
        shown, ahead = (slice(size * at, size * (at + 1)) for at in (page, page + 1))
        both = slice(shown.start, ahead.stop)
        positions = self._found.positions
        pictures, missing, coming = self._tiles.pictures(positions[shown], positions[ahead], words(said.get("have")))
        ids = [self.opened.table.id(p) for p in positions[both]]
        return {
            **self._inbox.says(message),
            "order": key,
            "page": page,
            "pages": pages,
            "size": size,
            "total": n,
            "decided": int((self._judged.verdicts()[positions] != OPEN).sum()),
            "shown": ids[:size],
            "ahead": ids[size:],
            "tiles": self._tiles.facts(positions[both], self._found.reasons[both]),
            "pictures": pictures,
            "missing": missing,
            "coming": coming,
            "nothing": self._nothing(),
        }

    def _nothing(self) -> str:
        reason, text, undecided = self.chosen[0], self.chosen[2], self.chosen[4]
        if undecided:
            return "Nothing here is undecided. Choose another reason or text, or show what is decided, too."
        about = f' that says "{text.strip()}"' if text.strip() else ""
        return f"There is no pair here{f' for {reason}' if reason else ''}{about}. Choose another reason or text."
