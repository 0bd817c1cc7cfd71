"""What the ground is painted with: linear RGB albedo per node, from class, height, slope and noise."""

from dataclasses import dataclass

import numpy as np

from curation.demo.classes import CLASS_ID, CLASSES
from curation.demo.noise import fbm, noise_table, smoothstep, value_noise
from curation.demo.terrain import Terrain
from curation.demo.view import View


@dataclass(frozen=True)
class Palette:
    """Colours of one season and place; rows of `base` and `second` are classes, noise mixes the two."""

    base: np.ndarray  # (29, 3)
    second: np.ndarray  # (29, 3)
    leaves: np.ndarray  # (3,) broad-leaved trees
    leaves_second: np.ndarray
    needles: np.ndarray
    water: np.ndarray
    snow: float  # how far down snow lies, 1 usual, 0 none
    crops: np.ndarray  # (3, 3) colours of neighbouring fields


_COLOURS = {  # class: (two albedos)
    "mountain": ((0.21, 0.185, 0.165), (0.115, 0.105, 0.10)),
    "rock": ((0.24, 0.22, 0.20), (0.12, 0.11, 0.10)),
    "earth": ((0.23, 0.155, 0.095), (0.14, 0.095, 0.06)),
    "hill": ((0.13, 0.165, 0.055), (0.19, 0.165, 0.075)),
    "sand": ((0.50, 0.40, 0.27), (0.42, 0.33, 0.21)),
    "land": ((0.22, 0.20, 0.085), (0.15, 0.145, 0.06)),
    "grass": ((0.095, 0.165, 0.03), (0.16, 0.20, 0.05)),
    "field": ((0.30, 0.25, 0.08), (0.24, 0.20, 0.07)),
    "path": ((0.36, 0.29, 0.20), (0.28, 0.22, 0.15)),
    "road": ((0.155, 0.155, 0.16), (0.12, 0.12, 0.125)),
    "tree": ((0.045, 0.085, 0.02), (0.085, 0.12, 0.03)),
    "plant": ((0.07, 0.12, 0.03), (0.12, 0.15, 0.04)),
}
_SEASONS = {  # green, dry and autumn: what happens to the greens, and leaf colours
    "summer": (1.0, ((0.07, 0.12, 0.025), (0.12, 0.165, 0.035)), 0.9),
    "spring": (1.25, ((0.11, 0.18, 0.03), (0.18, 0.23, 0.05)), 1.15),
    "dry": (0.55, ((0.09, 0.10, 0.03), (0.15, 0.14, 0.05)), 0.7),
    "autumn": (0.72, ((0.36, 0.15, 0.025), (0.30, 0.20, 0.03)), 1.0),
}
_BLADES = np.where(np.isin(CLASSES, ("grass", "land", "field", "plant")), 0.34, 0.14)
_DRY = np.array([0.30, 0.235, 0.10])
SEASONS = ("summer", "summer", "spring", "dry", "autumn")  # by frequency


def draw_palette(rng: np.random.Generator, season: str) -> Palette:
    """Colours for a scene of one of SEASONS, with random shifts of tone."""
    green, leaves, snow = _SEASONS[season]
    base, second = np.full((len(CLASSES), 3), 0.2), np.full((len(CLASSES), 3), 0.15)
    for name, (one, two) in _COLOURS.items():
        tone = rng.uniform(0.85, 1.15) * (1.0 + rng.uniform(-0.06, 0.06, 3))
        one, two = np.array(one) * tone, np.array(two) * tone
        if name in ("grass", "hill", "land", "plant"):
            wilt = np.clip(1.0 - green + rng.uniform(-0.12, 0.12), 0.0, 0.8)
            one, two = one + wilt * (_DRY - one), two + wilt * (0.8 * _DRY - two)
            one[1], two[1] = one[1] * (1.0 + 0.25 * max(green - 1.0, 0.0)), two[1]
        base[CLASS_ID[name]], second[CLASS_ID[name]] = one, two
    stone = rng.uniform(0.0, 1.0)  # grey granite to reddish sandstone
    for name in ("mountain", "rock"):
        k = CLASS_ID[name]
        base[k] = base[k] * (np.array([1.0, 1.0, 1.04]) + stone * np.array([0.28, 0.0, -0.22]))
        second[k] = second[k] * (np.array([0.98, 1.0, 1.05]) + stone * np.array([0.25, 0.0, -0.2]))
    crops = np.array([[0.38, 0.29, 0.085], [0.13, 0.20, 0.045], [0.19, 0.135, 0.075]]) * rng.uniform(0.85, 1.15, (3, 1))
    crops = crops[rng.permutation(3)]
    teal = rng.uniform(0.0, 1.0)
    water = np.array([0.018, 0.055, 0.085]) * (1 - teal) + np.array([0.02, 0.095, 0.085]) * teal
    return Palette(
        base, second, np.array(leaves[0]), np.array(leaves[1]), np.array([0.035, 0.065, 0.022]), water,
        snow * rng.uniform(0.6, 1.3), crops,
    )  # fmt: skip


