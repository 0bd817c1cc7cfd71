import numpy as np
import pytest

from curation.layout import SHAPE, SLOTS, agreeing, layout_of, mirrored, mirrored_rows, similarity


def test_a_cell_of_one_class_has_it_twice():
    ids = np.zeros((144, 192), np.uint8)
    ids[72:] = 3
    layout = layout_of(ids)
    assert layout.shape == SHAPE and layout.dtype == np.uint8
    assert (layout[:18] == 0).all() and (layout[18:] == 3).all()


@pytest.mark.parametrize(
    ("lower", "slots"), [(16, [2, 2]), (12, [2, 2]), (11, [2, 5]), (5, [2, 5]), (4, [5, 5]), (0, [5, 5])]
)
def test_a_cell_that_two_classes_share_holds_both(lower, slots):
    """`lower` of its 16 points are of class 2."""
    cell = np.where(np.arange(16) < lower, 2, 5).astype(np.uint8)
    cell = np.random.default_rng(lower).permutation(cell).reshape(4, 4)
    assert (layout_of(np.tile(cell, (36, 48))) == slots).all()


def test_ragged_borders_do_not_matter():
    """Sky over ground; the border runs through the middle of a row of cells, ragged in two different ways."""
    maps = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        ids = np.zeros((144, 192), np.uint8)
        ids[74:] = 1
        ids[72:76] = rng.integers(0, 2, (4, 192))
        maps.append(ids)
    assert (maps[0] != maps[1]).mean() > 0.01
    assert similarity(*map(layout_of, maps)) > 0.997  # of the pixels 1.4 % differ


def test_unknown_is_a_class_of_its_own_and_any_size_will_do():
    assert (layout_of(np.full((50, 31), 255, np.uint8)) == 255).all()


def test_resizing_by_nearest_leaves_the_layout_nearly_as_it_was():
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 5, (9, 12)), np.ones((20, 20))).astype(np.uint8)
    assert similarity(layout_of(ids), layout_of(np.kron(ids, np.ones((2, 2), np.uint8)))) > 0.99


def test_similarity_is_the_share_of_agreeing_slots_of_the_better_side():
    a = np.zeros(SHAPE, np.uint8)
    b = a.copy()
    b[:, :12] = 1
    assert similarity(a, b) == 1 - 2 * 12 * 36 / SLOTS
    assert similarity(b, mirrored(b)) == 1.0
    assert similarity(b, mirrored(b), mirror=False) == 0.5


def test_the_mirror_image_of_a_map_has_the_mirrored_layout():
    ids = np.random.default_rng(3).integers(0, 4, (36, 48)).astype(np.uint8).repeat(5, 0).repeat(5, 1)
    assert np.array_equal(layout_of(ids[:, ::-1]), mirrored(layout_of(ids)))


def test_flat_layouts_are_mirrored_and_counted_as_they_are_one_by_one():
    layouts = np.random.default_rng(0).integers(0, 5, (7, *SHAPE)).astype(np.uint8)
    flat = layouts.reshape(7, SLOTS)
    assert np.array_equal(mirrored_rows(flat), mirrored(layouts).reshape(7, SLOTS))
    for same in (flat == flat[3], flat == flat[:1], np.ones((7, SLOTS), bool)):
        assert agreeing(same).tolist() == same.sum(1).tolist()
