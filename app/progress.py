"""Progress: how far a review is, who did what, and what it does to the selections; as rows of tables.

Enters: the table of pairs, decisions counted by the store, verdicts. Leaves: lists of dicts, column by column as they are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from app.counts import Levels
from app.table import REASONS, Table
from curation.agreement import Agreement, agreement
from curation.rules import LEVELS
from curation.verdicts import DROP, KEEP, SKIP, Decision, votes

TITLES = {0: "Total", 1: "Selection I", 2: "Selection II"}
Counted = Mapping[tuple[str, str, str], int]  # (reason, reviewer, verdict) -> pairs, as Decisions.counts gives them


def by_reason(table: Table, decided: np.ndarray, counted: Counted) -> list[dict[str, Any]]:
    """For each reason that rejects pairs or was asked about: how many of these pairs have a verdict, and what people said of that reason.

    decided: (N,) bool, pairs that have a verdict, whatever reason it was about.
    """
    said = _summed(counted, lambda reason, reviewer: reason)
    rows = []
    for reason in REASONS:
        rejected = table.dropped_for(reason)[0]
        if len(rejected) or reason in said:
            done = int(decided[rejected].sum())
            share = done / len(rejected) if len(rejected) else None
            rows.append(
                {"reason": reason, "rejected": len(rejected), "decided": done, "share": share, **_kinds(said[reason])}
            )
    return rows


def by_reviewer(counted: Counted) -> list[dict[str, Any]]:
    """For each reviewer and reason, and for each reviewer over all reasons: the pairs kept, dropped and skipped. Reviewers by name."""
    one, every = _summed(counted, lambda *key: key[::-1]), _summed(counted, lambda reason, reviewer: reviewer)
    rows = []
    for reviewer in sorted(every):
        rows.append({"reviewer": reviewer, "reason": "all", **_kinds(every[reviewer])})
        mine = [reason for reason in REASONS if (reviewer, reason) in one]
        rows += [{"reviewer": reviewer, "reason": reason, **_kinds(one[reviewer, reason])} for reason in mine]
    return rows


def agreed(decisions: Iterable[Decision]) -> Agreement:
    """How often reviewers of the same pair said the same: of each the last decision on it that was not taken back."""
    return agreement({p: {d.reviewer: d.verdict for d in said} for p, said in votes(decisions).items()})


def kept_rows(pairs: int, before: Levels, after: Levels) -> list[dict[str, Any]]:
    """For each level the pairs kept and dropped by the rules alone, and with what people decided."""
    return [
        {
            "": TITLES[level],
            "kept by the rules": before[level],
            "dropped": pairs - before[level],
            "kept with people": after[level],
            "dropped with people": pairs - after[level],
            "change": after[level] - before[level],
        }
        for level in LEVELS
    ]


def _summed(counted: Counted, key) -> dict[Any, dict[str, int]]:
    found: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (reason, reviewer, verdict), n in counted.items():
        found[key(reason, reviewer)][verdict] += n
    return found


def _kinds(said: Mapping[str, int]) -> dict[str, int]:
    return {kind: said.get(kind, 0) for kind in (KEEP, DROP, SKIP)}
