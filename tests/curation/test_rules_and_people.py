"""A person's verdict wins over every rule, and levels nest whatever people say."""

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rules import ALONE, NONE, duplicates, groups, like, photo, reasons, table

from curation.rules import Settings, select
from curation.verdicts import Verdict

WHEN = datetime(2026, 1, 23, tzinfo=timezone.utc)


def by_people(keep="", drop="") -> dict[str, Verdict]:
    """Verdicts of anna on pairs a, b, c ..."""
    kept = {p: Verdict("keep", ("anna",), "real haze", "backlight", WHEN) for p in keep}
    return kept | {p: Verdict("drop", ("anna",), "a lens cap", "dark", WHEN) for p in drop}


def test_a_pair_that_a_person_keeps_has_no_fault_whatever_speaks_against_it():
    scores = table(label_error=[1.0, 1.0], coupling=[1.0, 1.0], backlight=[1.0, 1.0], blur=[1.0, 1.0])
    for level in (0, 1, 2):
        chosen = select(scores, NONE, ALONE, Settings(level, {"blur": 0.5}), by_people(keep="a"))
        assert chosen.kept == (["a"] if level else ["a", "b"])
        assert chosen.by_person("a") and not chosen.by_person("b")


def test_a_pair_that_a_person_keeps_is_the_copy_that_stays():
    scores = table(label_error=[0, 0.9, 0], width=[640, 320, 640])
    same = duplicates(("a", "b", "exact", 1.0), ("b", "c", "same", 0.99))
    chosen = select(scores, same, ALONE, Settings(1), by_people(keep="b"))
    assert chosen.kept == ["b"]
    assert {p: some[0].representative for p, some in chosen.faults.items()} == {"a": "b", "c": "b"}
    assert select(scores, same, ALONE, Settings(1), by_people(keep="bc")).kept == ["b", "c"]


def test_a_pair_that_a_person_dropped_is_dropped_for_that_first_and_from_selection_1_on():
    scores = table(label_error=[0.9, 0])
    assert select(scores, NONE, ALONE, Settings(0), by_people(drop="ab")).kept == ["a", "b"]
    chosen = select(scores, NONE, ALONE, Settings(1), by_people(drop="ab"))
    assert reasons(chosen) == {"a": ["person", "label_error"], "b": ["person"]}
    fault = chosen.faults["b"][0]
    assert (fault.detail, fault.score, fault.threshold) == (
        "dropped by anna (2026-01-23), for dark: a lens cap",
        None,
        None,
    )
    assert chosen.by_person("a") and chosen.by_person("b")


def test_a_pair_that_a_person_dropped_is_never_the_copy_that_stays_and_still_joins_its_copies():
    scores = table(width=[640, 320, 320])
    same = duplicates(("a", "b", "exact", 1.0), ("a", "c", "exact", 1.0))  # b and c were not compared with each other
    chosen = select(scores, same, ALONE, Settings(1), by_people(drop="a"))
    assert chosen.kept == ["b"] and reasons(chosen) == {"a": ["person", "exact_duplicate"], "c": ["exact_duplicate"]}
    assert chosen.faults["c"][0].representative == chosen.faults["a"][1].representative == "b"


def test_of_a_class_what_people_keep_stays_and_others_fill_up_to_k():
    scores, five = table(blur=[0] * 5), groups(a="abcde")
    assert select(scores, NONE, five, Settings(2, keep_per_class=2)).kept == ["a", "c"]
    assert select(scores, NONE, five, Settings(2, keep_per_class=2), by_people(keep="e")).kept == ["a", "e"]
    chosen = select(scores, NONE, five, Settings(2, keep_per_class=2), by_people(keep="bde"))
    assert chosen.kept == ["b", "d", "e"]
    assert {p: some[0].representative for p, some in chosen.faults.items()} == {"a": "b", "c": "b"}


def test_of_a_class_what_people_drop_neither_stands_for_others_nor_counts():
    scores, five = table(blur=[0] * 5), groups(a="abcde")
    chosen = select(scores, NONE, five, Settings(2, keep_per_class=2), by_people(drop="c"))
    assert chosen.kept == ["b", "e"] and chosen.faults["c"][0].reason == "person"
    assert {f.representative for some in chosen.faults.values() for f in some} == {None, "b", "e"}


def test_practically_the_same_photos_stay_where_people_keep_both():
    scores = table(blur=[0.3, 0.1, 0.2, 0.0])
    assert select(scores, NONE, like(50, 52, 54, 200), Settings(2), by_people(keep="ac")).kept == ["a", "c", "d"]


