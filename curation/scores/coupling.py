"""Coupling: classes interleaved so finely that a learner cannot tell where one ends (tree/sky, railing/water); label noise.

Landscape ecology calls the quantity edge density: length of class boundary per area. Here it is taken in windows (see
curation/landscape.py): a window with more boundary than DEEP straight lines through it is interleaved. Shares of the
picture are given per pair of classes, and weighed by how alike the two look, which takes a judge fitted on the whole set.
Fragments are noise that no learner can follow: specks, and borders that change from cell to cell.

All is measured on one cell in 1/SIDE of the long side, whatever the size of the file, so the numbers do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from curation.landscape import boundary, edge_density_around, unlike, window_sum
from curation.scores.view import View, ramp

SIDE = 128  # cells on the long side: coarse enough that a label map half the size of a preview still says the same
HIDDEN = 6  # a line is twice as long in cells half the size, noise four times
WINDOW = 11  # cells
DEEP = 2.5  # straight lines through a window; a leaning pole has 2.4
SPECK = 4  # cells: 1/3000 of a picture of 4:3
LONE = 3  # of the four neighbours: as many of another class make a cell a bump of a ragged border, or the end of a hair
ALIKE_UNKNOWN = 0.2  # what pairs of classes that interleave in real sets have: tree/building, foreground/building
FRAGMENT = 2.0  # a fragment spoils itself and the borders around it
HALF = 0.14  # weighed share at which the score is 0.5: 14 % for classes that look the same, 23 % where it is not known


@dataclass(frozen=True)
class Interleaving:
    """Two class indices, first < second, and the share of the picture, in [0, 1], over which they interleave."""

    first: int
    second: int
    share: float


def cells_of(ids: np.ndarray) -> np.ndarray:
    """A label map at the scale of the measure: the class at the centre of each cell, SIDE cells on the long side.

    A pattern that repeats with the cells (stripes of half a cell) would vanish between their centres. Where twice as fine
    a grid shows HIDDEN times the boundary, the classes left and right, above and below the centres are taken by turns.
    """
    height, width = ids.shape
    rows, columns = (max(1, round(side * SIDE / max(height, width))) for side in (height, width))
    cells = _at(ids, np.arange(rows) + 0.5, np.arange(columns) + 0.5, rows, columns)
    fine = _at(ids, np.arange(2 * rows) / 2 + 0.25, np.arange(2 * columns) / 2 + 0.25, rows, columns)
    if _sides(fine) <= HIDDEN * _sides(cells):
        return cells
    turns = (np.arange(n) + 0.25 + 0.5 * (np.arange(n) % 2) for n in (rows, columns))
    return _at(ids, *turns, rows, columns)


def _at(ids: np.ndarray, ys: np.ndarray, xs: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The classes at places given in cells, of which there are rows x columns."""
    height, width = ids.shape
    return ids[(ys * height / rows).astype(np.intp)][:, (xs * width / columns).astype(np.intp)]


def _sides(cells: np.ndarray) -> int:
    """Sides between cells that are not the same."""
    return np.count_nonzero(cells[:, 1:] != cells[:, :-1]) + np.count_nonzero(cells[1:] != cells[:-1])


