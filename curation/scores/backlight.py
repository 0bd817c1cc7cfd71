"""Backlight: is the subject a dark mass before a bright ground, with nothing between the two?

Measured in linear light. Without label maps two facts decide, both of the histogram of log2 luminance split at Otsu's
threshold [Otsu 1979, IEEE Trans. SMC 9(1)]: how many stops lie between the mean luminance of the two sides, and how
much of the variance the split explains (eta, Otsu's separability: near 1 when the mid-tones are empty). With a sky
class the stops between sky and everything else say it more directly.
"""

from __future__ import annotations

import cv2
import numpy as np

from curation.scores.view import LEVELS, View

LEAST_SKY = 0.05  # share of the picture; a smaller sky says nothing about the light
_LEVEL = (np.arange(LEVELS) + 0.5) * (10 / LEVELS) - 10  # log2 luminance at the middle of each histogram step


def split(histogram: np.ndarray) -> int:
    """(LEVELS,) shares of log2 luminance -> the last step of the dark side, by Otsu's threshold."""
    weight, first = np.cumsum(histogram), np.cumsum(histogram * _LEVEL)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num((first[-1] * weight - first) ** 2 / (weight * (1 - weight)), posinf=0.0)
    return int(between[:-1].argmax())


def two_tones(histogram: np.ndarray) -> tuple[float, float]:
    """(LEVELS,) shares of log2 luminance -> (stops between the mean luminance of Otsu's two classes, eta in [0, 1])."""
    dark = np.arange(LEVELS) <= split(histogram)
    shares = [histogram[side].sum() for side in (dark, ~dark)]
    mean = (histogram * _LEVEL).sum()
    variance = (histogram * (_LEVEL - mean) ** 2).sum()
    if variance < 1e-6 or min(shares) < 1e-9:
        return 0.0, 0.0
    light = histogram * np.exp2(_LEVEL)
    below, above = (light[side].sum() / share for side, share in zip((dark, ~dark), shares, strict=True))
    means = [(histogram * _LEVEL)[side].sum() / share for side, share in zip((dark, ~dark), shares, strict=True)]
    between = shares[0] * shares[1] * (means[1] - means[0]) ** 2
    return float(np.log2(above / below)), float(between / variance)


def sky_stops(view: View) -> float | None:
    """Stops by which the mean luminance of the sky lies above that of the rest; None without a usable sky."""
    sky = view.role("sky")
    if sky is None or not LEAST_SKY <= sky.mean() <= 1 - LEAST_SKY:
        return None
    sky_light, rest_light = (cv2.mean(view.luminance, mask.view(np.uint8))[0] for mask in (sky, ~sky))
    return float(np.log2((sky_light + 1e-3) / (rest_light + 1e-3)))


def measure(view: View) -> float:
    """Backlight in [0, 1]; 0.5 is where the photo stops being usable as a picture of its classes.

    The weights are a logistic fit of published backlit photos against ordinary outdoor photos (benchmarks/RESULTS.md).
    """
    stops, eta = two_tones(view.log_luminance_histogram)
    evidence = 2.05 * stops + 18.25 * eta - 24.0
    sky = sky_stops(view)
    if sky is not None:
        evidence = 0.4 * (evidence + 2.4) + 3.0 * (sky - 3.55)
    return float(1 / (1 + np.exp(np.clip(-evidence, -60, 60))))
