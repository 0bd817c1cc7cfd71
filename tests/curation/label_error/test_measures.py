"""The measures of a label map: what is wrong with it moves the measure that is named after it."""

import cv2
import numpy as np
import pytest

from curation.label_error.grid import GRID, LABEL
from curation.label_error.measures import EDGES, MEASURES, fit_of, photo_edges

SKY, GROUND, TREE, HOUSE = range(4)


def scene():
    """Sky over ground, a tree on the left, a house low on the right; at label scale."""
    ids = np.full(LABEL, SKY, np.uint8)
    ids[104:] = GROUND
    ids[40:136, 24:72] = TREE
    ids[80:120, 176:232] = HOUSE
    return ids


def log_p_of(ids, sure=0.9, n_classes=4):
    """What a judge says that knows the map: `sure` for its class, the rest shared evenly."""
    known = np.where(ids == 255, 0, ids)
    shares = np.eye(n_classes, dtype=np.float32)[known].reshape(24, 8, 32, 8, n_classes).mean((1, 3))
    return np.log(shares * sure + (1 - shares) * (1 - sure) / max(n_classes - 1, 1)).astype(np.float32)


def photo_of(ids):
    colours = np.array([[120, 170, 230], [150, 110, 60], [40, 100, 40], [180, 60, 50]], np.uint8)
    return colours[ids]


def fit(ids, truth=None):
    truth = scene() if truth is None else truth
    return fit_of(log_p_of(truth), photo_edges(photo_of(truth)), ids)


def measures_of(ids, truth=None):
    return dict(zip(MEASURES, fit(ids, truth).values.tolist(), strict=True))


def moved(ids, dx, dy):
    """Moved by whole pixels; what is uncovered is what was at the border."""
    rows, columns = (np.clip(np.arange(n) - d, 0, n - 1) for n, d in zip(LABEL, (dy, dx), strict=True))
    return ids[rows][:, columns]


# --- exact values ---


def test_one_sure_class_everywhere():
    """p = 0.9, 0.1 for class 0, 1 in all cells; the map says 1 everywhere."""
    log_p = np.log(np.broadcast_to(np.float32([0.9, 0.1]), (*GRID, 2))).astype(np.float32)
    found = fit_of(log_p, np.zeros(EDGES, np.float32), np.ones(LABEL, np.uint8))
    values = dict(zip(MEASURES, found.values.tolist(), strict=True))
    margin, entropy = np.log(9), -0.9 * np.log(0.9) - 0.1 * np.log(0.1)
    expected = {
        "margin": margin,
        "nearly_worst": 0.9,
        "surprise": -np.log(0.1) - entropy,
        "disagreement": 0.9,
        "excess": 0.9 - 0.18,
        "margin_spot2": margin,
        "disagreement_spot4": 0.9,
        "region": 0.9,
        "region_surprise": -np.log(0.1) - entropy,
        "worst_class": 0.9,
        "share_most": 0.9,
        "share_sum": 1.8,
        "mirrored": 0.0,
        "shifted": 0.0,
        "edge": 0.0,
        "class_renamed": margin,
        "class_renamed_per_cell": margin,
        "region_renamed": margin,
        "spot_renamed": margin,
        "evidence_region": margin,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert found.shift == (0.0, 0.0)


def test_half_of_a_map_is_wrong():
    """The lower half is called 1 where the judge says 0: half of the margin, one region, and one class to rename."""
    log_p = np.log(np.broadcast_to(np.float32([0.9, 0.1]), (*GRID, 2))).astype(np.float32)
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 1
    values = dict(zip(MEASURES, fit_of(log_p, np.zeros(EDGES, np.float32), ids).values.tolist(), strict=True))
    half = np.log(9) / 2
    assert values["margin"] == pytest.approx(half, abs=1e-4)
    assert values["disagreement"] == pytest.approx(0.5, abs=1e-4)
    assert values["region"] == pytest.approx(0.45, abs=1e-4)
    assert values["worst_class"] == pytest.approx(0.9, abs=1e-4)
    assert values["share_most"] == pytest.approx(0.4, abs=1e-4)
    for name in ("class_renamed", "region_renamed", "evidence_region"):
        assert values[name] == pytest.approx(half, abs=1e-4), name
    assert values["class_renamed_per_cell"] == pytest.approx(np.log(9), abs=1e-4)


def test_measures_are_of_the_known_area():
    """With the right half unknown, the left half counts as much as the whole did."""
    log_p = np.log(np.broadcast_to(np.float32([0.9, 0.1]), (*GRID, 2))).astype(np.float32)
    ids = np.zeros(LABEL, np.uint8)
    ids[96:] = 1
    part = ids.copy()
    part[:, 128:] = 255
    nothing = np.zeros(EDGES, np.float32)
    whole, part = (dict(zip(MEASURES, fit_of(log_p, nothing, m).values.tolist(), strict=True)) for m in (ids, part))
    for name in MEASURES:
        if not name.endswith("spot_renamed") and "_spot" not in name:
            assert part[name] == pytest.approx(whole[name], abs=1e-4), name


# --- each kind of error ---


def test_a_right_map_fits():
    values = measures_of(scene())
    assert values["margin"] == pytest.approx(0, abs=1e-5) and values["region"] == 0
    assert values["excess"] < 0 and values["class_renamed"] == pytest.approx(0, abs=1e-4)
    for name in ("mirrored", "turned", "flipped", "shifted"):
        assert values[name] < -0.1, name
    assert values["edge"] == pytest.approx(values["edge_near"]) and values["edge_shifted"] <= 0
    assert fit(scene()).shift == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mirrored", scene()[:, ::-1]),
        ("turned", scene()[::-1, ::-1]),
        ("flipped", scene()[::-1]),
        ("shifted", moved(scene(), 24, -16)),
    ],
)
def test_a_moved_map_gains_by_moving_back_and_by_nothing_else(name, wrong):
    values = measures_of(np.ascontiguousarray(wrong))
    moves = {move: values[move] for move in ("mirrored", "turned", "flipped", "shifted")}
    assert values[name] > 0.2 and max(moves, key=moves.get) == name
    assert values["margin"] > 0.1


