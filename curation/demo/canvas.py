"""A picture being painted, with depth and class at every pixel, that sprites and polygons can be put into."""

from dataclasses import dataclass

import numpy as np

from curation.demo.view import View


@dataclass
class Canvas:
    """colour (H, W, 3) linear float64, depth (H, W) float64, label (H, W) uint8; a mirror canvas is what still water
    shows: everything hangs below its reflection line, upside down."""

    view: View
    colour: np.ndarray
    depth: np.ndarray
    label: np.ndarray
    mirror: bool = False

    def project(self, x: float, height: float, z: float) -> tuple[float, float]:
        """(column, row) of a point of the world."""
        row = self.view.mirror_row(z, height) if self.mirror else self.view.row(z, height)
        return self.view.column(z, x), float(row)

    def _blend(self, top: int, left: int, colour: np.ndarray, alpha: np.ndarray, z: float, class_id: int) -> None:
        """Lay colour (h, w, 3) or (3,) over the canvas where nothing nearer than z is."""
        height, width = alpha.shape
        y0, x0 = max(0, -top), max(0, -left)
        y1, x1 = min(height, self.depth.shape[0] - top), min(width, self.depth.shape[1] - left)
        if y1 <= y0 or x1 <= x0:
            return
        here = (slice(top + y0, top + y1), slice(left + x0, left + x1))
        part = (slice(y0, y1), slice(x0, x1))
        cover = np.where(self.depth[here] > z * 0.999, alpha[part], 0.0)
        paint = colour[part] if colour.ndim == 3 else colour
        self.colour[here] += cover[..., None] * (paint - self.colour[here])
        solid = cover >= 0.5
        self.label[here][solid] = class_id
        self.depth[here][solid] = z

    def stamp(self, colour: np.ndarray, alpha: np.ndarray, foot: tuple[float, float, float], class_id: int) -> None:
        """Stand a sprite (h, w, 3), rows from top to bottom, on the point `foot` (x, height, z)."""
        column, row = self.project(*foot)
        left = int(np.floor(column - 0.5 * alpha.shape[1] + 0.5))
        if self.mirror:
            self._blend(int(np.floor(row + 0.5)), left, colour[::-1], alpha[::-1], foot[2], class_id)
        else:
            self._blend(int(np.floor(row + 0.5)) - alpha.shape[0], left, colour, alpha, foot[2], class_id)

    def polygon(self, corners: list[tuple[float, float, float]], colour: np.ndarray, class_id: int, z: float) -> None:
        """Fill a convex polygon of world points with one colour, edges anti-aliased, as if all at depth z."""
        points = np.array([self.project(*corner) for corner in corners])
        x, y = points[:, 0], points[:, 1]
        left, top = int(np.floor(x.min())) - 1, int(np.floor(y.min())) - 1
        width, height = int(np.ceil(x.max())) + 2 - left, int(np.ceil(y.max())) + 2 - top
        if width > 4 * self.view.width or height > 4 * self.view.height:
            return
        next_x, next_y = np.roll(x, -1), np.roll(y, -1)
        turn = np.sign(np.sum(x * next_y - next_x * y))
        column = left + np.arange(width)[None, :] + 0.5
        row = top + np.arange(height)[:, None] + 0.5
        inside = np.ones((height, width))
        for ax, ay, bx, by in zip(x, y, next_x, next_y, strict=True):
            length = max(float(np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)), 1e-6)
            distance = ((bx - ax) * (row - ay) - (by - ay) * (column - ax)) * turn / length
            inside = np.minimum(inside, np.clip(distance + 0.5, 0.0, 1.0))
        self._blend(top, left, colour, inside, z, class_id)
