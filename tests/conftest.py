"""What tests share: the demo data set, real data where it is to be had, and `curate` run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("CURATION_TEST_DATA", ROOT / "../shared/data"))
REAL_TOOLS = Path(os.environ.get("CURATION_TEST_TOOLS", ROOT / "../shared/tools"))


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory) -> Path:
    """120 rendered landscapes with two of each planted defect. Read only: tests that change it copy it first."""
    from curation.demo.dataset import write_demo

    folder = tmp_path_factory.mktemp("demo") / "landscapes"
    write_demo(folder, 120, seed=5)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos and label maps; tests that need it are skipped where it is not."""
    if not (REAL_DATA / "stanford_background").is_dir():
        pytest.skip("no real data (CURATION_TEST_DATA names its folder)")
    return REAL_DATA.resolve()


@pytest.fixture(scope="session")
def planter() -> Path:
    """The script that plants known defects in a copy of a real data set."""
    script = REAL_TOOLS / "plant_defects.py"
    if not script.is_file():
        pytest.skip("no real data (CURATION_TEST_TOOLS names the folder of plant_defects.py)")
    return script.resolve()


def curate(*arguments: object, cwd: Path, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process, as a user does; output is text."""
    command = [sys.executable, "-m", "curation.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"curate {' '.join(map(str, arguments))} failed:\n{done.stdout}\n{done.stderr}")
    return done
