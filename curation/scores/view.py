"""What a score sees: one decoded pair at the working scales, with the derived pictures that several scores share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from curation.label_space import LabelSpace

# sRGB decoding, IEC 61966-2-1: 8-bit code -> linear light in [0, 1]
_CODE = np.arange(256) / 255
LINEAR = np.where(_CODE <= 0.04045, _CODE / 12.92, ((_CODE + 0.055) / 1.055) ** 2.4).astype(np.float32)
LEVELS = 200  # steps of the histogram below: 20 a stop
LUMINANCE = np.float32([0.2126, 0.7152, 0.0722])  # ITU-R BT.709 primaries, linear light


@dataclass
class View:
    """One pair as arrays.

    photo  (h, w, 3) uint8 RGB, long side <= 256
    detail (h2, w2) uint8 luminance code (BT.601), long side <= 512
    ids    (h, w) uint8 class indices, 255 = unknown; None when there is no label map
    """

    photo: np.ndarray
    detail: np.ndarray
    ids: np.ndarray | None = None
    space: LabelSpace | None = None

    @cached_property
    def luminance(self) -> np.ndarray:
        """(h, w) float32 relative luminance in linear light, [0, 1]."""
        return cv2.transform(cv2.LUT(self.photo, LINEAR), LUMINANCE[None])

    @cached_property
    def log_luminance_histogram(self) -> np.ndarray:
        """(LEVELS,) share of pixels per step of log2 luminance, 2^-10 (and darker) to 1; every 2nd row and column."""
        light = np.maximum(self.luminance[::2, ::2], 2**-10)
        level = np.minimum((np.log2(light) + 10) * (LEVELS / 10), LEVELS - 1).astype(np.uint8)
        return np.bincount(level.ravel(), minlength=LEVELS) / level.size

    @cached_property
    def fine_detail(self) -> np.ndarray:
        """(h2, w2) uint8: how far each pixel of `detail` is from the mean of its 3x3 surroundings."""
        return _departure(self.detail)

    @cached_property
    def _quarter(self) -> np.ndarray:
        return _quartered(self.detail)

    @cached_property
    def coarse_detail(self) -> np.ndarray:
        """The same at a quarter of the scale, (h2 / 4, w2 / 4) uint8."""
        return _departure(self._quarter)

    @cached_property
    def coarsest_detail(self) -> np.ndarray:
        """The same at a sixteenth of the scale, (h2 / 16, w2 / 16) uint8."""
        return _departure(_quartered(self._quarter))

    def role(self, *roles: str) -> np.ndarray | None:
        """(h, w) bool, where the label map shows a class of these roles; None without labels or such classes."""
        if self.ids is None or self.space is None:
            return None
        indices = [i for r in roles for i in self.space.indices_of(r)]
        if not indices:
            return None
        table = np.zeros(256, bool)
        table[indices] = True
        return table[self.ids]


def _departure(grey: np.ndarray) -> np.ndarray:
    return cv2.absdiff(grey, cv2.blur(grey, (3, 3)))


def _quartered(grey: np.ndarray) -> np.ndarray:
    return cv2.resize(grey, [max(1, side // 4) for side in grey.shape[::-1]], interpolation=cv2.INTER_AREA)


def ramp(value: float, low: float, high: float) -> float:
    """Logistic step from 0 to 1: 0.5 half-way between low and high, about 0.02 at one end and 0.98 at the other."""
    middle, width = (low + high) / 2, (high - low) / 8
    return float(1 / (1 + np.exp(np.clip(-(value - middle) / width, -60, 60))))
