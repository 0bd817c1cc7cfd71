"""What tests of training share: manifests of the demo set, one cache of decoded pairs, one trained run."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import curate, train
from runs import SETTINGS


@pytest.fixture(scope="session")
def manifests(demo_set, tmp_path_factory) -> Path:
    """A folder with total.csv, selection1.csv and selection2.csv of the demo set, the last with 82 pairs. Read only."""
    folder = tmp_path_factory.mktemp("selections")
    for level in (0, 1, 2):
        curate(
            "build-selection", "--level", level, "--data", demo_set, "--work", folder / "work", "--out", folder / "m",
            "--judge", "none", *(["--target-size", 82] if level == 2 else []), "--quiet", cwd=folder,
        )  # fmt: skip
    return folder / "m"


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """The folder for packed sets, so that each is decoded once."""
    return tmp_path_factory.mktemp("packed")


@pytest.fixture(scope="session")
def trained(manifests, cache, tmp_path_factory) -> Path:
    """The folder of a run of STEPS steps that nothing disturbed. Read only: tests that change it copy it."""
    folder = tmp_path_factory.mktemp("trained")
    train("--manifest", manifests / "selection2.csv", *SETTINGS, "--cache", cache, "--out", "run", cwd=folder)
    return folder / "run"
