"""Demo: the data set that opens when none is named. A process of its own makes it at the first start and tells how far it is.

Enters: nothing. Leaves: photos, work directory and manifests below demo/ in the current directory, as `make demo` leaves them. Whoever
asks while it is being made sees the same process at work. It ends with the server that started it; the next start goes on from there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Lock, Thread

from curation.place import PlaceError
from curation.workspace import Workspace, WorkspaceError, one_at_a_time

DATA, WORK, OUT = Path("demo/landscapes"), Path("demo/work"), Path("demo/manifests")
PAIRS, SEED = 240, 1
LEVEL = 2
WAIT = 300.0  # seconds for another program that is at work in demo/work
ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
sys.path[:] = [p for p in sys.path if p]  # whatever lies in the current directory is not ours
if {root!r} not in sys.path:
    sys.path.insert(0, {root!r})
from app.demo import tell_and_make
sys.exit(tell_and_make({pairs}))
"""


def is_made() -> bool:
    """Whether the demo is there to the last file. Raises WorkspaceError."""
    work = Workspace.load(WORK)
    return work is not None and work.faults.exists() and (OUT / f"selection{LEVEL}.csv").exists()


def make(pairs: int = PAIRS, tell=lambda step, done, total: None) -> None:
    """The demo data set with its selection, in the current directory. What is there already is not made again.

    Raises WorkspaceError where another program stays at work there, OSError where nothing can be written.
    """
    from app.watched import Watched
    from curation import stages
    from curation.demo.dataset import write_demo
    from curation.rules import Settings

    run = Watched(tell=tell)
    with _held(tell):
        write_demo(DATA, pairs, SEED, lambda done, total: tell("draw landscapes", done, total))
        work = stages.index(run, WORK, DATA)
        for level in range(LEVEL + 1):
            stages.build_selection(run, work, OUT, Settings(level))


def _held(tell) -> ExitStack:
    """The work directory, for this process alone."""
    until = time.monotonic() + WAIT
    while True:
        held = ExitStack()
        try:
            held.enter_context(one_at_a_time(WORK))
            return held
        except WorkspaceError:
            if time.monotonic() > until:
                raise
            tell("wait for another program that makes it", 0, 1)
            time.sleep(0.5)


def tell_and_make(pairs: int) -> int:
    """The process: make() with a JSON line on stdout for each piece of news -> exit status."""

    def tell(**news: object) -> None:
        os.write(1, (json.dumps(news) + "\n").encode())

    try:
        make(pairs, lambda step, done, total: tell(step=step, done=done, total=total))
    except (BrokenPipeError, KeyboardInterrupt):
        return 130  # nobody is there to see it
    except (WorkspaceError, PlaceError, OSError) as error:
        tell(error=str(error))
        return 2
    return 0


class Making:
    """The process that makes the demo, for all who look at it. steps: name -> (done, total), in the order of their beginning."""

    def __init__(self, pairs: int = PAIRS) -> None:
        self.pairs = pairs
        self.steps: dict[str, tuple[int, int]] = {}
        self._error = ""
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._listener: Thread | None = None

    def begin(self) -> None:
        """Start it, unless it runs. Raises OSError."""
        with self._lock:
            if self.running:
                return
            self.steps, self._error = {}, ""
            program = PROGRAM.format(root=str(ROOT), pairs=self.pairs)
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
            self._listener = Thread(target=self._listen, args=(self._process,), daemon=True)
            self._listener.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def failed(self) -> str:
        """Why it ended without a demo; waits for its end."""
        self._listener.join()
        status = self._process.wait()
        if not status or self._error:
            return self._error
        return f"The process that makes the demo ended with status {status}; what it said stands where the app was started."

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            news = json.loads(line)
            if "error" in news:
                self._error = news["error"]
            else:
                self.steps = self.steps | {news["step"]: (news["done"], news["total"])}


MAKING = Making()
