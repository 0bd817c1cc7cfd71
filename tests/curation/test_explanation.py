"""Explaining one pair: every score and reason, its neighbours, its picture; on the command line as a user runs it."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from rich.console import Console
from typer.testing import CliRunner

from curation import explanation
from curation.cli import app
from curation.duplicates import RELATIONS
from curation.explanation import UnknownPairError, explain, pictures, print_explanation, safe_name, write_picture
from curation.rules import Settings, select
from curation.scores import SCORES


@pytest.fixture(scope="module")
def about(curated):
    def run(pair_id, settings=None):
        return explain(curated.work, pair_id, *curated.tables, settings or Settings())

    return run


def printed(explained, shown=None):
    text = io.StringIO()
    print_explanation(explained, shown or {}, Console(file=text, width=100))
    return text.getvalue()


def test_the_reasons_are_those_of_the_rules_in_their_order(curated, about):
    selection = select(*curated.tables, Settings())
    assert about("grey").faults == selection.faults["grey"]
    assert about("grey").verdict() == "grey is dropped from Selection II: label_error (and monochrome)"
    kept = about(selection.kept[0])
    assert kept.kept and kept.verdict() == f"{selection.kept[0]} is kept in Selection II"


def test_every_score_stands_beside_its_threshold(curated, about):
    lines = {
        line.name: line for line in about("night", Settings(thresholds={"backlight": 0.7, "coupling": None})).scores
    }
    assert list(lines) == list(SCORES)
    assert (lines["dark"].over, lines["dark"].applied) == (True, False)
    assert (lines["backlight"].threshold, lines["backlight"].applied) == (0.7, True)
    assert not lines["coupling"].applied
    assert (about("night", Settings(thresholds={"dark": 0.5})).scores[4]).applied


def test_copies_and_the_equivalence_class_are_its_neighbours(about):
    (copy,) = about("p05").copies
    assert (copy.pair_id, copy.relation, copy.similarity, copy.kept) == ("copy", "exact", 1.0, True)
    assert about("p06").copies[0].relation == "mirrored"
    assert "copy" in [m.pair_id for m in about("p05").members]
    assert "the same photo: copy (1.000, byte for byte, kept)" in printed(about("p05"))


def test_an_unreadable_pair_has_its_error_and_no_picture(curated, about):
    nasty = about("<img onerror=alert(1)>")
    assert nasty.faults[0].detail == "photo: not an image"
    assert pictures(curated.work, nasty) == {} and write_picture(curated.work.evidence, nasty, {}) is None
    assert "photo: not an image" in printed(nasty)


def test_an_unknown_id_is_told_the_nearest(about):
    with pytest.raises(UnknownPairError, match=r'No pair "p99" among 64. The nearest: p'):
        about("p99")
    with pytest.raises(UnknownPairError, match=r'No pair "zzzzzz" among 64. Ids look like '):
        about("zzzzzz")


@pytest.mark.parametrize("asked", ["p05", "images/p05.png", "./labels/p05.png"])
def test_a_pair_is_found_by_its_id_or_a_path(about, asked):
    assert about(asked).pair_id == "p05"


def test_the_picture_has_every_reason_and_the_classes_are_named(curated, about):
    coupled = about("coupled")
    shown = pictures(curated.work, coupled)
    assert list(shown) == [fault.reason for fault in coupled.faults] == ["label_error", "coupling"]
    assert '"rock" & <b>soil</b>/tree interleave over' in " ".join(printed(coupled, shown).split())
    path = write_picture(curated.work.evidence, coupled, shown)
    assert path == curated.work.evidence / "coupled.png"
    assert cv2.imread(str(path)).shape[1] > 1000


def test_a_photo_that_is_gone_is_shown_from_what_was_kept_of_it(curated, about):
    gone = replace(about("swapped"), image=Path("/nowhere/swapped.png"))
    assert list(pictures(curated.work, gone)) == ["label_error"]


def test_names_are_not_taken_for_markup(about):
    odd = replace(about("p05"), pair_id="[red]x[/bold]", image=Path("[link=x]"))
    assert "[red]x[/bold]" in printed(odd) and "[link=x]" in printed(odd)


@pytest.mark.parametrize("name", ["0001", "a_b-c"])
def test_a_plain_id_is_its_own_file_name(name):
    assert safe_name(name) == name


def test_any_other_id_gets_a_safe_and_distinct_file_name():
    odd = ["a/b", "a_b ", "../../etc", "A", "a", "天空", "x" * 300, ".", "-", "<img>", "a\nb", "\udc80"]
    names = [safe_name(name) for name in odd]
    assert len({n.lower() for n in names}) == len(odd)
    assert all(n.isascii() and "/" not in n and not n.startswith((".", "-")) and len(n) < 100 for n in names)


# --- on the command line ------------------------------------------------------------------


def curate(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_curate_explain_prints_the_reasons_and_the_path_of_the_picture(curated):
    told = curate("explain", "swapped", "--work", curated.work.folder)
    assert told.exit_code == 0, told.output
    assert "swapped is dropped from Selection II: label_error" in told.output
    assert "looks like sky" in " ".join(told.output.split())
    assert Path(told.output.strip().splitlines()[-1]) == curated.work.evidence / "swapped.png"


def test_curate_explain_names_the_nearest_ids(curated):
    told = curate("explain", "swaped", "--work", curated.work.folder)
    assert told.exit_code == 2 and "The nearest: swapped" in told.output


def test_open_never_fails_where_there_is_no_viewer(curated, monkeypatch):
    def broken(url):
        raise OSError("no display")

    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setattr(explanation.webbrowser, "open", broken)
    assert curate("explain", "p12", "--work", curated.work.folder, "--open").exit_code == 0
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(explanation.sys, "platform", "linux")
    assert not explanation.open_picture(Path("x.png"))


def test_curate_explain_works_on_photos_alone(curated_photos):
    told = curate("explain", "night", "--work", curated_photos.work.folder, "--set", "dark=0.5")
    assert told.exit_code == 0 and "night is dropped from Selection II: dark" in told.output


def test_every_relation_of_copies_has_its_word(curated):
    """Those the search knows, so that none stops `explain`."""
    for relation in RELATIONS:
        duplicates = curated.duplicates.assign(relation=relation)
        explained = explain(curated.work, "p05", curated.scores, duplicates, curated.groups, Settings())
        assert "the same photo: copy (1.000" in printed(explained)
