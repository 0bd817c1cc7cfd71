"""Coupling: which classes interleave and over how much of a picture, whatever its size; fragments; score, words, picture."""

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from curation import evidence
from curation.decode import read_label
from curation.evidence.coupling import FIRST, SECOND
from curation.evidence.seen import SeenPair
from curation.label_space import UNKNOWN
from curation.label_space_files import load_builtin
from curation.scores import coupling
from curation.scores.coupling import Interleaving, cells_of, fragments, interleaved_area, interleavings, score, why
from curation.scores.view import View, ramp

STANFORD = load_builtin("stanford8")
NAMES = list(STANFORD.names)
SKY, TREE, ROAD, GRASS = (STANFORD.index_of(name) for name in ("sky", "tree", "road", "grass"))


def mixture(height, width, cell, seed=0):
    """(height, width) bool: two halves that interleave in blobs of about `cell` pixels."""
    grid = np.random.default_rng(seed).uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) > 0


def half_mixed(height=192, width=256, cell=5):
    """Sky above, grass below; in the right half of the picture both are one mixture."""
    ids = np.full((height, width), GRASS, np.uint8)
    ids[: height // 2] = SKY
    right = mixture(height, width - width // 2, cell)
    ids[:, width // 2 :] = np.where(right, SKY, GRASS)
    return ids


def scaled(ids, factor):
    return cv2.resize(ids, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)


def measured(ids):
    return coupling.measure(View(np.zeros((*ids.shape, 3), np.uint8), np.zeros(ids.shape, np.uint8), ids))


# --- what interleaves -----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_a_checkerboard_interleaves_all_over(side):
    ids = ((np.indices((192, 256)) // side).sum(0) % 2).astype(np.uint8)
    assert interleavings(ids) == [Interleaving(0, 1, 1.0)]


@pytest.mark.parametrize("width", [1, 2, 4, 6])
def test_stripes_interleave_all_over(width):
    ids = np.tile((np.arange(256) // width % 2).astype(np.uint8), (192, 1))
    (pair,) = interleavings(ids)
    assert pair.share == pytest.approx(1, abs=0.02)


Y, X = np.mgrid[:192, :256]


@pytest.mark.parametrize(
    "ids",
    [
        np.zeros((192, 256)),
        np.full((192, 256), UNKNOWN),
        Y > 90,
        Y + X > 200,
        abs(X - 128) < 4,
        abs(X - Y - 30) < 6,
        np.where(Y > 90, 2, X > 128),
        (Y > 90) ^ (X > 128),
        np.where(abs(X - 128) < 4, 2, Y > 90),
        X // 16 % 2,
    ],
    ids=["plain", "unknown", "line", "leaning line", "pole", "leaning pole", "T", "X", "pole at the horizon", "planks"],
)
def test_what_is_no_mixture_does_not_interleave(ids):
    ids = ids.astype(np.uint8)
    assert interleavings(ids) == []
    assert not interleaved_area(ids).any()


def test_a_mixture_with_unknown_does_not_interleave():
    ids = np.where(mixture(192, 256, 3), GRASS, UNKNOWN).astype(np.uint8)
    assert interleavings(ids) == []
    assert fragments(ids) == 0


def test_pairs_are_named_with_their_share_widest_first():
    ids = np.full((192, 256), 9, np.uint8)
    ids[:, :128] = np.where(np.arange(128) // 4 % 2, 3, 7)
    ids[:48, 192:] = np.where(np.arange(64) // 4 % 2, 0, 2)
    first, second = interleavings(ids)[:2]
    assert (first.first, first.second, second.first, second.second) == (3, 7, 0, 2)
    assert first.share == pytest.approx(0.5, abs=0.03)
    assert second.share == pytest.approx(1 / 16, abs=0.02)
    assert isinstance(first.first, int) and isinstance(first.share, float)


@pytest.mark.parametrize("seed", range(3))
def test_the_pairs_share_out_the_interleaved_area(seed):
    ids = (mixture(192, 256, 6, seed) + 2 * mixture(192, 256, 8, seed + 10)).astype(np.uint8)
    ids[:, 200:] = 0
    found = interleavings(ids)
    assert len(found) == 6
    assert sum(pair.share for pair in found) == pytest.approx(interleaved_area(cells_of(ids)).mean(), abs=0.0003)


def test_a_pair_gets_the_windows_that_it_is_in_and_no_others():
    ids = np.zeros((192, 256), np.uint8)
    ids[:, :64] = np.arange(64) // 2 % 2  # many fine stripes here
    ids[:, 192:] = np.arange(64) // 4 % 2 * 2  # fewer there, but over the same area
    shares = {(pair.first, pair.second): pair.share for pair in interleavings(ids)}
    assert shares == {(0, 1): pytest.approx(0.25, abs=0.03), (0, 2): pytest.approx(0.25, abs=0.03)}


def test_the_area_has_the_shape_of_the_label_map():
    ids = half_mixed()
    area = interleaved_area(ids)
    assert area.shape == ids.shape and area.dtype == bool
    assert area[:, 150:].mean() > 0.9 and not area[:, :110].any()


@pytest.mark.parametrize("shape", [(16, 16), (16, 256), (256, 16), (17, 251), (192, 256)])
def test_any_shape_is_measured(shape):
    ids = np.random.default_rng(0).integers(0, 8, shape).astype(np.uint8)
    assert 0 < sum(pair.share for pair in interleavings(ids)) <= 1.001
    assert 0 <= fragments(ids) <= 1
    assert interleaved_area(ids).shape == shape


# --- whatever the size of the file ------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 2, 4])
@pytest.mark.parametrize("cell", [5, 8])
def test_share_fragments_and_score_stay_when_the_label_map_is_resized(factor, cell):
    ids = half_mixed(cell=cell)
    (pair, *_), (other, *_) = interleavings(ids), interleavings(scaled(ids, factor))
    assert (other.first, other.second) == (pair.first, pair.second)
    assert other.share == pytest.approx(pair.share, rel=0.05)
    assert fragments(scaled(ids, factor)) == pytest.approx(fragments(ids), abs=0.005)
    assert measured(scaled(ids, factor)) == pytest.approx(measured(ids), abs=0.05)


@pytest.mark.parametrize("factor", [0.5, 2])
def test_real_label_maps_keep_their_share_when_they_are_resized(real_data, factor):
    moved = []
    for path in sorted((real_data / "stanford_background/labels").glob("*.png"))[::12]:
        ids = read_label(path, STANFORD).ids
        together = [sum(pair.share for pair in interleavings(i)) for i in (ids, scaled(ids, factor))]
        moved.append(abs(together[1] - together[0]))
    assert max(moved) < 0.03 and np.mean(moved) < 0.005


# --- fragments ----------------------------------------------------------------------------------


def tiled(*rows):
    """A pattern of cells repeated over a map of 96 x 128 cells: "." is class 0, other digits are classes."""
    pattern = np.array([[0 if c == "." else 255 if c == "?" else int(c) for c in row] for row in rows], np.uint8)
    return np.tile(pattern, (96 // pattern.shape[0], 128 // pattern.shape[1]))


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        (("....", ".1..", "....", "...."), 1 / 16),  # a speck of one cell
        (("........", "..11....", "..11....", *["........"] * 5), 4 / 64),  # of four
        (("........", "..111...", "..111...", "..111...", *["........"] * 4), 0),  # of nine: a patch
        (("........", "..111...", *["........"] * 6), 3 / 64),
        (("????", "?1??", "????", "????"), 0),  # against nothing known
        (("........", "...1....", "..111...", "..111...", "..111...", *["........"] * 3), 1 / 64),  # a bump
        (("....", "....", "1111", "1111"), 0),
    ],
)
def test_fragments_are_specks_and_bumps(rows, share):
    assert fragments(tiled(*rows)) == pytest.approx(share, abs=0.00005)


def test_smooth_borders_and_thin_poles_are_no_fragments():
    for ids in (Y > 90, Y + X > 200, (Y - 90) ** 2 + (X - 120) ** 2 < 3600, abs(X - 128) < 2):
        assert fragments(ids.astype(np.uint8)) <= 0.0004


def test_a_border_that_changes_from_cell_to_cell_is_ragged():
    border = 96 + np.random.default_rng(0).integers(-6, 7, 256)
    assert fragments((border < Y).astype(np.uint8)) > 128 / 3 / (96 * 128)  # every third cell along it, and more


# --- score --------------------------------------------------------------------------------------


def alike_of(a, b, value):
    alike = np.eye(8)
    alike[a, b] = alike[b, a] = value
    return alike


def test_the_score_weighs_shares_by_how_alike_the_classes_look():
    def one(share, alike):
        return score([Interleaving(SKY, TREE, share)], 0.0, alike_of(SKY, TREE, alike))

    assert one(0.14, 1) == pytest.approx(0.5)
    assert one(0.28, 0) == pytest.approx(0.5)
    assert one(0.2, 0.4) == pytest.approx(0.5)
    assert one(0.2, 0.05) < one(0.2, 0.2) < one(0.2, 0.6)
    assert one(0.2, 0.2) == pytest.approx(score([Interleaving(SKY, TREE, 0.2)], 0.0, None))
    assert score([], 0.0) == pytest.approx(ramp(0, 0, 0.28))


def test_fragments_count_twice_and_pairs_add_up():
    assert score([], 0.07) == pytest.approx(0.5)
    pairs = [Interleaving(SKY, TREE, 0.1), Interleaving(TREE, GRASS, 0.05)]
    alike = alike_of(SKY, TREE, 0.2)
    assert score(pairs, 0.01, alike) == pytest.approx(ramp(0.1 * 0.6 + 0.05 * 0.5 + 0.02, 0, 0.28))


def test_the_measure_is_the_score_of_what_was_found_without_knowing_what_looks_alike():
    ids = half_mixed()
    assert measured(ids) == score(interleavings(ids), fragments(ids))
    assert measured(ids) > 0.95
    assert measured(np.where(Y > 90, GRASS, SKY).astype(np.uint8)) < 0.05


def test_salt_and_pepper_is_found():
    def salted(share):
        rng = np.random.default_rng(0)
        ids = np.where(Y > 90, GRASS, SKY).astype(np.uint8)
        return measured(np.where(rng.random(ids.shape) < share, rng.integers(0, 8, ids.shape), ids).astype(np.uint8))

    assert salted(0.01) < 0.2 < 0.5 < salted(0.08)


def test_planted_mixtures_stand_apart_from_real_label_maps(real_data):
    clean, planted = [], []
    for i, path in enumerate(sorted((real_data / "stanford_background/labels").glob("*.png"))):
        ids = read_label(path, STANFORD).ids
        clean.append(measured(ids))
        classes = [c for c in range(8) if (ids == c).mean() >= 0.15]
        if i % 10 == 0 and len(classes) >= 2:
            a, b = classes[:2]
            mixed = np.where(mixture(*ids.shape, 5, seed=i), a, b)
            planted.append(measured(np.where((ids == a) | (ids == b), mixed, ids).astype(np.uint8)))
    assert len(planted) > 20 and min(planted) >= 0.5
    assert roc_auc_score([0] * len(clean) + [1] * len(planted), clean + planted) >= 0.98
    assert np.mean(np.array(clean) >= 0.5) <= 0.02


# --- words and picture --------------------------------------------------------------------------


def test_why_names_the_pair_that_weighs_most():
    pairs = [Interleaving(SKY, TREE, 0.31), Interleaving(TREE, GRASS, 0.25)]
    assert why(pairs, 0.0, None, NAMES) == "sky/tree interleave over 31 % of the picture"
    alike = alike_of(TREE, GRASS, 0.9)
    assert why(pairs, 0.0, alike, NAMES) == (
        "tree/grass interleave over 25 % of the picture, all classes together over 56 %"
    )


def test_why_tells_of_fragments_where_they_matter():
    pairs = [Interleaving(SKY, TREE, 0.31)]
    assert why(pairs, 0.01, None, NAMES) == "sky/tree interleave over 31 % of the picture"
    assert why(pairs, 0.05, None, NAMES).endswith("; specks and ragged borders over 5 % of the picture")
    assert why(pairs, 0.15, None, NAMES).startswith("specks and ragged borders over 15 % of the picture; sky/tree ")
    assert why([], 0.004, None, NAMES) == "specks and ragged borders over 0.4 % of the picture"
    assert why([], 0.0, None, NAMES) == "no two classes interleave"


def test_the_picture_shows_the_pair_in_two_colours_where_it_interleaves_and_dims_the_rest():
    ids = half_mixed()
    photo = np.full((*ids.shape, 3), (90, 120, 60), np.uint8)
    shown = evidence.show("coupling", SeenPair("one", photo, ids, STANFORD))
    drawn = shown.panels[-1].pixels
    assert shown.panels[-1].caption.startswith("sky (orange) and grass (blue) interleave over 4")
    assert shown.says.startswith("sky/grass interleave over 4") and shown.says.endswith(" % of the picture")
    right = drawn[:, 160:].reshape(-1, 3).astype(int)
    for index, colour in ((SKY, FIRST), (GRASS, SECOND)):
        here = right[(ids[:, 160:] == index).ravel()]
        assert np.mean(abs(here - colour).max(1) < 40) > 0.9
    left = drawn[:, :100]
    assert np.ptp(left, axis=2).max() == 0 and left.min() > 180


def test_the_picture_of_a_map_in_which_nothing_interleaves_says_so():
    ids = np.zeros((96, 128), np.uint8)
    shown = evidence.show("coupling", SeenPair("one", np.zeros((96, 128, 3), np.uint8), ids, STANFORD))
    assert shown.says == "no two classes interleave" and len(shown.panels) == 2
