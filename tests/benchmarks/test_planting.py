"""Planted defects: what each changes, and the copy that carries them with its truth."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from benchmarks import defects, planting
from benchmarks.defects import ALTERED_COPIES, IN_PLACE, Scene
from curation import stages
from curation.label_space import UNKNOWN

SKY, TREE, ROAD = 0, 1, 2


def a_scene(ids: np.ndarray, other: np.ndarray | None = None) -> Scene:
    grey = np.random.default_rng(0).integers(60, 200, (*ids.shape, 3)).astype(np.uint8)
    names = ("sky", "tree", "road")
    return Scene(ids, (SKY, TREE, ROAD), names, (SKY,), lambda: grey, lambda rng: ids if other is None else other)


def halves(height: int = 50, width: int = 100) -> np.ndarray:
    """Sky over road, with a tree in the left third of the road."""
    ids = np.full((height, width), SKY, np.uint8)
    ids[height // 2 :] = ROAD
    ids[height // 2 :, : width // 3] = TREE
    return ids


def planted(kind: str, ids: np.ndarray, seed: int = 1, **options) -> defects.Change:
    return IN_PLACE[kind](a_scene(ids, **options), np.random.default_rng(seed))


def test_whole_maps_are_mirrored_turned_moved_and_exchanged():
    ids = halves()
    assert (planted("mirrored_label", ids).ids == ids[:, ::-1]).all()
    assert (planted("rotated_label", ids).ids == ids[::-1, ::-1]).all()
    moved = planted("shifted_label", ids)
    right, down = map(int, moved.detail.split(","))
    assert (abs(right), abs(down)) == (8, 4)
    rows, columns = np.clip(np.arange(50) - down, 0, 49), np.clip(np.arange(100) - right, 0, 99)
    assert (moved.ids == ids[np.ix_(rows, columns)]).all()
    other = np.full((25, 50), TREE, np.uint8)
    assert (planted("wrong_pair", ids, other=other).ids == np.full((50, 100), TREE)).all()


def test_shifts_go_in_all_four_directions():
    found = {planted("shifted_label", halves(), seed).detail for seed in range(40)}
    assert found == {"8,4", "8,-4", "-8,4", "-8,-4"}


def test_a_swapped_class_is_exchanged_everywhere_and_only_it():
    ids = halves()
    for seed in range(10):
        change = planted("class_swapped", ids, seed)
        right, wrong = (("sky", "tree", "road").index(name) for name in change.detail.split(" -> "))
        assert right != wrong and (change.ids == np.where(ids == right, wrong, ids)).all()


def test_a_wrong_patch_covers_6_to_15_percent_in_about_one_piece():
    ids = np.full((100, 150), SKY, np.uint8)
    shares = []
    for seed in range(30):
        change = planted("wrong_patch", ids, seed)
        changed = change.ids != ids
        shares.append(changed.mean())
        assert change.detail in ("tree", "road") and len(np.unique(change.ids[changed])) == 1
        count, labels = cv2.connectedComponents(changed.astype(np.uint8))
        assert max(np.bincount(labels[changed])) > 0.9 * changed.sum() and count < 5
    assert 0.04 < min(shares) < 0.09 and 0.11 < max(shares) < 0.20


def test_coupled_labels_interleave_two_large_classes_and_leave_the_third():
    ids = halves()
    change = planted("coupled_labels", ids, seed=3)
    names = change.detail.split(" / ")
    pair = [("sky", "tree", "road").index(name) for name in names]
    inside = np.isin(ids, pair)
    assert (
        len(set(pair)) == 2 and (change.ids[~inside] == ids[~inside]).all() and np.isin(change.ids[inside], pair).all()
    )
    assert 0.35 < (change.ids[inside] == pair[0]).mean() < 0.65

    def borders(m: np.ndarray) -> float:
        return float((m[:, 1:] != m[:, :-1]).mean())

    assert borders(change.ids) > 5 * borders(ids)


def test_a_blank_map_is_one_of_the_classes_that_it_had():
    ids = halves()
    ids[0, 0] = UNKNOWN
    change = planted("blank_label", ids)
    assert len(np.unique(change.ids)) == 1 and change.ids[0, 0] in (SKY, TREE, ROAD)


@pytest.mark.parametrize("kind", ["mirrored_label", "wrong_pair", "class_swapped", "coupled_labels", "backlit"])
def test_a_scene_that_does_not_suit_is_refused(kind):
    ids = np.full((40, 40), UNKNOWN if kind == "class_swapped" else SKY, np.uint8)
    assert planted(kind, ids) is None


def test_photo_defects_leave_the_label_map_and_change_the_light_as_they_say():
    ids = halves()
    before = a_scene(ids).photo().astype(float)
    after = {kind: planted(kind, ids) for kind in ("backlit", "dark", "overexposed", "blurred", "monochrome")}
    assert all(change.ids is None for change in after.values())
    photo = {kind: change.photo.astype(float) for kind, change in after.items()}
    sky, ground = photo["backlit"][:20], photo["backlit"][30:]
    assert sky.mean() > before[:20].mean() and ground.mean() < 0.5 * before[30:].mean()
    assert photo["dark"].mean() < 0.2 * before.mean()
    assert (photo["overexposed"] == 255).mean() > 0.5
    assert photo["blurred"].std() < 0.6 * before.std() and abs(photo["blurred"].mean() - before.mean()) < 2
    assert np.ptp(photo["monochrome"], axis=2).max() == 0


def test_copies_keep_the_pair_together():
    ids, photo = halves(), a_scene(halves()).photo()
    made = {kind: copy(photo, ids, np.random.default_rng(1)) for kind, copy in ALTERED_COPIES.items()}
    assert made["copy_reencoded"][2] < defects.QUALITY
    assert made["copy_resized"][0].shape == (25, 50, 3) and made["copy_resized"][1].shape == (25, 50)
    assert (made["copy_mirrored"][0][:, ::-1] == photo).all() and (made["copy_mirrored"][1][:, ::-1] == ids).all()
    twin_photo, twin_ids, _ = made["layout_twin"]
    assert (twin_ids == ids).mean() > 0.97
    assert np.abs(twin_photo.astype(float) - photo).mean() > 25


# The copy


@pytest.fixture(scope="module")
def copy(clean_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "copy"
    planting.plant(clean_set, folder, seed=4, fraction=0.5, quiet=True)
    return folder


def values_of(folder, room, name):
    return cv2.imread(str(next((folder / room).glob(f"{name}.*"))), cv2.IMREAD_UNCHANGED)


def test_kinds_come_in_equal_numbers_and_all_else_is_as_it_was(clean_set, copy):
    truth = planting.read_truth(copy).set_index("pair_id")["defect"]
    count = truth.value_counts()
    in_place = count.reindex(list(IN_PLACE)).fillna(0)
    assert in_place.sum() == 36 and set(in_place) == {2, 3}
    assert (count.reindex([*planting.FILE_DEFECTS, *planting.COPIES]) == 1).all()
    names = [p.stem for p in sorted((clean_set / "images").iterdir())]
    for name in names:
        same_photo = (copy / "images" / f"{name}.jpg").read_bytes() == (
            clean_set / "images" / f"{name}.jpg"
        ).read_bytes()
        after, before = values_of(copy, "labels", name), values_of(clean_set, "labels", name)
        same_label = after.shape == before.shape and bool((after == before).all())
        kind = truth.get(name, "clean")
        on_photo = kind in ("backlit", "dark", "overexposed", "blurred", "monochrome", "truncated_image", "empty_image")
        assert (same_photo, same_label) == (not on_photo, kind == "clean" or on_photo), (name, kind)
        assert after.dtype == np.uint16


def test_the_copy_is_read_as_its_truth_says(copy, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", copy)
    pairs, truth = stages.read_pairs(work), planting.read_truth(copy)
    assert len(pairs) == 72 + len(planting.COPIES) and set(truth["pair_id"]) <= {p.pair_id for p in pairs}
    table = stages.score(run, work, "none").set_index("pair_id")
    damaged = truth.loc[truth["defect"].isin(planting.FILE_DEFECTS), "pair_id"]
    assert set(table.index[table["error"].notna()]) == set(damaged)
    originals = truth.loc[truth["defect"].isin(planting.COPIES), "detail"]
    assert originals.is_unique and not originals.isin(truth["pair_id"]).any()


def test_the_same_seed_plants_the_same_and_another_does_not(clean_set, copy, tmp_path):
    again = planting.plant(clean_set, tmp_path / "again", seed=4, fraction=0.5, quiet=True)
    pd.testing.assert_frame_equal(again, planting.read_truth(copy))
    for room in ("images", "labels"):
        for file in (copy / room).iterdir():
            assert (tmp_path / "again" / room / file.name).read_bytes() == file.read_bytes()
    other = planting.plant(clean_set, tmp_path / "other", seed=5, fraction=0.5, quiet=True)
    assert set(other["pair_id"]) != set(again["pair_id"])


def test_a_finished_copy_is_taken_as_it_is_and_nothing_else_is(clean_set, copy, tmp_path):
    before = (copy / "truth.csv").stat().st_mtime_ns
    table = planting.plant(clean_set, copy, seed=4, fraction=0.5, quiet=True)
    assert (copy / "truth.csv").stat().st_mtime_ns == before and len(table) == len(planting.read_truth(copy))
    with pytest.raises(ValueError, match="planted otherwise"):
        planting.plant(clean_set, copy, seed=5, fraction=0.5, quiet=True)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ValueError, match="not empty"):
        planting.plant(clean_set, tmp_path, seed=5, quiet=True)
    with pytest.raises(ValueError, match="fraction"):
        planting.plant(clean_set, tmp_path / "x", seed=5, fraction=0, quiet=True)


@pytest.fixture
def strange_set(clean_set, tmp_path):
    """40 of the clean pairs in folders of their own names: ids 300, 310, ..., unknown 999, no class of the sky."""
    data = tmp_path / "strange"
    for room in ("photos", "masks"):
        (data / room).mkdir(parents=True)
    names = json.loads((clean_set / "classes.json").read_text())
    for k in range(40):
        ids = values_of(clean_set, "labels", f"{k:04d}").astype(np.uint16) * 10 + 300
        ids[:4] = 999
        cv2.imwrite(str(data / "masks" / f"{k}.png"), ids)
        shutil.copy(clean_set / "images" / f"{k:04d}.jpg", data / "photos" / f"{k}.jpg")
    (data / "photos" / "39.jpg").write_bytes(b"damaged")
    classes = "".join(f'{300 + 10 * int(k)} = "kind {k}"\n' for k in names)
    (data / "label_space.toml").write_text(
        f'name = "strange"\nunknown = [999]\n[classes]\n{classes}[roles]\nsky = []\n'
    )
    return data


def test_any_label_space_is_planted_in_with_ids_above_255_and_unknown(strange_set, tmp_path):
    truth = planting.plant(strange_set, tmp_path / "copy", seed=2, fraction=0.5, quiet=True)
    assert "backlit" not in set(truth["defect"])  # there is no sky
    assert "39" not in {p.stem for p in (tmp_path / "copy/images").iterdir()}  # what cannot be read is no clean pair
    work = stages.index(stages.Run(quiet=True), tmp_path / "work", tmp_path / "copy")
    assert work.space.name == "strange" and work.space.ids[:2] == (300, 310) and work.space.unknown_ids == (999,)
    kind = truth.set_index("pair_id")["defect"]
    for name in kind.index[kind == "class_swapped"]:
        after, before = values_of(tmp_path / "copy", "labels", name), values_of(strange_set, "masks", name)
        assert after.dtype == np.uint16 and (after[:4] == 999).all() and (after[4:] != before[4:]).mean() >= 0.05
    for name in kind.index[kind == "id_out_of_range"]:
        strange = values_of(tmp_path / "copy", "labels", name)[:5, :5]
        assert len(np.unique(strange)) == 1 and strange[0, 0] not in {*work.space.ids, 999}


def test_too_few_pairs_are_refused(clean_set, tmp_path):
    for room in ("images", "labels"):
        (tmp_path / "few" / room).mkdir(parents=True)
        for file in sorted((clean_set / room).iterdir())[:20]:
            shutil.copy(file, tmp_path / "few" / room)
    with pytest.raises(ValueError, match="20 readable pairs; 30 are needed"):
        planting.plant(tmp_path / "few", tmp_path / "copy", seed=1, quiet=True)
