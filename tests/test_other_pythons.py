"""The base works on the oldest and the newest Python, with numpy 1.26 and 2: installed apart, the demo gives the shipped bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT
from shipped import assert_same_selection

WANTED = {"3.10": ["numpy==1.26.4", "pandas<2.3"], "3.13": ["numpy>=2"]}


def interpreter(version: str) -> str:
    """The path of a Python of this version that runs, on PATH or among those of pyenv; skips where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}*/bin/python"))]:
        if found and subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
            return str(found)
    pytest.skip(f"no Python {version} at hand")


@pytest.mark.parametrize("version", WANTED)
def test_the_demo_gives_the_shipped_manifests(version, tmp_path):
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip(f"this is Python {version}")
    subprocess.run([interpreter(version), "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    source = tmp_path / "source"  # a copy: building in the checkout would leave files there
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "curation"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    subprocess.run([python, "-m", "pip", "install", "-q", *WANTED[version], source], check=True)
    subprocess.run([tmp_path / "venv/bin/curate", "demo", "--quiet"], cwd=tmp_path, check=True)
    for shipped in (*(ROOT / "data_manifests").glob("*.csv"), *(ROOT / "data_manifests").glob("*.json")):
        assert_same_selection(tmp_path / "data_manifests" / shipped.name, shipped)
