"""A small clean data set: rendered landscapes in which nothing is planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

PAIRS, HEIGHT, WIDTH = 72, 72, 96


@pytest.fixture(scope="session")
def clean_set(tmp_path_factory) -> Path:
    """72 rendered pairs, 16-bit label maps. Read only."""
    from curation.demo.classes import CLASSES
    from curation.demo.dataset import draw_pair
    from curation.demo.defects import clean

    folder = tmp_path_factory.mktemp("clean") / "landscapes"
    for room in ("images", "labels"):
        (folder / room).mkdir(parents=True)
    for k in range(PAIRS):
        _, files = draw_pair(np.random.default_rng([11, k]), clean, HEIGHT, WIDTH)
        (folder / "images" / f"{k:04d}.jpg").write_bytes(files.photo)
        (folder / "labels" / f"{k:04d}.png").write_bytes(files.label)
    (folder / "classes.json").write_text(json.dumps(dict(enumerate(CLASSES))))
    return folder
