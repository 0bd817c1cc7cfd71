"""Open a user's photo and label map: file -> arrays at the scale the measures need, or a PairError that says why not.

The only file that opens a user's image. Each file is read once; its SHA-256 comes from the same bytes.

Two working scales: `photo` and `ids` have a long side of at most PREVIEW pixels, `detail` (luminance only, for
sharpness) at most DETAIL; nothing is ever enlarged. JPEGs are decoded at the smallest DCT scale that still covers
DETAIL. Training asks for sizes of its own: `photo_at`, `label_at`.

One rule for orientation: every file is turned upright by its own EXIF orientation tag, photo and label map alike,
before anything is compared. A viewer shows it so, and so does training.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from curation.label_png import SIGNATURE, BrokenPng, decode_ids
from curation.label_space import NOT_ALLOWED, LabelSpace
from curation.place import Fetched, Place, place

PREVIEW = 256  # pixels on the long side of what most measures see
DETAIL = 512  # pixels on the long side of what the sharpness measure sees
SMALLEST = 16  # pixels; below that nothing can be measured
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # nothing that runs a program, as Pillow does for EPS
MOST_PIXELS = 100_000_000  # a header that promises more is refused before a byte is decoded (decompression bomb)

Image.MAX_IMAGE_PIXELS = None  # the limit above stands in for Pillow's, so that its message can say what to do


File = Place | Fetched


class PairError(ValueError):
    """Why one file cannot be measured; the message is what the table's `error` column shows."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: upright size, `photo` (h, w, 3) uint8 RGB, `detail` (h2, w2) uint8 luminance, SHA-256 as hex."""

    width: int
    height: int
    turned: bool  # True when EXIF orientation swapped width and height
    photo: np.ndarray
    detail: np.ndarray
    sha256: str


@dataclass(frozen=True)
class LabelMap:
    """A decoded label map: upright size, `ids` (h, w) uint8 class indices (255 = unknown) at preview size, SHA-256."""

    width: int
    height: int
    ids: np.ndarray
    sha256: str


def read_photo(path: File) -> Photo:
    """Read one photo. Raises PairError: missing, empty, truncated, not an image, too large, too small."""
    data = read_bytes(path)
    pixels, width, height, turned = _upright_photo(data, lambda width, height: _fit(width, height, DETAIL))
    detail = shrink(pixels, *_fit(width, height, DETAIL))
    return Photo(
        width,
        height,
        turned,
        shrink(detail, *_fit(width, height, PREVIEW)),
        cv2.cvtColor(detail, cv2.COLOR_RGB2GRAY),
        hashlib.sha256(data).hexdigest(),
    )


def photo_at(path: File, width: int, height: int) -> tuple[np.ndarray, str]:
    """One photo, whole and upright, at the size asked for, whatever its own size and shape.

    Returns:
        (height, width, 3) uint8 RGB, resized with Pillow's bicubic filter, which averages where it shrinks, and the
        SHA-256 of the file in hex. A JPEG of more than twice the size is decoded at the smallest DCT scale that still
        has twice the size.

    Raises:
        PairError: as read_photo.
    """
    data = read_bytes(path)
    pixels, *_ = _upright_photo(data, lambda *_: (2 * width, 2 * height))
    if pixels.shape[:2] != (height, width):
        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    return pixels, hashlib.sha256(data).hexdigest()


def photo_within(path: File, long_side: int) -> tuple[np.ndarray, str]:
    """One photo, whole and upright, in its own shape, its long side at most so many pixels; nothing is enlarged.

    Returns:
        (h, w, 3) uint8 RGB, area-averaged where it is shrunk, and the SHA-256 of the file in hex.

    Raises:
        PairError: as read_photo.
    """
    data = read_bytes(path)
    pixels, width, height, _ = _upright_photo(data, lambda width, height: _fit(width, height, long_side))
    return shrink(pixels, *_fit(width, height, long_side)), hashlib.sha256(data).hexdigest()


def _upright_photo(data: bytes, least: Callable[[int, int], tuple[int, int]]) -> tuple[np.ndarray, int, int, bool]:
    """(H, W, 3) uint8 RGB upright; width and height of the file, upright; whether EXIF orientation swapped the two.

    `least(width, height)`: the upright size below which a JPEG may not be decoded to save time.
    """
    with _open(data) as im:
        _check_size(*im.size)
        orientation = _orientation(im)  # for a PNG this decodes the picture, so only now
        swap = slice(None, None, -1 if orientation >= 5 else 1)  # (width, height) as stored <-> upright
        width, height = im.size[swap]
        if im.format in ("JPEG", "MPO"):
            im.draft("RGB", least(width, height)[swap])
        pixels = _to_rgb(im)
    return _upright(pixels, orientation), width, height, orientation >= 5


def read_label(path: File, space: LabelSpace) -> LabelMap:
    """Read one label map of any bit depth, palette or colour code. Raises PairError, also for ids outside the space."""
    data = read_bytes(path)
    raw, table = _upright_label(data, path, space)
    height, width = raw.shape
    ids = _class_indices(_nearest(raw, *_fit(width, height, PREVIEW)), table)
    return LabelMap(width, height, ids, hashlib.sha256(data).hexdigest())


