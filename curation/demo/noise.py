"""Smooth noise from small random tables: what hills, clouds, waves and leaves are made of.

Everything is float64 and plain NumPy arithmetic, so the same seed gives the same picture on every machine.
"""

from collections.abc import Callable

import numpy as np

SIZE = 64  # cells of a noise table along each side; a power of two, because indices wrap by masking
BLOCK = 8192  # points worked on at a time


def noise_table(rng: np.random.Generator) -> np.ndarray:
    """A random table in [-1, 1] that tiles, as the (4, SIZE * SIZE) coefficients of its bilinear pieces.

    Inside the cell of values a b / c d noise is a + (b - a) fx + (c - a) fy + (a - b - c + d) fx fy.
    """
    tile = np.empty((SIZE + 1, SIZE + 1))
    tile[:SIZE, :SIZE] = rng.uniform(-1.0, 1.0, (SIZE, SIZE))
    tile[SIZE, :SIZE] = tile[0, :SIZE]
    tile[:, SIZE] = tile[:, 0]
    a, b, c, d = tile[:-1, :-1], tile[:-1, 1:], tile[1:, :-1], tile[1:, 1:]
    return np.stack([a, b - a, c - a, a - b - c + d]).reshape(4, SIZE * SIZE)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth cubic in between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _value_noise(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Noise of one block of points, in place where it can be, for speed."""
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    at, across = y0.astype(np.int64), x0.astype(np.int64)
    at &= SIZE - 1
    at *= SIZE
    across &= SIZE - 1
    at += across
    for f in (fx, fy):  # f becomes 6 f^5 - 15 f^4 + 10 f^3: the second derivative is continuous too
        g = 6.0 * f
        g -= 15.0
        g *= f
        g += 10.0
        f *= f * f
        f *= g
    noise, right, down, both = (part.take(at) for part in table)
    both *= fx
    both += down
    both *= fy
    right *= fx
    noise += right
    noise += both
    return noise


def _in_blocks(function: Callable, x: np.ndarray, y: np.ndarray, footprint: np.ndarray | None) -> np.ndarray:
    """function(x, y, footprint) over blocks of points small enough for the processor's cache: 4 times as fast."""
    x, y = np.broadcast_arrays(x, y)
    if x.size <= BLOCK:
        return function(x, y, footprint)
    out = np.empty(x.shape)
    rows = max(1, BLOCK // max(1, x[0].size))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        out[part] = function(x[part], y[part], None if footprint is None else footprint[part])
    return out


def value_noise(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Noise in [-1, 1] at the points (x, y), one table cell per unit."""
    return _in_blocks(lambda px, py, _: _value_noise(table, px, py), x, y, None)


def _octaves(table, x, y, first, octaves, footprint):
    """Yield (noise, weight) of each octave that the spacing of the samples resolves."""
    for k in range(octaves):
        weight = 1.0
        if footprint is not None:
            # An octave fades out while its wavelength shrinks from 4 to 2 sample spacings.
            weight = np.clip(0.5 * (first / 2.0**k) / footprint - 1.0, 0.0, 1.0)
            if not weight.any():
                return
        yield _value_noise(table, x, y), weight
        # Turned by 37 degrees and moved, so that the lattices of two octaves never line up.
        x, y = 1.6 * x - 1.2 * y + 17.37, 1.2 * x + 1.6 * y + 5.91


def fbm(
    table: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    octaves: int = 5,
    footprint: np.ndarray | None = None,
    wavelength: float = 1.0,
    gain: float = 0.5,
) -> np.ndarray:
    """Fractal noise of about [-1, 1] at (x, y), coordinates in units of the first octave.

    footprint: (rows, 1) spacing of the samples in world units, and wavelength: the first octave in the same units;
    octaves finer than the spacing are left out, so that distant ground does not flicker.
    """

    def block(px, py, spacing):
        total, amount = np.zeros(px.shape), 1.0
        for noise, weight in _octaves(table, px, py, wavelength, octaves, spacing):
            noise *= amount * weight
            total += noise
            amount *= gain
        return total

    return _in_blocks(block, x, y, footprint)


def ridged(
    table: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    octaves: int = 6,
    footprint: np.ndarray | None = None,
    wavelength: float = 1.0,
) -> np.ndarray:
    """Ridged fractal noise in about [0, 1]: sharp crests, smooth valleys (Musgrave's ridged multifractal)."""

    def block(px, py, spacing):
        total, carry, amount = np.zeros(px.shape), np.ones(px.shape), 0.62
        for noise, weight in _octaves(table, px, py, wavelength, octaves, spacing):
            crest = 1.0 - np.abs(noise)
            crest *= crest
            crest *= carry
            carry = np.clip(1.8 * crest, 0.0, 1.0)
            total += amount * weight * crest
            amount *= 0.5
        return total

    return _in_blocks(block, x, y, footprint)


def line_noise(rng: np.random.Generator, x: np.ndarray, octaves: int = 4) -> np.ndarray:
    """Fractal noise of about [-1, 1] along a line."""
    table = noise_table(rng)
    return fbm(table, x, np.full(x.shape, 0.5), octaves)


def doubled(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """The inverse of taking every second row and column: fills the gaps of (h, w) or (h, w, C) with averages."""
    tall = np.empty((height, *grid.shape[1:]))
    tall[::2] = grid
    tall[1::2] = grid[: height // 2]
    tall[1 : height - 1 : 2] += grid[1 : 1 + (height - 1) // 2]
    tall[1 : height - 1 : 2] *= 0.5
    wide = np.empty((height, width, *grid.shape[2:]))
    wide[:, ::2] = tall
    wide[:, 1::2] = tall[:, : width // 2]
    wide[:, 1 : width - 1 : 2] += tall[:, 1 : 1 + (width - 1) // 2]
    wide[:, 1 : width - 1 : 2] *= 0.5
    return wide


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of (H, W) or (H, W, C) float64, separable, edges repeated."""
    radius = max(1, int(3.0 * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        pad = [(radius, radius) if k == axis else (0, 0) for k in range(image.ndim)]
        padded = np.pad(image, pad, mode="edge")
        n = image.shape[axis]
        image = sum(tap * np.take(padded, range(k, k + n), axis=axis) for k, tap in enumerate(taps))
    return image
