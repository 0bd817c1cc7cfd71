"""Wrong label maps made on purpose, from the label maps of the set itself: what the ranking learns to tell from the given ones.

These are the ways in which label maps go wrong when a set is put together (another picture's map, mirrored, turned, shifted) or drawn
(one class called another, a region called another, everything one class). Positions, sizes and classes are drawn at random.
"""

from __future__ import annotations

import cv2
import numpy as np

from curation.label_space import UNKNOWN

KINDS = ("other", "mirrored", "turned", "shifted", "swapped", "patch", "blank")
SAYS = {
    "other": "it looks like the label map of another photo",
    "mirrored": "it fits better mirrored",
    "turned": "it fits better turned upside down",
    "shifted": "it fits better shifted",
    "swapped": "a class looks like another one",
    "patch": "a region looks like another class",
    "blank": "it shows hardly anything of what is in the photo",
}
SHIFTED = (0.04, 0.14)  # of the sides
PATCH = (0.03, 0.2)  # of the picture
LEAST_CLASS = 0.05  # of the picture
LEAST_CHANGE = 0.02  # of the picture; less is not an error that anybody would look for


def simulate(kind: str, ids: np.ndarray, other: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray | None:  # fmt: skip
    """A wrong label map, or None where this one cannot go wrong in that way.

    Args:
        kind: of KINDS.
        ids: (h, w) uint8 class indices, 255 = unknown.
        other: (h, w) of another pair.
        n_classes: of the label space.
    """
    wrong = _MAKERS[kind](ids, other, n_classes, rng)
    return None if wrong is None or (wrong != ids).mean() < LEAST_CHANGE else np.ascontiguousarray(wrong)


def _shifted(ids: np.ndarray, other: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    height, width = ids.shape
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*SHIFTED)
    move = np.float32([[1, 0, round(far * width * np.cos(angle))], [0, 1, round(far * height * np.sin(angle))]])
    return cv2.warpAffine(ids, move, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _swapped(ids: np.ndarray, other: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray | None:
    large = [c for c in _classes(ids) if (ids == c).mean() >= LEAST_CLASS]
    if not large or n_classes < 2:
        return None
    old = rng.choice(large)
    return np.where(ids == old, (old + rng.integers(1, n_classes)) % n_classes, ids).astype(np.uint8)


def _patch(ids: np.ndarray, other: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    height, width = ids.shape
    radius = np.sqrt(rng.uniform(*PATCH) * height * width / np.pi)
    longer = np.exp(rng.uniform(-0.7, 0.7))
    y, x = np.ogrid[0:height, 0:width]
    y, x = (y - rng.uniform(0, height)) / (radius * longer), (x - rng.uniform(0, width)) / (radius / longer)
    wrong = ids.copy()
    wrong[(y * y + x * x < 1) & (ids != UNKNOWN)] = rng.integers(n_classes)
    return wrong


def _blank(ids: np.ndarray, other: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray | None:
    here = _classes(ids)
    return np.where(ids == UNKNOWN, UNKNOWN, rng.choice(here)).astype(np.uint8) if len(here) > 1 else None


def _classes(ids: np.ndarray) -> np.ndarray:
    found = np.unique(ids)
    return found[found != UNKNOWN]


_MAKERS = {
    "other": lambda ids, other, n_classes, rng: other,
    "mirrored": lambda ids, other, n_classes, rng: ids[:, ::-1],
    "turned": lambda ids, other, n_classes, rng: ids[::-1, ::-1],
    "shifted": _shifted,
    "swapped": _swapped,
    "patch": _patch,
    "blank": _blank,
}
