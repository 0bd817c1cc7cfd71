"""`curate` run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def curate(*arguments: object, cwd: Path, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process, as a user does; output is text."""
    command = [sys.executable, "-m", "curation.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"curate {' '.join(map(str, arguments))} failed:\n{done.stdout}\n{done.stderr}")
    return done
