"""Palette: a colour for each class that people with any kind of colour vision tell apart.

Each class gets the colour nearest to its own in the label space that differs enough from those given before, for normal vision and for the
three kinds of dichromacy, simulated as in [Machado, Oliveira & Fernandes 2009, IEEE TVCG 15(6), table 1, severity 1]. Distances are
Euclidean in CIE Lab. With many classes "enough" shrinks; names stand beside the picture and under the pointer in any case.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from curation.label_space import LabelSpace

ENOUGH, ROOM, SHRINK = (
    30.0,
    90.0,
    0.9,
)  # Lab units between any two colours at first: ENOUGH, or ROOM / sqrt(classes); shrinks when none is left
LEVELS = (0, 51, 102, 153, 204, 255)  # of red, green and blue: 216 colours to choose from
NO_CLASS = (118, 118, 118)
VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)  # normal, protanopia, deuteranopia, tritanopia; on linear RGB
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
XYZ /= XYZ.sum(
    1, keepdims=True
)  # of linear sRGB, by the white point D65; OpenCV would first make tables for a tenth of a second


def seen(colours: np.ndarray) -> np.ndarray:
    """(n, 3) RGB 0..255 -> (4, n, 3) CIE Lab as each of VISIONS sees them."""
    share = np.asarray(colours, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    shown = np.clip(np.einsum("vij,nj->vni", VISIONS, linear), 0, 1)
    by_white = shown @ XYZ.T
    f = np.where(by_white > (6 / 29) ** 3, np.cbrt(by_white), by_white * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(3,) RGB and (n, 3) RGB -> (n,) the least Lab distance over VISIONS."""
    return np.linalg.norm(seen(others) - seen(one[None]), axis=2).min(0)


@lru_cache(8)
def colours_of(space: LabelSpace) -> np.ndarray:
    """(256, 3) uint8 RGB by class index; NO_CLASS where there is no class. The same for the same label space."""
    grid = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 3)
    grid = grid[np.ptp(grid, axis=1) + grid.max(1) > 100]  # neither black nor near it
    as_seen = seen(grid)
    apart = np.linalg.norm(as_seen - seen(np.array([NO_CLASS])), axis=2).min(0)  # from what is given already
    table = np.full((256, 3), NO_CLASS, np.uint8)
    enough = min(ENOUGH, ROOM / len(space.colours) ** 0.5)
    for index, own in enumerate(space.colours):
        while not (apart >= enough).any():
            enough *= SHRINK
        from_own = np.linalg.norm(as_seen[0] - seen(np.array([own]))[0], axis=1)
        chosen = int(np.where(apart >= enough, from_own, np.inf).argmin())
        table[index] = grid[chosen]
        apart = np.minimum(apart, np.linalg.norm(as_seen - as_seen[:, chosen : chosen + 1], axis=2).min(0))
    return table
