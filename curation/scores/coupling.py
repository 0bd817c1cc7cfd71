"""Coupling: two classes interleaved so finely that a learner cannot tell where one ends (tree/sky, railing/water).

Landscape ecology calls the quantity edge density: length of class boundary per area [McGarigal & Marks 1995, FRAGSTATS,
"ED"]. Here it is taken locally, per pair of classes, in windows of 1/16 of the picture: one straight boundary gives
about 1/16 per pixel, a fine mixture several times that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from curation.label_space import UNKNOWN
from curation.scores.view import View, ramp

WINDOW = 16  # preview pixels; 1/16 of a 256-pixel long side
INTERLEAVED = (
    0.20  # boundary length per pixel, in preview pixels: more than three straight boundaries through one window
)


@dataclass(frozen=True)
class Interleaving:
    """Two class indices and the share of the picture, in [0, 1], over which they interleave."""

    first: int
    second: int
    share: float


def boundaries(ids: np.ndarray) -> np.ndarray:
    """(h, w) uint8 class indices -> (h, w) uint8 count, 0-2, of boundaries to the right and below; unknown has none."""
    known = ids != UNKNOWN
    edges = np.zeros(ids.shape, np.uint8)
    edges[:, :-1] += (ids[:, :-1] != ids[:, 1:]) & known[:, :-1] & known[:, 1:]
    edges[:-1] += (ids[:-1] != ids[1:]) & known[:-1] & known[1:]
    return edges


def edge_density(edges: np.ndarray) -> np.ndarray:
    """Boundary length per pixel around each pixel, (h, w) float32, within a WINDOW x WINDOW square."""
    return cv2.blur(edges.astype(np.float32), (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)


def interleaved_area(ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: where the boundary is longer than INTERLEAVED per pixel, whatever the classes."""
    scale = max(ids.shape) / 256  # a smaller picture has proportionally more boundary per pixel
    return edge_density(boundaries(ids)) * min(scale, 1.0) > INTERLEAVED


def interleavings(ids: np.ndarray) -> list[Interleaving]:
    """The class pairs that interleave, widest first: for each, the interleaved area in which its boundary prevails."""
    area = interleaved_area(ids)
    if not area.any():
        return []
    keys: dict[int, int] = {}
    for a, b in ((ids[:, :-1], ids[:, 1:]), (ids[:-1], ids[1:])):
        here = area[: a.shape[0], : a.shape[1]] & (a != b) & (a != UNKNOWN) & (b != UNKNOWN)
        low, high = np.minimum(a[here], b[here]).astype(np.int64), np.maximum(a[here], b[here])
        for key, n in zip(*np.unique(low * 256 + high, return_counts=True), strict=True):
            keys[int(key)] = keys.get(int(key), 0) + int(n)
    total, share = sum(keys.values()), float(area.mean())
    found = [Interleaving(k // 256, k % 256, share * n / total) for k, n in keys.items()]
    return sorted(found, key=lambda i: (-i.share, i.first, i.second))


def measure(view: View) -> float | None:
    """Coupling in [0, 1], from the share of the picture whose classes interleave: 0.5 at 15 %. None without labels."""
    if view.ids is None:
        return None
    return ramp(float(interleaved_area(view.ids).mean()), 0.0, 0.30)
