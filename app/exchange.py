"""Exchange: decisions out of the app and into it, as CSV.

Enters: what is stored, or a file that a browser sent. Leaves: the file's bytes, or decisions in the store; see curation.decision_csv.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from app.opened import Opened
from app.table import Table
from curation.decision_csv import Imported, read_decisions_into, write_decisions
from curation.reviews import ReviewError, read_rows
from curation.verdicts import Decision

SHOWN = 3  # ids that stand for all in a message


def to_csv(decisions: Iterable[Decision]) -> bytes:
    """The decisions that were not taken back, as a file."""
    with tempfile.TemporaryDirectory(prefix="curate-") as folder:
        file = Path(folder) / "decisions.csv"
        write_decisions(file, decisions)
        return file.read_bytes()


def from_csv(opened: Opened, name: str, content: bytes) -> Imported:
    """Store the rows of a file. name: what a person calls it, for messages; it is never opened. Raises ReviewError, DecisionsError."""
    with tempfile.TemporaryDirectory(prefix="curate-") as folder:
        file = Path(folder) / "decisions.csv"
        file.write_bytes(content)
        try:
            named = [row["pair_id"] for row in read_rows(file)]
            return read_decisions_into(opened.decisions, file, _meant(opened.table, named))
        except ReviewError as error:
            raise ReviewError(str(error).replace(str(file), name)) from None


def _meant(table: Table, named: list[str]) -> list[str]:
    """The ids of the table that these names can mean, with or without zeros in front; and some more, which a message names."""
    bare = pa.array(sorted({name.lstrip("0") for name in named}), pa.string())
    found = table.ids.filter(pc.is_in(pc.utf8_ltrim(table.ids, "0"), bare)).to_pylist()
    return found or table.ids[:SHOWN].to_pylist()
