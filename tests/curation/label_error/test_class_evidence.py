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


def photo_of(ids):
    """(h, w) class indices -> a photo that shows them."""
    colours = np.random.default_rng(1).integers(0, 255, (256, 3), np.uint8)
    colours[:4] = [[120, 170, 230], [150, 110, 60], [40, 100, 40], [180, 60, 50]]
    return colours[ids]


FLAT = photo_of(np.zeros(LABEL, int))
HALVES = photo_of(np.kron(left_and_right(0, 2), np.ones((8, 8), int)))


def test_the_map_of_evidence_names_the_class_of_each_region():
    found = evidence_map(log_p_of(left_and_right(0, 2)), HALVES)
    assert found.shape == SCALE and found.dtype == np.uint8
    assert (found[:, :64] == 0).all() and (found[:, 64:] == 2).all()


@pytest.mark.parametrize("border", [59, 62, 66, 69])
def test_evidence_ends_where_the_photo_changes(border):
    """The cells say that it is in the middle; the photo, within a cell or so, knows better."""
    photo = photo_of(np.where(np.arange(SCALE[1]) < border, 0, 2) * np.ones((SCALE[0], 1), int))
    found = evidence_map(log_p_of(left_and_right(0, 2)), photo)
    borders = (found == 0).sum(1)
    assert (np.abs(borders - border) <= max(1, abs(border - 64) // 3)).all()


def test_where_nothing_is_more_likely_than_all_the_rest_nothing_is_evident():
    log_p = np.full((*GRID, 3), np.log(1 / 3), np.float32)
    log_p[:12] = np.log([0.8, 0.1, 0.1])
    found = evidence_map(log_p, FLAT)
    assert (found[:40] == 0).all() and (found[60:] == 255).all()
    (shares,) = class_evidence(log_p, np.zeros(LABEL, np.uint8), FLAT)
    assert shares[:2] == (0, 1.0) and shares[2] == pytest.approx(0.5, abs=0.1) and shares[3] == round(1 - shares[2], 4)


def test_shares_by_hand():
    """The map has 0 above and 1 below; the evidence says 0 left and 2 right; both agree in the upper left quarter."""
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 1
    found = class_evidence(log_p_of(left_and_right(0, 2)), ids, HALVES)
    assert found == [(0, 0.5, 0.5, 0.5), (1, 0.5, 0.0, 0.5), (2, 0.0, 0.5, 0.5)]


def test_shares_are_of_the_known_area():
    """Unknown below: of what is left, class 0, the evidence says 2 in the right half."""
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 255
    assert class_evidence(log_p_of(left_and_right(0, 2)), ids, HALVES) == [(0, 1.0, 0.5, 0.5), (2, 0.0, 0.5, 0.5)]


def test_a_map_that_says_what_the_evidence_says_disagrees_nowhere():
    ids = np.kron(left_and_right(3, 1), np.ones((8, 8))).astype(np.uint8)
    found = class_evidence(log_p_of(left_and_right(3, 1)), ids, photo_of(ids))
    assert found == [(1, 0.5, 0.5, 0.0), (3, 0.5, 0.5, 0.0)]


def test_a_map_without_known_pixels_has_no_shares():
    assert class_evidence(log_p_of(left_and_right(0, 2)), np.full(LABEL, 255, np.uint8), HALVES) == []


@pytest.mark.parametrize("n_classes", [1, 151, 254])
def test_any_number_of_classes(n_classes):
    rng = np.random.default_rng(n_classes)
    ids = np.kron(rng.integers(0, n_classes, (3, 4)), np.ones((64, 64))).astype(np.uint8)
    says = np.kron(rng.integers(0, n_classes, (3, 4)), np.ones((8, 8))).astype(int)
    log_p = np.full((*GRID, n_classes), np.log(0.1 / n_classes), np.float32)
    np.put_along_axis(log_p, says[:, :, None], np.log(0.9), axis=2)
    found = class_evidence(log_p, ids, photo_of(np.kron(says, np.ones((8, 8), int))))
    assert sum(given for _, given, _, _ in found) == pytest.approx(1, abs=0.002)
    assert sum(evident for _, _, evident, _ in found) == pytest.approx(1, abs=0.1)
    assert max(index for index, *_ in found) <= n_classes - 1