def interleavings(ids: np.ndarray) -> list[Interleaving]:
    """The pairs of classes that interleave, widest first; together they cover the interleaved area.

    Args:
        ids: (h, w) uint8 class indices, 255 = unknown; any size.

    Every interleaved window is shared out among the pairs of classes in proportion to the length of their boundaries in
    it. Shares are rounded to 4 decimals, and what is nothing then is left out.
    """
    cells = cells_of(ids)
    units = boundary(cells)
    area = _interleaved(units)
    if not area.any():
        return []
    share = np.where(area, 1 / np.maximum(window_sum(units, WINDOW), 1), 0.0) / area.size
    worth = window_sum(share, WINDOW)  # of a unit of boundary at a cell: its part in all the windows that it is in
    keys, shares = [], []
    for here, there, unit, differ in unlike(cells):
        a, b = cells[here][differ].astype(np.int64), cells[there][differ]
        keys.append(np.minimum(a, b) * 256 + np.maximum(a, b))
        shares.append(unit * (worth[here] + worth[there])[differ])
    totals = np.bincount(np.concatenate(keys), np.concatenate(shares)).round(4)
    found = [Interleaving(pair // 256, pair % 256, float(totals[pair])) for pair in np.flatnonzero(totals).tolist()]
    return sorted(found, key=lambda i: (-i.share, i.first, i.second))


def interleaved_area(ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: where classes interleave, whatever the classes."""
    area = _interleaved(boundary(cells_of(ids))).astype(np.uint8)
    return cv2.resize(area, ids.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)


def _interleaved(units: np.ndarray) -> np.ndarray:
    return edge_density_around(units, WINDOW) * WINDOW > DEEP


def fragments(ids: np.ndarray) -> float:
    """Share of the picture, in [0, 1], that is label noise; (h, w) uint8 class indices, 255 = unknown, of any size.

    Cells of patches of at most SPECK cells ("patch": connected cells of one class), and cells of which LONE or more of the
    four neighbours are of another class. What lies against unknown is not held against it.
    """
    cells = cells_of(ids)
    others = np.zeros(cells.shape, np.uint8)
    joined = np.zeros([2 * side - 1 for side in cells.shape], np.uint8)  # cells, and between two of a class a bridge
    joined[::2, ::2] = 1
    for here, there, _, differ in islice(unlike(cells), 2):
        others[here] += differ
        others[there] += differ
    joined[::2, 1::2] = cells[:, :-1] == cells[:, 1:]
    joined[1::2, ::2] = cells[:-1] == cells[1:]
    _, patch = cv2.connectedComponents(joined, connectivity=4)
    patch = patch[::2, ::2]
    size = np.bincount(patch.ravel())[patch]
    return round(float(((others >= LONE) | ((size <= SPECK) & (others > 0))).mean()), 4)


def score(found: Sequence[Interleaving], fragments: float, alike: np.ndarray | None = None) -> float:
    """Coupling in [0, 1] from what `interleavings` and `fragments` gave; 0.5 at a weighed share of HALF.

    Args:
        alike: (n, n) in [0, 1], symmetric: twice the share of their cells in which a judge that never saw the picture takes
            one class of a pair for the other (label_error/alike.py); 1 = a toss of a coin. None, or NaN, when nobody knows.

    The weighed share is the sum of share * weight(alike) and FRAGMENT * fragments.
    """
    weighed = sum(i.share * _weight(i, alike) for i in found) + FRAGMENT * fragments
    return ramp(weighed, 0.0, 2 * HALF)


def unflattened(flat: Sequence[float]) -> list[Interleaving]:
    """first, second, share, first, second, share, ... as tables keep them."""
    return [Interleaving(int(flat[i]), int(flat[i + 1]), float(flat[i + 2])) for i in range(0, len(flat), 3)]


def heaviest_first(found: Sequence[Interleaving], alike: np.ndarray | None = None) -> list[Interleaving]:
    """The pairs in the order of what they add to the score."""
    return sorted(found, key=lambda i: (-i.share * _weight(i, alike), i.first, i.second))


def why(found: Sequence[Interleaving], fragments: float, alike: np.ndarray | None, names: Sequence[str]) -> str:
    """In words what weighs most, such as "sky/tree interleave over 31 % of the picture". `names` by class index."""
    if not found and not fragments:
        return "no two classes interleave"
    noise = f"specks and ragged borders over {_percent(fragments)} of the picture"
    if not found:
        return noise
    most, together = heaviest_first(found, alike)[0], sum(i.share for i in found)
    woven = f"{names[most.first]}/{names[most.second]} interleave over {_percent(most.share)} of the picture"
    if most.share < together / 2:
        woven += f", all classes together over {_percent(together)}"
    weighed = sum(i.share * _weight(i, alike) for i in found)
    if FRAGMENT * fragments < weighed / 4:
        return woven
    return f"{woven}; {noise}" if FRAGMENT * fragments < weighed else f"{noise}; {woven}"


def measure(view: View) -> float | None:
    """Coupling in [0, 1] as long as nobody knows which classes look alike; None without a label map."""
    if view.ids is None:
        return None
    return score(interleavings(view.ids), fragments(view.ids))


def _weight(pair: Interleaving, alike: np.ndarray | None) -> float:
    """(1 + alike) / 2, so 0.5 to 1.

    A pair that looks alike cannot be learned at all where it interleaves: the whole share counts. Leaves before a sky are
    told apart with ease, but no label map follows them: about half of what is drawn there is on the wrong side of the
    border, whatever the classes look like. So half is the least.
    """
    known = np.nan if alike is None else float(alike[pair.first, pair.second])
    return (1 + (ALIKE_UNKNOWN if np.isnan(known) else known)) / 2


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
