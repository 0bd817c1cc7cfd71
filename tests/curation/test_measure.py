"""Shards: cut by the ids alone, measured by a pure function, marked when whole."""

import json

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from curation.label_space_files import load_builtin
from curation.measure import PART, SHARD_MOST, decode_preview, is_done, measure_shard, plan_shards
from curation.pairs import Pair

SPACE = load_builtin("stanford8")


def pairs(n: int) -> list[Pair]:
    return [Pair(f"{i:05d}", f"images/{i}.jpg", f"labels/{i}.png") for i in range(n)]


def test_shards_cover_every_pair_once_in_order(tmp_path):
    shards = plan_shards(pairs(2000), tmp_path, SPACE, tmp_path)
    assert [p.pair_id for s in shards for p in s.pairs] == [f"{i:05d}" for i in range(2000)]
    assert len(shards) > 10 and max(len(s.pairs) for s in shards) <= SHARD_MOST


def test_one_pair_more_or_less_changes_only_its_shard(tmp_path):
    some = pairs(2000)
    before = {s.key for s in plan_shards(some, tmp_path, SPACE, tmp_path)}
    without = {s.key for s in plan_shards(some[:777] + some[778:], tmp_path, SPACE, tmp_path)}
    assert len(before - without) <= 2 and len(without - before) <= 2


def test_another_label_space_or_a_changed_file_makes_other_keys(tmp_path):
    some = pairs(3)
    (shard,) = plan_shards(some, tmp_path, SPACE, tmp_path)
    (other,) = plan_shards(some, tmp_path, load_builtin("landscape29"), tmp_path)
    touched = [some[0], Pair("00001", "images/1.jpg", "labels/1.png", (10, 5)), some[2]]
    (changed,) = plan_shards(touched, tmp_path, SPACE, tmp_path)
    assert len({shard.key, other.key, changed.key}) == 3


def test_a_measured_shard_is_marked_and_holds_one_row_a_pair(tmp_path):
    rng = np.random.default_rng(0)
    for room in ("images", "labels"):
        (tmp_path / room).mkdir()
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / "images/0.jpg")
    Image.fromarray(rng.integers(0, 8, (60, 80), dtype=np.uint8)).save(tmp_path / "labels/0.png")
    (shard,) = plan_shards(pairs(2), tmp_path, SPACE, tmp_path / "parts")
    assert not is_done(shard)
    assert measure_shard(shard) == 2
    assert is_done(shard) and json.loads(shard.done.read_text())["errors"] == 1
    part = pq.read_table(shard.part)
    assert part.schema.names == PART.names
    good, bad = part.to_pylist()
    assert (good["width"], good["height"], good["error"]) == (80, 60, None)
    assert decode_preview(good["preview"]).shape == (60, 80, 3) and len(good["ids"]) == 60 * 80
    assert bad["error"] == "photo: file does not exist; label map: file does not exist"
    assert all(bad[name] is None for name in PART.names[3:] if name != "error")
