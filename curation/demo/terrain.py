"""The ground: a height field with a class id at every node of the view."""

from dataclasses import dataclass

import numpy as np

from curation.demo.classes import CLASS_ID, CLASSES
from curation.demo.composition import Composition
from curation.demo.noise import doubled, fbm, line_noise, noise_table, ridged, smoothstep, value_noise
from curation.demo.view import View

FAR = 78.0  # depth where the mountains end
CAN_BE_WOODED = np.isin(CLASSES, ("grass", "land", "earth", "field", "hill", "mountain"))


@dataclass(frozen=True)
class Terrain:
    """Node arrays are (D, W); depth is (D,). Units are those of Composition."""

    depth: np.ndarray
    x: np.ndarray
    height: np.ndarray  # float64, 0 on water
    bed: np.ndarray  # the same without the water, negative below it
    label: np.ndarray  # uint8 class ids
    water: np.ndarray  # bool
    forest: np.ndarray  # float64 in [0, 1], how far up its canopy a tree node lies
    snow_line: float

    def slopes(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """The height's derivatives along x and z."""
        z = self.depth[:, None]
        along_x = np.gradient(self.height, axis=1) * view.focal / z
        # Down a column of nodes x changes too: dh/dz there is h_x * slope + h_z.
        along_z = np.gradient(self.height, self.depth, axis=0) - along_x * view.slope
        return along_x, along_z


def shore_distance(c: Composition, x: np.ndarray, z: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """About how far a point lies from the shore: positive on land, negative in the water."""
    a, b, d, e, g = c.shore
    if c.kind == "lake":  # an ellipse around (a, b) with radii (d, e), leaning by g
        lean = x - a - g * (z - b)
        return (np.sqrt((lean / d) ** 2 + ((z - b) / e) ** 2) - 1.0) * e + 1.6 * warp
    if c.kind == "coast":  # land on one side, a shoreline that runs away from the camera
        return c.side * (x - a) - b * (z - 4.0) + (1.0 + 3.5 * d * smoothstep(4.0, 30.0, z)) * 1.5 * warp
    if c.kind == "open_sea":  # a beach in front, perhaps an island of radius g around (d, e)
        beach = 0.5 * (a - z) + b * x + 0.8 * warp
        if c.hill_height == 0 and c.mountain_height == 0:
            return beach
        island = 0.5 * g * (1.0 - np.sqrt(((x - d) / g) ** 2 + ((z - e) / (0.7 * g)) ** 2)) + 1.5 * warp
        return np.maximum(beach, island)
    if c.kind == "river":  # a band of half width b that winds with amplitude d and wavelength 2 pi e
        middle = a + d * np.sin(z / e + g) * smoothstep(0.0, 25.0, z) * 1.6 - 0.12 * c.side * z
        return np.abs(x - middle) - b * (1.0 + 0.4 * warp) - 0.01 * z
    return np.full(x.shape, 20.0)


def path_distance(c: Composition, x: np.ndarray, z: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """Distance from the middle of the path."""
    start = -c.side * 1.1
    return np.abs(x - start - c.side * 0.10 * z - 2.2 * bends * smoothstep(2.0, 12.0, z))


def build_terrain(c: Composition, view: View, rng: np.random.Generator) -> Terrain:
    """Heights and classes of a composition; every random choice comes from `rng`."""
    table = noise_table(rng)
    depth = view.depths(c.mountain_start if c.mountain_height > 0 else 0.6 * FAR, FAR)
    z = np.broadcast_to(depth[:, None], (len(depth), view.width))
    x = view.slope[None, :] * z
    footprint = depth[:, None] / view.focal
    half = (slice(None, None, 2), slice(None, None, 2))
    x2, z2, footprint2 = x[half], z[half], 2.0 * footprint[::2]

    def broad(noise: np.ndarray) -> np.ndarray:
        return doubled(noise, *x.shape)

    warp = broad(fbm(table, x2 * 0.16 + 3.1, z2 * 0.16, 4, footprint2, 6.0))

    shore = shore_distance(c, x, z, warp) if c.water else np.full(x.shape, 20.0)
    base = np.clip((0.16 if c.kind != "river" else 0.28) * shore, -0.6, 0.42)
    land = smoothstep(0.04, 0.34, base)
    rough = fbm(table, x * 0.4 + 11.0, z * 0.4, 5, footprint, 2.5)
    bed = base + land * c.roughness * rough * smoothstep(0.0, 9.0, z)

    # Hills rise behind the open ground and away from the water.
    hill = np.zeros(x.shape)
    if c.hill_height > 0:
        start = 11.0 if c.kind == "open_sea" else c.hill_start
        near = int(np.searchsorted(depth, start))
        hx, hz = x[near:], z[near:]
        shape = 0.5 + 0.5 * fbm(table, hx * 0.09 + 40.0, hz * 0.09 + 9.0, 5, footprint[near:], 11.0, gain=0.40)
        if c.kind == "open_sea":
            away = smoothstep(0.0, 7.0, shore[near:]) * smoothstep(11.0, 14.0, hz)
        else:
            away = smoothstep(0.6, 9.0, shore[near:]) * smoothstep(start, start + 16.0, hz)
        lean = 1.0 + 0.5 * np.clip(c.side * view.slope * 2.0, -1.0, 1.0)
        hill[near:] = c.hill_height * away * lean * np.clip(shape, 0.0, 1.2) * (1.0 - smoothstep(0.8 * FAR, FAR, hz))
    bed = bed + hill

    mountain = np.zeros(x.shape)
    if c.mountain_height > 0:
        first = int(np.searchsorted(depth, 0.8 * c.mountain_start))
        mx, mz = x[first:], z[first:]
        skyline = line_noise(rng, view.slope * 4.0 + 8.0, 3)
        envelope = np.clip(0.62 + 0.55 * skyline + c.mountain_tilt * view.slope, 0.06, 1.25)
        rise = smoothstep(c.mountain_start, 0.92 * FAR, mz) * (1.0 - smoothstep(0.93 * FAR, FAR, mz))
        rise = 0.30 * smoothstep(0.8 * c.mountain_start, 1.25 * c.mountain_start, mz) * (1.0 - rise) + rise
        crest = ridged(table, mx * 0.062, mz * 0.062, 7, footprint[first:], 16.0)
        crest += 0.05 * fbm(table, mx * 0.5, mz * 0.5, 3, footprint[first:], 2.0)
        ashore = smoothstep(0.4, 6.0, shore[first:])
        mountain[first:] = c.mountain_height * envelope * rise * (0.12 + crest) * ashore
    bed = bed + mountain

    label = np.full(x.shape, CLASS_ID[c.ground], np.uint8)
    blotch = broad(value_noise(table, x2 * 0.23 + 0.3 * warp[half], z2 * 0.16)) + 0.35 * rough
    label[blotch > 1.0 - c.patch_share] = CLASS_ID[c.patch]
    label[(blotch < -0.95) & (c.kind in ("steppe", "meadow"))] = CLASS_ID["rock"]
    label[hill > 0.42] = CLASS_ID["hill"]
    label[mountain > np.maximum(0.55, hill)] = CLASS_ID["mountain"]
    if c.beach > 0:
        label[(base + 0.03 * rough < c.beach) & (hill + mountain < 0.4)] = CLASS_ID["sand"]
    elif c.water:
        label[(base + 0.05 * rough < 0.06) & (hill + mountain < 0.4)] = CLASS_ID["earth"]
    if c.path:
        bends = line_noise(rng, depth * 0.11, 2)[:, None]
        width = 0.42 if c.path == "path" else 0.62
        on_path = path_distance(c, x, z, bends) + 0.05 * rough < width
        firm = (base > 0.16) & (hill < 0.5) & (mountain < 0.2)
        open_so_far = np.logical_and.accumulate((firm | ~on_path).all(axis=1))  # it ends where it first meets water
        label[on_path & open_so_far[:, None]] = CLASS_ID[c.path]

    # A forest is a canopy laid over the ground, with crowns as bumps.
    open_ground = CAN_BE_WOODED[label]
    tree_line = 0.35 * c.mountain_height + 1.2 * rough
    cover = broad(fbm(table, x2 * 0.13 + 21.0, z2 * 0.10 + 4.0, 4, footprint2, 7.0)) + c.forest
    cover = cover + 0.5 * smoothstep(c.hill_start, 1.5 * c.hill_start, z) - 0.45
    cover = np.where(open_ground & (base > 0.2) & (z > 8.0), cover, -1.0)
    cover = cover - 2.0 * smoothstep(-0.6, 0.6, mountain + hill - np.maximum(tree_line, 1.6))
    wooded = (cover > 0.0) & (z < FAR)
    crowns = np.zeros(x.shape)
    if wooded.any():
        wx, wz = x[wooded], z[wooded]
        bumps = np.abs(value_noise(table, wx * 1.7, wz * 1.7))
        bumps += 0.6 * np.abs(value_noise(table, wx * 4.1 + 9.0, wz * 4.1))
        crowns[wooded] = np.clip(0.25 + 0.75 * bumps, 0.0, 1.0)
        crowns[1:][wooded[1:] & ~wooded[:-1]] = 0.0  # the foot of the forest's edge, dark under the crowns
        label[wooded] = CLASS_ID["tree"]
        bed = bed + crowns * 0.75

    water = (bed < 0.0) & (base < 0.1)
    if c.water:
        label[water] = CLASS_ID[c.water]
    height = np.where(water, 0.0, np.maximum(bed, 0.01))
    return Terrain(depth, x, height, bed, label, water, crowns, snow_line=0.42 * c.mountain_height + 1.5)