def label_at(path: File, space: LabelSpace, width: int, height: int) -> tuple[np.ndarray, str]:
    """One label map, whole and upright, at the size asked for, whatever its own size and shape.

    Returns:
        (height, width) uint8 class indices, 255 = unknown, each the one at the centre of its pixel (nearest; ids never
        mix), and the SHA-256 of the file in hex.

    Raises:
        PairError: as read_label; every pixel of the file is checked, not only those that are taken.
    """
    data = read_bytes(path)
    raw, table = _upright_label(data, path, space)
    return _class_indices(_nearest(raw, width, height), table), hashlib.sha256(data).hexdigest()


def _upright_label(data: bytes, path: File, space: LabelSpace) -> tuple[np.ndarray, np.ndarray | Mapping[int, int]]:
    """(H, W) values as stored or packed colours, upright and all of them allowed; the table of their class indices."""
    simple = None
    if data.startswith(SIGNATURE) and len(data) > 33 and b"eXIf" not in data and not _may_be_colours(data, space):
        _check_png_size(data)
        try:
            simple = decode_ids(data)
        except BrokenPng as error:
            raise PairError(str(error)) from None
    if simple:
        raw, present = simple
    else:
        with _open(data) as im:
            _check_size(*im.size)
            if im.format in ("JPEG", "MPO", "WEBP"):
                raise PairError(f"the label map is a {im.format}, whose compression blurs class ids; save it as PNG")
            if ";16" in str(im.tile) and not im.mode.startswith("I"):  # Pillow would drop the low byte, which is the id
                raise PairError("the label map has 16 bits a colour channel; save its ids as greyscale PNG")
            orientation = _orientation(im)
            raw = _upright(_stored_values(im, data, space), orientation)
        if raw.ndim == 3:
            raw = _packed_colours(raw, space)
        present = np.unique(raw)
    table = space.colour_table() if raw.dtype == np.int32 else space.index_table(path.name)
    _check_present(raw, present, table, space)
    return raw, table


def read_pair(image: File, label: File, space: LabelSpace) -> tuple[Photo, LabelMap]:
    """Read both files of a pair and hold them against each other. Raises PairError, naming every fault of the two."""
    faults, photo, ids = [], None, None
    try:
        photo = read_photo(image)
    except PairError as error:
        faults.append(f"photo: {error}")
    try:
        ids = read_label(label, space)
    except PairError as error:
        faults.append(f"label map: {error}" if "class id" not in str(error) else str(error))
    if photo and ids and (photo.width, photo.height) != (ids.width, ids.height):
        hint = ""
        if photo.turned and (photo.height, photo.width) == (ids.width, ids.height):
            hint = "; the label map fits the photo as stored: its EXIF orientation turns only the photo"
        faults.append(f"size mismatch {photo.width}x{photo.height} / {ids.width}x{ids.height}{hint}")
    if faults:
        raise PairError("; ".join(faults))
    return photo, ids


