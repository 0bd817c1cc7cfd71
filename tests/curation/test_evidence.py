"""Pictures: one for every reason, showing what the score measured and naming the classes; no name can break one."""

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from curation import evidence
from curation.evidence import blur, dark, equivalence_class, label_error, overexposed
from curation.evidence.learned import Fit
from curation.evidence.marks import ORANGE, name_of, write_in
from curation.evidence.panel import Panel, Picture, draw, drawable, percent, wrap
from curation.evidence.seen import SeenPair
from curation.label_error.simulated import SAYS
from curation.label_space_files import load_builtin
from curation.rules import RULES, Settings, select
from curation.scores.view import LEVELS, ramp
from curation.verdicts import Verdict

EVERYTHING = {name: 0.5 for name in ("dark", "overexposed", "blur", "low_information")}


@pytest.fixture(scope="module")
def seen(curated):
    """reason -> a pair that has it, as the report sees it."""
    dropped = Verdict("drop", ("anna",), "", "blur", datetime(2026, 1, 23, tzinfo=timezone.utc))
    selection = select(*curated.tables, Settings(thresholds=EVERYTHING, keep_per_class=1), {"p01": dropped})
    learned = evidence.load_learned(curated.work, set(curated.scores["pair_id"]))
    found = {}
    for pair_id in ["swapped", *selection.faults]:
        for fault in selection.faults[pair_id]:
            if fault.reason != "unreadable" and fault.reason not in found:
                pairs = evidence.find_seen(
                    curated.work.parts, {pair_id, fault.representative} - {None}, curated.work.space, learned
                )
                found[fault.reason] = replace(
                    pairs[pair_id],
                    score=fault.score,
                    threshold=fault.threshold,
                    other=pairs.get(fault.representative),
                )
    found["target_size"] = next(iter(found.values()))
    return found


def pair(photo, ids=None, **more):
    return SeenPair("one", np.asarray(photo, np.uint8), ids, load_builtin("stanford8"), **more)


def test_there_is_an_entry_for_every_reason():
    assert list(evidence.PICTURES) == [rule.reason for rule in RULES] or set(evidence.PICTURES) == {
        rule.reason for rule in RULES
    }


@pytest.mark.parametrize("reason", [reason for reason, function in evidence.PICTURES.items() if function])
def test_every_reason_has_a_picture_of_a_sane_size(seen, reason):
    drawn = evidence.picture(reason, seen[reason])
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
    assert 300 < drawn.shape[0] < 1200 and 700 < drawn.shape[1] < 1600
    assert drawn.std() > 10


@pytest.mark.parametrize("reason", [reason for reason, function in evidence.PICTURES.items() if function])
def test_every_picture_can_be_made_of_a_photo_without_label_map(seen, reason):
    other = seen[reason].other and replace(seen[reason].other, ids=None)
    assert evidence.picture(reason, replace(seen[reason], ids=None, other=other)).shape[2] == 3


def test_an_unreadable_pair_has_no_picture(seen):
    assert evidence.picture("unreadable", seen["blur"]) is None


def test_coupling_names_both_classes_and_how_much_of_the_picture_it_is(seen):
    shown = evidence.show("coupling", seen["coupling"])
    assert shown.says.startswith('"rock" & <b>soil</b>/tree interleave over ')
    assert shown.says.endswith(" % of the picture")
    alike = seen["coupling"].learned.alike[1, 2]
    assert f" and look alike to {percent(float(alike))}" in shown.panels[-1].caption


def test_label_error_names_what_the_region_looks_like_and_what_it_is_labelled(seen):
    shown = evidence.show("label_error", seen["label_error"])
    assert "looks like sky, labelled tree" in shown.says
    assert "looks like sky, labelled tree" in shown.panels[-1].caption


def test_label_error_finds_the_place(curated):
    learned = evidence.load_learned(curated.work, {"p12"})
    clean = evidence.find_seen(curated.work.parts, ["p12"], curated.work.space, learned)["p12"]
    assert label_error.disputes(clean) == []
    wrong = clean.ids.copy()
    wrong[:24, :32] = 2  # sky, called tree: 8 of 24 rows and 8 x 32 / 24 columns of cells
    (dispute, *_) = label_error.disputes(replace(clean, ids=wrong))
    truth = np.zeros((24, 32), bool)
    truth[:8, : round(32 / 96 * 32)] = True
    assert (dispute.given, dispute.looks) == (2, 0)
    assert (dispute.area & truth).sum() / (dispute.area | truth).sum() > 0.7


