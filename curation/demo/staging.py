"""What stands on the ground and where: trees, bushes, stones, a house, a fence, a boat."""

from dataclasses import dataclass

import numpy as np

from curation.demo.classes import CLASS_ID
from curation.demo.composition import Composition
from curation.demo.noise import doubled, fbm, smoothstep
from curation.demo.terrain import Terrain
from curation.demo.view import View

FOREST_SEEDS = 2  # the many small trees of forests have seeds below this, so that few sprites serve them all


@dataclass(frozen=True)
class Thing:
    """One thing standing at (x, ground, z); `size` is its height in world units, `seed` gives its details."""

    kind: str  # "broad_tree", "conifer", "bush", "boulder", "house", "fence", "boat"
    x: float
    ground: float
    z: float
    size: float
    seed: int
    points: tuple[tuple[float, float, float], ...] = ()  # posts of a fence


class _Ground:
    """Looks up the terrain under a point of the world."""

    def __init__(self, terrain: Terrain, view: View) -> None:
        self.terrain, self.view = terrain, view

    def at(self, x: float, z: float) -> tuple[str | None, float]:
        """(class, height) at a point; the class is None outside the picture."""
        i = int(np.searchsorted(self.terrain.depth, z))
        j = int(np.floor(self.view.column(z, x)))
        if not (0 < i < len(self.terrain.depth) and 0 <= j < self.view.width):
            return None, 0.0
        return int(self.terrain.label[i, j]), float(self.terrain.height[i, j])


