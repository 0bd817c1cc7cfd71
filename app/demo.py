"""Demo: the data set that opens when none is named. A process of its own makes it at the first start and tells how far it is.

Enters: nothing. Leaves: photos, work directory and manifests below demo/ in the current directory, as `make demo` leaves them. Whoever
asks while it is being made sees the same process at work. It ends with the server that started it; the next start goes on from there.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from app.apart import Apart, Tell
from curation.workspace import Workspace, WorkspaceError, one_at_a_time

DATA, WORK, OUT = Path("demo/landscapes"), Path("demo/work"), Path("demo/manifests")
PAIRS, SEED = 240, 1
LEVEL = 2
WAIT = 300.0  # seconds for another program that is at work in demo/work


def is_made() -> bool:
    """Whether the demo is there to the last file. Raises WorkspaceError."""
    work = Workspace.load(WORK)
    return work is not None and work.faults.exists() and (OUT / f"selection{LEVEL}.csv").exists()


def make(tell: Tell, pairs: int = PAIRS) -> None:
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


def _held(tell: Tell) -> ExitStack:
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


MAKING = Apart(make, pairs=PAIRS)
