"""Tables of pairs as Parquet: what they say is what a CSV says; manifests as Parquet, and given to `curate` again."""

import shutil

import pandas as pd
import pyarrow.dataset
import pytest

from curation import manifest, stages
from curation.manifest import read_manifest
from curation.pairs import NoPairsError, find_pairs
from curation.rules import Settings

ROWS = [
    ("a", "images/p00.png", "labels/p00.png"),
    ("b", "images/p01.png", None),
    ("c", "images/gone.png", "labels/p02.png"),
    ("d", "../elsewhere/p03.png", "labels/p03.png"),
    ("e", "s3://elsewhere/p04.png", "labels/p04.png"),
    ("a", "images/p05.png", "labels/p05.png"),
    ("7", "images/p06.png", "labels/p06.png"),
]


@pytest.fixture
def data(planted_data, tmp_path):
    return shutil.copytree(planted_data, tmp_path / "data")


def test_parquet_says_what_a_csv_says(data):
    table = pd.DataFrame(ROWS, columns=["pair_id", "image", "label"])
    table.to_csv(data / "list.csv", index=False)
    table.to_parquet(data / "list.parquet")
    (data / "list").mkdir()
    table[:4].to_parquet(data / "list/part-0.parquet")
    table[4:].assign(more=1).to_parquet(data / "list/part-1.parquet")
    (data / "list/_SUCCESS").touch()
    csv, file = find_pairs(data / "list.csv"), find_pairs(data / "list.parquet")
    folder = find_pairs(data / "list")
    assert (csv.layout, file.layout, folder.layout) == ("CSV", "Parquet", "Parquet")
    assert csv.base == file.base == folder.base == data
    told = {p.pair_id: (p.error or "").replace("list.csv", "list") for p in csv.pairs}
    assert told == {p.pair_id: (p.error or "").replace("list.parquet", "list") for p in file.pairs}
    assert told == {p.pair_id: p.error or "" for p in folder.pairs}
    assert told["7"] == told["a"] == "" and told["b"] == "the label column is empty"
    assert told["c"] == "images/gone.png does not exist" and told["a#2"] == "pair_id a stands in list more than once"
    assert all("lies outside" in told[p] and "pass --root" in told[p] for p in "de")
    assert [p.image_stat for p in csv.pairs] == [p.image_stat for p in file.pairs]


def test_a_folder_of_pictures_with_a_table_in_it_is_a_folder_of_pictures(data):
    pd.DataFrame({"x": [1]}).to_parquet(data / "facts.parquet")
    assert find_pairs(data).layout == "images + labels"


def test_tables_that_are_none_are_refused(data):
    pd.DataFrame({"photo": ["a"], "label": ["b"]}).to_parquet(data / "list.parquet")
    with pytest.raises(NoPairsError, match=r"needs the columns image and label .* it has: photo, label"):
        find_pairs(data / "list.parquet")
    (data / "list.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(NoPairsError, match=r"list.parquet cannot be read as a Parquet table of paths"):
        find_pairs(data / "list.parquet")


@pytest.fixture
def built(data, tmp_path, monkeypatch):
    """A selection as CSV and, in files of 20 rows, as Parquet."""
    monkeypatch.setattr(manifest, "PARQUET_ROWS", 20)
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", data)

    def build(**options):
        stages.build_selection(run, work, tmp_path / "out", Settings(2), judge="none", **options)

    build(parquet=True)
    return build


def test_a_manifest_as_parquet_holds_the_same_rows(built, tmp_path):
    for name, parts in (("selection2", 3), ("selection2.rejected", 1)):
        folder = tmp_path / "out" / f"{name}.parquet"
        assert [f.name for f in sorted(folder.iterdir())] == [
            "_SUCCESS",
            *[f"part-{i:05}.parquet" for i in range(parts)],
        ]
        csv, read = pd.read_csv(tmp_path / "out" / f"{name}.csv"), pd.read_parquet(folder)
        assert list(read.columns) == list(csv.columns) and len(read) == len(csv) > 0
        for column in read:
            same = (read[column] == csv[column]) | (read[column].isna() & csv[column].isna())
            assert same.all(), (name, column)
    kept = pyarrow.dataset.dataset(tmp_path / "out/selection2.parquet").schema
    assert str(kept.field("width").type) == "int32" and str(kept.field("weight").type) == "double"


def test_parquet_is_the_same_each_time_and_never_left_from_before(built, tmp_path, monkeypatch):
    folder = tmp_path / "out/selection2.parquet"
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    built(parquet=True)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    monkeypatch.setattr(manifest, "PARQUET_ROWS", 1000)
    built(parquet=True)
    assert {f.name for f in folder.iterdir()} == {"part-00000.parquet", "_SUCCESS"}
    (folder / "notes.txt").write_text("of somebody else")
    built()
    assert [f.name for f in folder.iterdir()] == ["notes.txt"] and not (
        tmp_path / "out/selection2.rejected.parquet"
    ).exists()


def test_a_manifest_can_be_curated_again(built, data, tmp_path):
    kept = read_manifest(tmp_path / "out/selection2.csv").pairs
    for table in ("selection2.parquet", "selection2.csv"):
        found = find_pairs(tmp_path / "out" / table)
        assert found.base == data.resolve() and {p.error for p in found.pairs} == {None}
        assert [p.pair_id for p in found.pairs] == sorted(kept["pair_id"]) and found.pairs[0].image.startswith(
            "images/"
        )
    shutil.move(data, tmp_path / "moved")
    found = find_pairs(tmp_path / "out/selection2.parquet", root=tmp_path / "moved")
    assert {p.error for p in found.pairs} == {None} and found.base == tmp_path / "moved"


def test_a_manifest_cannot_lead_out_of_its_data_folder(built, data, tmp_path):
    table = pd.read_parquet(tmp_path / "out/selection2.parquet")
    table.loc[0, "image"] = "../data/../secret.png"
    table.loc[1, "image"] = "s3://elsewhere/x.png"
    table.to_parquet(tmp_path / "out/selection2.parquet/part-00000.parquet")
    errors = [
        p.error for p in find_pairs(tmp_path / "out/selection2.parquet").pairs if p.error and "outside" in p.error
    ]
    assert len(errors) == 2
