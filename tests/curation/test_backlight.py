"""Backlight: how the light lies, on pictures made for it; what is not backlight; sky and water; the picture; the benchmark."""

import itertools
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
from command import ROOT
from PIL import Image

from benchmarks.auroc import auroc
from curation import evidence
from curation.decode import read_pair, read_photo
from curation.evidence.backlight import areas
from curation.evidence.seen import SeenPair
from curation.label_space_files import load_builtin
from curation.scores import dark
from curation.scores.backlight import BLACK, CELLS, WEIGHTS, cells, light_of, measure, sky_stops
from curation.scores.view import LINEAR, View

STANFORD = load_builtin("stanford8")
SKY, TREE, GRASS, WATER = (STANFORD.index_of(name) for name in ("sky", "tree", "grass", "water"))
SHAPE = (192, 256)


def encoded(light):
    """Linear light, (h, w) or (h, w, 3) -> (h, w, 3) uint8: the nearest sRGB codes."""
    codes = np.searchsorted((LINEAR[1:] + LINEAR[:-1]) / 2, light).astype(np.uint8)
    return codes if codes.ndim == 3 else np.repeat(codes[:, :, None], 3, 2)


def view_of(photo, ids=None):
    return View(photo, photo[:, :, 1], ids, None if ids is None else STANFORD)


