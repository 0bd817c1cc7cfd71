"""Building: a selection that is built while people go on reviewing.

Enters: a work directory and settings. Leaves: the manifest of a level and WORK/faults.parquet, as `curate build-selection` leaves them, and meanwhile how
far it is. It runs in a process of its own; what was decided up to its start counts.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app.apart import Apart, Tell
from app.opened import Opened
from app.watched import Watched
from curation.decisions import open_decisions
from curation.place import Place, absolute, place
from curation.rules import Selection, Settings, count_by_reason
from curation.stages import build_selection
from curation.verdicts import current
from curation.workspace import Workspace, one_at_a_time


class Building:
    """One build, begun when this is made. rows: its reasons, how many pairs each dropped as the first one, and its threshold; kept, pairs: of
    how many; manifest: where it lies; all of them once it is done."""

    def __init__(self, opened: Opened, settings: Settings) -> None:
        self.settings = settings
        self.manifest: Place | None = None
        self.rows: list[tuple[str, int, float | None]] = []
        self.kept, self.pairs, self.error = 0, 0, ""
        asked = opened.asked
        where = {"work": str(opened.work.folder), "out": str(asked.out)}
        self._apart = Apart(build, **where, database=asked.database, data_set=asked.data_set, settings=asdict(settings))
        self._is_read = False
        self._apart.begin()

    @property
    def done(self) -> bool:
        if not self._apart.running and not self._is_read:
            self._is_read = True
            self.error = self._apart.failed()
            if not self.error:
                found = self._apart.result
                self.manifest, self.kept, self.pairs = place(found["manifest"]), found["kept"], found["pairs"]
                self.rows = [tuple(row) for row in found["rows"]]
        return self._is_read

    @property
    def step(self) -> str:
        """What it does now."""
        return next(reversed(self._apart.steps), "reading what people decided")

    @property
    def share(self) -> float:
        """How much of the step is done, in [0, 1]."""
        done, total = self._apart.steps.get(self.step, (0, 0))
        return min(1.0, done / total) if total else 0.0

    def wait(self, seconds: float) -> bool:
        """Whether it is done within so many seconds."""
        self._apart.wait(seconds)
        return self.done


def build(
    tell: Tell, work: str, out: str, database: str | None, data_set: str | None, settings: dict[str, Any]
) -> dict[str, Any]:
    """What the process does -> the facts of what it built. Raises what `curate build-selection` raises."""
    workspace = Workspace.load(place(work))
    with one_at_a_time(workspace.folder):
        with open_decisions(workspace, database, data_set) as decisions:
            decided = current(decisions.all())
        tell("applying the rules", 0, 1)
        run, chosen = Watched(tell=tell), Settings.from_dict(settings)
        manifest, selection = build_selection(run, workspace, place(out), chosen, decided=decided)
    kept = len(selection.kept)
    rows = reason_rows(selection)
    return {"manifest": str(absolute(manifest)), "rows": rows, "kept": kept, "pairs": kept + len(selection.faults)}


def reason_rows(selection: Selection) -> list[tuple[str, int, float | None]]:
    """What each reason dropped as the first one, and its threshold."""
    active = selection.settings.active()
    return [(r, n, active[r].threshold if r in active else None) for r, n in count_by_reason(selection).items()]
