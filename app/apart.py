"""Apart: work in a process of its own, so that pages lose neither time nor memory to it, and what it tells of itself meanwhile.

Enters: a function of this project and the facts it is called with, which go to the process as JSON. Leaves: news while it works, then what the
function returns, or why it failed. It ends with the server that started it, at its next piece of news.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from curation.engine.errors import WorkersDied
from curation.verdicts import DecisionsError

Tell = Callable[[str, int, int], None]  # (step, done, total)
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
sys.path[:] = [p for p in sys.path if p]  # whatever lies in the current directory is not ours
if {root!r} not in sys.path:
    sys.path.insert(0, {root!r})
from app.apart import work
sys.exit(work({module!r}, {function!r}))
"""


class Apart:
    """A process that calls function(tell, **facts); facts and what it returns are what JSON can say. Threads may share it.

    steps: name -> (done, total), in the order of their beginning; result: what the function returned.
    """

    def __init__(self, function: Callable[..., dict[str, Any] | None], **facts: object) -> None:
        self._program = PROGRAM.format(root=str(ROOT), module=function.__module__, function=function.__name__)
        self._facts = json.dumps(facts)
        self.steps: dict[str, tuple[int, int]] = {}
        self.result: dict[str, Any] | None = None
        self._error = ""
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._listener: Thread | None = None

    def begin(self) -> None:
        """Start it, unless it runs. Raises OSError."""
        with self._lock:
            if self.running:
                return
            self.steps, self.result, self._error = {}, None, ""
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self._listener = Thread(target=self._listen, args=(self._process,), daemon=True)
            self._listener.start()

    @property
    def running(self) -> bool:
        return self._listener is not None and self._listener.is_alive()

    def wait(self, seconds: float) -> bool:
        """Whether it is at its end within so many seconds."""
        self._listener.join(seconds)
        return not self.running

    def failed(self) -> str:
        """Why it ended without a result, empty where it did not; waits for its end."""
        self._listener.join()
        status = self._process.returncode
        if not status or self._error:
            return self._error
        return f"The process ended with status {status}; what it said stands where the app was started."

    def _listen(self, process: subprocess.Popen[str]) -> None:
        try:
            process.stdin.write(self._facts)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended before it began; its status says so
        for line in process.stdout:
            news = json.loads(line)
            if "step" in news:
                self.steps = self.steps | {news["step"]: (news["done"], news["total"])}
            else:
                self._error, self.result = news.get("error", ""), news.get("result")
        process.wait()


def work(module: str, function: str) -> int:
    """The process: calls the function with the facts from stdin, with a JSON line on stdout for each piece of news -> exit status."""

    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no news

    def say(**news: object) -> None:
        os.write(out, (json.dumps(news) + "\n").encode())

    try:
        facts = json.loads(sys.stdin.read())
        result = getattr(import_module(module), function)(
            lambda step, done, total: say(step=step, done=done, total=total), **facts
        )
        say(result=result)
    except (BrokenPipeError, KeyboardInterrupt):
        return 130  # nobody is there to see it
    except (ValueError, OSError, DecisionsError, WorkersDied) as error:  # what `curate` tells in one line
        say(error=str(error))
        return 2
    return 0
