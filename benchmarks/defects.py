"""Defects of a pair, planted in arrays: a scene goes in, what changes of it comes out.

Kinds and strengths are those in which the bars of benchmarks/detectors.py are written; every choice follows from the
generator handed in. Photos are (h, w, 3) uint8 RGB, label maps (h, w) uint8 class indices with 255 = unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from curation.label_space import UNKNOWN

QUALITY = 95  # of JPEG, where a photo is written anew


@dataclass(frozen=True)
class Scene:
    """A pair as a defect may see it.

    classes: the class indices that occur in the data set. names: class name by class index. sky: class indices of the
    sky. `photo()` decodes the photo; `other(rng)` gives the label map of another pair, of its own size.
    """

    ids: np.ndarray
    classes: tuple[int, ...]
    names: tuple[str, ...]
    sky: tuple[int, ...]
    photo: Callable[[], np.ndarray]
    other: Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Change:
    """What a defect changes of a pair; None: that half stays as it is. detail: what was done, for truth.csv."""

    photo: np.ndarray | None = None
    ids: np.ndarray | None = None
    detail: str = ""


Defect = Callable[[Scene, np.random.Generator], "Change | None"]


# The label map is wrong. None where the scene does not suit, or where not one pixel would change.


def wrong_pair(scene: Scene, rng: np.random.Generator) -> Change | None:
    """The label map of another photo, at this photo's size."""
    height, width = scene.ids.shape
    return _relabelled(scene, cv2.resize(scene.other(rng), (width, height), interpolation=cv2.INTER_NEAREST))


