"""Checkpoints: everything a run needs to go on as if it had never stopped, in a folder that appears whole.

    RUN/checkpoints/step-00001500/
        generator.safetensors  generator_ema.safetensors  discriminator.safetensors  encoder.safetensors
        optimisers.safetensors     the moments of Adam: generator/second/NAME, discriminator/second/NAME
        state.json                 step, phase, counts; random numbers are functions of seed and step, so there is no other state

Weights are float32 arrays under the names of weights.named; anything that reads safetensors reads them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.whole_folder import whole

FOLDER = "checkpoints"
STATE = "state.json"
KEPT_LAST = 2  # should the newest prove damaged, there is one before it

Arrays = dict[str, np.ndarray]


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read; names the file and the mend."""


@dataclass(frozen=True)
class Checkpoint:
    """`networks`: name -> arrays (generator, generator_ema, discriminator, encoder); `optimisers`: flat; `state`: JSON types, with "step"."""

    folder: Path
    networks: dict[str, Arrays]
    optimisers: Arrays
    state: dict[str, Any]

    def network(self, name: str) -> Arrays:
        """The arrays of a network. CheckpointError when its file is not there."""
        if name not in self.networks:
            raise CheckpointError(
                f"{self.folder} has no {name}.safetensors; copy it back, or take another checkpoint of the run"
            )
        return self.networks[name]


def save(run: Path, networks: Mapping[str, Arrays], optimisers: Arrays, state: Mapping[str, Any]) -> Path:
    """Write a checkpoint; returns its folder.

    Raises:
        CheckpointError: the disk is full or not writable (what was saved before is untouched), or a weight is not finite.
    """
    from safetensors.numpy import save_file

    for name, arrays in networks.items():
        for key, array in arrays.items():
            if not np.isfinite(array).all():
                last = latest(run)
                mend = f"train --manifest ... {f'--init-from {run} ' if last else ''}--learning-rate ..."
                raise CheckpointError(
                    f"{name}.{key} is not finite at step {state['step']}: training diverged and "
                    f"{f'the last good checkpoint is {last}' if last else 'no checkpoint was saved yet'}. "
                    f"Begin again with a lower rate: {mend}"
                )
    folder = run / FOLDER / f"step-{state['step']:08d}"
    try:
        with whole(folder) as temporary:
            for name, arrays in networks.items():
                save_file(arrays, temporary / f"{name}.safetensors")
            save_file(optimisers, temporary / "optimisers.safetensors")
            for file in temporary.iterdir():
                file.chmod(0o644)  # safetensors lets nobody else read them
            (temporary / STATE).write_text(json.dumps(dict(state), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        free = shutil.disk_usage(run).free / 1e9
        raise CheckpointError(
            f"{folder} cannot be written: {getattr(error, 'strerror', None) or error} ({free:.2f} GB free). "
            f"The checkpoints before it are whole; make room and go on with `train --resume {run}`."
        ) from error
    return folder


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint. CheckpointError when it is damaged."""
    from safetensors.numpy import load_file

    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        optimisers = load_file(folder / "optimisers.safetensors")
        networks = {
            path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors")) if path.stem != "optimisers"
        }
        if not isinstance(state.get("step"), int):
            raise ValueError("state.json has no step")
    except Exception as error:  # safetensors raises its own kinds
        raise CheckpointError(
            f"{folder} is damaged ({error}); remove that folder, and the run goes on from the checkpoint before it"
        ) from error
    return Checkpoint(folder, networks, optimisers, state)


def folders(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(
        path for path in (run / FOLDER).glob("step-*") if (path / STATE).exists() and ".tmp-" not in path.name
    )


def latest(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    return found[-1] if (found := folders(run)) else None


def best(run: Path) -> Path | None:
    """The checkpoint with the best score on the validation pairs, as noted by `note_best`; None when there is none."""
    note = _best(run)
    folder = run / FOLDER / f"step-{note['step']:08d}" if note else None
    return folder if folder and folder.exists() else None


def best_score(run: Path) -> float | None:
    """That checkpoint's score."""
    note = _best(run)
    return note["validation"] if note else None


def _best(run: Path) -> dict | None:
    try:
        return json.loads((run / FOLDER / "best.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def note_best(run: Path, step: int, score: float) -> None:
    """Note which checkpoint is best: checkpoints/best.json."""
    from curation.workspace import write_json

    write_json(run / FOLDER / "best.json", {"step": step, "validation": score})


def prune(run: Path, keep_every: int) -> None:
    """Remove checkpoints that are neither among the last, nor the best, nor at a multiple of `keep_every` steps (0: none of these)."""
    found = folders(run)
    spared = {*found[-KEPT_LAST:], best(run)}
    for folder in found:
        step = int(folder.name.split("-")[1])
        if folder not in spared and not (keep_every and step % keep_every == 0):
            shutil.rmtree(folder, ignore_errors=True)
    for left in (run / FOLDER).glob("*.tmp-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed; one process writes