def noise(cell=1, seed=0):
    """(192, 256) about standard normal, in blobs of `cell` pixels."""
    rng = np.random.default_rng(seed)
    grid = rng.normal(0, 1, (-(-SHAPE[0] // cell), -(-SHAPE[1] // cell))).astype(np.float32)
    return cv2.resize(grid, SHAPE[::-1], interpolation=cv2.INTER_NEAREST)


def texture(stops, deviation=0.4, cell=1, seed=0):
    """(192, 256) linear light of a surface: texture around a mean in stops."""
    return np.exp2(stops + deviation * noise(cell, seed))


def scene(sky=-0.3, ground=-3.2, horizon=96):
    """A smooth sky over a textured ground, each at a mean in stops."""
    light = texture(ground)
    light[:horizon] = texture(sky, 0.03)[:horizon]
    return encoded(light.clip(0, 1))


def labels(*rows):
    """A label map from (first row, class) in ascending order."""
    ids = np.zeros(SHAPE, np.uint8)
    for first, index in rows:
        ids[first:] = index
    return ids


SKY_OVER_GRASS = labels((0, SKY), (96, GRASS))
BOTH = pytest.mark.parametrize("ids", [None, SKY_OVER_GRASS], ids=["photo only", "with labels"])


# --- how the light lies -----------------------------------------------------------------------


def test_a_cell_holds_the_mean_of_linear_light_and_not_of_codes():
    photo = np.zeros((256, 256, 3), np.uint8)
    photo[::2] = 255  # half of the light of white
    stops = cells(view_of(photo))
    assert stops.shape == (CELLS, CELLS)
    np.testing.assert_allclose(stops, -1, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "shape"), [(192, 256, (48, 64)), (256, 128, (64, 32)), (9, 20, (9, 20))])
def test_there_are_at_most_64_cells_along_the_long_side(height, width, shape):
    assert cells(view_of(np.zeros((height, width, 3), np.uint8))).shape == shape


def test_black_is_ten_stops_below_white():
    assert cells(view_of(np.zeros((8, 8, 3), np.uint8))).tolist() == [[BLACK] * 8] * 8


def test_the_light_of_two_levels_is_exact():
    stops = np.full((12, 10), -6, np.float32)
    stops[:4] = -1
    light = light_of(stops)
    assert light.spread == pytest.approx(5 * (1 / 3 * 2 / 3) ** 0.5)
    assert light.clutter == pytest.approx(5 * 2 / 12)  # the rows on both sides of the border
    assert light.meeting == pytest.approx((2 / 12) ** 0.5)  # two dark rows within reach
    assert light.midtones == 0
    assert light.ground == 1


def test_dark_and_light_meet_only_within_reach():
    stops = np.full((12, 10), -3, np.float32)
    stops[0], stops[9:] = -1, -6
    assert light_of(stops).meeting == 0
    stops[:8] = -1
    assert light_of(stops).meeting == pytest.approx((1 / 12) ** 0.5)


def test_a_bright_ground_counts_up_to_a_fifth_of_the_picture():
    stops = np.full((10, 10), -6, np.float32)
    found = []
    for bright in (0, 5, 10, 20, 60):
        stops.ravel()[:bright] = -0.5
        found.append(light_of(stops).ground)
    assert found == pytest.approx([0, 0.25, 0.5, 1, 1])


def test_a_picture_of_one_level_is_not_backlit():
    for level in (0, 60, 128, 255):
        flat = view_of(np.full((*SHAPE, 3), level, np.uint8))
        light = light_of(cells(flat))
        assert (light.spread, light.clutter, light.meeting) == (0, 0, 0)
        assert measure(flat) < 0.001


def test_masses_a_border_and_a_bright_ground_speak_for_backlight_clutter_and_midtones_against():
    assert min(WEIGHTS.spread, WEIGHTS.meeting, WEIGHTS.ground) > 0 > max(WEIGHTS.clutter, WEIGHTS.midtones)


# --- what is backlight and what is not -----------------------------------------------------------


@BOTH
def test_a_bright_sky_over_a_black_ground_is_backlight(ids):
    assert measure(view_of(scene(ground=-7), ids)) > 0.9
    assert measure(view_of(scene(ground=-2.5), ids)) < 0.01


@BOTH
def test_backlight_rises_as_the_ground_goes_dark(ids):
    values = [measure(view_of(scene(ground=stops), ids)) for stops in (-2, -3, -4, -5, -6, -7)]
    assert all(b >= a for a, b in itertools.pairwise(values))
    assert values[-1] - values[0] > 0.9


@BOTH
def test_a_silhouette_against_a_low_sun_is_backlight(ids):
    """The sky fades away from the sun; a figure and the land before it are sunk."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = np.exp2(-0.1 - np.hypot(y - 90, x - 90) / 90)
    figure = (np.abs(x - 170) < 14) & (y > 40)
    light = np.where((y >= 96) | figure, texture(-7), light)
    assert measure(view_of(encoded(light.clip(0, 1)), ids)) > 0.5


def test_a_dark_car_in_daylight_is_not_backlight():
    light = texture(-2.6)
    light[:70] = texture(-0.8, 0.05)[:70]
    light[100:160, 60:190] = texture(-6.5)[100:160, 60:190]
    assert measure(view_of(encoded(light.clip(0, 1)))) < 0.1


def test_a_forest_under_an_overcast_sky_is_not_backlight():
    light = texture(-4, 1.2, cell=5)  # leaves and the gaps between them
    light[:60] = np.where(noise(4, seed=1)[:60] > 0, 0.9, light[:60])  # sky through the crowns
    assert measure(view_of(encoded(light.clip(0, 1)))) < 0.1


def test_a_night_scene_with_lamps_is_not_backlight():
    rng = np.random.default_rng(0)
    lamps = np.zeros(SHAPE, np.float32)
    for _ in range(25):
        cv2.circle(lamps, (int(rng.integers(256)), int(rng.integers(50, 120))), int(rng.integers(2, 6)), 1.0, -1)
    light = texture(-7.5, 0.6) + cv2.GaussianBlur(lamps, (0, 0), 2)
    night = view_of(encoded(light.clip(0, 1)))
    assert measure(night) < 0.05


@BOTH
@pytest.mark.parametrize("ground", [-2.5, -3.2, -4])
def test_an_underexposed_photo_is_dark_and_not_backlight(ids, ground):
    view = view_of(encoded(LINEAR[scene(ground=ground)] / 2**5), ids)
    assert dark.measure(view) > 0.7
    assert measure(view) < 0.05


# --- sky and water in the label map --------------------------------------------------------------


def test_sky_stops_are_the_stops_between_sky_and_the_rest():
    photo = np.zeros((*SHAPE, 3), np.uint8)
    photo[:96] = 255
    assert sky_stops(view_of(photo, SKY_OVER_GRASS)) == pytest.approx(10)
    assert sky_stops(view_of(np.full_like(photo, 90), SKY_OVER_GRASS)) == pytest.approx(0, abs=1e-6)
    assert sky_stops(view_of(photo)) is None


@pytest.mark.parametrize(
    ("rows", "usable"), [(0, False), (9, False), (10, True), (182, True), (183, False), (192, False)]
)
def test_a_sky_below_a_twentieth_of_the_picture_or_all_of_it_says_nothing(rows, usable):
    ids = labels((0, SKY), (rows, GRASS))
    assert (sky_stops(view_of(scene(), ids)) is not None) is usable
    if not usable:
        assert measure(view_of(scene(ground=-6), ids)) == measure(view_of(scene(ground=-6)))


def test_a_sky_of_scattered_pixels_says_nothing():
    ids = np.full(SHAPE, GRASS, np.uint8)
    ids[::3, ::3] = SKY
    assert sky_stops(view_of(scene(), ids)) is None


@pytest.mark.parametrize(("water", "gap"), [(-0.5, 6.2), (-7.5, 6.5)])
def test_bright_water_is_ground_and_dark_water_is_subject(water, gap):
    """Sky at 0, land at -6 and water, a third of the picture each."""
    light = np.exp2(np.repeat([[0.0], [-6.0], [water]], 64, 0) * np.ones((1, 256)))
    ids = labels((0, SKY), (64, GRASS), (128, WATER))
    expected = -0.25 + 6 if water > -3 else (6 - water) / 2
    assert sky_stops(view_of(encoded(light), ids)) == pytest.approx(expected, abs=0.15)
    assert expected == pytest.approx(gap, abs=0.6)


def test_water_alone_under_the_sky_is_the_subject():
    light = np.exp2(np.repeat([[0.0], [-1.0]], 96, 0) * np.ones((1, 256)))
    assert sky_stops(view_of(encoded(light), labels((0, SKY), (96, WATER)))) == pytest.approx(1, abs=0.05)


def test_a_map_whose_sky_is_dark_leaves_the_judgement_to_the_photo():
    photo = scene(ground=-7)
    assert sky_stops(view_of(photo, SKY_OVER_GRASS[::-1].copy())) < 0
    assert measure(view_of(photo, SKY_OVER_GRASS[::-1].copy())) == measure(view_of(photo))


# --- the picture -------------------------------------------------------------------------------


def seen(photo, ids=None):
    return SeenPair("one", photo, ids, STANFORD)


def test_the_picture_marks_what_is_dark_crushed_lit_and_burnt_out():
    light = np.exp2(np.repeat([[-0.05], [-1.0], [-3.0], [-5.0], [-8.0], [-8.0]], 32, 0) * np.ones((1, 256)))
    found = areas(seen(encoded(light)))
    assert [area.mean() for area in found] == pytest.approx([3 / 6, 2 / 6, 2 / 6, 1 / 6])
    drawn = evidence.show("backlight", seen(encoded(light))).panels[1].pixels
    rows = drawn[16::32, 128].astype(int)
    assert rows[4, 2] > rows[4, 0] + 100 and rows[0, 0] > rows[0, 2] + 100  # blue, yellow
    assert np.ptp(rows[2]) == 0  # what is neither stays grey


def test_the_picture_says_how_far_apart_dark_and_light_are():
    light = np.exp2(np.repeat([[-1.0], [-6.0]], 96, 0) * np.ones((1, 256)))
    assert evidence.show("backlight", seen(encoded(light), SKY_OVER_GRASS)).says == (
        "50 % dark (blue) and 50 % lit (yellow), 5.0 stops apart; mid-tones cover 0 %; the sky lies 5.0 stops above the rest"
    )
    assert "50 % dark (blue, 50 % crushed to black)" in evidence.show("backlight", seen(encoded(light / 8))).says
    assert "below the rest" in evidence.show("backlight", seen(encoded(light), SKY_OVER_GRASS[::-1].copy())).says


def test_the_picture_of_a_photo_without_dark_or_light_says_so():
    grey = np.full((*SHAPE, 3), 100, np.uint8)
    assert evidence.show("backlight", seen(grey)).says == "0 % dark (blue) and 0 % lit (yellow); mid-tones cover 100 %"


# --- real photos -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stanford(real_data):
    """stem -> (photo, ids) of Stanford Background."""
    folder = real_data / "stanford_background"
    read = {}
    for image in sorted((folder / "images").iterdir()):
        photo, label = read_pair(image, folder / "labels" / f"{image.stem}.png", STANFORD)
        read[image.stem] = (photo.photo, label.ids)
    return read


@pytest.fixture(scope="module")
def alone(stanford):
    return pd.Series({stem: measure(view_of(photo)) for stem, (photo, _) in stanford.items()})


@pytest.fixture(scope="module")
def judged(alone):
    table = pd.read_csv(ROOT / "benchmarks/stanford_backlit.csv", dtype=str).set_index("stem")["judgement"]
    assert set(table.index) <= set(alone.index) and table.index.is_unique
    return table.reindex(alone.index).fillna("not")


@pytest.fixture(scope="module")
def outdoor(real_data):
    """The outdoor photos that their collectors call backlit."""
    index = pd.read_csv(real_data / "backlit_dev/index.csv")
    files = index.loc[index["scene"].str.startswith("outdoor"), "file"]
    return [read_photo(real_data / "backlit_dev/images" / file).photo for file in files]


def test_backlit_photos_stand_out_from_ordinary_ones_by_the_photo_alone(outdoor, alone):
    scores = [measure(view_of(photo)) for photo in outdoor]
    assert auroc(np.array(scores), alone.to_numpy(), 0)[0] > 0.975
    assert np.mean(np.array(scores) >= 0.5) > 0.6


def test_hardly_a_photo_that_is_not_backlit_by_eye_is_rejected(stanford, alone, judged):
    with_labels = pd.Series({stem: measure(view_of(*pair)) for stem, pair in stanford.items()})
    for scores in (alone, with_labels):
        assert (scores[judged != "backlit"] >= 0.5).mean() < 0.02
        assert auroc(scores[judged == "backlit"].to_numpy(), scores[judged == "not"].to_numpy(), 0)[0] > 0.94


def test_the_probabilities_promise_about_as_many_backlit_photos_as_were_judged(alone, judged):
    assert (judged == "backlit").sum() <= alone.sum() <= judged.isin(["backlit", "borderline"]).sum()


def half_a_stop(stops):
    return lambda photo: encoded((LINEAR[photo] * 2.0**stops).clip(0, 1))


def as_jpeg(photo):
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)


def halved(photo):
    return cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("change", "least"),
    [(as_jpeg, 0.97), (halved, 0.97), (half_a_stop(0.5), 0.96), (half_a_stop(-0.5), 0.96)],
    ids=["re-encoded", "half the size", "lighter", "darker"],
)
def test_backlight_is_still_found_in_changed_copies(outdoor, stanford, change, least):
    some = [photo for photo, _ in itertools.islice(stanford.values(), 0, None, 4)]
    positive, negative = ([measure(view_of(change(photo))) for photo in photos] for photos in (outdoor, some))
    assert auroc(np.array(positive), np.array(negative), 0)[0] > least


@pytest.fixture(scope="module")
def planted(real_data, planter, tmp_path_factory):
    """defect -> [(photo, ids)] of a planted copy."""
    folder = tmp_path_factory.mktemp("planted")
    which = ["--only", "backlit,dark,overexposed", "--fraction", "0.5", "--seed", "57"]
    subprocess.run([sys.executable, planter, real_data / "stanford_background", folder, *which], check=True)
    truth = pd.read_csv(folder / "truth.csv", dtype=str).set_index("pair_id")["defect"]
    found = {"backlit": [], "dark": [], "overexposed": [], "clean": []}
    for image in sorted((folder / "images").iterdir()):
        photo, label = read_pair(image, folder / "labels" / f"{image.stem}.png", STANFORD)
        found[truth.get(image.stem, "clean")].append((photo.photo, label.ids))
    return found


def test_planted_backlight_is_found_with_the_sky_of_the_label_map(planted):
    scores = {name: np.array([measure(view_of(*pair)) for pair in pairs]) for name, pairs in planted.items()}
    assert auroc(scores["backlit"], scores["clean"], 0)[0] > 0.985
    assert (scores["backlit"] >= 0.5).mean() > 0.75
    assert (scores["dark"] >= 0.5).mean() < 0.01
    assert (scores["overexposed"] >= 0.5).mean() < 0.01


def test_a_wrong_label_map_costs_little(planted):
    turned = {
        name: np.array([measure(view_of(photo, ids[::-1, ::-1].copy())) for photo, ids in planted[name]])
        for name in ("backlit", "clean")
    }
    assert auroc(turned["backlit"], turned["clean"], 0)[0] > 0.97
    assert (turned["clean"] >= 0.5).mean() < 0.02


# --- the benchmark -------------------------------------------------------------------------------


def test_the_benchmark_prints_figures_for_any_photos(tmp_path):
    for name, ground, n in (("backlit", -7.5, 3), ("ordinary", -3, 4)):
        (tmp_path / name).mkdir()
        for i in range(n):
            Image.fromarray(scene(ground=ground, horizon=90 + i)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "judged.csv").write_text("stem,judgement,why\n2,borderline,dim\n3,backlit,dark\n")
    command = [sys.executable, "-m", "benchmarks.backlight", "--seed", "3"]
    for name in ("backlit", "ordinary", "judged.csv"):
        command += [f"--{name.partition('.')[0]}", tmp_path / name]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "3 backlit photos, 4 ordinary photos: AUROC 1.0000 (1.0000 to 1.0000)" in said
    assert "found 3 of 3 = 1.000 (0.439 to 1.000); rejected of the others 0 of 4 = 0.000 (0.000 to 0.490)" in said
    assert "1 judged backlit, 2 judged not" in said
    (tmp_path / "judged.csv").write_text("stem,judgement\nnone,backlit\n")
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1 and "judges none" in refused.stderr
