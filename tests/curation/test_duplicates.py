import cv2
import imagehash
import numpy as np
from PIL import Image

from curation.duplicates import find_duplicates, perceptual_hash, thumbnail


def photo(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (12, 16)).astype(np.float32)
    fine = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 6, (240, 320))
    return np.clip(fine, 0, 255).astype(np.uint8)


def found(*photos, sha=None):
    names = [chr(97 + i) for i in range(len(photos))]
    table = find_duplicates(names, sha or names, np.stack([thumbnail(p) for p in photos]))
    return [tuple(row) for row in table[["first", "second", "relation"]].itertuples(index=False)]


def test_the_hash_is_imagehash_phash():
    thumb = thumbnail(photo(1))
    assert f"{perceptual_hash(thumb):016x}" == str(imagehash.phash(Image.fromarray(thumb)))


def test_same_bytes_are_exact():
    assert found(photo(1), photo(1), photo(2), sha=["x", "x", "y"]) == [("a", "b", "exact")]


def test_reencoded_resized_brightened_and_noisy_copies_are_the_same_photo():
    p = photo(1)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(p, (160, 120), interpolation=cv2.INTER_AREA)
    bright = np.clip(p * 1.15 + 5, 0, 255).astype(np.uint8)
    for copy in (jpeg, small, bright):
        assert found(p, copy, photo(2)) == [("a", "b", "same")]


def test_mirrored_copies_are_found():
    assert found(photo(1), photo(1)[:, ::-1], photo(2)) == [("a", "b", "mirrored")]


def test_two_grey_skies_are_not_the_same_photo():
    rng = np.random.default_rng(0)
    skies = [
        np.tile(np.linspace(120 + k, 220 - k, 240)[:, None], (1, 320)) + rng.normal(0, 1, (240, 320)) for k in (0, 4)
    ]
    assert found(*[np.clip(s, 0, 255).astype(np.uint8) for s in skies]) == []


def test_different_photos_are_not_confused():
    assert found(*[photo(i) for i in range(60)]) == []


def test_no_photos_give_an_empty_table_with_its_columns():
    table = find_duplicates([], [], np.zeros((0, 32, 32), np.uint8))
    assert list(table.columns) == ["first", "second", "relation", "similarity"] and table.empty
