"""Light: where the sun stands, what colour it and the sky have, and what the air does to distance.

Colours are linear RGB, float64; about 1.0 is white before exposure.
"""

from dataclasses import dataclass

import numpy as np

from curation.demo.noise import doubled
from curation.demo.view import View


@dataclass(frozen=True)
class Light:
    """`sun` is the unit vector towards the sun (x right, y up, z forward)."""

    name: str
    sun: np.ndarray
    sun_colour: np.ndarray
    ambient: np.ndarray  # light from the sky onto level ground
    zenith: np.ndarray
    horizon: np.ndarray
    glow: np.ndarray  # added around the sun
    haze: float  # share of contrast lost per world unit
    cloud_cover: float  # 0 clear .. 1 closed
    cloud_style: str  # "cumulus", "veil" or "deck"
    ground_level: float  # mean luminance that exposure gives the ground; 0 exposes for the sky
    saturation: float


def _unit(azimuth: float, elevation: float) -> np.ndarray:
    """Azimuth in degrees from straight ahead, positive to the right."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def _rgb(r: float, g: float, b: float) -> np.ndarray:
    return np.array([r, g, b])


def draw_light(name: str, rng: np.random.Generator) -> Light:
    """One of LIGHTS with its random details. Raises KeyError for an unknown name."""
    return LIGHTS[name](rng)


def _side(rng: np.random.Generator) -> float:
    return -1.0 if rng.random() < 0.5 else 1.0


def day(rng: np.random.Generator) -> Light:
    """Clear daylight from behind the camera's shoulder."""
    u = rng.uniform
    deep = u(0.0, 1.0)
    return Light(
        "day",
        _unit(_side(rng) * u(75, 135), u(28, 52)),
        _rgb(1.0, 0.93, 0.82) * 2.9,
        _rgb(0.56, 0.72, 1.0) * u(0.50, 0.70),
        _rgb(0.06, 0.21, 0.62) * (1 - deep) + _rgb(0.17, 0.42, 0.84) * deep,
        _rgb(0.66, 0.86, 1.06) * u(0.9, 1.1),
        _rgb(0.10, 0.09, 0.07),
        u(0.004, 0.011),
        u(0.15, 0.75),
        "veil" if rng.random() < 0.25 else "cumulus",
        u(0.115, 0.16),
        u(1.05, 1.25),
    )


def golden(rng: np.random.Generator) -> Light:
    """A low warm sun from the side, long shadows, lit land."""
    u = rng.uniform
    pink = u(0.0, 1.0)
    return Light(
        "golden",
        _unit(_side(rng) * u(90, 140), u(12, 22)),
        (_rgb(1.0, 0.64, 0.30) * (1 - pink) + _rgb(1.0, 0.60, 0.36) * pink) * 4.0,
        _rgb(0.48, 0.60, 0.95) * u(0.42, 0.54),
        _rgb(0.11, 0.29, 0.60) * (1 - pink) + _rgb(0.16, 0.29, 0.58) * pink,
        _rgb(0.92, 0.78, 0.58) * (1 - pink) + _rgb(0.98, 0.70, 0.58) * pink,
        _rgb(0.50, 0.30, 0.10),
        u(0.004, 0.010),
        u(0.2, 0.65),
        "veil" if rng.random() < 0.35 else "cumulus",
        u(0.125, 0.16),
        u(1.08, 1.22),
    )


def overcast(rng: np.random.Generator) -> Light:
    """No sun: a closed grey deck, soft light from above."""
    u = rng.uniform
    return Light(
        "overcast",
        _unit(_side(rng) * u(60, 120), u(45, 65)),
        _rgb(1.0, 0.96, 0.90) * u(0.5, 0.9),
        _rgb(0.90, 0.96, 1.04) * 0.95,
        _rgb(0.50, 0.56, 0.64) * u(0.9, 1.1),
        _rgb(0.74, 0.77, 0.80) * u(0.9, 1.05),
        _rgb(0.03, 0.03, 0.03),
        u(0.004, 0.010),
        u(0.85, 1.0),
        "deck",
        u(0.14, 0.17),
        u(1.1, 1.25),
    )


def hazy(rng: np.random.Generator) -> Light:
    """A pale morning: soft sun, distance lost in bluish haze."""
    u = rng.uniform
    warm = u(0.0, 1.0)
    return Light(
        "hazy",
        _unit(_side(rng) * u(70, 120), u(22, 40)),
        _rgb(1.0, 0.84, 0.62) * 2.6,
        _rgb(0.66, 0.76, 0.95) * 0.62,
        _rgb(0.24, 0.38, 0.60),
        _rgb(0.66, 0.72, 0.78) * (1 - warm) + _rgb(0.80, 0.70, 0.62) * warm,
        _rgb(0.18, 0.14, 0.09),
        u(0.010, 0.020),
        u(0.0, 0.45),
        "veil",
        u(0.13, 0.17),
        u(1.05, 1.2),
    )


