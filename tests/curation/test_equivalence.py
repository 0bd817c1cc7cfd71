"""Classes are bounded, exact and independent of order; no chaining."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import layouts_of

from curation import equivalence
from curation.equivalence import classes_of
from curation.layout import SHAPE, similarity


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


def test_a_representative_is_no_member_of_another_class_and_the_crowded_come_first():
    layouts = layouts_of(200, 7)
    classes = classes_of([f"{i:03d}" for i in range(200)], layouts, 0.9)
    chosen = sorted({r for r, _ in classes})
    apart = [similarity(layouts[a], layouts[b]) for a in chosen for b in chosen if a < b]
    assert len(chosen) > 20 and max(apart) < 0.9
    sizes = np.bincount([r for r, _ in classes])
    crowded = max(range(200), key=lambda i: sum(similarity(layouts[i], other) >= 0.9 for other in layouts))
    assert sizes[classes[crowded][0]] >= 0.8 * sizes.max()


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_class_is_bounded_whatever_the_batches(batch, monkeypatch):
    monkeypatch.setattr(equivalence, "FIRST_BATCH", batch)
    monkeypatch.setattr(equivalence, "LARGEST_BATCH", 2 * batch)
    layouts = layouts_of(100, 8)
    classes = classes_of([f"{i:03d}" for i in range(100)], layouts, 0.9)
    monkeypatch.undo()
    assert {r for r, _ in classes} == {r for r, _ in classes_of([f"{i:03d}" for i in range(100)], layouts, 0.9)}
    assert all(similarity(layouts[i], layouts[r]) >= 0.9 for i, (r, _) in enumerate(classes))


def test_a_chain_of_small_steps_does_not_become_one_class():
    layouts = np.zeros((30, *SHAPE), np.uint8)
    for i in range(30):
        layouts[i, :, :i] = 1  # each step moves one column of 48: neighbours agree on 98 %
    classes = classes_of([f"{i:02d}" for i in range(30)], layouts, 0.92, mirror=False)
    assert len({r for r, _ in classes}) >= 4
    assert all(similarity(layouts[i], layouts[r], False) >= 0.92 for i, (r, _) in enumerate(classes))


def test_a_thousand_identical_layouts_are_one_class_with_the_first_id_as_representative():
    layouts = np.full((1000, *SHAPE), 7, np.uint8)
    assert {r for r, _ in classes_of([f"{i:04d}" for i in range(1000)], layouts)} == {0}


def test_nothing_gives_nothing():
    assert classes_of([], np.zeros((0, *SHAPE), np.uint8)) == []
