"""What could not be measured, grouped by what is wrong."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import pandas as pd

MOST_FILES = 2_000  # rows listed in all, whatever the size of the data set


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error: how often, and as many of (pair id, files, error) as there is room for."""

    kind: str
    count: int
    rows: list[tuple[str, str, str]]


def error_kinds(scores: pd.DataFrame) -> list[ErrorKind]:
    """The errors by kind, the most frequent first, with the names of the files, MOST_FILES in all."""
    failed = scores.loc[scores["error"].notna(), ["pair_id", "image", "label", "error"]]
    kinds: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for pair_id, image, label, error in failed.itertuples(index=False, name=None):
        paths = [p for p in (image, label) if isinstance(p, str)]
        kinds[_kind(error, [*paths, pair_id])].append((pair_id, ", ".join(paths), error))
    ranked = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    room, found = MOST_FILES, []
    for kind, rows in ranked:
        only = rows[0][2] if len({error for *_, error in rows}) == 1 else kind
        found.append(ErrorKind(only, len(rows), sorted(rows)[:room]))
        room = max(0, room - len(rows))
    return found


def _kind(error: str, names: list[str]) -> str:
    """An error without what differs between pairs: names, sizes, ids, colours."""
    for name in sorted(names, key=len, reverse=True):
        error = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", error)
    error = re.sub(r"\S+/\S+|\S+\.\w{2,4}(?=[\s,;:)]|$)|#[0-9a-f]{6}", "…", error)
    error = re.sub(r"(?<![A-Za-z0-9])\d+(?:[x.-]\d+)*", "…", error)
    return re.sub(r"…(?:, …)+", "…", error)
