"""The mixed folder: what was chosen, the rest from one folder, a list, whole or not at all, and nothing else touched."""

from __future__ import annotations

import csv
import hashlib
from datetime import datetime, timezone
from pathlib import Path

import pytest
from drawn import draw, two_models

from app.mixed import COLUMNS, write_mixed
from app.outputs import OutputsError, compare
from app.tally import Best

NOON = datetime(2026, 1, 23, 12, tzinfo=timezone.utc)
FIRST, SECOND = 0, 1


def best(comparison, stem, name, file=None, by=("anna",)):
    folder = comparison.folders[comparison.number(name)]
    file = file or folder.files[stem][0]
    sha256 = hashlib.sha256((folder.root / file).read_bytes()).hexdigest()
    return Best(name, file, sha256, comparison.among(stem), by, NOON, 0)


def rows(folder: Path) -> list[list[str]]:
    with open(folder / "mixed.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_thirty_five_of_a_thousand_are_taken_from_the_second_model(tmp_path):
    """In small: 7 of 200."""
    found = two_models(tmp_path / "models", 200)
    chosen = {f"{i:04d}": best(found, f"{i:04d}", "second", by=("anna", "ben")) for i in range(0, 175, 25)}
    before, seen = everything(tmp_path / "models"), []
    mixed = write_mixed(tmp_path / "mixed", found, chosen, FIRST, lambda done, total: seen.append((done, total)))
    assert mixed.taken == {"first": 193, "second": 7} and mixed.by == {"person": 7, "default": 193}
    assert seen == [(i, 200) for i in range(1, 201)]
    copies = everything(tmp_path / "mixed")
    assert len(copies) == 201 and everything(tmp_path / "models") == before
    for stem in found.stems:
        assert copies[f"{stem}.png"] == before[f"{'second' if stem in chosen else 'first'}/{stem}.png"]
    header, *listed = rows(tmp_path / "mixed")
    assert header == COLUMNS and [row[0] for row in listed] == list(found.stems)
    assert listed[0] == ["0000", "0000.png", "second", "anna, ben", "2026-01-23T12:00:00+00:00", "person", "0000.png"]
    assert listed[1] == ["0001", "0001.png", "first", "", "", "default", "0001.png"]
    assert mixed.says() == [
        f"200 pictures in {tmp_path / 'mixed'}: 193 from first, 7 from second. 7 by a person's choice, 193 without one."
    ]


def test_copies_are_named_after_the_label_map(tmp_path):
    four = draw(tmp_path / "four", "a_1.png", "a_2.png", "b_1.png", "b_2.png")
    found = compare([four, draw(tmp_path / "one", "a.jpg", "b.jpg", "c.jpg")])
    mixed = write_mixed(tmp_path / "mixed", found, {"a": best(found, "a", "four", "a_2.png")}, SECOND)
    assert (tmp_path / "mixed/a.png").read_bytes() == (four / "a_2.png").read_bytes()
    assert [row[1::5] for row in rows(mixed.folder)[1:]] == [
        ["a.png", "a_2.png"],
        ["b.jpg", "b.jpg"],
        ["c.jpg", "c.jpg"],
    ]


def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(tmp_path):
    found = two_models(tmp_path / "models", 2)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    before = everything(tmp_path)
    for folder in (mine, tmp_path / "file", tmp_path / "link", tmp_path / "models/first"):
        with pytest.raises(OutputsError, match="Name a new folder"):
            write_mixed(folder, found, {}, FIRST)
    assert everything(tmp_path) == before and not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_is_filled_meanwhile_is_left_as_it_is(tmp_path):
    found = two_models(tmp_path / "models", 2)

    def somebody_else(done, total):
        (tmp_path / "mixed").mkdir(exist_ok=True)
        (tmp_path / "mixed/theirs.txt").write_text("theirs")

    with pytest.raises(OutputsError, match="Name a new folder"):
        write_mixed(tmp_path / "mixed", found, {}, FIRST, somebody_else)
    assert everything(tmp_path / "mixed") == {"theirs.txt": b"theirs"} and not list(tmp_path.glob(".*"))


def test_an_empty_folder_is_filled_and_the_way_to_a_new_one_is_made(tmp_path):
    found = two_models(tmp_path / "models", 2)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "some/where/new"):
        assert write_mixed(folder, found, {}, SECOND).taken == {"second": 2} and len(everything(folder)) == 3
        assert folder.stat().st_mode & 0o777 == (tmp_path / "models").stat().st_mode & 0o777


