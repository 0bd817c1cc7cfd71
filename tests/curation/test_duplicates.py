"""Copies of every kind are found; different photos are not; what is compared is bounded."""

import cv2
import numpy as np
import pandas as pd
import pytest

from curation import hash_index
from curation.decode import read_photo
from curation.duplicates import COLUMNS, find_duplicates, thumbnail
from curation.perceptual_hash import SIDE


def photo(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (12, 16)).astype(np.float32)
    fine = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 6, (240, 320))
    return np.clip(fine, 0, 255).astype(np.uint8)


def table(*photos, sha=None):
    names = [chr(97 + i) for i in range(len(photos))]
    return find_duplicates(names, sha or names, np.stack([thumbnail(p) for p in photos]))


def found(*photos, sha=None):
    return [tuple(row) for row in table(*photos, sha=sha)[["first", "second", "relation"]].itertuples(index=False)]


def crop(p: np.ndarray, left: float, right: float, top: float, bottom: float) -> np.ndarray:
    height, width = p.shape
    return p[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]


def marked(p: np.ndarray) -> np.ndarray:
    over = cv2.putText(p.copy(), "mark", (40, 140), cv2.FONT_HERSHEY_SIMPLEX, 3, 230, 6)
    return cv2.addWeighted(p, 0.5, over, 0.5, 0)


EDITS = {
    "re-encoded": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0),
    "resized": lambda p: cv2.resize(p, (160, 120), interpolation=cv2.INTER_AREA),
    "thumbnail": lambda p: cv2.resize(p, (80, 60), interpolation=cv2.INTER_AREA),
    "square": lambda p: cv2.resize(p, (200, 200), interpolation=cv2.INTER_AREA),
    "brighter": lambda p: np.clip(p * 1.15 + 5, 0, 255).astype(np.uint8),
    "less contrast": lambda p: (p * 0.7 + 38).astype(np.uint8),
    "marked": marked,
}
CROPS = [(0.05, 0.95, 0.05, 0.95), (0, 0.9, 0, 0.9), (0.1, 1, 0.02, 1), (0.03, 0.98, 0.08, 0.99), (0, 1, 0.09, 1)]


def test_same_bytes_are_exact():
    assert found(photo(1), photo(1), photo(2), sha=["x", "x", "y"]) == [("a", "b", "exact")]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_copy_is_the_same_photo(edit):
    assert found(photo(1), edit(photo(1)), photo(2)) == [("a", "b", "same")]


def test_mirrored_copies_are_found():
    assert found(photo(1), photo(1)[:, ::-1], photo(2)) == [("a", "b", "mirrored")]


@pytest.mark.parametrize("box", CROPS)
def test_a_cropped_copy_is_found_with_the_part_it_shows(box):
    (row,) = table(photo(1), crop(photo(1), *box), photo(2)).itertuples()
    assert (row.first, row.second, row.relation) == ("a", "b", "cropped")
    assert np.allclose([row.left, row.right, row.top, row.bottom], box, atol=0.01)


@pytest.mark.parametrize("box", CROPS)
def test_the_box_holds_from_the_other_side_and_in_a_mirror(box):
    """The first shows a part of the second: what the second shows of the first reaches beyond it."""
    (row,) = table(crop(photo(1), *box), photo(1)).itertuples()
    left, right, top, bottom = box
    assert np.allclose([row.left, row.right], [-left / (right - left), (1 - left) / (right - left)], atol=0.015)
    assert np.allclose([row.top, row.bottom], [-top / (bottom - top), (1 - top) / (bottom - top)], atol=0.015)
    (row,) = table(photo(1), np.ascontiguousarray(crop(photo(1), *box)[:, ::-1])).itertuples()
    assert row.relation == "mirrored" and np.allclose([row.left, row.right, row.top, row.bottom], box, atol=0.01)
    (row,) = table(np.ascontiguousarray(crop(photo(1), *box)[:, ::-1]), photo(1)).itertuples()
    wide = right - left
    assert np.allclose([row.left, row.right], [1 - (1 - left) / wide, 1 + left / wide], atol=0.015)


def test_two_grey_skies_are_not_the_same_photo():
    rng = np.random.default_rng(0)
    skies = [
        np.tile(np.linspace(120 + k, 220 - k, 240)[:, None], (1, 320)) + rng.normal(0, 1, (240, 320)) for k in (0, 4)
    ]
    assert found(*[np.clip(s, 0, 255).astype(np.uint8) for s in skies]) == []
    flat = np.full((240, 320), 128, np.uint8)
    assert found(flat, flat) == [] and found(flat, flat, sha=["x", "x"]) == [("a", "b", "exact")]


def test_different_photos_are_not_confused():
    names = [f"{i:03d}" for i in range(300)]
    assert find_duplicates(names, names, np.stack([thumbnail(photo(i)) for i in range(300)])).empty


def test_half_a_photo_put_into_another_is_not_the_same_photo():
    one, other = photo(1), photo(1).copy()
    other[:, 160:] = photo(2)[:, 160:]
    assert found(one, other) == []


