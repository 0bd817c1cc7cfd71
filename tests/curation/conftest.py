"""A small data set with one planted defect of every kind, measured once for all tests of what is said of it."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from curation import stages
from curation.label_space import ids_as_found
from curation.workspace import Workspace

SIZE = (72, 96)  # rows, columns
SKY, GROUND, TREE, ODD = range(4)
NAMES = ["sky", '"rock" & <b>soil</b>', "tree", "天空, cielo"]
NASTY = "<img onerror=alert(1)>"
PLANTED = {  # pair id -> the reason it should get
    "backlit": "backlight",
    "blurred": "blur",
    "burnt": "overexposed",
    "copy": "exact_duplicate",
    "coupled": "coupling",
    "flat": "low_information",
    "mirrored": "near_duplicate",
    "night": "dark",
    "swapped": "label_error",
    "grey": "monochrome",
    NASTY: "unreadable",
}


@dataclass
class Curated:
    """A measured data set: its work directory and its tables."""

    data: Path
    work: Workspace
    scores: pd.DataFrame
    duplicates: pd.DataFrame
    groups: pd.DataFrame

    @property
    def tables(self):
        return self.scores, self.duplicates, self.groups


def scene(seed):
    """(photo, ids): sky over ground with a few trees; the photo shows what the ids say."""
    rng = np.random.default_rng(seed)
    rows, columns = SIZE
    ids = np.full(SIZE, SKY, np.uint8)
    ids[int(rows * rng.uniform(0.35, 0.65)) :] = GROUND
    for _ in range(3):
        x, y = rng.integers(8, columns - 20), rng.integers(20, rows - 24)
        ids[y : y + rng.integers(10, 22), x : x + rng.integers(8, 18)] = TREE
    colours = np.array([[130, 180, 235], [170, 120, 70], [40, 110, 40], [200, 60, 160]], np.float64)
    noise = rng.normal(0, 1, (*SIZE, 1)) * np.array([4, 22, 40, 15])[ids][:, :, None]
    photo = colours[ids] + noise + rng.normal(0, 4, (1, 1, 3))
    return np.clip(photo, 0, 255).astype(np.uint8), ids


def planted(name):
    """The scene with one defect."""
    photo, ids = scene(1000 + sorted(PLANTED).index(name))
    if name == "backlit":
        photo = np.where((ids == SKY)[:, :, None], 252, photo // 16).astype(np.uint8)
    elif name == "blurred":
        photo = cv2.GaussianBlur(photo, (0, 0), 6)
    elif name == "burnt":
        photo = np.clip(photo.astype(int) + 190, 0, 255).astype(np.uint8)
    elif name == "coupled":
        ids[20:70, 10:90] = np.where(np.add.outer(np.arange(50) // 2, np.arange(80) // 2) % 2, TREE, GROUND)
    elif name == "flat":
        photo[:] = (140, 160, 180)
        photo[:6, :6] = (90, 30, 30)
    elif name == "night":
        photo = photo // 12
    elif name == "swapped":
        ids = np.where(ids == SKY, TREE, ids).astype(np.uint8)
    elif name == "grey":
        photo = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return photo, ids


def write_data(folder, labels=True):
    """64 pairs: 53 ordinary ones and PLANTED."""
    (folder / "images").mkdir(parents=True)
    pairs = {f"p{i:02d}": scene(i) for i in range(53)} | {name: planted(name) for name in PLANTED}
    pairs["copy"] = pairs["p05"]
    pairs["mirrored"] = tuple(a[:, ::-1] for a in pairs["p06"])
    for name, (photo, _) in pairs.items():
        Image.fromarray(photo).save(folder / "images" / f"{name}.png")
    (folder / "images" / f"{NASTY}.png").write_bytes(b"no image")
    if labels:
        (folder / "labels").mkdir()
        (folder / "classes.json").write_text(json.dumps(NAMES), encoding="utf-8")
        for name, (_, ids) in pairs.items():
            Image.fromarray(ids).save(folder / "labels" / f"{name}.png")


def measure(data, folder):
    """Index, score and group a data set, in this process."""
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, folder, data)
    return Curated(data, work, stages.score(run, work), *stages.group(run, work))


@pytest.fixture(scope="session")
def planted_data(tmp_path_factory):
    """The folder of the pairs, not measured."""
    folder = tmp_path_factory.mktemp("planted") / "data"
    write_data(folder)
    return folder


@pytest.fixture(scope="session")
def curated(planted_data, tmp_path_factory):
    return measure(planted_data, tmp_path_factory.mktemp("curated") / "work")


@pytest.fixture(scope="session")
def curated_photos(tmp_path_factory):
    """The same photos without label maps."""
    folder = tmp_path_factory.mktemp("photos")
    write_data(folder / "data", labels=False)
    return measure(folder / "data", folder / "work")


@pytest.fixture
def empty_work(tmp_path):
    """A work directory of which nothing was made yet."""
    data = Path("/photos/landscapes")
    return Workspace(tmp_path / "work", data, data, ids_as_found(), "", {})
