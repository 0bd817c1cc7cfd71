"""The stages in their order: what each leaves, and what a later run with other settings makes of it."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation import measure, stages


def test_the_judge_is_remembered_and_what_it_said_goes_with_it(planted_data, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", planted_data)
    said = (work.label_evidence, work.label_fit, work.coupled_classes, work.class_structure)
    assert "label_error" in stages.score(run, work, "plain")
    assert all(file.exists() for file in said)
    none = stages.score(run, work, "none")
    assert "label_error" not in none and not any(file.exists() for file in said)
    before = work.scores.stat().st_mtime_ns
    assert stages.score(run, work).equals(none) and work.scores.stat().st_mtime_ns == before
    again = stages.score(run, work, "plain")
    assert again["label_error"].notna().any() and all(file.exists() for file in said)
    assert stages.score(run, work).equals(again)


def test_grouping_measures_and_judges_nothing(planted_data, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", planted_data)
    stages.measure(run, work)
    _, groups = stages.group(run, work)
    assert len(groups) == 63 and not work.scores.exists() and not work.label_error.exists()


def test_every_class_has_its_size_and_radius(curated):
    for _, members in curated.groups.groupby("equivalence_class"):
        assert (members["members"] == len(members)).all()
        assert (members["radius"] == round(1 - members["similarity"].min(), 4)).all()
        assert members["representative"].nunique() == 1 and members["radius"].iloc[0] <= 0.08
    assert curated.groups["members"].max() > 1


def test_near_classes_are_remembered_until_they_are_forgotten(planted_data, tmp_path):
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", planted_data)
    stages.measure(run, work)
    _, apart = stages.group(run, work)
    names = ",".join(name for name in work.space.names if "," not in name)
    _, all_one = stages.group(run, work, near=[names])
    assert all_one["equivalence_class"].nunique() < apart["equivalence_class"].nunique()
    assert stages.group(run, work)[1].equals(all_one)
    assert stages.group(run, work, near=[""])[1].equals(apart)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mean=st.sampled_from([2, 8, 64]), most=st.integers(3, 70), workers=st.sampled_from([1, 2]), seed=st.integers(0, 99)
)
def test_classes_and_copies_do_not_depend_on_shards_workers_or_the_order_of_the_pairs(
    mean, most, workers, seed, curated, planted_data, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("shards")
    rows = [(p.pair_id, p.image, p.label) for p in stages.read_pairs(curated.work) if p.label]
    random.Random(seed).shuffle(rows)
    (folder / "pairs.csv").write_text("pair_id,image,label\n" + "".join(f'"{a}","{b}","{c}"\n' for a, b, c in rows))
    run = stages.Run(workers=workers, quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "SHARD_MEAN", mean)
        patch.setattr(measure, "SHARD_MOST", most)
        work = stages.index(run, folder / "work", folder / "pairs.csv", root=planted_data)
        assert len(stages.measure(run, work)) >= len(rows) // most
        duplicates, groups = stages.group(run, work)
    assert duplicates.equals(curated.duplicates) and groups.equals(curated.groups)
