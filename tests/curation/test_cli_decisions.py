"""What people decided, through the commands as a user runs them: selection, explanation, report, sample, calibration, export and import."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone

import pandas as pd
import pytest
from command import ROOT, curate

from curation.decisions import Decision, open_decisions
from curation.manifest import read_manifest
from curation.place import absolute
from curation.verdicts import current, digest
from curation.workspace import Workspace

NOON = datetime(2026, 1, 23, 12, tzinfo=timezone.utc)
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def place(curated, tmp_path):
    """A directory with the measures of 64 pairs in the usual place."""
    shutil.copytree(curated.work.folder, tmp_path / ".curate")
    return tmp_path


def store_of(place, database=None):
    return open_decisions(Workspace.load(absolute(place / ".curate")), database)


@pytest.fixture
def decided(place):
    """The same, where anna kept a backlit and an unreadable pair and dropped a good one."""
    with store_of(place) as store:
        store.add(
            [
                Decision("backlit", "keep", "anna", "backlight", f"silhouettes are wanted {EVIL}", time=NOON),
                Decision("p00", "drop", "anna", note="=HYPERLINK(a lens cap)", time=NOON),
                Decision("<img onerror=alert(1)>", "keep", "anna", time=NOON),
                Decision("not here", "drop", "anna", time=NOON),
            ]
        )
    return place


def rejected(place) -> pd.DataFrame:
    table = pd.read_csv(place / "data_manifests/selection2.rejected.csv", dtype=str, keep_default_na=False)
    return table.set_index("pair_id")


def test_a_selection_obeys_people_and_its_manifest_says_so(decided):
    done = curate("build-selection", "--level", 2, "--parquet", cwd=decided)
    assert "1 reviewed pairs are not in this data set and are left out (not here)" in done.stderr
    assert "people decided: 1 kept, 1 dropped" in done.stdout
    manifest = read_manifest(decided / "data_manifests/selection2.csv")
    by = manifest.pairs.set_index("pair_id")["by"]
    assert by["backlit"] == "person" and set(by.drop("backlit")) == {"rule"} and "p00" not in by
    gone = rejected(decided)
    assert tuple(gone.loc["p00", ["reason", "by", "score", "representative"]]) == ("person", "person", "", "")
    assert gone.loc["p00", "detail"] == "dropped by anna (2026-01-23): =HYPERLINK(a lens cap)"
    assert set(gone["by"].drop("p00")) == {"rule"} and "kept by anna" in gone.loc["<img onerror=alert(1)>", "detail"]
    with store_of(decided) as store:
        verdicts = current(store.all())
    del verdicts["not here"]
    assert manifest.recipe["decisions"] == {"kept": 1, "dropped": 1, "sha256": digest(verdicts)}
    assert manifest.recipe["dropped"]["person"] == 1
    table = pd.read_parquet(decided / "data_manifests/selection2.parquet")
    assert table.set_index("pair_id").loc["backlit", "by"] == "person"


def test_explain_and_report_tell_what_people_said_and_no_note_becomes_markup(decided):
    kept = curate("explain", "backlit", cwd=decided, env=os.environ | {"COLUMNS": "200"}).stdout
    assert f"kept by anna (2026-01-23): silhouettes are wanted {EVIL}" in kept
    assert (decided / ".curate/evidence/backlit.png").exists()
    gone = curate("explain", "p00", cwd=decided).stdout
    assert "p00 is dropped from Selection II: person" in gone and "dropped by anna (2026-01-23)" in gone
    assert "dropped by anna" in curate("explain", "p00", "--level", 0, cwd=decided).stdout

    curate("report", "--out", "r.html", cwd=decided)
    html = (decided / "r.html").read_text()
    assert "Decided by people" in html and "onerror=alert(1)&gt;" in html and EVIL not in html
    assert "kept by anna (2026-01-23): silhouettes" in html and "dropped by anna (2026-01-23): =HYPERLINK" in html
    assert "1 pair is kept and 1 dropped for that here" in html


def test_a_report_without_decisions_has_nothing_of_them(place):
    curate("report", "--out", "r.html", cwd=place)
    assert "person" not in (place / "r.html").read_text().replace("a person sets", "")


def test_where_nobody_decided_anything_no_database_is_loaded_or_made(place):
    code = "import sys\nfrom curation.cli import app\ntry: app(['build-selection', '-q'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('sqlalchemy', 'psycopg', 'sqlite3') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]" and (place / "data_manifests/selection2.csv").exists()
    assert not (place / ".curate/decisions.sqlite").exists()
    recipe = json.loads((place / "data_manifests/selection2.json").read_text())
    assert (recipe["decisions"]["kept"], recipe["decisions"]["dropped"]) == (0, 0)


def test_decisions_of_a_team_come_from_a_server_and_its_password_stands_nowhere(place, postgres):
    url = postgres.new_database()
    with open_decisions(Workspace.load(absolute(place / ".curate")), url, "hills") as store:
        store.add([Decision("p01", "drop", "ben", time=NOON)])
    done = curate("build-selection", "--database", url, "--data-set", "hills", cwd=place)
    assert rejected(place).loc["p01", "reason"] == "person"
    curate("report", "--database", url, "--data-set", "hills", "--out", "r.html", cwd=place)
    html = (place / "r.html").read_text()
    assert "--database postgresql://curator@127.0.0.1" in html and "--data-set hills" in html
    written = [done.stdout, done.stderr, html]
    written += [file.read_text() for file in (place / "data_manifests").iterdir() if file.is_file()]
    assert not any("s3cret" in text for text in written)
    curate("build-selection", "--database", url, cwd=place)  # the data set of the folder's own name
    assert "p01" not in rejected(place).index


def test_a_database_that_cannot_be_read_stops_a_selection_before_it_passes_anything_over(place):
    (place / ".curate/decisions.sqlite").write_bytes(b"no database at all" * 1000)
    done = curate("build-selection", cwd=place, check=False)
    assert done.returncode == 2 and "decisions.sqlite" in done.stderr and "Traceback" not in done.stderr
    assert not (place / "data_manifests").exists()
    done = curate("build-selection", "--database", "mysql://me:hunter2@host/x", cwd=place, check=False)
    assert done.returncode == 2 and 'kind "mysql"' in done.stderr and "hunter2" not in done.stderr


def test_decisions_go_out_as_csv_and_come_in_again_once(decided):
    done = curate("decisions", "export", "said.csv", cwd=decided)
    assert done.stdout.splitlines() == ["4 decisions", "said.csv"]
    assert curate("decisions", "import", "said.csv", cwd=decided, check=False).stdout.startswith(
        "0 decisions stored; 3 were"
    )
    (decided / ".curate/decisions.sqlite").unlink()
    done = curate("decisions", "import", "said.csv", cwd=decided)
    assert done.stdout == "3 decisions stored\n" and "(not here)" in done.stderr
    with store_of(decided) as store:
        assert current(store.all())["p00"].note == "=HYPERLINK(a lens cap)"
    (decided / "bad.csv").write_text("pair_id,reason,verdict\np00,blurr,keep\n")
    done = curate("decisions", "import", "bad.csv", cwd=decided, check=False)
    assert done.returncode == 2 and 'bad.csv, row 2: no reason "blurr"' in done.stderr
    done = curate("decisions", "export", "x.csv", "--work", "nowhere", cwd=decided, check=False)
    assert done.returncode == 2 and "No data set yet in nowhere" in done.stderr


def test_sample_leaves_out_what_is_decided_and_calibrate_takes_it(place):
    scores = pd.read_parquet(place / ".curate/scores.parquet").set_index("pair_id")["backlight"].dropna()
    curate("sample", "--reason", "backlight", "--n", 40, cwd=place)
    first = pd.read_csv(place / "sample.csv", dtype=str)["pair_id"].tolist()
    with store_of(place) as store:
        store.add([Decision(p, "drop" if scores[p] > scores.median() else "keep", "anna", "backlight") for p in first])
    curate("sample", "--reason", "backlight", "--n", 40, "--out", "more.csv", cwd=place)
    second = pd.read_csv(place / "more.csv", dtype=str)["pair_id"].tolist()
    assert second and not set(first) & set(second)
    done = curate("calibrate", "--precision", 0.5, cwd=place)
    assert done.stdout.splitlines()[-1] == "thresholds.toml"
    from_store = (place / "thresholds.toml").read_text()
    curate("decisions", "export", "said.csv", cwd=place)
    curate("calibrate", "said.csv", "--precision", 0.5, "--out", "other.toml", cwd=place)
    assert (place / "other.toml").read_text() == from_store and "backlight" in from_store
    sqlite3.connect(place / ".curate/decisions.sqlite").executescript("DELETE FROM decisions")
    done = curate("calibrate", cwd=place, check=False)
    assert done.returncode == 2 and "The stored decisions: no verdict yet" in done.stderr


def test_a_manifest_of_the_time_before_people_could_decide_is_still_read(place):
    curate("build-selection", "-q", cwd=place)
    file = place / "data_manifests/selection2.csv"
    now = read_manifest(file).pairs
    now.drop(columns="by").to_csv(file, index=False)
    assert read_manifest(file).pairs.equals(now) and set(now["by"]) == {"rule"}
