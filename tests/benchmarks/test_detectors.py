"""The benchmark of all detectors: its figures on tables worked out by hand, and the whole run on a small set."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import types

import cv2
import numpy as np
import pandas as pd
import pytest
from command import ROOT

from benchmarks import against_truth, bars, cleanlab_rankings, oracle, roc, second_annotator
from benchmarks.auroc import auroc
from benchmarks.defects import IN_PLACE
from benchmarks.planting import COPIES, FILE_DEFECTS, plant
from curation import stages
from curation.engine.local import THREADS
from curation.workspace import write_table

TRUTH = pd.DataFrame(
    [
        ("a", "wrong_pair", ""),
        ("b", "wrong_pair", ""),
        ("c", "coupled_labels", ""),
        ("d", "backlit", ""),
        ("e", "dark", ""),
        ("copy_exact_000", "copy_exact", "o"),
        ("layout_twin_000", "layout_twin", "p"),
        ("f", "empty_image", ""),
    ],
    columns=["pair_id", "defect", "detail"],
)
#            label_error coupling backlight error
SCORES = {
    "a": (0.9, 0.0, 0.0, None),
    "b": (0.3, 0.0, 0.0, None),
    "c": (0.8, 0.9, 0.0, None),
    "d": (0.0, 0.0, 0.7, None),
    "e": (0.6, 0.0, 0.9, None),
    "copy_exact_000": (0.0, 0.0, 0.8, None),
    "layout_twin_000": (0.0, 0.0, 0.0, None),
    "f": (None, None, None, "empty file (0 bytes)"),
    "o": (0.0, 0.0, 0.8, None),
    "p": (0.0, 0.0, 0.6, None),
    "q": (0.5, 0.0, 0.1, None),
    "r": (0.1, 0.6, 0.5, None),
}


@pytest.fixture
def table():
    scores = pd.DataFrame.from_dict(SCORES, orient="index", columns=["label_error", "coupling", "backlight", "error"])
    scores = scores.rename_axis("pair_id").reset_index().astype({"label_error": float})
    return against_truth.marked(scores, TRUTH)


def test_originals_of_copies_are_neither_planted_nor_clean(table):
    assert table["defect"].to_dict() == dict(zip(TRUTH["pair_id"], TRUTH["defect"], strict=True)) | {
        "o": "original",
        "p": "original",
        "q": "clean",
        "r": "clean",
    }


def test_areas_are_against_the_clean_pairs_only(table):
    found = against_truth.areas(table, seed=1)
    assert list(found.index) == ["wrong_pair", "coupled_labels", "backlit"]  # dark, ... have no score in this table
    assert found.loc["wrong_pair", ["n", "auroc", "found"]].tolist() == [2, 0.75, 0.5]
    assert found.loc["coupled_labels", ["n", "auroc", "found"]].tolist() == [1, 1.0, 1.0]


def test_means_weigh_copies_alike_and_join_their_intervals():
    columns = ["score", "n", "auroc", "low", "high", "found"]
    one = pd.DataFrame([("label_error", 10, 0.90, 0.84, 0.93, 1.0)], ["wrong_pair"], columns)
    two = pd.DataFrame([("label_error", 30, 1.00, 0.92, 1.00, 0.5)], ["wrong_pair"], columns)
    mean = against_truth.mean_areas([one, two]).loc["wrong_pair"]
    assert mean["n"] == 40 and mean["found"] == pytest.approx(0.625)
    assert mean["auroc"] == pytest.approx(0.95)
    assert (mean["low"], mean["high"]) == pytest.approx((0.95 - 0.05, 0.95 + 0.015))


def test_what_a_flag_is_right_about_and_what_speaks_neither_way(table):
    nobody = pd.Series(dtype=str)
    assert against_truth.flagged(table, TRUTH, nobody).to_dict("index") == {
        "label_error": {"right": 1, "wrong": 2, "open": 1},  # a; e and q; c
        "coupling": {"right": 1, "wrong": 1, "open": 0},  # c; r
        "backlight": {"right": 1, "wrong": 5, "open": 0},  # d; e, copy_exact_000, o, p, r
    }
    by_eye = pd.Series({"o": "backlit", "p": "borderline", "e": "backlit", "r": "borderline"})
    judged = against_truth.flagged(table, TRUTH, by_eye).loc["backlight"]
    assert judged.to_dict() == {"right": 3, "wrong": 0, "open": 3}  # d, o and its copy; p, r, and e which is dark now


def test_photos_not_judged_backlit_are_counted_among_those_as_they_were(table):
    assert against_truth.rejected_not_backlit(table, pd.Series({"o": "backlit", "p": "borderline"})) == (2, 3)


def test_damaged_files_and_copies_are_counted_as_caught(table):
    duplicates = pd.DataFrame({"first": ["copy_exact_000"], "second": ["o"], "relation": "exact", "similarity": 1.0})
    groups = pd.DataFrame({"pair_id": ["layout_twin_000", "p"], "equivalence_class": ["p", "x"]})
    found = against_truth.caught(table, TRUTH, duplicates, groups)
    assert found.to_dict("index") == {
        "empty_image": {"size": 1, "sum": 1},
        "copy_exact": {"size": 1, "sum": 1},
        "layout_twin": {"size": 1, "sum": 0},
    }


def test_every_planted_defect_has_a_score_and_every_bar_a_defect():
    assert against_truth.SCORE_OF.keys() == IN_PLACE.keys() and bars.AUROC.keys() < IN_PLACE.keys()


def test_bars_of_label_defects_lie_lower_on_other_sets_and_no_others_do():
    assert bars.auroc_bar("mirrored_label", "stanford8") == 0.955
    assert bars.auroc_bar("mirrored_label", "landscape29") == 0.925
    assert bars.auroc_bar("backlit", "landscape29") == 0.985
    assert bars.auroc_bar("monochrome", "stanford8") is None


def test_a_bar_is_met_by_its_own_value_and_missed_ones_are_remembered():
    verdicts = bars.Verdicts()
    assert verdicts.at_least("x", 0.955, 0.955) == ">= 0.955 met"
    assert verdicts.at_most("share", 0.021, 0.02) == "<= 0.02 MISSED"
    assert verdicts.above("y", 1.0, 1.0) == "> 1.0000 met" and verdicts.above("z", 0.9, 0.9) == "> 0.9000 MISSED"
    assert verdicts.asked == 4 and verdicts.missed == ["share 0.0210, bar <= 0.02", "z 0.9000, bar > 0.9000"]


# ROC


def test_the_curve_steps_at_each_score_and_encloses_the_area():
    alarms, found = roc.curve(np.array([3.0, 2.0]), np.array([1.0, 2.0, 0.0, 0.0]))
    assert alarms.tolist() == [0, 0, 0.25, 0.5, 1] and found.tolist() == [0, 0.5, 1, 1, 1]
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(3, 9, 50) / 9, rng.integers(0, 7, 80) / 9
    alarms, found = roc.curve(positive, negative)
    area = (np.diff(alarms) * (found[1:] + found[:-1]) / 2).sum()
    assert area == pytest.approx(auroc(positive, negative, 0)[0])


def test_the_picture_shows_each_curve_in_its_own_colour():
    steps = {f"defect {k}": np.array([0, (k + 1) / 10, (k + 1) / 10, 1]) for k in range(8)}
    curves = {name: (alarms, np.array([0, 0, 1, 1])) for name, alarms in steps.items()}
    pixels = np.asarray(roc.draw(curves))
    for colour in roc.COLOURS:
        assert (np.abs(pixels.astype(int) - colour).sum(2) < 30).sum() > 150
    fewer = np.asarray(roc.draw(dict(list(curves.items())[:2])))
    assert fewer.shape[1] == pixels.shape[1] and fewer.shape[0] < pixels.shape[0]
    assert not (np.abs(fewer.astype(int) - roc.COLOURS[3]).sum(2) < 30).any()


# Beside cleanlab


def test_cleanlab_gets_probabilities_and_labels_and_unknown_cells_speak_for_nothing(monkeypatch):
    seen = {}

    def score(labels, probabilities, *, method, n_jobs, verbose):
        seen[method] = labels, probabilities
        given = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
        return given.mean((1, 2)), given

    rank = types.ModuleType("cleanlab.segmentation.rank")
    rank.get_label_quality_scores = score
    for name in ("cleanlab", "cleanlab.segmentation"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, rank.__name__, rank)
    p = np.array([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]], np.float32)  # one row of two cells, three classes
    fits = np.array([[[0.9, 0.1, 0.0], [0.0, 0.0, 0.0]]], np.float32)  # the second cell is unknown
    errs = np.array([[[0.0, 0.4, 0.6], [0.0, 1.0, 0.0]]], np.float32)
    found = cleanlab_rankings.rankings([("fits", np.log(p), fits), ("errs", np.log(2 * p), errs)])
    labels, probabilities = seen["softmin"]
    assert labels.tolist() == [[[0, 2]], [[2, 1]]]
    assert probabilities.shape == (2, 3, 1, 2) and probabilities.sum(1) == pytest.approx(1)
    assert list(found.columns) == ["softmin", "num_pixel_issues"]
    assert found.loc["fits", "softmin"] == pytest.approx(1 - 0.65) and found.loc["errs", "softmin"] == pytest.approx(
        0.8
    )


def test_without_cleanlab_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.segmentation.rank", None)
    with pytest.raises(SystemExit, match="pip install cleanlab"):
        cleanlab_rankings.load()


# A second annotator


@pytest.fixture
def drawn_twice(clean_set, tmp_path):
    """An indexed data set, and second label maps of three pairs: the same, the sky's top fifth called land, all unknown."""
    work = stages.index(stages.Run(quiet=True), tmp_path / "work", clean_set)
    second = tmp_path / "second"
    second.mkdir()
    names = [p.pair_id for p in stages.read_pairs(work)][:3]
    shares = []
    for k, name in enumerate(names):
        ids = cv2.imread(str(clean_set / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        sky = ids == work.space.id_of("sky")
        if k == 1:
            sky[len(ids) // 5 :] = False
            ids[sky] = work.space.id_of("land")
        if k == 2:
            ids[:] = 255
        shares.append(sky.mean() if k == 1 else 0)
        ids = cv2.resize(ids, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(second / f"{name}.png"), ids)
    return work, second, dict(zip(names, shares, strict=True))


def test_the_share_of_the_picture_that_one_of_two_people_calls_sky(drawn_twice):
    work, second, shares = drawn_twice
    found = second_annotator.sky_between(work, second)
    assert found.to_dict() == pytest.approx(shares) and found.iloc[1] > 0.01


def test_the_evidence_of_the_sky_is_read_by_class_id(drawn_twice):
    work = drawn_twice[0]
    sky, land = work.space.id_of("sky"), work.space.id_of("land")
    rows = [("0000", sky, 0.5, 0.4, 0.25), ("0000", land, 0.5, 0.6, 0.75), ("0001", land, 1.0, 1.0, 0.0)]
    columns = ["pair_id", "class_id", "given_share", "evidence_share", "disagree_share"]
    write_table(work.label_evidence, pd.DataFrame(rows, columns=columns), "")
    assert second_annotator.sky_by_evidence(work).to_dict() == {"0000": 0.25}


def test_second_label_maps_that_fit_no_pair_are_refused(drawn_twice, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="named after a pair"):
        second_annotator.sky_between(drawn_twice[0], tmp_path / "none")


# The whole run


def detectors(*arguments: object, cwd) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.detectors", "--workers", "1", *map(str, arguments)]
    alone = os.environ | dict.fromkeys(THREADS, "1")  # threads that wait for each other beside other tests take minutes
    return subprocess.run(command, cwd=cwd, env=alone, capture_output=True, text=True)


def test_a_run_prints_every_defect_and_its_exit_status_says_whether_all_bars_are_met(clean_set, tmp_path):
    done = detectors(
        "--data", clean_set, "--seeds", 2, "--roc", tmp_path / "roc.png", "--keep", tmp_path / "kept", cwd=ROOT
    )
    printed = done.stdout
    assert all(f"\n  {kind} " in printed for kind in (*IN_PLACE, *FILE_DEFECTS, *COPIES)), done.stderr
    missed = re.findall(r"(\S+) +.* MISSED", printed)
    assert done.returncode == bool(missed) and all(name in done.stderr for name in missed if name in IN_PLACE)
    assert ("all" in printed.splitlines()[-1]) == (not missed)
    for kind in FILE_DEFECTS:
        assert re.search(rf"{kind} +2 +1\.00", printed)
    assert "nobody judged these by eye" in printed
    assert cv2.imread(str(tmp_path / "roc.png")).shape[1] > 600
    assert {p.name for p in (tmp_path / "kept").iterdir()} == {"seed7", "seed8"}


def test_a_copy_with_its_truth_is_taken_as_it_is(clean_set, tmp_path):
    plant(clean_set, tmp_path / "mine", seed=3, quiet=True)
    shutil.copy(tmp_path / "mine/truth.csv", tmp_path / "before.csv")
    done = detectors("--data", tmp_path / "mine", cwd=ROOT)
    assert "one copy, copy1-mine" in done.stdout, done.stderr
    assert (tmp_path / "mine/truth.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()


def test_the_oracle_judges_every_pair_of_the_copy_by_the_judge_of_the_unplanted_set(clean_set, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    planted = tmp_path / "copy"
    truth = plant(clean_set, planted, seed=6, quiet=True)
    works = [stages.index(run, tmp_path / name, data) for name, data in (("a", clean_set), ("b", planted))]
    tables = [stages.score(run, work, "plain").set_index("pair_id") for work in works]
    before = {work.folder: oracle.judge_file(work).read_bytes() for work in works}
    found = oracle.scores(run, *works, tmp_path / "oracle")
    assert set(found.index) == set(tables[1].index[tables[1]["error"].isna()])
    same = found.index.intersection(tables[1].index)
    assert (found[same] != tables[1].loc[same, "label_error"]).mean() > 0.5  # another judge
    wrong = truth.loc[truth["defect"].isin(["wrong_pair", "rotated_label", "blank_label"]), "pair_id"]
    clean = found.index.difference(truth["pair_id"])
    assert auroc(found[wrong], found[clean], 0)[0] > 0.8
    assert before == {work.folder: oracle.judge_file(work).read_bytes() for work in works}


def test_the_oracle_refuses_other_classes_and_a_work_directory_without_a_judge(clean_set, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    one = stages.index(run, tmp_path / "a", clean_set)
    with pytest.raises(ValueError, match="holds 0 fitted judges"):
        oracle.judge_file(one)
    other = stages.index(run, tmp_path / "b", clean_set, "ade20k150")
    with pytest.raises(ValueError, match="other classes"):
        oracle.scores(run, one, other, tmp_path / "c")


def test_two_sets_that_are_not_planted_are_refused(clean_set, tmp_path):
    done = detectors("--data", clean_set, "--data", clean_set, cwd=ROOT)
    assert done.returncode == 1 and "Give one --data to plant defects in" in done.stderr
    done = detectors("--data", clean_set, "--second", tmp_path / "nowhere", cwd=ROOT)
    assert done.returncode == 1 and "is no folder" in done.stderr
