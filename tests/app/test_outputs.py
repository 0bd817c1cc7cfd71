"""Generated pictures find their label map, whatever the folders are called and whatever else lies in them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from drawn import draw

from app.outputs import OutputsError, base_of, compare, distinct_names, group, in_table
from app.table import Table
from curation.place import RemotePlace
from curation.workspace import Workspace


@pytest.fixture(scope="session")
def table(reviewed_work) -> Table:
    return Table(Workspace.load(reviewed_work))


def files(*stems):
    return {stem: [f"{stem}.png"] for stem in stems}


def test_pictures_of_one_stem_belong_together_and_what_is_missing_is_told(tmp_path):
    one = draw(tmp_path / "one", "a.png", "b.png", "c.png")
    two = draw(tmp_path / "two", "a.jpg", "b.PNG", "d.png")
    found = compare([two, one])
    assert [f.name for f in found.folders] == ["one", "two"] and found.key == '["one", "two"]'
    assert found.stems == ("a", "b") and found.all_stems == ("a", "b", "c", "d")
    assert found.pictures("a") == [(0, "a.png"), (1, "a.jpg")] and found.pictures("b")[1] == (1, "b.PNG")
    assert found.among("a") == ("one", "two") and found.among("c") == ("one",) and found.pictures("nobody") == []
    assert found.notes == (
        "one lacks 1 of 4: d.",
        "two lacks 1 of 4: c.",
        "2 of 4 have a single picture, so there is nothing to choose.",
        "2 of 2 without a label map to show: a, b.",
    )


def test_a_long_list_of_what_is_missing_is_cut(tmp_path):
    one = draw(tmp_path / "one", *(f"{i}.png" for i in range(6)))
    assert compare([one, draw(tmp_path / "two", "0.png")]).notes[0] == "two lacks 5 of 6: 1, 2, 3 and more."


def test_the_order_in_which_folders_are_named_is_of_no_account(tmp_path):
    folders = [draw(tmp_path / name, "a.png") for name in ("x", "y", "z")]
    assert compare(folders).folders == compare(folders[::-1]).folders


def test_several_pictures_of_a_label_map_are_alternatives(tmp_path):
    one = draw(tmp_path / "one", "forest.png", "lake.png")
    four = draw(tmp_path / "four", *(f"{stem}_{k}.png" for stem in ("forest", "lake") for k in range(1, 13)))
    found = compare([one, four])
    assert found.stems == ("forest", "lake")
    assert [file for _, file in found.pictures("lake")] == [*(f"lake_{k}.png" for k in range(1, 13)), "lake.png"]
    assert found.among("lake") == ("four", "one")


def test_one_folder_alone_is_compared_where_it_has_several_pictures_of_a_label_map(tmp_path):
    found = compare([draw(tmp_path / "one", "a_1.png", "a_2.png")])
    assert found.pictures("a") == [(0, "a_1.png"), (0, "a_2.png")] and any("STEM_1" in note for note in found.notes)


@pytest.mark.parametrize(
    "folders, maps, stems, guessed",
    [
        # the label maps tell
        ([files("a_1", "a_2")], {"a"}, [{"a"}], False),
        ([files("a_1", "a_2")], {"a_1", "a_2"}, [{"a_1", "a_2"}], False),
        ([files("a", "a_1", "a_2")], {"a", "a_1", "a_2"}, [{"a", "a_1", "a_2"}], False),
        ([files("a_1", "a_2", "a_1_1", "a_1_2")], {"a", "a_1"}, [{"a", "a_1"}], False),
        ([files("a_1", "a_2", "b_1")], {"a", "b", "c"}, [{"a", "b"}], False),
        # the other folder tells
        ([files("a", "b"), files("a_1", "a_2", "b_1", "b_2")], {}, [{"a", "b"}, {"a", "b"}], False),
        ([files("s_1", "s_2"), files("s_1_1", "s_1_2", "s_2_1", "s_2_2")], {}, [{"s_1", "s_2"}] * 2, False),
        # nothing tells
        ([files("a_1", "a_2", "b_1", "b_2")] * 2, {}, [{"a", "b"}] * 2, True),
        ([files("a_1", "a_2", "b_1")] * 2, {}, [{"a_1", "a_2", "b_1"}] * 2, False),
        ([files("a_1", "b_1")] * 2, {}, [{"a_1", "b_1"}] * 2, False),
        ([files("a_2", "a_3")] * 2, {}, [{"a_2", "a_3"}] * 2, False),
        ([files("a", "b")] * 2, {}, [{"a", "b"}] * 2, False),
    ],
)
def test_what_a_number_at_the_end_means(folders, maps, stems, guessed):
    found, how = group([dict(f) for f in folders], maps)
    assert [set(f) for f in found] == stems and how is guessed


def test_the_base_of_a_stem():
    assert base_of("a_b_12") == "a_b" and base_of("a\nb_1") == "a\nb"
    assert base_of("a") is base_of("a_0") is base_of("a_01") is base_of("_1") is None


def test_names_are_as_long_as_they_must_be():
    assert distinct_names([Path("/x/runs/a"), Path("/x/runs/b")]) == ["a", "b"]
    assert distinct_names([Path("/x/a/pictures"), Path("/x/b/pictures")]) == ["a/pictures", "b/pictures"]
    assert distinct_names([Path("/a"), Path("/b/a")]) == ["a", "b/a"]


def test_a_run_stands_for_its_pictures(tmp_path):
    run = tmp_path / "runs" / "tsit-001"
    draw(run / "pictures", "a.png")
    (run / "config.json").write_text("{}")
    found = compare([run, draw(tmp_path / "other", "a.png")])
    assert found.folders[1].name == "tsit-001" and found.folders[1].path("a.png") == run / "pictures" / "a.png"


def test_a_run_without_pictures_says_how_they_are_drawn(tmp_path):
    run = tmp_path / "tsit-001"
    draw(run / "samples", "step-00000100.png")
    (run / "config.json").write_text("{}")
    with pytest.raises(OutputsError, match=f"generate --checkpoint {run} --labels LABELS --out {run}/pictures"):
        compare([run, draw(tmp_path / "other", "a.png")])


def test_folders_that_cannot_be_compared_say_why(tmp_path):
    one = draw(tmp_path / "one", "a.png")
    for named, why in [
        ([one, one], "named twice"),
        ([one, f"{one}/../one"], "named twice"),
        ([one, tmp_path / "nowhere"], "not a folder on the machine"),
        ([one, one / "a.png"], "not a folder on the machine"),
        ([one, "s3://bucket/pictures"], "only folders on the machine"),
        ([one, RemotePlace("s3://bucket/pictures")], "only folders on the machine"),
        ([one, draw(tmp_path / "empty")], "holds no picture"),
        ([one, draw(tmp_path / "two", "b.png")], "one has a, two has b"),
        ([one, os.fsdecode(bytes(tmp_path) + b"/\xff")], "no text"),
    ]:
        with pytest.raises(OutputsError, match=why):
            compare(named)
    link = tmp_path / "link"
    link.symlink_to(one)
    with pytest.raises(OutputsError, match="named twice"):
        compare([one, link])


def test_files_that_lead_out_are_no_pictures_hidden_ones_and_pipes_neither(tmp_path):
    one, two = (draw(tmp_path / name, "a.png", "b.png") for name in ("one", "two"))
    (tmp_path / "secret.png").write_bytes((one / "a.png").read_bytes())
    (one / "out.png").symlink_to(tmp_path / "secret.png")
    (one / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (one / "inside.png").symlink_to("a.png")
    (one / ".hidden.png").write_bytes(b"")
    (one / "folder.png").mkdir()
    os.mkfifo(one / "pipe.png")
    (one / "notes.txt").write_text("no picture")
    (one / os.fsdecode(b"\xff.png")).write_bytes(b"")
    found = compare([one, two])
    assert set(found.folders[0].files) == {"a", "b", "inside"}
    assert "one: 3 files left out: links that lead out of the folder, or names that are no text." in found.notes


def test_a_file_that_leads_out_later_is_not_read(tmp_path):
    one, two = (draw(tmp_path / name, "a.png") for name in ("one", "two"))
    found = compare([one, two])
    secret = draw(tmp_path, "secret.png") / "secret.png"
    (one / "a.png").unlink()
    with pytest.raises(OutputsError, match="is gone"):
        found.folders[0].path("a.png")
    (one / "a.png").symlink_to(secret)
    with pytest.raises(OutputsError, match="leads out"):
        found.folders[0].path("a.png")
    with pytest.raises(OutputsError, match="leads out"):
        found.folders[0].path("../secret.png")


def test_label_maps_come_from_the_pair_table(table, tmp_path):
    stems = [os.path.splitext(os.path.basename(table.label[i].as_py()))[0] for i in range(3)]
    names = [f"{stem}.png" for stem in stems]
    found = compare([draw(tmp_path / "one", *names), draw(tmp_path / "two", *names, "else.png")], table)
    assert found.labels == {stem: i for i, stem in enumerate(stems)}


def test_a_stem_that_two_label_maps_have_names_neither():
    table = SimpleNamespace(label=pa.array(["x/a.png", "y/a.png", "x/b.c.png", None, "d"]))
    assert in_table(table, ["a", "b.c", "d", "b", "None"]) == {"b.c": 2, "d": 4}


def test_label_maps_come_from_a_folder_that_is_named(table, tmp_path):
    maps = draw(tmp_path / "maps", "a.png", "b_1.png")
    numbered = draw(tmp_path / "one", "a_1.png", "a_2.png", "b_1_1.png", "b_1_2.png")
    found = compare([numbered, draw(tmp_path / "two", "a.png", "b_1.png")], table, maps)
    assert found.stems == ("a", "b_1") and found.labels == {"a": maps / "a.png", "b_1": maps / "b_1.png"}
    with pytest.raises(OutputsError, match="the folder of the label maps"):
        compare([numbered], table, tmp_path / "nowhere")