def place(c: Composition, terrain: Terrain, view: View, rng: np.random.Generator) -> list[Thing]:
    """The things of a scene, from far to near. Each stands on ground that suits it or is left out."""
    ground = _Ground(terrain, view)
    green = {CLASS_ID[k] for k in ("grass", "land", "field", "earth", "hill", "tree")}
    dry = green | {CLASS_ID[k] for k in ("sand", "rock")}
    things: list[Thing] = []

    def put(kind: str, x: float, z: float, size: float, allowed: set[int], sink: float = 0.03) -> bool:
        seed = int(rng.integers(2**31))
        class_id, height = ground.at(x, z)
        if class_id is None or class_id not in allowed or height <= 0.02:
            return False
        things.append(Thing(kind, x, height - sink * size, z, size, seed))
        return True

    for _ in range(c.trees):  # clumps: a middle, then a few around it
        slope, z = rng.uniform(-0.52, 0.52), 5.5 * 6.5 ** rng.random()
        kind = "conifer" if rng.random() < c.conifers else "broad_tree"
        for _ in range(1 + int(rng.integers(4))):
            x, dz = slope * z + rng.uniform(-0.9, 0.9), rng.uniform(-0.8, 0.8)
            size = rng.uniform(0.9, 1.9) * (1.25 if kind == "conifer" else 1.0)
            put(kind, x, z + dz, size, green)
    # Small trees along the near edges of forests and among their crowns.
    wood = terrain.label == CLASS_ID["tree"]
    wood &= (terrain.depth < 60.0)[:, None]
    edge = np.flatnonzero(wood[1:] & ~wood[:-1]) + view.width
    inside = np.flatnonzero(wood)
    for nodes, count in ((edge, 42), (inside, 20)):
        for node in nodes[rng.integers(0, max(1, len(nodes)), count)] if len(nodes) else ():
            z, size = float(terrain.depth[node // view.width]), rng.uniform(0.8, 1.3)
            kind = "conifer" if rng.random() < max(c.conifers, 0.25) else "broad_tree"
            base = float(terrain.height.ravel()[node]) - 0.7 * float(terrain.forest.ravel()[node])
            things.append(
                Thing(kind, float(terrain.x.ravel()[node]), base, 0.998 * z, size, int(rng.integers(FOREST_SEEDS)))
            )
    if c.framing_tree:
        slope, z = c.side * rng.uniform(0.30, 0.46), rng.uniform(4.2, 6.0)
        kind = "conifer" if rng.random() < 0.5 * c.conifers else "broad_tree"
        put(kind, slope * z, z, rng.uniform(2.0, 3.0), green)
    for _ in range(c.bushes):
        slope, z = rng.uniform(-0.52, 0.52), 3.0 * 3.5 ** rng.random()
        put("bush", slope * z, z, rng.uniform(0.14, 0.40), green)
    shore_rocks = dry | ({CLASS_ID[c.water]} if c.water else set())
    for _ in range(c.rocks):
        slope, z = rng.uniform(-0.52, 0.52), 3.0 * 4.0 ** rng.random()
        size, seed = rng.uniform(0.15, 0.55), int(rng.integers(2**31))
        class_id, height = ground.at(slope * z, z)
        if class_id in shore_rocks:
            things.append(Thing("boulder", slope * z, height - 0.06 * size, z, size, seed))
    if c.house:
        for _ in range(6):  # the first place that is level, open and dry
            slope, z = rng.uniform(-0.36, 0.36), rng.uniform(6.5, 12.0)
            seed = int(rng.integers(2**31))
            around = [ground.at(slope * z + dx, z + dz) for dx in (-1.1, 0.0, 1.1) for dz in (-1.0, 0.0, 1.0)]
            heights = [height for _, height in around]
            if all(k in green for k, _ in around) and max(heights) - min(heights) < 0.45 and min(heights) > 0.1:
                things = [t for t in things if abs(t.x - slope * z) > 1.3 or abs(t.z - z) > 1.2]
                things.append(Thing("house", slope * z, min(heights) + 0.05, z, 1.2, seed))
                break
    if c.fence:
        z, bend = rng.uniform(4.5, 7.0), rng.uniform(-0.25, 0.25)
        posts = []
        for k in range(26):
            x = (k - 12.5) * 0.5
            pz = z + bend * x
            class_id, height = ground.at(x, pz)
            if class_id in green:
                posts.append((x, height, pz))
            elif posts and class_id is not None:
                break
        if len(posts) > 3:
            things.append(Thing("fence", posts[0][0], posts[0][1], max(p[2] for p in posts), 0.3, 0, tuple(posts)))
    if c.boat:
        for _ in range(5):
            slope, z, size, seed = (
                rng.uniform(-0.4, 0.4),
                rng.uniform(7.0, 18.0),
                rng.uniform(0.6, 1.0),
                int(rng.integers(2**31)),
            )
            around = [ground.at(slope * z + dx, z + dz)[0] for dx in (-0.8, 0.0, 0.8) for dz in (-0.5, 0.5)]
            if all(k == CLASS_ID[c.water] for k in around):
                things.append(Thing("boat", slope * z, 0.0, z, size, seed))
                break
    return sorted(things, key=lambda t: -t.z)


def darken_under(things: list[Thing], terrain: Terrain, view: View, sun: np.ndarray, visible_sun: np.ndarray) -> None:
    """Lay the shadow of each thing on the ground: a soft ellipse that leans away from the sun. In place, (D, W)."""
    flat = np.sqrt(sun[0] ** 2 + sun[2] ** 2)
    for t in things:
        if t.kind in ("fence", "boat") or t.seed < FOREST_SEEDS:  # the forest's own trees stand in its shade
            continue
        reach = 0.5 * min(t.size * flat / max(float(sun[1]), 0.12), 4.0 * t.size)
        dx, dz = -sun[0] / flat, -sun[2] / flat
        wide = {"conifer": 0.20, "broad_tree": 0.36, "house": 0.75}.get(t.kind, 0.6) * t.size
        x, z = t.x + dx * reach, t.z + dz * reach
        span = reach + 2.5 * wide
        i0, i1 = np.searchsorted(terrain.depth, (z - span, z + span))
        if i1 <= i0 or z <= 0.5:
            continue
        near = max(z - span, 0.5)
        j0 = int(np.clip(view.column(near if x < span else z + span, x - span), 0, view.width))
        j1 = int(np.clip(view.column(near if x > -span else z + span, x + span), 0, view.width)) + 1
        here = (slice(int(i0), int(i1)), slice(j0, j1))
        ox, oz = terrain.x[here] - x, terrain.depth[here[0]][:, None] - z
        along, across = ox * dx + oz * dz, ox * dz - oz * dx
        depth = 1.0 - (along / (reach + 0.35 * wide)) ** 2 - (across / wide) ** 2
        visible_sun[here] *= 1.0 - 0.80 * np.clip(1.6 * depth, 0.0, 1.0)


def cloud_shadows(terrain: Terrain, table: np.ndarray, cover: float) -> np.ndarray:
    """(D, W) share of the sun that clouds let through to the ground."""
    x, z = terrain.x[::2, ::2], terrain.depth[::2, None]
    patch = doubled(fbm(table, x * 0.06 + 31.0, z * 0.045, 3), *terrain.x.shape)
    return 1.0 - 0.5 * cover * smoothstep(0.0, 0.6, patch)
