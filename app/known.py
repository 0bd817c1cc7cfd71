"""Known: what is decided so far, kept up with the database, so that a page asks it for the news only.

Enters: the store of decisions. Leaves: which pairs have a verdict, what it is, what each reviewer has done. Shared by all who have the app
open; reading costs as much as there is news.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from threading import RLock

from curation.decisions import Decisions
from curation.verdicts import UNDO, Decision, Verdict, current

FRESH = 1.0  # seconds for which nothing is asked of the database again


class Known:
    """See the module. Safe to use from several threads."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions, self._lock = decisions, RLock()
        self._last_id, self._read_at = 0, 0.0
        self._of: dict[str, list[Decision]] = defaultdict(list)
        self._undone: set[str] = set()
        self._verdicts: dict[str, Verdict] = {}
        self._seen: dict[str, dict[str, str]] = defaultdict(dict)  # reviewer -> pair -> last standing verdict, or skip
        self._changed: list[str] = []  # pairs, in the order of the news of them
        self.version = 0  # grows with every piece of news

    def refresh(self, at_once: bool = False) -> None:
        """Read what was stored since the last time. Raises DecisionsError."""
        with self._lock:
            if not at_once and time.monotonic() - self._read_at < FRESH:
                return
            changed = set()
            try:
                for decision in self._decisions.all(self._last_id):
                    self._last_id = decision.id
                    self._of[decision.pair_id].append(decision)
                    changed.add(decision.pair_id)
                    if decision.verdict == UNDO:
                        self._undone.add(decision.undoes)
            finally:  # also of what was read before the database went away
                for pair_id in changed:
                    self._take(pair_id)
                self._changed += sorted(changed)
                self.version += bool(changed)
            self._read_at = time.monotonic()

    def _take(self, pair_id: str) -> None:
        said = self._of[pair_id]
        verdict = current(said).get(pair_id)
        if verdict:
            self._verdicts[pair_id] = verdict
        else:
            self._verdicts.pop(pair_id, None)
        for reviewer in {d.reviewer for d in said}:
            mine = [d for d in said if d.reviewer == reviewer and d.verdict != UNDO and d.uuid not in self._undone]
            if mine:
                self._seen[reviewer][pair_id] = mine[-1].verdict
            else:
                self._seen[reviewer].pop(pair_id, None)

    def verdict(self, pair_id: str) -> Verdict | None:
        """What holds of a pair; None where nobody has decided."""
        with self._lock:
            return self._verdicts.get(pair_id)

    def of_pair(self, pair_id: str) -> list[Decision]:
        """Everything said about a pair, undone or not, in order."""
        with self._lock:
            return list(self._of.get(pair_id, ()))

    def verdicts(self) -> dict[str, Verdict]:
        with self._lock:
            return dict(self._verdicts)

    def is_open(self, pair_id: str, reviewer: str) -> bool:
        """Whether a pair is still to be decided, and not passed over by this reviewer."""
        with self._lock:
            return pair_id not in self._verdicts and pair_id not in self._seen[reviewer]

    def by(self, reviewer: str) -> Counter[str]:
        """Pairs by the verdict of a reviewer: keep, drop, skip."""
        with self._lock:
            return Counter(self._seen[reviewer].values())

    def news(self, seen: int) -> tuple[list[str], int]:
        """The pairs of which there is news since `seen` (0: from the beginning), each once, and what to name the next time."""
        with self._lock:
            return list(dict.fromkeys(self._changed[seen:])), len(self._changed)

    def decisions(self) -> list[Decision]:
        """Everything that was read so far, in the order in which it was stored."""
        with self._lock:
            return sorted((d for said in self._of.values() for d in said), key=lambda d: d.id)