def low_sun(rng: np.random.Generator) -> Light:
    """The sun in the picture, just above the horizon: exposed for the sky, the land sinks to a silhouette."""
    u = rng.uniform
    red = u(0.0, 1.0)
    return Light(
        "low_sun",
        _unit(u(-18, 18), u(5.0, 9.0)),
        (_rgb(1.0, 0.60, 0.26) * (1 - red) + _rgb(1.0, 0.42, 0.16) * red) * 1.1,
        _rgb(0.46, 0.46, 0.60) * 0.10,
        _rgb(0.16, 0.27, 0.48) * (1 - red) + _rgb(0.20, 0.18, 0.36) * red,
        _rgb(0.92, 0.60, 0.26) * (1 - red) + _rgb(0.88, 0.36, 0.12) * red,
        _rgb(1.05, 0.62, 0.22),
        u(0.0008, 0.0022),
        u(0.25, 0.65),
        "veil" if rng.random() < 0.6 else "cumulus",
        0.0,
        u(1.0, 1.15),
    )


def fog(rng: np.random.Generator) -> Light:
    """Fog so thick that hardly anything shows."""
    u = rng.uniform
    grey = _rgb(0.56, 0.58, 0.60) * u(0.75, 1.05)
    return Light(
        "fog", _unit(90.0, 40.0), _rgb(1.0, 1.0, 1.0) * 0.05, grey * 1.1, grey, grey, _rgb(0.0, 0.0, 0.0),
        u(0.9, 1.3), 0.0, "veil", 0.0, 0.8,
    )  # fmt: skip


LIGHTS = {"day": day, "golden": golden, "overcast": overcast, "hazy": hazy, "low_sun": low_sun, "fog": fog}
ORDINARY = (
    "day",
    "day",
    "day",
    "day",
    "golden",
    "golden",
    "golden",
    "overcast",
    "hazy",
)  # of clean pairs, by frequency


def cast_shadows(height: np.ndarray, depth: np.ndarray, view: View, sun: np.ndarray) -> np.ndarray:
    """(D, W) share of the sun that reaches each node past the rest of the height field, 0 to 1.

    Marches on every second node and looks heights up at the nearest one: shadows are soft-edged anyway.
    """
    coarse, z = height[::2, ::2], depth[::2]
    slope = view.slope[::2]
    near = coarse + 0.02
    x = slope[None, :] * z[:, None]
    blocked = np.zeros(coarse.shape)
    index = np.arange(len(z), dtype=np.float64)
    for k in range(11):
        step = 0.25 * 1.52**k
        at_z = z + step * sun[2]  # the same for a whole row
        row = np.clip(np.interp(at_z, z, index) + 0.5, 0, len(z) - 1).astype(np.int64)
        column = (x + step * sun[0]) / np.maximum(at_z, 1e-3)[:, None] * view.focal + 0.5 * view.width
        column = (0.5 * column).astype(np.int64)
        inside = (column >= 0) & (column < coarse.shape[1])
        over = coarse[row[:, None], np.clip(column, 0, coarse.shape[1] - 1)] - (near + step * sun[1])
        blocked = np.maximum(blocked, np.where(inside, over / (0.06 + 0.10 * step), 0.0))
    return 1.0 - doubled(np.clip(blocked, 0.0, 1.0), *height.shape)


def shade(
    albedo: np.ndarray, slopes: tuple[np.ndarray, np.ndarray], visible_sun: np.ndarray, light: Light
) -> np.ndarray:
    """(N, 3) light that leaves the ground: from its albedo (N, 3), the height's slopes and the sun that reaches it."""
    along_x, along_z = slopes
    length = 1.0 / np.sqrt(1.0 + along_x * along_x + along_z * along_z)
    facing = (light.sun[1] - along_x * light.sun[0] - along_z * light.sun[2]) * length
    direct = np.maximum(facing, 0.0) * visible_sun
    # Steep ground sees less sky, and a little light comes back from the ground around it.
    open_sky = 0.35 + 0.65 * length
    return albedo * (
        direct[..., None] * light.sun_colour + open_sky[..., None] * (light.ambient + 0.06 * light.sun_colour)
    )


def through_air(colour: np.ndarray, distance: np.ndarray, far: np.ndarray, light: Light) -> np.ndarray:
    """Aerial perspective: `colour` fades into `far` (broadcastable, the sky at the horizon) with distance."""
    loss = -light.haze * np.minimum(distance, 400.0)[..., None] * np.array([0.80, 1.0, 1.35])  # blue scatters most
    clear = np.exp(loss)
    return colour * clear + far * (1.0 - clear)
