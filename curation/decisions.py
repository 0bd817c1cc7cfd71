"""Decisions: every click of every reviewer, in a database that only grows.

Enters: decisions of people (verdicts.Decision). Leaves: the same, counted, and the current verdict on each pair. An SQLite file in WORK, or a
PostgreSQL server for a team, of which one database may serve several data sets. Nothing is ever changed or removed: an undo is one more row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property

import sqlalchemy as sa

from curation.agreement import Agreement, agreement
from curation.database import PATIENCE, TABLES, Database, UtcTime
from curation.leases import Leases
from curation.place import is_remote
from curation.reviews import REASONS, unknown_reason
from curation.verdicts import (
    DATABASE_VARIABLE,
    DROP,
    KEEP,
    SKIP,
    UNDO,
    Decision,
    DecisionsError,
    Verdict,
    current,
    digest,
    votes,
)
from curation.workspace import Workspace

__all__ = ["Decision", "Decisions", "DecisionsError", "Verdict", "open_decisions"]

AT_ONCE = 10_000  # rows read in one transaction

TABLE = sa.Table(
    "decisions",
    TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("data_set", sa.Text, nullable=False),
    sa.Column("pair_id", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("score", sa.Float(53)),
    sa.Column("threshold", sa.Float(53)),
    sa.Column("undoes", sa.Text),
    sa.Index("decisions_in_order", "data_set", "id"),
    sa.Index("decisions_of_pair", "data_set", "pair_id"),
    sa.Index("decisions_of_reviewer", "data_set", "reviewer", "id"),
    sa.Index("decisions_undone", "data_set", "undoes"),
    sqlite_autoincrement=True,  # an id is never given twice; that "all after this one" misses none is Database.append's part
)
FIELDS = [TABLE.c[name] for name in Decision.__dataclass_fields__]


class Decisions:
    """The decisions about one data set. Threads may share it; processes open their own. Every method raises DecisionsError where the
    database stays locked or out of reach for `database.patience` seconds."""

    def __init__(self, database: Database, data_set: str) -> None:
        self.database = database
        self.data_set = data_set

    def __enter__(self) -> Decisions:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections; the next use opens new ones."""
        self.database.close()

    @cached_property
    def leases(self) -> Leases:
        """Who is looking at which pair of this data set."""
        return Leases(self.database, self.data_set)

    def add(self, decisions: Sequence[Decision]) -> None:
        """Store decisions, all of them or none; when this returns they are on the disk. One whose uuid is stored already is passed over.

        Raises DecisionsError: nothing of it was stored, and the same list can be given again; or a reason that no rule has.
        """
        for decision in decisions:
            if decision.reason not in REASONS:
                raise DecisionsError(f"A decision about {decision.pair_id}: {unknown_reason(decision.reason)}")
        rows = [self._row(decision) for decision in decisions]
        if rows:
            self.database.writing(lambda connection: self.database.append(connection, TABLE, self.data_set, rows))

    def of_pair(self, pair_id: str) -> list[Decision]:
        """Everything said about one pair, undone or not, in order."""
        return self._found(sa.select(*FIELDS).where(self._mine, TABLE.c.pair_id == pair_id).order_by(TABLE.c.id))

    def last_of(self, reviewer: str) -> Decision | None:
        """The decision that an undo of this reviewer would take back; None where there is none left."""
        found = self._found(
            sa.select(*FIELDS)
            .where(self._mine, TABLE.c.reviewer == reviewer, TABLE.c.verdict != UNDO, ~self._undone())
            .order_by(TABLE.c.id.desc())
            .limit(1)
        )
        return found[0] if found else None

    def all(self, after: int = 0) -> Iterator[Decision]:
        """All decisions in order, or those stored after the one with this id; read piece by piece."""
        while True:
            query = sa.select(*FIELDS).where(self._mine, TABLE.c.id > after).order_by(TABLE.c.id).limit(AT_ONCE)
            some = self._found(query)
            yield from some
            if len(some) < AT_ONCE:
                return
            after = some[-1].id

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many pairs were judged: (reason, reviewer, verdict) -> pairs, verdict being keep, drop or skip.

        A pair counts once for each reason and reviewer: with the last verdict that was not taken back; as skipped only where it has no other.
        """
        ranked = (
            sa.select(
                TABLE.c.reason,
                TABLE.c.reviewer,
                TABLE.c.verdict,
                sa.func.row_number()
                .over(
                    partition_by=(TABLE.c.pair_id, TABLE.c.reason, TABLE.c.reviewer),
                    order_by=(sa.case((TABLE.c.verdict == SKIP, 1), else_=0), TABLE.c.time.desc(), TABLE.c.id.desc()),
                )
                .label("place"),
            )
            .where(self._mine, TABLE.c.verdict.in_((KEEP, DROP, SKIP)), ~self._undone())
            .subquery()
        )
        key = (ranked.c.reason, ranked.c.reviewer, ranked.c.verdict)
        query = sa.select(*key, sa.func.count()).where(ranked.c.place == 1).group_by(*key).order_by(*key)
        rows = self.database.reading(lambda connection: connection.execute(query).all(), [])
        return {(reason, reviewer, verdict): n for reason, reviewer, verdict, n in rows}

    def verdicts(self) -> dict[str, Verdict]:
        """The current verdict on each judged pair, by pair id; see verdicts.current."""
        return current(self.all())

    def digest(self) -> str:
        """SHA-256 of the current verdicts."""
        return digest(self.verdicts())

    def agreement(self) -> Agreement:
        """How often reviewers who judged the same pairs said the same."""
        return agreement({p: {d.reviewer: d.verdict for d in said} for p, said in votes(self.all()).items()})

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return TABLE.c.data_set == self.data_set

    def _undone(self) -> sa.ColumnElement[bool]:
        undo = TABLE.alias()
        same = (undo.c.data_set == self.data_set, undo.c.verdict == UNDO, undo.c.undoes == TABLE.c.uuid)
        return sa.exists().where(*same)

    def _found(self, query: sa.Select) -> list[Decision]:
        rows = self.database.reading(lambda connection: connection.execute(query).all(), [])
        return [Decision(*row) for row in rows]

    def _row(self, decision: Decision) -> dict[str, object]:
        row = vars(decision) | {"data_set": self.data_set}
        del row["id"]
        return {name: _storable(value) if isinstance(value, str) else value for name, value in row.items()}


def open_decisions(
    work: Workspace, database: str | None = None, data_set: str | None = None, patience: float = PATIENCE
) -> Decisions:
    """The decisions about the pairs of WORK. Nothing is made or connected to before something is read or written.

    database: URL of a PostgreSQL server or of an SQLite file; by default that of the environment variable CURATE_DATABASE, else
    WORK/decisions.sqlite. data_set: what this data set is called there; by default the name of its folder. patience: seconds for which a
    busy database is asked again. Raises DecisionsError where WORK lies in a remote store and no database is named.
    """
    named = database or os.environ.get(DATABASE_VARIABLE)
    if not named:
        if is_remote(work.folder):
            raise DecisionsError(
                f"{work.folder} lies in a remote store, where no database can. Name one with --database postgresql://user@host/name."
            )
        named = work.decisions
    return Decisions(Database(named, patience), data_set or work.data.name or "data")


def _storable(text: str) -> str:
    """A text that every database takes: PostgreSQL knows no NUL, and half of a surrogate pair is no character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
