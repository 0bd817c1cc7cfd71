"""Tiles: pairs as thumbnails, many on a page, each with what is said of it.

Enters: positions of the pairs on the page, and of those that come next. Leaves: facts and pictures by id for browser/tiles.js. Pictures are
made by opened.makers while a person looks; a page is told those that are ready, and asks for the others again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

import numpy as np

from app.clicks import standing
from app.opened import Opened
from app.pictures import PictureError, data_url
from app.table import NOBODY, REASONS
from curation.verdicts import DecisionsError

PATIENT = 0.3  # seconds that a page waits for its pictures at a time
FRESH = 1.0  # seconds for which it is not asked again who holds what


class Tiles:
    """Of one reviewer in one browser."""

    def __init__(self, opened: Opened, reviewer: str) -> None:
        self.opened, self.reviewer = opened, reviewer
        self._making: dict[int, Future] = {}
        self._held: set[str] = set()
        self._asked_at = 0.0

    def facts(self, positions: Iterable[int], reasons: Iterable[int]) -> dict[str, dict[str, Any]]:
        """By id: what stands below the thumbnail. reasons: what each is looked at for, as indices into REASONS, or NOBODY for none."""
        table, known, held = self.opened.table, self.opened.known, self._held_by_others()
        found = {}
        for position, index in zip(positions, reasons, strict=True):
            pair_id, faults = table.id(position), table.faults(position)
            reason = REASONS[index] if index != NOBODY else ""
            score, threshold = standing(table, position, reason)
            verdict = known.verdict(pair_id)
            found[pair_id] = {
                "reason": reason,
                "score": score,
                "threshold": threshold,
                "faults": [fault.reason for fault in faults],
                "verdict": verdict and verdict.verdict,
                "by": verdict.by if verdict else (),
                "says": verdict.says() if verdict else "",
                "held": pair_id in held,
                "error": table.error[int(position)].as_py(),
            }
        return found

    def pictures(
        self, shown: Sequence[int], ahead: Sequence[int], have: set[str]
    ) -> tuple[dict[str, dict[str, str]], int, int]:
        """Thumbnails that are ready and not there yet, by id, each a `src` or an `error`; and how many are to come, of those shown and
        of those ahead. Waits for those shown, but not for long."""
        missing, coming = (
            [p for p in map(int, some) if self.opened.table.id(p) not in have] for some in (shown, ahead)
        )
        self._make([*missing, *coming])
        wait([self._making[p] for p in missing], PATIENT)
        ready = [p for p in (*missing, *coming) if self._making[p].done()]
        found = {self.opened.table.id(p): self._making.pop(p).result() for p in dict.fromkeys(ready)}
        return found, len(set(missing).difference(ready)), len(set(coming).difference(ready))

    def _make(self, wanted: list[int]) -> None:
        """Begin with these, in order, and with nothing else: what was begun for a page that was left is given up."""
        for position in set(self._making).difference(wanted):
            self._making.pop(position).cancel()
        for position in wanted:
            if position not in self._making:
                self._making[position] = self.opened.makers.submit(self._picture, position)

    def _picture(self, position: int) -> dict[str, str]:
        try:
            return {"src": data_url(self.opened.pictures.thumbnail(position))}
        except PictureError as unseen:
            return {"error": str(unseen)}

    def _held_by_others(self) -> set[str]:
        """The pairs that other reviewers have on their screens; while the database does not answer, those who had before."""
        if time.monotonic() - self._asked_at > FRESH:
            with suppress(DecisionsError):  # whoever stores a click is told
                self._held = self.opened.decisions.leases.held_by_others(self.reviewer)
            self._asked_at = time.monotonic()
        return self._held


def words(value: Any) -> set[str]:
    """The texts in a list that a browser sent."""
    return {text for text in value if isinstance(text, str)} if isinstance(value, list) else set()


def number(value: Any, least: int, most: int) -> int:
    """A whole number that a browser sent, brought between two; the least where it is none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
    return int(min(max(value, least), most)) if is_number else least
