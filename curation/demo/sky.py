"""The sky: gradient, glow around the sun, and clouds on a plane seen in perspective."""

import numpy as np

from curation.demo.light import Light
from curation.demo.noise import doubled, fbm, noise_table, smoothstep


class Sky:
    """One sky, drawn once from `rng`; asked for as often as needed, for the picture and for its reflection."""

    def __init__(self, light: Light, rng: np.random.Generator) -> None:
        self.light = light
        self.table = noise_table(rng)
        self.offset = rng.uniform(0.0, 60.0, 2)
        self.scale = rng.uniform(0.35, 0.75)
        self.drift = rng.uniform(-0.5, 0.5)

    def clear(self, slope: np.ndarray, elevation: np.ndarray) -> np.ndarray:
        """(..., 3) colour of the cloudless sky along rays (slope, elevation, 1), elevation at or above 0."""
        light = self.light
        length = 1.0 / np.sqrt(1.0 + slope * slope + elevation * elevation)
        height = (elevation * length)[..., None]
        colour = light.zenith + (light.horizon - light.zenith) * np.exp(-4.8 * height)
        towards = (slope * light.sun[0] + elevation * light.sun[1] + light.sun[2]) * length
        towards = np.maximum(towards, 0.0)
        around = 0.5 * towards**6 + 0.9 * towards**40
        colour = colour + light.glow * around[..., None]
        if light.name == "low_sun":
            halo, disc = towards**400, smoothstep(0.99955, 0.99985, towards)
            colour = colour + halo[..., None] * light.sun_colour + disc[..., None] * np.array([9.0, 7.0, 4.0])
        return colour

    def haze_colour(self, slope: np.ndarray) -> np.ndarray:
        """(W, 3) what distance fades into: the sky just above the horizon."""
        return self.clear(slope, np.full(slope.shape, 0.02)) * 0.92

    def _density(self, u: np.ndarray, v: np.ndarray, octaves: int) -> np.ndarray:
        stretch = {"cumulus": (1.0, 1.0), "veil": (0.45, 1.5), "deck": (0.55, 0.8)}[self.light.cloud_style]
        u, v = u * self.scale * stretch[0] + self.offset[0], v * self.scale * stretch[1] + self.offset[1]
        bend = doubled(fbm(self.table, 0.7 * u[::2, ::2] + 5.0, 0.7 * v[::2, ::2], 2), *u.shape)
        return fbm(self.table, u + 0.45 * bend, v + 0.3 * bend + self.drift * u, octaves, gain=0.52)

    def colours(self, slope: np.ndarray, elevation: np.ndarray, octaves: int = 6) -> np.ndarray:
        """(R, W, 3) linear colours for columns `slope` (W,) and rows `elevation` (R,), both as tangents."""
        light = self.light
        slope = np.broadcast_to(slope[None, :], (len(elevation), len(slope)))
        elevation = np.broadcast_to(np.maximum(elevation, 0.0)[:, None], slope.shape)
        colour = doubled(self.clear(slope[::2, ::2], elevation[::2, ::2]), *slope.shape)
        if light.name == "low_sun":
            colour = self.clear(slope, elevation)
        if light.cloud_cover <= 0.02:
            return colour
        air = colour
        lift = 1.0 / (elevation + 0.11)
        u, v = slope * lift * 1.15, lift
        density = self._density(u, v, octaves)
        # Light comes through where there is less cloud in the direction of the sun.
        shift = 0.22 if light.cloud_style == "cumulus" else 0.3
        towards_u, towards_v = u[::2, ::2] + shift * np.sign(light.sun[0]), v[::2, ::2] - shift * 0.6
        behind = doubled(self._density(towards_u, towards_v, 3), *slope.shape)
        cover = light.cloud_cover
        if light.cloud_style == "deck":
            tone = np.clip(0.5 + 0.42 * density + 0.25 * (density - behind), 0.0, 1.0)[..., None]
            deck = colour * (0.66 + 0.62 * tone)
            amount = (cover * smoothstep(-0.02, 0.10, elevation))[..., None]
            return colour + amount * (deck - colour)
        low, soft = (0.52 - 0.85 * cover, 0.42) if light.cloud_style == "cumulus" else (0.45 - 0.8 * cover, 1.1)
        alpha = smoothstep(low, low + soft, density) * smoothstep(0.0, 0.09, elevation)
        alpha = alpha * (0.95 if light.cloud_style == "cumulus" else 0.62)
        lit = np.clip(
            0.62 + 0.75 * (density - behind) - 0.28 * smoothstep(low + soft, low + 2.4 * soft, density), 0.0, 1.0
        )
        white = 0.36 * light.sun_colour + 0.30 * light.ambient + 0.12
        grey = 0.34 * light.horizon + 0.34 * light.ambient + 0.05
        if light.name == "low_sun":  # lit from behind: bright rims towards the sun, dusky bodies
            white, grey = 0.55 * light.sun_colour + 0.1, 0.40 * light.horizon + 0.22 * light.zenith
        cloud = grey + lit[..., None] * (white - grey)
        # Distant clouds take the colour of the air.
        cloud = cloud + (0.55 * np.exp(-7.0 * elevation))[..., None] * (air - cloud)
        return colour + alpha[..., None] * (cloud - colour)
