"""Database: an SQLite file or a PostgreSQL server, opened when it is needed and asked again while it is busy.

Enters: where it lies, as a URL or file, and functions that take a connection. Leaves: what they return, or a DecisionsError that says in
words what is wrong, never with a password. The tables are those of TABLES, or others that are named; they are made by the first write, so
reading leaves no trace.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from curation.verdicts import DecisionsError

Result = TypeVar("Result")

TABLES = sa.MetaData()
PATIENCE = 10.0  # seconds for which a busy or unreachable database is asked again
LOCK_MS = 1000  # that the database itself waits for a lock before it says so
CONNECT_S = 5  # until a server that does not answer counts as unreachable
MAKING = 7_316_102  # the advisory lock under which PostgreSQL makes the tables: two that do so at once would get in each other's way
HOPELESS = ("28", "3D", "42")  # classes of SQLSTATE: no such user or wrong password, no such database, not allowed


class UtcTime(sa.TypeDecorator):
    """A point in time; SQLite stores it without its zone, so it is UTC there, and always when it is read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and (value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc))


class Database:
    """One database. `named`: a Path of an SQLite file, or a URL (postgresql://..., sqlite:///file).

    Raises DecisionsError for a URL that is none, or of a kind that is not known. Connects only when something is read or written.
    """

    def __init__(self, named: Path | str, patience: float = PATIENCE, tables: sa.MetaData = TABLES) -> None:
        self.patience, self.tables, self._named = patience, tables, named
        self.file = named if isinstance(named, Path) else None
        if self.file is None:
            url = _parsed(named)
            if url.drivername == "sqlite":
                if url.database in (None, "", ":memory:"):
                    raise DecisionsError("sqlite:// names no file. Write sqlite:///decisions.sqlite.")
                self.file = Path(url.database)
        if self.file is not None:
            self.file = self.file.absolute()
            self.name = str(self.file)
            self.engine = _sqlite(self)
        else:
            self.name = _shown(url)
            self.engine = _postgresql(url)
        self._made = False  # whether the tables are known to be there
        self._met = False  # whether the file was there once: then it does not come back by itself

    @property
    def is_sqlite(self) -> bool:
        return self.file is not None

    def with_tables(self, tables: sa.MetaData) -> Database:
        """The same database for other tables, which are there or not whatever is the case with these."""
        return Database(self._named, self.patience, tables)

    def reading(self, work: Callable[[sa.Connection], Result], nothing: Result) -> Result:
        """work(connection) in one transaction; `nothing` where no table was ever made. Raises DecisionsError."""

        def read() -> Result:
            if self.is_sqlite and not self._met and not self.file.exists():
                return nothing
            with self.engine.begin() as connection:
                return work(connection) if self._has_tables(connection) else nothing

        return self._retried(read, "Nothing was changed.")

    def writing(self, work: Callable[[sa.Connection], Result]) -> Result:
        """work(connection) in one transaction, committed when this returns; all or nothing. It may run more than once. Raises DecisionsError."""

        def write() -> Result:
            if not self._made:
                self._make()
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                return work(connection)

        return self._retried(write, "Nothing of it was stored; the same can be tried again.")

    def append(self, connection: sa.Connection, table: sa.Table, data_set: str, rows: list[dict[str, Any]]) -> None:
        """Insert rows of one data set within `writing`; one whose uuid is stored already is passed over. Whoever has seen an id of this
        data set has seen, or finds now, all that are lower: ids come from a counter before the commit, so on a server the next one who
        appends waits for the end of this transaction. An SQLite file has one writer at a time anyhow."""
        if not self.is_sqlite:
            key = hashlib.blake2b(f"{table.name} {data_set}".encode(), digest_size=8).digest()
            key = sa.literal(int.from_bytes(key, "big", signed=True), sa.BigInteger)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        connection.execute(self.insert(table).on_conflict_do_nothing(index_elements=["uuid"]), rows)

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT, in the words of this database."""
        return (sqlite if self.is_sqlite else postgresql).insert(table)

    def now(self) -> sa.ColumnElement:
        """The time by the database's own clock, in seconds since 1970: the one clock that all who share the database see."""
        if self.is_sqlite:
            return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Float)
        return sa.literal_column("extract(epoch from clock_timestamp())::float8", sa.Float)

    def close(self) -> None:
        self.engine.dispose()

    def _has_tables(self, connection: sa.Connection) -> bool:
        if not self._made:
            there = sa.inspect(connection).get_table_names()
            self._made = set(self.tables.tables) <= set(there)
        return self._made

    def _make(self) -> None:
        """Make the tables that are not there yet."""
        if self.is_sqlite:
            if not self._met:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.engine.connect() as connection:  # no transaction: it could not be changed within one
                raw = connection.connection.dbapi_connection
                if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    raw.execute("PRAGMA journal_mode = WAL")  # who reads does not wait for who writes
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING)))
            self.tables.create_all(connection)
        self._made = True

    def _retried(self, work: Callable[[], Result], then: str) -> Result:
        """work(), again after a growing pause while the database is busy or cannot be reached."""
        started, pause = time.monotonic(), 0.02
        while True:
            try:
                return work()
            except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
                left = self.patience - (time.monotonic() - started)
                if left <= 0 or not _may_pass(error):
                    raise DecisionsError(f"{self._wrong(error)} {then}") from None
            time.sleep(min(pause * random.uniform(0.5, 1), left))  # not all at the same moment again
            pause = min(2 * pause, 1.0)

    def _wrong(self, error: Exception) -> str:
        cause = getattr(error, "orig", None) or error
        words = " ".join(str(cause).split())
        if self._met and not self.file.exists():
            return f"{self.name} is gone: moved or removed while it was in use. Put it back, or start again without it."
        if any(word in words for word in ("locked", "busy", "lock timeout")):
            return f"{self.name} is locked: another program has been writing to it for {self.patience:g} s. Close it, or wait."
        if isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError) or not isinstance(
            error, exc.SQLAlchemyError
        ):
            what = "cannot be opened or written" if self.is_sqlite else "cannot be reached"
            return f"The database {self.name} {what}: {words}."
        return f"The database {self.name} refuses: {words}."