def mirrored_label(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Mirrored left to right, the photo not."""
    return _relabelled(scene, scene.ids[:, ::-1])


def rotated_label(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Turned by 180 degrees."""
    return _relabelled(scene, scene.ids[::-1, ::-1])


def shifted_label(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Moved by 8 % of width and of height, the border repeated; detail: pixels to the right, down."""
    down, right = (round(0.08 * size) * (1 if rng.random() < 0.5 else -1) for size in scene.ids.shape)
    height, width = scene.ids.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return _relabelled(scene, scene.ids[rows][:, columns], f"{right},{down}")


def class_swapped(scene: Scene, rng: np.random.Generator) -> Change | None:
    """All of one class that covers 10 % or more carries another class."""
    large = _large(scene.ids, 0.10)
    if not large or len(scene.classes) < 2:
        return None
    right = _pick(large, rng)
    wrong = _pick([c for c in scene.classes if c != right], rng)
    swapped = np.where(scene.ids == right, np.uint8(wrong), scene.ids)
    return _relabelled(scene, swapped, f"{scene.names[right]} -> {scene.names[wrong]}")


def wrong_patch(scene: Scene, rng: np.random.Generator) -> Change | None:
    """A ragged blob of 6-15 % of the picture carries a class that it mostly is not."""
    height, width = scene.ids.shape
    radius = np.sqrt(rng.uniform(0.06, 0.15) * height * width / np.pi)
    if 2 * radius > min(height, width):  # a banner or a tower: no round blob of that size lies inside
        return None
    y, x = rng.uniform(radius, height - radius), rng.uniform(radius, width - radius)
    rows, columns = np.ogrid[0:height, 0:width]
    blob = np.hypot(rows - y, columns - x) < radius * (1 + 0.25 * smooth_noise(rng, (height, width), 24))
    most = int(np.bincount(scene.ids[blob], minlength=256).argmax())
    wrong = _pick([c for c in scene.classes if c != most], rng)
    return _relabelled(scene, np.where(blob, np.uint8(wrong), scene.ids), scene.names[wrong])


def blank_label(scene: Scene, rng: np.random.Generator) -> Change | None:
    """The whole map is one of the classes that cover 2 % or more."""
    large = _large(scene.ids, 0.02)
    if not large:
        return None
    only = _pick(large, rng)
    return _relabelled(scene, np.full_like(scene.ids, only), scene.names[only])


def coupled_labels(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Two classes of 15 % or more, together 30 % or more, interleaved at a scale of 6 pixels."""
    large = _large(scene.ids, 0.15)
    if len(large) < 2:
        return None
    a, b = (large[int(k)] for k in rng.permutation(len(large))[:2])
    mixed = np.where(smooth_noise(rng, scene.ids.shape, 6) > 0, np.uint8(a), np.uint8(b))
    both = (scene.ids == a) | (scene.ids == b)
    return _relabelled(scene, np.where(both, mixed, scene.ids), f"{scene.names[a]} / {scene.names[b]}")


# The photo is bad; the label map still fits.


def backlit(scene: Scene, rng: np.random.Generator) -> Change | None:
    """The sky stays bright and all else sinks into shadow; needs 15-85 % of sky."""
    sky = np.isin(scene.ids, scene.sky).astype(np.float32)
    if not 0.15 <= sky.mean() <= 0.85:
        return None
    sky = cv2.GaussianBlur(sky, (0, 0), 3)[:, :, None]
    light = scene.photo().astype(np.float32) / 255
    ground = light ** rng.uniform(1.3, 1.9) * rng.uniform(0.30, 0.55)
    glare = np.minimum(light**0.7 * rng.uniform(1.05, 1.25), 1)
    return Change(photo=_as_photo(ground + sky * (glare - ground)))


def dark(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Hardly any light left."""
    return Change(photo=_as_photo((scene.photo() / 255) ** 1.5 * rng.uniform(0.10, 0.22)))


def overexposed(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Most of it burnt out."""
    return Change(photo=_as_photo(scene.photo() / 255 * rng.uniform(2.2, 3.0) + 0.1))


def blurred(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Out of focus by 1.2 % of the long side."""
    return Change(photo=cv2.GaussianBlur(scene.photo(), (0, 0), 0.012 * max(scene.ids.shape)))


def monochrome(scene: Scene, rng: np.random.Generator) -> Change | None:
    """Without colour."""
    return Change(photo=cv2.cvtColor(cv2.cvtColor(scene.photo(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


IN_PLACE: dict[str, Defect] = {
    defect.__name__: defect
    for defect in (
        wrong_pair, mirrored_label, rotated_label, shifted_label, class_swapped, wrong_patch, blank_label,
        coupled_labels, backlit, dark, overexposed, blurred, monochrome,
    )
}  # fmt: skip


# Copies of a clean pair: (photo, ids, rng) -> photo, ids, quality of its JPEG.


def copy_reencoded(photo: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """The same photo at a low JPEG quality."""
    return photo, ids, 60


def copy_resized(photo: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Both at half size."""
    size = (max(1, ids.shape[1] // 2), max(1, ids.shape[0] // 2))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    return small, cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST), QUALITY


def copy_mirrored(photo: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Both mirrored left to right."""
    return photo[:, ::-1], ids[:, ::-1], QUALITY


def layout_twin(photo: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Nearly the same label map (moved by up to 0.6 % of the long side), a photo of other hue, tone and texture."""
    height, width = ids.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    reach = np.float32(0.006 * max(height, width))
    across, along = (smooth_noise(rng, ids.shape, 40) * reach for _ in range(2))
    warped = cv2.remap(ids, columns + across, rows + along, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    hue, strength, value = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2HSV).astype(np.float32))
    hue = (hue + float(rng.integers(40, 140))) % 180
    strength = np.clip(strength * rng.uniform(0.4, 1.8), 0, 255)
    light = cv2.cvtColor(cv2.merge([hue, strength, value]).astype(np.uint8), cv2.COLOR_HSV2RGB) / 255
    light = light ** (0.5 if rng.random() < 0.5 else 2.0)
    grain = 0.10 * smooth_noise(rng, ids.shape, 9) + 0.06 * rng.standard_normal(ids.shape)
    return _as_photo(light + grain[:, :, None]), warped, QUALITY


ALTERED_COPIES = {f.__name__: f for f in (copy_reencoded, copy_resized, copy_mirrored, layout_twin)}


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: int) -> np.ndarray:
    """(h, w) float32 in about [-1, 1]: uniform random values, one every `cell` pixels, enlarged by bicubic."""
    height, width = shape
    coarse = rng.uniform(-1, 1, (max(2, height // cell + 2), max(2, width // cell + 2))).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _relabelled(scene: Scene, ids: np.ndarray, detail: str = "") -> Change | None:
    return None if np.array_equal(ids, scene.ids) else Change(ids=np.ascontiguousarray(ids, np.uint8), detail=detail)


def _large(ids: np.ndarray, share: float) -> list[int]:
    """Class indices that cover at least that share of the picture."""
    count = np.bincount(ids.ravel(), minlength=256)[:UNKNOWN]
    return np.flatnonzero(count >= share * ids.size).tolist()


def _pick(options: list[int], rng: np.random.Generator) -> int:
    return options[int(rng.integers(len(options)))]


def _as_photo(light: np.ndarray) -> np.ndarray:
    return (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)
