"""What landscape ecology measures of a map of classes: how much boundary it has, how clumped and how mixed its classes are.

Enters: a label map as (h, w) uint8 class indices, 255 = unknown. Leaves: where its boundaries are and how long, cell by
cell (`boundary`, `edge_density_around`), or numbers for the whole map, worked out from which classes lie side by side
(`Adjacency`). A cell is one pixel of the map that is given, so maps are compared at one scale only. A side between a
known cell and an unknown one, or the frame of the picture, is no boundary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from curation.label_space import UNKNOWN

STRAIGHT, DIAGONAL = 17, 12  # 1 : 1 / sqrt(2) to 0.2 %, in whole numbers: sums are exact, so equal on every machine
CELL_SIDES = np.pi / 8 / (2 * STRAIGHT)  # boundary length of one such unit; the 2: either cell beside a boundary has it
ALL, LEFT, RIGHT = slice(None), slice(None, -1), slice(1, None)
STEPS = (
    ((ALL, LEFT), (ALL, RIGHT), STRAIGHT),
    ((LEFT, ALL), (RIGHT, ALL), STRAIGHT),
    ((LEFT, LEFT), (RIGHT, RIGHT), DIAGONAL),
    ((LEFT, RIGHT), (RIGHT, LEFT), DIAGONAL),
)  # from a cell to half of its eight neighbours: where from, where to, units


def unlike(ids: np.ndarray) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice], int, np.ndarray]]:
    """For each of STEPS: where from, where to, units, and a bool array: both cells known and of different classes."""
    known = ids != UNKNOWN
    for here, there, units in STEPS:
        yield here, there, units, (ids[here] != ids[there]) & known[here] & known[there]


def borders(ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: the cells whose left or upper neighbour is of a different class, both known."""
    found = np.zeros(ids.shape, bool)
    for _, there, _, differ in islice(unlike(ids), 2):  # sides alone, not corners
        found[there] |= differ
    return found


def boundary(ids: np.ndarray) -> np.ndarray:
    """Length of boundary at each cell, (h, w) uint8 in units of CELL_SIDES, at most 4 * STRAIGHT + 4 * DIAGONAL = 116.

    The length is the same whichever way a boundary runs, within 6 % for a straight one, where counting the sides of cells
    makes an oblique one up to sqrt(2) longer: Cauchy's and Crofton's formula, as a weighted count of unlike neighbours in
    four directions [Boykov & Kolmogorov 2003, "Computing geodesics and minimal surfaces via graph cuts"; a grid of
    step 1, angles 45 degrees apart]. Half of each count stands at either of the two cells.
    """
    units = np.zeros(ids.shape, np.uint8)
    for here, there, unit, differ in unlike(ids):
        marks = differ.view(np.uint8) * np.uint8(unit)
        units[here] += marks
        units[there] += marks
    return units


def window_sum(values: np.ndarray, window: int) -> np.ndarray:
    """Sum over the window x window cells around each cell, as far as they are in the picture.

    (h, w) uint8 -> (h, w) int32, exact; (h, w) float64 -> (h, w) float64. `window` is odd.
    """
    depth = cv2.CV_32S if values.dtype == np.uint8 else cv2.CV_64F
    return cv2.boxFilter(values, depth, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)


def edge_density_around(units: np.ndarray, window: int) -> np.ndarray:
    """Edge density in the window around each cell: length of boundary (in cell sides) per cell, (h, w) float64.

    `units` is what `boundary` gave. Edge density is E / A [McGarigal & Marks 1995, FRAGSTATS, "ED"; there in metres per
    hectare]; here A is the part of the window inside the picture.
    """
    cells = window_sum(np.ones(units.shape, np.uint8), window)
    return CELL_SIDES * window_sum(units, window) / cells


@dataclass(frozen=True)
class Adjacency:
    """How often cells of two classes lie side by side in a map.

    classes  (k,) uint8: the class indices that occur, ascending
    cells    (k,) int64: their areas
    sides    (k, k) int64, symmetric: cell sides between two classes, each side counted once; on the diagonal the sides
             within a class ("like adjacencies")
    """

    classes: np.ndarray
    cells: np.ndarray
    sides: np.ndarray


