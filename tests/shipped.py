"""Manifests of two machines: the same pairs for the same reasons; a learned score may differ by rounding in its last digit."""

import json
import re
from pathlib import Path

import pytest

LAST_DIGIT = 0.0021
SCORE = re.compile(r"(?<![\w/])[01](?:\.\d+)?(?![\w/.])")


def assert_same_selection(made: Path, shipped: Path) -> None:
    """Compare a manifest, a table of rejected pairs or a recipe with the shipped file of that name."""
    if made.suffix == ".json":
        ours, theirs = (json.loads(path.read_text()) for path in (made, shipped))
        assert len(ours.pop("table_sha256")) == len(theirs.pop("table_sha256")) == 64
        assert ours == theirs, f"{made.name} differs from the shipped one"
        return
    ours, theirs = made.read_text().splitlines(), shipped.read_text().splitlines()
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert SCORE.sub("#", our) == SCORE.sub("#", their), f"{made.name} differs from the shipped one"
        assert [float(s) for s in SCORE.findall(our)] == pytest.approx(
            [float(s) for s in SCORE.findall(their)], abs=LAST_DIGIT
        ), our
