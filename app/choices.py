"""Choices: which of several generated pictures a person found best, in a table beside that of the decisions.

Enters: choices of people. Leaves: the same, in order. As with decisions nothing is changed or removed: an undo is one more row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from uuid import uuid4

import sqlalchemy as sa

from curation.database import Database, UtcTime

AT_ONCE = 10_000  # rows read in one transaction
TABLES = sa.MetaData()  # of its own: who reads decisions need not know of it
TABLE = sa.Table(
    "choices",
    TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("data_set", sa.Text, nullable=False),
    sa.Column("comparison", sa.Text, nullable=False),
    sa.Column("stem", sa.Text, nullable=False),
    sa.Column("chosen", sa.Text),
    sa.Column("file", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("among", sa.Text, nullable=False),  # JSON: a list of names
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("undoes", sa.Text),
    sa.Index("choices_in_order", "data_set", "id"),
    sqlite_autoincrement=True,  # an id is never given twice; that "all after this one" misses none is Database.append's part
)


@dataclass(frozen=True)
class Choice:
    """One click, as it is stored for ever.

    stem: of the label map. chosen: name of the folder whose picture is best; None for a skip and for an undo. file, sha256: that picture, as
    it was seen. among: the folders that had one. undoes: uuid of the choice or skip that an undo takes back. time: with a time zone.
    uuid: made by the browser, so that a click that is sent twice is stored once. id: its place in the store, 0 before.
    """

    stem: str
    reviewer: str
    chosen: str | None = None
    file: str | None = None
    sha256: str | None = None
    among: tuple[str, ...] = ()
    undoes: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    uuid: str = field(default_factory=lambda: uuid4().hex)
    id: int = 0


FIELDS = [TABLE.c[name] for name in Choice.__dataclass_fields__]


class Choices:
    """The choices of one comparison. Threads may share it. Every method raises DecisionsError, as those of Decisions do."""

    def __init__(self, database: Database, data_set: str, comparison: str) -> None:
        """database: the one of the decisions, of which this takes connections of its own."""
        self.database = database.with_tables(TABLES)
        self.data_set, self.comparison = data_set, comparison

    def add(self, choices: Sequence[Choice]) -> None:
        """Store choices, all of them or none; when this returns they are on the disk. One that is stored already is passed over."""
        rows = [self._row(choice) for choice in choices]
        if rows:
            self.database.writing(lambda connection: self.database.append(connection, TABLE, self.data_set, rows))

    def all(self, after: int = 0) -> Iterator[Choice]:
        """All choices in order, or those stored after the one with this id; read piece by piece."""
        mine = (TABLE.c.data_set == self.data_set) & (TABLE.c.comparison == self.comparison)
        while True:
            query = sa.select(*FIELDS).where(mine, TABLE.c.id > after).order_by(TABLE.c.id).limit(AT_ONCE)
            rows = self.database.reading(lambda connection, query=query: connection.execute(query).mappings().all(), [])
            yield from (Choice(**{**row, "among": tuple(json.loads(row["among"]))}) for row in rows)
            if len(rows) < AT_ONCE:
                return
            after = rows[-1]["id"]

    def close(self) -> None:
        self.database.close()

    def _row(self, choice: Choice) -> dict[str, object]:
        row = vars(choice) | {"data_set": self.data_set, "comparison": self.comparison}
        del row["id"]
        among = json.dumps(choice.among, ensure_ascii=False)
        return row | {"among": among, "reviewer": choice.reviewer.replace("\0", "")}  # PostgreSQL knows no NUL
