"""Folders of generated pictures for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from app.outputs import Comparison, compare


def draw(folder: Path, *names: str, level: int = 0) -> Path:
    """A folder of small pictures with these file names, each with content of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.random.default_rng([level, *name.encode()]).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def two_models(folder: Path, n: int) -> Comparison:
    """n label maps, each drawn by the models `first` and `second`."""
    names = [f"{i:04d}.png" for i in range(n)]
    return compare([draw(folder / "first", *names, level=1), draw(folder / "second", *names, level=2)])
