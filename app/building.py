"""Building: a selection that is built while people go on reviewing.

Enters: a work directory and settings. Leaves: the manifest of a level and WORK/faults.parquet, as `curate build-selection` leaves them, and meanwhile how
far it is. It runs in a thread; what was decided up to its start counts.
"""

from __future__ import annotations

import traceback
from threading import Thread

from app.opened import Opened
from app.watched import Watched
from curation.engine.errors import WorkersDied
from curation.place import Place
from curation.rules import Selection, Settings, count_by_reason
from curation.stages import build_selection
from curation.verdicts import DecisionsError, current
from curation.workspace import one_at_a_time


class Building:
    """One build, begun when this is made. step: what it does now; share: of that, in [0, 1]; error: why it failed; rows: its reasons and
    manifest: where it lies, when it is done."""

    def __init__(self, opened: Opened, settings: Settings) -> None:
        self.settings = settings
        self.step, self.share, self.error = "reading what people decided", 0.0, ""
        self.manifest: Place | None = None
        self.rows: list[tuple[str, int, float | None]] = []
        self.kept, self.pairs = 0, 0
        self._thread = Thread(target=self._run, args=(opened,), daemon=True, name="build-selection")
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Whether it is done within so many seconds."""
        self._thread.join(seconds)
        return self.done

    def _run(self, opened: Opened) -> None:
        try:
            with one_at_a_time(opened.work.folder):
                decided = current(opened.decisions.all())
                self._tell("applying the rules", 0, 1)
                run = Watched(tell=self._tell)
                manifest, selection = build_selection(run, opened.work, opened.out, self.settings, decided=decided)
            self.rows, self.kept = reason_rows(selection), len(selection.kept)
            self.pairs, self.manifest = self.kept + len(selection.faults), manifest
        except (ValueError, OSError, DecisionsError, WorkersDied) as error:  # what `curate` tells in one line
            self.error = str(error)
        except Exception as error:  # the page must not wait for ever for a thread that died
            traceback.print_exc()
            self.error = f"The build failed: {type(error).__name__}: {error}. The app's terminal says more."

    def _tell(self, caption: str, done: int, total: int) -> None:
        self.step, self.share = caption, done / total if total else 0.0


def reason_rows(selection: Selection) -> list[tuple[str, int, float | None]]:
    """What each reason dropped as the first one, and its threshold."""
    active = selection.settings.active()
    return [(r, n, active[r].threshold if r in active else None) for r, n in count_by_reason(selection).items()]
