"""How alike classes look: against the overlap of two normal clouds, which is known."""

from math import erfc, sqrt

import numpy as np
import pytest

from curation.label_error.alike import FEWEST, Alike
from curation.label_error.grid import GRID


def clouds(distance, spread=1.0, seed=0):
    """Log p of two classes, and given shares: log odds around +distance / 2 in the upper half, -distance / 2 in the lower."""
    rng = np.random.default_rng(seed)
    given = np.zeros((*GRID, 2), np.float32)
    given[:12, :, 0] = given[12:, :, 1] = 1
    odds = rng.normal(0, spread, GRID) + np.where(given[:, :, 0] > 0, distance / 2, -distance / 2)
    return np.dstack([-np.logaddexp(0, -odds), -np.logaddexp(0, odds)]), given


def matrix_of(*maps):
    alike = Alike(maps[0][0].shape[2])
    for log_p, given in maps:
        alike.add(log_p, given)
    return alike.matrix()


@pytest.mark.parametrize(("distance", "spread"), [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (8.0, 1.0)])
def test_two_normal_clouds_overlap_by_what_their_distance_says(distance, spread):
    expected = erfc(distance / spread / 2 / sqrt(2))  # twice the normal tail beyond half the distance
    found = matrix_of(*(clouds(distance, spread, seed) for seed in range(10)))
    assert found[0, 1] == pytest.approx(expected, abs=0.03)
    assert found[0, 1] == found[1, 0] and found[0, 0] == found[1, 1] == 1


def test_a_class_that_always_loses_is_not_like_the_one_that_wins():
    """Rare classes lose everywhere; as long as their own cells say otherwise than those of the winner, they can be told apart."""
    log_p, given = clouds(6.0)
    odds = log_p[:, :, 0] - log_p[:, :, 1] + 5  # class 0 wins in nearly all the cells of class 1, too
    biased = np.dstack([-np.logaddexp(0, -odds), -np.logaddexp(0, odds)])
    assert (biased.argmax(2)[12:] == 0).mean() > 0.9
    assert matrix_of((biased, given))[0, 1] == pytest.approx(matrix_of((log_p, given))[0, 1], abs=1e-3)


def test_classes_of_too_few_cells_are_not_known():
    log_p, given = clouds(2.0)
    log_p, given = np.dstack([log_p, np.full(GRID, -7.0)]), np.dstack([given, np.zeros(GRID)])
    given[0, :, 0], given[0, :, 2] = 0, 1  # 32 cells
    found = matrix_of((log_p, given))
    assert np.isnan(found[2, :2]).all() and np.isnan(found[:2, 2]).all()
    assert not np.isnan(found[0, 1])
    assert not np.isnan(matrix_of(*[(log_p, given)] * (int(FEWEST) // 32 + 1))[0, 2])


def test_sums_of_parts_add_up():
    maps = [clouds(2.0, seed=seed) for seed in range(4)]
    whole, parts = Alike(2), [Alike(2), Alike(2)]
    for i, each in enumerate(maps):
        whole.add(*each)
        parts[i // 2].add(*each)
    for name, value in whole.__dict__.items():
        np.testing.assert_allclose(value, getattr(parts[0], name) + getattr(parts[1], name), rtol=1e-12)


def test_unknown_cells_weigh_nothing():
    log_p, given = clouds(2.0)
    alike = Alike(2)
    alike.add(log_p, given * 0)
    assert not alike.cells.any() and not alike.odds.any()