def test_other_tones_and_noise_make_another_photo():
    rng = np.random.default_rng(0)
    rough = cv2.resize(rng.normal(0, 30, (60, 80)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    other = np.clip(255 * (photo(1) / 255.0) ** 2 + rough, 0, 255).astype(np.uint8)
    assert found(photo(1), other) == []


def test_the_order_of_the_photos_does_not_matter():
    photos = [photo(i) for i in range(40)]
    photos += [edit(photo(i)) for i, edit in enumerate(EDITS.values())] + [
        crop(photo(i), *CROPS[i % 5]) for i in range(9)
    ]
    names = [f"{(37 * i) % 101:03d}" for i in range(len(photos))]
    thumbs = np.stack([thumbnail(p) for p in photos])
    sha = [n if i % 10 else names[0] for i, n in enumerate(names)]
    once = find_duplicates(names, sha, thumbs)
    order = np.random.default_rng(0).permutation(len(photos))
    again = find_duplicates([names[i] for i in order], [sha[i] for i in order], thumbs[order])
    pd.testing.assert_frame_equal(once, again)
    assert len(once) >= 16


def test_no_photos_give_an_empty_table_with_its_columns():
    empty = find_duplicates([], [], np.zeros((0, SIDE, SIDE), np.uint8))
    assert list(empty.columns) == COLUMNS and empty.empty


def counted(monkeypatch, names, thumbs):
    """How many hashes are compared, and the table."""
    compared = [0]
    bits_apart = hash_index.bits_apart

    def count(a, b):
        compared[0] += a.size
        return bits_apart(a, b)

    monkeypatch.setattr(hash_index, "bits_apart", count)
    return find_duplicates(names, names, thumbs), compared[0]


def test_flat_photos_are_compared_with_nothing(monkeypatch):
    """However many; they are all of one hash, or of a random one."""
    n = 200_000
    rng = np.random.default_rng(0)
    thumbs = np.full((n, SIDE, SIDE), 128, np.uint8)
    thumbs[: n // 10] += rng.integers(0, 2, (n // 10, SIDE, SIDE), dtype=np.uint8)
    couples, compared = counted(monkeypatch, [str(i) for i in range(n)], thumbs)
    assert couples.empty and compared == 0


def test_identical_photos_count_as_one(monkeypatch):
    n = 5000
    thumbs = np.stack([thumbnail(photo(i)) for i in range(2)])[np.arange(n) % 2]
    couples, compared = counted(monkeypatch, [f"{i:05d}" for i in range(n)], thumbs)
    assert compared < 36 * 15 * 4  # of two hashes and those of their mirror images
    assert n - 2 <= len(couples) <= 4 * n and set(couples["second"]) | {"00000", "00001"} == {
        f"{i:05d}" for i in range(n)
    }


def test_a_crowd_with_nearly_one_hash_costs_each_of_it_no_more(monkeypatch):
    """Thousands of copies, no two of them identical: what is compared grows with their number, not with its square."""
    rng = np.random.default_rng(0)
    base = thumbnail(photo(1)).astype(np.int16)
    thumbs = np.clip(base + rng.integers(-2, 3, (800, SIDE, SIDE)), 0, 255).astype(np.uint8)
    names = [f"{i:05d}" for i in range(len(thumbs))]
    monkeypatch.setattr(hash_index, "LARGEST", 4)
    _, few = counted(monkeypatch, names[:200], thumbs[:200])
    couples, many = counted(monkeypatch, names, thumbs)
    assert few <= 200 * 36 * 15 * 4 and many <= 800 * 36 * 15 * 4
    assert set(couples["first"]) | set(couples["second"]) == set(names)  # and none is overlooked


def test_on_the_published_test_photos_every_group_is_found_but_for_turns(real_data):
    folder = real_data / "duplicates_dev"
    groups = pd.read_csv(folder / "groups.csv")
    photos = {row.file: read_photo(folder / "images" / row.file) for row in groups.itertuples()}
    found = find_duplicates(
        list(photos), [p.sha256 for p in photos.values()], np.stack([thumbnail(p.detail) for p in photos.values()])
    )
    turned = set(groups.loc[groups["relation"] == "rotation", "file"])
    group = groups.set_index("file")["group"]
    names = sorted(photos)
    wanted = {(a, b) for a in names for b in names if a < b and group[a] == group[b] and not {a, b} & turned}
    assert set(zip(found["first"], found["second"], strict=True)) == wanted and len(wanted) == 16


def test_cropped_copies_of_real_photos_are_found_among_all_others(real_data):
    """Of 150 photos up to 10 % is cut off both ways, anywhere; all other couples are the six copies in the set."""
    rng = np.random.default_rng(11)
    names, thumbs = [], []
    for k, file in enumerate(sorted((real_data / "stanford_background/images").iterdir())):
        grey = read_photo(file).detail
        names.append(file.stem)
        thumbs.append(thumbnail(grey))
        if k % 5 == 0:
            off, at = rng.uniform(0.02, 0.1, 2), rng.uniform(0, 1, 2)
            left, top = off * at
            part = crop(grey, left, left + 1 - off[0], top, top + 1 - off[1])
            names.append(f"{file.stem} cropped")
            thumbs.append(thumbnail(np.ascontiguousarray(part[:, ::-1]) if k % 2 else part))
    found = find_duplicates(names, names, np.stack(thumbs))
    found = set(zip(found["first"], found["second"], strict=True))
    wanted = {(name.removesuffix(" cropped"), name) for name in names if name.endswith("cropped")}
    assert len(wanted & found) >= 0.97 * len(wanted)
    assert (
        len({tuple(sorted({a.removesuffix(" cropped"), b.removesuffix(" cropped")})) for a, b in found - wanted}) == 6
    )
