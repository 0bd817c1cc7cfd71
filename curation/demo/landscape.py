"""A landscape photo that was never taken, with its exact label map.

    compose -> build_terrain -> place        geometry: what the label map shows, from the geometry seed
    light, palette, sky -> shade -> develop  look: what the photo shows on top, from the generator handed in

The same geometry under another look is another photo of the same layout.
"""

from dataclasses import dataclass

import numpy as np

from curation.demo import buildings, plants
from curation.demo.canvas import Canvas
from curation.demo.classes import CLASS_ID
from curation.demo.composition import Composition, compose
from curation.demo.light import ORDINARY, Light, cast_shadows, draw_light, shade, through_air
from curation.demo.noise import doubled, noise_table, smoothstep
from curation.demo.sky import Sky
from curation.demo.staging import FOREST_SEEDS, Thing, cloud_shadows, darken_under, place
from curation.demo.surface import SEASONS, Palette, draw_palette, paint_ground
from curation.demo.terrain import Terrain, build_terrain
from curation.demo.view import Hits, View, first_hits
from curation.demo.water import paint_water

_steps = np.linspace(0.0, 1.0, 65536)
SRGB = 255.0 * np.where(_steps <= 0.0031308, 12.92 * _steps, 1.055 * _steps ** (1.0 / 2.4) - 0.055)  # IEC 61966-2-1


@dataclass(frozen=True)
class Landscape:
    """photo (H, W, 3) uint8 RGB, label (H, W) uint8 class ids; what it was drawn with: light, season, geometry's seed."""

    photo: np.ndarray
    label: np.ndarray
    light: str
    season: str
    geometry: int


def render(
    rng: np.random.Generator,
    height: int = 192,
    width: int = 256,
    light: str | None = None,
    geometry: int | None = None,
    season: str | None = None,
) -> Landscape:
    """Draw a random landscape; `light` (one of LIGHTS), `season` and the seed of the `geometry` may be given.

    With a given geometry the label map stays the same but for leaves and stones. Raises KeyError for an unknown light.
    """
    if geometry is None:
        geometry = int(rng.integers(2**62))
    shape = np.random.default_rng([geometry])
    composition = compose(shape)
    view = View(height, width, round(composition.horizon * height) + 0.25, composition.camera)
    terrain = build_terrain(composition, view, shape)
    things = place(composition, terrain, view, shape)

    look = draw_light(light or ORDINARY[int(rng.integers(len(ORDINARY)))], rng)
    season = season or SEASONS[int(rng.integers(len(SEASONS)))]
    palette = draw_palette(rng, season)
    sky = Sky(look, rng)
    linear, label = _expose(composition, view, terrain, things, look, palette, sky, rng)
    return Landscape(_develop(linear, label, look, rng), label, look.name, season, geometry)