def _nearest(raw: np.ndarray, w: int, h: int) -> np.ndarray:
    """(H, W) values at w x h: the one at the centre of each pixel."""
    height, width = raw.shape
    if (w, h) == (width, height):
        return raw
    step_x, step_y = width // w, height // h
    if (step_x * w, step_y * h) == (width, height):
        return raw[step_y // 2 :: step_y, step_x // 2 :: step_x]
    ys = ((np.arange(h) + 0.5) * height / h).astype(np.intp)
    xs = ((np.arange(w) + 0.5) * width / w).astype(np.intp)
    return raw[ys[:, None], xs]


def shrink(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Area-averaged to width x height; the array itself when it already has that size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def read_bytes(path: File) -> bytes:
    """The bytes of a file. Raises PairError: does not exist, is a folder, may not be read, empty.

    A store that cannot be reached or refuses is a PlaceError instead, which ends a run: its answer may be another one the next time, and
    no part shall say for good that a pair cannot be read.
    """
    try:
        data = place(path).read_bytes()
    except FileNotFoundError:
        raise PairError("file does not exist") from None
    except IsADirectoryError:
        raise PairError("is a folder, not a file") from None
    except PermissionError:
        raise PairError("permission denied") from None
    except OSError as error:
        raise PairError(f"cannot be read: {error.strerror}") from None
    if not data:
        raise PairError("empty file (0 bytes)")
    return data


def _open(data: bytes) -> Image.Image:
    _check_png_size(data)  # Pillow takes a PNG of nothing but a header for no image at all
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PairError("not an image") from None
    except Exception as error:  # Pillow's plug-ins raise many kinds on damaged headers
        raise PairError(_damage(error)) from None


def _load(im: Image.Image, mode: str | None = None) -> np.ndarray:
    """All pixels of an opened image. Raises PairError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(im.convert(mode) if mode and im.mode != mode else im)
    except Exception as error:
        raise PairError(_damage(error)) from None


def _damage(error: Exception) -> str:
    return "truncated image" if "truncated" in str(error).lower() else f"damaged image: {error}"


def _orientation(im: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = im.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged EXIF block says nothing about the picture
        return 1
    return value if value in range(1, 9) else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an (H, W, ...) array by an EXIF orientation tag, 1-8 (CIPA DC-008, Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        megapixels = width * height / 1e6
        limit = MOST_PIXELS // 10**6
        raise PairError(
            f"{width}x{height} = {megapixels:.0f} megapixels; above {limit} it is refused as a decompression bomb"
        )
    if min(width, height) < SMALLEST:
        raise PairError(f"{width}x{height} is too small to measure (at least {SMALLEST} pixels a side)")


def _check_png_size(data: bytes) -> None:
    if data.startswith(SIGNATURE) and len(data) >= 24:
        _check_size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))


def _fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """(width, height) within long_side, same shape; unchanged when it already fits."""
    if max(width, height) <= long_side:
        return width, height
    scale = long_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _to_rgb(im: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of any photo Pillow opens; 16-bit greyscale is scaled to 8 bits, transparency dropped."""
    if im.mode.startswith("I") or im.mode == "F":
        values = _load(im).astype(np.float64)
        top = 65535 if values.max(initial=0) > 255 else 255
        grey = np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return _load(im, "RGB")


def _may_be_colours(data: bytes, space: LabelSpace) -> bool:
    """Whether a PNG has a palette in a space whose masks may be colour-coded: then the palette decides what it means."""
    return space.colour_coded and data[25] == 3


def _stored_values(im: Image.Image, data: bytes, space: LabelSpace) -> np.ndarray:
    """(H, W) uint16 or int64 values as stored, or (H, W, 3) uint8 for a colour mask."""
    if im.mode == "P" and space.colour_coded and _colours_known(rgb := _load(im, "RGB"), space):
        return rgb
    if im.mode in ("L", "P", "1", "I;16"):
        values = _load(im).astype(np.uint16)
        few_bits = data.startswith(SIGNATURE) and data[25] == 0 and data[24] in (2, 4)
        return values // (255 // (2 ** data[24] - 1)) if few_bits else values  # Pillow spreads 2 and 4 bits over 0-255
    if im.mode.startswith("I"):
        return _load(im).astype(np.int64)
    if im.mode in ("LA", "PA"):
        return _load(im)[:, :, 0].astype(np.uint16)
    return _load(im, "RGB")


def _packed_colours(rgb: np.ndarray, space: LabelSpace) -> np.ndarray:
    """(H, W, 3) uint8 colours -> (H, W) int32 0xRRGGBB, or uint16 ids where the file holds ids as a grey RGB picture."""
    grey = (rgb[:, :, :1] == rgb).all()
    if space.colour_coded and not (grey and not _colours_known(rgb, space)):
        return _packed(rgb)
    if grey:
        return rgb[:, :, 0].astype(np.uint16)
    way_out = "give one with --label-space FILE.toml ([colours])"
    raise PairError(f"an RGB label map, and {space.name} has no colour table; {way_out}")


def _colours_known(rgb: np.ndarray, space: LabelSpace) -> bool:
    return set(np.unique(_packed(rgb)).tolist()) <= space.colour_table().keys()


def _packed(rgb: np.ndarray) -> np.ndarray:
    wide = rgb.astype(np.int32)
    return (wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]


def _check_present(
    raw: np.ndarray, present: np.ndarray, table: np.ndarray | Mapping[int, int], space: LabelSpace
) -> None:
    """Raises PairError when a stored value is not in the label space, saying which and how many pixels it has."""
    strange = [int(v) for v in present if _index(int(v), table) == NOT_ALLOWED]
    if not strange:
        return
    pixels = ", ".join(str(int((raw == v).sum())) for v in strange[:5])
    more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
    if isinstance(table, Mapping):
        colours = ", ".join(f"#{v:06x}" for v in strange[:5])
        raise PairError(f"colour {colours}{more} not in the colour table of {space.name} ({pixels} pixels)")
    unknown = f", unknown {'/'.join(map(str, space.unknown_ids))}" if space.unknown_ids else ""
    allowed = f"allowed {space.ids[0]}-{space.ids[-1]}{unknown}" if space.ids else "allowed 0-254"
    raise PairError(
        f"class id {', '.join(map(str, strange[:5]))}{more} not in {space.name} ({pixels} pixels; {allowed})"
    )


def _class_indices(raw: np.ndarray, table: np.ndarray | Mapping[int, int]) -> np.ndarray:
    """Stored values, all of them allowed -> (h, w) uint8 class indices."""
    if not isinstance(table, Mapping):
        return table[raw]
    colours, inverse = np.unique(raw, return_inverse=True)
    return np.array([table[int(c)] for c in colours], np.uint8)[inverse.reshape(raw.shape)]


def _index(value: int, table: np.ndarray | Mapping[int, int]) -> int:
    if isinstance(table, Mapping):
        return table.get(value, NOT_ALLOWED)
    return int(table[value]) if 0 <= value < len(table) else NOT_ALLOWED
