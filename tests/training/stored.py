"""Arrays of PyTorch that tests hold ours against: tests/training/files/*.npz.xz, written by benchmarks/make_layer_arrays.py and make_parity_arrays.py."""

from __future__ import annotations

import io
import lzma
from pathlib import Path

import numpy as np

FILES = Path(__file__).parent / "files"


def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of one file by key."""
    with np.load(io.BytesIO(lzma.decompress((FILES / f"{name}.npz.xz").read_bytes()))) as file:
        return {key: file[key] for key in file.files}


def assert_near(found: np.ndarray, wanted: np.ndarray, relative: float = 2e-6, what: str = "") -> None:
    """Equal within `relative` of the largest value of `wanted`; 2e-6 is what float32 rounds in sums of some dozens."""
    assert found.shape == wanted.shape, what
    wanted = np.asarray(wanted, np.float64)
    worst = np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-12)
    assert worst <= relative, f"{what} differs by {worst:.1e} of the largest value"
