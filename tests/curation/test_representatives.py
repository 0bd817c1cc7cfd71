"""The search for a representative finds what a brute force finds."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from layouts import layouts_of

from curation import layout_index, representatives
from curation.engine.local import in_threads
from curation.layout import similarity
from curation.near_classes import NearClasses
from curation.representatives import Representatives
from curation.scratch import Scratch


@pytest.fixture
def searched(tmp_path):
    """A search over layouts."""

    def search(layouts, tau=0.9, mirror=True, near=NearClasses()):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        layouts.tofile(folder / "layouts.bin")
        room, rows = Scratch(folder, folder), np.arange(len(layouts))
        index = layout_index.make(room, "layouts.bin", rows, tau, mirror, near, in_threads)
        return Representatives(index, in_threads)

    return search


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("exact", [0, 20_000])
def test_it_finds_one_where_there_is_one(mirror, exact, monkeypatch, searched):
    monkeypatch.setattr(layout_index, "EXACT", exact)
    layouts = layouts_of(120, 1)
    among = np.arange(0, 120, 3)
    asked = np.setdiff1d(np.arange(120), among)
    found = searched(layouts, 0.9, mirror).nearest(asked, among)
    for one, nearest in zip(asked, found, strict=True):
        similar = [r for r in among if similarity(layouts[one], layouts[r], mirror) >= 0.9]
        assert nearest in similar if similar else nearest == -1
    assert (found >= 0).any() and (found < 0).any()


def test_with_a_rank_only_those_before_count(searched):
    layouts = layouts_of(60, 2)
    rank = np.random.default_rng(0).permutation(60)
    everyone = np.arange(60)
    found = searched(layouts).nearest(everyone, everyone, rank)
    assert (rank[found[found >= 0]] < rank[found >= 0]).all()
    for one in np.flatnonzero(found < 0):
        before = [r for r in everyone if rank[r] < rank[one] and similarity(layouts[one], layouts[r]) >= 0.9]
        assert not before


@pytest.mark.parametrize("mirror", [True, False])
def test_similarity_is_that_of_the_better_side(mirror, searched):
    layouts = layouts_of(30, 3)
    first, second = np.triu_indices(30)
    expected = [similarity(layouts[a], layouts[b], mirror) for a, b in zip(first, second, strict=True)]
    assert searched(layouts, mirror=mirror).similarity(first, second).tolist() == pytest.approx(expected)


def test_a_crowd_is_the_weight_of_what_is_near(searched):
    layouts = np.zeros((5, 36, 48, 2), np.uint8)
    layouts[3:] = 1
    layouts[1, 0, 0] = layouts[4, 0, 0] = 2
    assert searched(layouts).crowd(np.array([0, 3]), np.array([10, 7])).tolist() == [10, 10, 10, 7, 7]


def test_buckets_lose_nothing(monkeypatch, searched):
    """With many small buckets and with one, the same is found."""
    layouts = layouts_of(400, 4)
    everyone, rank = np.arange(400), np.random.default_rng(1).permutation(400)
    monkeypatch.setattr(layout_index, "PIVOT_RADIUS", 0.01)
    many = searched(layouts)
    monkeypatch.setattr(layout_index, "MOST_PIVOTS", 1)
    one = searched(layouts)
    assert len(many.index.near_buckets) > 10 and len(one.index.near_buckets) == 1 and not many.index.near_buckets.all()
    assert np.array_equal(many.nearest(everyone, everyone, rank), one.nearest(everyone, everyone, rank))


def test_a_large_bucket_is_many_jobs_of_bounded_size_and_finds_the_same(monkeypatch, searched):
    layouts = layouts_of(400, 5)
    everyone, rank = np.arange(400), np.random.default_rng(1).permutation(400)
    search = searched(layouts)
    whole = search.nearest(everyone, everyone, rank)
    monkeypatch.setattr(representatives, "BLOCK", 16)
    monkeypatch.setattr(representatives, "MOST_AMONG", 32)
    seen = []

    def over(function, jobs):
        jobs = list(jobs)
        seen.extend(jobs)
        return map(function, jobs)

    search.over = over
    assert np.array_equal(search.nearest(everyone, everyone, rank), whole)
    assert len(seen) > 100 and max(len(job.asked) for job in seen) == 16 and max(len(job.among) for job in seen) == 32


def test_near_classes_count_in_part(searched):
    """0 and 1 are .8 the same: then layouts that differ in nothing else are similar, and nothing is lost by the search."""
    layouts = layouts_of(120, 6)
    near = NearClasses((((0, 1), 80),))
    everyone, rank = np.arange(120), np.arange(120)
    found = searched(layouts, 0.9, True, near).nearest(everyone, everyone, rank)
    flat = layouts.reshape(120, -1)

    def alike(a, b):
        return ((a == b) + 0.8 * ((a != b) & (a < 2) & (b < 2))).mean()

    for one in range(1, 120):
        mirrored = layouts[one][:, ::-1].ravel()
        similar = {o for o in range(one) if max(alike(flat[one], flat[o]), alike(mirrored, flat[o])) >= 0.9 - 1e-9}
        assert found[one] in similar if similar else found[one] == -1
    assert (found >= 0).sum() > (searched(layouts).nearest(everyone, everyone, rank) >= 0).sum()
