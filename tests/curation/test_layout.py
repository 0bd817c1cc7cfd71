import numpy as np

from curation.layout import CELLS, GRID, layout_of, mirrored, similarity


def test_each_cell_takes_the_class_with_most_area():
    ids = np.zeros((144, 192), np.uint8)
    ids[72:] = 3
    layout = layout_of(ids)
    assert layout.shape == GRID
    assert (layout[:18] == 0).all() and (layout[18:] == 3).all()


def test_a_cell_mixed_half_and_half_takes_the_lower_class():
    ids = np.tile(np.uint8([5, 2]), (144, 96))
    assert (layout_of(ids) == 2).all()


def test_unknown_is_a_class_of_its_own_and_any_size_will_do():
    assert (layout_of(np.full((50, 31), 255, np.uint8)) == 255).all()


def test_resizing_by_nearest_leaves_the_layout_nearly_as_it_was():
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 5, (9, 12)), np.ones((20, 20))).astype(np.uint8)
    assert similarity(layout_of(ids), layout_of(np.kron(ids, np.ones((2, 2), np.uint8)))) > 0.99


def test_similarity_is_the_share_of_agreeing_cells_of_the_better_side():
    a = np.zeros(GRID, np.uint8)
    b = a.copy()
    b[:, :12] = 1
    assert similarity(a, b) == 1 - 12 * 36 / CELLS
    assert similarity(b, mirrored(b)) == 1.0
    assert similarity(b, mirrored(b), mirror=False) == 0.5