def adjacency(ids: np.ndarray) -> Adjacency:
    """Count the sides of a label map: horizontal and vertical neighbours, both known."""
    cells = np.bincount(ids.ravel(), minlength=256)
    cells[UNKNOWN] = 0
    classes = np.flatnonzero(cells)
    k = len(classes)
    code = np.full(256, k, np.intp)  # unknown: one row and column more, cut off below
    code[classes] = np.arange(k)
    coded = code[ids]
    sides = np.zeros((k + 1) ** 2, np.int64)
    for here, there, _ in STEPS[:2]:
        sides += np.bincount((coded[here] * (k + 1) + coded[there]).ravel(), minlength=(k + 1) ** 2)
    one_way = sides.reshape(k + 1, k + 1)[:k, :k]
    both_ways = one_way + one_way.T
    both_ways[np.diag_indices(k)] //= 2
    return Adjacency(classes.astype(np.uint8), cells[classes], both_ways)


def edge_density(map_: Adjacency, at: int | None = None) -> float:
    """Boundary per cell: E / A, with E the cell sides between different classes and A the known cells; 0 to 2.

    `at`: only the boundary of the class `classes[at]`, over the same A. [McGarigal & Marks 1995, FRAGSTATS, "ED"; there in
    metres per hectare.] NaN when nothing is known.
    """
    unlike_sides = map_.sides - np.diag(np.diag(map_.sides))
    length = unlike_sides.sum() / 2 if at is None else unlike_sides[at].sum()
    area = map_.cells.sum()
    return float(length / area) if area else np.nan


def contagion(map_: Adjacency) -> float:
    """How clumped the classes lie together: 1 for a few large patches, 0 where every class borders on all equally.

    1 + sum over i, j of p_ij ln p_ij / (2 ln k), with p_ij = P_i N_ij / sum_j N_ij: P_i the share of class i in the area,
    N_ij the sides from i to j, a side within a class counted from either of its cells [Li & Reynolds 1993, "A new
    contagion index to quantify spatial patterns of landscapes"]. NaN with fewer than two classes, or when a class borders
    on nothing known.
    """
    sides = map_.sides + np.diag(np.diag(map_.sides))
    of_class = sides.sum(1)
    if len(map_.classes) < 2 or not of_class.all():
        return np.nan
    p = map_.cells[:, None] / map_.cells.sum() * sides / of_class[:, None]
    return 1 - _entropy(p) / (2 * float(np.log(len(map_.classes))))


def interspersion(map_: Adjacency, at: int | None = None) -> float:
    """Interspersion and juxtaposition index: 1 where every class borders on every other equally long, 0 where on one only.

    - sum over i < j of e_ij / E ln(e_ij / E) / ln(k (k - 1) / 2), with e_ij the sides between i and j and E all of them.
    `at`: of the class i = `classes[at]`, - sum over j of e_ij / E_i ln(e_ij / E_i) / ln(k - 1), with E_i all its boundary.
    [McGarigal & Marks 1995, FRAGSTATS, "IJI", / 100.] NaN with fewer than three classes, or without any boundary.
    """
    k = len(map_.classes)
    sides = map_.sides[np.triu_indices(k, 1)] if at is None else np.delete(map_.sides[at], at)
    total = sides.sum()
    return _entropy(sides / total) / float(np.log(len(sides))) if k > 2 and total else np.nan


def aggregation(map_: Adjacency, at: int | None = None) -> float:
    """Aggregation index: 1 when a class is as compact as its area allows, 0 when no two of its cells touch.

    Like adjacencies of the class `classes[at]` over the most that its area A can have, which a square has, with a row more:
    with n = floor(sqrt(A)) and m = A - n^2, 2n(n - 1) for m = 0, 2n(n - 1) + 2m - 1 for m <= n, 2n(n - 1) + 2m - 2 above.
    NaN for a single cell. Without `at`: of all classes, by their area, as far as they have one. [He, DeZonia & Mladenoff
    2000, "An aggregation index (AI) to quantify spatial patterns of landscapes".]
    """
    if at is None:
        of_class = np.array([aggregation(map_, i) for i in range(len(map_.classes))])
        cells = map_.cells[~np.isnan(of_class)]
        return float((of_class[~np.isnan(of_class)] * cells).sum() / cells.sum()) if len(cells) else np.nan
    area = int(map_.cells[at])
    n = math.isqrt(area)
    m = area - n * n
    most = 2 * n * (n - 1) + (0 if m == 0 else 2 * m - 1 if m <= n else 2 * m - 2)
    return int(map_.sides[at, at]) / most if most else np.nan


def _entropy(p: np.ndarray) -> float:
    """- sum of p ln p, in nats; 0 ln 0 = 0."""
    some = p[p > 0]
    return float((some * -np.log(some)).sum())
