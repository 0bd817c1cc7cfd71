"""Decisions as CSV: `pair_id,reason,verdict,reviewer,time,note`, which spreadsheets open and `curate calibrate` reads.

Enters: stored decisions, or a file of that kind. Leaves: the file, or the decisions in the store. What was taken back and what was skipped
is not in the file; what is in it can be read in again, here or elsewhere, any number of times.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from curation.decisions import Decisions
from curation.place import Place
from curation.reviews import find_pairs, harmless, read_rows
from curation.verdicts import Decision, standing
from curation.workspace import atomic, digest

COLUMNS = ["pair_id", "reason", "verdict", "reviewer", "time", "note"]


@dataclass(frozen=True)
class Imported:
    """stored: rows that became decisions; known: rows that were stored already; unknown: pair ids of rows that this data set lacks."""

    stored: int
    known: int
    unknown: list[str]


def write_decisions(path: Place, decisions: Iterable[Decision]) -> int:
    """Write the decisions that were not taken back, the oldest first, atomically -> how many. Times are UTC.

    A text that a spreadsheet would take for a formula gets ' in front, which reading takes away.
    """
    rows = standing(decisions)
    text = io.StringIO()
    writer = csv.writer(text)  # \r\n, so that any line end within a note is quoted
    writer.writerow(COLUMNS)
    for d in rows:
        time = d.time.astimezone(timezone.utc).isoformat()
        writer.writerow([harmless(d.pair_id), d.reason, d.verdict, harmless(d.reviewer), time, harmless(d.note)])
    with atomic(path) as temporary:
        temporary.write_bytes(text.getvalue().encode())
    return len(rows)


def read_decisions_into(decisions: Decisions, file: Place, pair_ids: Iterable[str]) -> Imported:
    """Store the rows of a file that have a verdict and a pair among `pair_ids`; none twice, also when the file is read again.

    A row without a time counts as said now, and so does one with a time to come, which would outvote what is said after it; one without
    a reviewer as said by a reviewer without a name. Raises ReviewError, with the row, for a file that is not as it must be (then nothing
    is stored), and DecisionsError.
    """
    rows = read_rows(file)
    found, unknown = find_pairs([row["pair_id"] for row in rows], pair_ids)
    stored = list(decisions.all())
    uuids = {d.uuid for d in stored}
    there = Counter(_key(d.pair_id, d.reason, d.verdict, d.reviewer, d.time, d.note) for d in stored)
    now = datetime.now(timezone.utc)
    seen: Counter[tuple] = Counter()
    new = []
    for row, pair_id in zip(rows, found, strict=True):
        if pair_id is None:
            continue
        key = _key(pair_id, row["reason"], row["verdict"], row["reviewer"], row["when"], row["note"])
        seen[key] += 1  # a row that stands twice in a file without times says it twice: keep, drop, keep again
        uuid = digest("row of a file", decisions.data_set, key, seen[key])
        if seen[key] <= there[key] or uuid in uuids:
            continue
        said = (pair_id, row["verdict"], row["reviewer"], row["reason"], row["note"])
        when = row["when"] or now
        new.append((when, Decision(*said, time=min(when, now), uuid=uuid)))
    new.sort(key=lambda one: one[0])  # of those that count as said now, the last one by its own time is stored last
    decisions.add([decision for _, decision in new])
    return Imported(len(new), sum(seen.values()) - len(new), unknown)


def _key(pair_id: str, reason: str, verdict: str, reviewer: str, time: datetime | None, note: str) -> tuple:
    return pair_id, reason, verdict, reviewer, time.astimezone(timezone.utc).isoformat() if time else "", note
