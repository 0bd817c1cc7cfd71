"""Near classes: classes that count as partly the same when two label maps are compared, such as river, lake and water."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from curation.layout import agreeing

PERCENT = 100


class NearClassesError(ValueError):
    """Near classes that cannot be; the message says what to write."""


@dataclass(frozen=True)
class NearClasses:
    """groups: of class indices, each with how much two different ones of it agree, in per cent: 0-100. No class is in two of them."""

    groups: tuple[tuple[tuple[int, ...], int], ...] = ()

    @property
    def unit(self) -> int:
        """How much one slot of the same class counts in `agreement`."""
        return PERCENT if self.groups else 1

    def merged(self, layouts: np.ndarray) -> np.ndarray:
        """Layouts, uint8, in which every class of a group is the lowest of it: they differ on no more than their disagreement."""
        if not self.groups:
            return layouts
        first = np.arange(256, dtype=np.uint8)
        for classes, _ in self.groups:
            first[list(classes)] = min(classes)
        return first[layouts]

    def agreement(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(p, SLOTS) uint8 layouts each -> (p,) int64: how much slots agree, in sum; `unit` is full agreement on one slot."""
        same = a == b
        count = agreeing(same)
        if not self.groups:
            return count
        percent = np.zeros(256, np.int64)
        for classes, value in self.groups:
            percent[list(classes)] = value
        near = (self.merged(a) == self.merged(b)) & ~same
        return PERCENT * count + np.where(near, percent[a], 0).sum(1)

    def to_list(self) -> list:
        """As JSON holds it."""
        return [[list(classes), value] for classes, value in self.groups]

    @staticmethod
    def from_list(groups: Iterable) -> NearClasses:
        """What `to_list` gave."""
        return NearClasses(tuple((tuple(classes), value) for classes, value in groups))


def parse(texts: Iterable[str], index_of: Callable[[str], int]) -> NearClasses:
    """Near classes as a person writes them: `river,lake,water=0.8`; without a number they are one class.

    `index_of(name)` gives the class index of a name, or raises an error that names the nearest. Raises NearClassesError.
    """
    groups, taken = [], {}
    for text in texts:
        names, equals, value = text.partition("=")
        indices = sorted({index_of(name.strip()) for name in names.split(",") if name.strip()})
        if len(indices) < 2:
            raise NearClassesError(
                f'--near "{text}" needs two classes or more, with commas between them: river,lake,water=0.8'
            )
        for index in indices:
            if index in taken:
                raise NearClassesError(
                    f'--near "{text}": one of its classes stands in "{taken[index]}" already; a class is in one group only.'
                )
            taken[index] = text
        try:
            percent = round(float(value) * PERCENT) if equals else PERCENT
        except ValueError:
            percent = -1
        if not 0 <= percent <= PERCENT:
            raise NearClassesError(f'--near "{text}": after = stands how much they agree, 0-1, such as 0.8.')
        groups.append((tuple(indices), percent))
    return NearClasses(tuple(sorted(groups)))
