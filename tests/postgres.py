"""A PostgreSQL server of one's own for tests: Debian's package, in a temporary folder, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

USER = "curator"
PASSWORD = "s3cret-of-the-tests"
START_S = 60


@dataclass
class PostgresServer:
    """A server that is running. `url` holds a password, as one of a team would."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """The URL of an empty database."""
        import psycopg

        name = f"set_{uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url.removesuffix("postgres") + name

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c max_connections=120"
        self._control("start", "-w", "-t", str(START_S), "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._control("stop", "-w", "-m", "immediate")

    def _control(self, *words: str) -> None:
        _run([str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *words], self.folder)


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server; the test is skipped, with the reason, where PostgreSQL is not installed."""
    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL server at hand (Debian/Ubuntu: apt-get install postgresql)")
    pytest.importorskip("psycopg")
    # a unix socket's path may be 107 characters long, which pytest's own folders exceed
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        words = ["-D", str(folder / "data"), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256", "-E", "UTF8"]
        _run([str(where / "initdb"), *words, "--no-sync", "--locale=C.UTF-8"], folder)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        server = PostgresServer(folder, where, port)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _run(command: list[str], folder: Path) -> None:
    """Run as a user who is not root: PostgreSQL refuses to be run by root."""
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * START_S
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
