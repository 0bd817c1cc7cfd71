"""Thresholds as a person writes them: `name=value` on the command line, or a TOML file with a table [thresholds]."""

from __future__ import annotations

import re
from collections.abc import Mapping

from curation.place import Place, place
from curation.rules import RuleError
from curation.workspace import atomic

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


def parse_assignments(words: list[str]) -> dict[str, float | None]:
    """["backlight=0.6", "coupling=off"] -> {"backlight": 0.6, "coupling": None}. Raises RuleError."""
    chosen = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise RuleError(f"--set {word}: write NAME=VALUE, for example backlight=0.6 or coupling=off.")
        chosen[name.strip()] = _value(name.strip(), value.strip())
    return chosen


def read_thresholds(path: Place) -> dict[str, float | None]:
    """The table [thresholds] of a TOML file: name = number, or "off". Raises RuleError."""
    return _parsed(_text(path), path)


def text_with_thresholds(path: Place, chosen: Mapping[str, float | None], notes: Mapping[str, str]) -> str:
    """The text of a TOML file for --thresholds with these thresholds (None = off), each with its note as a comment; its other lines stay as
    they are. The file need not exist. Raises RuleError."""
    before, text = ({}, "[thresholds]\n") if not place(path).exists() else (read_thresholds(path), _text(path))
    lines = text.splitlines()
    for name, value in chosen.items():
        line = f"{name} = " + ('"off"' if value is None else repr(float(value)))
        line += f"  # {notes[name]}" if notes.get(name) else ""
        places = [i for i, old in enumerate(lines) if re.match(rf"""\s*["']?{name}["']?\s*=""", old)]
        if places:
            lines[places[0]] = line
        else:
            lines.append(line)
    changed = "\n".join(lines) + "\n"
    try:
        written = _parsed(changed, path)
    except RuleError:
        written = None
    if written != before | dict(chosen):
        raise RuleError(
            f"{path} cannot be changed line by line, as it is written. Move it away, or use --out with another file."
        )
    return changed


def write_thresholds(path: Place, chosen: Mapping[str, float | None], notes: Mapping[str, str]) -> None:
    """Write text_with_thresholds into the file, atomically. Raises RuleError; then the file is as it was."""
    text = text_with_thresholds(path, chosen, notes)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _text(path: Place) -> str:
    try:
        return place(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RuleError(f"{path} does not exist.") from None
    except UnicodeDecodeError as error:
        raise RuleError(f"{path} is not valid TOML: {error}") from None


def _parsed(text: str, path: Place) -> dict[str, float | None]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path} is not valid TOML: {error}") from None
    table = content.get("thresholds")
    if not isinstance(table, dict) or set(content) != {"thresholds"}:
        raise RuleError(f"{path} must hold one table, [thresholds], with lines such as backlight = 0.6")
    return {name: _value(name, value) for name, value in table.items()}


def _value(name: str, value: object) -> float | None:
    if value == "off":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise RuleError(f"{name}={value}: a threshold is a number in 0-1, or off.") from None
