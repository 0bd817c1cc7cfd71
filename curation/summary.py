"""The tables that a command prints at its end."""

from __future__ import annotations

from collections import Counter

import pandas as pd
from rich.console import Console
from rich.table import Table

from curation.rules import LEVELS, RULES, Selection, count_by_reason
from curation.scores import SCORES

MOST_ERRORS = 3  # printed below the table
TITLES = {0: "Total", 1: "Selection I", 2: "Selection II"}


def print_selection(selection: Selection) -> None:
    """Kept and dropped pairs, by first reason."""
    says = {rule.reason: rule.says for rule in RULES}
    total = len(selection.kept) + len(selection.faults)
    level = selection.settings.level
    table = Table(
        title=f"{TITLES[level]} ({LEVELS[level]}): {len(selection.kept):,} of {total:,} pairs kept",
        title_justify="left",
    )
    for column, justify in (("reason", "left"), ("pairs", "right"), ("threshold", "right"), ("what it means", "left")):
        table.add_column(column, justify=justify)
    active = selection.settings.active()
    for reason, n in count_by_reason(selection).items():
        threshold = active[reason].threshold if reason in active else None
        table.add_row(reason, f"{n:,}", "" if threshold is None else f"{threshold:g}", says[reason])
    Console().print(table if selection.faults else f"{TITLES[level]}: all {total:,} pairs kept")
    counts = [sum(selection.by_person(p) for p in some) for some in (selection.kept, selection.faults)]
    if any(counts):
        Console().print(f"people decided: {counts[0]:,} kept, {counts[1]:,} dropped", highlight=False)
    if selection.weights:
        Console().print(f"{len(selection.weights):,} pairs of large equivalence classes get a weight below 1")
    errors = [some[0].detail for some in selection.faults.values() if some[0].reason == "unreadable"]
    for error, n in Counter(errors).most_common(MOST_ERRORS):
        Console().print(f"  {n:,} unreadable: {error}", markup=False, highlight=False)
    if len(set(errors)) > MOST_ERRORS:
        Console().print("  ... `curate report` lists them all", markup=False)


def print_scores(table: pd.DataFrame) -> None:
    """For each score, how many pairs lie at or above one half, and how they are spread."""
    shown = Table(
        title=f"{len(table):,} pairs, {int(table['error'].notna().sum()):,} of them unreadable", title_justify="left"
    )
    for column, justify in (
        ("score", "left"),
        ("median", "right"),
        ("95 %", "right"),
        (">= 0.5", "right"),
        ("what it means", "left"),
    ):
        shown.add_column(column, justify=justify)
    for name, score in SCORES.items():
        if name in table and (values := table[name].dropna()).size:
            spread = [f"{values.quantile(q):.3f}" for q in (0.5, 0.95)]
            shown.add_row(name, *spread, f"{int((values >= 0.5).sum()):,}", score.says)
    Console().print(shown)


def print_scorecard(card: pd.DataFrame) -> None:
    """Precision and recall per reason on planted defects."""
    shown = Table(title="Planted defects, and what was found of them", title_justify="left")
    for column in card.columns:
        shown.add_column(column, justify="left" if column == "reason" else "right")
    for row in card.itertuples(index=False):
        shares = ["-" if pd.isna(share) else f"{share:.2f}" for share in (row.precision, row.recall)]
        shown.add_row(row.reason, str(row.planted), str(row.found), str(row.flagged), *shares)
    Console().print(shown)
    Console().print("precision also counts what a reason is right to flag without having to find it (see scorecard.py)")
