"""Agreement of reviewers, against worked examples and scikit-learn's kappa."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from curation.agreement import Agreement, Couple, agreement


def test_nobody_judged_what_another_judged():
    assert agreement({}) == agreement({"a": {"anna": "keep"}, "b": {"ben": "drop"}}) == Agreement(0, None, [])


def test_pairs_on_which_all_agree_and_every_two_reviewers_with_a_pair_in_common():
    said = {
        "a": {"cleo": "keep", "anna": "keep", "ben": "keep"},
        "b": {"anna": "drop", "ben": "keep"},
        "c": {"anna": "drop", "ben": "drop"},
        "d": {"ben": "keep", "dora": "keep"},
        "e": {"ben": "keep"},
    }
    found = agreement(said)
    assert (found.pairs, found.share) == (4, 0.75)
    assert found.couples == [
        Couple("anna", "ben", 3, pytest.approx(2 / 3), pytest.approx(0.4)),
        Couple("anna", "cleo", 1, 1.0, None),
        Couple("ben", "cleo", 1, 1.0, None),
        Couple("ben", "dora", 1, 1.0, None),
    ]


def test_kappa_is_that_of_cohen_from_never_to_always_the_same():
    draw = np.random.default_rng(2)
    for share in (0.0, 0.3, 0.5, 0.9, 1.0):
        one = draw.choice(["keep", "drop"], 60, p=[0.7, 0.3])
        other = np.where(draw.random(60) < share, one, np.where(one == "keep", "drop", "keep"))
        said = {
            str(i): {"anna": a, "ben": b} for i, (a, b) in enumerate(zip(one.tolist(), other.tolist(), strict=True))
        }
        (couple,) = agreement(said).couples
        assert couple.kappa == pytest.approx(cohen_kappa_score(one, other)) and couple.share == np.mean(one == other)
