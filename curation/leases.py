"""Leases: which pair is on whose screen, for a while, so that no two reviewers get the same pair at once.

Enters: the pairs that a reviewer could get, in order. Leaves: those that are now that reviewer's. A lease ends by itself, so a closed browser
blocks nobody for long. Whether it has ended is told by the database's clock alone: the machines of a team differ by seconds or by
hours, and two that disagree would both hold a pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from curation.database import TABLES, Database

TABLE = sa.Table(
    "leases",
    TABLES,
    sa.Column("data_set", sa.Text, primary_key=True),
    sa.Column("pair_id", sa.Text, primary_key=True),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("expires", sa.Float(53), nullable=False),  # seconds since 1970 by the database's clock
    sa.Index("leases_by_end", "data_set", "expires"),
)
AT_ONCE = 500  # pair ids named in one statement


class Leases:
    """The leases on the pairs of one data set. Every method raises DecisionsError, as those of Decisions do."""

    def __init__(self, database: Database, data_set: str) -> None:
        self.database = database
        self.data_set = data_set

    def lease(self, reviewer: str, candidates: Iterable[str], n: int, seconds: float) -> list[str]:
        """Take, or renew, the first `n` of the candidates that nobody else holds, for so many seconds from now -> their ids, in order.

        Fewer where there are not so many. Whatever else happens at the same time, no pair is held by two reviewers.
        """
        got: dict[str, None] = {}  # a set that keeps its order
        ahead = iter(candidates)
        while len(got) < n:  # again where some of them went to somebody else between reading and taking
            held = self.held_by_others(reviewer)
            wanted: dict[str, None] = {}
            for pair_id in ahead:
                if pair_id not in held and pair_id not in got:
                    wanted[pair_id] = None
                if len(got) + len(wanted) == n:
                    break
            if not wanted:
                break
            taken = self._take(reviewer, wanted, seconds)
            got |= {pair_id: None for pair_id in wanted if pair_id in taken}
        return list(got)

    def release(self, reviewer: str, pair_ids: Collection[str]) -> None:
        """Give pairs back; those that this reviewer does not hold stay as they are."""
        ids = sorted(set(pair_ids))

        def write(connection: sa.Connection) -> None:
            for at in range(0, len(ids), AT_ONCE):
                some = TABLE.c.pair_id.in_(ids[at : at + AT_ONCE])
                connection.execute(sa.delete(TABLE).where(self._mine, TABLE.c.reviewer == reviewer, some))

        if ids:
            self.database.writing(write)

    def held_by_others(self, reviewer: str) -> set[str]:
        """The pairs that other reviewers hold now."""
        query = sa.select(TABLE.c.pair_id).where(
            self._mine, TABLE.c.expires >= self.database.now(), TABLE.c.reviewer != reviewer
        )
        return set(self.database.reading(lambda connection: connection.execute(query).scalars().all(), []))

    def _take(self, reviewer: str, wanted: Iterable[str], seconds: float) -> set[str]:
        now = self.database.now()
        ids = sorted(
            wanted
        )  # in one order, so that two who take the same pairs wait for each other and never in a circle

        def write(connection: sa.Connection) -> set[str]:
            got: set[str] = set()
            for at in range(0, len(ids), AT_ONCE):
                rows = [
                    {"data_set": self.data_set, "pair_id": p, "reviewer": reviewer, "expires": now + seconds}
                    for p in ids[at : at + AT_ONCE]
                ]
                insert = self.database.insert(TABLE).values(rows)
                insert = insert.on_conflict_do_update(
                    index_elements=["data_set", "pair_id"],
                    set_={"reviewer": insert.excluded.reviewer, "expires": insert.excluded.expires},
                    where=(TABLE.c.expires < now) | (TABLE.c.reviewer == reviewer),
                ).returning(TABLE.c.pair_id)
                got |= set(connection.execute(insert).scalars())
            return got

        return self.database.writing(write)

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return TABLE.c.data_set == self.data_set
