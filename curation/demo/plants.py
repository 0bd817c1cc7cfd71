"""Sprites of trees, bushes and stones: colour (h, w, 3) and alpha (h, w), rows from top to bottom, standing on the
last row. All are lit by the scene's light, with normals that face the camera."""

import numpy as np

from curation.demo.classes import CLASS_ID
from curation.demo.light import Light
from curation.demo.noise import SIZE, noise_table, value_noise
from curation.demo.surface import Palette

Sprite = tuple[np.ndarray, np.ndarray]
_TABLE = noise_table(np.random.default_rng(29))  # leaves differ by where in it they look


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in units of the height: u from the middle to the right, v from the foot up."""
    u = np.broadcast_to((np.arange(width) + 0.5 - 0.5 * width)[None, :] / height, (height, width))
    v = np.broadcast_to(1.0 - (np.arange(height) + 0.5)[:, None] / height, (height, width))
    return u, v


def _lit(albedo: np.ndarray, facing: np.ndarray, open_sky: np.ndarray, light: Light) -> np.ndarray:
    """Leaves let light through, so the side away from the sun is never quite dark, unless the sun is in the picture."""
    direct = np.clip(0.30 + 0.70 * facing, 0.06, 1.0) if light.sun[2] < 0.5 else np.clip(facing, 0.0, 1.0)
    return albedo * (
        direct[..., None] * light.sun_colour + open_sky[..., None] * (light.ambient + 0.05 * light.sun_colour)
    )


def _leaves(u: np.ndarray, v: np.ndarray, height: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of leaf clusters, two sizes, in about [-1, 1]."""
    right, up = rng.uniform(0.0, SIZE, 2)
    fine, coarse = max(6.0, height / 2.2), max(4.0, height / 6.0)
    small = value_noise(_TABLE, u * fine + right, v * fine + up)
    return 0.55 * small + 0.6 * value_noise(_TABLE, u * coarse + up, v * coarse + right)


