"""What the whole set says of one pair."""

from __future__ import annotations

import numpy as np
import pytest

from app.background import Background
from app.table import Table
from curation.evidence.learned import load_fits, load_learned
from curation.workspace import Workspace, read_frame


@pytest.fixture(scope="module")
def table(reviewed_work) -> Table:
    return Table(Workspace.load(reviewed_work))


def test_a_pair_has_the_fit_that_was_stored(table):
    background = Background(table)
    ids = [table.id(p) for p in range(len(table))]
    stored = load_fits(table.work, set(ids))
    assert len(stored) > 100
    for position, pair_id in enumerate(ids):
        fits = background.of(position).fits
        assert set(fits) == ({pair_id} if pair_id in stored else set())
        if fits:
            assert fits[pair_id].kind == stored[pair_id].kind
            assert fits[pair_id].shift == pytest.approx(stored[pair_id].shift, abs=1e-6)


def test_the_judge_is_loaded_once_and_is_that_of_the_set(table):
    background = Background(table)
    assert background.of(0).judge is background.of(1).judge
    assert np.array_equal(background.of(0).alike, load_learned(table.work, set()).alike, equal_nan=True)


def test_copies_relate_whichever_is_named_first(table):
    background = Background(table)
    rows = read_frame(table.work.duplicates)
    assert len(rows) and set(rows["relation"]) >= {"same", "mirrored"}
    for row in rows.itertuples():
        one, other = table.position(row.first), table.position(row.second)
        assert background.relation(one, other) == background.relation(other, one) == row.relation
    assert background.relation(0, 0) is None


def test_a_set_without_a_judge(reviewed_work, tmp_path, work_copy):
    work = Workspace.load(work_copy)
    for file in work.label_error.glob("*.npz"):
        file.unlink()
    assert Background(Table(work)).of(0) is None
