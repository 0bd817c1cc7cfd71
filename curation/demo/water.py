"""Water: what it mirrors, bent by ripples, over its own colour, after Fresnel."""

import numpy as np

from curation.demo.light import Light
from curation.demo.noise import noise_table, smoothstep, value_noise
from curation.demo.view import View


def paint_water(
    top: int,
    depth: np.ndarray,
    shallow: np.ndarray,
    mirrored: np.ndarray,
    body: np.ndarray,
    swell: float,
    view: View,
    light: Light,
    rng: np.random.Generator,
) -> np.ndarray:
    """(R, W, 3) linear colour of a water surface in the picture's rows from `top` down, R = H - top.

    depth (R, W): distance; shallow (R, W): 1 at the shore .. 0 in deep water; mirrored (H, W, 3): what a perfectly
    still surface would show; body (3,): the water's own colour under white light; swell: 0 a mirror .. 1 a choppy sea.
    """
    table = noise_table(rng)
    shift = rng.uniform(0.0, 60.0)
    index = np.arange(top, view.height)[:, None]
    below = np.maximum(index + 0.5 - view.horizon, 0.5)
    scale = view.height / 192.0
    rows = below / scale
    # Ripples shrink towards the horizon: cells of about 25 x 8 pixels in front, 12 x 1 far away.
    u = view.slope[None, :] * (9.0 + 260.0 / (rows + 5.0)) + shift
    v = np.broadcast_to(12.0 * np.log(rows + 4.0), u.shape)
    ripple = 0.6 * value_noise(table, u + 0.25 * v, v) + 0.4 * value_noise(table, 2.3 * u + 7.0, 2.1 * v - 0.4 * u)
    bend = ripple * (0.5 + (0.02 + 0.10 * swell) * rows) * scale
    at = np.clip(np.floor(index + bend + 0.5), int(np.ceil(view.horizon)), view.height - 1).astype(np.int64)
    shown = mirrored[at, np.arange(view.width)]

    facing = view.camera / np.sqrt(view.camera**2 + depth * depth)
    fresnel = 0.03 + 0.97 * (1.0 - facing) ** 4
    strength = np.clip(fresnel * (0.92 - 0.30 * swell) + 0.22 * swell * ripple + 0.06, 0.03, 0.95)
    lit = 0.55 * light.sun_colour * max(float(light.sun[1]), 0.1) + light.ambient
    own = body * lit * 1.5
    ground = np.array([0.34, 0.30, 0.19]) * lit
    clear = (0.45 * smoothstep(0.55, 1.0, shallow) * (1.0 - 0.4 * swell))[..., None]
    own = own + clear * (ground - own)
    water = own + strength[..., None] * (shown - own)
    if swell > 0.45:  # foam where waves meet the shore, crests here and there
        line = shallow + 0.09 * ripple
        foam = 0.8 * smoothstep(0.90, 1.0, line) + 0.6 * smoothstep(0.72, 0.75, line) * smoothstep(0.81, 0.76, line)
        foam *= 0.75 + 0.4 * ripple
        crest = 0.35 * smoothstep(0.62, 0.8, ripple) * smoothstep(0.55, 1.0, swell) * smoothstep(6.0, 30.0, rows)
        white = 0.62 * (0.5 * light.sun_colour * max(float(light.sun[1]), 0.15) + light.ambient)
        water = water + np.clip(foam + crest, 0.0, 0.9)[..., None] * (white - water)
    if light.sun[2] > 0.2 and light.name != "fog":  # glitter below the sun
        aside = (view.slope - light.sun[0] / light.sun[2]) * view.focal
        lane = np.exp(-((aside[None, :] / (7.0 * scale + 0.30 * below)) ** 2))
        sparkle = smoothstep(0.18, 0.62, ripple + 0.25 * lane)
        water = water + (lane * sparkle * 1.6)[..., None] * light.sun_colour
    return water
