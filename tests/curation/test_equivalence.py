"""Classes are bounded, exact and independent of order; no chaining."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.equivalence import classes_of, neighbours
from curation.layout import GRID, similarity


def layouts_of(n: int, seed: int) -> np.ndarray:
    """Layouts that lie near a few centres, so that many are about tau similar."""
    rng = np.random.default_rng(seed)
    centres = np.kron(rng.integers(0, 4, (max(1, n // 5), 3, 4)), np.ones((12, 12))).astype(np.uint8)
    out = centres[rng.integers(0, len(centres), n)].copy()
    for one in out:
        height = rng.integers(0, 8)
        one[:height] = rng.integers(0, 4)
        if rng.random() < 0.5:
            one[:] = one[:, ::-1].copy()
    return out


@pytest.mark.parametrize("mirror", [True, False])
def test_neighbours_are_exactly_those_a_brute_force_finds(mirror):
    layouts = layouts_of(60, 1)
    found = neighbours(layouts, 0.9, mirror)
    for i, list_ in enumerate(found):
        expected = [j for j in range(60) if similarity(layouts[i], layouts[j], mirror) >= 0.9 - 1e-12]
        assert list_.tolist() == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([0.8, 0.92]))
def test_no_class_is_wider_than_stated_and_order_does_not_matter(n, seed, tau):
    layouts = layouts_of(n, seed)
    ids = [f"p{i:03d}" for i in range(n)]
    classes = classes_of(ids, layouts, tau)
    for i, (representative, same) in enumerate(classes):
        assert same >= tau - 1e-4
        assert same == pytest.approx(similarity(layouts[i], layouts[representative]), abs=1e-4)
        assert classes[representative][0] == representative
    order = np.random.default_rng(seed).permutation(n)
    shuffled = classes_of([ids[k] for k in order], layouts[order], tau)
    assert {ids[k]: ids[order[shuffled[i][0]]] for i, k in enumerate(order)} == {
        ids[i]: ids[r] for i, (r, _) in enumerate(classes)
    }


def test_a_chain_of_small_steps_does_not_become_one_class():
    layouts = np.zeros((30, *GRID), np.uint8)
    for i in range(30):
        layouts[i, :, :i] = 1  # each step moves one column of 48: neighbours agree on 98 %
    classes = classes_of([f"{i:02d}" for i in range(30)], layouts, 0.92, mirror=False)
    assert len({r for r, _ in classes}) >= 4
    assert all(similarity(layouts[i], layouts[r], False) >= 0.92 for i, (r, _) in enumerate(classes))


def test_a_thousand_identical_layouts_are_one_class_with_the_first_id_as_representative():
    layouts = np.full((1000, *GRID), 7, np.uint8)
    assert {r for r, _ in classes_of([f"{i:04d}" for i in range(1000)], layouts)} == {0}


def test_nothing_gives_nothing():
    assert classes_of([], np.zeros((0, *GRID), np.uint8)) == []
