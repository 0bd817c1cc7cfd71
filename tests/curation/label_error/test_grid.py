"""The grid: shares of classes by cell, the scale of label maps, and where a cell lies."""

import numpy as np

from curation.label_error.grid import CELL, GRID, LABEL, at_label_scale, class_shares, place


def test_shares_of_a_cell_are_its_pixels_counted():
    ids = np.zeros(LABEL, np.uint8)
    ids[8:16, 16:20] = 1  # half of the cell in row 1, column 2
    ids[8:10, 20:24] = 2  # an eighth
    shares = class_shares(ids, 3)
    assert shares.shape == (*GRID, 3) and shares.dtype == np.float32
    assert shares[1, 2].tolist() == [0.375, 0.5, 0.125]
    shares[1, 2] = [1, 0, 0]
    assert (shares == [1, 0, 0]).all()


def test_unknown_pixels_have_no_share():
    ids = np.full(LABEL, 255, np.uint8)
    ids[:CELL, : CELL // 4] = 150
    shares = class_shares(ids, 151)
    assert shares[0, 0, 150] == 0.25 and shares.sum() == 0.25


def test_label_maps_of_any_size_come_by_nearest_neighbour():
    ids = np.array([[0, 7], [255, 3]], np.uint8)
    scaled = at_label_scale(ids)
    assert scaled.shape == LABEL
    assert np.array_equal(scaled, np.kron(ids, np.ones((LABEL[0] // 2, LABEL[1] // 2), np.uint8)))
    fine = at_label_scale(np.random.default_rng(0).choice(np.array([2, 9, 255], np.uint8), (500, 333)))
    assert np.unique(fine).tolist() == [2, 9, 255]


def test_a_cell_knows_where_it_lies():
    where = place()
    assert where.shape == (*GRID, 4)
    assert where[0, 0].tolist() == [-1, -1, 1, 1]
    assert where[12, 16].tolist() == [0, 0, 0, 0]
    assert where[18, 8].tolist() == [0.5, -0.5, 0.5, 0.25]
