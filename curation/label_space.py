"""The label space: which class ids a data set's label maps may hold, and what each class is.

One frozen type, which the rest of the project asks for class names, roles and colours, and for the table that turns the
ids of a file into class indices. It comes from a file (curation/label_space_files.py), or from `ids_as_found` where
there is none.

A *class id* is the number in the label map file; a *class index* is the position 0..n-1 in the space. Most spaces have
both equal, but ADE20K starts at 1 and COCO-Stuff has gaps.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from curation.class_words import RGB, ROLES, fill_colours, pack

UNKNOWN = 255  # class index of a pixel whose class is not known
NOT_ALLOWED = 254  # class index of an id that the label space does not have
MAX_CLASSES = 254  # class indices are uint8; the two above are taken
MAX_ID = 65535  # the largest value of a 16-bit label map


class LabelSpaceError(ValueError):
    """A label space that cannot be used; says what is wrong, in which file, and what to do."""


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set, checked: ids, names and colours are distinct and there are at most 254 classes.

    Attributes:
        name: for people and messages.
        ids: class id in the label map files by class index, ascending, 0..65535.
        names: class name by class index.
        unknown_ids: ids that mean "unknown" in the files.
        roles: role -> class indices, ascending; every role of ROLES is a key.
        colours: RGB 0..255 by class index, for display and for colour-coded masks.
        colour_coded: the space came with a colour for every class, so masks may be coded in them.
        id_aliases: file-stem suffix -> {id in such files: class id, or -1 for unknown}.
        allow_any: no class list was given; the ids stand for themselves.
        unknown_colours: RGB that mean "unknown" in colour-coded masks.

    Raises:
        LabelSpaceError: one of the promises above does not hold.
    """

    name: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    unknown_ids: tuple[int, ...]
    roles: Mapping[str, tuple[int, ...]]
    colours: tuple[RGB, ...]
    colour_coded: bool = False
    id_aliases: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    allow_any: bool = False
    unknown_colours: tuple[RGB, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def __hash__(self) -> int:  # the mappings have none of their own
        return hash((self.name, self.ids, self.names, self.unknown_ids))

    def index_table(self, file_name: str = "") -> np.ndarray:
        """Class index of every possible id in a label map file.

        Args:
            file_name: the file the ids come from; its stem decides whether an id alias applies (the longest suffix
                wins). In such files the ids of the alias count, and unknown_ids that the alias does not list.

        Returns:
            (65536,) uint8, read-only: id -> class index, UNKNOWN or NOT_ALLOWED.
        """
        stem = Path(file_name).stem
        return _index_table(self, max((s for s in self.id_aliases if stem.endswith(s)), key=len, default=""))

    def colour_table(self) -> dict[int, int]:
        """Packed colour 0xRRGGBB -> class index, or UNKNOWN for a colour the space says means unknown."""
        table = {pack(rgb): index for index, rgb in enumerate(self.colours)}
        return table | {pack(rgb): UNKNOWN for rgb in self.unknown_colours}

    def index_of(self, name: str) -> int:
        """Class index of a name: the full name, or one of its parts between commas if no other class has that part.

        Raises:
            LabelSpaceError: no class, or more than one, is called that.
        """
        return find_name(name, self.names, f'label space "{self.name}"')

    def id_of(self, name: str) -> int:
        """Class id, as in the files, of a name; see index_of."""
        return self.ids[self.index_of(name)]

    def indices_of(self, role: str) -> tuple[int, ...]:
        """Class indices with a role; empty when the space has none. LabelSpaceError if there is no such role."""
        if role not in ROLES:
            raise LabelSpaceError(f'no role "{role}"{nearest_word(role, ROLES)} Roles are {", ".join(ROLES)}')
        return self.roles[role]

    def to_dict(self) -> dict[str, Any]:
        """The space as JSON types; from_dict gives an equal space back."""
        return {
            "name": self.name,
            "ids": list(self.ids),
            "names": list(self.names),
            "unknown_ids": list(self.unknown_ids),
            "roles": {role: list(self.roles[role]) for role in ROLES},
            "colours": [list(rgb) for rgb in self.colours],
            "colour_coded": self.colour_coded,
            "id_aliases": {s: {str(k): v for k, v in table.items()} for s, table in self.id_aliases.items()},
            "allow_any": self.allow_any,
            "unknown_colours": [list(rgb) for rgb in self.unknown_colours],
        }

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> LabelSpace:
        """A space from what to_dict gave, for instance after JSON. LabelSpaceError if it is not that."""
        keys = [f.name for f in fields(LabelSpace)]
        refuse_unknown_keys(found, keys, "a stored label space")
        missing = [key for key in keys if key not in found]
        if missing:
            raise LabelSpaceError(f"a stored label space lacks {', '.join(missing)}; store it again with to_dict")
        try:
            return LabelSpace(
                name=str(found["name"]),
                ids=tuple(int(i) for i in found["ids"]),
                names=tuple(str(n) for n in found["names"]),
                unknown_ids=tuple(int(i) for i in found["unknown_ids"]),
                roles={role: tuple(int(i) for i in indices) for role, indices in found["roles"].items()},
                colours=tuple(as_rgb(c) for c in found["colours"]),
                colour_coded=bool(found["colour_coded"]),
                id_aliases={s: {int(k): int(v) for k, v in t.items()} for s, t in found["id_aliases"].items()},
                allow_any=bool(found["allow_any"]),
                unknown_colours=tuple(as_rgb(c) for c in found["unknown_colours"]),
            )
        except (TypeError, AttributeError, ValueError) as error:
            if isinstance(error, LabelSpaceError):
                raise
            raise LabelSpaceError(f"a stored label space is damaged ({error}); store it again with to_dict") from None

    def digest(self) -> str:
        """SHA-256, in hex, of the canonical JSON of to_dict: equal spaces have equal digests on every machine."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def ids_as_found() -> LabelSpace:
    """The space for data without a class list: ids 0..253 are classes called "class 0" ..., 255 is unknown.

    254 is no class here: as a class index it means "not allowed".
    """
    ids = tuple(range(MAX_CLASSES))
    names = tuple(f"class {i}" for i in ids)
    return LabelSpace(
        "ids as found", ids, names, (UNKNOWN,), {role: () for role in ROLES}, fill_colours(names), allow_any=True
    )


@lru_cache(maxsize=64)
def _index_table(space: LabelSpace, suffix: str) -> np.ndarray:
    index_of = {class_id: index for index, class_id in enumerate(space.ids)}
    table = np.full(MAX_ID + 1, NOT_ALLOWED, np.uint8)
    table[list(space.unknown_ids)] = UNKNOWN
    if suffix:
        for file_id, class_id in space.id_aliases[suffix].items():
            table[file_id] = UNKNOWN if class_id == -1 else index_of[class_id]
    else:
        table[list(space.ids)] = np.arange(len(space.ids))
    table.setflags(write=False)  # shared by every caller
    return table


def _check(space: LabelSpace) -> None:
    count = len(space.ids)
    if count == 0:
        raise LabelSpaceError("no classes; list at least one")
    if count > MAX_CLASSES:
        raise LabelSpaceError(
            f"{count} classes, but at most {MAX_CLASSES} fit (indices 254 and 255 have meanings of their own); "
            "leave out classes that no label map uses, or merge some"
        )
    if not count == len(space.names) == len(space.colours):
        raise LabelSpaceError(f"{count} ids, {len(space.names)} names, {len(space.colours)} colours; give one of each")

    named_ids = [*zip(space.ids, space.names, strict=True), *((i, "unknown") for i in space.unknown_ids)]
    for class_id, name in named_ids:
        if class_id < 0:
            raise LabelSpaceError(f"class id {class_id} ({name}) is negative; ids in label maps are 0-{MAX_ID}")
        if class_id > MAX_ID:
            raise LabelSpaceError(f"class id {class_id} ({name}) is above {MAX_ID}, the most a 16-bit label map holds")
    first: dict[Any, str] = {}
    for class_id, name in named_ids:
        if class_id in first:
            raise LabelSpaceError(f'class id {class_id} is both "{first[class_id]}" and "{name}"; keep one')
        first[class_id] = name
    if list(space.ids) != sorted(space.ids):
        raise LabelSpaceError("ids do not ascend; sort the classes by id")
    id_of: dict[str, int] = {}
    for class_id, name in zip(space.ids, space.names, strict=True):
        if name.lower() in id_of:
            raise LabelSpaceError(f'the name "{name}" stands for ids {id_of[name.lower()]} and {class_id}; rename one')
        id_of[name.lower()] = class_id
    name_of: dict[RGB, str] = {}
    for rgb, name in [*zip(space.colours, space.names, strict=True), *((c, "unknown") for c in space.unknown_colours)]:
        if name_of.setdefault(rgb, name) != name:
            raise LabelSpaceError(f'"{name_of[rgb]}" and "{name}" have the same colour #{pack(rgb):06x}; change one')

    if set(space.roles) != set(ROLES):
        raise LabelSpaceError(f"roles are {', '.join(space.roles)}; they must be {', '.join(ROLES)}")
    for role, indices in space.roles.items():
        if any(not 0 <= index < count for index in indices):
            raise LabelSpaceError(f"role {role} has class indices {indices}; they go from 0 to {count - 1}")
    for suffix, table in space.id_aliases.items():
        for file_id, class_id in table.items():
            if not 0 <= file_id <= MAX_ID:
                raise LabelSpaceError(f"[id_aliases.{suffix}]: id {file_id} cannot be in a label map; use 0-{MAX_ID}")
            if class_id != -1 and class_id not in space.ids:
                raise LabelSpaceError(
                    f"[id_aliases.{suffix}]: {file_id} = {class_id}, but no class has id {class_id}; "
                    "give the id of a class, or -1 for unknown"
                )


def nearest_word(wanted: str, known: Iterable[str]) -> str:
    """'. Did you mean "x"?' with the nearest known word, or just '.' when none is near."""
    spelled = {word.lower(): word for word in known}
    near = difflib.get_close_matches(wanted.lower(), spelled, n=1, cutoff=0.5)
    return f'. Did you mean "{spelled[near[0]]}"?' if near else "."


def refuse_unknown_keys(found: Any, known: Sequence[str], where: str) -> None:
    """LabelSpaceError that names the nearest known key when a table has one that is not known."""
    if not isinstance(found, Mapping):
        raise LabelSpaceError(f"{where} is not a table of names and values")
    for key in found:
        if key not in known:
            raise LabelSpaceError(f'{where} has no key "{key}"{nearest_word(key, known)} Keys are {", ".join(known)}.')


def find_name(wanted: str, names: Sequence[str], where: str) -> int:
    """Position of a class name, by the full name or else by one of its comma-separated parts."""
    key = wanted.strip().lower()
    parts = [[part.strip().lower() for part in name.split(",")] for name in names]
    hits = [i for i, name in enumerate(names) if name.lower() == key] or [i for i, p in enumerate(parts) if key in p]
    if len(hits) == 1:
        return hits[0]
    if hits:
        fits = " and ".join(f'"{names[i]}"' for i in hits)
        raise LabelSpaceError(f'{where} has more than one class "{wanted}": {fits}; write the full name')
    near = nearest_word(wanted, [*names, *(part for p in parts for part in p)])
    if near == ".":
        near += " It has " + ", ".join(f'"{name}"' for name in names[:12])
        near += f" ... ({len(names)} classes)." if len(names) > 12 else "."
    raise LabelSpaceError(f'{where} has no class "{wanted}"{near}')


def as_rgb(value: Any) -> RGB:
    """A colour from a list of three whole numbers from 0 to 255. LabelSpaceError for anything else."""
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or not all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255 for v in value)
    ):
        raise LabelSpaceError(f"{value!r} is not a colour; write [r, g, b] with whole numbers from 0 to 255")
    return (value[0], value[1], value[2])
