"""Tally: what is chosen so far in one comparison, kept up with the database, so that a page asks it for the news only.

Enters: the store of choices. Leaves: the best picture of each label map, how often each folder won. Shared by all who have the app open.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import RLock

from app.choices import Choice, Choices

FRESH = 1.0  # seconds for which nothing is asked of the database again
Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Best:
    """The picture that was chosen of a label map. by: the reviewers who chose it, by name; against: how many chose another one."""

    chosen: str
    file: str
    sha256: str
    among: tuple[str, ...]
    by: tuple[str, ...]
    time: datetime
    against: int


@dataclass(frozen=True)
class Wins:
    """A folder was chosen `won` times of the `of` times that it could be; low, high: the share's 95 % interval, in [0, 1]."""

    name: str
    won: int
    of: int
    low: float
    high: float


class Tally:
    """Safe to use from several threads."""

    def __init__(self, choices: Choices) -> None:
        self.choices, self._lock = choices, RLock()
        self._last_id, self._read_at = 0, float("-inf")
        self._of: dict[str, list[Choice]] = defaultdict(list)
        self._best: dict[str, Best] = {}
        self._seen: dict[str, dict[str, Choice]] = defaultdict(
            dict
        )  # reviewer -> stem -> last choice or skip that stands

    def refresh(self, at_once: bool = False) -> None:
        """Read what was stored since the last time. Raises DecisionsError."""
        with self._lock:
            if not at_once and time.monotonic() - self._read_at < FRESH:
                return
            changed = set()
            try:
                for choice in self.choices.all(self._last_id):
                    self._last_id = choice.id
                    self._of[choice.stem].append(choice)
                    changed.add(choice.stem)
            finally:  # also of what was read before the database went away
                for stem in changed:
                    self._take(stem)
            self._read_at = time.monotonic()

    def _take(self, stem: str) -> None:
        left = standing(self._of[stem])
        found = best_of(left)
        if found:
            self._best[stem] = found
        else:
            self._best.pop(stem, None)
        for reviewer in {choice.reviewer for choice in self._of[stem]}:
            self._seen[reviewer].pop(stem, None)
        for choice in sorted(left, key=lambda choice: choice.id):
            self._seen[choice.reviewer][stem] = choice

    def best(self, stem: str) -> Best | None:
        """None where nobody has chosen."""
        with self._lock:
            return self._best.get(stem)

    def all_best(self) -> dict[str, Best]:
        with self._lock:
            return dict(self._best)

    def closed(self, reviewer: str) -> set[str]:
        """The stems that somebody has chosen for, or that this reviewer has skipped."""
        with self._lock:
            return self._best.keys() | self._seen[reviewer].keys()

    def chosen_by(self, reviewer: str) -> int:
        """Label maps that this reviewer has chosen for."""
        with self._lock:
            return sum(choice.chosen is not None for choice in self._seen[reviewer].values())

    def last_of(self, reviewer: str) -> Choice | None:
        """What an undo of this reviewer would take back."""
        with self._lock:
            return max(self._seen[reviewer].values(), key=lambda choice: choice.id, default=None)

    def wins(self, names: Iterable[str]) -> list[Wins]:
        with self._lock:
            won = Counter(best.chosen for best in self._best.values())
            of = Counter(name for best in self._best.values() for name in best.among)
        return [Wins(name, won[name], of[name], *wilson(won[name], of[name])) for name in names]


def standing(choices: Iterable[Choice]) -> list[Choice]:
    """Choices and skips that their own reviewer has not taken back."""
    choices = list(choices)
    undone = {(choice.reviewer, choice.undoes) for choice in choices if choice.undoes}
    return [choice for choice in choices if not choice.undoes and (choice.reviewer, choice.uuid) not in undone]


def best_of(choices: Iterable[Choice]) -> Best | None:
    """Of each reviewer the last choice counts (skips do not), of several reviewers the majority, and of as many on several sides
    those with the most recent choice."""
    votes: dict[str, Choice] = {}
    for choice in sorted(choices, key=lambda choice: (choice.time, choice.id)):
        if choice.chosen is not None:
            votes.pop(choice.reviewer, None)  # so that it comes after those of the others that are older
            votes[choice.reviewer] = choice
    sides: dict[tuple[str, str], list[Choice]] = defaultdict(list)
    for choice in votes.values():
        sides[choice.chosen, choice.file].append(choice)
    if not sides:
        return None
    latest = {side: max((c.time, c.id) for c in some) for side, some in sides.items()}
    side = max(sides, key=lambda side: (len(sides[side]), latest[side]))
    last = sides[side][-1]
    by = tuple(sorted(choice.reviewer for choice in sides[side]))
    return Best(*side, last.sha256, last.among, by, last.time, len(votes) - len(by))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, in [0, 1] [Wilson 1927, J. Am. Stat. Assoc. 22]; (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share = hits / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * (share * (1 - share) / of + Z**2 / (4 * of**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
