"""The passes: what they leave for each pair, that they go on where they were stopped, and sets that are hard to judge."""

import contextlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.label_error import judge, ranking, stage
from curation.label_error.grid import GRID
from curation.label_error.simulated import KINDS
from curation.measure import encode_preview

SIZE = (72, 96)
SKY, GROUND, TREE = range(3)
COLOURS = np.array([[130, 180, 235], [170, 120, 70], [40, 110, 40]], np.float64)
N = 60
OTHER, SWAPPED, UNKNOWN, BROKEN, PHOTO_ONLY = "p03", "p10", "p20", "p30", "p40"


def scene(seed):
    """(photo, ids): sky over ground with a few trees; the photo shows what the ids say."""
    rng = np.random.default_rng(seed)
    ids = np.full(SIZE, SKY, np.uint8)
    ids[int(SIZE[0] * rng.uniform(0.35, 0.65)) :] = GROUND
    for _ in range(3):
        x, y = rng.integers(8, SIZE[1] - 20), rng.integers(20, SIZE[0] - 24)
        ids[y : y + rng.integers(10, 22), x : x + rng.integers(8, 18)] = TREE
    photo = COLOURS[ids] + rng.normal(0, 1, (*SIZE, 1)) * np.array([4, 22, 40])[ids][:, :, None]
    return np.clip(photo, 0, 255).astype(np.uint8), ids


def ordinary(n=N):
    return {f"p{i:02d}": scene(i) for i in range(n)}


def with_defects():
    pairs = ordinary()
    pairs[OTHER] = pairs[OTHER][0], scene(777)[1][::-1].copy()
    pairs[SWAPPED] = pairs[SWAPPED][0], np.uint8([GROUND, SKY, TREE])[pairs[SWAPPED][1]]
    pairs[UNKNOWN] = pairs[UNKNOWN][0], np.full(SIZE, 255, np.uint8)
    pairs[PHOTO_ONLY] = pairs[PHOTO_ONLY][0], None
    return pairs


def write_parts(pairs, folder, each=20):
    """Part files as measuring leaves them, in the columns that the stage reads."""
    folder.mkdir()
    rows = [
        {
            "pair_id": name,
            "preview": None if name == BROKEN else encode_preview(photo),
            "ids": None if ids is None or name == BROKEN else ids.tobytes(),
            "error": "it cannot be read" if name == BROKEN else None,
        }
        for name, (photo, ids) in sorted(pairs.items())
    ]
    schema = pa.schema(
        [("pair_id", pa.string()), ("preview", pa.binary()), ("ids", pa.binary()), ("error", pa.string())]
    )
    parts = []
    for start in range(0, len(rows), each):
        parts.append(folder / f"part{start:03d}.parquet")
        pq.write_table(pa.Table.from_pylist(rows[start : start + each], schema), parts[-1])
    return parts


class Engine:
    """Runs jobs in this process, and dies before the given one."""

    def __init__(self, dies_before=None):
        self.jobs, self.dies_before = [], dies_before

    def run(self, function, jobs, caption):
        for job in jobs:
            self.begin(caption)
            yield function(job)

    @contextlib.contextmanager
    def progress(self, caption, total):
        self.begin(caption)
        yield lambda done: None

    def begin(self, caption):
        if len(self.jobs) == self.dies_before:
            raise KeyboardInterrupt
        self.jobs.append(caption)


def judge_set(parts, folder, n_classes=3, n_pairs=N, engine=None):
    engine = engine or Engine()
    folder.mkdir(exist_ok=True)
    return stage.judge_set(parts, n_pairs, n_classes, "plain", folder, engine.run, engine.progress)


