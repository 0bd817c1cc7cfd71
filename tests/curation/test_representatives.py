"""The search for a representative finds what a brute force finds."""

import numpy as np
import pytest
from layouts import layouts_of

from curation import representatives
from curation.layout import SLOTS, similarity
from curation.representatives import Representatives


def searched(layouts, tau=0.9, mirror=True):
    return Representatives(layouts.reshape(len(layouts), SLOTS), np.arange(len(layouts)), tau, mirror)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("exact", [0, 20_000])
def test_it_finds_one_where_there_is_one(mirror, exact, monkeypatch):
    monkeypatch.setattr(representatives, "EXACT", exact)
    layouts = layouts_of(120, 1)
    among = np.arange(0, 120, 3)
    asked = np.setdiff1d(np.arange(120), among)
    found = searched(layouts, 0.9, mirror).nearest(asked, among)
    for one, nearest in zip(asked, found, strict=True):
        similar = [r for r in among if similarity(layouts[one], layouts[r], mirror) >= 0.9]
        assert nearest in similar if similar else nearest == -1
    assert (found >= 0).any() and (found < 0).any()


def test_with_a_rank_only_those_before_count():
    layouts = layouts_of(60, 2)
    rank = np.random.default_rng(0).permutation(60)
    everyone = np.arange(60)
    found = searched(layouts).nearest(everyone, everyone, rank)
    assert (rank[found[found >= 0]] < rank[found >= 0]).all()
    for one in np.flatnonzero(found < 0):
        before = [r for r in everyone if rank[r] < rank[one] and similarity(layouts[one], layouts[r]) >= 0.9]
        assert not before


def test_similar_counts_slots_of_the_better_side():
    layouts = layouts_of(30, 3)
    first, second = np.triu_indices(30)
    same = searched(layouts).similar(first, second)
    expected = [round(similarity(layouts[a], layouts[b]) * SLOTS) for a, b in zip(first, second, strict=True)]
    assert same.tolist() == expected


def test_a_crowd_is_the_weight_of_what_is_near():
    layouts = np.zeros((5, 36, 48, 2), np.uint8)
    layouts[3:] = 1
    layouts[1, 0, 0] = layouts[4, 0, 0] = 2
    assert searched(layouts).crowd(np.array([0, 3]), np.array([10, 7])).tolist() == [10, 10, 10, 7, 7]


def test_buckets_lose_nothing(monkeypatch):
    """With many small buckets and with one, the same is found."""
    layouts = layouts_of(400, 4)
    everyone, rank = np.arange(400), np.random.default_rng(1).permutation(400)
    monkeypatch.setattr(representatives, "PIVOT_RADIUS", 0.01)
    many = searched(layouts)
    monkeypatch.setattr(representatives, "MOST_PIVOTS", 1)
    one = searched(layouts)
    assert len(many.near) > 15 and len(one.near) == 1 and not many.near.all()
    assert np.array_equal(many.nearest(everyone, everyone, rank), one.nearest(everyone, everyone, rank))
