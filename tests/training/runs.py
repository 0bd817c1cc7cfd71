"""Runs in tests: what their logs and checkpoints hold, and manifests with something changed."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training import checkpoint, journal

Row = dict[str, str]

STEPS = 24
# `tiny`, with checkpoints and looks so often that a few steps hold some of each
SETTINGS = ["--preset", "tiny", "--device", "cpu", "--steps", STEPS]
SETTINGS += ["--set", "checkpoint_every=3", "--set", "sample_every=6", "--set", "keep_every=12"]


def losses(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log that hold losses, without their times."""
    return [{k: v for k, v in line.items() if k != "time"} for line in journal.read(run) if "GAN" in line]


def scores(run: Path) -> dict[int, float]:
    """The score of the validation pictures by step."""
    return {line["step"]: line["value"] for line in journal.read(run) if line.get("note") == "validation"}


def steps(run: Path) -> list[int]:
    """The steps of a run's checkpoints."""
    return [int(folder.name.split("-")[1]) for folder in checkpoint.folders(run)]


def contents(folder: Path) -> dict[str, bytes]:
    """Every array of a checkpoint, as bytes, by file and name."""
    saved = checkpoint.read(folder)
    groups = {**saved.networks, "optimisers": saved.optimisers}
    return {f"{group}/{name}": a.tobytes() for group, arrays in groups.items() for name, a in arrays.items()}


def cut_back(run: Path, copy: Path, last: int) -> Path:
    """A copy of a run that stopped after step `last`, of which it must have a checkpoint."""
    shutil.copytree(run, copy)
    for step in steps(copy):
        if step > last:
            shutil.rmtree(copy / checkpoint.FOLDER / f"step-{step:08d}")
    assert steps(copy)[-1] == last
    return copy


def edited(
    manifest: Path,
    folder: Path,
    *,
    row: Callable[[int, Row], Row | None] = lambda number, row: row,
    recipe: Callable[[dict], None] = lambda recipe: None,
) -> Path:
    """A copy of a manifest in `folder`, to be used with --data: `row` changes a row or drops it by None, `recipe` changes the recipe."""
    copy = folder / manifest.name
    with open(manifest, newline="", encoding="utf-8") as file:
        read = csv.DictReader(file)
        kept = [new for number, old in enumerate(read) if (new := row(number, dict(old))) is not None]
    with open(copy, "w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, read.fieldnames, lineterminator="\n")
        written.writeheader()
        written.writerows(kept)
    found = json.loads(manifest.with_suffix(".json").read_text(encoding="utf-8"))
    recipe(found)
    copy.with_suffix(".json").write_text(json.dumps(found), encoding="utf-8")
    return copy


def assert_refused(done: subprocess.CompletedProcess[str], *words: object, status: int = 1) -> None:
    """The command ended with `status` and, at the end, one line that says all of `words`; a person sees no traceback."""
    message = done.stderr.rstrip("\n").splitlines()[-1]
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert message.startswith(("train: ", "generate: ")), done.stderr
    for word in words:
        assert str(word) in message, f"{word!r} is not in {message!r}"