def same(first, second):
    pd.testing.assert_frame_equal(first.pairs, second.pairs)
    pd.testing.assert_frame_equal(first.evidence, second.evidence)
    assert np.array_equal(first.alike, second.alike, equal_nan=True)
    assert all(np.array_equal(v, second.tally.__dict__[k]) for k, v in first.tally.__dict__.items())
    assert first.wrong == second.wrong


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return write_parts(with_defects(), tmp_path_factory.mktemp("set") / "parts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def said(parts, folder):
    return judge_set(parts, folder)


# --- what is said ---


def test_every_pair_with_a_label_map_is_judged_once(said):
    assert said.pairs["pair_id"].tolist() == sorted({*ordinary()} - {BROKEN, PHOTO_ONLY})
    assert said.pairs["score"].between(0, 1).all() and set(said.pairs["kind"]) <= set(KINDS)
    assert said.pairs["fold"].tolist() == [judge.fold_of(name) for name in said.pairs["pair_id"]]


def test_wrong_label_maps_rank_first(said):
    ranked = said.pairs.sort_values("score", ascending=False)["pair_id"].tolist()
    assert {OTHER, SWAPPED} == set(ranked[:2])


def test_label_evidence_adds_up(said):
    """Given and evident shares are of the same known area, of which a little, at borders, has no evident class."""
    by_pair = said.evidence.groupby("pair_id")
    sums = by_pair[["given_share", "evidence_share"]].sum()
    assert set(sums.index) == {*said.pairs["pair_id"]} - {UNKNOWN}
    np.testing.assert_allclose(sums["given_share"], 1, atol=3e-4)
    assert sums["evidence_share"].between(0.95, 1 + 3e-4).all()
    rows = said.evidence
    assert (rows["disagree_share"] >= (rows["given_share"] - rows["evidence_share"]).abs() - 2e-4).all()
    assert (rows["disagree_share"] <= rows["given_share"] + rows["evidence_share"] + 2e-4).all()
    disagree = by_pair["disagree_share"].sum()
    assert disagree[SWAPPED] > 1 > 0.4 > disagree.drop([SWAPPED, OTHER]).median()


def test_given_shares_are_those_of_the_label_map(said):
    rows = said.evidence[said.evidence["pair_id"] == "p05"].set_index("class")
    ids = scene(5)[1]
    for index in range(3):
        assert rows.loc[index, "given_share"] == pytest.approx((ids == index).mean(), abs=0.02)


def test_classes_that_look_different_are_not_alike(said):
    assert np.array_equal(said.alike, said.alike.T) and (np.diag(said.alike) == 1).all()
    assert said.alike[SKY, TREE] < 0.1 and said.alike[SKY, GROUND] < 0.1


def test_all_maps_are_tallied(said):
    assert said.tally.n_maps == N - 2
    assert 0.01 < said.wrong < 0.5 or said.wrong == ranking.LEAST_WRONG


def test_evidence_of_every_pair_is_what_was_judged(said, parts, folder):
    (model,) = [file for file in folder.glob("*.npz") if "sums" not in file.name]
    found = {name: (log_p, given) for name, log_p, given in stage.evidence_of(parts, model)}
    assert list(found) == said.pairs["pair_id"].tolist()
    log_p, given = found["p05"]
    assert log_p.shape == given.shape == (*GRID, 3)
    assert not found[UNKNOWN][1].any()
    rows = said.evidence[said.evidence["pair_id"] == "p05"].set_index("class")["evidence_share"]
    evident = np.bincount(log_p.argmax(2).ravel(), minlength=3) / log_p[..., 0].size
    assert [rows.get(c, 0) for c in range(3)] == pytest.approx(evident, abs=0.03)


def test_no_pair_is_judged_by_what_its_own_label_map_taught(parts, said, tmp_path, monkeypatch):
    """The maps of a whole fold are renamed: the evidence for the pairs of that fold stays, that for others does not.

    But for a little: how sure the judge is (its temperature) is one number, from all pairs.
    """
    monkeypatch.setattr(stage, "MOST_SIMULATED", 0)
    names, fold = said.pairs["pair_id"].tolist(), 1
    changed = {
        name: (photo, np.uint8([TREE, SKY, GROUND])[ids])
        if ids is not None and name != UNKNOWN and judge.fold_of(name) == fold
        else (photo, ids)
        for name, (photo, ids) in with_defects().items()
    }
    after = judge_set(write_parts(changed, tmp_path / "parts"), tmp_path / "work").evidence

    def of(evidence, mine):
        chosen = [name for name in names if (judge.fold_of(name) == fold) == mine]
        found = evidence[evidence["pair_id"].isin(chosen) & (evidence["evidence_share"] > 0)]
        return found.set_index(["pair_id", "class"])["evidence_share"]

    pd.testing.assert_series_equal(of(said.evidence, True), of(after, True), atol=0.01, rtol=0)
    assert (of(said.evidence, False) - of(after, False)).abs().max() > 0.2


# --- again, and where it was stopped ---


def test_a_second_run_reads_only_what_is_kept(parts, folder, said):
    before, engine = content(folder), Engine()
    same(judge_set(parts, folder, engine=engine), said)
    assert engine.jobs == [] and content(folder) == before
    assert not any(name.endswith(".features.npy") for name in before)


@pytest.mark.parametrize("dies_before", [1, 3, 4, 6])
def test_stopped_between_passes_it_goes_on_and_ends_in_the_same_bytes(dies_before, parts, folder, said, tmp_path):
    """3 parts to look at, then the judge, then 3 parts to judge."""
    with pytest.raises(KeyboardInterrupt):
        judge_set(parts, tmp_path, engine=Engine(dies_before))
    engine = Engine()
    same(judge_set(parts, tmp_path, engine=engine), said)
    assert content(tmp_path) == content(folder)
    assert engine.jobs == [*["look at photos"] * 3, "learn classes", *["judge labels"] * 3][dies_before:]


def test_a_part_that_changed_is_judged_and_what_was_said_of_the_old_one_goes(parts, said, folder, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, data in content(folder).items():
        (kept / name).write_bytes(data)
    fewer = judge_set(parts[:2], kept, n_pairs=50)
    assert len(fewer.pairs) == 39 and not set(content(kept)) & set(content(folder))


def test_the_order_of_the_parts_changes_nothing_but_rounding(parts, said, tmp_path):
    again = judge_set(parts[::-1], tmp_path).pairs.sort_values("pair_id", ignore_index=True)
    np.testing.assert_allclose(again["score"], said.pairs["score"], atol=0.02)
    assert again["shift_x"].equals(said.pairs["shift_x"])


# --- sets that are hard to judge ---


def test_too_few_pairs_to_learn_from_are_not_judged(parts, tmp_path):
    engine = Engine()
    assert judge_set(parts, tmp_path, n_pairs=ranking.FEWEST - 1, engine=engine) is None
    assert engine.jobs == [] and not list(tmp_path.iterdir())


def test_of_a_large_set_some_are_learned_from_and_all_are_judged(parts, said, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "MOST_PAIRS", 30)
    found = judge_set(parts, tmp_path)
    assert found.pairs["pair_id"].tolist() == said.pairs["pair_id"].tolist()
    assert 15 < found.tally.n_maps < 45
    assert set(found.pairs.nlargest(2, "score")["pair_id"]) == {OTHER, SWAPPED}


def test_one_class_leaves_nothing_to_be_wrong(tmp_path):
    pairs = {name: (photo, ids * 0) for name, (photo, ids) in ordinary(50).items()}
    found = judge_set(write_parts(pairs, tmp_path / "parts"), tmp_path / "work", n_classes=1, n_pairs=50)
    assert (found.pairs["score"] < 0.5).all() and found.pairs["score"].nunique() == 1
    assert (found.evidence[["given_share", "evidence_share"]] == 1).to_numpy().all()
    assert found.alike.tolist() == [[1]]


def test_label_maps_that_know_nothing_leave_nothing_to_be_wrong(tmp_path):
    pairs = {name: (photo, ids * 0 + 255) for name, (photo, ids) in ordinary(50).items()}
    found = judge_set(write_parts(pairs, tmp_path / "parts"), tmp_path / "work", n_pairs=50)
    assert len(found.pairs) == 49 and (found.pairs["score"] < 0.5).all()
    assert found.evidence.empty and np.isnan(found.alike[0, 1])


def test_more_classes_than_150(tmp_path, monkeypatch):
    """The same scenes, their classes far apart in a space of 151."""
    monkeypatch.setattr(stage, "MOST_SIMULATED", 12)
    pairs = {n: (photo, None if ids is None else np.where(ids == 255, 255, ids * 75).astype(np.uint8)) for n, (photo, ids) in with_defects().items()}  # fmt: skip
    found = judge_set(write_parts(pairs, tmp_path / "parts"), tmp_path / "work", n_classes=151)
    assert set(found.evidence[found.evidence["given_share"] > 0]["class"]) == {0, 75, 150}
    evident = found.evidence.groupby("class")["evidence_share"].sum()
    assert evident[[0, 75, 150]].sum() > 0.99 * evident.sum()
    assert found.alike.shape == (151, 151) and found.alike[0, 150] < 0.1 and np.isnan(found.alike[0, 1])
    assert np.isfinite(found.pairs["score"]).all()
