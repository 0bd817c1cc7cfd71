"""AUROC: the share of couples in the right order, and how sure it is."""

import numpy as np
import pytest

from benchmarks.auroc import auroc


def test_auroc_counts_couples_in_the_right_order_and_equal_ones_half():
    assert auroc([3, 2], [1, 2, 0], 0)[0] == pytest.approx((3 + 2.5) / 6)
    assert auroc([1, 1], [1, 1, 1], 0) == (0.5, 0.5, 0.5)
    assert auroc([5, 6], [1, 2], 0) == (1, 1, 1)


def test_the_interval_of_auroc_holds_its_value_and_repeats_with_the_seed():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 60), rng.normal(0, 1, 300)
    area, low, high = auroc(positive, negative, 7)
    assert low < area < high and 0.05 < high - low < 0.2
    assert auroc(positive, negative, 7) == (area, low, high) != auroc(positive, negative, 8)
    assert auroc(-negative, -positive, 7)[0] == pytest.approx(area)


@pytest.mark.parametrize(
    ("positive", "negative", "says"), [([], [1], "0 positives"), ([1], [], "0 negatives"), ([np.nan], [1], "NaN")]
)
def test_auroc_refuses_what_has_none(positive, negative, says):
    with pytest.raises(ValueError, match=says):
        auroc(positive, negative, 0)
