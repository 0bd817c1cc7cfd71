"""Class clicks: what a browser sends about an equivalence class -> decisions about its pairs.

Enters: a click with `within: "class"`: keep or drop one pair, `choose` the first k, or undo such a click. Leaves: one decision a pair that the
click means. Their uuids come from the click's and the pair's id, so a click that arrives twice is stored once, and can be undone whole.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from app.choice import CLASS, Choice
from app.clicks import decisions_of
from app.judged import Judged
from app.known import Known
from app.table import Table
from curation.verdicts import DROP, KEEP, UNDO, Decision

WITHIN, CHOOSE = "class", "choose"
MOST = 20_000  # decisions that one click may mean; more take longer than a person waits


class TooManyError(Exception):
    """A click that means too much; the message is for the reviewer."""


def is_class_click(click: dict[str, Any]) -> bool:
    return click.get("within") == WITHIN


class ClassClicks:
    """Of one reviewer in one browser."""

    def __init__(self, table: Table, known: Known, reviewer: str) -> None:
        self.table, self.known, self.reviewer = table, known, reviewer

    @cached_property
    def choice(self) -> Choice:
        return Choice(self.table)

    @cached_property
    def judged(self) -> Judged:
        return Judged(self.table, self.known)

    def decisions(self, click: dict[str, Any]) -> list[Decision]:
        """As things stand now, so what was clicked before must be known. Raises TooManyError, and for nonsense
        KeyError, TypeError or ValueError."""
        position, uuid = self.table.position(click["pair_id"]), UUID(click["uuid"])
        if click["verdict"] == UNDO:
            meant = self._undone(position, UUID(click["undoes"]))
        else:
            keep, drop = self._meant(click, position)
            meant = [(p, {"verdict": KEEP}) for p in keep] + [(p, {"verdict": DROP}) for p in drop]
        if len(meant) > MOST:
            raise TooManyError(
                f"Nothing was stored: that takes {len(meant):,} decisions, more than the {MOST:,} that one click may mean. "
                "For all classes at once: curate build-selection --keep-per-class."
            )
        made = []
        for at, verdict in meant:
            pair_id = self.table.id(at)
            made.append({**click, **verdict, "pair_id": pair_id, "reason": CLASS, "uuid": uuid5(uuid, pair_id).hex})
        found, refused = decisions_of(made, self.table, self.reviewer)
        if refused:
            raise ValueError(f"{refused[0]} cannot be understood.")
        return found

    def _meant(self, click: dict[str, Any], position: int) -> tuple[list[int], list[int]]:
        verdicts = self.judged.verdicts()
        if click["verdict"] == CHOOSE and isinstance(click["k"], int):
            return self.choice.first(position, click["k"], verdicts)
        if click["verdict"] not in (KEEP, DROP):
            raise ValueError(f"{click['verdict']} is nothing that can be done with a pair of a class.")
        return self.choice.toggled(position, click["verdict"] == KEEP, verdicts)

    def _undone(self, position: int, uuid: UUID) -> list[tuple[int, dict[str, str]]]:
        """What this reviewer decided by a click."""
        found = []
        for member in self.choice.members(position):
            pair_id = self.table.id(member)
            made = uuid5(uuid, pair_id).hex
            if any(d.uuid == made and d.reviewer == self.reviewer for d in self.known.of_pair(pair_id)):
                found.append((member, {"verdict": UNDO, "undoes": made}))
        return found
