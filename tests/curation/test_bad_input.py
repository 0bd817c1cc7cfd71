"""Bad input costs one row, not the run: one data set with one of each, built end to end."""

import os
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from command import curate
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises width x height pixels and holds none."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    """scores.parquet of a data set in which every pair has another fault, by pair_id."""
    root = tmp_path_factory.mktemp("bad")
    data = root / "data"
    (data / "images").mkdir(parents=True)
    (data / "labels").mkdir()
    (data / "classes.json").write_text('{"0": "sky", "1": "tree", "2": "water"}')
    rng = np.random.default_rng(0)
    photo = Image.fromarray(np.kron(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8), np.ones((5, 5, 1), np.uint8)))
    label = Image.fromarray(np.kron(rng.integers(0, 3, (6, 8)), np.ones((10, 10))).astype(np.uint8))

    def put(name: str, image=photo, mask=label, suffix: str = ".jpg", **options) -> None:
        if image is not None:
            image.save(data / "images" / f"{name}{suffix}", **options)
        if mask is not None:
            mask.save(data / "labels" / f"{name}.png")

    for name in ("fine", "truncated", "zero", "text", "bomb", "cut label"):
        put(name)
    image = data / "images"
    (image / "truncated.jpg").write_bytes((image / "truncated.jpg").read_bytes()[:300])
    (image / "zero.jpg").write_bytes(b"")
    (image / "text.jpg").write_text("not a photo")
    (image / "bomb.jpg").write_bytes(png_header(60000, 60000))
    (data / "labels/cut label.png").write_bytes((data / "labels/cut label.png").read_bytes()[:60])
    put("cmyk", photo.convert("CMYK"))
    put("16-bit grey", Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257), suffix=".png")
    put("palette label", mask=label.convert("P"))
    put("16-bit label", mask=Image.fromarray(np.asarray(label).astype(np.uint16)))
    put("other size", mask=label.resize((80, 40), Image.Resampling.NEAREST))
    strange = np.asarray(label).copy()
    strange[:2, :3] = 9
    put("strange id", mask=Image.fromarray(strange))
    put("no label", mask=None)
    put("no photo", image=None)
    put("twice")
    put("twice", suffix=".png")
    (image / "folder.jpg").mkdir()
    label.save(data / "labels/folder.png")
    for name in ("a b, c", 'quote " quote', "new\nline", "Zürich 山", "<img onerror=alert(1)>"):
        put(name)
    turned = photo.getexif()
    turned[0x0112] = 6
    put("turned", exif=turned)
    put("turned both", mask=label.transpose(Image.Transpose.ROTATE_270), exif=turned)
    put("secret")
    os.chmod(image / "secret.jpg", 0)
    os.link(image / "fine.jpg", os.fsencode(image) + b"/\xff.jpg")
    os.link(data / "labels/fine.png", os.fsencode(data / "labels") + b"/\xff.png")
    curate("build-selection", "--data", data, cwd=root)
    found = pd.read_parquet(root / ".curate/scores.parquet").set_index("pair_id")
    rejected = pd.read_csv(root / "data_manifests/selection2.rejected.csv", dtype=str, keep_default_na=False)
    found.attrs["rejected"] = rejected.set_index("pair_id")
    return found


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("truncated", "photo: truncated image"),
        ("zero", "photo: empty file (0 bytes)"),
        ("text", "photo: not an image"),
        ("bomb", "photo: 60000x60000 = 3600 megapixels"),
        ("cut label", "label map: truncated image"),
        ("other size", "size mismatch 80x60 / 80x40"),
        ("strange id", "class id 9 not in classes.json (6 pixels; allowed 0-2, unknown 255)"),
        ("no label", "no label map for images/no label.jpg"),
        ("no photo", "no photo for labels/no photo.png"),
        ("twice", "2 photos share one stem: images/twice.jpg, images/twice.png"),
        ("folder", "images/folder.jpg is a folder, not a file"),
        (
            "turned",
            "size mismatch 60x80 / 80x60; the label map fits the photo as stored: its EXIF orientation turns only the photo",
        ),
        ("\\xff", "file name is not valid UTF-8: images/\\xff.jpg"),
    ],
)
def test_each_fault_has_one_row_with_its_reason(table, name, error):
    assert table.loc[name, "error"].startswith(error)
    assert pd.isna(table.loc[name, "backlight"])
    rejected = table.attrs["rejected"].loc[name]
    assert rejected["reason"] == "unreadable" and rejected["detail"] == table.loc[name, "error"]


@pytest.mark.parametrize(
    "name",
    [
        "fine",
        "cmyk",
        "16-bit grey",
        "palette label",
        "16-bit label",
        "turned both",
        "a b, c",
        'quote " quote',
        "new\nline",
        "Zürich 山",
        "<img onerror=alert(1)>",
    ],
)
def test_what_is_only_unusual_is_read(table, name):
    assert table.loc[name, "error"] is None or pd.isna(table.loc[name, "error"])
    assert 0 <= table.loc[name, "backlight"] <= 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(table):
    assert table.loc["secret", "error"] == "photo: permission denied"


def test_ids_are_unique(table):
    assert table.index.is_unique