def _expose(
    c: Composition,
    view: View,
    terrain: Terrain,
    things: list[Thing],
    light: Light,
    palette: Palette,
    sky: Sky,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The scene's linear light (H, W, 3) and its label map (H, W)."""
    z = np.broadcast_to(terrain.depth[:, None], terrain.x.shape)
    middle = np.arange(view.height) + 0.5
    # Three samples a pixel, one above the other: the middle one is the label's, the others keep edges from jagging.
    rows = np.sort(np.concatenate([middle - 0.25, middle, middle + 0.25]))
    samples = first_hits(view.row(terrain.depth[:, None], terrain.height), rows)
    hits, halves = samples[1::3], (samples[::3], samples[2::3])
    wet = 0.5 * sum(np.where(h.sky, 0.0, h.nearest(terrain.water)) for h in halves)
    wet_rows = np.flatnonzero(wet.any(axis=1))
    top = int(wet_rows[0]) if len(wet_rows) else view.height
    mirror_hits = _mirror_hits(view, terrain, hits, top) if top < view.height - 1 else None

    # Only nodes that something sees are painted and lit.
    mask = np.zeros(terrain.x.size, bool)
    for h in (*halves, mirror_hits) if mirror_hits else halves:
        h.mark(mask)
    seen = np.flatnonzero(mask)
    slopes = tuple(s.ravel()[seen] for s in terrain.slopes(view))
    sun = cast_shadows(terrain.height, terrain.depth, view, light.sun)
    sun *= cloud_shadows(terrain, noise_table(rng), light.cloud_cover)
    darken_under(things, terrain, view, light.sun, sun)
    haze = sky.haze_colour(view.slope)
    lit = shade(paint_ground(terrain, seen, slopes, view, palette, rng), slopes, sun.ravel()[seen], light)
    ground = np.zeros((*terrain.x.shape, 3))
    ground.reshape(-1, 3)[seen] = through_air(lit, terrain.depth[seen // view.width], haze[seen % view.width], light)

    end = int(np.flatnonzero((halves[0].sky | halves[1].sky).any(axis=1)).max(initial=0)) + 1
    above = sky.colours(view.slope, (view.horizon - middle[:end]) / view.focal)
    colour = np.zeros((view.height, view.width, 3))
    for h in halves:
        half = h.smooth(ground)
        half[:end][h.sky[:end]] = above[h.sky[:end]]
        colour += 0.5 * half
    label = np.where(hits.sky, CLASS_ID["sky"], hits.nearest(terrain.label)).astype(np.uint8)
    distance = np.where(hits.sky, 1e9, hits.smooth(z))

    sprites = _sprites(things, light, palette, haze, view, rng)
    if mirror_hits:
        mirror = _mirror(view, terrain, ground, mirror_hits, top, sky)
        _stage(mirror, things, sprites, light, haze)
        shallow = hits[top:].smooth(smoothstep(-0.42, 0.0, terrain.bed))
        swell = {"sea": rng.uniform(0.5, 1.0), "river": rng.uniform(0.1, 0.3)}.get(c.water, rng.uniform(0.0, 0.40))
        far = np.minimum(distance[top:], 4000.0)
        water = paint_water(top, far, shallow, mirror.colour, palette.water, swell, view, light, rng)
        water = through_air(water, np.minimum(far, 150.0), haze, light)  # open sea keeps its colour to the horizon
        colour[top:] += wet[top:, :, None] * (water - colour[top:])
    picture = Canvas(view, colour, distance, label)
    _stage(picture, things, sprites, light, haze)
    return picture.colour, picture.label


def _mirror_hits(view: View, terrain: Terrain, hits: Hits, top: int) -> Hits:
    """What still water would show in the rows from `top` down, given the hits of all rows."""
    middle = np.arange(top, view.height) + 0.5
    rows = -view.mirror_row(terrain.depth[:, None], terrain.height)
    # A ray starts at the water, so land between the camera and the water must not be met: leave out, per column, all
    # nodes before its first water; behind a spit of land, all before its last.
    index = np.arange(len(terrain.depth))[:, None]
    first = np.where(terrain.water.any(axis=0), terrain.water.argmax(axis=0), len(index))
    last = len(index) - 1 - terrain.water[::-1].argmax(axis=0)
    over_first = first_hits(np.where(~terrain.water & (index > first), rows, 1e9), -middle)
    too_near = over_first.node < hits.node[top:]
    if not too_near.any():
        return over_first
    over_last = first_hits(np.where(~terrain.water & (index > last), rows, 1e9), -middle)
    return Hits(*(np.where(too_near, getattr(over_last, k), getattr(over_first, k)) for k in ("node", "part", "sky")))


def _mirror(view: View, terrain: Terrain, ground: np.ndarray, hits: Hits, top: int, sky: Sky) -> Canvas:
    """The picture in the water from row `top` down, without the things that stand around it."""
    below = (np.arange(top, view.height) + 0.5 - view.horizon) / view.focal
    above = doubled(sky.colours(view.slope[::2], below[::2], octaves=4), view.height - top, view.width)
    colour, depth = np.zeros((view.height, view.width, 3)), np.full((view.height, view.width), 1e9)
    colour[top:] = hits.smooth(ground)
    colour[top:][hits.sky] = above[hits.sky]
    z = np.broadcast_to(terrain.depth[:, None], terrain.x.shape)
    depth[top:] = np.where(hits.sky, 1e9, hits.smooth(z))
    return Canvas(view, colour, depth, np.zeros(depth.shape, np.uint8), mirror=True)


def _air(light: Light, haze: np.ndarray, column: float) -> buildings.Air:
    """A function (colour, depth) -> the colour seen through the air, in a picture column."""
    far = haze[int(np.clip(column, 0, len(haze) - 1))]
    return lambda colour, depth: through_air(colour, np.full((1,) * (colour.ndim - 1), depth), far, light)


def _sprites(
    things: list[Thing], light: Light, palette: Palette, haze: np.ndarray, view: View, rng: np.random.Generator
) -> dict[int, plants.Sprite]:
    """The sprites of all plants and stones, by their place in `things`; leaves and facets differ from look to look."""
    draw = {
        "broad_tree": plants.broad_tree, "conifer": plants.conifer, "bush": plants.bush, "boulder": plants.boulder,
    }  # fmt: skip
    look = int(rng.integers(2**31))
    drawn: dict[tuple[str, int, int], plants.Sprite] = {}
    sprites = {}
    for k, thing in enumerate(things):
        if thing.kind in draw:
            height = max(3, int(thing.size * view.focal / thing.z + 0.5))
            if thing.seed < FOREST_SEEDS:  # trees of about one height share a sprite
                step = 1 + height // 4
                height -= height % step
            key = (thing.kind, height, thing.seed)
            if key not in drawn:
                drawn[key] = draw[thing.kind](height, light, palette, np.random.default_rng([thing.seed, look]))
            colour, alpha = drawn[key]
            air = _air(light, haze, view.column(thing.z, thing.x))
            sprites[k] = air(colour, thing.z), alpha
    return sprites


def _stage(
    canvas: Canvas, things: list[Thing], sprites: dict[int, plants.Sprite], light: Light, haze: np.ndarray
) -> None:
    """Put all things on a canvas, from far to near."""
    classes = {"broad_tree": "tree", "conifer": "tree", "bush": "plant", "boulder": "rock"}
    for k, thing in enumerate(things):
        if canvas.mirror and thing.z < 5.0:
            continue
        air = _air(light, haze, canvas.view.column(thing.z, thing.x))
        if k in sprites:
            canvas.stamp(*sprites[k], (thing.x, thing.ground, thing.z), CLASS_ID[classes[thing.kind]])
        elif thing.kind == "house":
            buildings.House(thing.x, thing.ground, thing.z, np.random.default_rng([thing.seed])).paint(
                canvas, light, air
            )
        elif thing.kind == "fence":
            buildings.paint_fence(canvas, list(thing.points), light, air)
        elif thing.kind == "boat":
            buildings.paint_boat(canvas, thing.x, thing.z, thing.size, light, air)


def _develop(linear: np.ndarray, label: np.ndarray, light: Light, rng: np.random.Generator) -> np.ndarray:
    """Exposure, film curve, sRGB and a little grain: linear light to uint8."""
    ground = label != CLASS_ID["sky"]
    gain = 0.85
    if light.ground_level > 0.0:
        mean = float(luminance(linear)[ground].mean()) if ground.any() else 0.2
        gain = float(np.clip(light.ground_level / max(mean, 1e-3), 0.5, 1.9))
    x = linear * gain
    grey = luminance(x)[..., None]
    x = np.maximum(grey + light.saturation * (x - grey), 0.0)
    x = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)  # film curve of K. Narkowicz, fitted to ACES
    encoded = SRGB.take((np.clip(x, 0.0, 1.0) * (len(SRGB) - 1) + 0.5).astype(np.int64))
    encoded += 1.5 * rng.normal(0.0, 1.0, encoded.shape[:2])[..., None]
    return np.clip(np.floor(encoded + 0.5), 0.0, 255.0).astype(np.uint8)


def luminance(linear: np.ndarray) -> np.ndarray:
    """Of linear sRGB; written out, because a matrix product may round differently from machine to machine."""
    return 0.2126 * linear[..., 0] + 0.7152 * linear[..., 1] + 0.0722 * linear[..., 2]
