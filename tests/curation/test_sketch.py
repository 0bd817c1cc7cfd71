"""Sketches: pooled counts by hand, distances about what they should be, the same in any company."""

import numpy as np
import pytest
from layouts import layouts_of

from curation.layout import SLOTS, mirrored
from curation.sketch import IN_REGION, WIDTH, pooled, sketches

CLASSES = np.arange(4)


def flat(layouts):
    return layouts.reshape(len(layouts), SLOTS)


def test_counts_by_hand():
    layouts = np.zeros((2, 36, 48, 2), np.uint8)
    layouts[1, :6, :6] = 7  # the first region
    layouts[1, 35, 47, 1] = 9  # the last slot
    counts = pooled(flat(layouts), np.array([0, 7, 9]))
    assert counts.shape == (2, 48, 3)
    assert (counts[0] == [IN_REGION, 0, 0]).all()
    assert counts[1, 0].tolist() == [0, IN_REGION, 0] and counts[1, 47].tolist() == [IN_REGION - 1, 0, 1]


def test_the_second_sketch_is_that_of_the_layout_in_a_mirror():
    layouts = layouts_of(200, 0)
    straight, in_mirror = sketches(pooled(flat(layouts), CLASSES), CLASSES)
    assert np.array_equal(in_mirror, sketches(pooled(flat(mirrored(layouts)), CLASSES), CLASSES)[0])
    assert not np.array_equal(in_mirror, straight)


def test_squared_distances_are_about_those_of_the_counts():
    counts = pooled(flat(layouts_of(300, 1)), CLASSES)
    vectors = sketches(counts, CLASSES)[0].astype(np.int64)
    i, j = np.triu_indices(300, 1)
    l1 = np.abs(counts[i].astype(int) - counts[j]).sum((1, 2))
    squared = ((vectors[i] - vectors[j]) ** 2).sum(1)
    assert (squared[l1 == 0] == 0).all()
    ratio = squared[l1 > 0] / (WIDTH * l1[l1 > 0])
    assert np.median(ratio) == pytest.approx(1, abs=0.1) and np.quantile(ratio, 0.999) < 1.7
    assert squared.max() < 2**24  # so float32 has every one of them exactly


def test_a_sketch_does_not_depend_on_the_other_layouts():
    layouts = flat(layouts_of(20, 2))
    alone = sketches(pooled(layouts[3:4], np.unique(layouts[3])), np.unique(layouts[3]))[0]
    assert np.array_equal(alone[0], sketches(pooled(layouts, CLASSES), CLASSES)[0][3])
