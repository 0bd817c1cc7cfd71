"""What holds of a pair, from everything that was clicked."""

import random
from datetime import datetime, timedelta, timezone

import pytest

from curation.verdicts import Decision, DecisionsError, Verdict, current, digest, standing, votes

NOON = datetime(2026, 1, 23, 12, tzinfo=timezone.utc)


def said(verdict, reviewer, minute, pair="a", **more) -> Decision:
    return Decision(pair, verdict, reviewer, time=NOON + timedelta(minutes=minute), **more)


def held(*decisions) -> tuple:
    verdict = current(decisions)["a"]
    return verdict.verdict, verdict.by, verdict.against


def test_of_one_reviewer_the_last_decision_counts_whatever_order_they_were_stored_in():
    keep, drop = said("keep", "anna", 2), said("drop", "anna", 1)
    assert held(drop, keep) == held(keep, drop) == ("keep", ("anna",), 0)


def test_of_decisions_at_the_same_time_the_one_stored_last_counts():
    assert held(said("keep", "anna", 1, id=1), said("drop", "anna", 1, id=2)) == ("drop", ("anna",), 0)


def test_the_majority_of_reviewers_counts_and_not_that_of_clicks():
    clicks = [said("drop", "anna", i) for i in range(5)]
    assert held(*clicks, said("keep", "ben", 0), said("keep", "cleo", 1)) == ("keep", ("ben", "cleo"), 1)


def test_a_tie_goes_to_the_most_recent():
    assert held(said("drop", "anna", 1), said("keep", "ben", 2)) == ("keep", ("ben",), 1)
    assert held(said("drop", "anna", 3), said("keep", "ben", 2)) == ("drop", ("anna",), 1)
    # who says it again is the most recent, though that reviewer was the first to speak
    assert held(said("drop", "anna", 1), said("keep", "ben", 2), said("drop", "anna", 3)) == ("drop", ("anna",), 1)


def test_what_was_taken_back_and_what_was_skipped_does_not_count():
    keep, drop = said("keep", "anna", 1), said("drop", "anna", 2)
    undo = said("undo", "anna", 3, undoes=drop.uuid)
    assert held(keep, drop, said("skip", "anna", 4)) == ("drop", ("anna",), 0)
    assert held(keep, drop, undo) == ("keep", ("anna",), 0)
    assert current([said("skip", "anna", 1), drop, undo]) == {}
    assert standing([undo, drop, keep]) == [keep]


def test_note_reason_and_time_are_those_of_the_last_on_the_winning_side():
    found = current(
        [
            said("drop", "anna", 1, note="old", reason="blur"),
            said("drop", "ben", 2, note="new", reason="dark"),
            said("keep", "cleo", 3, note="no"),
        ]
    )["a"]
    assert found == Verdict("drop", ("anna", "ben"), "new", "dark", NOON + timedelta(minutes=2), 1)


def test_the_order_of_storing_makes_no_difference_to_verdicts_or_their_digest():
    draw = random.Random(3)
    clicks = [
        said(draw.choice(["keep", "drop", "skip"]), draw.choice(["anna", "ben", "cleo"]), i, draw.choice("abcdef"))
        for i in range(60)
    ]
    verdicts = current(clicks)
    shuffled = draw.sample(clicks, len(clicks))
    assert current(shuffled) == verdicts and digest(current(shuffled)) == digest(verdicts)
    assert list(verdicts) == sorted(verdicts) and {len(v) for v in votes(clicks).values()} <= {1, 2, 3}
    last = max(clicks, key=lambda d: d.time)
    changed = current([*clicks, said("keep", "dora", 99, last.pair_id), said("keep", "emil", 99, last.pair_id)])
    assert digest(changed) != digest(verdicts)


def test_a_verdict_says_in_one_line_who_when_and_why():
    when = datetime(2026, 1, 23, tzinfo=timezone.utc)
    assert Verdict("keep", ("anna",), "real haze", "backlight", when).says() == "kept by anna (2026-01-23): real haze"
    assert Verdict("drop", ("anna", "ben"), "", "blur", when, 1).says() == (
        "dropped by anna, ben (2026-01-23), for blur, 1 against"
    )
    assert Verdict("drop", ("",), "two\nlines\x1b[31m", "person", when).says() == (
        "dropped by somebody (2026-01-23): two lines [31m"
    )


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"verdict": "perhaps"}, 'No verdict "perhaps"'),
        ({"verdict": "undo"}, "names in `undoes`"),
        ({"verdict": "keep", "undoes": "x"}, "names in `undoes`"),
        ({"verdict": "keep", "time": datetime(2026, 1, 1)}, "no time zone"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(DecisionsError, match=message):
        Decision("a", **wrong)