def test_stopped_in_the_middle_it_leaves_nothing(tmp_path):
    found = two_models(tmp_path / "models", 3)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mixed(tmp_path / "mixed", found, {}, FIRST, stop)
    assert [p.name for p in tmp_path.iterdir()] == ["models"]


def test_a_chosen_picture_that_was_drawn_anew_or_is_gone_counts_as_not_chosen(tmp_path):
    found = two_models(tmp_path / "models", 3)
    chosen = {stem: best(found, stem, "second") for stem in found.stems}
    draw(tmp_path / "models/second", "0000.png", level=7)
    (tmp_path / "models/second/0001.png").unlink()
    mixed = write_mixed(tmp_path / "mixed", found, chosen, FIRST)
    assert mixed.changed == ["0000", "0001"] and mixed.by == {"person": 1, "default": 2}
    assert (tmp_path / "mixed/0000.png").read_bytes() == (tmp_path / "models/first/0000.png").read_bytes()
    assert mixed.says()[1].startswith("2 chosen pictures are gone or were drawn anew since")


def test_a_link_that_leads_out_is_not_copied(tmp_path):
    found = two_models(tmp_path / "models", 2)
    secret = draw(tmp_path, "secret.png") / "secret.png"
    (tmp_path / "models/first/0001.png").unlink()
    (tmp_path / "models/first/0001.png").symlink_to(secret)
    mixed = write_mixed(tmp_path / "mixed", found, {}, FIRST)
    assert mixed.broken == {"0001": "0001.png: leads out of its folder and is not read"}
    assert set(everything(mixed.folder)) == {"0000.png", "mixed.csv"} and len(rows(mixed.folder)) == 2


def test_what_cannot_be_read_or_is_not_there_is_left_out_and_told(tmp_path):
    one = draw(tmp_path / "one", "a.png", "b.png", "c.png")
    found = compare([one, draw(tmp_path / "two", "b.png", "c.png", "d.png", level=1)])
    (one / "b.png").write_bytes((one / "b.png").read_bytes()[:200])
    mixed = write_mixed(tmp_path / "mixed", found, {}, FIRST)
    assert mixed.lacking == ["d"] and list(mixed.broken) == ["b"] and "truncated" in mixed.broken["b"]
    assert set(everything(mixed.folder)) == {"a.png", "c.png", "mixed.csv"}
    assert [line.split(":")[0] for line in mixed.says()[1:]] == [
        "1 label maps are left out",
        "1 label maps are left out",
    ]


def test_nothing_to_copy_makes_no_folder(tmp_path):
    one, two = (draw(tmp_path / name, "a.png") for name in ("one", "two"))
    found = compare([one, two])
    (one / "a.png").write_bytes(b"")
    with pytest.raises(OutputsError, match=r"was not made\. a\.png: empty file"):
        write_mixed(tmp_path / "mixed", found, {}, FIRST)
    assert not (tmp_path / "mixed").exists()


def test_no_cell_of_the_list_is_a_formula(tmp_path):
    found = compare([draw(tmp_path / name, "=1+1.png") for name in ("=cmd", "+two")])
    chosen = {"=1+1": best(found, "=1+1", "=cmd", by=("@anna",))}
    mixed = write_mixed(tmp_path / "mixed", found, chosen, FIRST)
    row = rows(mixed.folder)[1]
    assert row[:4] == ["'=1+1", "'=1+1.png", "'=cmd", "'@anna"] and (mixed.folder / "=1+1.png").exists()


def test_where_nothing_can_be_written_it_says_so(tmp_path):
    found = two_models(tmp_path / "models", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputsError, match="cannot be written"):
        write_mixed(tmp_path / "file/mixed", found, {}, FIRST)
