from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curation.review_sample import COLUMNS, sample, sample_line, strata
from curation.reviews import ReviewError


def scores(n: int = 1000) -> pd.Series:
    """Score i / n for pair p000i, in no order of the score."""
    values = pd.Series(np.arange(n) / n, index=[f"p{i:04d}" for i in range(n)])
    return values.iloc[np.random.default_rng(0).permutation(n)]


def test_strata_double_away_from_the_threshold():
    parts = strata(scores(), 0.92)
    assert [len(part) for part in parts] == [10, 10, 20, 20, 20, 40, 40, 160, 680]
    assert parts[0] == [f"p{i:04d}" for i in range(999, 989, -1)]
    assert parts[5][0] == "p0919"  # the first below the threshold


def test_where_hardly_any_pair_reaches_the_threshold_the_highest_stand_for_them():
    assert [len(part) for part in strata(scores(), 0.9999, n=40)] == [1, 1, 3, 3, 2, 5, 5, 20, 960]
    assert [len(part) for part in strata(scores(4), 0.0)] == [1, 1, 2]


def test_every_stratum_gets_as_many_clicks():
    table = sample(scores(), "blur", 0.92, 45)
    stratum = {p: i for i, part in enumerate(strata(scores(), 0.92, 45)) for p in part}
    assert Counter(stratum[p] for p in table["pair_id"]) == dict.fromkeys(range(9), 5)
    assert list(table.columns) == COLUMNS and set(table["reason"]) == {"blur"} and set(table["verdict"]) == {""}
    assert (table["score"].to_numpy() == scores()[table["pair_id"]].to_numpy()).all()


def test_clicks_that_do_not_share_out_go_nearest_to_the_threshold():
    table = sample(scores(), "blur", 0.92, 2)
    assert sorted(score >= 0.92 for score in table["score"]) == [False, True]
    assert table["score"].between(0.86, 0.94).all()


def test_the_choice_follows_from_the_ids_alone():
    once, again = sample(scores(), "blur", 0.92), sample(scores().sort_index(), "blur", 0.92)
    pd.testing.assert_frame_equal(once, again)
    assert not once["score"].is_monotonic_decreasing and not once["score"].is_monotonic_increasing


def test_reviewed_pairs_are_not_picked_again_and_count_in_their_stratum():
    first = sample(scores(), "blur", 0.92, 45)
    second = sample(scores(), "blur", 0.92, 45, first["pair_id"])
    assert not set(first["pair_id"]) & set(second["pair_id"]) and len(second) == 45
    lopsided = [f"p{i:04d}" for i in range(990, 1000)]  # the whole top stratum
    third = sample(scores(), "blur", 0.92, 32, lopsided)
    assert (third["score"] < 0.99).all()


def test_a_small_set_is_reviewed_whole_and_then_none_is_left():
    table = sample(scores(7), "blur", 0.5, 40)
    assert sorted(table["pair_id"]) == sorted(scores(7).index)
    with pytest.raises(ReviewError, match="All 7 pairs with a blur score are reviewed"):
        sample(scores(7), "blur", 0.5, 40, table["pair_id"])


def test_the_command_for_more_can_be_pasted_into_a_shell():
    line = sample_line("blur", [Path("my reviews.csv")], Path("w"), 12)
    assert line == "curate sample --reason blur --n 12 --out more_blur.csv --reviews 'my reviews.csv' --work w"