@pytest.mark.parametrize("x", [-24, 0, 16])
@pytest.mark.parametrize("y", [-16, 0, 12])
def test_edges_say_by_how_much_the_map_must_move_back(x, y):
    """In shares of the sides, to the right and down: the opposite of what the map was moved by."""
    found = fit(moved(scene(), x, y))
    assert found.shift == pytest.approx((-x / LABEL[1], -y / LABEL[0]), abs=2.1 / EDGES[1])
    gain = dict(zip(MEASURES, found.values.tolist(), strict=True))["edge_shifted"]
    assert gain > 0.1 if (x, y) != (0, 0) else gain <= 0


def test_a_swapped_class_gains_by_its_right_name():
    wrong = np.where(scene() == TREE, HOUSE, scene()).astype(np.uint8)
    right, values = measures_of(scene()), measures_of(wrong)
    share, gain = (scene() == TREE).mean(), np.log(0.9 / (0.1 / 3))
    house = (scene() == HOUSE).mean()  # is right, and would be renamed with the class
    assert values["class_renamed"] == pytest.approx((share - house) * gain, rel=1e-3)
    assert values["region_renamed"] == pytest.approx(share * gain, rel=1e-3)
    assert values["worst_class"] > 0.5 > right["worst_class"]
    assert values["edge"] == pytest.approx(right["edge"])  # its borders are right


def test_a_wrong_patch_is_a_spot():
    wrong = scene()
    wrong[144:184, 96:144] = TREE  # 5 x 6 cells in the ground
    right, values = measures_of(scene()), measures_of(wrong)
    for name in ("margin_spot1", "disagreement_spot2", "surprise_spot2", "spot_renamed", "region"):
        assert values[name] > right[name] + 0.03, name
    assert values["margin_spot1"] > values["margin_spot2"] > values["margin_spot4"]  # nothing wide is wrong
    assert values["region"] == pytest.approx(30 * (1 - 0.1 / 3) / 768, rel=1e-3)
    assert values["evidence_region"] == pytest.approx(30 * np.log(27) / 768, rel=1e-3)


def test_a_blank_map_misses_the_other_classes():
    values = measures_of(np.full(LABEL, SKY, np.uint8))
    assert values["share_sum"] > 0.5 and values["margin"] > 1
    assert values["edge"] == values["edge_shifted"] == 0


# --- maps with little in them ---


@pytest.mark.parametrize("n_classes", [1, 4, 151])
def test_a_map_without_known_pixels_is_no_error(n_classes):
    log_p = np.full((*GRID, n_classes), -np.log(n_classes), np.float32)
    found = fit_of(log_p, photo_edges(photo_of(scene())), np.full(LABEL, 255, np.uint8))
    assert not found.values.any() and found.shift == (0.0, 0.0)


def test_borders_of_unknown_are_no_edges():
    ids = scene()
    ids[30:150, 20:80] = 255
    ids[70:130, 170:240] = 255
    only = np.where(scene() == TREE, 255, SKY).astype(np.uint8)
    assert measures_of(only)["edge"] == 0
    assert measures_of(ids)["edge"] > 2  # the horizon is still there


@pytest.mark.parametrize("n_classes", [1, 2, 151, 254])
def test_any_map_of_any_number_of_classes_has_finite_measures(n_classes):
    rng = np.random.default_rng(n_classes)
    ids = cv2.resize(
        rng.integers(0, n_classes, (12, 16)).astype(np.uint8), LABEL[::-1], interpolation=cv2.INTER_NEAREST
    )
    ids[:60, :50] = 255
    log_p = np.log(rng.dirichlet(np.ones(n_classes), GRID) + 1e-3).astype(np.float32)
    found = fit_of(log_p, photo_edges(rng.integers(0, 256, (50, 300, 3), np.uint8)), ids)
    assert found.values.shape == (len(MEASURES),) and found.values.dtype == np.float32
    assert np.isfinite(found.values).all()


def test_edges_of_a_photo_lie_where_its_colours_change():
    photo = np.full((192, 256, 3), 90, np.uint8)
    photo[:, 128:] = (90, 90, 200)  # of nearly the same lightness
    edges = photo_edges(photo)
    assert edges.shape == EDGES and edges.dtype == np.float32 and edges.max() <= 3
    assert (edges[:, 63:65] > 1).all() and not edges[:, :60].any() and not edges[:, 68:].any()
    assert not photo_edges(np.zeros((5, 7, 3), np.uint8)).any()
