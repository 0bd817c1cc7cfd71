"""The command line, run as a user runs it."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import ROOT, curate
from PIL import Image
from shipped import assert_same_selection

from curation.cli import app
from curation.manifest import COLUMNS, REJECTED_COLUMNS


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def rows_of(file: Path) -> list[dict[str, str]]:
    with open(file, newline="") as f:
        return list(csv.DictReader(f))


@pytest.fixture(scope="module")
def built(demo_set, tmp_path_factory) -> Path:
    """A directory in which all three levels of the demo set were built."""
    folder = tmp_path_factory.mktemp("built")
    for level in (0, 1, 2):
        curate("build-selection", "--level", level, "--data", demo_set, cwd=folder)
    return folder


def test_every_command_has_help_that_says_what_it_does():
    for command in app.registered_commands:
        assert command.callback.__doc__ and len(command.callback.__doc__) > 40, command.name


def test_importing_the_package_is_light():
    code = "import time; t = time.perf_counter(); import curation, curation.cli, sys; " \
        "print(time.perf_counter() - t); print([m for m in ('jittor', 'streamlit', 'dask', 'torch', 'sklearn', 'cv2') if m in sys.modules])"  # fmt: skip
    best = []
    for _ in range(3):
        seconds, heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split(
            "\n"
        )[:2]
        assert heavy == "[]"
        best.append(float(seconds))
    assert min(best) < 0.5


def test_one_command_in_a_fresh_directory_does_the_whole_job(built, demo_set):
    truth = pd.read_csv(demo_set / "truth.csv", dtype=str)
    kept, dropped = (rows_of(built / f"data_manifests/selection2{kind}.csv") for kind in ("", ".rejected"))
    assert list(kept[0]) == COLUMNS and list(dropped[0]) == REJECTED_COLUMNS
    pairs = {p.stem for p in (demo_set / "images").iterdir()}
    assert {r["pair_id"] for r in kept} | {r["pair_id"] for r in dropped} == pairs
    assert not {r["pair_id"] for r in kept} & {r["pair_id"] for r in dropped}
    for row in kept:  # paths are relative to the manifest
        assert (built / "data_manifests" / row["image"]).resolve() == demo_set / "images" / f"{row['pair_id']}.jpg"
        assert (built / "data_manifests" / row["label"]).resolve().is_file()
    reasons = {r["pair_id"]: r["reason"] for r in dropped}
    for defect in ("truncated_image", "empty_image", "label_other_size", "id_out_of_range", "missing_label"):
        assert {reasons[p] for p in truth.loc[truth["defect"] == defect, "pair_id"]} == {"unreadable"}
    for defect in ("blank_label", "coupled_labels", "monochrome"):
        assert all(p in reasons for p in truth.loc[truth["defect"] == defect, "pair_id"])


def test_levels_nest_and_the_recipe_says_how_they_were_made(built):
    kept = {}
    for name in ("total", "selection1", "selection2"):
        kept[name] = set(pd.read_csv(built / "data_manifests" / f"{name}.csv", dtype=str)["pair_id"])
        recipe = json.loads((built / "data_manifests" / f"{name}.json").read_text())
        assert recipe["kept"] == len(kept[name]) and recipe["selection"] == name
        assert recipe["kept"] + sum(recipe["dropped"].values()) == recipe["pairs"] == 120
    assert kept["selection2"] < kept["selection1"] < kept["total"]
    assert "backlight" in recipe["thresholds"] and recipe["label_space"]["name"] == "landscape29"


def test_the_users_files_are_not_touched(built, demo_set):
    newest = max(p.stat().st_mtime_ns for p in demo_set.rglob("*"))
    assert newest < (built / ".curate" / "pairs.parquet").stat().st_mtime_ns
    assert sorted(p.name for p in demo_set.iterdir()) == ["classes.json", "images", "labels", "truth.csv"]


def test_one_worker_and_two_give_the_same_bytes(built, demo_set, tmp_path):
    out = built / "again"  # beside the other one, so that relative paths are equal
    for workers in (1, 2):
        curate(
            "build-selection",
            "--data",
            demo_set,
            "--work",
            tmp_path / f"w{workers}",
            "--out",
            out,
            "--workers",
            workers,
            cwd=tmp_path,
        )
        assert files_of(out) == {
            k: v for k, v in files_of(built / "data_manifests").items() if k.startswith("selection2")
        }


def test_a_second_run_opens_no_photo(built, demo_set):
    before = {p: p.stat().st_mtime_ns for p in (built / ".curate").rglob("*.parquet")}
    trace = "import sys, builtins, pathlib; from curation import decode\n" \
        "def refuse(path): raise SystemExit(f'opened {path}')\n" \
        "decode.read_bytes = refuse\nfrom curation.cli import app; app(['build-selection', '--workers', '1'])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", trace], cwd=built, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in (built / ".curate").rglob("*.parquet")} == before


def test_another_threshold_reads_no_photo_and_changes_the_selection(built, tmp_path):
    curate("build-selection", "--set", "label_error=off", "--set", "blur=0.5", "--out", tmp_path, cwd=built)
    reasons = set(pd.read_csv(tmp_path / "selection2.rejected.csv")["reason"])
    assert "blur" in reasons and "label_error" not in reasons


def test_thresholds_from_a_file_and_a_target_size(built, tmp_path):
    (tmp_path / "t.toml").write_text("[thresholds]\nbacklight = 'off'\n")
    curate("build-selection", "--thresholds", tmp_path / "t.toml", "--target-size", 40, "--out", tmp_path, cwd=built)
    assert len(pd.read_csv(tmp_path / "selection2.csv")) == 40
    assert "backlight" not in json.loads((tmp_path / "selection2.json").read_text())["thresholds"]


def test_reweighting_writes_weights_instead_of_dropping(built, tmp_path):
    curate("build-selection", "-k", 1, "--out", tmp_path / "dropped", cwd=built)
    curate("build-selection", "-k", 1, "--reweight", "--out", tmp_path / "weighed", cwd=built)
    dropped = pd.read_csv(tmp_path / "dropped/selection2.rejected.csv", dtype={"pair_id": str})
    surplus = set(dropped.loc[dropped["reason"] == "equivalence_class", "pair_id"])
    weighed = pd.read_csv(tmp_path / "weighed/selection2.csv", dtype={"pair_id": str}).set_index("pair_id")["weight"]
    assert surplus and surplus <= set(weighed.index[weighed < 1]) and (weighed > 0).all()
    dropped_to = len(pd.read_csv(tmp_path / "dropped/selection2.csv"))
    assert weighed.sum() == pytest.approx(dropped_to, abs=0.1)  # a class counts as much as before
    assert json.loads((tmp_path / "weighed/selection2.json").read_text())["equivalence_classes"]["reweight"] is True


def test_only_what_changed_is_measured_again(demo_set, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo_set, data)
    curate("score", "--data", data, "--no-label-error", cwd=tmp_path)
    before = {p.name for p in (tmp_path / ".curate/parts").glob("*.parquet")}
    photo = next((data / "images").iterdir())
    photo.write_bytes(photo.read_bytes() + b" ")
    curate("score", "--no-label-error", cwd=tmp_path)
    after = {p.name for p in (tmp_path / ".curate/parts").glob("*.parquet")}
    assert len(after - before) == 1 and len(before - after) == 1


def test_the_table_has_one_row_a_pair_and_scores_between_0_and_1(built):
    curate("score", "--csv", cwd=built)
    table = pd.read_csv(built / ".curate/scores.csv", dtype={"pair_id": str})
    from curation.scores import SCORES

    assert list(table.columns[:5]) == ["pair_id", "image", "label", "width", "height"]
    assert len(table) == 120 and table["pair_id"].is_unique
    for name in SCORES:
        assert table[name].dropna().between(0, 1).all()
        assert table[name].isna().sum() == table["error"].notna().sum()


def test_group_writes_classes_within_their_radius(built):
    said = curate("group", "--out", "tables", cwd=built).stdout
    groups = pd.read_csv(built / "tables/groups.csv", dtype=str)
    assert [*groups.columns] == ["pair_id", "equivalence_class", "representative", "similarity", "radius", "members"]
    assert groups["similarity"].astype(float).min() >= 0.92 and groups["radius"].astype(float).max() <= 0.08
    sizes = groups["equivalence_class"].map(groups["equivalence_class"].value_counts())
    assert (groups["members"].astype(int) == sizes).all()
    assert "equivalence classes" in said


def test_photos_alone_can_be_scored_but_not_selected(demo_set, tmp_path):
    curate("score", "--data", demo_set / "images", "--csv", cwd=tmp_path)
    table = pd.read_csv(tmp_path / ".curate/scores.csv")
    assert table["coupling"].isna().all() and table["backlight"].notna().sum() > 100
    done = curate("build-selection", cwd=tmp_path, check=False)
    assert done.returncode == 2 and "no label maps" in done.stderr


def test_verify_reports_what_changed_and_opens_nothing_outside_the_data(demo_set, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo_set, data)
    curate("build-selection", "--level", 0, "--data", data, cwd=tmp_path)
    manifest = tmp_path / "data_manifests/total.csv"
    assert "are unchanged" in curate("verify", manifest, cwd=tmp_path).stdout
    rows = pd.read_csv(manifest, dtype=str)
    (tmp_path / "data_manifests" / rows["image"][0]).write_bytes(b"x")
    (tmp_path / "data_manifests" / rows["label"][1]).unlink()
    done = curate("verify", manifest, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert (
        f"{rows['pair_id'][0]}: photo changed" in done.stdout
        and f"{rows['pair_id'][1]}: label map cannot be read" in done.stdout
    )
    rows.loc[2, "image"] = "../../../../../etc/hostname"
    rows.to_csv(manifest, index=False)
    assert "lies outside the data set" in curate("verify", manifest, cwd=tmp_path, check=False).stdout


def test_data_and_manifests_can_move_together(demo_set, tmp_path):
    shutil.copytree(demo_set, tmp_path / "a/data")
    curate(
        "build-selection",
        "--data",
        tmp_path / "a/data",
        "--work",
        tmp_path / "work",
        "--out",
        tmp_path / "a/m",
        cwd=tmp_path,
    )
    (tmp_path / "a").rename(tmp_path / "b")
    assert curate("verify", tmp_path / "b/m/selection2.csv", cwd=tmp_path).returncode == 0


def test_verify_finds_the_data_where_it_is_said_to_lie_now(demo_set, tmp_path):
    shutil.copytree(demo_set, tmp_path / "here/data")
    curate(
        "build-selection", "--level", 0, "--data", tmp_path / "here/data", "--out", tmp_path / "here/m", cwd=tmp_path
    )
    (tmp_path / "there/deep").mkdir(parents=True)
    (tmp_path / "here/m").rename(tmp_path / "there/deep/m")
    moved = tmp_path / "there/deep/m/total.csv"
    assert "are unchanged" in curate("verify", moved, "--data", tmp_path / "here/data", cwd=tmp_path).stdout
    assert "does not exist" in curate("verify", moved, "--data", tmp_path / "nope", cwd=tmp_path, check=False).stderr


def test_a_file_that_may_be_read_again_is_measured_again(demo_set, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo_set, data)
    curate("score", "--data", data, "--no-label-error", cwd=tmp_path)
    before = {p.name for p in (tmp_path / ".curate/parts").glob("*.parquet")}
    next((data / "images").iterdir()).chmod(0o600)  # rights change, content and its time do not
    curate("score", "--no-label-error", cwd=tmp_path)
    assert len({p.name for p in (tmp_path / ".curate/parts").glob("*.parquet")} - before) == 1


def test_a_damaged_part_is_measured_again(demo_set, tmp_path):
    curate("score", "--data", demo_set, "--csv", "one.csv", "--no-label-error", cwd=tmp_path)
    part = next((tmp_path / ".curate/parts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    (tmp_path / ".curate/scores.parquet").unlink()
    curate("score", "--csv", "two.csv", "--no-label-error", cwd=tmp_path)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_mistake_leaves_no_work_directory_behind(tmp_path):
    curate("score", "--data", "nowhere", cwd=tmp_path, check=False)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on_and_nothing_else(demo_set, tmp_path):
    command = [sys.executable, "-m", "curation.cli", "score", "--data", str(demo_set), "--workers", "2", "--work"]
    for seconds in (1.0, 1.6, 2.5):
        work = tmp_path / str(seconds)
        run = subprocess.Popen(
            [*command, str(work)],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(seconds)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate()
        if run.returncode == 130 and work.exists():  # before that it was still starting
            assert "the same command goes on from there" in said
        assert "SpawnProcess" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build-selection", "--data", "good", "--out", "good/classes.txt"], "no folder that may be written to"),
        (["build-selection", "--data", "good", "--thresholds", "."], "directory"),
        (["build-selection", "--data", "odd"], "saw 2 gt/*.png, 2 images/*.png"),
        (["build-selection", "--data", "nowhere"], "nowhere does not exist"),
        (["build-selection"], "No data set yet"),
        (["build-selection", "--data", "empty"], "saw no files at all"),
        (["build-selection", "--data", "good", "--label-space", "landscape30"], "landscape29"),
        (["build-selection", "--data", "good", "--set", "backlit=0.5"], 'the nearest is "backlight"'),
        (["build-selection", "--data", "good", "--level", "3"], "levels are 0 (Total)"),
        (["verify", "none.csv"], "does not exist"),
        (["score", "somewhere"], "Name the data set with --data"),
    ],
)
def test_mistakes_stop_at_once_with_the_way_out(tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    for room in ("images", "labels"):
        (tmp_path / "good" / room).mkdir(parents=True)
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "good" / room / "a.png")
    (tmp_path / "good/classes.txt").touch()
    for room in ("images", "gt"):
        shutil.copytree(tmp_path / "good/images", tmp_path / "odd" / room)
        shutil.copy(tmp_path / "good/images/a.png", tmp_path / "odd" / room / "b.png")
    done = curate(*arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr


def test_a_work_directory_of_another_data_set_is_refused(built, tmp_path):
    done = curate("score", "--data", tmp_path, cwd=built, check=False)
    assert done.returncode == 2 and "is the work directory of" in done.stderr


def test_quiet_says_nothing_and_a_pipe_gets_no_progress_bar(demo_set, tmp_path):
    done = curate("score", "--data", demo_set, "--no-label-error", "--quiet", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert "\x1b" not in (done := curate("score", cwd=tmp_path)).stdout + done.stderr


def test_few_pairs_have_no_label_error_column_and_are_told_so(tmp_path):
    rng = np.random.default_rng(0)
    for room in ("images", "labels"):
        (tmp_path / "d" / room).mkdir(parents=True)
    for i in range(5):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(tmp_path / f"d/images/{i}.png")
        Image.fromarray(rng.integers(0, 3, (48, 64), dtype=np.uint8)).save(tmp_path / f"d/labels/{i}.png")
    done = curate("build-selection", "--data", "d", cwd=tmp_path)
    assert "too few to learn from" in done.stderr
    assert "label_error" not in pd.read_parquet(tmp_path / ".curate/scores.parquet")


def test_a_full_disk_is_told_and_nothing_half_written_stays(demo_set, tmp_path):
    """/dev/full cannot stand in for a directory, so a small memory disk does, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        done = curate("score", "--data", demo_set, "--work", disk / "w", cwd=tmp_path, check=False)
        assert done.returncode == 2 and "The disk is full" in done.stderr and "Traceback" not in done.stderr
        assert not [p for p in (disk / "w").rglob("*.tmp")]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_demo_does_all_of_it_and_the_shipped_manifests_are_what_it_makes(tmp_path):
    began = time.monotonic()
    done = curate("demo", cwd=tmp_path)
    for name in ("total", "selection1", "selection2"):
        for suffix in (".csv", ".rejected.csv", ".json"):
            shipped, made = ROOT / "data_manifests" / (name + suffix), tmp_path / "data_manifests" / (name + suffix)
            assert_same_selection(made, shipped)
    assert (tmp_path / "demo/work/report.html").stat().st_size > 100_000
    assert "precision" in done.stdout and "label_error" in done.stdout
    assert time.monotonic() - began < 600
