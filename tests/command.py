"""`curate`, `train` and `generate` run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def curate(*arguments: object, cwd: Path, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process, as a user does; output is text."""
    command = [sys.executable, "-m", "curation.cli", *map(str, arguments)]
    return _run("curate", command, cwd, check, options)


def train(
    *arguments: object, cwd: Path, check: bool = True, processes: int = 1, before: str = "", **options
) -> subprocess.CompletedProcess[str]:
    """The same for `train`; see training_command."""
    return _run("train", training_command("train", *arguments, processes=processes, before=before), cwd, check, options)


def generate(*arguments: object, cwd: Path, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """The same for `generate`."""
    return _run("generate", training_command("generate", *arguments), cwd, check, options)


def training_command(name: str, *arguments: object, processes: int = 1, before: str = "") -> list[str]:
    """What the installed script `train` or `generate` does, as a command.

    Args:
        processes: how many mpirun starts; 1 = no mpirun.
        before: Python that is run before the program, for instance to let a file fail.
    """
    program = f"{before}\nimport sys\nsys.argv[0] = {name!r}\nfrom training.cli import {name}\n{name}()"
    mpirun = ["mpirun", "--oversubscribe", "-np", str(processes), *["--allow-run-as-root"] * (os.getuid() == 0)]
    return [*(mpirun if processes > 1 else []), sys.executable, "-c", program, *map(str, arguments)]


def _run(name: str, command: list[str], cwd: Path, check: bool, options: dict) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"{name}: {' '.join(command[-12:])} failed:\n{done.stdout}\n{done.stderr}")
    return done
