"""Shares of given and evident classes, counted by hand."""

import numpy as np
import pytest

from curation.label_error.class_evidence import SCALE, class_evidence, evidence_map
from curation.label_error.grid import GRID, LABEL


def log_p_of(says, n_classes=4):
    """Evidence for class `says` (24, 32) in each cell."""
    log_p = np.full((*GRID, n_classes), -4.0, np.float32)
    np.put_along_axis(log_p, says[:, :, None], -0.1, axis=2)
    return log_p


def left_and_right(left, right):
    return np.where(np.arange(32) < 16, left, right) * np.ones((24, 1), int)


def test_the_map_of_evidence_names_the_class_of_each_cell():
    says = np.random.default_rng(0).integers(0, 4, GRID)
    found = evidence_map(log_p_of(says))
    assert found.shape == SCALE and found.dtype == np.uint8
    for dy in (1, 2):  # the four pixels around the middle of a cell
        for dx in (1, 2):
            assert np.array_equal(found[dy::4, dx::4], says)


def test_shares_by_hand():
    """The map has 0 above and 1 below; the evidence says 0 left and 2 right; both agree in the upper left quarter."""
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 1
    found = class_evidence(log_p_of(left_and_right(0, 2)), ids)
    assert found == [(0, 0.5, 0.5, 0.5), (1, 0.5, 0.0, 0.5), (2, 0.0, 0.5, 0.5)]


def test_shares_are_of_the_known_area():
    """Unknown below: of what is left, class 0, the evidence says 2 in the right half."""
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 255
    assert class_evidence(log_p_of(left_and_right(0, 2)), ids) == [(0, 1.0, 0.5, 0.5), (2, 0.0, 0.5, 0.5)]


def test_a_map_that_says_what_the_evidence_says_disagrees_nowhere():
    ids = np.kron(left_and_right(3, 1), np.ones((8, 8))).astype(np.uint8)
    assert class_evidence(log_p_of(left_and_right(3, 1)), ids) == [(1, 0.5, 0.5, 0.0), (3, 0.5, 0.5, 0.0)]


def test_a_map_without_known_pixels_has_no_shares():
    assert class_evidence(log_p_of(left_and_right(0, 2)), np.full(LABEL, 255, np.uint8)) == []


@pytest.mark.parametrize("n_classes", [1, 151, 254])
def test_any_number_of_classes(n_classes):
    rng = np.random.default_rng(n_classes)
    ids = np.kron(rng.integers(0, n_classes, GRID), np.ones((8, 8))).astype(np.uint8)
    found = class_evidence(log_p_of(rng.integers(0, n_classes, GRID), n_classes), ids)
    assert sum(given for _, given, _, _ in found) == pytest.approx(1, abs=0.02)
    assert sum(evident for _, _, evident, _ in found) == pytest.approx(1, abs=0.02)
    assert max(index for index, *_ in found) <= n_classes - 1
