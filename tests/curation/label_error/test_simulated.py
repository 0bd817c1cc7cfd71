"""Wrong label maps: each kind is wrong in its own way and in no other."""

import numpy as np
import pytest

from curation.label_error.simulated import KINDS, LEAST_CHANGE, PATCH, SAYS, SHIFTED, simulate

SIZE = (96, 128)


def scene(unknown=True):
    """Sky (0), ground (1), a house (4) on the left; a corner is unknown."""
    ids = np.zeros(SIZE, np.uint8)
    ids[50:] = 1
    ids[30:70, 10:50] = 4
    if unknown:
        ids[80:, 100:] = 255
    return ids


OTHER = np.kron(np.array([[2, 3], [3, 255]], np.uint8), np.ones((48, 64), np.uint8))


def made(kind, ids=None, n_classes=6, times=40):
    ids = scene() if ids is None else ids
    before = ids.copy()
    found = [simulate(kind, ids, OTHER, n_classes, np.random.default_rng(seed)) for seed in range(times)]
    assert np.array_equal(ids, before)
    return [wrong for wrong in found if wrong is not None]


def test_every_kind_has_words():
    assert set(SAYS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_is_a_label_map_that_differs(kind):
    found = made(kind)
    assert found
    for wrong in found:
        assert wrong.shape == SIZE and wrong.dtype == np.uint8 and wrong.flags.c_contiguous
        assert (wrong != scene()).mean() >= LEAST_CHANGE
        assert set(np.unique(wrong)) <= {*range(6), 255}


def test_moved_whole():
    ids = scene()
    assert np.array_equal(made("other")[0], OTHER)
    assert np.array_equal(made("mirrored")[0], np.fliplr(ids))
    assert np.array_equal(made("turned")[0], np.rot90(ids, 2))


def test_shifted_by_a_little_whole_pixels():
    """Unknown moves with the rest, and what the shift uncovers is what was at the border."""
    ids = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), SIZE)
    for wrong in made("shifted", ids, times=20):
        found = [
            (dx, dy)
            for dy in range(-14, 15)
            for dx in range(-18, 19)
            if np.array_equal(wrong[14:-14, 18:-18], ids[14 - dy : 82 - dy, 18 - dx : 110 - dx])
        ]
        ((dx, dy),) = found
        assert SHIFTED[0] * 0.8 <= np.hypot(dx / SIZE[1], dy / SIZE[0]) <= SHIFTED[1] * 1.1
        rows, columns = (np.clip(np.arange(n) - d, 0, n - 1) for n, d in zip(SIZE, (dy, dx), strict=True))
        assert np.array_equal(wrong, ids[rows][:, columns])


def test_shifted_goes_in_all_directions():
    ids = np.zeros(SIZE, np.uint8)
    ids[28:68, 34:94] = 1
    middles = np.array([np.argwhere(w == 1).mean(0) for w in made("shifted", ids)]) - (47.5, 63.5)
    assert (np.sign(middles).max(0) == 1).all() and (np.sign(middles).min(0) == -1).all()


def test_swapped_renames_one_large_class():
    ids, to = scene(), set()
    for wrong in made("swapped"):
        changed = wrong != ids
        (old,), (new,) = np.unique(ids[changed]), np.unique(wrong[changed])
        assert np.array_equal(changed, ids == old) and old != 255
        to.add(int(new))
    assert to == set(range(6))


def test_swapped_among_many_classes_stays_among_them():
    ids = np.full(SIZE, 150, np.uint8)
    found = made("swapped", ids, n_classes=151)
    assert len(found) == 40
    assert all(len(np.unique(wrong)) == 1 and wrong.max() < 150 for wrong in found)


def test_a_patch_is_one_region_of_one_class_and_leaves_unknown_alone():
    ids = scene()
    for wrong in made("patch"):
        changed = wrong != ids
        assert len(np.unique(wrong[changed])) == 1
        assert changed.mean() <= PATCH[1] + 0.01
        assert np.array_equal(wrong == 255, ids == 255)
    assert not made("patch", np.full(SIZE, 255, np.uint8))


def test_blank_is_one_of_its_classes_where_anything_is_known():
    ids = scene()
    for wrong in made("blank"):
        assert np.array_equal(wrong == 255, ids == 255)
        (only,) = np.unique(wrong[wrong != 255])
        assert only in (0, 1, 4)


def test_maps_that_cannot_go_wrong_that_way():
    even = np.zeros(SIZE, np.uint8)
    assert not made("blank", even) and not made("mirrored", even) and not made("shifted", even)
    assert not made("swapped", even, n_classes=1) and not made("patch", even, n_classes=1)
    assert not made("swapped", np.full(SIZE, 255, np.uint8))
    symmetric = np.where(np.arange(96) < 40, 0, 1)[:, None].repeat(128, 1).astype(np.uint8)
    assert not made("mirrored", symmetric)


def test_the_same_numbers_make_the_same_map():
    for kind in KINDS:
        first, second = made(kind, times=5), made(kind, times=5)
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
