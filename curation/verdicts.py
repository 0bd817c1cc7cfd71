"""Verdicts: what people decided about pairs, one verdict a pair, derived from all that was ever clicked.

Enters: decisions in the order in which they were stored. Leaves: for each pair that people judged one Verdict, which rules.select takes.
No database is known here; reading WORK's needs SQLAlchemy only where there is one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from curation.place import is_remote

if TYPE_CHECKING:
    from curation.workspace import Workspace

KEEP, DROP, SKIP, UNDO = "keep", "drop", "skip", "undo"
KINDS = (KEEP, DROP, SKIP, UNDO)
NO_REASON = "person"  # of a decision that was not about one of the rules' reasons
DATABASE_VARIABLE = "CURATE_DATABASE"


class DecisionsError(RuntimeError):
    """Decisions cannot be read or stored; the message says why and what to do, and holds no password."""


@dataclass(frozen=True)
class Decision:
    """One click, as it is stored for ever.

    verdict: keep, drop, skip, or undo, which takes back the decision `undoes` (its uuid) and cannot be undone itself: deciding again can.
    reason: the one that the person was asked about. time: of the click, with a time zone. score, threshold: of that reason at that time.
    uuid: made where the click was made, so that a click that is sent twice is stored once. id: its place in the store, 0 before.
    """

    pair_id: str
    verdict: str
    reviewer: str = ""
    reason: str = NO_REASON
    note: str = ""
    score: float | None = None
    threshold: float | None = None
    undoes: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    uuid: str = field(default_factory=lambda: uuid4().hex)
    id: int = 0

    def __post_init__(self) -> None:
        if self.verdict not in KINDS:
            raise DecisionsError(f'No verdict "{self.verdict}"; known: {", ".join(KINDS)}.')
        if (self.verdict == UNDO) != (self.undoes is not None):
            raise DecisionsError("An undo, and nothing else, names in `undoes` the decision that it takes back.")
        if self.time.tzinfo is None:
            raise DecisionsError(f"{self.time.isoformat()} has no time zone; a decision needs one.")
        if not self.reason:
            object.__setattr__(self, "reason", NO_REASON)


@dataclass(frozen=True)
class Verdict:
    """What holds of a pair. by: the reviewers who say so, by name; against: how many say the opposite. note, reason, time: of the last
    of those decisions."""

    verdict: str
    by: tuple[str, ...]
    note: str
    reason: str
    time: datetime
    against: int = 0

    def says(self) -> str:
        """In one line: "kept by anna (2026-11-23): the haze is real". A drop names the reason that was agreed with."""
        names = ", ".join(name or "somebody" for name in self.by)
        about = f", for {self.reason}" if self.verdict == DROP and self.reason != NO_REASON else ""
        opposed = f", {self.against} against" if self.against else ""
        line = f"{'kept' if self.verdict == KEEP else 'dropped'} by {names} ({self.time:%Y-%m-%d}){about}{opposed}"
        line += f": {self.note.strip()}" if self.note.strip() else ""
        return " ".join("".join(c if c.isprintable() else " " for c in line).split())


def standing(decisions: Iterable[Decision]) -> list[Decision]:
    """The keeps and drops that were not taken back, the oldest first: by time, where that is the same by their place in the store."""
    decisions = list(decisions)
    undone = {d.undoes for d in decisions if d.verdict == UNDO}
    left = [d for d in decisions if d.verdict in (KEEP, DROP) and d.uuid not in undone]
    return sorted(left, key=lambda d: (d.time, d.id))


def votes(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """For each judged pair the last decision of each reviewer, the oldest first; pairs by id."""
    last: dict[str, dict[str, Decision]] = defaultdict(dict)
    for decision in standing(decisions):
        of_pair = last[decision.pair_id]
        of_pair.pop(decision.reviewer, None)  # so that it comes after those of the others that are older
        of_pair[decision.reviewer] = decision
    return {pair_id: list(last[pair_id].values()) for pair_id in sorted(last)}


def current(decisions: Iterable[Decision]) -> dict[str, Verdict]:
    """The verdict on each judged pair: of each reviewer the last decision counts, of several reviewers the majority, and of as many on
    either side those with the most recent decision."""
    found = {}
    for pair_id, said in votes(decisions).items():
        sides = {kind: [d for d in said if d.verdict == kind] for kind in (KEEP, DROP)}
        winner = max(sides, key=lambda kind: (len(sides[kind]), kind == said[-1].verdict))
        last = sides[winner][-1]
        by = tuple(sorted(d.reviewer for d in sides[winner]))
        found[pair_id] = Verdict(winner, by, last.note, last.reason, last.time, len(said) - len(by))
    return found


def digest(verdicts: Mapping[str, Verdict]) -> str:
    """SHA-256, as hex, of verdicts by pair id, whatever their order."""
    from curation.workspace import digest as digest_of

    rows = [
        (p, v.verdict, v.by, v.note, v.reason, v.time.astimezone(timezone.utc).isoformat(), v.against)
        for p, v in sorted(verdicts.items())
    ]
    return digest_of(rows)


def read_decisions(work: Workspace, database: str | None = None, data_set: str | None = None) -> list[Decision]:
    """Everything that was decided about the pairs of WORK, in order; nothing is opened or imported where nobody decided anything yet.

    Arguments as of decisions.open_decisions. Raises DecisionsError.
    """
    named = database or os.environ.get(DATABASE_VARIABLE)
    if not named and (is_remote(work.folder) or not work.decisions.exists()):
        return []
    from curation.decisions import open_decisions

    with open_decisions(work, database, data_set) as decisions:
        return list(decisions.all())
