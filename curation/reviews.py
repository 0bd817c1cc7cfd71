"""Reviews: what people said of a reason against a pair, as a table that any program can write.

Enters: CSV files with the columns `pair_id,reason,verdict[,reviewer,time,note]`; others are passed over. A verdict is "drop" (the
reason is right, the pair should go) or "keep"; a row without one is not reviewed yet. Or the decisions that are stored in WORK. Leaves: one
row a pair and reason with the share of its reviewers who would drop it.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from curation.place import Place, place
from curation.rules import RULES, STRUCTURAL, RuleError
from curation.verdicts import DROP, Decision, standing

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("pair_id", "reason", "verdict")
VERDICTS = ("keep", "drop")
REASONS = [rule.reason for rule in RULES]
SCORED = [rule.reason for rule in RULES if rule.threshold is not None and rule.reason not in STRUCTURAL]
EXAMPLES = 3  # named in a message
FORMULA = "=+-@\t\r"  # a cell that begins so is a formula to a spreadsheet


class ReviewError(RuleError):
    """Reviews that cannot be read, or do not say enough; the message says which and the way out."""


def read_reviews(files: Iterable[Place]) -> pd.DataFrame:
    """Read and check files of reviews -> columns pair_id, reason, drop (share of reviewers, in [0, 1]), reviewers (how many).

    One row for each pair and reason with a verdict, in their order. The last verdict of a reviewer counts: last by `time` (ISO 8601)
    where every row has one, else by place, later files last. Rows without a name are one and the same reviewer.

    Raises ReviewError: no such file, no such column, reason or verdict, each with its row (the header is row 1).
    """
    rows = [row for file in files for row in read_rows(file)]
    if rows and all(row["when"] for row in rows):
        rows.sort(key=lambda row: row["when"])
    return _shares((row["pair_id"], row["reason"], row["reviewer"], row["verdict"]) for row in rows)


def reviews_of(decisions: Iterable[Decision]) -> pd.DataFrame:
    """What was decided, and not taken back, as read_reviews gives it."""
    return _shares((d.pair_id, d.reason, d.reviewer, d.verdict) for d in standing(decisions))


def harmless(text: str) -> str:
    """A text for a cell of a CSV file: with ' in front where a spreadsheet would take it for a formula. `original` takes that away."""
    return f"'{text}" if text.startswith(("'", *FORMULA)) else text


