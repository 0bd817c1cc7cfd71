"""Item: one pair as the browser shows it. The photo and the label map come at once; the evidence and what is alike take longer.

Enters: a pair and the reason that it is shown for. Leaves: what browser/queue.js names. Made once, by the threads that make pictures ahead or
by whoever needs it before they come to it.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet  # its own class before Python 3.11
from threading import Lock
from typing import Any

import numpy as np

from app.clicks import standing
from app.opened import Opened
from app.pictures import PictureError, data_url
from app.table import NOBODY, Fault, Table
from curation.rules import RULES

LOG = logging.getLogger(__name__)
NEIGHBOURS = 8  # of an equivalence class, as thumbnails
SAYS = {rule.reason: rule.says for rule in RULES}


class Item:
    """See the module. Never raises for a pair that cannot be shown: its `error` says why."""

    def __init__(self, opened: Opened, position: int, reason: str) -> None:
        self._about = opened, position, reason
        self._lock = Lock()
        self._at_once: dict[str, Any] | None = None
        self._besides: Future[dict[str, Any]] | None = None

    def begin(self) -> None:
        """Let the makers make all of it, unless they were told before."""
        if self._besides is None:
            makers = self._about[0].makers
            makers.submit(self.at_once)
            self._besides = makers.submit(self._make_besides)

    @property
    def is_whole(self) -> bool:
        return self._besides is not None and self._besides.done()

    def at_once(self) -> dict[str, Any]:
        """Photo, label map, and what is said of the pair."""
        with self._lock:
            if self._at_once is None:
                self._at_once = _shown(*self._about)
            return self._at_once

    def so_far(self, patience: float) -> dict[str, Any] | None:
        """What there is of it, `whole` or not; None where that is nothing yet. patience: seconds to wait for the rest."""
        if self._at_once is None:
            return None
        found = self.at_once()
        if self._besides is None:
            return found | {"whole": False}
        try:
            return found | self._besides.result(patience) | {"whole": True}
        except NotYet:
            return found | {"whole": False}

    def _make_besides(self) -> dict[str, Any]:
        opened, position, reason = self._about
        found: dict[str, Any] = {}
        if not self.at_once()["error"]:
            try:
                evidence = opened.pictures.evidence(position, reason)
            except (
                Exception
            ) as error:  # the pair can be judged without it, so no mistake in a drawing may stop the queue
                LOG.exception("No evidence of %s for %s", reason, opened.table.id(position))
                found["says"] = f"The evidence could not be drawn: {error}"
                evidence = None
            if evidence:
                found |= {"evidence": data_url(evidence[0]), "says": evidence[1]}
        found["class"], found["others"] = _others(opened, position)
        return found


def _shown(opened: Opened, position: int, reason: str) -> dict[str, Any]:
    """What the browser shows at once."""
    table, pictures = opened.table, opened.pictures
    faults = table.faults(position)
    mine = next((f for f in faults if f.reason == reason), None)
    score, threshold = standing(table, position, reason)
    files = [name for column in (table.image, table.label) if (name := column[position].as_py())]
    error = table.error[position].as_py()
    found: dict[str, Any] = {
        "files": files,
        "reason": reason,
        "why": _why(table, reason, mine, score, threshold),
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
    except PictureError as unseen:
        found["error"] = error or str(unseen)
    try:
        label = pictures.label(position)
        if label:
            found["label"] = data_url(label.png)
            found["classes"] = [vars(named) for named in label.classes]
    except PictureError as unseen:
        found["error"] = found["error"] or str(unseen)
    return found


def _why(table: Table, reason: str, fault: Fault | None, score: float | None, threshold: float | None) -> str:
    if fault:
        return f"{reason}: {fault.detail or SAYS[reason]}"
    over = score is not None and threshold is not None and score >= threshold
    return f"{reason}: {SAYS[reason]}? {'The rule is not applied.' if over and not table.in_force(reason) else 'Not by the threshold.'}"


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
