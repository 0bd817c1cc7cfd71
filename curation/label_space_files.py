"""Label spaces as files: the built-in ones, and those that people write.

Enters: the name of a built-in space, the path of a file, or a data folder in which one lies. Leaves: a LabelSpace.

A space of one's own is a TOML file (docs/label_spaces.md explains it with an example):

    name = "mine"               # optional; the file's stem when left out
    unknown = [255]             # ids that mean "unknown"; [] for none; left out: 255, unless 255 is a class
    [classes]                   # id = name
    0 = "sky"
    [roles]                     # optional; role = class names; roles left out are guessed from the class names
    sky = ["sky"]
    [colours]                   # optional; name = "#rrggbb"; with one for every class, masks may be colour-coded
    sky = "#4682b4"
    unknown = "#000000"         # optional; a colour, or a list of colours, that means "unknown" in such masks
    [id_aliases._labelIds]      # optional; in files whose stem ends so, id = class id, or -1 for unknown
    7 = 0

A classes.json lists names by id ({"0": "sky"}, ["sky"] or [{"id": 0, "name": "sky", "color": [70, 130, 180]}], each of
them also inside {"classes": ...}); a class_dict.csv has the columns name,r,g,b, one class a row, ids counted from 0.
In every form, a class called unknown, void, unlabeled, unlabelled or ignore is not a class: its id means "unknown".

A file with the ids and names of a built-in space takes the name, roles and colours it leaves open from that space.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from curation.class_words import RGB, ROLES, VOID_NAMES, assign_roles, fill_colours, hex_to_rgb
from curation.label_space import (
    MAX_CLASSES,
    UNKNOWN,
    LabelSpace,
    LabelSpaceError,
    as_rgb,
    find_name,
    nearest_word,
    refuse_unknown_keys,
)
from curation.place import Place, place

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

_BUILTIN = resources.files("curation") / "label_spaces"
_Row = tuple[int, str, "RGB | None"]  # class id, class name, colour if the file has one


def builtin_names() -> tuple[str, ...]:
    """Names of the spaces that come with the package, sorted."""
    return tuple(sorted(f.name[: -len(".toml")] for f in _BUILTIN.iterdir() if f.name.endswith(".toml")))


@cache
def load_builtin(name: str) -> LabelSpace:
    """A space that comes with the package; LabelSpaceError names the nearest one if there is none of that name."""
    if name not in builtin_names():
        raise LabelSpaceError(_no_such_space(name))
    file = _BUILTIN / f"{name}.toml"
    with _reading(file):
        return _parse_toml(file.read_text(encoding="utf-8"), name, ())


def from_toml(path: str | Place) -> LabelSpace:
    """A space from a TOML file as described at the top of this module. LabelSpaceError names the file."""
    path = place(path)
    with _reading(path):
        return _parse_toml(path.read_text(encoding="utf-8-sig"), path.stem, _builtins())


def from_classes_json(path: str | Place) -> LabelSpace:
    """A space from a JSON list of classes as described at the top of this module. LabelSpaceError names the file."""
    path = place(path)
    with _reading(path):
        return _build(_json_rows(path.read_text(encoding="utf-8-sig")), path.name, _builtins())


def from_class_dict(path: str | Place) -> LabelSpace:
    """A space from a class_dict.csv (name,r,g,b; ids are the row numbers from 0). LabelSpaceError names the file."""
    path = place(path)
    with _reading(path):
        return _build(_csv_rows(path.read_text(encoding="utf-8-sig")), path.name, _builtins())


_LOADERS = {".toml": from_toml, ".json": from_classes_json, ".csv": from_class_dict}
_BESIDE = ("label_space.toml", "classes.json", "class_dict.csv")  # the fullest description first


def find_beside(data: str | Place) -> LabelSpace | None:
    """The space that lies in a data folder as label_space.toml, classes.json or class_dict.csv (the first of these).

    Returns None when there is none of them; LabelSpaceError when there is one but it cannot be used.
    """
    for file_name in _BESIDE:
        path = place(data) / file_name
        if path.is_file():
            return _LOADERS[path.suffix](path)
    return None


def resolve(name_or_path: str | Place) -> LabelSpace:
    """The space a person asked for: a built-in name, or the path of a .toml, .json or .csv file."""
    text = str(name_or_path)
    if text in builtin_names():
        return load_builtin(text)
    if (loader := _LOADERS.get(PurePosixPath(text).suffix.lower())) is None:
        raise LabelSpaceError(_no_such_space(text))
    return loader(place(text))


def _no_such_space(name: str) -> str:
    known = builtin_names()
    return (
        f'no label space "{name}"{nearest_word(name, known)} Built in are {", ".join(known)}; '
        "or give the path of a .toml, .json or .csv file."
    )


def _builtins() -> list[LabelSpace]:
    return [load_builtin(name) for name in builtin_names()]


@contextmanager
def _reading(path: Any) -> Iterator[None]:
    """Turns whatever goes wrong with a file into a LabelSpaceError that begins with its path."""
    try:
        yield
    except LabelSpaceError as error:
        raise LabelSpaceError(f"{path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise LabelSpaceError(f"{path}: not valid TOML ({error}). Fix that line; see docs/label_spaces.md.") from None
    except json.JSONDecodeError as error:
        raise LabelSpaceError(f"{path}: not valid JSON ({error}). Fix that line.") from None
    except UnicodeDecodeError:
        raise LabelSpaceError(f"{path}: not UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise LabelSpaceError(f"{path}: cannot be read ({error.strerror or error}). Check the path.") from None


def _parse_toml(text: str, stem: str, known: Sequence[LabelSpace]) -> LabelSpace:
    found = tomllib.loads(text)
    refuse_unknown_keys(found, ("name", "unknown", "classes", "roles", "colours", "id_aliases"), "the file")
    tables = {key: found.get(key, {}) for key in ("classes", "roles", "colours", "id_aliases")}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise LabelSpaceError(f"{key} is not a table; write it as [{key}] with one entry a line")

    ids = [_as_id(key, "[classes]") for key in tables["classes"]]
    names = [_as_name(value, f"[classes] {key}") for key, value in tables["classes"].items()]
    rgb_of: dict[str, RGB] = {}
    unknown_colours: list[RGB] = []
    for key, value in tables["colours"].items():
        if key.strip().lower() in VOID_NAMES:
            unknown_colours += [_hex(v, key) for v in (value if isinstance(value, list) else [value])]
        else:
            rgb_of[names[find_name(key, names, "[colours]: [classes]")]] = _hex(value, key)

    named_roles = {}
    refuse_unknown_keys(tables["roles"], ROLES, "[roles]")
    for role, members in tables["roles"].items():
        if not isinstance(members, list):
            raise LabelSpaceError(f'[roles] {role} is not a list; write {role} = ["name", "name"]')
        named_roles[role] = [names[find_name(str(member), names, f"[roles] {role}: [classes]")] for member in members]

    aliases = {}
    for suffix, table in tables["id_aliases"].items():
        if not suffix or not isinstance(table, dict):
            raise LabelSpaceError("[id_aliases] needs one table a file suffix; write [id_aliases._suffix]")
        where = f"[id_aliases.{suffix}]"
        aliases[suffix] = {_as_id(key, where): _as_id(value, where) for key, value in table.items()}

    unknown = found.get("unknown")
    if unknown is not None and not isinstance(unknown, list):
        raise LabelSpaceError("unknown is not a list; write unknown = [255], or [] for none")
    return _build(
        [(class_id, name, rgb_of.get(name)) for class_id, name in zip(ids, names, strict=True)],
        stem,
        known,
        name=_as_name(found["name"], "name") if "name" in found else None,
        unknown_ids=None if unknown is None else [_as_id(i, "unknown") for i in unknown],
        named_roles=named_roles,
        id_aliases=aliases,
        unknown_colours=unknown_colours,
    )


def _json_rows(text: str) -> list[_Row]:
    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise LabelSpaceError(f'"{key}" is listed twice; keep one')
            found[key] = value
        return found

    found = json.loads(text, object_pairs_hook=no_twins)
    if isinstance(found, dict) and "classes" in found:
        refuse_unknown_keys(found, ("classes",), "the file (write a label_space.toml to say more)")
        found = found["classes"]
    if isinstance(found, dict):
        return [(_as_id(key, "the class list"), _as_name(value, f"class {key}"), None) for key, value in found.items()]
    if isinstance(found, list) and all(isinstance(entry, str) for entry in found):
        return [(class_id, _as_name(name, f"class {class_id}"), None) for class_id, name in enumerate(found)]
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        for position, entry in enumerate(found):
            if not {"id", "name"} <= entry.keys():
                raise LabelSpaceError(f'entry {position} has no "id" or no "name"; give every class both')
        colours = [entry.get("color", entry.get("colour")) for entry in found]
        return [
            (_as_id(e["id"], "the class list"), _as_name(e["name"], "the class list"), None if c is None else as_rgb(c))
            for e, c in zip(found, colours, strict=True)
        ]
    raise LabelSpaceError(
        'not a class list; write {"0": "sky", ...}, ["sky", ...] or [{"id": 0, "name": "sky", "color": [r, g, b]}, ...]'
    )


def _csv_rows(text: str) -> list[_Row]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    columns = {(column or "").strip().lower(): column for column in reader.fieldnames or ()}
    if not {"name", "r", "g", "b"} <= columns.keys():
        raise LabelSpaceError(f"the first line is {','.join(reader.fieldnames or ())!r}; it must be name,r,g,b")
    rows: list[_Row] = []
    for entry in reader:
        try:
            rgb = as_rgb([int(entry[columns[channel]]) for channel in "rgb"])
        except (TypeError, ValueError):
            raise LabelSpaceError(f"line {reader.line_num}: r, g and b must be whole numbers from 0 to 255") from None
        rows.append((len(rows), _as_name(entry[columns["name"]], f"line {reader.line_num}"), rgb))
    return rows


def _build(
    rows: Iterable[_Row],
    file_name: str,
    known: Sequence[LabelSpace],
    *,
    name: str | None = None,
    unknown_ids: Sequence[int] | None = None,
    named_roles: Mapping[str, Sequence[str]] | None = None,
    id_aliases: Mapping[str, Mapping[int, int]] | None = None,
    unknown_colours: Sequence[RGB] = (),
) -> LabelSpace:
    """A LabelSpace from the classes of a file: takes out what means unknown, and fills in what the file leaves open.

    Name, roles and colours come from the space in `known` that has the same ids and names, if there is one; else the
    name is that of the file, roles are guessed and colours made up.
    """
    rows = sorted(rows, key=lambda row: row[0])
    void = [row for row in rows if row[1].lower() in VOID_NAMES]
    rows = [row for row in rows if row[1].lower() not in VOID_NAMES]
    ids, names, given = (tuple(row[column] for row in rows) for column in range(3))
    unknown_colours = tuple(dict.fromkeys([*unknown_colours, *(rgb for _, _, rgb in void if rgb)]))
    colour_coded = bool(rows) and None not in given
    if unknown_ids is None:
        unknown_ids = [i for i in (UNKNOWN,) if i not in ids]

    same = next((space for space in known if (space.ids, space.names) == (ids, names)), None)
    if same and not any(given) and not unknown_colours:
        colours, colour_coded, unknown_colours = same.colours, same.colour_coded, same.unknown_colours
    else:
        colours = fill_colours(names[:MAX_CLASSES], given[:MAX_CLASSES], unknown_colours)  # with more it is refused
    return LabelSpace(
        name=name or (same.name if same else file_name),
        ids=ids,
        names=names,
        unknown_ids=tuple(sorted({*unknown_ids, *(class_id for class_id, _, _ in void)})),
        roles=same.roles if same and not named_roles else assign_roles(names, named_roles or {}),
        colours=colours,
        colour_coded=colour_coded,
        id_aliases=dict(id_aliases or {}),
        unknown_colours=unknown_colours,
    )


def _as_id(value: Any, where: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise LabelSpaceError(f'{where}: "{value}" is not a class id; ids are whole numbers and stand before names')


def _as_name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise LabelSpaceError(f"{where}: {json.dumps(value, default=str)} is not a name; write a text in quotes")
    return value.strip()


def _hex(value: Any, name: str) -> RGB:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise LabelSpaceError(f'[colours] {name}: "{value}" is not a colour; write it as "#rrggbb", e.g. "#4682b4"')
    return hex_to_rgb(value)
