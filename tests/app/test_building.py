import csv

import pytest

from app.building import Building
from app.counts import counts_of, last_settings
from app.frame import stamp
from app.opened import Asked
from curation.manifest import read_manifest
from curation.rules import Settings
from curation.verdicts import DROP, KEEP, Decision
from curation.workspace import one_at_a_time


def build(opened, settings) -> Building:
    building = Building(opened, settings)
    assert building.wait(60)
    return building


def test_a_build_takes_thresholds_and_verdicts_and_leaves_a_manifest(opened):
    table = opened.table
    kept = [table.id(p) for p in range(len(table)) if table.kept[p]]
    back = table.id(next(p for p in table.dropped_for("monochrome")[0] if len(table.faults(p)) == 1))
    opened.decisions.add(
        [Decision(kept[0], DROP, "anna", "blur", "a fence"), Decision(back, KEEP, "ben", "monochrome")]
    )
    asked = Asked(opened.work.folder, None, None, opened.asked.out, (), False)
    before = stamp(asked)
    settings = Settings(2, {"coupling": None, "dark": 0.5})
    building = build(opened, settings)
    assert not building.error and building.manifest == opened.asked.out / "selection2.csv" and building.done
    manifest = read_manifest(building.manifest)
    by = dict(zip(manifest.pairs["pair_id"], manifest.pairs["by"], strict=True))
    assert by[back] == "person" and by[kept[1]] == "rule" and len(by) == building.kept
    with open(opened.asked.out / "selection2.rejected.csv", newline="") as f:
        rejected = {row["pair_id"]: row for row in csv.DictReader(f)}
    assert rejected[kept[0]]["by"] == "person" and "a fence" in rejected[kept[0]]["detail"]
    reasons = {reason: n for reason, n, _ in building.rows}
    assert reasons["person"] == 1 and "coupling" not in reasons and ("dark", 1, 0.5) in building.rows
    assert building.kept + sum(reasons.values()) == building.pairs == len(table)
    assert stamp(asked) != before  # so the app opens the new tables


def test_a_build_of_the_last_thresholds_keeps_what_was_counted(opened):
    expected = counts_of(opened.table).last
    for level in (1, 2):
        assert build(opened, Settings(level)).kept == expected[level]


def test_another_curate_at_work_is_a_text(opened):
    with one_at_a_time(opened.work.folder):
        building = build(opened, last_settings(opened.table))
    assert building.error.startswith("Another curate is at work") and building.manifest is None


def test_a_folder_that_cannot_be_written_is_a_text(opened):
    opened.asked.out.write_text("a file where a folder should be")
    assert str(opened.asked.out) in build(opened, last_settings(opened.table)).error


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_level_can_be_built(opened, level):
    assert build(opened, Settings(level)).manifest.exists()
