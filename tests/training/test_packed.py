"""Packing a manifest: what lies in the arrays, what is skipped and said, what is refused, and what a kill leaves."""

import csv
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from command import ROOT, curate
from PIL import Image

from curation.label_space import ids_as_found
from curation.label_space_files import from_classes_json, load_builtin
from curation.manifest import COLUMNS
from training import packed as module
from training.packed import DataError, pack

LANDSCAPE = load_builtin("landscape29")
SIZE = (32, 24)


def picture(i, width=64, height=48):
    """(photo, ids) that differ from pair to pair."""
    random = np.random.default_rng(i)
    photo = random.integers(0, 256, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return photo, random.integers(0, 29, (height // 8, width // 8)).astype(np.uint8).repeat(8, 0).repeat(8, 1)


def bicubic(photo, size=SIZE):
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


class Data:
    """A small data set and its manifest, written as `curate build-selection` writes it."""

    def __init__(self, folder, count=12):
        self.folder, self.manifest, self.cache = folder / "data", folder / "m/set.csv", folder / "cache"
        for name in ("data/images", "data/labels", "m"):
            (folder / name).mkdir(parents=True)
        for i in range(count):
            photo, ids = picture(i)
            Image.fromarray(photo).save(self.folder / f"images/p{i}.png")
            Image.fromarray(ids).save(self.folder / f"labels/p{i}.png")
        self.names = [f"p{i}" for i in range(count)]
        self.rows = [self.row(name) for name in self.names]
        self.recipe = {"data": "../data", "label_space": LANDSCAPE.to_dict()}
        self.said = []

    def row(self, name, weight="1"):
        files = [f"images/{name}.png", f"labels/{name}.png"]
        sums = [hashlib.sha256((self.folder / f).read_bytes()).hexdigest() for f in files]
        values = [name, *(f"../data/{f}" for f in files), "64", "48", *sums, name, weight, "rule"]
        return dict(zip(COLUMNS, values, strict=True))

    def write(self):
        with open(self.manifest, "w", newline="") as file:
            out = csv.DictWriter(file, COLUMNS)
            out.writeheader()
            out.writerows(self.rows)
        self.manifest.with_suffix(".json").write_text(json.dumps(self.recipe))

    def pack(self, size=SIZE, **options):
        self.write()
        self.said = []
        options = {"cache": self.cache, "quiet": True, **options}
        return pack(self.manifest, size, on_skip=self.said.append, **options)

    def refused(self, **options):
        with pytest.raises(DataError) as caught:
            self.pack(**options)
        return str(caught.value)

    def left(self):
        """Everything in the cache but lock files."""
        return sorted(p.name for p in self.cache.iterdir() if not p.name.endswith(".lock"))


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# --- what lies in the arrays --------------------------------------------------------------


def test_the_arrays_hold_the_pairs_in_the_order_of_the_manifest(data):
    data.rows.reverse()
    found = data.pack()
    assert found.pair_ids == tuple(reversed(data.names)) and len(found) == 12
    assert (found.photos.shape, found.ids.shape) == ((12, 24, 32, 3), (12, 24, 32))
    assert found.photos.dtype == found.ids.dtype == np.uint8 and found.size == SIZE
    for name, photo, ids in zip(found.pair_ids, found.photos, found.ids, strict=True):
        expected, expected_ids = picture(int(name[1:]))
        assert np.array_equal(photo, bicubic(expected))
        assert np.array_equal(ids, expected_ids[1::2, 1::2])
    assert np.array_equal(found.weights, np.ones(12)) and found.skipped == () and data.said == []
    assert found.classes.names == LANDSCAPE.names
    assert found.manifest_sha256 == hashlib.sha256(data.manifest.read_bytes()).hexdigest()


def test_the_arrays_are_mapped_read_only_and_open_with_numpy_alone(data):
    found = data.pack()
    assert isinstance(found.photos, np.memmap) and isinstance(found.ids, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found.photos[0, 0, 0, 0] = 1
    assert found.folder == data.cache / found.key
    assert np.array_equal(np.load(found.folder / "photos.npy"), found.photos)


def test_the_bytes_do_not_depend_on_the_number_of_workers(data):
    (data.folder / "images/p3.png").write_bytes(b"")
    one, several = (data.pack(workers=n, cache=data.cache / str(n)) for n in (1, 5))
    assert one.key == several.key and contents(one.folder) == contents(several.folder)
    assert set(contents(one.folder)) == {"photos.npy", "ids.npy", "about.json"}


def test_unusual_files(data):
    """Odd sizes, transparency, 16 bits, EXIF orientation: all are what curation reads, resized."""
    folder, (photo, ids) = data.folder, picture(100, 72, 40)
    tag = Image.Exif()
    tag[0x0112] = 6
    wide = np.linspace(0, 65535, 41 * 57).astype(np.uint16).reshape(41, 57)
    Image.fromarray(photo[:39, :71]).save(folder / "images/p0.png")
    Image.fromarray(ids[:39, :71].astype(np.uint16)).save(folder / "labels/p0.png")
    Image.fromarray(photo).convert("RGBA").save(folder / "images/p1.png")
    Image.fromarray(ids).convert("RGBA").save(folder / "labels/p1.png")
    Image.fromarray(wide).save(folder / "images/p2.png")
    for kind, pixels in (("images", photo), ("labels", ids)):
        Image.fromarray(pixels).save(folder / kind / "p3.png", exif=tag)
    data.rows = [data.row(f"p{i}") for i in range(4)]
    found = data.pack()
    assert np.array_equal(found.photos[0], bicubic(photo[:39, :71]))
    nearest = Image.fromarray(ids[:39, :71]).resize(SIZE, Image.Resampling.NEAREST)
    assert np.array_equal(found.ids[0], nearest)
    assert np.array_equal(found.photos[1], bicubic(photo))
    assert found.photos[2].min() <= 2 and found.photos[2].max() >= 253 and np.ptp(found.photos[2], axis=2).max() == 0
    assert np.array_equal(found.photos[3], bicubic(np.ascontiguousarray(np.rot90(photo, -1))))
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(ids, -1))).resize(SIZE, Image.Resampling.NEAREST)
    assert np.array_equal(found.ids[3], turned)


def test_merged_classes_and_unknown_pixels(data, tmp_path):
    data.recipe["merges"] = [["mountain", *LANDSCAPE.names[20:]]]
    found = data.pack()
    ids = np.stack([picture(i)[1][1::2, 1::2] for i in range(12)])
    assert found.classes.channels == 20 and np.array_equal(found.ids, np.where(ids >= 20, 0, ids))
    space = load_builtin("stanford8")
    data.recipe = {"data": "../data", "label_space": space.to_dict()}
    for name in data.names:
        at = data.folder / f"labels/{name}.png"
        raw = np.asarray(Image.open(at)) % 9
        Image.fromarray(np.where(raw == 8, space.unknown_ids[0], raw).astype(np.uint8)).save(at)
    data.rows = [data.row(name) for name in data.names]
    assert np.array_equal(data.pack().ids, ids % 9)


def test_without_a_class_list_channels_are_what_occurs(data):
    data.recipe["label_space"] = ids_as_found().to_dict()
    for name in data.names:
        at = data.folder / f"labels/{name}.png"
        Image.fromarray(np.where(np.asarray(Image.open(at)) > 14, 200, 7).astype(np.uint8)).save(at)
    data.rows = [data.row(name) for name in data.names]
    found = data.pack()
    assert found.classes.names == ("class 7", "class 200") and found.classes.channels == 2
    assert np.array_equal(found.ids[0], picture(0)[1][1::2, 1::2] > 14)
    assert data.pack().reused and data.pack().classes == found.classes


def test_weights_come_from_the_manifest_at_hand(data):
    data.pack()
    for row, weight in zip(data.rows, ["2", "", "0.5", "0"], strict=False):
        row["weight"] = weight
    found = data.pack()
    assert found.reused and found.weights.dtype == np.float64
    assert found.weights.tolist() == [2, 1, 0.5, 0, *[1] * 8]


# --- pairs that are left out -----------------------------------------------------------------


def test_bad_pairs_are_skipped_each_with_its_fault(data):
    (data.folder / "images/p1.png").unlink()
    Image.fromarray(picture(50)[0]).save(data.folder / "images/p4.png")
    (data.folder / "labels/p7.png").write_bytes((data.folder / "labels/p7.png").read_bytes()[:-30])
    found = data.pack()
    assert found.pair_ids == tuple(n for n in data.names if n not in ("p1", "p4", "p7"))
    assert found.photos.shape[0] == found.ids.shape[0] == len(found.weights) == 9
    assert np.array_equal(found.photos[1], bicubic(picture(2)[0]))
    assert found.skipped == (
        "p1: photo: file does not exist: ../data/images/p1.png",
        "p4: photo changed since the manifest was written: ../data/images/p4.png",
        "p7: label map: truncated image: ../data/labels/p7.png",
    )
    assert data.said == [f"{fault}; run `curate build-selection` again" for fault in found.skipped]


def test_a_label_map_that_changed_or_leaves_the_label_space(data):
    ids = picture(0)[1].copy()
    Image.fromarray(ids[::-1].copy()).save(data.folder / "labels/p0.png")
    ids[0, 0] = 77
    Image.fromarray(ids).save(data.folder / "labels/p1.png")
    data.rows[1] = data.row("p1")
    changed, outside = data.pack().skipped
    assert changed == "p0: label map changed since the manifest was written: ../data/labels/p0.png"
    assert outside.startswith("p1: label map: class id 77 not in landscape29 (1 pixels; allowed 0-28)")


def test_no_file_outside_the_data_set_is_opened(data, tmp_path):
    shutil.copy(data.folder / "images/p0.png", tmp_path / "secret.png")
    data.rows[0]["image"] = "../data/../secret.png"
    (skipped,) = data.pack().skipped
    assert skipped.startswith("p0: ../data/../secret.png lies outside the data set")


def test_too_many_bad_pairs_are_refused_and_nothing_is_left(data):
    for i in (2, 5, 6, 9):
        (data.folder / f"images/p{i}.png").unlink()
    said = data.refused()
    assert "4 of 12 pairs cannot be used so far" in said and "--data" in said and "build-selection" in said
    assert all(f"p{i}: photo: file does not exist" in said for i in (2, 5, 6)) and "p9:" not in said
    assert data.left() == [] and data.said == []
    assert len(data.pack(most_bad=0.4)) == 8
    assert "4 of 12" in data.refused(most_bad=0.3)  # the packed set that is there is held to the same limit


def test_a_small_set_whose_every_pair_is_bad(tmp_path):
    data = Data(tmp_path, 2)
    shutil.rmtree(data.folder / "labels")
    assert "2 of 2 pairs cannot be used" in data.refused() and data.left() == []


# --- what is refused before anything is decoded --------------------------------------------


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "much"])
def test_weights_that_are_no_weights(data, weight):
    data.rows[3]["weight"] = weight
    said = data.refused()
    assert "set.csv: pair p3 has weight" in said and weight in said and not data.cache.exists()


