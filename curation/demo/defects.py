"""The defects that the demo plants, one function each: a good landscape goes in, the two files of a bad pair come out.

A function answers None where its defect would hardly show in that landscape (a mirrored label map that fits its photo
nearly as well); the caller then draws another landscape. Every choice comes from the generator handed in.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from curation.demo.classes import CLASS_ID, CLASSES
from curation.demo.landscape import SRGB, Landscape, luminance, render
from curation.demo.light import ORDINARY
from curation.demo.noise import blur, noise_table, value_noise
from curation.demo.png_writer import encode_label_png

QUALITY = 92  # of JPEG
KINDRED = (  # classes that a person could take for one another; no defect swaps within a row
    ("water", "sea", "river", "lake"),
    ("mountain", "hill", "rock"),
    ("tree", "plant", "grass", "field", "land", "hill"),
    ("earth", "sand", "land", "path", "road", "field", "rock"),
)
LIGHT_OF = {"backlit": "low_sun", "low_information": "fog"}  # defects that are a matter of light
SUBSTITUTES = ("sky", "sea", "tree", "mountain", "sand", "grass", "building", "road")


@dataclass(frozen=True)
class Files:
    """The bytes of a pair's photo and label map (None: there is no such file) and the detail for truth.csv."""

    photo: bytes
    label: bytes | None
    detail: str = ""


def encode_photo(photo: np.ndarray, quality: int = QUALITY) -> bytes:
    """(H, W, 3) uint8 RGB -> JPEG with full colour resolution."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def clean(scene: Landscape, rng: np.random.Generator) -> Files:
    """No defect."""
    return Files(encode_photo(scene.photo), encode_label_png(scene.label))


def _relabelled(scene: Landscape, label: np.ndarray, detail: str = "", least: float = 0.06) -> Files | None:
    """The photo with another label map, if at least a share `least` of the pixels changed."""
    if (label != scene.label).mean() < least:
        return None
    return Files(encode_photo(scene.photo), encode_label_png(label), detail)


def _large_classes(label: np.ndarray, share: float) -> np.ndarray:
    ids, count = np.unique(label, return_counts=True)
    return ids[count >= share * label.size]


def _pick(rng: np.random.Generator, options: np.ndarray | list) -> int:
    return options[int(rng.integers(len(options)))]


def _unlike(class_id: int, rng: np.random.Generator) -> int:
    """A class that nobody would take for `class_id`."""
    name = CLASSES[class_id]
    near = {name}.union(*(row for row in KINDRED if name in row))
    return CLASS_ID[_pick(rng, [k for k in SUBSTITUTES if k not in near])]


# Label defects


def wrong_pair(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The label map of another photo."""
    return _relabelled(scene, render(rng, *scene.label.shape).label, least=0.40)


