"""Things people made, as polygons in the world: a house, a fence, a sailing boat."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from curation.demo.canvas import Canvas
from curation.demo.classes import CLASS_ID
from curation.demo.light import Light

Point = tuple[float, float, float]
Air = Callable[[np.ndarray, float], np.ndarray]  # (colour, depth) -> the colour seen from the camera


def _shaded(albedo: np.ndarray, normal: np.ndarray, light: Light) -> np.ndarray:
    direct = max(float(np.sum(normal * light.sun)), 0.0)
    return albedo * (direct * light.sun_colour + (0.55 + 0.35 * normal[1]) * (light.ambient + 0.06 * light.sun_colour))


class House:
    """A gabled house; drawn once from `rng`, painted on any canvas."""

    def __init__(self, x: float, ground: float, z: float, rng: np.random.Generator) -> None:
        self.x, self.ground, self.z = x, ground, z
        self.turn = rng.uniform(-0.9, 0.9)
        self.length, self.depth = rng.uniform(0.65, 0.95), rng.uniform(0.42, 0.55)
        self.eaves, self.roof = rng.uniform(0.50, 0.75), rng.uniform(0.40, 0.62)
        walls = ((0.62, 0.58, 0.50), (0.50, 0.16, 0.10), (0.55, 0.45, 0.30), (0.70, 0.68, 0.64))
        roofs = ((0.30, 0.09, 0.05), (0.12, 0.11, 0.11), (0.22, 0.13, 0.08))
        self.wall = np.array(walls[int(rng.integers(4))])
        self.tiles = np.array(roofs[int(rng.integers(3))])

    def _point(self, along: float, height: float, across: float) -> Point:
        c, s = np.cos(self.turn), np.sin(self.turn)
        return (
            self.x + c * along * self.length + s * across * self.depth,
            self.ground + height,
            self.z - s * along * self.length + c * across * self.depth,
        )

    def paint(self, canvas: Canvas, light: Light, air: Air) -> None:
        """Paint the sides that the camera sees, or on a mirror canvas, the camera's mirror image."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        house = CLASS_ID["house"]
        low, eaves, top = -0.35, self.eaves, self.eaves + self.roof  # the walls go into the ground
        view = np.array([-self.x, 0.0, -self.z])
        pitch = np.sqrt(self.roof**2 + self.depth**2)

        def fill(points: list[Point], albedo: np.ndarray, normal: np.ndarray) -> None:
            canvas.polygon(points, air(_shaded(albedo, normal, light), self.z), house, self.z - 0.6)

        for end in (-1.0, 1.0):  # gable ends
            normal = np.array([end * c, 0.0, -end * s])
            if np.sum(normal * view) > 0:
                a, b = self._point(end, low, -1.0), self._point(end, low, 1.0)
                a2, b2 = self._point(end, eaves, -1.0), self._point(end, eaves, 1.0)
                fill([a, a2, self._point(end, top, 0.0), b2, b], self.wall, normal)
                self._windows(lambda p, h, end=end: self._point(end, h, p), (-0.45, 0.45), normal, fill)
        for end in (-1.0, 1.0):  # long walls, then the roof above them
            normal = np.array([end * s, 0.0, end * c])
            if np.sum(normal * view) > 0:
                corners = [
                    self._point(-1, low, end),
                    self._point(-1, eaves, end),
                    self._point(1, eaves, end),
                    self._point(1, low, end),
                ]
                fill(corners, self.wall, normal)
                self._windows(lambda p, h, end=end: self._point(p, h, end), (-0.6, 0.0, 0.6), normal, fill)
            upwards = (normal * self.roof + np.array([0.0, self.depth, 0.0])) / pitch
            ridge = self._point(0.0, top, 0.0)
            away = np.array([-ridge[0], canvas.view.camera * (-1 if canvas.mirror else 1) - ridge[1], -ridge[2]])
            if np.sum(upwards * away) > 0:
                rim = eaves - 0.08
                slope = [
                    self._point(-1.1, rim, 1.16 * end),
                    self._point(-1.1, top, 0.0),
                    self._point(1.1, top, 0.0),
                    self._point(1.1, rim, 1.16 * end),
                ]
                fill(slope, self.tiles, upwards)

    def _windows(
        self, wall: Callable[[float, float], Point], places: tuple[float, ...], normal: np.ndarray, fill: Callable
    ) -> None:
        """Dark panes at `places` along a wall; wall(along, height) is a point on it."""
        low, high = 0.40 * self.eaves, 0.78 * self.eaves
        for p in places:
            glass = [wall(p - 0.13, low), wall(p - 0.13, high), wall(p + 0.13, high), wall(p + 0.13, low)]
            fill(glass, np.array([0.05, 0.06, 0.075]), normal)


def paint_fence(canvas: Canvas, points: list[Point], light: Light, air: Air) -> None:
    """Posts at the ground points (x, height, z), with two rails between neighbours."""
    wood = _shaded(np.array([0.26, 0.20, 0.14]), np.array([0.0, 0.3, -0.95]), light)
    fence = CLASS_ID["fence"]
    for a, b in pairwise(points):
        for height in (0.13, 0.24):
            half = 0.016
            rail = [(p[0], p[1] + height + d, p[2]) for p, d in ((a, -half), (a, half), (b, half), (b, -half))]
            canvas.polygon(rail, air(wood * 0.9, a[2]), fence, min(a[2], b[2]))
    for x, ground, z in points:
        post = [
            (x - 0.022, ground - 0.05, z),
            (x - 0.022, ground + 0.31, z),
            (x + 0.022, ground + 0.31, z),
            (x + 0.022, ground - 0.05, z),
        ]
        canvas.polygon(post, air(wood, z), fence, z)


def paint_boat(canvas: Canvas, x: float, z: float, size: float, light: Light, air: Air) -> None:
    """A small sailing boat on the water at (x, z)."""
    side = np.array([0.2, 0.1, -0.97])
    hull = _shaded(np.array([0.42, 0.16, 0.10]), side, light)
    white = np.array([0.78, 0.75, 0.68])
    cloth = _shaded(white, side, light) + 0.075 * white * light.sun_colour  # sails let some light through
    for colour, corners in (  # corners in boat lengths: along, up
        (hull, ((-0.55, 0.20), (0.62, 0.22), (0.42, 0.0), (-0.42, 0.0))),
        (cloth, ((0.05, 0.26), (0.05, 1.55), (-0.52, 0.30))),
        (0.88 * cloth, ((0.10, 0.28), (0.10, 1.25), (0.52, 0.30))),
        (0.5 * hull, ((0.05, 0.20), (0.05, 1.60), (0.09, 1.60), (0.09, 0.20))),
    ):
        points = [(x + along * size, up * size, z) for along, up in corners]
        canvas.polygon(points, air(colour, z), CLASS_ID["boat"], z)
