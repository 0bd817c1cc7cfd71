"""Board: the thresholds that one person is trying out, and all that the page shows of them.

Enters: what the browser says (browser/histogram.js). Leaves: what it shows next. The browser holds the thresholds while they move; the board
changes them only for a calibration and for a way back, and then `revision` grows.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import MutableMapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet  # its own class before Python 3.11
from dataclasses import dataclass, replace
from typing import Any

from app.counts import counts_of
from app.opened import Opened
from app.pictures import PictureError, data_url
from app.score import Reviewed, reviews_by_reason, scores_of
from curation.calibration import FEWEST, Worth
from curation.reviews import ReviewError
from curation.rules import RULES, Settings
from curation.verdicts import DecisionsError

BESIDE = 6  # examples on either side of a threshold
WAIT = 0.25  # seconds for a picture; later it is asked for again
MOST_HELD = 400  # thumbnails
RULE = {rule.reason: rule for rule in RULES}


@dataclass(frozen=True)
class Choice:
    """A threshold; off: it stands there and rejects nothing."""

    value: float
    on: bool


class Board:
    """Of one person in one browser. `before`: the board of the same person before WORK was selected again."""

    def __init__(self, opened: Opened, before: Board | None = None) -> None:
        self.opened, self.counts, self.scores = opened, counts_of(opened.table), scores_of(opened.table)
        self.last = self._last()
        tried = before.choices if before else {}
        self.choices = {r: tried.get(r, choice) for r, choice in self.last.items()}
        self.revision = before.revision + 1 if before else 1
        self._acted: str | None = before._acted if before else None
        self._told: dict[str, dict[str, Any]] = {}  # what the last calibration of a reason said
        self._pictures: OrderedDict[tuple, Future] = OrderedDict()
        self._moving = False  # a threshold is being dragged
        self._reviewed: tuple[int, dict[str, Reviewed]] = (-1, {})

    @property
    def moved(self) -> bool:
        """Whether these are not the thresholds of the last selection."""
        return self.choices != self.last

    def thresholds(self) -> dict[str, float | None]:
        """As rules.Settings takes them."""
        return {reason: choice.value if choice.on else None for reason, choice in self.choices.items()}

    def settings(self, level: int) -> Settings:
        """Those of the last selection with these thresholds."""
        last = self.counts.settings
        return replace(last, level=level, thresholds={**last.thresholds, **self.thresholds()})

    def back(self) -> None:
        """The thresholds of the last selection."""
        self.choices, self._told = dict(self.last), {}
        self.revision += 1

    def calibrate(self, reason: str, wanted: float) -> None:
        """The lowest threshold of the wanted precision, from the reviews; what comes of it is told with the next answer."""
        score, choice = self.scores[reason], self.choices[reason]
        reviewed = self.reviewed(reason)
        try:
            found = score.calibrated(reviewed, choice.value if choice.on else None, wanted)
        except ReviewError as error:
            self._told[reason] = {"error": str(error)}
            return
        before = _says(found.before) if found.before else "switched off"
        self._told[reason] = {"before": before, "after": _says(found.after)}
        self.choices[reason] = Choice(found.after.threshold, True)
        self.revision += 1

    def notes(self) -> dict[str, str]:
        """What stands beside each threshold in a file."""
        found = {}
        for reason, choice in self.choices.items():
            if choice.on:
                n, worth = self.scores[reason].above(choice.value), self.worth(reason)
                found[reason] = f"rejects {n:,} of {self.scores[reason].pairs:,}"
                if worth and worth.rejects:
                    found[reason] += (
                        f"; {len(self.reviewed(reason))} reviews: precision {worth.precision:.2f} ({worth.doubt()})"
                    )
        return found

    def reviewed(self, reason: str) -> Reviewed:
        known = self.opened.known
        if self._reviewed[0] != known.version and not (
            self._moving and self._reviewed[1]
        ):  # what others say meanwhile can wait
            self._reviewed = known.version, reviews_by_reason(self.opened.table, known.decisions())
        return self._reviewed[1][reason]

    def worth(self, reason: str) -> Worth | None:
        return self.scores[reason].worth(self.choices[reason].value, self.reviewed(reason))

    def answer(self, said: dict[str, Any] | None, wanted: float) -> dict[str, Any]:
        """What the browser gets for what it said: everything histogram.js names. wanted: precision of a calibration."""
        said, message = said if isinstance(said, dict) else {}, ""
        try:
            self.opened.known.refresh()
        except DecisionsError as error:
            message = f"{error} Precision is by the reviews read before."
        self._moving = bool(said.get("moving"))
        self._take(said, wanted)
        known = self.opened.known
        counted = self.counts.under(self.thresholds(), known.verdicts(), known.version, soon=not self._moving)
        have = {i for i in said.get("have", []) if isinstance(i, str)} if isinstance(said.get("have"), list) else set()
        examples, making = self._examples(said.get("active"), have) if not self._moving else (None, False)
        evidence, drawing = self._evidence(said.get("open"))
        return {
            "n": said.get("n", 0),
            "revision": self.revision,
            "acted": self._acted,
            "thresholds": {r: vars(choice) for r, choice in self.choices.items()},
            "scores": [self._score(reason) for reason in self.scores],
            "facts": {reason: self._facts(reason) for reason in self.scores},
            "levels": {"last": _known(self.counts.last), "now": _known(counted.kept), "total": len(self.opened.table)},
            "exact": counted.exact,
            "pending": counted.pending or making or drawing,
            "examples": examples,
            "evidence": evidence,
            "fewest": FEWEST,
            "message": message or counted.error,
        }

    def _last(self) -> dict[str, Choice]:
        active = replace(self.counts.settings, level=2).active()
        usual = self.opened.table.thresholds
        return {r: Choice(active[r].threshold if r in active else usual[r], r in active) for r in self.scores}

    def _take(self, said: dict[str, Any], wanted: float) -> None:
        """Thresholds and acts of a browser, which is not trusted."""
        told = said.get("thresholds")
        if said.get("revision") == self.revision and isinstance(told, dict):
            for reason in self.scores:
                choice = _choice(told.get(reason))
                if choice and choice != self.choices[reason]:
                    self.choices[reason] = choice
                    self._told.pop(reason, None)
        act = said.get("act")
        if isinstance(act, dict) and isinstance(act.get("id"), str) and act["id"] != self._acted:
            self._acted = act["id"]
            if self._has(act.get("reason")):
                self.calibrate(act["reason"], wanted)

    def _has(self, reason: Any) -> bool:
        return isinstance(reason, str) and reason in self.scores

    def _score(self, reason: str) -> dict[str, Any]:
        score, rule = self.scores[reason], RULE[reason]
        level = f"from Selection {'I' * rule.level}" if rule.level else "only when switched on"
        return {
            "reason": reason,
            "says": rule.says,
            "level": level,
            "pairs": score.pairs,
            "bars": score.bars.tolist(),
        }

    def _facts(self, reason: str) -> dict[str, Any]:
        choice, worth = self.choices[reason], self.worth(reason)
        return {
            "value": choice.value,
            "above": self.scores[reason].above(choice.value),
            "reviews": len(self.reviewed(reason)),
            "worth": None if worth is None or not worth.rejects else _worth(worth),
            "told": self._told.get(reason),
        }

    def _examples(self, reason: Any, have: set[str]) -> tuple[dict[str, Any] | None, bool]:
        """Who is just below and just above the threshold of a score, and whether a thumbnail is still being made."""
        if not self._has(reason):
            return None, False
        table, pictures, score = self.opened.table, self.opened.pictures, self.scores[reason]
        value = self.choices[reason].value
        sides = score.beside(value, BESIDE)
        items: dict[str, dict[str, Any]] = {}
        made = [self._made(("thumbnail", p), pictures.thumbnail, p) for side in sides for p in side]
        for position, future in zip([*sides[0], *sides[1]], made, strict=True):
            pair_id = table.id(position)
            if pair_id in have:
                continue
            picture, error = _of(future, WAIT if not items else 0)
            if picture or error:
                items[pair_id] = {"picture": picture and data_url(picture), "error": error}
        about = {
            table.id(p): {"score": round(float(table.scores[reason][p]), 4), "state": self._state(p)}
            for side in sides
            for p in side
        }
        below, above = ([table.id(p) for p in side] for side in sides)
        shown = {"reason": reason, "value": value, "below": below, "above": above, "about": about, "items": items}
        return shown, any(not future.done() for future in made)

    def _state(self, position: int) -> str:
        verdict = self.opened.known.verdict(self.opened.table.id(position))
        if verdict:
            return verdict.says()
        reason = self.opened.table.first_reason(position)
        return f"dropped for {reason}" if reason else "kept"

    def _evidence(self, asked: Any) -> tuple[dict[str, Any] | None, bool]:
        """The picture that explains a score of a pair, and whether it is still being drawn."""
        try:
            pair_id, reason = asked["id"], asked["reason"]
            position = self.opened.table.position(pair_id)
        except (KeyError, TypeError):
            return None, False
        if not self._has(reason):
            return None, False
        found, error = _of(self._made(("evidence", position, reason), _drawn, self.opened, position, reason), WAIT)
        if not found and not error:
            return None, True
        picture, says = found or (None, error)
        return {"id": pair_id, "reason": reason, "picture": picture and data_url(picture), "says": says}, False

    def _made(self, key: tuple, make: Any, *of: Any) -> Future:
        if key not in self._pictures:
            self._pictures[key] = self.opened.makers.submit(make, *of)
            while len(self._pictures) > MOST_HELD:
                self._pictures.popitem(last=False)
        return self._pictures[key]


def board_in(state: MutableMapping[str, Any], opened: Opened) -> Board:
    """The board of this browser; made anew, with the same thresholds, where WORK was selected again. state: what the browser's session holds."""
    board = state.get("board")
    if board is None or board.opened is not opened:
        board = state["board"] = Board(opened, board)
    return board


