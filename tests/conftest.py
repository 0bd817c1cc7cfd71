"""What tests share: the demo data set, real data where it is to be had, an empty database of each kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import ROOT
from postgres import postgres_server

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


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server; tests that need it are skipped where it is not installed."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/decisions.sqlite"
    return request.getfixturevalue("postgres").new_database()
