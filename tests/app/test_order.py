"""Which pairs a reviewer gets, in which order, and for which reason."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import made_up

from app import order
from app.order import KEPT, ORDERS, candidates
from app.table import REASONS, Table
from curation.rules import Settings

PAIRS = {
    "a": {"backlight": 0.99},
    "b": {"backlight": 0.55},
    "c": {"backlight": 0.45},  # nearly
    "d": {"backlight": 0.2},  # not worth a look
    "e": {"label_error": 0.6},
    "f": {"label_error": 0.95, "backlight": 0.6},
    "g": {"error": "photo: empty file (0 bytes)", "backlight": 0.9},
    "h": {"dark": 0.9},  # of a score that is not applied
    "i": {},
}


@pytest.fixture
def table(tmp_path) -> Table:
    return Table(made_up(tmp_path, PAIRS, ("a d i", "b e")))


def shown(table: Table, *asked) -> list[tuple[str, str]]:
    found = candidates(table, *asked)
    assert found.positions.dtype == np.int32 and found.reasons.dtype == np.int8
    return [(table.id(p), REASONS[r]) for p, r in zip(found.positions, found.reasons, strict=True)]


def ids(table: Table, *asked) -> str:
    return "".join(pair_id for pair_id, _ in shown(table, *asked))


def test_the_nearest_to_the_threshold_come_first(table):
    # 0.45 and 0.55 are as far from 0.5, so they stand by id; in logits 0.6 is nearer than 0.99
    assert shown(table, "backlight") == [(p, "backlight") for p in "bcfa"]
    assert ids(table, "label_error") == "ef"


def test_reasons_take_turns_and_what_nobody_can_bring_back_comes_last(table):
    assert shown(table) == [
        ("e", "label_error"),
        ("b", "backlight"),
        ("f", "label_error"),
        ("c", "backlight"),
        ("a", "backlight"),
        ("g", "unreadable"),
    ]


def test_each_pair_comes_once_for_the_reason_that_comes_first(table):
    for by in ORDERS:
        found = shown(table, None, by)
        assert sorted(p for p, _ in found) == list("abcefg") and dict(found)["f"] == "label_error", by


def test_the_other_orders(table):
    assert ids(table, "backlight", "score") == "afbc"
    assert ids(table, None, "score") == "gafebc"  # without a score counts as the worst
    assert ids(table, None, "reason") == "gfeabc"
    assert ids(table, None, "id") == "abcefg"
    by_class = ids(table, None, "class")
    assert by_class == "cfgabe"  # pairs in no class, then class by class, in it by id


def test_what_stays_is_shown_by_what_it_is_nearly_dropped_for(table):
    found = shown(table, KEPT)
    assert found[:2] == [("c", "backlight"), ("d", "backlight")] and {p for p, _ in found} == set("cdhi")


def test_what_stays_where_no_score_is_applied(tmp_path):
    table = Table(made_up(tmp_path, {p: {} for p in "ba"}, settings=Settings(0)))
    assert shown(table, KEPT) == [("a", "person"), ("b", "person")]
    assert shown(table) == []


def test_enough_pairs_of_a_reason_are_there_also_such_as_are_far_from_its_threshold(tmp_path):
    table = Table(
        made_up(tmp_path, {p: {"backlight": v} for p, v in zip("abcdef", (0.9, 0.6, 0.3, 0.2, 0.1, 0.0), strict=True)})
    )

    def found(order, enough):
        return "".join(table.id(p) for p in candidates(table, "backlight", order, "", enough).positions)

    assert found("score", 0) == "abc" and found("score", 4) == "abcd" and found("score", 99) == "abcdef"
    assert found("informative", 5) == "bcdae"
    assert ids(table, None) == "bca"  # all reasons together ask about what is doubtful only


def test_a_reason_that_is_not_applied_shows_what_it_would_drop(table):
    assert shown(table, "dark") == [("h", "dark")]


def test_a_text_is_looked_for_in_ids_reasons_details_and_errors(table):
    assert ids(table, None, "id", "F") == "efg"  # "does not fit", "empty file"
    assert ids(table, None, "id", "BACKLIT") == "abf"  # "strongly backlit"
    assert ids(table, None, "id", " empty file ") == "g"
    assert ids(table, None, "id", "<img") == ""


def test_pairs_below_the_threshold_are_at_most_as_many_as_above_or_twenty(tmp_path):
    few = {f"{i:03}": {"blur": 0.3 + i / 1000} for i in range(50)}
    table = Table(made_up(tmp_path, few, settings=Settings(2, {"blur": 0.5})))
    assert ids(table, "blur") == "".join(f"{i:03}" for i in range(49, 29, -1))


def test_the_order_does_not_depend_on_the_order_of_the_rows(tmp_path):
    rng = np.random.default_rng(3)
    pairs = {
        f"{i:03}": {"backlight": round(v, 1), "coupling": round(w, 1)} for i, (v, w) in enumerate(rng.random((200, 2)))
    }
    found = []
    for seed in range(3):
        names = np.random.default_rng(seed).permutation(list(pairs))
        table = Table(made_up(tmp_path / str(seed), {p: pairs[p] for p in names}))
        found.append([shown(table, None, by) for by in ORDERS] + [shown(table, KEPT)])
    assert found[0] == found[1] == found[2]
    for pairs_of_order in found[0][:-1]:
        assert len({p for p, _ in pairs_of_order}) == len(pairs_of_order)


def test_what_is_asked_again_is_found_once_and_cannot_be_written_to(table, monkeypatch):
    first = candidates(table, None, "score", " f ")
    assert candidates(table, None, "score", "f") is first
    with pytest.raises(ValueError, match="read-only"):
        first.positions[0] = 1
    for i in range(order.MOST_REMEMBERED):
        candidates(table, None, "id", str(i))
    assert candidates(table, None, "score", "f") is not first


def test_an_unknown_order_is_refused(table):
    with pytest.raises(ValueError, match='No order "best"; known: informative, score'):
        candidates(table, None, "best")