def test_weights_that_are_all_zero(data):
    for row in data.rows:
        row["weight"] = "0"
    assert "all weights are 0" in data.refused()
    data.rows[0]["weight"] = "1"
    (data.folder / "images/p0.png").unlink()
    assert "every pair that can be used has weight 0" in data.refused()


def test_manifests_that_cannot_be_used(data, tmp_path):
    def refused(path):
        with pytest.raises(DataError) as caught:
            pack(path, SIZE, data.cache, on_skip=data.said.append, quiet=True)
        return str(caught.value)

    data.write()
    assert "none.csv does not exist. Make it with `curate" in refused(tmp_path / "none.csv")
    (tmp_path / "empty.csv").touch()
    assert "empty.csv is no manifest" in refused(tmp_path / "empty.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "lacks the columns pair_id, image" in refused(tmp_path / "other.csv")
    assert "m cannot be read: Is a directory" in refused(data.manifest.parent)
    data.manifest.with_suffix(".json").write_text("{")
    assert "set.json is no recipe" in refused(data.manifest)
    data.manifest.with_suffix(".json").unlink()
    assert "set.json, the recipe with the label space, is missing" in refused(data.manifest)
    assert not data.cache.exists()


def test_rows_that_cannot_be_used(data):
    data.rows[1]["label"] = ""
    assert "pair p1 has no label" in data.refused()
    data.rows[1] = data.rows[0]
    assert "lists pair p0 twice" in data.refused()
    data.rows = []
    assert "lists no pair" in data.refused()


def test_recipes_that_cannot_be_used(data):
    data.recipe["merges"] = [["water", "rivr"]]
    assert 'no class "rivr". Did you mean "river"' in data.refused()
    data.recipe = {"data": "../data"}
    assert "set.json: the recipe has no label_space" in data.refused()


def test_data_that_has_moved(data, tmp_path):
    data.folder.rename(tmp_path / "moved")
    assert "does not exist. Pass --data" in data.refused()
    assert len(data.pack(data=tmp_path / "moved")) == 12
    assert data.left() == [data.pack().key]


def test_data_behind_a_url(data, monkeypatch):
    fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install 'pair-curation[cluster]'")
    expected = contents(data.pack().folder)
    fsspec.filesystem("memory").put(str(data.folder), "/far/data", recursive=True)
    data.recipe["data"] = "memory://far/data"
    data.rows = [{k: str(v).replace("../data", "memory://far/data") for k, v in row.items()} for row in data.rows]
    assert contents(data.pack(cache=data.cache / "far").folder) == expected
    data.rows[0]["image"] = "memory://far/data/../other/p0.png"
    data.pack(cache=data.cache / "outside")
    assert "lies outside the data set memory://far/data" in data.said[0]

    def refuse(*_, **__):
        raise ConnectionError("no answer")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", refuse)
    assert "cannot be read: no answer" in data.refused(cache=data.cache / "refused")


def test_a_disk_without_room(data, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    said = data.refused(size=(640, 480))
    assert said.startswith("12 pairs at 640x480 need 0.02 GB; 0.00 GB are free in ") and "--cache" in said
    assert data.left() == []


def test_a_disk_that_fills_up_meanwhile(data, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_header", full)
    assert "No space left on device. Free some room" in data.refused() and data.left() == []


# --- the cache ------------------------------------------------------------------------------


def test_a_packed_set_is_used_again_without_touching_the_files(data, capsys):
    (data.folder / "images/p1.png").unlink()
    first = data.pack(quiet=False)
    assert not first.reused and capsys.readouterr().err == ""
    shutil.rmtree(data.folder)
    again = data.pack(quiet=False)
    assert again.reused and again.key == first.key and np.array_equal(again.photos, first.photos)
    assert again.pair_ids == first.pair_ids and again.skipped == first.skipped
    assert "11 pairs of" in (said := capsys.readouterr().err) and "none is decoded again" in said
    assert data.said == [
        f"{first.skipped[0]}; run `curate build-selection` again, or remove {first.folder} to have it looked at again"
    ]


def test_whatever_decides_the_bytes_has_its_own_packed_set(data):
    keys = [data.pack().key, data.pack(size=(24, 32)).key]
    data.recipe["merges"] = [["water", "river"]]
    keys.append(data.pack().key)
    data.rows = data.rows[1:]
    keys.append(data.pack().key)
    assert len(set(keys)) == 4 and data.left() == sorted(keys)


@pytest.mark.parametrize("name", ["photos.npy", "ids.npy", "about.json"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_packed_set_is_made_again(data, name, damage):
    first = data.pack()
    good = contents(first.folder)
    file = first.folder / name
    file.unlink() if damage == "gone" else file.write_bytes(good[name][:-1000])
    again = data.pack()
    assert not again.reused and contents(again.folder) == good


SLOW = """
import sys, time
from training import packed
decode = packed._decode
def slow(*arguments):
    time.sleep(0.05)
    return decode(*arguments)
packed._decode = slow
packed.pack(sys.argv[1], (32, 24), sys.argv[2], on_skip=print, workers=1)
"""


def test_killed_half_way_it_starts_again_and_ends_in_the_same_bytes(tmp_path):
    data = Data(tmp_path, 60)
    whole = data.pack(cache=tmp_path / "whole")
    run = subprocess.Popen([sys.executable, "-c", SLOW, data.manifest, data.cache], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(data.cache.glob("*.tmp-*/photos.npy")):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert data.left() == [f"{whole.key}.tmp-{run.pid}"]
    found = data.pack()
    assert contents(found.folder) == contents(whole.folder) and data.left() == [whole.key]


def test_leftovers_of_another_set_are_removed_unless_it_is_being_written(data):
    for key in ("dead", "alive"):
        (data.cache / f"{key}.tmp-1").mkdir(parents=True)
    with module.lock(data.cache / "alive"):
        found = data.pack()
    assert data.left() == sorted(["alive.tmp-1", found.key])


def test_who_wants_the_same_set_waits_for_who_packs_it(data, monkeypatch):
    decode, calls = module._decode, []
    monkeypatch.setattr(module, "_decode", lambda *a: calls.append(1) or time.sleep(0.01) or decode(*a))
    data.write()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(pack(data.manifest, SIZE, data.cache, on_skip=print, quiet=True)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 12 and sorted(one.reused for one in found) == [False, True]
    assert np.array_equal(found[0].photos, found[1].photos)


# --- as users have it -----------------------------------------------------------------------


def test_a_manifest_of_curate(demo_set, tmp_path):
    curate("build-selection", "--level", 0, "--data", demo_set, "--work", "w", "--out", "m", "--quiet", cwd=tmp_path)
    said = []
    found = pack(tmp_path / "m/total.csv", (64, 48), tmp_path / "cache", on_skip=said.append, quiet=True)
    rows = pd.read_csv(tmp_path / "m/total.csv", dtype=str)
    assert found.pair_ids == tuple(rows["pair_id"]) and len(found) > 90 and said == []
    assert found.ids.max() < found.classes.channels


def test_real_photos_and_label_maps(real_data, tmp_path):
    folder = real_data / "stanford_background"
    space = from_classes_json(folder / "classes.json")
    rows = []
    for image in sorted((folder / "images").iterdir())[::12]:
        label = folder / "labels" / f"{image.stem}.png"
        sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (image, label)]
        rows.append([image.stem, f"images/{image.name}", f"labels/{label.name}", "", "", *sums, "", "", "rule"])
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "set.csv", index=False)
    (tmp_path / "set.json").write_text(json.dumps({"data": ".", "label_space": space.to_dict()}))
    said = []
    found = pack(tmp_path / "set.csv", (96, 64), tmp_path / "cache", on_skip=said.append, data=folder, quiet=True)
    assert len(found) == len(rows) >= 59 and said == []
    assert set(np.unique(found.ids)) == set(range(found.classes.channels))
    sky = found.classes.names.index("sky")
    means = [found.photos[found.ids == c].mean() for c in range(len(found.classes.names))]
    assert means[sky] == max(means)  # labels lie where they belong: sky is the brightest class
    again = Image.open(folder / "images" / f"{found.pair_ids[5]}.jpg").resize((96, 64), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(again).astype(int) - found.photos[5]).mean() < 1
