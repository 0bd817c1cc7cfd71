"""Thresholds as a person writes them: `name=value` on the command line, or a TOML file with a table [thresholds]."""

from __future__ import annotations

from curation.place import Place, place
from curation.rules import RuleError

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
    try:
        content = tomllib.loads(place(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RuleError(f"{path} does not exist.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