def paint_ground(
    terrain: Terrain,
    seen: np.ndarray,
    slopes: tuple[np.ndarray, np.ndarray],
    view: View,
    palette: Palette,
    rng: np.random.Generator,
) -> np.ndarray:
    """(N, 3) albedo of the nodes `seen` (N,), indices into the raveled terrain; slopes (N,) are theirs."""
    table = noise_table(rng)
    x, z = terrain.x.ravel()[seen], terrain.depth[seen // view.width]
    label, height = terrain.label.ravel()[seen], terrain.height.ravel()[seen]
    footprint = z / view.focal
    coarse = fbm(table, x * 0.5, z * 0.35, 3, footprint, 2.0)
    fine = fbm(table, x * 3.1 + 7.0, z * 2.0, 4, footprint, 0.32)
    mix = np.clip(0.5 + 0.55 * coarse + 0.25 * fine, 0.0, 1.0)
    base = palette.base[label]
    albedo = base + mix[:, None] * (palette.second[label] - base)
    grain = 0.16 * fine

    near = np.flatnonzero(z < 12.0)  # blades and pebbles
    if len(near):
        blades = fbm(table, x[near] * 16.0 + 3.0, z[near] * 7.0, 2, 0.7 * footprint[near], 0.07)
        grain[near] += _BLADES[label[near]] * blades

    field = label == CLASS_ID["field"]
    if field.any():  # strips of crops with drill rows that run away from the camera
        fx, fz, fc = x[field], z[field], coarse[field]
        strip = np.floor(0.16 * fx + 0.035 * fz + 0.25 * fc).astype(np.int64) % 3
        drill = 1.0 + 0.22 * np.sin(7.5 * (fx + 0.12 * fz)) * np.clip(0.036 / footprint[field] - 0.25, 0.0, 1.0)
        albedo[field] = palette.crops[strip] * (drill * (0.9 + 0.25 * mix[field]))[:, None]

    steep = np.sqrt(slopes[0] * slopes[0] + slopes[1] * slopes[1])
    hill = label == CLASS_ID["hill"]
    if hill.any():
        bare = 0.6 * smoothstep(0.75, 1.3, steep[hill])[:, None]
        albedo[hill] += bare * (palette.base[CLASS_ID["rock"]] - albedo[hill])
    mountain = label == CLASS_ID["mountain"]
    if mountain.any():
        # Alpine grass on what is gentle and low, bare stone on what is steep, snow on what is high and not too steep.
        stone, sheer, c = albedo[mountain], steep[mountain], coarse[mountain]
        level = height[mountain] / max(terrain.snow_line, 1.0)
        turf = smoothstep(1.1, 0.55, sheer + 0.25 * c) * smoothstep(1.0, 0.45, level + 0.12 * c)
        stone += 0.85 * turf[:, None] * (0.85 * palette.base[CLASS_ID["hill"]] - stone)
        reach = level * palette.snow + 0.22 * c + 0.10 * fine[mountain] - 0.16 * sheer
        snow = smoothstep(0.92, 1.10, reach)[:, None]
        albedo[mountain] = stone + snow * (np.array([0.80, 0.83, 0.88]) - stone)

    tree = label == CLASS_ID["tree"]
    if tree.any():  # needles, broad leaves in patches; the depth between crowns stays dark
        leafy = value_noise(table, x[tree] * 0.31, z[tree] * 0.31) + 0.3 * fine[tree]
        broad = smoothstep(0.1, 0.5, leafy)[:, None]
        leaf = palette.needles * 1.3 + broad * (palette.leaves - palette.needles * 1.3)
        albedo[tree] = leaf * (0.35 + terrain.forest.ravel()[seen][tree] + 0.25 * fine[tree])[:, None]
    wet = smoothstep(0.045, 0.01, terrain.bed.ravel()[seen])  # a dark rim at the water
    wet *= np.where(label == CLASS_ID["sand"], 0.45, 0.3)
    return np.clip(albedo * ((1.0 - wet) * (1.0 + grain))[:, None], 0.005, 0.95)
