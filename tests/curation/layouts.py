"""Layouts for tests."""

import numpy as np

from curation.layout import SHAPE


def layouts_of(n: int, seed: int) -> np.ndarray:
    """(n, 36, 48, 2) uint8 that lie near a few centres, so that many are about tau similar; some in a mirror."""
    rng = np.random.default_rng(seed)
    centres = np.kron(rng.integers(0, 4, (max(1, n // 5), 3, 4)), np.ones((12, 12))).astype(np.uint8)
    out = np.repeat(centres[rng.integers(0, len(centres), n)][..., None], 2, axis=3)
    for one in out:
        height = rng.integers(0, 8)
        one[:height, :, rng.integers(2)] = rng.integers(0, 4)
        if rng.random() < 0.5:
            one[:] = one[:, ::-1].copy()
    assert out.shape[1:] == SHAPE
    return out
