"""The classes a generator is trained on: class indices of a label space in, channels of the network's input out.

A *channel* is a position in the one-hot input of the network. It differs from the class index where classes are merged,
where a data set without a class list uses few of its 254 ids, and for unknown pixels, which get a channel of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from curation.label_space import UNKNOWN, LabelSpace, LabelSpaceError, refuse_unknown_keys

NO_CHANNEL = 255  # in `table`: no channel has this class; at UNKNOWN itself: unknown pixels


class ClassesError(ValueError):
    """Classes that cannot be trained on, or a label map that does not fit them; says what and what to do."""


@dataclass(frozen=True, eq=False)
class TrainingClasses:
    """What the channels of a network's label input stand for.

    Attributes:
        names: class name by channel, without the channel for unknown pixels.
        space: the label space that label map files are read with.
        table: (256,) uint8, read-only: class index of the space -> channel, 255 = no channel; 255 stays 255.
        unknown: a last channel stands for unknown pixels.
    """

    names: tuple[str, ...]
    space: LabelSpace
    table: np.ndarray
    unknown: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrainingClasses) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.names, self.space, self.unknown))

    @property
    def channels(self) -> int:
        """Channels of the one-hot input: the classes, and one more for unknown pixels where the space has them."""
        return len(self.names) + self.unknown

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Name by channel, "unknown" for the one of unknown pixels."""
        return (*self.names, "unknown") if self.unknown else self.names

    @cached_property
    def colours(self) -> np.ndarray:
        """(channels, 3) uint8 RGB for display: that of the class a channel is named after; black for unknown."""
        rgb = [self.space.colours[self.space.names.index(name)] for name in self.names]
        return np.array([*rgb, *[(0, 0, 0)] * self.unknown], np.uint8)

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Channels of class indices: uint8 of any shape (255 = unknown) -> uint8 of that shape, 0..channels-1.

        Raises:
            ClassesError: a pixel is unknown and there is no channel for that, or its class has no channel.
        """
        lookup = self.table.copy()
        if self.unknown:
            lookup[UNKNOWN] = len(self.names)
        channels = lookup[ids]
        strange = channels == NO_CHANNEL
        if strange.any():
            self._refuse(ids[strange])
        return channels

    def _refuse(self, strange: np.ndarray) -> None:
        found, pixels = np.unique(strange, return_counts=True)
        what = "; ".join(f"{n} pixels of {self._called(int(i))}" for i, n in zip(found[:5], pixels[:5], strict=True))
        raise ClassesError(
            f"{what}, which the network has no channel for: it was not in the label maps it is trained on. "
            "Leave the label map out, or train with it."
        )

    def _called(self, index: int) -> str:
        return f'"{self.space.names[index]}"' if index < len(self.space.names) else "unknown class"

    def to_dict(self) -> dict[str, Any]:
        """The classes as JSON types; from_dict gives equal ones back. `channel_of` has -1 for a class without one."""
        channel_of = self.table[: len(self.space.names)].astype(int)
        return {
            "names": list(self.names),
            "space": self.space.to_dict(),
            "channel_of": [-1 if c == NO_CHANNEL else int(c) for c in channel_of],
            "unknown": self.unknown,
        }

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> TrainingClasses:
        """Classes from what to_dict gave, for instance after JSON. ClassesError if it is not that."""
        try:
            refuse_unknown_keys(found, ("names", "space", "channel_of", "unknown"), "stored classes")
            space = LabelSpace.from_dict(found["space"])
            names = tuple(str(name) for name in found["names"])
            channel_of = [int(c) for c in found["channel_of"]]
            unknown = bool(found["unknown"])
        except (LabelSpaceError, KeyError, TypeError, ValueError) as error:
            raise ClassesError(f"stored classes are damaged ({error}); store them again with to_dict") from None
        whole = len(channel_of) == len(space.names) and set(channel_of) - {-1} == set(range(len(names)))
        if not names or not whole or not set(names) <= set(space.names):
            raise ClassesError(
                "stored classes are damaged (channels and classes differ); store them again with to_dict"
            )
        return TrainingClasses(names, space, _table(dict(enumerate(channel_of))), unknown)


def classes_of(recipe: Mapping[str, Any], present: set[int] | None = None) -> TrainingClasses:
    """The classes to train on, from a manifest's recipe.

    Args:
        recipe: `label_space` as LabelSpace.to_dict gave it, and optionally `merges`: groups of class names, such as
            [["water", "river", "lake"]], each of which becomes one channel named after its first class. Channels follow
            the class indices; a group stands where its lowest index would.
        present: the class indices that occur (255 = unknown). It counts only where the recipe's space has no class
            list ("ids as found"), whose 254 possible ids would be as many channels: there, only what occurs gets one.

    Raises:
        ClassesError: no or a damaged label space; merges that are no lists of names, name a class that does not exist
            (with the nearest that does) or name one twice; no class at all is present.
    """
    if "label_space" not in recipe:
        raise ClassesError("the recipe has no label_space; write it again with `curate build-selection`")
    try:
        space = LabelSpace.from_dict(recipe["label_space"])
    except LabelSpaceError as error:
        raise ClassesError(str(error)) from None
    first = _merged(recipe.get("merges", []), space)
    only_present = space.allow_any and present is not None
    names: list[str] = []
    channel: dict[int, int] = {}
    for index in range(len(space.names)):
        if only_present and index not in present:
            continue
        name = space.names[first.get(index, index)]
        if name not in names:
            names.append(name)
        channel[index] = names.index(name)
    if not names:
        raise ClassesError("the label maps hold no class, only unknown pixels; choose other pairs or a label space")
    unknown = UNKNOWN in present if only_present else _has_unknown(space)
    return TrainingClasses(tuple(names), space, _table(channel), unknown)


def first_classes(space: LabelSpace, channels: int) -> TrainingClasses:
    """The first `channels` classes of a space, for networks that were trained elsewhere on ids 0, 1, 2 ...; one more channel is unknown.

    Raises:
        ClassesError: the space has fewer classes.
    """
    count, unknown = len(space.names), channels == len(space.names) + 1
    if channels > count + 1:
        raise ClassesError(
            f'the network has {channels} channels, label space "{space.name}" has {count} classes; name another one'
        )
    names = space.names[: channels - unknown]
    return TrainingClasses(names, space, _table({i: i for i in range(len(names))}), unknown)


def _merged(groups: Any, space: LabelSpace) -> dict[int, int]:
    """Class index -> the class index it is merged into, from groups of names."""
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise ClassesError('merges must be a list of groups of class names, such as [["water", "river", "lake"]]')
    into: dict[int, int] = {}
    for group in groups:
        try:
            indices = [space.index_of(str(name)) for name in group]
        except LabelSpaceError as error:
            raise ClassesError(f"merges: {error}") from None
        for index in indices:
            if index in into:
                raise ClassesError(f'merges name "{space.names[index]}" twice; a class can go into one group only')
            into[index] = indices[0]
    return into


def _has_unknown(space: LabelSpace) -> bool:
    """Whether a label map read with the space can hold unknown pixels."""
    aliased = any(class_id == -1 for table in space.id_aliases.values() for class_id in table.values())
    return bool(space.unknown_ids or space.unknown_colours or aliased)


def _table(channel_of: Mapping[int, int]) -> np.ndarray:
    table = np.full(256, NO_CHANNEL, np.uint8)
    for index, channel in channel_of.items():
        if channel != -1:
            table[index] = channel
    table.setflags(write=False)
    return table