@pytest.fixture
def judged(curated):
    """p12 with some label map, of which is said what kind of error it has and how far its borders are off."""
    learned = evidence.load_learned(curated.work, {"p12"})
    one = evidence.find_seen(curated.work.parts, ["p12"], curated.work.space, learned)["p12"]

    def wrong(kind, shift=(0.0, 0.0), change=lambda ids: ids):
        return replace(one, ids=change(one.ids), learned=replace(learned, fits={"p12": Fit(kind, shift)}))

    return wrong


def orange(panel):
    return (panel.pixels == ORANGE).all(2)


@pytest.mark.parametrize(
    ("shift", "how"),
    [
        ((-0.125, 0.125), "moved 12 % left and 12 % down"),
        ((0.25, 0.004), "moved 25 % right"),
        ((0.0, -0.25), "moved 25 % up"),
    ],
)
def test_a_map_that_fits_better_shifted_is_shown_so(judged, shift, how):
    height, width = judged("shifted").ids.shape
    dx, dy = round(shift[0] * width), round(shift[1] * height)
    rows, columns = (np.clip(np.arange(n) + d, 0, n - 1) for n, d in ((height, dy), (width, dx)))
    shown = label_error.show(judged("shifted", shift, lambda ids: ids[rows][:, columns]))
    assert shown.says.startswith(f"it fits better shifted ({how})")
    as_is, moved = shown.rows[1]
    assert moved.caption == f"the same borders {how}"
    inner = slice(20, height - 20), slice(26, width - 26)  # what is neither moved in nor out
    there = orange(moved)[20 + dy : height - 20 + dy, 26 + dx : width - 26 + dx]
    assert (orange(as_is)[inner] == there).mean() > 0.99 and (orange(as_is) != orange(moved)).mean() > 0.02


def test_a_map_that_fits_better_mirrored_is_shown_so(judged):
    shown = label_error.show(judged("mirrored", change=lambda ids: np.ascontiguousarray(ids[:, ::-1])))
    as_is, mirrored = map(orange, shown.rows[1])
    assert shown.says.startswith("it fits better mirrored") and (as_is[:, ::-1] == mirrored).mean() > 0.97


@pytest.mark.parametrize("kind", ["other", "swapped"])
def test_a_map_that_is_not_to_be_moved_has_no_second_row(judged, kind):
    shown = label_error.show(judged(kind))
    assert len(shown.rows) == 1 and shown.says == SAYS[kind]


@pytest.mark.parametrize(("kind", "shift"), [("mirrored", (0, 0)), ("turned", (0, 0)), ("shifted", (0.1, 0.1))])
def test_that_it_fits_better_moved_is_not_said_where_it_does_not(judged, kind, shift):
    """p12 has no fault: its map moved fits its photo worse."""
    shown = label_error.show(judged(kind, shift))
    assert len(shown.rows) == 1 and shown.says == "no region stands out"


def test_the_limit_of_dark_is_where_the_score_crosses_its_threshold():
    assert dark.stops_at(0.5) == pytest.approx(4, abs=10 / LEVELS)
    assert dark.stops_at(0.9) > 4 > dark.stops_at(0.1)


@pytest.mark.parametrize("ratio", [2.5, 3.0, 4.0])
def test_blur_reads_the_ratio_back_from_the_score(ratio):
    assert blur.ratio_of(ramp(np.log(ratio), *blur.BLURRED)) == f"{ratio:.1f}"


def test_overexposed_says_how_much_is_burnt_out():
    photo = np.full((40, 40, 3), 100)
    photo[:10] = 255
    assert overexposed.show(pair(photo)).says == "25 % of the picture (magenta) is burnt out to white"


