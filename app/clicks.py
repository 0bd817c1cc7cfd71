"""Clicks: decisions as a browser sends them -> decisions as they are stored.

A browser is not trusted: a pair is one that the table lists, a verdict and a reason are known words, and the score and threshold of the time are
looked up here. What is none of that is passed over, and confirmed all the same, so that it is not sent for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import numpy as np

from app.table import REASONS, Table
from curation.verdicts import KINDS, NO_REASON, UNDO, Decision, DecisionsError

LONGEST = 500  # characters of a note


def decisions_of(clicks: Iterable[Any], table: Table, reviewer: str) -> tuple[list[Decision], list[str]]:
    """The decisions among what a browser sent, and the uuids that are not."""
    found, refused = [], []
    for click in clicks if isinstance(clicks, list) else []:
        try:
            found.append(_decision(click, table, reviewer))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, DecisionsError):
            if isinstance(click, dict) and isinstance(click.get("uuid"), str):
                refused.append(click["uuid"])
    return found, refused


def _decision(click: dict, table: Table, reviewer: str) -> Decision:
    position = table.position(click["pair_id"])
    if click["verdict"] not in KINDS or not 8 <= len(click["uuid"]) <= 64:
        raise ValueError
    reason = click.get("reason") if click.get("reason") in REASONS else NO_REASON
    score, threshold = standing(table, position, reason)
    when = datetime.fromisoformat(click["time"].replace("Z", "+00:00"))
    if when.tzinfo is None:
        raise ValueError
    now = datetime.now(timezone.utc)  # a browser whose clock is ahead would outvote what is said later
    return Decision(
        click["pair_id"],
        click["verdict"],
        reviewer,
        reason,
        str(click.get("note") or "")[:LONGEST],
        score,
        threshold,
        str(click["undoes"]) if click["verdict"] == UNDO else None,
        min(when.astimezone(timezone.utc), now),
        click["uuid"],
    )


def standing(table: Table, position: int, reason: str) -> tuple[float | None, float | None]:
    """Score and threshold that a pair has for a reason now; None where it has none."""
    for fault in table.faults(position):
        if fault.reason == reason:
            return fault.score, fault.threshold
    score = table.scores.get(reason)
    if score is None or np.isnan(score[position]):
        return None, None
    return round(float(score[position]), 4), table.thresholds.get(reason)
