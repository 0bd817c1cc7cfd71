"""Choice: what a person chose in an equivalence class -> the verdicts with which the next selection is just that.

A rule fills a class up to k with others where pairs of it are dropped, and may replace one where others are kept. So beside the pair that was
clicked, those that stay are kept by name ("pinned"); and where fewer than k are to stay, those that could take a free place are dropped.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from app.judged import DROPPED, KEPT, OPEN
from app.table import NOBODY, Table
from curation.rules import COPIES

BY_RULES, SURPLUS, COPY, FAULTY, UNREADABLE = range(
    5
)  # what the rules say of a pair, the nearer to being kept the lower
CLASS = "equivalence_class"
MOST_COPIES = 100  # of a class, of which it is looked up who stands for them


class Choice:
    """In the classes of one table. `verdicts`: (N,) of judged.py."""

    def __init__(self, table: Table) -> None:
        self.table = table

    @cached_property
    def rules(self) -> np.ndarray:
        """(N,) int8: BY_RULES ... UNREADABLE."""
        free = (CLASS, "person", "target_size")
        said = np.full(len(self.table), BY_RULES, np.int8)
        said[~self.table.kept] = SURPLUS
        said[self.table.has_other(free)] = COPY
        said[self.table.has_other((*free, *COPIES))] = FAULTY
        said[~self.table.readable] = UNREADABLE
        return said

    def members(self, position: int) -> np.ndarray:
        """Positions of the pairs in the class of one. Raises ValueError for a pair that is in none."""
        name = self.table.classes.of[position]
        if name == NOBODY:
            raise ValueError(f"{self.table.id(position)} is in no equivalence class.")
        return self.table.classes.members(name)

    def stays(self, pairs: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
        """(n,) bool: what people and rules together keep, of pairs at these positions. A copy that people keep stays for its original."""
        rules, said = self.rules[pairs], verdicts[pairs]
        copies, originals = self.table.copies
        instead = originals[verdicts[copies] == KEPT]
        by_rules = (said == OPEN) & (rules == BY_RULES) & ~np.isin(pairs, instead)
        return (rules != UNREADABLE) & ((said == KEPT) | by_rules)

    def loose(self, members: np.ndarray, verdicts: np.ndarray) -> int:
        """How many of those that stay are not kept by name, where the rules may prefer others to them now."""
        left, stay = verdicts[members] == OPEN, self.stays(members, verdicts)
        could_stay = np.isin(self.rules[members], (SURPLUS, COPY))
        return int((stay & left).sum()) if (left & ~stay & could_stay).any() else 0

    def size_kept(self, members: np.ndarray, verdicts: np.ndarray) -> int | None:
        """How many pairs of a class the rules keep at most; None where there is no such rule."""
        settings = self.table.settings
        if settings.get("level", 2) < 2 or settings.get("reweight"):
            return None
        k = settings.get("keep_per_class", 3)
        by_rules = (self.rules[members] == BY_RULES) & (verdicts[members] == OPEN)
        return k if by_rules.sum() <= k else None  # more: the rule was switched off

    def order(self, members: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
        """Members in the order in which they would be kept: those that people keep, those that the rules keep, those that are only too many,
        copies, those with other faults, those that people dropped; alike, the most similar to the representative first."""
        said, rules = verdicts[members], self.rules[members]
        rank = np.where(said == KEPT, -1, np.where(said == DROPPED, FAULTY + 1, rules))
        rank[rules == UNREADABLE] = FAULTY + 2
        return members[np.lexsort((members, -self.table.classes.similarity[members], rank))]

    def toggled(self, position: int, keep: bool, verdicts: np.ndarray) -> tuple[list[int], list[int]]:
        """A pair that is to stay, or to go -> positions to keep and to drop by name; that pair stands last.

        Raises ValueError for a pair that is in no class, or that cannot be kept.
        """
        members = self.members(position)
        if keep and self.rules[position] == UNREADABLE:
            raise ValueError(f"{self.table.id(position)} cannot be read, so it cannot be kept.")
        staying = members[self.stays(members, verdicts) & (members != position)]
        if self.size_kept(members, verdicts) is None:  # nothing is filled up; but of copies one stays for the other
            stands = [fault.stands for fault in self.table.faults(position)] if keep else []
            staying = staying[np.isin(staying, stands)]
        pinned = staying[verdicts[staying] != KEPT].tolist()
        return ([*pinned, position], []) if keep else (pinned, [position])

    def first(self, position: int, k: int, verdicts: np.ndarray) -> tuple[list[int], list[int]]:
        """The first k of the class of a pair stay, the others go -> positions to keep and to drop by name.

        Raises ValueError for a pair that is in no class.
        """
        members = self.members(position)
        order = self.order(members, verdicts)
        order = order[self.rules[order] != UNREADABLE]
        staying, going = order[: max(k, 0)], order[max(k, 0) :]
        untouched = (verdicts[members] == OPEN).all()
        if untouched and set(staying.tolist()) == set(members[self.stays(members, verdicts)].tolist()):
            return [], []
        most = self.size_kept(members, verdicts)
        said, rules = verdicts[going], self.rules[going]
        could_stay = rules <= (COPY if most is None or len(staying) < most else BY_RULES)
        drop = (said == KEPT) | ((said == OPEN) & could_stay)
        return staying[verdicts[staying] != KEPT].tolist(), going[drop].tolist()

    def filled(self, members: np.ndarray, verdicts: np.ndarray) -> int:
        """How many places of a class that people's verdicts left free the rules may fill with others."""
        if (verdicts[members] == OPEN).all():
            return 0
        most, stay = self.size_kept(members, verdicts), members[self.stays(members, verdicts)]
        left = members[verdicts[members] == OPEN]
        surplus, copies = (left[self.rules[left] == kind] for kind in (SURPLUS, COPY))
        free = sum(self._has_nobody(int(copy), stay) for copy in copies[:MOST_COPIES]) + len(copies[MOST_COPIES:])
        return free if most is None else max(0, min(most - len(stay), free + len(surplus)))

    def _has_nobody(self, copy: int, stay: np.ndarray) -> bool:
        """Whether the pair that stood for a copy goes."""
        return not np.isin([f.stands for f in self.table.faults(copy) if f.reason in COPIES], stay).any()