def test_equivalence_counts_the_cells_that_agree_also_in_a_mirror():
    ids = np.zeros((72, 96), np.uint8)
    ids[:36, :48] = 1
    changed = ids.copy()
    changed[:2, :2] = 2  # one cell of 36 x 48
    photo = np.zeros((72, 96, 3))
    for other, how in ((changed, "99.9 %"), (changed[:, ::-1], "99.9 %, seen in a mirror")):
        shown = equivalence_class.show(pair(photo, ids, other=pair(photo, np.ascontiguousarray(other))))
        assert shown.says.endswith(f"1,727 of 1,728 cells agree, similarity {how}")


def test_a_photo_from_its_file_is_shown_finer_than_from_the_parts(tmp_path):
    from PIL import Image

    from curation.evidence.seen import see_files

    photo = np.random.default_rng(0).integers(0, 255, (40, 1000, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "wide.png")
    one = see_files("wide", tmp_path / "wide.png", None, load_builtin("stanford8"))
    assert one.photo.shape[1] == 256 and one.display.shape == (20, 512, 3)
    assert one.enlarge(np.ones(one.photo.shape[:2], bool)).shape == (20, 512)
    assert see_files("gone", tmp_path / "gone.png", None, load_builtin("stanford8")) is None


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "drawn"), [("tree", "tree"), ("Bäume", "Baume"), ("天空", "??"), ("a\nb\0", "a b?"), ("\udc80 x", "? x")]
)
def test_any_name_can_be_drawn(name, drawn):
    assert drawable(name) == drawn
    assert draw(Picture(((Panel(np.zeros((20, 20, 3), np.uint8), name * 40),),), name)).shape[2] == 3


def test_a_class_that_the_font_cannot_write_has_its_id_beside_it(curated):
    assert name_of(curated.work.space, 3) == "天空 (class 3)"
    assert name_of(curated.work.space, 2) == "tree" and name_of(curated.work.space, 255) == "unknown"


@pytest.mark.parametrize("shape", [(3, 256, 3), (256, 3, 3), (1, 1, 3)])
def test_a_panel_of_any_shape_is_drawn_with_its_caption(shape):
    drawn = draw(Picture(((Panel(np.zeros(shape, np.uint8), "quite a long caption below it"),),), ""))
    assert max(drawn.shape) < 700 and drawn.shape[1] > 180


def test_words_in_a_picture_do_not_cover_each_other():
    area = np.zeros((200, 300), bool)
    area[80:120, 100:200] = True

    def dark_pixels(*words):
        paper = np.full((200, 300, 3), 255, np.uint8)
        return int((write_in(paper, [area] * len(words), [[w] for w in words], 14).min(2) < 128).sum())

    assert dark_pixels("first", "second", "third") == sum(map(dark_pixels, ("first", "second", "third")))


@pytest.mark.parametrize(
    ("share", "told"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.997, "99.7 %"), (0.0004, "0.04 %"), (1e-7, "almost 0 %")],
)
def test_only_nothing_is_zero_percent_and_only_a_whole_is_a_hundred(share, told):
    assert percent(share) == told


def test_lines_are_wrapped_and_a_number_stays_with_its_percent_sign():
    lines = wrap("over 44 % of " + "x" * 200, 80, 17)
    assert any("44 %" in line for line in lines) and "".join(lines).count("x") == 200


def test_classes_with_the_same_short_name_are_told_apart():
    space = load_builtin("ade20k150")
    names = [name_of(space, i) for i in range(len(space.names))]
    assert len(set(names)) == len(names) and "sky" in names


def test_nothing_was_learned_where_no_label_map_was_judged(curated, curated_photos):
    assert evidence.load_learned(curated_photos.work, {"p12"}) is None
    learned = evidence.load_learned(curated.work, {"p12", "swapped"})
    assert set(learned.fits) == {"p12", "swapped"}
    assert learned.alike.shape == (4, 4) and np.array_equal(learned.alike, learned.alike.T, equal_nan=True)
    assert 0 <= learned.alike[0, 1] <= 1


def test_label_maps_of_a_cropped_copy_are_shown_and_not_laid_over_each_other(seen):
    """They show other parts of the photo, so a share of pixels that agree would mean nothing."""
    copy = replace(seen["near_duplicate"], relation="cropped")
    shown = evidence.show("near_duplicate", copy)
    assert shown.says == "the same photo, cropped" and len(shown.rows) == 2
    assert not any("agree" in panel.caption for panel in shown.panels)