@contextmanager
def explained(name: str) -> Iterator[None]:
    """A driver that is not installed, as a DecisionsError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise DecisionsError(
            f"{name} needs the package {error.name}: pip install 'pair-curation[app]' (or psycopg[binary])."
        ) from None


def _parsed(named: str) -> URL:
    try:
        url = make_url(named)
    except (exc.ArgumentError, ValueError):  # its message would repeat the text, which may hold a password
        raise DecisionsError(
            "That is no database URL. Write postgresql://user@host/name or sqlite:///file (the password is best left "
            "to PGPASSWORD or ~/.pgpass)."
        ) from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        return url.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise DecisionsError(f'No database of the kind "{kind}"; write postgresql://user@host/name or sqlite:///file.')


def _shown(url: URL) -> str:
    """A server's URL without password and options."""
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def shown(named: str) -> str:
    """A database URL without its password and options. Raises DecisionsError."""
    url = _parsed(named)
    return named if url.drivername == "sqlite" else _shown(url)


def _may_pass(error: Exception) -> bool:
    """Whether waiting can help: the database is locked, restarting, out of connections, or two writers met."""
    if isinstance(error, exc.TimeoutError):
        return True
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return "locked" in str(cause) or "busy" in str(cause)
    if isinstance(cause, OSError) or not isinstance(error, exc.OperationalError | exc.InterfaceError):
        return False
    state = getattr(cause, "sqlstate", None) or ""
    return not state.startswith(HOPELESS) and "authentication" not in str(cause) and "does not exist" not in str(cause)


def _postgresql(url: URL) -> sa.Engine:
    with explained(_shown(url)):
        # asked whether it still lives before each use: a server that was restarted is met again, and no click is lost
        options = {"connect_timeout": CONNECT_S, "application_name": "curate"}
        options = {name: value for name, value in options.items() if name not in url.query}
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=options)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS}")  # by itself a server waits for ever

    return engine


def _sqlite(database: Database) -> sa.Engine:
    """An engine for a file that is made once, and that is an error when it is gone afterwards: SQLite would go on writing into a file
    that nobody can open any more."""
    file = database.file

    def connect() -> sqlite3.Connection:
        mode = "rw" if database._met else "rwc"
        raw = sqlite3.connect(
            f"file:{quote(str(file))}?mode={mode}", uri=True, check_same_thread=False, isolation_level=None
        )
        database._met = True
        raw.execute(f"PRAGMA busy_timeout = {LOCK_MS}")
        # FULL, not NORMAL: in WAL mode NORMAL may lose the last commits when the power fails. A click costs 1-2 ms more for it.
        raw.execute("PRAGMA synchronous = FULL")
        return raw

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # who is going to write takes the lock at once: a reader that turns into a writer may be refused without waiting
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @event.listens_for(engine, "connect")
    def connected(raw: sqlite3.Connection, record: Any) -> None:
        record.info["file"] = _identity(file)

    @event.listens_for(engine, "checkout")
    def same_file(raw: sqlite3.Connection, record: Any, proxy: Any) -> None:
        if record.info["file"] != _identity(file):
            raise exc.DisconnectionError

    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
