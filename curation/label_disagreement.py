"""Two label maps of the same photo: the share of the picture on which they disagree.

Enters: their layouts (layout.py), and what the second photo shows of the first. Leaves: a share in [0, 1]. A class that one of them shows
in a cell counts as agreed when the other shows it there or in a cell beside it, so that borders drawn at another scale, or on a
cropped copy whose cells do not lie on those of the whole, are no disagreement.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from curation.alignment import inverse
from curation.label_space import UNKNOWN
from curation.layout import GRID, mirrored


def with_disagreement(duplicates: pd.DataFrame, pair_ids: list[str], layouts: np.ndarray) -> pd.DataFrame:
    """The table of duplicates.find_duplicates with a column `labels_disagree`; NaN where one of the two has no label map.

    layouts: (n, 36, 48, 2) uint8 of the pairs `pair_ids`; may be memory-mapped.
    """
    row = {pair_id: i for i, pair_id in enumerate(pair_ids)}
    shares = []
    for couple in duplicates.itertuples(index=False):
        first, second = row.get(couple.first), row.get(couple.second)
        share = None
        if first is not None and second is not None:
            box = np.array([couple.left, couple.right, couple.top, couple.bottom])
            share = disagreement(layouts[first], layouts[second], box, couple.relation == "mirrored")
        shares.append(share)
    return duplicates.assign(labels_disagree=pd.Series(shares, duplicates.index, dtype=float))


def disagreement(first: np.ndarray, second: np.ndarray, box: np.ndarray, mirror: bool) -> float | None:
    """Share of the slots of two (36, 48, 2) uint8 layouts; None where nowhere both of them know a class.

    box: left, right, top, bottom of what the second photo (in a mirror) shows of the first, as shares of its sides.
    """
    if mirror:
        second = mirrored(second)
    if (box[1] - box[0]) * (box[3] - box[2]) > 1:  # the first shows a part of the second
        first, second, box = second, first, inverse(box, False)
    first = _part(first, box)
    known = (first != UNKNOWN) & (second != UNKNOWN)
    differ = ~(_near(first, second) & _near(second, first))
    return round(float((known & differ).sum() / known.sum()), 4) if known.any() else None


def _part(layout: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A part of a layout on the grid of the whole, by the nearest cell; unknown where it reaches beyond."""
    left, right, top, bottom = box
    y = top + (bottom - top) * (np.arange(GRID[0]) + 0.5) / GRID[0]
    x = left + (right - left) * (np.arange(GRID[1]) + 0.5) / GRID[1]
    rows, columns = (np.floor(at * n).astype(int).clip(0, n - 1) for at, n in ((y, GRID[0]), (x, GRID[1])))
    inside = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))
    return np.where(inside[..., None], layout[rows[:, None], columns], UNKNOWN)


def _near(layout: np.ndarray, other: np.ndarray) -> np.ndarray:
    """SHAPE bool: whether the class of a slot is found in that cell of the other, or in one of the eight round it."""
    padded = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    found = np.zeros(layout.shape, bool)
    for down in range(3):
        for across in range(3):
            cell = padded[down : down + GRID[0], across : across + GRID[1]]
            found |= (layout[..., :, None] == cell[..., None, :]).any(-1)
    return found
