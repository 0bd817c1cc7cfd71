"""What holds of a label map, from all that was clicked, and how often each folder won."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from app.choices import Choice, Choices
from app.tally import Tally, Wins, best_of, standing, wilson
from curation.database import Database
from curation.verdicts import DecisionsError

NOON = datetime(2026, 1, 23, 12, tzinfo=timezone.utc)


@pytest.fixture
def tally(tmp_path):
    choices = Choices(Database(tmp_path / "decisions.sqlite"), "landscapes", "x")
    yield Tally(choices)
    choices.close()


def choice(minute, reviewer, chosen, stem="x", file="x.png", **more):
    return Choice(
        stem,
        reviewer,
        chosen,
        file if chosen else None,
        "0" * 64,
        ("a", "b"),
        time=NOON + timedelta(minutes=minute),
        **more,
    )


@pytest.mark.parametrize(
    "said, chosen, by, against",
    [
        ([(0, "anna", "a")], "a", ("anna",), 0),
        ([(0, "anna", "a"), (1, "anna", "b")], "b", ("anna",), 0),
        ([(1, "anna", "b"), (0, "anna", "a")], "b", ("anna",), 0),
        ([(0, "ben", "a"), (1, "anna", "a"), (2, "cleo", "b")], "a", ("anna", "ben"), 1),
        ([(0, "anna", "a"), (1, "ben", "b")], "b", ("ben",), 1),
        ([(0, "ben", "b"), (1, "anna", "b"), (2, "cleo", "a"), (3, "dora", "a"), (4, "anna", "b")], "b", ("anna", "ben"), 2),
        ([(0, "anna", "a"), (1, "anna", None)], "a", ("anna",), 0),
    ],
)  # fmt: skip
def test_the_majority_holds_and_of_equal_sides_the_most_recent(said, chosen, by, against):
    best = best_of(choice(*one) for one in said)
    assert (best.chosen, best.by, best.against) == (chosen, by, against)


def test_two_pictures_of_one_folder_are_two_sides():
    said = [
        choice(0, "anna", "a", file="1.png"),
        choice(1, "ben", "a", file="2.png"),
        choice(2, "cleo", "a", file="1.png"),
    ]
    assert (best_of(said).file, best_of(said).against) == ("1.png", 1)


def test_skips_alone_are_no_choice():
    assert best_of([choice(0, "anna", None)]) is None and best_of([]) is None


def test_an_undo_takes_back_what_its_own_reviewer_said():
    one, two = choice(0, "anna", "a"), choice(1, "ben", "b")
    stolen, own = choice(2, "ben", None, undoes=one.uuid), choice(3, "anna", None, undoes=one.uuid)
    assert standing([one, two, stolen]) == [one, two] and standing([one, two, stolen, own]) == [two]


def test_it_is_kept_up_with_the_store(tally):
    tally.refresh()
    assert tally.best("x") is None and tally.last_of("anna") is None and tally.closed("anna") == set()
    first, second, skip = choice(0, "anna", "a"), choice(1, "anna", "b", "y"), choice(2, "ben", None, "z")
    tally.choices.add([first, second, skip])
    tally.refresh(at_once=True)
    assert {stem: best.chosen for stem, best in tally.all_best().items()} == {"x": "a", "y": "b"}
    assert tally.last_of("anna").uuid == second.uuid and tally.chosen_by("anna") == 2 and tally.chosen_by("ben") == 0
    assert tally.closed("anna") == {"x", "y"} and tally.closed("ben") == {"x", "y", "z"}
    tally.choices.add([choice(3, "anna", None, "y", undoes=second.uuid)])
    tally.refresh(at_once=True)
    assert tally.best("y") is None and tally.last_of("anna").uuid == first.uuid and tally.closed("ben") == {"x", "z"}
    other = Tally(tally.choices)
    other.refresh()
    assert other.all_best() == tally.all_best()


def test_what_was_read_before_the_database_went_away_counts(tally, monkeypatch):
    first, second = choice(0, "anna", "a"), choice(1, "ben", "b", "y")
    tally.choices.add([first, second])
    read = tally.choices.all

    def breaks(after=0):
        yield next(read(after))
        raise DecisionsError("gone")

    monkeypatch.setattr(tally.choices, "all", breaks)
    with pytest.raises(DecisionsError):
        tally.refresh()
    assert tally.best("x").chosen == "a" and tally.best("y") is None
    monkeypatch.undo()
    tally.refresh()
    assert tally.best("x").chosen == "a" and tally.best("y").chosen == "b"


def test_wins_are_counted_where_a_folder_could_win(tally):
    among_all = [Choice(f"{i}", "anna", "a" if i else "b", "f", "0" * 64, ("a", "b", "c")) for i in range(4)]
    tally.choices.add([*among_all, Choice("9", "anna", "a", "f", "0" * 64, ("a", "b"))])
    tally.refresh()
    found = tally.wins(["a", "b", "c", "d"])
    assert [(w.name, w.won, w.of) for w in found] == [("a", 4, 5), ("b", 1, 5), ("c", 0, 4), ("d", 0, 0)]
    assert found[3] == Wins("d", 0, 0, 0.0, 1.0)


@pytest.mark.parametrize(
    "hits, of, low, high",
    [(0, 10, 0.0, 0.277533), (10, 10, 0.722467, 1.0), (1, 1, 0.206549, 1.0), (0, 0, 0, 1)],
)
def test_wilson(hits, of, low, high):
    assert wilson(hits, of) == pytest.approx((low, high), abs=1e-6)


def test_the_ends_of_wilsons_interval_are_the_shares_that_the_count_just_does_not_contradict():
    for end in wilson(35, 1000):
        assert (0.035 - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / 1000)
