"""Served: the review app as a user starts it, a process that listens, for benchmarks and tests that look at it with a browser."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
STARTS_S = 60.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


class Served:
    """`streamlit run app/review.py -- --work WORK ...`. More options of Streamlit, such as --theme.base dark, go into `options`."""

    def __init__(
        self,
        *words: object,
        cwd: Path,
        options: tuple[str, ...] = (),
        port: int | None = None,
    ) -> None:
        self.words, self.cwd, self.options = tuple(map(str, words)), cwd, options
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Served:
        """Start it and wait until it listens. Raises RuntimeError with what it said where it does not."""
        app = ROOT / "app" / "review.py"
        run = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(self.port), *self.options]
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CURATE_DATABASE")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*run, "--", *self.words], cwd=self.cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + STARTS_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"The app did not start:\n{self.log.read_text()}")

    @property
    def log(self) -> Path:
        return self.cwd / f"app-{self.port}.log"

    @property
    def memory(self) -> int:
        """Bytes it holds now with all its processes (proportional set size)."""
        server = psutil.Process(self.process.pid)
        return sum(p.memory_full_info().pss for p in (server, *server.children(recursive=True)))

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def served(*words: object, **how) -> Iterator[Served]:
    app = Served(*words, **how).start()
    try:
        yield app
    finally:
        app.stop()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def chromium() -> str | None:
    """The browser of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def why_no_browser() -> str | None:
    """What is missing to look at a page with a real browser; None where nothing is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "no playwright (pip install playwright)"
    return None if chromium() else "no chromium (Debian/Ubuntu: apt-get install chromium)"


@contextmanager
def browser() -> Iterator:
    """A headless chromium, driven by playwright, that asks nothing of other hosts by itself."""
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-gpu", "--no-default-browser-check"]
    quiet += ["--no-sandbox"] * (os.getuid() == 0)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=quiet)
        try:
            yield started
        finally:
            started.close()
