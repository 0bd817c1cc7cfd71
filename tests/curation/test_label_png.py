"""The label PNG decoder: the same values as Pillow, whoever wrote the file; damage is told, other kinds are left."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from curation import label_png
from curation.label_png import SIGNATURE, BrokenPng, chunks, decode_ids

NONE, SUB, UP, AVERAGE, PAETH = range(5)
GREY, RGB, PALETTE = 0, 2, 3  # colour types


def filtered(values, filters):
    """(H, W) uint8 or uint16 -> the scanlines of a PNG, row y filtered with filters[y] (PNG specification, 9.2)."""
    step = values.dtype.itemsize
    rows = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(len(values), -1).astype(int)
    up = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left, up_left = (np.pad(a, ((0, 0), (step, 0)))[:, :-step] for a in (rows, up))
    guess = left + up - up_left
    to_left, to_up, to_up_left = (abs(guess - a) for a in (left, up, up_left))
    paeth = np.where((to_left <= to_up) & (to_left <= to_up_left), left, np.where(to_up <= to_up_left, up, up_left))
    predicted = [0 * rows, left, up, (left + up) // 2, paeth]
    lines = [bytes([f]) + ((rows[y] - predicted[f][y]) % 256).astype(np.uint8).tobytes() for y, f in enumerate(filters)]
    return b"".join(lines)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(lines, width, height, depth=8, colour=GREY, interlace=0, parts=1, before=b""):
    """A PNG file from filtered scanlines, its data in so many IDAT chunks."""
    body = zlib.compress(lines)
    size = -(-len(body) // parts)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = b"".join(chunk(b"IDAT", body[at : at + size]) for at in range(0, len(body), size))
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if colour == PALETTE else b""
    return SIGNATURE + chunk(b"IHDR", header) + before + palette + data + chunk(b"IEND", b"")


def png_of(values, filters, **options):
    return png(filtered(values, filters), values.shape[1], len(values), 8 * values.dtype.itemsize, **options)


def by_pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def assert_decodes_to(data, values):
    ids, present = decode_ids(data)
    assert ids.dtype in (np.uint8, np.uint16)
    assert np.array_equal(ids, values)
    assert np.array_equal(present, np.unique(values))


def label_map(seed=0, height=40, width=50, values=(0, 3, 7, 255), dtype=np.uint8):
    """Rectangles of a few values, as label maps have."""
    rng = np.random.default_rng(seed)
    ids = np.full((height, width), values[0], dtype)
    for value in rng.choice(values, 12):
        y, x = rng.integers(0, height), rng.integers(0, width)
        ids[y : y + rng.integers(1, height), x : x + rng.integers(1, width)] = value
    return ids


MAPS = {
    "uint8": hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)),
    "few ids": hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.sampled_from([0, 1, 2, 255])
    ),
    "uint16": hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)),
    "low uint16": hnp.arrays(
        np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 28)
    ),
}


# --- the same values, whoever wrote the file -----------------------------------------------


@pytest.mark.parametrize("kind", MAPS)
def test_every_mixture_of_none_sub_and_up_rows_decodes(kind):
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(MAPS[kind], st.data(), st.integers(1, 4))
    def decodes(values, data, parts):
        filters = data.draw(st.lists(st.sampled_from([NONE, SUB, UP]), min_size=len(values), max_size=len(values)))
        colour = data.draw(st.sampled_from([GREY, PALETTE])) if values.dtype == np.uint8 else GREY
        file = png_of(values, filters, parts=parts, colour=colour)
        assert np.array_equal(by_pillow(file), values)  # so the writer above is right
        assert_decodes_to(file, values)

    decodes()


@pytest.mark.parametrize("kind", MAPS)
def test_what_pillow_writes_is_decoded_or_left_to_pillow(kind):
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(MAPS[kind], st.booleans())
    def decodes(values, optimize):
        file = io.BytesIO()
        Image.fromarray(values).save(file, "PNG", optimize=optimize)
        if decode_ids(file.getvalue()) is not None:
            assert_decodes_to(file.getvalue(), values)

    decodes()


def test_palette_files_give_the_index_not_the_colour():
    values = label_map()
    im = Image.fromarray(values)
    im.putpalette(np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes())
    assert im.mode == "P"
    file = io.BytesIO()
    im.save(file, "PNG")
    assert_decodes_to(file.getvalue(), values)
    assert_decodes_to(png_of(values, [SUB, UP] * 20, colour=PALETTE), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("filters", ["NONE", "SUB", "UP"])
@pytest.mark.parametrize(
    "strategy",
    [
        cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
        cv2.IMWRITE_PNG_STRATEGY_FILTERED,
        cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
        cv2.IMWRITE_PNG_STRATEGY_RLE,
        cv2.IMWRITE_PNG_STRATEGY_FIXED,
    ],
)
def test_what_opencv_writes_is_decoded(dtype, filters, strategy):
    values = label_map(2, dtype=dtype)
    flags = [cv2.IMWRITE_PNG_STRATEGY, strategy]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # OpenCV 4 chooses by itself
        flags += [cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{filters}")]
    assert_decodes_to(cv2.imencode(".png", values, flags)[1].tobytes(), values)
    assert_decodes_to(cv2.imencode(".png", values)[1].tobytes(), values)


@pytest.mark.skipif(not hasattr(cv2, "IMWRITE_PNG_FILTER"), reason="OpenCV 4 chooses by itself")
@pytest.mark.parametrize("filters", ["AVG", "PAETH"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_opencv_writes_with_other_filters_is_left(dtype, filters):
    flags = [cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{filters}")]
    assert decode_ids(cv2.imencode(".png", label_map(2, dtype=dtype), flags)[1].tobytes()) is None


def test_16_bit_ids_above_255():
    values = label_map(3, values=(0, 255, 256, 300, 65535), dtype=np.uint16)
    ids, present = decode_ids(png_of(values, [SUB] * 40))
    assert ids.dtype == np.uint16
    assert np.array_equal(ids, values)
    assert present.tolist() == np.unique(values).tolist()


def test_16_bit_files_with_low_ids_become_8_bit():
    values = label_map(4, dtype=np.uint16)
    assert decode_ids(png_of(values, [UP] * 40))[0].dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("row", [NONE, SUB, UP])
def test_narrow_pictures(shape, row):
    values = np.arange(9, dtype=np.uint8)[: shape[0] * shape[1]].reshape(shape)
    assert_decodes_to(png_of(values, [row] * shape[0]), values)


def test_other_chunks_are_passed_over():
    values = label_map()
    before = (
        chunk(b"tEXt", b"Software\0an editor") + chunk(b"pHYs", bytes(9)) + chunk(b"gAMA", struct.pack(">I", 45455))
    )
    assert_decodes_to(png_of(values, [SUB] * 40, before=before), values)
    assert_decodes_to(png_of(values, [SUB] * 40) + b"trailing bytes", values)


def test_without_zlib_ng_the_result_is_the_same(monkeypatch):
    monkeypatch.setattr(label_png, "inflater", zlib)
    values = label_map(5)
    assert_decodes_to(png_of(values, [NONE, SUB, UP, SUB] * 10), values)
    with pytest.raises(BrokenPng, match="damaged image: Error -3"):
        decode_ids(
            SIGNATURE + png_of(values, [SUB] * 40)[8:33] + chunk(b"IDAT", b"\x78\x9c\xff\xff") + chunk(b"IEND", b"")
        )


# --- what is left to a general decoder -------------------------------------------------------


@pytest.mark.parametrize("row", [AVERAGE, PAETH])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_average_and_paeth_rows_are_left(row, dtype):
    values = label_map(6, dtype=dtype)
    file = png_of(values, [SUB] * 20 + [row] + [UP] * 19)
    assert np.array_equal(by_pillow(file), values)
    assert decode_ids(file) is None


def test_interlaced_files_are_left():
    assert decode_ids(png(bytes(40 * 51), 50, 40, interlace=1)) is None


@pytest.mark.parametrize(
    ("depth", "colour"), [(1, 0), (2, 0), (4, 0), (4, PALETTE), (8, RGB), (8, 4), (8, 6), (16, RGB)]
)
def test_other_depths_and_colour_types_are_left(depth, colour):
    assert decode_ids(png(b"", 16, 16, depth, colour, before=chunk(b"IDAT", b"x"))) is None


# --- damage ----------------------------------------------------------------------------------


def test_truncated_at_any_byte():
    file = png_of(label_map(), [NONE, SUB, UP, SUB] * 10, parts=3)
    for length in range(len(SIGNATURE), len(file)):
        with pytest.raises(BrokenPng, match=r"^truncated image$"):
            decode_ids(file[:length])


def test_a_flipped_bit_in_the_data_is_told_by_its_checksum():
    file = bytearray(png_of(label_map(), [NONE, SUB, UP, SUB] * 10))
    start, end = file.index(b"IDAT") + 4, file.index(b"IEND") - 4
    for bit in range(8 * start, 8 * end, 5):
        file[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BrokenPng, match=r"^damaged image: checksum of IDAT is wrong$"):
            decode_ids(bytes(file))
        file[bit // 8] ^= 1 << bit % 8


def test_a_flipped_bit_in_the_header_never_gives_a_picture():
    file = bytearray(png_of(label_map(), [SUB] * 40))
    for bit in range(8 * 16, 8 * 33):
        file[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(BrokenPng):
            assert decode_ids(bytes(file)) is None
        file[bit // 8] ^= 1 << bit % 8


def test_data_that_zlib_refuses():
    good = zlib.compress(bytes(51 * 40))
    for body in (b"\x78\x9c\xff\xff\xff", b"not zlib at all", b"\x78\xbb" + good[2:]):  # the last asks for a dictionary
        file = SIGNATURE + png(b"", 50, 40)[8:33] + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        with pytest.raises(BrokenPng, match="damaged image: "):
            decode_ids(file)


def test_a_header_that_promises_more_than_there_is():
    values = label_map()
    for width, height in ((50, 41), (51, 40), (5000, 5000)):
        with pytest.raises(BrokenPng, match=r"^truncated image$"):
            decode_ids(png(filtered(values, [NONE] * 40), width, height))
    with pytest.raises(BrokenPng, match=r"^truncated image$"):
        decode_ids(SIGNATURE + png(b"", 50, 40)[8:33] + chunk(b"IEND", b""))


def test_a_header_that_promises_less_gives_what_it_promises_as_pillow_does():
    values = label_map()
    file = png(filtered(values, [SUB] * 40), 50, 30)
    assert np.array_equal(by_pillow(file), values[:30])
    assert_decodes_to(file, values[:30])


def test_a_little_data_that_inflates_to_very_much_is_cut_off():
    values = label_map()
    file = png(filtered(values, [SUB] * 40) + bytes(50_000_000), 50, 40)
    assert_decodes_to(file, values)


def test_chunks():
    file = png_of(label_map(), [SUB] * 40, parts=2)
    kinds = [kind for kind, _ in chunks(file)]
    assert kinds == [b"IHDR", b"IDAT", b"IDAT", b"IEND"]
    assert b"".join(body for kind, body in chunks(file) if kind == b"IDAT") == zlib.compress(
        filtered(label_map(), [SUB] * 40)
    )
