"""The plan of a run: pairs kept aside, steps of phases, whose weights count."""

import dataclasses

import numpy as np
import pytest
from runs import edited

from training import config as configs
from training.config import Phase
from training.packed import DataError
from training.plan import prepare

SIZE = (128, 128)


@pytest.fixture
def planned(manifests, cache, demo_set):
    """The plan of phases, with the settings of `tiny`; `sources` by name, else the shared manifests."""

    def plan(*phases, sources=None, **settings):
        config = dataclasses.replace(configs.preset("tiny"), phases=phases, **settings)
        named = {"": "selection2", "total": "total", "selection1": "selection1", "selection2": "selection2"}
        known = {name: manifests / f"{file}.csv" for name, file in named.items()}
        return prepare(config, {**known, **(sources or {})}, cache, data=demo_set, quiet=True)

    return plan


def phase(**settings):
    return Phase(**{"size": SIZE, "steps": 5, "batch_size": 4, **settings})


def drawn(plan, number=0):
    """Pair ids of an epoch."""
    names = np.array(plan.sets[number].pair_ids)
    return [str(name) for batch in plan.batches[number].epoch(0) for name in names[batch.rows]]


def test_pairs_kept_aside_are_never_trained_on_and_the_same_in_every_run(planned):
    plan = planned(phase(batch_size=1))
    assert len(plan.held_out) == 6
    assert len(plan.validation.rows) == 6
    assert [plan.sets[0].pair_ids[row] for row in plan.validation.rows] == list(plan.held_out)
    assert not set(plan.held_out) & set(drawn(plan))
    assert len(drawn(plan)) == len(plan.sets[0]) - 6
    assert planned(phase(), seed=9).held_out == plan.held_out


def test_pairs_kept_aside_are_in_all_phases_and_trained_on_in_none(planned):
    plan = planned(phase(manifest="total"), phase(manifest="selection2"))
    for number, packed in enumerate(plan.sets):
        assert set(plan.held_out) <= set(packed.pair_ids)
        assert not set(plan.held_out) & set(drawn(plan, number))


def test_at_most_a_tenth_of_the_smallest_set_is_kept_aside(planned, manifests, tmp_path):
    few = edited(manifests / "selection2.csv", tmp_path, row=lambda number, row: row if number < 25 else None)
    assert len(planned(phase(), sources={"": few}).held_out) == 2
    lone = edited(manifests / "selection2.csv", tmp_path, row=lambda number, row: row if number < 9 else None)
    plan = planned(phase(), sources={"": lone})
    assert plan.held_out == ()
    assert "no pairs kept aside: the set is too small" in plan.described()
    assert len(plan.validation.rows) == 4  # something is drawn nevertheless


def test_steps_follow_from_epochs(planned):
    plan = planned(phase(steps=0, epochs=2, manifest="selection2"), phase(steps=7, manifest="total", batch_size=8))
    pairs = len(plan.sets[0]) - 6
    assert plan.batches[0].steps_per_epoch == pairs // 4
    assert plan.steps(0) == 2 * (pairs // 4)
    assert plan.steps(1) == 7
    assert plan.total == plan.steps(0) + 7
    assert [plan.first_epoch(0), plan.first_epoch(1)] == [0, 2]
    lines = plan.described().splitlines()
    assert lines[0].startswith(f'phase   "train": {pairs} pairs at 128x128, {plan.steps(0)} steps of 4 (2.0 epochs)')
    assert lines[2].startswith("classes 30; 6 pairs kept aside")


def test_an_epoch_begun_counts_for_the_phases_after_it(planned):
    plan = planned(phase(steps=1), phase(steps=1))
    assert plan.first_epoch(1) == 1


def test_the_weight_of_the_manifest_says_how_often_a_pair_is_drawn(planned, manifests, tmp_path):
    def weigh(number, row):
        return {**row, "weight": {0: "0", 1: "3"}.get(number, "1")}

    plan = planned(phase(batch_size=1), sources={"": edited(manifests / "selection2.csv", tmp_path, row=weigh)})
    ids = plan.sets[0].pair_ids
    assert not {ids[0], ids[1]} & set(plan.held_out)
    counts = {name: drawn(plan).count(name) for name in ids}
    assert counts[ids[0]] == 0
    assert counts[ids[1]] in (2, 3)  # 3 of N pairs with the weights of N + 2


def test_phases_of_other_label_spaces_are_refused(planned, manifests, tmp_path):
    def merge(recipe):
        recipe["merges"] = [["water", "sea"]]

    other = edited(manifests / "total.csv", tmp_path, recipe=merge)
    with pytest.raises(DataError, match='phase "second" has another label space than the first'):
        planned(phase(), phase(name="second", manifest="total"), sources={"total": other})


def test_a_phase_may_name_a_file(planned, manifests):
    plan = planned(phase(manifest=str(manifests / "selection1.csv")))
    assert list(plan.sources) == [str(manifests / "selection1.csv")]
    with pytest.raises(DataError, match=r"selection3\.csv does not exist"):
        planned(phase(manifest=str(manifests / "selection3.csv")))


def test_pairs_are_packed_at_the_size_to_crop_from(planned):
    plan = planned(phase(load_size=(160, 144)))
    assert plan.sets[0].size == (160, 144)
    assert plan.validation.photos.shape[1:] == (128, 128, 3)
