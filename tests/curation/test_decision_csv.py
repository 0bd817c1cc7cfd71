"""Decisions as CSV: what goes out comes in again, once, and no spreadsheet runs any of it."""

import csv
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decision_csv import read_decisions_into, write_decisions
from curation.decisions import Decision, DecisionsError, open_decisions
from curation.reviews import ReviewError, harmless, original, read_reviews, reviews_of
from curation.verdicts import current, digest

NOON = datetime(2026, 1, 23, 12, 0, 0, 123456, tzinfo=timezone.utc)
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''",
    "'",
    "it's",
    "",
    "a=b",
    'two\r\nlines, "quoted"',
]


def clicks() -> list[Decision]:
    """Decisions of which 3 stand: two of anna on a, one of ben on -b, whose undo takes back none of them."""
    wrong = Decision("c", "drop", "ben", "blur", time=NOON)
    return [
        Decision("a", "drop", "anna", "blur", "=cmd|' /C calc'!A0", time=NOON),
        Decision("a", "keep", "anna", "blur", "after all", time=NOON + timedelta(seconds=1)),
        Decision("-b", "drop", "=ben()", note="no\nsky", time=NOON),
        Decision("c", "skip", "anna", time=NOON),
        wrong,
        Decision("c", "undo", "ben", undoes=wrong.uuid, time=NOON),
    ]


@pytest.fixture
def store(empty_work, tmp_path):
    with open_decisions(empty_work, f"sqlite:///{tmp_path}/one.sqlite") as decisions:
        yield decisions


@pytest.fixture
def file(store, tmp_path):
    store.add(clicks())
    assert write_decisions(tmp_path / "out.csv", store.all()) == 3
    return tmp_path / "out.csv"


@given(st.one_of(st.sampled_from(FORMULAS), st.text()))
@settings(max_examples=200, deadline=None)
def test_no_text_is_a_formula_and_every_text_comes_back(text):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r")) and original(harmless(text)) == text


def test_the_file_holds_what_stands_and_no_cell_of_it_is_a_formula(file):
    with open(file, newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    assert rows[0] == ["pair_id", "reason", "verdict", "reviewer", "time", "note"]
    assert rows[1:] == [
        ["a", "blur", "drop", "anna", "2026-01-23T12:00:00.123456+00:00", "'=cmd|' /C calc'!A0"],
        ["'-b", "person", "drop", "'=ben()", "2026-01-23T12:00:00.123456+00:00", "no\nsky"],
        ["a", "blur", "keep", "anna", "2026-01-23T12:00:01.123456+00:00", "after all"],
    ]


def test_another_database_takes_the_same_verdicts_from_it(file, store, empty_work, tmp_path):
    with open_decisions(empty_work, f"sqlite:///{tmp_path}/two.sqlite") as other:
        done = read_decisions_into(other, file, ["a", "-b", "c"])
        assert (done.stored, done.known, done.unknown) == (3, 0, [])
        assert current(other.all()) == current(store.all()) and digest(current(other.all())) == digest(
            current(store.all())
        )
        again = read_decisions_into(other, file, ["a", "-b", "c"])
        assert (again.stored, again.known) == (0, 3) and len(list(other.all())) == 3


def test_every_note_comes_back_letter_by_letter(store, empty_work, tmp_path):
    notes = {f"p{i}": note for i, note in enumerate([*FORMULAS, "  spaces  ", "ü 天 \u202e", "last"])}
    store.add([Decision(p, "keep", "anna", note=note) for p, note in notes.items()])
    write_decisions(tmp_path / "notes.csv", store.all())
    with open_decisions(empty_work, f"sqlite:///{tmp_path}/two.sqlite") as other:
        read_decisions_into(other, tmp_path / "notes.csv", notes)
        assert {d.pair_id: d.note for d in other.all()} == notes


def test_reading_a_file_into_the_database_it_came_from_changes_nothing(file, store):
    before = list(store.all())
    assert read_decisions_into(store, file, ["a", "-b", "c"]).known == 3
    taken_back = next(d for d in before if d.pair_id == "-b")
    store.add([Decision("-b", "undo", "=ben()", undoes=taken_back.uuid)])
    assert read_decisions_into(store, file, ["a", "-b", "c"]).stored == 0 and "-b" not in current(store.all())


def test_calibration_reads_the_same_from_the_file_and_from_the_store(file, store):
    assert read_reviews([file]).equals(reviews_of(store.all()))
    assert reviews_of(store.all())["pair_id"].tolist() == ["-b", "a"]


def test_rows_without_times_are_stored_once_in_their_order(store, tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text("pair_id,reason,verdict\na,blur,keep\na,blur,drop\na,blur,keep\nb,blur,\n0008,dark,drop\n")
    done = read_decisions_into(store, file, ["a", "b", "7"])
    assert (done.stored, done.unknown) == (3, ["0008"])
    assert [d.verdict for d in store.of_pair("a")] == ["keep", "drop", "keep"]
    assert current(store.all())["a"].verdict == "keep" and current(store.all())["a"].by == ("",)
    assert read_decisions_into(store, file, ["a", "b", "7"]).stored == 0


def test_a_time_that_is_yet_to_come_outvotes_nothing_that_is_said_later(store, tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text(
        "pair_id,reason,verdict,time\na,blur,drop,2999-01-02\na,blur,keep,2999-01-01\nb,blur,drop,2999-01-01\n"
    )
    assert read_decisions_into(store, file, ["a", "b"]).stored == 3
    assert all(d.time <= datetime.now(timezone.utc) for d in store.all())
    assert current(store.all())["a"].verdict == "drop"  # of the two the one with the later time
    store.add([Decision("b", "keep", "")])
    assert current(store.all())["b"].verdict == "keep"
    again = read_decisions_into(store, file, ["a", "b"])
    assert (again.stored, again.known) == (0, 3)


def test_a_bad_row_is_named_and_then_nothing_is_stored(store, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("pair_id,reason,verdict\na,blur,keep\na,blurr,keep\n")
    with pytest.raises(ReviewError, match=r'bad.csv, row 3: no reason "blurr"; the nearest is "blur"'):
        read_decisions_into(store, file, ["a"])
    file.write_text("pair_id,reason,verdict\nz,blur,keep\n")
    with pytest.raises(ReviewError, match=r"None of the 1 reviewed pairs \(z\) is in this data set"):
        read_decisions_into(store, file, ["a"])
    assert list(store.all()) == []


def test_a_spreadsheet_that_took_the_zeros_off_an_id_is_understood(store, tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text("pair_id;reason;verdict\r\n51;blur;drop\r\n")
    read_decisions_into(store, file, ["0000051", "0000052"])
    assert list(current(store.all())) == ["0000051"]


def test_a_store_that_is_out_of_reach_stores_no_part_of_a_file(empty_work, tmp_path):
    empty_work.folder.mkdir()
    empty_work.decisions.write_bytes(b"no database at all" * 1000)
    file = tmp_path / "sheet.csv"
    file.write_text("pair_id,reason,verdict\na,blur,keep\n")
    with open_decisions(empty_work) as store, pytest.raises(DecisionsError, match="not a database"):
        read_decisions_into(store, file, ["a"])
