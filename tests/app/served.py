"""The review app as a user starts it, and a browser in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from command import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--headless"]
START = 60.0  # seconds for the app to listen


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


class Served:
    """`streamlit run app/review.py -- --work WORK`, from any directory."""

    def __init__(self, work: Path, cwd: Path, *words: str) -> None:
        self.work, self.cwd, self.words, self.port = work, cwd, words, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        script = [str(ROOT / "app" / "review.py"), "--server.port", str(self.port)]
        command = [sys.executable, "-m", "streamlit", "run", *script, "--", "--work", str(self.work), *self.words]
        with open(self.cwd / "app.log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.cwd, stdout=log, stderr=log, env=os.environ)
        until = time.monotonic() + START
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.cwd / "app.log").read_text()
                assert time.monotonic() < until, "the app does not listen"
                time.sleep(0.1)

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.wait()

    def decisions(self, what: str = "pair_id, verdict, reviewer") -> list[tuple]:
        """Rows of the database, in order; none where there is none yet."""
        file = self.work / "decisions.sqlite"
        if not file.exists():
            return []
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as database:
            try:
                return database.execute(f"select {what} from decisions order by id").fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # it is being made
                    return []
                raise


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.05)
