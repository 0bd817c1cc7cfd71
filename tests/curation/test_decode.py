"""Opening a pair: what comes out of every kind of file, and what is said about files that cannot be used."""

import hashlib
import io
import os
import random
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from curation.decode import PairError, label_at, photo_at, photo_within, read_label, read_pair, read_photo
from curation.label_space import UNKNOWN, ids_as_found
from curation.label_space_files import from_classes_json, load_builtin

LANDSCAPE = load_builtin("landscape29")
ORIENTATION = 0x0112  # the EXIF tag


def scene(width=64, height=48):
    """(height, width, 3) uint8: smooth, and different in every corner."""
    y, x = np.mgrid[:height, :width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return np.stack([red, green, 0.5 * (255 - red) + 0.3 * green], -1).round().astype(np.uint8)


def label_map(width=64, height=48, dtype=np.uint8):
    """(height, width): sky (1) over grass (12), with a tree (5) left of the middle."""
    ids = np.full((height, width), 1, dtype)
    ids[height // 2 :] = 12
    ids[height // 4 : 3 * height // 4, width // 8 : width // 4] = 5
    return ids


def encoded(picture, file_format, **options):
    """Bytes of an image file from an array or a Pillow image."""
    file = io.BytesIO()
    im = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    im.save(file, file_format, **options)
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width, height, depth=8, colour=0):
    """A PNG with a good header and next to no data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.fixture
def photo(tmp_path):
    """Reads bytes, or an array saved as PNG, as a photo."""

    def read(picture):
        path = tmp_path / "1.jpg"
        path.write_bytes(picture if isinstance(picture, bytes) else encoded(picture, "PNG"))
        return read_photo(path)

    return read


@pytest.fixture
def label(tmp_path):
    """Reads bytes, or an array saved as PNG, as a label map."""

    def read(picture, space=LANDSCAPE, name="1.png"):
        path = tmp_path / name
        path.write_bytes(picture if isinstance(picture, bytes) else encoded(picture, "PNG"))
        return read_label(path, space)

    return read


@pytest.fixture
def pair(tmp_path):
    """Reads two files, given as bytes, as a pair."""

    def read(image, label, space=LANDSCAPE):
        (tmp_path / "1.jpg").write_bytes(image)
        (tmp_path / "1.png").write_bytes(label)
        return read_pair(tmp_path / "1.jpg", tmp_path / "1.png", space)

    return read


def error_of(read, *args, **options):
    with pytest.raises(PairError) as caught:
        read(*args, **options)
    return str(caught.value)


# --- photos -------------------------------------------------------------------------------


def test_a_small_photo_comes_out_as_it_is(photo):
    data = encoded(scene(), "PNG")
    found = photo(data)
    assert (found.width, found.height, found.turned) == (64, 48, False)
    assert np.array_equal(found.photo, scene())
    assert np.array_equal(found.detail, cv2.cvtColor(scene(), cv2.COLOR_RGB2GRAY))
    assert found.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("size", "detail", "preview"),
    [
        ((1024, 768), (512, 384), (256, 192)),
        ((1000, 700), (512, 358), (256, 179)),
        ((300, 400), (300, 400), (192, 256)),
        ((256, 16), (256, 16), (256, 16)),
        ((4000, 16), (512, 2), (256, 1)),
    ],
)
def test_the_two_working_scales(photo, file_format, size, detail, preview):
    found = photo(encoded(scene(*size), file_format, quality=95))
    assert (found.width, found.height) == size
    assert found.detail.shape == detail[::-1]
    assert found.photo.shape == (*preview[::-1], 3)
    if min(preview) > 1:
        expected = cv2.resize(scene(*size), preview, interpolation=cv2.INTER_AREA)
        assert abs(found.photo.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}, {"restart_marker_rows": 1}],
)
def test_jpeg_variants(photo, options):
    found = photo(encoded(scene(1200, 900), "JPEG", quality=95, **options))
    expected = cv2.resize(scene(1200, 900), (256, 192), interpolation=cv2.INTER_AREA)
    assert abs(found.photo.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize("size", [(64, 48), (1200, 900)])  # the larger is decoded at a smaller scale
def test_cmyk_jpeg_has_the_right_colours(photo, size):
    rgb = np.zeros((size[1], size[0], 3), np.uint8)
    rgb[:] = (200, 30, 60)
    rgb[: size[1] // 2, : size[0] // 2] = (20, 160, 220)
    data = encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG", quality=98)
    assert b"Adobe" in data  # so the inks are stored inverted
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    found = photo(data).photo
    assert abs(found[4, 4].astype(int) - (20, 160, 220)).max() <= 4
    assert abs(found[-4, -4].astype(int) - (200, 30, 60)).max() <= 4


def test_16_bit_grey_photo(photo):
    values = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    found = photo(cv2.imencode(".png", values)[1].tobytes()).photo
    assert found.shape == (48, 64, 3)
    assert np.array_equal(found, np.repeat((values / 257 + 0.5).astype(np.uint8)[:, :, None], 3, 2))


def test_16_bit_colour_photo(photo):
    wide = scene().astype(np.uint16) * 257
    found = photo(cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes()).photo
    assert np.array_equal(found, scene())


def test_float_photo(photo):
    found = photo(encoded(Image.fromarray(np.full((32, 32), 100.4, np.float32)), "TIFF"))
    assert (found.photo == 100).all()


def test_transparency_is_dropped(photo):
    alpha = np.zeros((48, 64, 1), np.uint8)
    assert np.array_equal(photo(np.concatenate([scene(), alpha], 2)).photo, scene())


def test_palette_photo(photo):
    few = (scene() // 64 * 64).astype(np.uint8)
    im = Image.fromarray(few).quantize(64, dither=Image.Dither.NONE)
    expected = np.asarray(im.convert("RGB"))
    assert abs(expected.astype(int) - few).max() < 64
    assert np.array_equal(photo(encoded(im, "PNG")).photo, expected)
    assert np.array_equal(photo(encoded(im, "PNG", transparency=3)).photo, expected)


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_photos_become_rgb(photo, mode):
    im = Image.fromarray(scene()).convert(mode)
    expected = np.asarray(im.convert("L"))
    found = photo(encoded(im, "PNG")).photo
    assert np.array_equal(found, np.stack([expected] * 3, -1))


@pytest.mark.parametrize("file_format", ["BMP", "TIFF", "PPM", "WEBP"])
def test_other_lossless_formats(photo, file_format):
    assert np.array_equal(photo(encoded(scene(), file_format, lossless=True)).photo, scene())


def test_an_embedded_colour_profile_does_not_matter(photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(photo(encoded(scene(), "PNG", icc_profile=profile)).photo, scene())


# --- orientation ----------------------------------------------------------------------------

UPRIGHT = {  # EXIF orientation -> how the stored picture is turned upright (CIPA DC-008)
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(np.rot90(stored, 2), 0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_photo_is_turned_upright(photo, orientation):
    expected = UPRIGHT[orientation](scene())
    data = encoded(scene(), "PNG", exif=exif(orientation))
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))), expected)
    found = photo(data)
    assert (found.height, found.width) == expected.shape[:2]
    assert found.turned is (orientation >= 5)
    assert np.array_equal(found.photo, expected)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_large_jpeg_is_turned_upright(photo, orientation):
    expected = UPRIGHT[orientation](scene(1200, 800))
    found = photo(encoded(scene(1200, 800), "JPEG", quality=95, exif=exif(orientation)))
    assert (found.height, found.width) == expected.shape[:2]
    small = cv2.resize(np.ascontiguousarray(expected), found.photo.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert abs(found.photo.astype(int) - small).mean() < 1.5


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_label_map_is_turned_by_its_own_tag(label, orientation):
    expected = UPRIGHT[orientation](label_map())
    found = label(encoded(label_map(), "PNG", exif=exif(orientation)))
    assert (found.height, found.width) == expected.shape
    assert np.array_equal(found.ids, expected)


@pytest.mark.parametrize("block", [exif(0), exif(9), b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff", b""])
def test_a_senseless_exif_block_changes_nothing(photo, block):
    found = photo(encoded(scene(), "JPEG", exif=block, quality=95))
    assert (found.width, found.height, found.turned) == (64, 48, False)


# --- label maps -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_label_maps(label, dtype):
    data = encoded(label_map(dtype=dtype), "PNG")
    found = label(data)
    assert (found.width, found.height) == (64, 48)
    assert found.ids.dtype == np.uint8
    assert np.array_equal(found.ids, label_map())
    assert found.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_palette_label_maps_hold_indices(label, file_format):
    im = Image.fromarray(label_map())
    im.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    options = {"optimize": False} if file_format == "GIF" else {}
    assert np.array_equal(label(encoded(im, file_format, **options)).ids, label_map())


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_label_maps_of_few_bits(label, bits):
    ids = label_map() % 2**bits
    im = Image.fromarray(ids)
    im.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    assert np.array_equal(label(encoded(im, "PNG", bits=bits)).ids, ids)


def test_palette_with_transparency(label):
    im = Image.fromarray(label_map())
    im.putpalette(bytes(range(256)) * 3)
    assert np.array_equal(label(encoded(im, "PNG", transparency=12)).ids, label_map())


def test_two_classes_in_a_1_bit_label_map(label):
    assert np.array_equal(label(encoded(Image.fromarray(label_map() == 12), "PNG")).ids, label_map() == 12)


def test_grey_label_maps_saved_as_rgb_rgba_or_with_alpha(label):
    rgb = np.stack([label_map()] * 3, -1)
    alpha = np.full((48, 64, 1), 7, np.uint8)
    for picture in (rgb, np.concatenate([rgb, alpha], 2), np.concatenate([rgb[:, :, :1], alpha], 2)):
        assert np.array_equal(label(picture).ids, label_map())


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_tiff_label_maps(label, dtype):
    assert np.array_equal(label(encoded(label_map(dtype=dtype), "TIFF")).ids, label_map())


def test_rows_filtered_in_every_way_and_interlaced_files(label):
    noise = np.random.default_rng(0).integers(0, 29, (48, 64), np.uint8)
    assert np.array_equal(label(encoded(noise, "PNG", optimize=True)).ids, noise)
    flags = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS] if hasattr(cv2, "IMWRITE_PNG_FILTER") else []
    assert np.array_equal(label(cv2.imencode(".png", noise, flags)[1].tobytes()).ids, noise)


def test_ids_that_are_not_class_indices(label, tmp_path):
    ade = load_builtin("ade20k150")
    ids = label_map()
    ids[0] = 0
    expected = ids - 1
    expected[0] = UNKNOWN
    assert np.array_equal(label(ids, ade).ids, expected)
    (tmp_path / "classes.json").write_text('{"1": "sky", "5": "tree", "300": "grass"}')
    wide = label_map(dtype=np.uint16)
    wide[wide == 12] = 300
    found = label(wide, from_classes_json(tmp_path / "classes.json"))
    assert np.array_equal(found.ids, np.select([wide == 1, wide == 5], [0, 1], 2))


def test_ids_as_found_are_taken_as_they_are(label):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    ids[ids == 254] = 0
    assert np.array_equal(label(ids, ids_as_found()).ids, ids)
    ids[3, 3] = 254
    message = "class id 254 not in ids as found (1 pixels; allowed 0-253, unknown 255)"
    assert error_of(label, ids, ids_as_found()) == message


def test_the_file_name_decides_which_ids_count(label):
    space = load_builtin("cityscapes19")
    raw = np.full((48, 64), 23, np.uint8)  # sky in a labelIds file
    raw[24:] = 7  # road
    raw[0] = 4  # static, none of the 19
    expected = np.full((48, 64), 10, np.uint8)
    expected[24:] = 0
    expected[0] = UNKNOWN
    assert np.array_equal(label(raw, space, "ulm_gtFine_labelIds.png").ids, expected)
    message = "class id 23 not in cityscapes19 (1472 pixels; allowed 0-18, unknown 255)"
    assert error_of(label, raw, space, "ulm_gtFine_labelTrainIds.png") == message


def test_colour_coded_label_maps(label):
    space = load_builtin("camvid")
    indices = np.random.default_rng(0).integers(0, 11, (48, 64))
    rgb = np.array(space.colours, np.uint8)[indices]
    rgb[:5] = 0
    expected = indices.copy()
    expected[:5] = UNKNOWN
    for picture in (rgb, np.concatenate([rgb, np.full((48, 64, 1), 9, np.uint8)], 2)):
        found = label(picture, space).ids
        assert found.dtype == np.uint8
        assert np.array_equal(found, expected)
    rgb[7, :3] = (1, 2, 3)
    assert error_of(label, rgb, space) == "colour #010203 not in the colour table of camvid (3 pixels)"


def test_a_colour_coded_space_still_reads_ids(label):
    assert np.array_equal(label(label_map() % 11, load_builtin("camvid")).ids, label_map() % 11)


def test_a_colour_label_map_without_a_colour_table(label):
    assert error_of(label, scene()) == (
        "an RGB label map, and landscape29 has no colour table; give one with --label-space FILE.toml ([colours])"
    )


@pytest.mark.parametrize(("file_format", "name"), [("JPEG", "JPEG"), ("WEBP", "WEBP")])
def test_lossy_label_maps_are_refused_whatever_they_are_called(label, file_format, name):
    message = f"the label map is a {name}, whose compression blurs class ids; save it as PNG"
    assert error_of(label, encoded(label_map(), file_format)) == message


def test_16_bits_a_colour_channel_are_refused_because_the_ids_would_be_lost(label):
    wide = np.stack([label_map(dtype=np.uint16)] * 3, -1)
    message = "the label map has 16 bits a colour channel; save its ids as greyscale PNG"
    assert error_of(label, cv2.imencode(".png", wide)[1].tobytes()) == message


def test_ids_that_are_not_allowed_are_counted(label):
    ids = label_map()
    ids[40:, :10] = 37
    assert error_of(label, ids) == "class id 37 not in landscape29 (80 pixels; allowed 0-28)"
    ids[0, :7] = range(30, 37)
    message = "class id 30, 31, 32, 33, 34 and 3 more not in landscape29 (1, 1, 1, 1, 1 pixels; allowed 0-28)"
    assert error_of(label, ids) == message


def test_one_strange_pixel_in_a_large_label_map_is_seen(label):
    ids = label_map(1024, 768)
    ids[3, 5] = 255  # between the pixels of the preview
    assert error_of(label, ids) == "class id 255 not in landscape29 (1 pixels; allowed 0-28)"


@pytest.mark.parametrize("value", [256, 300, 65535])
def test_16_bit_ids_are_not_cut_to_8_bits(label, value):
    ids = label_map(dtype=np.uint16)
    ids[0, 0] = value
    assert error_of(label, ids) == f"class id {value} not in landscape29 (1 pixels; allowed 0-28)"


@pytest.mark.parametrize("value", [-3, 70000, -(2**31), 2**31 - 1])
def test_32_bit_ids_that_no_table_has(label, value):
    ids = label_map(dtype=np.int32)
    ids[:2] = value
    assert error_of(label, encoded(ids, "TIFF")) == f"class id {value} not in landscape29 (128 pixels; allowed 0-28)"


@pytest.mark.parametrize(
    ("size", "preview"),
    [((1024, 768), (256, 192)), ((600, 400), (256, 171)), ((257, 300), (219, 256)), ((768, 48), (256, 16))],
)
@pytest.mark.parametrize("space", ["landscape29", "camvid"])
def test_the_preview_takes_the_id_at_the_centre_and_mixes_none(label, size, preview, space):
    indices = np.random.default_rng(1).integers(0, 11, size[::-1])
    space = load_builtin(space)
    raw = np.array(space.colours, np.uint8)[indices] if space.colour_coded else indices.astype(np.uint8)
    rows, columns = (
        [int((i + 0.5) * old / new) for i in range(new)] for old, new in zip(size[::-1], preview[::-1], strict=True)
    )
    assert np.array_equal(label(raw, space).ids, indices[np.ix_(rows, columns)])


# --- at a size of one's own -------------------------------------------------------------------


def at(tmp_path, data, *size, space=None, name="1.png"):
    (tmp_path / name).write_bytes(data)
    return label_at(tmp_path / name, space, *size) if space else photo_at(tmp_path / name, *size)


@pytest.mark.parametrize("size", [(64, 48), (32, 24), (20, 30), (100, 70)])
def test_a_photo_at_a_size_is_the_whole_photo_resized_by_pillow(tmp_path, size):
    data = encoded(scene(), "PNG")
    found, sha256 = at(tmp_path, data, *size)
    assert found.shape == (size[1], size[0], 3) and found.dtype == np.uint8
    assert np.array_equal(found, np.asarray(Image.fromarray(scene()).resize(size, Image.Resampling.BICUBIC)))
    assert sha256 == hashlib.sha256(data).hexdigest()


def test_a_photo_that_shrinks_is_averaged(tmp_path):
    fine = np.zeros((240, 320, 3), np.uint8)
    fine[:, ::2] = 200
    found, _ = at(tmp_path, encoded(fine, "PNG"), 40, 30)
    assert np.abs(found[:, 2:-2].astype(int) - 100).max() <= 1


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_photo_and_label_map_are_turned_upright_before_they_are_resized(tmp_path, orientation, file_format):
    tag = exif(orientation)
    found, _ = at(tmp_path, encoded(scene(1200, 800), file_format, quality=95, exif=tag), 60, 40)
    upright = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](scene(1200, 800))))
    assert abs(found.astype(int) - np.asarray(upright.resize((60, 40), Image.Resampling.BICUBIC))).max() <= 4
    found, _ = at(tmp_path, encoded(label_map(), "PNG", exif=tag), 64, 48, space=LANDSCAPE)
    turned = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](label_map())))
    assert np.array_equal(found, np.asarray(turned.resize((64, 48), Image.Resampling.NEAREST)))


def test_a_jpeg_is_drafted_only_where_twice_the_size_remains(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    data = encoded(noise, "JPEG", quality=95)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    for size, drafted in (((321, 241), False), ((321, 120), False), ((160, 120), True)):
        found, _ = at(tmp_path, data, *size)
        exact = np.asarray(whole.resize(size, Image.Resampling.BICUBIC))
        assert np.array_equal(found, exact) is not drafted
        assert abs(found.astype(int) - exact).mean() < 3


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_unusual_photos_at_a_size_are_rgb(tmp_path, mode):
    grey = Image.fromarray(scene()[:, :, 0])
    found, _ = at(tmp_path, encoded(grey.convert(mode), "PNG"), 64, 48)
    assert np.array_equal(found, np.repeat(scene()[:, :, :1], 3, axis=2))


def test_16_bit_grey_at_a_size_keeps_its_range(tmp_path):
    wide = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    found, _ = at(tmp_path, encoded(wide, "PNG"), 64, 48)
    assert found.min() == 0 and found.max() == 255


@pytest.mark.parametrize("size", [(64, 48), (32, 24), (21, 31), (128, 96), (100, 50)])
@pytest.mark.parametrize("space", ["landscape29", "camvid"])
def test_a_label_map_at_a_size_takes_the_id_at_the_centre(tmp_path, size, space):
    indices = np.random.default_rng(1).integers(0, 11, (48, 64))
    space = load_builtin(space)
    raw = np.array(space.colours, np.uint8)[indices] if space.colour_coded else indices.astype(np.uint8)
    data = encoded(raw, "PNG")
    found, sha256 = at(tmp_path, data, *size, space=space)
    rows, columns = ([int((i + 0.5) * old / new) for i in range(new)] for old, new in ((48, size[1]), (64, size[0])))
    assert found.dtype == np.uint8 and np.array_equal(found, indices[np.ix_(rows, columns)])
    assert sha256 == hashlib.sha256(data).hexdigest()


def test_a_label_map_at_a_size_has_every_pixel_checked_and_255_for_unknown(tmp_path):
    ids = np.full((96, 128), 3, np.uint8)
    ids[:48] = UNKNOWN
    found, _ = at(tmp_path, encoded(ids, "PNG"), 16, 16, space=ids_as_found())
    assert np.array_equal(found, np.repeat([UNKNOWN, 3], 8)[:, None].repeat(16, 1))
    ids[95, 127] = 77  # no pixel that is taken
    assert "class id 77" in error_of(at, tmp_path, encoded(ids, "PNG"), 16, 16, space=LANDSCAPE)


def test_faults_are_those_of_reading(tmp_path):
    assert error_of(at, tmp_path, b"", 16, 16) == "empty file (0 bytes)"
    assert error_of(at, tmp_path, encoded(scene(), "PNG")[:-60], 16, 16) == "truncated image"
    assert "JPEG" in error_of(at, tmp_path, encoded(label_map(), "JPEG"), 16, 16, space=LANDSCAPE)


# --- pairs ----------------------------------------------------------------------------------


def test_a_pair(pair):
    photo, label = pair(encoded(scene(1024, 768), "JPEG"), encoded(label_map(1024, 768), "PNG"))
    assert (photo.width, photo.height) == (label.width, label.height) == (1024, 768)
    assert photo.photo.shape[:2] == label.ids.shape == (192, 256)


@pytest.mark.parametrize("size", [(17, 16), (255, 257), (511, 513), (333, 1000), (700, 701), (1111, 90)])
def test_photo_and_label_map_always_have_one_preview_size(pair, size):
    photo, label = pair(encoded(scene(*size), "JPEG"), encoded(label_map(*size), "PNG"))
    assert photo.photo.shape[:2] == label.ids.shape


def test_size_mismatch(pair):
    image, label = encoded(scene(64, 48), "JPEG"), encoded(label_map(64, 47), "PNG")
    assert error_of(pair, image, label) == "size mismatch 64x48 / 64x47"


def test_size_mismatch_because_only_the_photo_is_turned(pair):
    image, label = encoded(scene(), "JPEG", exif=exif(6)), encoded(label_map(), "PNG")
    assert error_of(pair, image, label) == (
        "size mismatch 48x64 / 64x48; the label map fits the photo as stored: its EXIF orientation turns only the photo"
    )
    photo, ids = pair(image, encoded(label_map(), "PNG", exif=exif(6)))
    assert photo.photo.shape[:2] == ids.ids.shape == (64, 48)
    assert error_of(pair, image, encoded(label_map(50, 48), "PNG")) == "size mismatch 48x64 / 50x48"


def test_every_fault_of_the_two_is_named(pair):
    ids = label_map()
    ids[0] = 99
    good_image, good_label = encoded(scene(), "JPEG"), encoded(label_map(), "PNG")
    strange = "class id 99 not in landscape29 (64 pixels; allowed 0-28)"
    assert error_of(pair, b"", b"") == "photo: empty file (0 bytes); label map: empty file (0 bytes)"
    assert error_of(pair, b"GIF?", encoded(ids, "PNG")) == f"photo: not an image; {strange}"
    assert error_of(pair, encoded(scene(99, 48), "PNG"), encoded(ids, "PNG")) == strange
    assert error_of(pair, good_image, good_label[:-20]) == "label map: truncated image"
    assert error_of(pair, good_image[:-99], good_label) == "photo: truncated image"


# --- files that cannot be used ----------------------------------------------------------------


@pytest.fixture(params=["photo", "label"])
def either(request):
    """The reader of photos, then that of label maps."""
    return request.getfixturevalue(request.param)


def test_not_an_image(either):
    assert error_of(either, b"") == "empty file (0 bytes)"
    assert error_of(either, b"<html>404 Not Found</html>\n" * 9) == "not an image"
    assert error_of(either, b"\x89PNG\r\n\x1a\n") in ("not an image", "truncated image")
    assert error_of(either, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n") == "not an image"


@pytest.mark.parametrize(("size", "shown"), [((1, 1), "1x1"), ((15, 400), "15x400"), ((400, 15), "400x15")])
def test_too_small(either, size, shown):
    message = f"{shown} is too small to measure (at least 16 pixels a side)"
    assert error_of(either, np.zeros(size[::-1], np.uint8)) == message


@pytest.mark.parametrize("colour", [0, 2, 3, 6])
def test_a_decompression_bomb_is_refused_before_it_goes_off(either, colour):
    began = time.perf_counter()
    message = "60000x60000 = 3600 megapixels; above 100 it is refused as a decompression bomb"
    assert error_of(either, png_header(60000, 60000, colour=colour)) == message
    assert time.perf_counter() - began < 0.2


def test_a_jpeg_header_that_promises_too_much(photo):
    data = bytearray(encoded(scene(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 50000, 60000)
    assert error_of(photo, bytes(data)).startswith("60000x50000 = 3000 megapixels; above 100")


@pytest.mark.parametrize("picture", ["JPEG", "progressive JPEG", "PNG", "16-bit PNG"])
def test_truncated_photos(photo, picture):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    data = {
        "JPEG": encoded(noise, "JPEG"),
        "progressive JPEG": encoded(noise, "JPEG", progressive=True),
        "PNG": encoded(noise, "PNG"),
        "16-bit PNG": cv2.imencode(".png", noise.astype(np.uint16) * 257)[1].tobytes(),
    }[picture]
    for share in (0.3, 0.5, 0.9, 0.99):
        assert error_of(photo, data[: int(share * len(data))]) == "truncated image"


def test_truncated_label_maps(label):
    data = encoded(label_map(), "PNG")
    for length in (20, 40, len(data) // 2, len(data) - 1):
        assert error_of(label, data[:length]) in ("truncated image", "not an image")
    assert error_of(label, encoded(label_map(), "TIFF")[:-500]) == "truncated image"


def test_a_label_map_with_a_wrong_checksum(label):
    data = bytearray(encoded(label_map(), "PNG"))
    data[data.index(b"IDAT") + 9] ^= 4
    assert "damaged image: checksum of IDAT is wrong" in error_of(label, bytes(data))


@pytest.mark.parametrize("read", [read_photo, lambda path: read_label(path, LANDSCAPE)])
def test_paths_that_are_no_file(tmp_path, read):
    assert error_of(read, tmp_path / "gone.png") == "file does not exist"
    assert error_of(read, tmp_path) == "is a folder, not a file"
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere")
    assert error_of(read, tmp_path / "link.png") == "file does not exist"
    assert error_of(read, tmp_path / ("x" * 300)) == "cannot be read: File name too long"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(encoded(scene(), "JPEG"))
    path.chmod(0)
    assert error_of(read_photo, path) == "permission denied"


def damaged(data, chance):
    """The bytes with a few bits flipped, a piece cut out, zeroed or doubled, or the end gone."""
    data = bytearray(data)
    at = chance.randrange(len(data))
    length = chance.choice([1, 2, 4, 64, len(data) // 3])
    kind = chance.choice(["flip", "flip", "cut", "zero", "double", "end"])
    if kind == "flip":
        for _ in range(chance.choice([1, 1, 3, 20])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[at : at + length]
    elif kind == "zero":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "double":
        data[at:at] = data[at : at + length]
    else:
        del data[at:]
    return bytes(data)


FUZZED = {
    "JPEG": (lambda: encoded(scene(), "JPEG", exif=exif(6)), lambda: encoded(label_map(48, 64), "PNG")),
    "PNG": (lambda: encoded(scene(), "PNG", exif=exif(8)), lambda: encoded(label_map(), "PNG", exif=exif(8))),
    "16 bits": (
        lambda: cv2.imencode(".png", scene().astype(np.uint16) * 257)[1].tobytes(),
        lambda: cv2.imencode(".png", label_map(dtype=np.uint16))[1].tobytes(),
    ),
    "TIFF": (
        lambda: encoded(scene(), "TIFF"),
        lambda: encoded(label_map(dtype=np.int32), "TIFF", compression="tiff_lzw"),
    ),
    "palette": (
        lambda: encoded(Image.fromarray(scene()).quantize(32), "GIF"),
        lambda: encoded(Image.fromarray(label_map()).convert("P"), "BMP"),
    ),
}


@pytest.mark.parametrize("kind", FUZZED)
def test_whatever_happens_to_a_file_a_pair_is_read_or_refused_with_a_pair_error(pair, kind):
    chance = random.Random(kind)
    image, label = (make() for make in FUZZED[kind])
    pair(image, label)
    for _ in range(60):
        with np.errstate(all="ignore"):
            try:
                photo, ids = pair(
                    *(damaged(data, chance) if chance.random() < 0.7 else data for data in (image, label))
                )
            except PairError as error:
                assert str(error)
            else:
                assert photo.photo.shape[:2] == ids.ids.shape
                assert set(np.unique(ids.ids)) <= {*range(29), UNKNOWN}


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_label_maps_of_few_bits_hold_ids_not_grey_levels(label, bits):
    ids = np.random.default_rng(0).integers(0, 2**bits, (48, 64), np.uint8)
    rows = np.packbits(np.unpackbits(ids[:, :, None], axis=2)[:, :, 8 - bits :].reshape(48, -1), axis=1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = (b"IHDR", struct.pack(">IIBBBBB", 64, 48, bits, 0, 0, 0, 0)), (b"IDAT", body), (b"IEND", b"")
    chunks = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts]
    assert np.array_equal(label(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).ids, ids)


def test_a_colour_mask_that_was_saved_with_a_palette_is_read_by_its_colours(label):
    space = load_builtin("camvid")
    indices = np.random.default_rng(0).integers(0, len(space.ids), (48, 64))
    mask = Image.fromarray(np.array(space.colours, np.uint8)[indices])
    assert np.array_equal(label(encoded(mask.quantize(64), "PNG"), space).ids, indices)


def test_ids_saved_as_a_grey_rgb_picture_are_read_in_a_colour_coded_space_too(label):
    space = load_builtin("camvid")
    indices = np.random.default_rng(0).integers(0, len(space.ids), (48, 64)).astype(np.uint8)
    assert np.array_equal(label(np.repeat(indices[:, :, None], 3, axis=2), space).ids, indices)


def test_a_photo_within_a_size_keeps_its_shape_and_is_never_enlarged(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (60, 100, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found, sha256 = photo_within(tmp_path / "a.png", 100)
    assert (found == pixels).all() and sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert photo_within(tmp_path / "a.png", 1000)[0].shape == (60, 100, 3)
    half = pixels.reshape(30, 2, 50, 2, 3).mean((1, 3))
    assert abs(photo_within(tmp_path / "a.png", 50)[0] - half).max() <= 0.5
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    Image.fromarray(pixels).save(tmp_path / "b.jpg", exif=turned)
    assert photo_within(tmp_path / "b.jpg", 50)[0].shape == (50, 30, 3)
    with pytest.raises(PairError, match="does not exist"):
        photo_within(tmp_path / "nowhere.png", 50)
