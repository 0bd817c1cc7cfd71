"""On real photos and label maps: skipped where there are none."""

import subprocess
import sys

import pandas as pd
import pytest
from command import curate

# The same photo stands in Stanford Background twice, six times over.
NATURAL_COPIES = {
    ("1000288", "9000288"),
    ("1000875", "9000875"),
    ("1001184", "9001184"),
    ("6000068", "6000318"),
    ("6000117", "6000324"),
    ("6000257", "6000348"),
}
FILE_DEFECTS = ["truncated_image", "empty_image", "label_other_size", "id_out_of_range"]


@pytest.fixture(scope="module")
def stanford(real_data, tmp_path_factory):
    """A directory in which the real Stanford set was built at level 2."""
    folder = tmp_path_factory.mktemp("stanford")
    curate("build-selection", "--level", 2, "--data", real_data / "stanford_background", cwd=folder)
    return folder


def test_the_natural_copies_in_stanford_are_all_that_is_found(stanford):
    found = pd.read_parquet(stanford / ".curate/duplicates.parquet")
    assert set(zip(found["first"], found["second"], strict=True)) == NATURAL_COPIES


def test_most_of_stanford_is_kept_and_every_drop_has_a_reason(stanford):
    dropped = pd.read_csv(stanford / "data_manifests/selection2.rejected.csv", dtype=str)
    kept = pd.read_csv(stanford / "data_manifests/selection2.csv", dtype=str)
    assert len(kept) + len(dropped) == 715 and len(dropped) < 70
    assert set(dropped["reason"]) <= {
        "exact_duplicate",
        "near_duplicate",
        "label_error",
        "coupling",
        "backlight",
        "equivalence_class",
    }


def test_the_contest_maps_give_manifests_with_bounded_classes(real_data, tmp_path):
    curate("build-selection", "--level", 2, "--data", real_data / "contest_labels", cwd=tmp_path)
    kept = pd.read_csv(tmp_path / "data_manifests/selection2.csv", dtype=str)
    assert kept["equivalence_class"].value_counts().max() <= 3
    groups = pd.read_parquet(tmp_path / ".curate/groups.parquet")
    assert len(groups) == 1000 and groups["similarity"].min() >= 0.92


@pytest.mark.parametrize("seed", [101, 102])
def test_planted_file_defects_and_copies_are_caught_and_no_clean_pair_is(real_data, planter, tmp_path, seed):
    planted = tmp_path / "planted"
    subprocess.run(
        [sys.executable, planter, real_data / "stanford_background", planted, "--seed", str(seed)], check=True
    )
    curate("score", "--judge", "none", "--data", planted, cwd=tmp_path)
    curate("group", cwd=tmp_path)
    truth = pd.read_csv(planted / "truth.csv", dtype=str)
    scores = pd.read_parquet(tmp_path / ".curate/scores.parquet").set_index("pair_id")
    unreadable = set(scores.index[scores["error"].notna()])
    assert unreadable == set(truth.loc[truth["defect"].isin(FILE_DEFECTS), "pair_id"])
    copies = truth[truth["defect"].str.startswith("copy_")]
    wanted = {tuple(sorted(c)) for c in zip(copies["pair_id"], copies["detail"], strict=True)}
    found = pd.read_parquet(tmp_path / ".curate/duplicates.parquet")
    found = set(zip(found["first"], found["second"], strict=True))
    assert wanted <= found
    originals = dict(zip(copies["pair_id"], copies["detail"], strict=True))
    for couple in found - wanted:  # a natural copy, or two copies of one original, or of two natural copies
        a, b = sorted(originals.get(p, p) for p in couple)
        assert a == b or (a, b) in NATURAL_COPIES


def test_backlit_photos_stand_out_from_ordinary_ones_without_label_maps(real_data, stanford, tmp_path):
    curate("score", "--data", real_data / "backlit_dev/images", "--csv", cwd=tmp_path)
    scene = pd.read_csv(real_data / "backlit_dev/index.csv").set_index("file")["scene"]
    backlit = pd.read_csv(tmp_path / ".curate/scores.csv").set_index("pair_id")["backlight"]
    outdoor = backlit[[s.startswith("outdoor") for s in scene.rename(lambda f: f.rpartition(".")[0])[backlit.index]]]
    curate("score", "--data", real_data / "stanford_background/images", "--work", "s", "--csv", cwd=tmp_path)
    ordinary = pd.read_csv(tmp_path / "s/scores.csv")["backlight"]
    from sklearn.metrics import roc_auc_score

    truth = [1] * len(outdoor) + [0] * len(ordinary)
    assert roc_auc_score(truth, [*outdoor, *ordinary]) > 0.94
    assert (ordinary >= 0.5).mean() < 0.05
