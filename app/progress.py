"""Progress: how far a review is, who did what, and what it does to the selections; as tables to be shown.

Enters: the table of pairs, decisions counted by the store, verdicts. Leaves: Shown, whose rows browser/tables.js draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.building import Building
from app.counts import Levels
from app.table import REASONS, Table
from curation.agreement import Agreement, agreement
from curation.report.shares import ClassShare
from curation.rules import LEVELS, RULES
from curation.verdicts import DROP, KEEP, SKIP, Decision, votes

TITLES = {0: "Total", 1: "Selection I", 2: "Selection II"}
SAYS = {rule.reason: rule.says for rule in RULES}
EVERY = "all reasons"
TEXT, NUMBER, SHARE, CHANGE = "text", "number", "share", "change"
Counted = Mapping[tuple[str, str, str], int]  # (reason, reviewer, verdict) -> pairs, as Decisions.counts gives them


@dataclass(frozen=True)
class Shown:
    """A table. columns: name and kind of each; rows: values in their order, None where nothing is known; strong: rows that stand out."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    says: str = ""
    strong: Sequence[int] = ()


def by_reason(table: Table, wanted: np.ndarray, unwanted: np.ndarray, counted: Counted) -> Shown:
    """For each reason that rejects pairs or was asked about: how many of these pairs have a verdict, and what people said of that reason.

    wanted, unwanted: (N,) bool, pairs that people keep and drop. A pair that they keep although a score is over its threshold counts as
    rejected still: the last selection may have been built after they said so.
    """
    said = _summed(counted, lambda reason, reviewer: reason)
    rows = []
    for reason in REASONS:
        rejected = np.zeros(len(table), bool)
        rejected[table.dropped_for(reason)[0]] = True
        if reason in table.scores and table.in_force(reason):
            rejected |= wanted & (table.scores[reason] >= np.float32(table.thresholds[reason]))
        n = int(rejected.sum())
        if n or reason in said:
            done = int((rejected & (wanted | unwanted)).sum())
            rows.append([reason, n, done, done / n if n else None, *_kinds(said[reason])])
    columns = [("reason", TEXT), ("rejected", NUMBER), ("decided", NUMBER), ("share", SHARE), *_KINDS]
    says = "decided: pairs rejected for this reason that have a verdict of a person. keep, drop, skip: what was said when this reason was asked about."
    return Shown("Progress by reason", columns, rows, says if rows else "No pair is rejected.")


def by_reviewer(counted: Counted) -> Shown:
    """For each reviewer over all reasons, and for each reason: the pairs kept, dropped and skipped. Reviewers by name."""
    one, every = _summed(counted, lambda *key: key[::-1]), _summed(counted, lambda reason, reviewer: reviewer)
    rows, strong = [], []
    for reviewer in sorted(every):
        strong.append(len(rows))
        rows.append([reviewer or "somebody", EVERY, *_kinds(every[reviewer])])
        rows += [["", r, *_kinds(one[reviewer, r])] for r in REASONS if (reviewer, r) in one]
    columns = [("reviewer", TEXT), ("asked about", TEXT), *_KINDS]
    return Shown("Progress by reviewer", columns, rows, "" if rows else "Nobody has decided anything yet.", strong)


def agreed(decisions: Iterable[Decision]) -> Agreement:
    """How often reviewers of the same pair said the same: of each the last decision on it that was not taken back."""
    return agreement({p: {d.reviewer: d.verdict for d in said} for p, said in votes(decisions).items()})


def agreement_shown(found: Agreement) -> Shown:
    if not found.pairs:
        return Shown("Agreement between reviewers", (), (), "No pair was judged by two reviewers yet.")
    rows = [
        [c.first, c.second, c.pairs, c.share, None if c.kappa is None else round(c.kappa, 2)] for c in found.couples
    ]
    columns = [("one", TEXT), ("other", TEXT), ("pairs", NUMBER), ("said the same", SHARE), ("kappa", NUMBER)]
    says = (
        f"{found.pairs:,} pairs were judged by two or more; on {found.share:.0%} of them all agree. kappa: 1 = always the same, 0 = as by chance, "
        "– = one and the same verdict on all."
    )
    return Shown("Agreement between reviewers", columns, rows, says)


def levels_shown(pairs: int, before: Levels, after: Levels, says: str) -> Shown:
    """For each level the pairs kept and dropped by the rules alone, and with what people decided."""
    rows = [[TITLES[n], before[n], pairs - before[n], after[n], pairs - after[n], after[n] - before[n]] for n in LEVELS]
    columns = [
        ("", TEXT),
        ("kept by rules", NUMBER),
        ("dropped", NUMBER),
        ("kept with verdicts", NUMBER),
        ("dropped", NUMBER),
        ("change", CHANGE),
    ]
    return Shown("Kept and dropped, by the rules and with people's verdicts", columns, rows, says)


def balance_shown(shares: Sequence[ClassShare], label_maps: int) -> Shown:
    """Classes over all pairs and over those that stay."""
    rows = [[s.name, *s.area, *s.pairs] for s in shares]
    columns = [
        ("class", TEXT),
        ("area, all", SHARE),
        ("area, kept", SHARE),
        ("pairs, all", SHARE),
        ("pairs, kept", SHARE),
    ]
    says = (
        f"Mean share of the picture, and share of pairs that show the class, over {label_maps:,} label maps. kept: the last selection with what people "
        "decided since."
    )
    return Shown("Class balance before and after", columns, rows, says)


def built_shown(building: Building) -> Shown:
    """What a build that is done dropped, reason by reason."""
    title = f"{TITLES[building.settings.level]}: {building.kept:,} of {building.pairs:,} pairs kept"
    rows = [[reason, n, threshold, SAYS[reason]] for reason, n, threshold in building.rows]
    columns = [("dropped for", TEXT), ("pairs", NUMBER), ("threshold", NUMBER), ("because", TEXT)]
    return Shown(title, columns, rows, "" if rows else "No pair was dropped.")


_KINDS = [(kind, NUMBER) for kind in (KEEP, DROP, SKIP)]


def _summed(counted: Counted, key: Callable[[str, str], Any]) -> dict[Any, dict[str, int]]:
    found: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (reason, reviewer, verdict), n in counted.items():
        found[key(reason, reviewer)][verdict] += n
    return found


def _kinds(said: Mapping[str, int]) -> list[int]:
    return [said.get(kind, 0) for kind, _ in _KINDS]
