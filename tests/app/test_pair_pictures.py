"""Photo, label map, evidence and thumbnail of a pair, as bytes."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.palette import colours_of
from app.pictures import LARGE, SMALL, PictureError, Pictures, data_url
from app.table import Table
from curation import explanation, stages
from curation.decode import read_pair
from curation.evidence import draw
from curation.rules import Settings
from curation.workspace import Workspace


@pytest.fixture(scope="module")
def pictures(reviewed_work) -> Pictures:
    return Pictures(Table(Workspace.load(reviewed_work)))


@pytest.fixture
def own(reviewed_work, demo_set, tmp_path) -> Pictures:
    """Of files that a test may spoil."""
    data = Path(shutil.copytree(demo_set, tmp_path / "data"))
    work = Workspace.load(shutil.copytree(reviewed_work, tmp_path / "work"))
    work.data = work.source = data
    return Pictures(Table(work))


def decoded(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def clean(pictures: Pictures) -> int:
    return int(np.flatnonzero(pictures.table.kept)[0])


def test_a_photo_is_a_jpeg_of_its_own_size_up_to_large(pictures):
    photo = pictures.photo(clean(pictures))
    assert photo[:3] == b"\xff\xd8\xff" and decoded(photo).shape == (192, 256, 3) and LARGE == 960


def test_a_photo_is_made_smaller_but_never_larger(own):
    position = clean(own)
    file = own.table.work.data / own.table.image[position].as_py()
    cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), (1600, 1200)))
    own.table.size[position] = 1600, 1200
    assert decoded(own.photo(position)).shape == (720, 960, 3)


def test_a_label_map_stands_in_the_colours_of_the_palette_and_names_its_classes(pictures):
    position = clean(pictures)
    label = pictures.label(position)
    work = pictures.table.work
    _, ids = read_pair(
        *(work.data / column[position].as_py() for column in (pictures.table.image, pictures.table.label)), work.space
    )
    shown = decoded(label.png)
    assert shown.shape[:2] == (192, 256)
    table = colours_of(work.space)
    named = {c.name: c for c in label.classes}
    for name, index in zip(work.space.names, range(len(work.space.names)), strict=True):
        there = (shown == table[index]).all(2)
        if there.any():
            assert named[name].share == pytest.approx(there.mean())
            assert named[name].colour == f"#{bytes(table[index]).hex()}"
            assert (ids.ids == index).any()
        else:
            assert name not in named
    assert [c.share for c in label.classes] == sorted((c.share for c in label.classes), reverse=True)
    assert sum(c.share for c in label.classes) == pytest.approx(1)


def test_a_thumbnail_is_the_photo_beside_its_label_map(pictures):
    thumbnail = decoded(pictures.thumbnail(clean(pictures)))
    assert thumbnail.shape == (120, 2 * SMALL, 3)
    colours = {tuple(int(v) for v in c) for c in colours_of(pictures.table.work.space)}
    right = thumbnail[:, SMALL + 8 :: 8].reshape(-1, 3).astype(int)
    near = [min(max(abs(p[0] - c[0]), abs(p[1] - c[1]), abs(p[2] - c[2])) for c in colours) for p in right]
    assert np.median(near) < 12  # JPEG of flat colours


def test_the_evidence_is_the_picture_of_curate_explain(pictures):
    """For every pair that was dropped, whatever the reason."""
    table, work = pictures.table, pictures.table.work
    run = stages.Run(workers=1, quiet=True)
    scores, groups = stages.score(run, work), stages.group(run, work)
    compared = set()
    for position in np.flatnonzero(~table.kept):
        reasons = [fault.reason for fault in table.faults(position)]
        if set(reasons) <= compared:
            continue
        explained = explanation.explain(work, table.id(position), scores, *groups, Settings(2))
        for reason, picture in explanation.pictures(work, explained).items():
            shown, says = pictures.evidence(int(position), reason)
            jpeg = cv2.imencode(
                ".jpg", np.ascontiguousarray(draw(picture)[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88]
            )[1]
            assert says == picture.says and shown == jpeg.tobytes(), (table.id(position), reason)
            compared.add(reason)
    assert compared >= {"exact_duplicate", "near_duplicate", "label_error", "coupling", "backlight", "monochrome"}


def test_a_pair_that_is_nearly_dropped_has_evidence_too(pictures):
    position = clean(pictures)
    shown, says = pictures.evidence(position, "backlight")
    assert decoded(shown).shape[2] == 3 and says
    assert pictures.evidence(position, "unreadable") is None and pictures.evidence(position, "near_duplicate") is None


def test_a_file_that_is_gone_or_broken_is_told_by_its_name_in_the_table(own):
    position = clean(own)
    file = own.table.work.data / own.table.image[position].as_py()
    whole = file.read_bytes()
    spoiled = {"file does not exist": None, "empty file": b"", "not an image": b"x" * 100, "": whole[: len(whole) // 3]}
    for says, content in spoiled.items():
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        for make in (own.photo, own.thumbnail):
            with pytest.raises(PictureError, match=rf"^The photo images/\d+.jpg cannot be shown: .*{says}"):
                make(position)
        assert own.evidence(position, "backlight") is None
    file.write_bytes(whole)
    assert own.photo(position)  # nothing of it was remembered


def test_a_label_map_that_is_gone_is_told_and_the_photo_still_shown(own):
    position = clean(own)
    (own.table.work.data / own.table.label[position].as_py()).unlink()
    with pytest.raises(PictureError, match=r"^The label map labels/\d+.png cannot be shown: file does not exist"):
        own.label(position)
    assert own.photo(position)


def test_what_was_made_is_made_once(pictures):
    position = clean(pictures)
    assert pictures.photo(position) is pictures.photo(position)
    assert pictures.label(position) is pictures.label(position)


def test_a_picture_as_text():
    assert data_url(b"\x89PNG1") == "data:image/png;base64," + base64.b64encode(b"\x89PNG1").decode()
    assert data_url(b"\xff\xd8\xff").startswith("data:image/jpeg;base64,")