def _drawn(opened: Opened, position: int, reason: str) -> tuple[bytes, str]:
    """Evidence, or where a reason has no picture of its own the photo."""
    found = opened.pictures.evidence(position, reason)
    return found or (opened.pictures.photo(position), RULE[reason].says)


def _of(future: Future, seconds: float) -> tuple[Any, str]:
    """What was made, or why it could not be; neither while it is not done."""
    try:
        return future.result(seconds), ""
    except NotYet:
        return None, ""
    except (PictureError, ValueError, OSError) as error:
        return None, str(error) or type(error).__name__


def _choice(told: Any) -> Choice | None:
    try:
        value = float(told["value"])
    except (TypeError, KeyError, ValueError):
        return None
    if not math.isfinite(value) or not 0 <= value <= 1:
        return None
    return Choice(round(value, 4), bool(told.get("on")))


def _known(levels: dict[int, int | None]) -> dict[str, int | None]:
    return {str(level): levels[level] for level in (1, 2)}


def _worth(worth: Worth) -> dict[str, Any]:
    return {
        "precision": worth.precision,
        "low": worth.low,
        "high": worth.high,
        "seen": worth.reviewed,
        "rejects": worth.rejects,
    }


def _says(worth: Worth) -> str:
    if not worth.rejects:
        return f"{worth.threshold:g}: rejects none"
    return f"{worth.threshold:g}: rejects {worth.rejects:,}, precision {worth.precision:.2f} ({worth.doubt()})"