def _crown(
    u: np.ndarray, v: np.ndarray, blobs: np.ndarray, leaf: np.ndarray, light: Light
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Balls of leaves, blobs (N, 3) of centre u, v and radius: how far inside, how lit, how open to the sky."""
    height, width = u.shape
    best, facing, up = np.full(u.shape, -9.0), np.zeros(u.shape), np.zeros(u.shape)
    for cu, cv, radius in blobs:
        reach = 1.35 * radius * height  # as far out as leaf noise carries a crown's edge, in pixels
        row, column = (1.0 - cv) * height, cu * height + 0.5 * width
        rows = slice(max(0, int(row - reach)), max(0, int(row + reach) + 1))
        here = (rows, slice(max(0, int(column - reach)), max(0, int(column + reach) + 1)))
        du, dv = (u[here] - cu) / radius, (v[here] - cv) / radius
        inside = 1.0 - du * du - dv * dv
        front = np.sqrt(np.maximum(inside, 0.0))
        better = inside > best[here]
        best[here] = np.where(better, inside, best[here])
        facing[here] = np.where(better, du * light.sun[0] + dv * light.sun[1] - front * light.sun[2], facing[here])
        up[here] = np.where(better, dv, up[here])
    top, bottom = blobs[:, 1].max() + 0.1, blobs[:, 1].min() - 0.1
    tall = np.clip((v - bottom) / (top - bottom), 0.0, 1.0)
    # The crown as a whole is a ball too; its own shading binds the small ones together.
    half = np.abs(blobs[:, 0]).max() + 0.12
    du, dv = np.clip(u / half, -1.0, 1.0), 2.0 * tall - 1.0
    front = np.sqrt(np.maximum(1.0 - du * du - dv * dv, 0.0))
    whole = du * light.sun[0] + dv * light.sun[1] - front * light.sun[2]
    facing = 0.5 * facing + 0.55 * whole
    return best + 0.65 * leaf, facing, np.clip(0.35 + 0.45 * tall + 0.25 * up, 0.1, 1.0)


def broad_tree(height: int, light: Light, palette: Palette, rng: np.random.Generator) -> Sprite:
    """A broad-leaved tree: a trunk under a crown of many balls."""
    width = max(3, int(0.95 * height))
    u, v = _grid(height, width)
    count = 9 + int(rng.integers(5)) if height > 20 else 6
    angle, reach = rng.uniform(0.0, 2.0 * np.pi, count), np.sqrt(rng.uniform(0.0, 1.0, count))
    squat = rng.uniform(0.75, 1.15)
    blobs = np.stack(
        [
            0.27 * squat * reach * np.cos(angle),
            0.60 + 0.22 * reach * np.sin(angle),
            rng.uniform(0.10, 0.18, count) * (1.0 if height > 20 else 1.2),
        ],
        1,
    )
    leaf = _leaves(u, v, height, rng)
    inside, facing, open_sky = _crown(u, v, blobs, leaf, light)
    mix = np.clip(0.5 + 0.6 * leaf + rng.uniform(-0.3, 0.3), 0.0, 1.0)[..., None]
    tint = 1.0 + rng.uniform(-0.12, 0.12, 3)
    albedo = (palette.leaves + mix * (palette.leaves_second - palette.leaves)) * tint
    colour = _lit(albedo, facing + 0.35 * leaf, open_sky * (0.85 + 0.4 * leaf), light)
    crown = np.clip(inside * (1.5 + 0.06 * height), 0.0, 1.0)
    bend = rng.uniform(-0.04, 0.04)
    half = 0.020 * (1.5 - v) + 0.6 / height
    trunk = np.clip((half - np.abs(u - bend * v)) * height + 0.3, 0.0, 1.0) * (v < 0.55)
    across = np.clip((u - bend * v) / half, -1.0, 1.0)
    bark_facing = across * light.sun[0] - np.sqrt(1.0 - across * across) * light.sun[2] + 0.3 * leaf
    bark = _lit(np.broadcast_to([0.10, 0.075, 0.055], (*u.shape, 3)), bark_facing, 0.5 + 0.0 * u, light)
    colour = np.where((crown >= trunk)[..., None], colour, bark)
    return colour, np.maximum(crown, trunk)


def conifer(height: int, light: Light, palette: Palette, rng: np.random.Generator) -> Sprite:
    """A spruce: layered branches that hang, narrowing to a point."""
    width = max(3, int(0.50 * height))
    u, v = _grid(height, width)
    layers = rng.uniform(6.0, 10.0)
    leaf = _leaves(u, v, height, rng)
    droop = v + 0.55 * np.abs(u) + 0.02 * leaf
    tooth = droop * layers - np.floor(droop * layers)
    slim = rng.uniform(0.17, 0.235)
    half = slim * np.clip(1.02 - v, 0.0, 1.0) ** 0.85 * (1.08 - 0.42 * tooth) * (1.0 + 0.30 * leaf)
    half = np.where(v < 0.05, 0.02, half)
    alpha = np.clip((half - np.abs(u)) * height + 0.5, 0.0, 1.0)
    across = np.clip(u / np.maximum(half, 1e-3), -1.0, 1.0)
    facing = 0.8 * across * light.sun[0] + 0.35 * light.sun[1] - np.sqrt(1.0 - 0.9 * across * across) * light.sun[2]
    open_sky = np.clip(0.75 - 0.45 * tooth + 0.25 * leaf, 0.1, 1.0)
    tint = 1.0 + rng.uniform(-0.15, 0.25, 3)
    albedo = palette.needles * tint * (0.75 + 0.9 * np.clip(0.5 - 0.6 * tooth + 0.7 * leaf, 0.0, 1.0))[..., None]
    return _lit(albedo * 1.25, facing + 0.25 * leaf - 0.2 * tooth, open_sky, light), alpha


def bush(height: int, light: Light, palette: Palette, rng: np.random.Generator) -> Sprite:
    """A low plant, wider than high, sometimes in flower."""
    width = max(4, int(rng.uniform(1.2, 2.0) * height))
    u, v = _grid(height, width)
    spread = 0.5 * width / height
    count = 6
    blobs = np.stack(
        [rng.uniform(-0.62, 0.62, count) * spread, rng.uniform(0.12, 0.52, count), rng.uniform(0.24, 0.40, count)], 1
    )
    leaf = _leaves(u, v, height, rng)
    inside, facing, open_sky = _crown(u, v, blobs, leaf, light)
    base = palette.base[CLASS_ID["plant"]] * (1.0 + rng.uniform(-0.2, 0.2, 3))
    albedo = base * (0.75 + 0.6 * np.clip(leaf, -0.5, 1.0))[..., None]
    if rng.random() < 0.35:
        petals = ((0.75, 0.70, 0.62), (0.55, 0.10, 0.30), (0.60, 0.42, 0.05), (0.32, 0.18, 0.55))[int(rng.integers(4))]
        albedo = np.where((rng.random(u.shape) < 0.13)[..., None], np.array(petals), albedo)
    return _lit(albedo, facing + 0.3 * leaf, open_sky, light), np.clip(inside * (1.5 + 0.08 * height), 0.0, 1.0)


def boulder(height: int, light: Light, palette: Palette, rng: np.random.Generator) -> Sprite:
    """A stone: a dome cut by random planes, each facet lit on its own."""
    width = max(4, int(rng.uniform(1.3, 2.0) * height))
    u, v = _grid(height, width)
    u = u * 2.0 * height / width  # -1..1 across, 0..1 up
    grain = _leaves(u, v, height, rng)
    u, v = u + 0.05 * grain, v + 0.04 * grain
    count = 14
    azimuth, tilt = rng.uniform(0.0, 2.0 * np.pi, count), rng.uniform(0.25, 1.2, count)
    nx, ny, nz = np.cos(azimuth) * np.sin(tilt), np.sin(azimuth) * np.sin(tilt), np.cos(tilt)
    reach = rng.uniform(0.70, 0.92, count)
    lean = rng.uniform(-0.25, 0.25)
    # The dome itself ends the stone inside the sprite, whatever the planes do.
    up0 = v - 0.05
    round_ = 1.0 - (u - lean * v) ** 2 / 0.86 - up0 * up0 / 0.80
    out = 1.15 * np.sqrt(np.maximum(round_, 0.0))
    facing = u * light.sun[0] + up0 * light.sun[1] - out * light.sun[2]
    up = np.clip(up0, 0.0, 1.0)
    for k in range(count):
        front = (reach[k] - nx[k] * u - ny[k] * (v - 0.1)) / nz[k]
        nearer = front < out
        out = np.where(nearer, front, out)
        facing = np.where(nearer, nx[k] * light.sun[0] + ny[k] * light.sun[1] - nz[k] * light.sun[2], facing)
        up = np.where(nearer, ny[k], up)
    light_stone, dark_stone = palette.base[CLASS_ID["rock"]], palette.second[CLASS_ID["rock"]]
    stone = light_stone + np.clip(0.4 + 0.6 * grain, 0.0, 1.0)[..., None] * (dark_stone - light_stone)
    stone = stone * (0.55 + 0.45 * np.clip(v * 3.0, 0.0, 1.0))[..., None]
    round_ = round_ - 2.5 * np.maximum(0.14 - v, 0.0)  # and it is rounded where it meets the ground
    alpha = np.clip(np.minimum(out, round_ * 1.5) * 0.35 * height, 0.0, 1.0)
    return _lit(stone, facing + 0.14 * grain, np.clip(0.55 + 0.5 * up, 0.15, 1.0), light), alpha
