"""The stages in their order: what each leaves, and what a later run with other settings makes of it."""

from curation import stages


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
