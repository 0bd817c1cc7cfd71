import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

from app import counts as module
from app.counts import Counts, last_settings, masks_of
from app.opened import Asked, open_work
from app.table import Table
from curation import stages
from curation.rules import Settings
from curation.verdicts import DROP, KEEP, Decision, current
from curation.workspace import Workspace, read_frame

OFF_AND_ON = [
    {},
    {"label_error": None},
    {"backlight": 0.2},
    {"backlight": None, "coupling": None, "monochrome": None},
    {"dark": 0.5, "blur": 0.3, "coupling": 0.2},
    {"label_error": 0.05},
]


def said(*verdicts: tuple[str, str]) -> dict:
    return current(Decision(pair_id, verdict, "anna") for pair_id, verdict in verdicts)


def built(work: Workspace, out, settings: Settings, decided=None) -> int:
    return len(stages.build_selection(stages.Run(workers=1, quiet=True), work, out, settings, decided=decided)[1].kept)


@pytest.fixture(scope="module")
def counts(reviewed_work) -> Counts:
    return Counts(Table(Workspace.load(reviewed_work)))


def test_the_last_selection_is_known_with_what_lower_levels_keep_of_it(reviewed_work, tmp_path):
    work = Workspace.load(shutil.copytree(reviewed_work, tmp_path / "work"))
    kept = {level: built(work, tmp_path / "out", Settings(level)) for level in (0, 1, 2)}
    assert Counts(Table(work)).last == kept and kept[2] < kept[1] < kept[0]
    assert built(work, tmp_path / "out", Settings(1)) == kept[1]
    assert Counts(Table(work)).last == {0: kept[0], 1: kept[1], 2: None}


def test_the_settings_of_the_last_selection_come_back(reviewed_work, tmp_path):
    work = Workspace.load(shutil.copytree(reviewed_work, tmp_path / "work"))
    settings = Settings(1, {"coupling": None, "dark": 0.25, "equivalence_class": None}, 2, ("sharpest",), 50, (), True)
    built(work, tmp_path / "out", settings)
    assert last_settings(Table(work)) == settings


@pytest.mark.parametrize("thresholds", OFF_AND_ON)
def test_the_exact_counts_are_those_of_the_build(counts, reviewed_work, tmp_path, thresholds):
    work = Workspace.load(shutil.copytree(reviewed_work, tmp_path / "work"))
    table = counts.table
    decided = said((table.id(0), DROP), (table.id(int(table.first_fault.argmax())), KEEP), ("nobody", KEEP))
    found = counts.soon(30, thresholds, decided, version=1)
    assert found.exact and not found.pending
    assert found.kept == {
        level: built(work, tmp_path / "o", Settings(level, thresholds), decided) for level in (0, 1, 2)
    }


@pytest.mark.parametrize("thresholds", OFF_AND_ON)
def test_an_estimate_is_near_them(counts, thresholds):
    estimate = counts.estimate(replace(counts.settings, thresholds=thresholds), masks_of(counts.table, {}))
    exact = counts.exact(thresholds, {})
    assert estimate[0] == exact[0]
    # a copy whose better twin goes now may stay; classes may pick others
    assert all(abs(estimate[level] - exact[level]) <= 3 for level in (1, 2))


def test_under_the_last_thresholds_an_estimate_is_right(counts):
    assert counts.under({}, {}, soon=False).kept == counts.last == counts.exact({}, {})


def test_people_win_over_the_rules_but_nobody_keeps_what_cannot_be_read(counts):
    table = counts.table
    rejected = [table.id(p) for p in table.dropped_for("backlight")[0]]
    broken = [table.id(p) for p in range(len(table)) if table.error[p].is_valid]
    kept = [table.id(p) for p in range(len(table)) if table.kept[p]]
    assert rejected and broken

    def after(*verdicts):
        estimate = counts.estimate(counts.settings, masks_of(table, said(*verdicts)))
        return {level: estimate[level] - counts.last[level] for level in estimate}

    assert after((broken[0], KEEP)) == {0: 0, 1: 0, 2: 0}
    assert after((kept[0], KEEP)) == {0: 0, 1: 0, 2: 0}
    alone = next(p for p in kept if len(table.classes.members(table.classes.of[table.position(p)])) == 1)
    assert after((alone, DROP)) == {0: 0, 1: -1, 2: -1}
    assert after((rejected[0], KEEP))[2] == 1


def test_a_class_is_filled_up_to_k_with_pairs_that_are_clean_now(counts):
    table, k_1 = counts.table, replace(counts.settings, keep_per_class=1)
    groups = read_frame(table.work.groups)[["pair_id", "equivalence_class"]]
    stay = groups[groups["pair_id"].isin([table.id(p) for p in np.flatnonzero(table.kept)])]
    sizes = stay.groupby("equivalence_class").size()
    twos = sizes[sizes == 2].index
    assert len(twos) and sizes.max() == 2

    def kept(*verdicts):
        return counts.estimate(k_1, masks_of(table, said(*verdicts)))[2]

    assert kept() == counts.last[2] - len(twos)
    one, other = stay.loc[stay["equivalence_class"] == twos[0], "pair_id"]
    assert kept((one, DROP)) == kept()  # the other stays in its place
    assert kept((one, KEEP)) == kept()
    assert kept((one, KEEP), (other, KEEP)) == kept() + 1
    assert kept((one, DROP), (other, DROP)) == kept() - 1
    assert counts.estimate(replace(k_1, reweight=True), masks_of(table, {}))[2] == counts.last[2]


def test_a_wanted_number_stays_whatever_the_thresholds(counts):
    settings = replace(counts.settings, target_size=20, thresholds={"label_error": 0.01})
    assert counts.estimate(settings, masks_of(counts.table, {})) == dict.fromkeys((0, 1, 2), 20)


def test_counts_are_worked_out_in_a_thread_and_not_while_a_threshold_moves(reviewed_work):
    counts = Counts(Table(Workspace.load(reviewed_work)))
    moving = counts.under({"backlight": 0.3}, {}, soon=False)
    assert not moving.exact and not moving.pending
    first = counts.under({"backlight": 0.3}, {})
    assert first.pending and not first.exact
    end = time.monotonic() + 30
    while (now := counts.under({"backlight": 0.3}, {})).pending:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert now.exact


def test_many_pairs_are_only_estimated(counts, monkeypatch):
    monkeypatch.setattr(module, "MOST_EXACT", 10)
    found = counts.under({"backlight": 0.3}, {})
    assert not found.exact and not found.pending


def test_tables_that_are_gone_leave_the_estimate_and_say_why(work_copy):
    opened = open_work(Asked(work_copy, None, None, work_copy, (), False))
    counts = Counts(opened.table)
    assert opened.table.classes is not None
    (work_copy / "duplicates.parquet").unlink()
    found = counts.soon(10, {"backlight": 0.3}, {})
    assert not found.exact and not found.pending and "duplicates.parquet" in found.error and found.kept[2]
