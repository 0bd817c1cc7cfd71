from types import SimpleNamespace

import numpy as np
import pytest

from app.score import Score
from curation.calibration import FEWEST
from curation.reviews import ReviewError


def score(*values: float, errors: dict[int, str] | None = None) -> Score:
    readable = np.array([i not in (errors or {}) for i in range(len(values))])
    return Score(SimpleNamespace(scores={"blur": np.array(values, np.float32)}, readable=readable), "blur")


def test_bars_are_hundredths_with_the_lower_end_and_the_last_holds_one():
    bars = score(0.0, 0.0099, 0.01, 0.29, 0.57, 0.58, 1.0, 0.99, np.nan).bars
    assert len(bars) == 100 and bars.sum() == 8
    assert {i: int(n) for i, n in enumerate(bars) if n} == {0: 2, 1: 1, 29: 1, 57: 1, 58: 1, 99: 2}


def test_bars_from_a_threshold_with_two_decimals_on_are_what_it_rejects():
    values = np.round(np.random.default_rng(0).random(2000), 4)
    some = score(*values)
    for hundredth in range(100):
        assert some.bars[hundredth:].sum() == some.above(hundredth / 100) == (values >= hundredth / 100).sum()


def test_pairs_that_cannot_be_read_have_no_score():
    some = score(0.2, 0.9, 0.9, errors={1: "gone"})
    assert some.pairs == 2 and some.above(0.5) == 1 and some.bars.sum() == 2


def test_those_beside_a_threshold_are_the_nearest_first():
    some = score(0.1, 0.5, 0.49, 0.9, 0.3, 0.6, np.nan, 0.5)
    assert some.beside(0.5, 3) == ([2, 4, 0], [1, 7, 5])
    assert some.beside(0.0, 3) == ([], [0, 4, 2])
    assert some.beside(1.0, 2) == ([3, 5], [])


def test_precision_is_the_share_of_drops_where_all_were_seen():
    some = score(0.1, 0.6, 0.7, 0.8, 0.9, np.nan)
    reviewed = some.reviewed(np.array([1, 2, 3, 4, 5, -1]), np.array([0, 1, 1, 0.5, 1, 1.0]))
    assert reviewed.at.tolist() == [1, 2, 3, 4]  # not the one without a score, nor the one that is not there
    worth = some.worth(0.65, reviewed)
    assert (worth.rejects, worth.reviewed) == (3, 3)
    assert worth.precision == worth.low == worth.high == pytest.approx(2.5 / 3, abs=1e-4)
    assert some.worth(0.95, reviewed).rejects == 0
    assert some.worth(0.5, some.reviewed(np.zeros(0, int), np.zeros(0))) is None


def test_precision_of_what_was_not_seen_lies_in_its_interval():
    values = np.linspace(0, 1, 400).round(4)
    some = score(*values)
    at = np.arange(3, 400, 7)
    worth = some.worth(0.5, some.reviewed(at, (values[at] > 0.6).astype(float)))
    assert worth.low < 0.8 < worth.high and worth.low < worth.precision < worth.high
    assert worth.rejects == 200 and worth.reviewed == sum(at >= 200)


def test_calibration_finds_where_people_begin_to_agree():
    values = np.linspace(0, 1, 400).round(4)
    some = score(*values)
    at = np.arange(3, 400, 7)
    found = some.calibrated(some.reviewed(at, (values[at] > 0.6).astype(float)), 0.5, 0.9)
    assert 0.5 < found.after.threshold < 0.65 and found.after.precision >= 0.9
    assert found.before.threshold == 0.5 and found.before.precision < found.after.precision
    with pytest.raises(
        ReviewError, match=f"{FEWEST} are the least .* The Queue asks for them where the reason blur is chosen"
    ):
        some.calibrated(some.reviewed(at[:4], np.ones(4)), 0.5, 0.9)
