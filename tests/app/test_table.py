"""All pairs by position, with what the last selection says of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up import made_up

from app import table as module
from app.table import NOBODY, Fault, Table, TableError
from curation import stages
from curation.rules import Settings, select
from curation.workspace import Workspace, read_frame, write_table

PAIRS = {
    "a": {"backlight": 0.7, "label_error": 0.9},
    "b": {},
    "c/1": {"error": "photo: empty file (0 bytes)"},
    "c/10": {"blur": 0.2},
    "c/2": {"monochrome": 0.5},
    "d": {},
    "Ω": {},
}
CLASSES = ("b c/10 d Ω",)


@pytest.fixture
def table(tmp_path) -> Table:
    return Table(made_up(tmp_path, PAIRS, CLASSES, settings=Settings(2, keep_per_class=4)))


def test_pairs_stand_in_ascending_order_of_their_ids(table):
    assert len(table) == 7 and [table.id(i) for i in range(7)] == sorted(PAIRS)
    assert [table.position(p) for p in sorted(PAIRS)] == list(range(7))
    assert table.image[3].as_py() == "images/c/10.jpg" and table.label[3].as_py() == "labels/c/10.png"
    assert table.size[3].tolist() == [40, 30] and table.error[2].as_py() == "photo: empty file (0 bytes)"


@pytest.mark.parametrize("unknown", ["", "0", "c/11", "z", "Ω ", "../../etc/passwd"])
def test_an_id_that_is_not_listed_has_no_position(table, unknown):
    with pytest.raises(KeyError):
        table.position(unknown)


@pytest.mark.parametrize("few", [0, 100])  # looked up all at once, or one by one
def test_positions_of_many_ids(table, monkeypatch, few):
    monkeypatch.setattr(module, "FEW", few)
    found = table.positions(["d", "nobody", "a", "a"])
    assert found.tolist() == [5, NOBODY, 0, 0] and found.dtype == np.int32
    assert table.positions([]).tolist() == []
    assert table.positions(pa.chunked_array([["Ω"], ["b"]])).tolist() == [6, 1]


def test_faults_stand_with_the_first_reason_first(table):
    assert table.faults(0) == [
        Fault("label_error", 0.9, 0.5, NOBODY, "the label map does not fit the photo"),
        Fault("backlight", 0.7, 0.5, NOBODY, "strongly backlit"),
    ]
    assert table.faults(1) == [] and table.first_reason(1) is None
    assert [(f.reason, f.score, f.detail) for f in table.faults(2)] == [
        ("unreadable", None, "photo: empty file (0 bytes)")
    ]
    assert table.first_reason(0) == "label_error" and table.first_reason(4) == "monochrome"
    assert table.kept.tolist() == [False, True, False, True, False, True, True]
    assert table.counts() == {"unreadable": 1, "label_error": 1, "monochrome": 1}


def test_a_fault_names_the_position_of_the_pair_that_stays(tmp_path):
    table = Table(made_up(tmp_path, {p: {} for p in "abc"}, copies=(("a", "c"),)))
    (fault,) = table.faults(2)
    assert (fault.reason, table.id(fault.stands)) == ("near_duplicate", "a")


def test_pairs_dropped_for_a_reason_count_whatever_their_first_reason(table):
    at, score = table.dropped_for("backlight")
    assert at.tolist() == [0] and score.tolist() == pytest.approx([0.7])
    assert table.dropped_for("near_duplicate")[0].tolist() == []
    assert table.limits_of("backlight").tolist() == [0.5]
    assert table.has_other(["equivalence_class", "unreadable"]).nonzero()[0].tolist() == [0, 4]


def test_scores_are_floats_by_position_nan_where_there_is_none(table):
    assert table.scores["blur"].dtype == np.float32
    assert np.isnan(table.scores["blur"][2]) and table.scores["blur"][3] == np.float32(0.2)


def test_thresholds_in_force_and_those_a_rule_would_have(tmp_path):
    table = Table(made_up(tmp_path, PAIRS, settings=Settings(2, {"backlight": 0.8, "coupling": None})))
    assert table.thresholds["backlight"] == 0.8 and table.in_force("backlight")
    assert table.thresholds["coupling"] == 0.5 and not table.in_force("coupling")
    assert table.thresholds["dark"] == 0.5 and not table.in_force("dark")
    assert "unreadable" not in table.thresholds


def test_a_class_begins_with_its_representative_and_goes_on_with_the_most_similar(tmp_path):
    table = Table(made_up(tmp_path, PAIRS, ("d b Ω c/10", "a")))
    classes = table.classes
    name = classes.of[table.position("Ω")]
    assert [table.id(m) for m in classes.members(name)] == ["d", "b", "Ω", "c/10"]
    assert classes.similarity[table.position("Ω")] == np.float32(0.98)
    assert classes.of[table.position("c/1")] == NOBODY and np.isnan(classes.similarity[table.position("c/1")])
    assert classes.sizes.tolist() == [1, 4]  # by the representative's id
    assert classes.members(classes.of[0]).tolist() == [0]


def test_classes_are_read_once_however_many_ask_at_once(tmp_path, monkeypatch):
    table = Table(made_up(tmp_path, PAIRS, CLASSES))
    read, count = Table._read_classes, []
    monkeypatch.setattr(Table, "_read_classes", lambda self: count.append(1) or read(self))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: table.classes, range(40)))
    assert len(count) == 1 and all(classes is found[0] for classes in found)


def test_no_pair_dropped_and_no_class(tmp_path):
    table = Table(made_up(tmp_path, {"a": {}, "b": {}}))
    assert table.kept.all() and table.counts() == {} and table.faults(1) == []
    assert table.classes.of.tolist() == [NOBODY, NOBODY] and len(table.classes.sizes) == 0


def test_what_is_missing_is_said_with_the_command_that_makes_it(tmp_path):
    work = made_up(tmp_path, PAIRS)
    work.faults.unlink()
    with pytest.raises(TableError, match=r"faults.parquet does not exist yet. Run `curate build-selection --level 2`"):
        Table(work)
    work.scores.unlink()
    with pytest.raises(TableError, match="curate score"):
        Table(work)


def test_the_table_of_a_real_selection_is_its_manifest(reviewed_work):
    table = Table(Workspace.load(reviewed_work))
    kept = [line.split(",")[0] for line in (reviewed_work.parent / "manifests/selection2.csv").read_text().splitlines()]
    kept = [word for word in kept if not word.startswith("#") and word != "pair_id"]
    assert [table.id(p) for p in np.flatnonzero(table.kept)] == kept


def test_a_selection_older_than_the_scores_says_nothing_of_pairs_that_are_gone(tmp_path):
    work = made_up(tmp_path, PAIRS, CLASSES, settings=Settings(2))
    rows = pq.read_table(work.faults).to_pylist()
    late = {"score": 0.9, "threshold": 0.5, "detail": "", "representative": "gone"}
    rows += [{"pair_id": p, "reason": "near_duplicate", **late} for p in ("b", "gone", "zz")]
    schema = pq.read_schema(work.faults)
    pq.write_table(pa.Table.from_pylist(sorted(rows, key=lambda row: row["pair_id"]), schema), work.faults)
    table = Table(Workspace.load(work.folder))
    assert table.kept[table.position("Ω")] and not table.kept[table.position("b")]
    assert [f.stands for f in table.faults(table.position("b"))] == [NOBODY]
    assert table.dropped_for("near_duplicate")[0].tolist() == [table.position("b")]


def test_a_selection_older_than_what_was_measured_is_known_to_be(tmp_path):
    work = made_up(tmp_path, PAIRS)
    assert not Table(work).is_outdated
    write_table(work.scores, pq.read_table(work.scores), "measured again")
    assert Table(work).is_outdated


def test_a_new_selection_costs_the_columns_of_the_pairs_not_twice(tmp_path):
    work = made_up(tmp_path, PAIRS, CLASSES)
    before = Table(work)
    assert before.classes
    stages.write_faults(
        work, select(*(read_frame(f) for f in (work.scores, work.duplicates, work.groups)), Settings(0))
    )
    after, anew = Table(work, before), Table(work)
    assert after.ids is before.ids and after.scores is before.scores and after.classes is before.classes
    assert np.array_equal(after.kept, anew.kept) and not np.array_equal(after.kept, before.kept)
    write_table(work.scores, pq.read_table(work.scores).slice(1), "measured again")
    again = Table(work, after)
    assert len(again) == len(after) - 1 and again.classes is not after.classes