def original(cell: str) -> str:
    """The text that `harmless` made this cell of; any other cell as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(("'", *FORMULA)) else cell


def _shares(said_in_order: Iterable[tuple[str, str, str, str]]) -> pd.DataFrame:
    import pandas as pd

    last = {(pair_id, reason, reviewer): verdict == DROP for pair_id, reason, reviewer, verdict in said_in_order}
    said: dict[tuple[str, str], list[bool]] = {}
    for (pair_id, reason, _), drop in last.items():
        said.setdefault((pair_id, reason), []).append(drop)
    table = [(*key, sum(drops) / len(drops), len(drops)) for key, drops in sorted(said.items())]
    return pd.DataFrame(table, columns=["pair_id", "reason", "drop", "reviewers"])


def of_known_pairs(reviews: pd.DataFrame, ids: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    """The reviews whose pair is among `ids`, and the pair ids that are not.

    Spreadsheets turn 0000051 into 51: such an id is taken for the one pair that it can mean. Raises ReviewError when no review
    fits, for then they are about another data set.
    """
    import pandas as pd

    found, unknown = find_pairs(reviews["pair_id"].tolist(), ids)
    fits = pd.Series(
        [p is not None for p in found], index=reviews.index, dtype=bool
    )  # a list would choose columns when empty
    kept = reviews.assign(pair_id=found)[fits]
    return kept.drop_duplicates(["pair_id", "reason"], keep="last").reset_index(drop=True), unknown


def find_pairs(named: list[str], ids: Iterable[str]) -> tuple[list[str | None], list[str]]:
    """For each pair named the id that is meant, or None, and the names that mean none; as of_known_pairs."""
    ids = list(ids)
    known, meant = set(ids), {}
    for pair_id in ids:
        bare = pair_id.lstrip("0")
        meant[bare] = None if bare in meant else pair_id
    found = [p if p in known else meant.get(p.lstrip("0")) for p in named]
    unknown = sorted({p for p, meant_by_it in zip(named, found, strict=True) if meant_by_it is None})
    if named and not any(p is not None for p in found):
        raise ReviewError(
            f"None of the {len(unknown):,} reviewed pairs ({_named(unknown)}) is in this data set, whose ids look like "
            f"{_named(ids)}. Name the WORK of the reviewed set with --work."
        )
    return found, unknown


def check_reason(reason: str) -> str:
    """The reason, when it has a score whose threshold can be moved. Raises ReviewError with the nearest one."""
    if reason in SCORED:
        return reason
    if reason in REASONS:
        raise ReviewError(
            f"{reason} is not read off a score, so it has no threshold to find. With one: {_all(SCORED)}."
        )
    raise ReviewError(f'No reason "{reason}"; the nearest is "{_nearest(reason, SCORED)}". Known: {_all(SCORED)}.')


def unknown_reason(reason: str) -> str:
    """The words that tell of a reason that no rule has, with the nearest one."""
    return f'no reason "{reason}"; the nearest is "{_nearest(reason, REASONS)}". Known: {_all(REASONS)}.'


def unknown_pairs(unknown: list[str]) -> str:
    """The line that tells of reviews left out because this data set lacks their pair."""
    return f"{len(unknown):,} reviewed pairs are not in this data set and are left out ({_named(unknown)})"


def read_rows(file: Place) -> list[dict]:
    """The rows of one file that have a verdict, checked: texts by column (reviewer, time and note are "" where they lack), and `when`: the
    time as datetime with a zone, or None. Raises ReviewError, with the row."""
    file = place(file)
    try:
        # utf-8-sig: spreadsheets put a mark in front. Not read_text, which changes the line ends within notes.
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ReviewError(
            f"{file} does not exist. `curate sample --reason backlight` writes a table to fill in."
        ) from None
    except IsADirectoryError:
        raise ReviewError(f"{file} is a folder; name a CSV file of reviews.") from None
    except UnicodeDecodeError:
        raise ReviewError(f"{file} is not text in UTF-8. Save it as CSV (UTF-8).") from None
    header = text.split("\n", 1)[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header and "," not in header else ",")
    try:
        columns = [name.strip().lower() for name in next(lines, [])]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            has = _all(columns) if any(columns) else "none"
            raise ReviewError(
                f"{file} lacks the column {_all(missing)}; it has {has}. The first line must name {_all(NEEDED)}."
            )
        return [row for cells in lines if (row := _row(columns, cells, f"{file}, row {lines.line_num}"))]
    except csv.Error as error:
        raise ReviewError(f"{file}, row {lines.line_num}: {error}. Save it as CSV again.") from None


def _row(columns: list[str], cells: list[str], where: str) -> dict | None:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise ReviewError(
            f"{where} has {len(cells)} cells under {len(columns)} columns. Put a text with commas in quotes."
        )
    row = dict.fromkeys(("reviewer", "time", "note"), "")
    row |= {n: original(c if n == "note" else c.strip()) for n, c in zip(columns, cells, strict=False)}
    verdict = row.get("verdict", "").lower()
    if not verdict:
        return None
    if verdict not in VERDICTS:
        raise ReviewError(f'{where}: no verdict "{row["verdict"]}". Write keep or drop, or leave it empty.')
    if not row["pair_id"]:
        raise ReviewError(f"{where} has a verdict and no pair_id. Name the pair or remove the row.")
    if row["reason"] not in REASONS:
        raise ReviewError(f"{where}: {unknown_reason(row['reason'])}")
    return row | {"verdict": verdict, "when": _when(row["time"], where)}


def _when(text: str, where: str) -> datetime | None:
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" * text.endswith("Z"))
    except ValueError:
        raise ReviewError(
            f'{where}: "{text}" is no time. Write it as 2026-05-31T14:05:00, or leave all times empty.'
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)  # without a zone: UTC


def _nearest(word: str, known: list[str]) -> str:
    return difflib.get_close_matches(word, known, 1, 0)[0]


def _named(ids: list[str]) -> str:
    return ", ".join(ids[:EXAMPLES]) + (", ..." if len(ids) > EXAMPLES else "")


def _all(words: Iterable[str]) -> str:
    return ", ".join(words)
