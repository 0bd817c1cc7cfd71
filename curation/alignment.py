"""Alignment of two thumbnails: which part of one photo the other shows, and how well they agree there.

What is compared is detail: the thumbnail, smoothed a little, minus its local mean; so neither brightness nor two smooth skies
count. The part is found by Gauss-Newton steps on its four borders [Lucas and Kanade 1981; Baker and Matthews 2004, "Lucas-Kanade 20
years on", Int. J. Comput. Vis. 56(3)]. Enters: (m, n, n) thumbnails, m couples at once. Leaves: correlations and boxes, (m, 4) left,
right, top, bottom as shares of the first photo; WHOLE where the second shows all of it.
"""

from __future__ import annotations

import numpy as np

WHOLE = np.array([0.0, 1.0, 0.0, 1.0])
TILES = 6  # a side, in which a mark that hides a part of the photo is told from another photo
LEAST_CONTRAST = 3.0  # grey levels: a tile below that in both photos says nothing
FARTHEST = 0.03  # by which one step may move a border
ROOM = np.array([[-0.02, 0.8, -0.02, 0.8], [0.2, 1.02, 0.2, 1.02]])  # where borders may come to lie


def detail(pictures: np.ndarray) -> np.ndarray:
    """(m, n, n) -> (m, n, n) float64: smoothed by (1, 2, 1) / 4 each way, minus the mean over about a quarter of the side."""
    smooth, broad = _filters(pictures.shape[-1])
    pictures = pictures.astype(np.float64)
    return smooth @ pictures @ smooth.T - broad @ pictures @ broad.T


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, n, n) details, twice -> (m,) in [-1, 1]; 0 where one is flat."""
    a, b = first.reshape(len(first), -1), second.reshape(len(second), -1)
    length = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return (a * b).sum(1) / np.maximum(length, 1e-9)


def align(first: np.ndarray, second: np.ndarray, boxes: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The box of the first that the second shows, from a guess: (m,) the best correlation met, (m, 4) where."""
    first = first.astype(np.float64)
    sought = detail(second)
    n = first.shape[-1]
    at = (np.arange(n) + 0.5) / n
    along = np.stack([1 - at, at])  # how far a pixel moves with the lower and the upper border
    best, where = np.full(len(first), -1.0), boxes.copy()
    boxes = boxes.copy()
    for step in range(steps + 1):
        shown = detail(_cut(first, boxes))
        now = correlation(shown, sought)
        better = now > best
        best[better], where[better] = now[better], boxes[better]
        if step == steps:
            break
        across = np.gradient(shown, axis=2) * (n / (boxes[:, 1] - boxes[:, 0])[:, None, None])
        down = np.gradient(shown, axis=1) * (n / (boxes[:, 3] - boxes[:, 2])[:, None, None])
        slopes = np.stack([*(across * a for a in along), *(down * a[:, None] for a in along), shown], axis=1).reshape(
            len(first), 5, -1
        )
        normal = slopes @ slopes.transpose(0, 2, 1)
        normal += np.eye(5) * (1e-6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-9)
        right = slopes @ sought.reshape(len(first), -1, 1)
        solved = np.linalg.solve(normal, right)[..., 0]
        gain = np.where(np.abs(solved[:, 4:]) < 0.1, 1, solved[:, 4:])
        boxes = np.clip(boxes + np.clip(solved[:, :4] / gain, -FARTHEST, FARTHEST), *ROOM)
    return best, where


def tiles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, n, n) thumbnails, twice -> (m, 36) correlation tile by tile, NaN where both are flat."""
    a, b = (_tiled(pictures) for pictures in (first, second))
    spread, spread_too = a.std(2), b.std(2)
    found = (a * b).mean(2) / np.maximum(spread * spread_too, 1e-9)
    return np.where(np.maximum(spread, spread_too) > LEAST_CONTRAST, found, np.nan)


def inverse(box: np.ndarray, mirror: bool) -> np.ndarray:
    """The box of the second that the first shows, from the box of the first that the second (mirrored) shows."""
    left, right, top, bottom = box
    wide, high = right - left, bottom - top
    x = (1 - (1 - left) / wide, 1 + left / wide) if mirror else (-left / wide, (1 - left) / wide)
    return np.array([*x, -top / high, (1 - top) / high])


def _tiled(pictures: np.ndarray) -> np.ndarray:
    side = pictures.shape[-1] // TILES
    cut = pictures.astype(np.float64).reshape(-1, TILES, side, TILES, side).transpose(0, 1, 3, 2, 4)
    cut = cut.reshape(len(pictures), TILES**2, side**2)
    return cut - cut.mean(2, keepdims=True)


def _cut(pictures: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Parts of pictures at the size of the whole; Catmull-Rom interpolation."""
    n = pictures.shape[-1]
    return _sampling(boxes[:, 2:], n) @ pictures @ _sampling(boxes[:, :2], n).transpose(0, 2, 1)


def _sampling(spans: np.ndarray, n: int) -> np.ndarray:
    """(m, 2) spans of the unit interval -> (m, n, n): row by row the weights of n pixels."""
    place = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * ((np.arange(n) + 0.5) / n)
    away = np.abs(np.clip(place * n - 0.5, 0, n - 1)[:, :, None] - np.arange(n))
    near, far = ((1.5 * away - 2.5) * away) * away + 1, ((-0.5 * away + 2.5) * away - 4) * away + 2
    weight = np.where(away < 1, near, np.where(away < 2, far, 0))
    return weight / weight.sum(2, keepdims=True)


def _filters(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) matrices: smooth a column; smooth it and take the local mean. Beyond the border the picture goes on reflected."""
    smooth, mean = np.zeros((n, n)), np.zeros((n, n))
    reach = n // 9  # 11 of 48 pixels
    rows = np.arange(n)
    for offset, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)):
        np.add.at(smooth, (rows, np.clip(rows + offset, 0, n - 1)), weight)
    for offset in range(-reach, reach + 1):
        column = rows + offset
        np.add.at(
            mean,
            (rows, np.where(column < 0, -1 - column, np.where(column >= n, 2 * n - 1 - column, column))),
            1 / (2 * reach + 1),
        )
    return smooth, mean @ smooth