def test_an_unreadable_pair_cannot_be_kept_and_says_that_a_person_wanted_to():
    scores = table(error=[None, "truncated image"])
    chosen = select(scores, NONE, ALONE, Settings(2), by_people(keep="b"))
    assert chosen.kept == ["a"] and not chosen.by_person("b") and reasons(chosen) == {"b": ["unreadable"]}
    assert chosen.faults["b"][0].detail == (
        "truncated image; kept by anna (2026-01-23): real haze (but there is nothing to train on)"
    )
    assert reasons(select(scores, NONE, ALONE, Settings(2), by_people(drop="b"))) == {"b": ["unreadable", "person"]}


def test_a_target_size_holds_what_people_keep_first_and_takes_back_nothing_that_they_drop():
    scores = table(label_error=[0.1, 0.2, 0.3, 0.9])
    assert select(scores, NONE, ALONE, Settings(1, target_size=2), by_people(keep="d", drop="a")).kept == ["b", "d"]
    assert select(scores, NONE, ALONE, Settings(1, target_size=4), by_people(drop="a")).kept == ["b", "c", "d"]
    assert select(scores, NONE, ALONE, Settings(1, target_size=1), by_people(keep="cd")).kept == ["c", "d"]


def test_verdicts_on_pairs_of_another_data_set_are_passed_over():
    chosen = select(table(blur=[0.0]), NONE, ALONE, Settings(2), by_people(keep="az", drop="y"))
    assert chosen.kept == ["a"] and chosen.faults == {} and list(chosen.decided) == ["a"]


PAIRS = "abcdefgh"


@st.composite
def data_sets(draw):
    """Tables of a small data set with copies, classes and unreadable pairs, and what people said."""
    n = draw(st.integers(2, len(PAIRS)))
    pairs = PAIRS[:n]
    score = st.lists(st.sampled_from([0.0, 0.4, 0.6, 1.0]), min_size=n, max_size=n)
    scores = table(
        label_error=draw(score),
        backlight=draw(score),
        blur=draw(score),
        width=draw(st.lists(st.sampled_from([320, 640]), min_size=n, max_size=n)),
        error=draw(st.lists(st.sampled_from([None, None, None, "damaged"]), min_size=n, max_size=n)),
    )
    couples = [(one, other) for one in pairs for other in pairs if one < other]
    chosen = draw(st.lists(st.sampled_from(couples), unique=True, max_size=6))
    kinds = {"exact": 1.0, "same": 0.97, "mirrored": 1.0}
    rows = [(*couple, kind, kinds[kind]) for couple in chosen for kind in [draw(st.sampled_from(sorted(kinds)))]]
    readable = [p for p, error in zip(pairs, scores["error"], strict=True) if error is None]
    classes = groups(**{name: "".join(draw(st.permutations(readable))) for name in "x" if readable})
    classes["descriptor"] = [photo(draw(st.sampled_from([20, 25, 90, 160]))) for _ in range(len(classes))]
    said = {p: draw(st.sampled_from(["", "", "keep", "drop"])) for p in pairs}
    decided = by_people(*("".join(p for p in pairs if said[p] == kind) for kind in ("keep", "drop")))
    return scores, duplicates(*rows), classes, decided


@settings(max_examples=150, deadline=None)
@given(data_sets(), st.integers(1, 3), st.booleans())
def test_levels_nest_and_people_are_obeyed_whatever_they_say(data_set, k, reweight):
    *tables, decided = data_set
    chosen = [select(*tables, Settings(level, {}, k, reweight=reweight), decided) for level in (0, 1, 2)]
    total, first, second = (set(selection.kept) for selection in chosen)
    assert second <= first <= total
    readable = set(tables[0].loc[tables[0]["error"].isna(), "pair_id"])
    assert total == readable
    keep = {p for p, verdict in decided.items() if verdict.verdict == "keep"} & readable
    drop = {p for p, verdict in decided.items() if verdict.verdict == "drop"}
    assert keep <= second and not first & drop
    stand_in = {f.representative for selection in chosen for some in selection.faults.values() for f in some}
    assert not stand_in & drop
    if not reweight:
        of_class = second & set(tables[2]["pair_id"])
        assert len(of_class) <= max(k, len(of_class & keep))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_without_verdicts_nothing_is_different(level):
    scores = table(label_error=[0.9, 0, 0, 0], backlight=[0, 0.9, 0, 0])
    same, classes = duplicates(("c", "d", "same", 0.99)), groups(a="abcd")
    plain = select(scores, same, classes, Settings(level))
    assert select(scores, same, classes, Settings(level), {}) == plain and not any(map(plain.by_person, "abcd"))