def mirrored_label(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The label map mirrored left to right, the photo not."""
    return _relabelled(scene, scene.label[:, ::-1], least=0.20)


def rotated_label(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The label map turned by 180 degrees."""
    return _relabelled(scene, scene.label[::-1, ::-1], least=0.40)


def shifted_label(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The label map moved by 8 % of width and height, its border repeated; detail: pixels to the right, down."""
    height, width = scene.label.shape
    down, right = (int(0.08 * size + 0.5) * (1 if rng.random() < 0.5 else -1) for size in (height, width))
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return _relabelled(scene, scene.label[rows][:, columns], f"{right},{down}", least=0.12)


def class_swapped(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """All pixels of a large class carry another class; detail: right->wrong."""
    large = _large_classes(scene.label, 0.12)
    if len(large) == 0:
        return None
    right = _pick(rng, large)
    wrong = _unlike(right, rng)
    label = np.where(scene.label == right, wrong, scene.label)
    return _relabelled(scene, label, f"{CLASSES[right]}->{CLASSES[wrong]}")


def wrong_patch(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """A blob of 8 to 15 % of the picture carries a class that it mostly is not; detail: that class."""
    height, width = scene.label.shape
    radius = np.sqrt(rng.uniform(0.08, 0.15) * height * width / np.pi)
    y, x = rng.uniform(radius, height - radius), rng.uniform(radius, width - radius)
    row, column = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    wobble = value_noise(noise_table(rng), column * 9.0 / width, row * 9.0 / width)
    blob = np.sqrt((row - y) ** 2 + (column - x) ** 2) < radius * (1.0 + 0.25 * wobble)
    ids, count = np.unique(scene.label[blob], return_counts=True)
    wrong = _unlike(int(ids[count.argmax()]), rng)
    return _relabelled(scene, np.where(blob, wrong, scene.label), CLASSES[wrong])


def blank_label(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The whole map is one class; detail: that class."""
    only = _pick(rng, _large_classes(scene.label, 0.02))
    return _relabelled(scene, np.full_like(scene.label, only), CLASSES[only], least=0.30)


def coupled_labels(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Two large classes interleaved at a scale of a few pixels; detail: the two."""
    large = _large_classes(scene.label, 0.15)
    if len(large) < 2:
        return None
    a, b = large[rng.permutation(len(large))[:2]]
    height, width = scene.label.shape
    row, column = np.arange(height)[:, None] / 5.0, np.arange(width)[None, :] / 5.0
    mixed = np.where(value_noise(noise_table(rng), column, row) > 0.0, a, b)
    label = np.where((scene.label == a) | (scene.label == b), mixed, scene.label)
    return _relabelled(scene, label, f"{CLASSES[a]}/{CLASSES[b]}", least=0.15)


# Photo defects


def _linear(photo: np.ndarray) -> np.ndarray:
    """uint8 sRGB -> linear light in [0, 1]."""
    steps = np.arange(256) / 255.0
    return np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)[photo]


def _photo(linear: np.ndarray) -> np.ndarray:
    index = np.clip(linear, 0.0, 1.0) * (len(SRGB) - 1) + 0.5
    return np.floor(SRGB[index.astype(np.int64)] + 0.5).astype(np.uint8)


def _rephotographed(scene: Landscape, photo: np.ndarray) -> Files:
    return Files(encode_photo(photo), encode_label_png(scene.label))


def _under(scene: Landscape, light: str, rng: np.random.Generator) -> Landscape:
    """The same landscape under that light."""
    if scene.light == light:
        return scene
    return render(rng, *scene.label.shape, light=light, geometry=scene.geometry, season=scene.season)


def backlit(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The landscape against a low sun: a bright sky over black land."""
    dusk = _under(scene, LIGHT_OF["backlit"], rng)
    sky = dusk.label == CLASS_ID["sky"]
    light = luminance(_linear(dusk.photo))
    if not 0.2 < sky.mean() < 0.75 or light[sky].mean() < 8.0 * light[~sky].mean():
        return None
    return clean(dusk, rng)


def dark(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Exposed four to five stops too short."""
    return _rephotographed(scene, _photo(_linear(scene.photo) * rng.uniform(0.025, 0.055)))


def overexposed(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Exposed two to three stops too long, with flare: most of the picture is white."""
    return _rephotographed(scene, _photo(_linear(scene.photo) * rng.uniform(5.0, 8.0) + 0.12))


def blurred(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Out of focus."""
    sigma = rng.uniform(0.011, 0.016) * scene.photo.shape[1]
    return _rephotographed(scene, _photo(blur(_linear(scene.photo), sigma)))


def monochrome(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Without colour."""
    grey = luminance(_linear(scene.photo))
    return _rephotographed(scene, _photo(np.stack([grey, grey, grey], axis=2)))


def low_information(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """In fog that hides nearly everything."""
    return clean(_under(scene, LIGHT_OF["low_information"], rng), rng)


# File defects


def truncated_image(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The photo's file ends after a third of its bytes."""
    photo = encode_photo(scene.photo)
    return Files(photo[: len(photo) // 3], encode_label_png(scene.label))


def empty_image(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The photo's file has no bytes."""
    return Files(b"", encode_label_png(scene.label))


def label_other_size(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The label map lacks its lower third; detail: its width x height."""
    label = scene.label[: scene.label.shape[0] * 2 // 3]
    return Files(encode_photo(scene.photo), encode_label_png(label), f"{label.shape[1]}x{label.shape[0]}")


def id_out_of_range(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """A small patch carries an id that no class has; detail: the id."""
    label = scene.label.copy()
    wrong = int(rng.integers(len(CLASSES), 100))
    row, column = (int(rng.integers(size - 8)) for size in label.shape)
    label[row : row + 8, column : column + 8] = wrong
    return Files(encode_photo(scene.photo), encode_label_png(label), str(wrong))


def missing_label(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """There is no label map."""
    return Files(encode_photo(scene.photo), None)


# Copies of a clean pair, and its twin; the caller puts the original's pair_id into detail


def copy_exact(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The same bytes again."""
    return clean(scene, rng)


def copy_reencoded(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The photo saved at a lower JPEG quality."""
    return Files(encode_photo(scene.photo, int(rng.integers(45, 70))), encode_label_png(scene.label))


def copy_resized(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Both at half size: the photo by the mean of 2 x 2 pixels, the label map by the nearest pixel."""
    height, width = (2 * (size // 2) for size in scene.label.shape)
    blocks = scene.photo[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).astype(np.uint16)
    photo = ((blocks.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)
    return Files(encode_photo(photo), encode_label_png(scene.label[:height:2, :width:2]))


def copy_mirrored(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """Both mirrored left to right."""
    photo = np.ascontiguousarray(scene.photo[:, ::-1])
    return Files(encode_photo(photo), encode_label_png(scene.label[:, ::-1]))


def layout_twin(scene: Landscape, rng: np.random.Generator) -> Files | None:
    """The same place on another day: nearly the same label map, a photo that looks quite different."""
    season = _pick(rng, ["autumn", "dry"] if scene.season in ("summer", "spring") else ["summer", "spring"])
    lights = [k for k in dict.fromkeys(ORDINARY) if k != scene.light]
    days = [render(rng, *scene.label.shape, light, scene.geometry, season) for light in lights]
    apart = [int(np.abs(day.photo.astype(np.int64) - scene.photo).sum()) for day in days]
    return clean(days[apart.index(max(apart))], rng)


Defect = Callable[[Landscape, np.random.Generator], Files | None]

IN_PLACE: dict[str, Defect] = {
    f.__name__: f
    for f in (
        wrong_pair, mirrored_label, rotated_label, shifted_label, class_swapped, wrong_patch, blank_label,
        coupled_labels, backlit, dark, overexposed, blurred, monochrome, low_information, truncated_image, empty_image,
        label_other_size, id_out_of_range, missing_label,
    )
}  # fmt: skip
COPIES: dict[str, Defect] = {
    f.__name__: f for f in (copy_exact, copy_reencoded, copy_resized, copy_mirrored, layout_twin)
}
DEFECTS: dict[str, Defect] = {**IN_PLACE, **COPIES}
