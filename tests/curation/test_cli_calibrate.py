"""`curate sample` and `curate calibrate`, run as a user runs them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from command import curate

from curation.review_sample import COLUMNS
from curation.reviews import SCORED
from curation.thresholds import read_thresholds
from curation.workspace import inputs_of, write_table


@pytest.fixture
def place(curated, tmp_path):
    """A directory with the measures of 64 pairs in the usual place; the scores of 63 are spread, 18 of each reach one half."""
    shutil.copytree(curated.work.folder, tmp_path / ".curate")
    table = curated.scores.copy()
    readable = table["error"].isna()
    for i, reason in enumerate(SCORED):
        spread = np.round(np.linspace(0.01, 0.99, readable.sum()) ** 2, 4)
        table.loc[readable, reason] = np.random.default_rng(i).permutation(spread)
    write_table(tmp_path / ".curate/scores.parquet", table, inputs_of(curated.work.scores))
    return tmp_path


def fill_in(file, drops) -> pd.DataFrame:
    """Write the verdicts of a person who drops the pairs `drops`."""
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table["verdict"] = ["drop" if p in drops else "keep" for p in table["pair_id"]]
    table.to_csv(file, index=False)
    return table


def scores_of(place) -> pd.DataFrame:
    return pd.read_parquet(place / ".curate/scores.parquet").set_index("pair_id")


def highest(place, reason, n) -> set:
    return set(scores_of(place)[reason].nlargest(n).index)


def test_forty_clicks_make_a_threshold_that_a_selection_uses(place):
    done = curate("sample", "--reason", "backlight", "--n", 40, cwd=place)
    assert "40 of 63 pairs" in done.stdout and "curate explain " in done.stdout
    assert done.stdout.splitlines()[-2:] == ["  curate calibrate sample.csv --reason backlight", "sample.csv"]
    empty = pd.read_csv(place / "sample.csv", dtype=str, keep_default_na=False)
    assert list(empty.columns) == COLUMNS and set(empty["verdict"]) == {""} and len(empty) == 40

    drops = highest(place, "backlight", 30)
    fill_in(place / "sample.csv", drops)
    done = curate("calibrate", "sample.csv", cwd=place)
    assert done.stdout.splitlines()[-2:] == [".curate/calibration.csv", "thresholds.toml"]
    threshold = read_thresholds(place / "thresholds.toml")["backlight"]
    scores = scores_of(place)["backlight"]
    over = set(scores.index[scores >= threshold])
    assert len(over) > (scores >= 0.5).sum() == 18
    assert len(over & drops) / len(over) >= 0.85 and len(over & drops) / len(drops) >= 0.85
    assert f"{threshold:g}" in done.stdout and "before" in done.stdout and "after" in done.stdout
    steps = pd.read_csv(place / ".curate/calibration.csv")
    assert set(steps["reason"]) == {"backlight"} and steps["probability"].is_monotonic_increasing

    curate("build-selection", "--thresholds", "thresholds.toml", cwd=place)
    rejected = pd.read_csv(place / "data_manifests/selection2.rejected.csv", dtype=str)
    assert over <= set(rejected["pair_id"])


def test_the_same_reviews_give_the_same_bytes(place):
    written = []
    for out in ("1", "2"):
        curate("sample", "--reason", "blur", "--out", f"{out}.csv", "-q", cwd=place)
        fill_in(place / f"{out}.csv", highest(place, "blur", 12))
        assert curate("calibrate", f"{out}.csv", "--out", f"{out}.toml", "-q", cwd=place).stdout == ""
        files = [place / f"{out}.csv", place / f"{out}.toml", place / ".curate/calibration.csv"]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]


def test_a_second_sample_goes_on_from_the_first_and_keeps_its_verdicts(place):
    curate("sample", "--reason", "coupling", "--n", 15, cwd=place)
    first = fill_in(place / "sample.csv", highest(place, "coupling", 12))
    refused = curate("sample", "--reason", "coupling", cwd=place, check=False)
    assert (
        refused.returncode == 2 and "sample.csv holds verdicts. Keep them: add --reviews sample.csv" in refused.stderr
    )

    few = curate("calibrate", "sample.csv", cwd=place, check=False)
    assert few.returncode == 2 and "15 reviewed pairs are too few" in few.stderr
    command = few.stderr.split("`")[1].split()  # as the message says
    assert command[:4] == ["curate", "sample", "--reason", "coupling"]
    done = curate(*command[1:], cwd=place)
    assert "curate calibrate more_coupling.csv sample.csv --reason coupling" in done.stdout
    second = fill_in(place / "more_coupling.csv", highest(place, "coupling", 12))
    assert len(second) == 25 and not set(first["pair_id"]) & set(second["pair_id"])
    done = curate("calibrate", "more_coupling.csv", "sample.csv", cwd=place)
    assert "coupling " in done.stdout and "40 reviews, 12 drop" in done.stdout


def test_one_reason_that_fails_does_not_hold_up_another(place):
    rows = []
    for reason, n in (("dark", 10), ("blur", 5)):
        curate("sample", "--reason", reason, "-q", cwd=place)
        rows.append(fill_in(place / "sample.csv", highest(place, reason, n)))
        (place / "sample.csv").unlink()
    rows[1]["verdict"] = "keep"
    others = pd.DataFrame({"pair_id": ["copy"], "reason": "exact_duplicate", "verdict": "keep"})
    pd.concat([*rows, others]).to_csv(place / "both.csv", index=False)
    (place / "thresholds.toml").write_text('[thresholds]\nbacklight = 0.7\ndark = "off"\n')
    done = curate("calibrate", "both.csv", cwd=place)
    assert "blur: all 40 reviewed pairs have the verdict keep" in done.stderr
    thresholds = read_thresholds(place / "thresholds.toml")
    assert set(thresholds) == {"backlight", "dark"} and thresholds["backlight"] == 0.7 and 0 < thresholds["dark"] < 1
    assert "off" in done.stdout
    alone = curate("calibrate", "both.csv", "--reason", "blur", cwd=place, check=False)
    assert alone.returncode == 2 and "all 40" in alone.stderr


def test_a_sample_lies_around_the_threshold_in_force(place):
    values = scores_of(place)["coupling"].sort_values(ascending=False)
    (place / "t.toml").write_text(f"[thresholds]\ncoupling = {values.iloc[19]}\n")
    around = curate("sample", "--reason", "coupling", "--n", 2, "--thresholds", "t.toml", cwd=place).stdout
    assert f"at or above the coupling threshold {values.iloc[19]:g}" in around
    picked = pd.read_csv(place / "sample.csv")["score"]
    assert values.iloc[39] <= picked.min() < values.iloc[19] <= picked.max()


def test_reviews_of_pairs_that_are_gone_are_named_and_left_out(place):
    curate("sample", "--reason", "backlight", cwd=place)
    table = fill_in(place / "sample.csv", highest(place, "backlight", 12))
    gone = pd.DataFrame({"pair_id": ["gone1", "gone2"], "reason": "backlight", "verdict": "drop"})
    pd.concat([table, gone]).to_csv(place / "sample.csv", index=False)
    done = curate("calibrate", "sample.csv", cwd=place)
    assert "2 reviewed pairs are not in this data set and are left out (gone1, gone2)" in done.stderr


@pytest.mark.parametrize(
    ("command", "text", "says"),
    [
        ("calibrate none.csv", None, "none.csv does not exist"),
        ("calibrate r.csv", "pair,reason,verdict\np00,blur,drop\n", "lacks the column pair_id"),
        ("calibrate r.csv", "pair_id,reason,verdict\np00,blur,no\n", 'r.csv, row 2: no verdict "no"'),
        ("calibrate r.csv", "pair_id,reason,verdict\np00,blurr,keep\n", 'the nearest is "blur"'),
        ("calibrate r.csv", "pair_id,reason,verdict\nx,blur,keep\n", "None of the 1 reviewed pairs (x)"),
        ("calibrate r.csv", "pair_id,reason,verdict\np00,blur,\n", "r.csv: no verdict yet"),
        ("calibrate r.csv", "pair_id,reason,verdict\np00,target_size,keep\n", "only for reasons without a score"),
        ("calibrate r.csv --reason bluer", "pair_id,reason,verdict\np00,blur,keep\n", 'the nearest is "blur"'),
        ("calibrate r.csv --precision 90", "pair_id,reason,verdict\np00,blur,keep\n", "--precision"),
        ("calibrate r.csv --out t.toml", "pair_id,reason,verdict\np00,blur,keep\n", "t.toml must hold one table"),
        ("calibrate r.csv --work fresh", "pair_id,reason,verdict\np00,blur,keep\n", "No data set yet in fresh"),
        ("sample --reason unreadable", None, "unreadable is not read off a score"),
        ("sample --reason blur --work fresh", None, "No data set yet in fresh. Name one with --data"),
        ("sample --reason blur --reviews none.csv", None, "none.csv does not exist"),
    ],
)
def test_what_a_user_can_mend_is_one_message(place, command, text, says):
    (place / "t.toml").write_text("blur = 1\n")
    if text:
        (place / "r.csv").write_text(text)
    done = curate(*command.split(), cwd=place, check=False)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr
    assert not (place / "thresholds.toml").exists() and not (place / "fresh").exists()


def test_photos_alone_have_no_label_scores(curated_photos, tmp_path):
    shutil.copytree(curated_photos.work.folder, tmp_path / ".curate")
    refused = curate("sample", "--reason", "label_error", cwd=tmp_path, check=False)
    assert refused.returncode == 2 and "No pair has a label_error score" in refused.stderr
    assert "40 of 63 pairs" in curate("sample", "--reason", "backlight", cwd=tmp_path).stdout
