"""Scores: what each docstring promises, on pictures made for it; [0, 1] whatever the picture; unmoved by the file's size."""

import dataclasses
import itertools
import math

import cv2
import numpy as np
import pytest
from PIL import Image

from curation.decode import read_pair, shrink
from curation.label_space import UNKNOWN
from curation.label_space_files import load_builtin
from curation.scores import (
    SCORES,
    Score,
    blur,
    dark,
    low_information,
    measure_all,
    monochrome,
    overexposed,
)
from curation.scores.view import LEVELS, LINEAR, View, ramp

STANFORD = load_builtin("stanford8")
SKY, TREE, GRASS = (STANFORD.index_of(name) for name in ("sky", "tree", "grass"))


def view_of(photo, ids=None, space=STANFORD):
    """The View of an RGB photo of any size; a label map is taken as it is."""
    height, width = photo.shape[:2]
    detail = shrink(photo, *(max(1, round(side * min(1, 512 / max(width, height)))) for side in (width, height)))
    preview = shrink(photo, *(max(1, round(side * min(1, 256 / max(width, height)))) for side in (width, height)))
    grey = cv2.cvtColor(detail, cv2.COLOR_RGB2GRAY)
    return View(preview, grey, ids, None if ids is None else space)


def flat(*colour, size=(384, 512)):
    return np.full((*size, 3), colour, np.uint8)


def outdoors(sky=215, ground=110, width=512, height=384):
    """A plain blue sky over a textured green ground, of these mean codes."""
    noise = np.random.default_rng(0).normal(0, 1, (height, width)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 3) * 6 + 0.5 * noise
    green = np.full((height, width), sky, np.float32) + noise
    green[height // 2 :] = ground * (1 + 0.35 * noise[height // 2 :])
    tint = np.where(np.arange(height)[:, None, None] < height // 2, (0.8, 0.9, 1.05), (0.9, 1, 0.7))
    return np.clip(green[:, :, None] * tint, 0, 255).astype(np.uint8)


def two_classes(height=192, width=256):
    """Sky over grass, fitting outdoors()."""
    ids = np.full((height, width), GRASS, np.uint8)
    ids[: height // 2] = SKY
    return ids


def checker(side=16, height=384, width=512):
    y, x = np.mgrid[:height, :width] // side
    return np.repeat(((y + x) % 2 * 200 + 30).astype(np.uint8)[:, :, None], 3, 2)


def blurred(photo, sigma):
    return cv2.GaussianBlur(photo, (0, 0), sigma) if sigma else photo


def rises(values, by=0.0):
    return all(b >= a - 1e-9 for a, b in itertools.pairwise(values)) and values[-1] - values[0] > by


# --- the list of scores ---------------------------------------------------------------------


def test_every_score_says_what_it_is_and_how_it_is_measured():
    assert list(SCORES) == [
        "backlight", "label_error", "coupling", "blur", "dark", "overexposed", "monochrome", "low_information"
    ]  # fmt: skip
    for name, score in SCORES.items():
        assert isinstance(score, Score)
        assert score.says
        assert score.version >= 1
        if name == "label_error":
            assert score.measure is None  # needs the whole set
        else:
            assert score.measure.__module__ == f"curation.scores.{name}"
            assert score.measure.__doc__


def test_measure_all_gives_the_scores_asked_for_to_4_decimals():
    view = view_of(outdoors(), two_classes())
    values = measure_all(view, ["dark", "blur", "label_error", "coupling"])
    assert list(values) == ["dark", "blur", "coupling"]
    assert values["dark"] == round(dark.measure(view), 4)


def test_without_labels_only_coupling_cannot_be_said():
    values = measure_all(view_of(outdoors()), list(SCORES))
    assert {name for name, value in values.items() if value is None} == {"coupling"}


DEGENERATE = {
    "black": flat(0, 0, 0),
    "white": flat(255, 255, 255),
    "one colour": flat(200, 10, 90),
    "one white pixel": np.pad(flat(255, 255, 255, size=(1, 1)), ((99, 100), (0, 199), (0, 0))),
    "16 x 16, black": flat(0, 0, 0, size=(16, 16)),
    "16 x 16, noise": np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8),
    "one row": np.random.default_rng(0).integers(0, 256, (1, 512, 3), np.uint8),
    "one column": np.random.default_rng(0).integers(0, 256, (512, 1, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (384, 512, 3), np.uint8),
    "black and white": checker(1),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("labels", ["none", "unknown", "one class", "two classes", "noise"])
@pytest.mark.parametrize("name", DEGENERATE)
def test_every_score_is_in_0_to_1_whatever_the_picture(name, labels):
    height, width = view_of(DEGENERATE[name]).photo.shape[:2]
    ids = {
        "none": None,
        "unknown": np.full((height, width), UNKNOWN, np.uint8),
        "one class": np.full((height, width), SKY, np.uint8),
        "two classes": two_classes(height, width),
        "noise": np.random.default_rng(1).integers(0, 8, (height, width), np.uint8),
    }[labels]
    for score, value in measure_all(view_of(DEGENERATE[name], ids), list(SCORES)).items():
        if score == "coupling" and ids is None:
            assert value is None
        else:
            assert math.isfinite(value)
            assert 0 <= value <= 1, score


@pytest.mark.parametrize("sky", [215, 40])
def test_scores_do_not_depend_on_the_size_of_the_file(tmp_path, sky):
    large = cv2.resize(outdoors(sky), (2048, 1536), interpolation=cv2.INTER_CUBIC)
    large[200:600, 300:900] = cv2.resize(checker(40, 400, 600), (600, 400), interpolation=cv2.INTER_NEAREST)
    ids = cv2.resize(two_classes(), (2048, 1536), interpolation=cv2.INTER_NEAREST)
    ids[800:1200, ::32] = TREE
    found = []
    for step in (1, 2):
        Image.fromarray(shrink(large, 2048 // step, 1536 // step)).save(tmp_path / "1.jpg", quality=95)
        Image.fromarray(ids[::step, ::step]).save(tmp_path / "1.png")
        photo, label = read_pair(tmp_path / "1.jpg", tmp_path / "1.png", STANFORD)
        found.append(measure_all(View(photo.photo, photo.detail, label.ids, STANFORD), list(SCORES)))
    for name, value in found[0].items():
        assert found[1][name] == pytest.approx(value, abs=0.1), name


# --- what the scores see ----------------------------------------------------------------------


def test_ramp_is_a_half_half_way():
    assert ramp(3, 2, 4) == 0.5
    assert ramp(2, 2, 4) == pytest.approx(1 / (1 + math.exp(4)))
    assert ramp(4, 2, 4) == pytest.approx(1 - ramp(2, 2, 4))
    assert (ramp(-1e9, 2, 4), ramp(1e9, 2, 4)) == (pytest.approx(0), pytest.approx(1))


def test_linear_light_is_that_of_srgb():
    assert LINEAR[[0, 255]].tolist() == [0, 1]
    assert LINEAR[128] == pytest.approx(0.2158605, abs=1e-6)
    assert LINEAR[10] == pytest.approx(10 / 255 / 12.92, abs=1e-7)


def test_luminance_weighs_the_channels_in_linear_light():
    for colour, weight in {(255, 0, 0): 0.2126, (0, 255, 0): 0.7152, (0, 0, 255): 0.0722, (255, 255, 255): 1}.items():
        assert view_of(flat(*colour, size=(16, 16))).luminance == pytest.approx(weight, abs=1e-6)


def test_the_histogram_has_20_steps_a_stop():
    photo = flat(255, 255, 255, size=(16, 16))
    photo[:8] = 0
    histogram = view_of(photo).log_luminance_histogram
    assert histogram.shape == (LEVELS,)
    assert (histogram[0], histogram[-1], histogram.sum()) == (0.5, 0.5, 1)
    code = int(np.argmin(abs(LINEAR - 0.25)))
    assert abs(int(view_of(flat(code, code, code)).log_luminance_histogram.argmax()) - 160) <= 1  # 2 stops of 10


def test_role_is_where_the_label_map_shows_it():
    view = view_of(outdoors(), two_classes())
    assert np.array_equal(view.role("sky"), two_classes() == SKY)
    assert view.role("sky", "vegetation").all()
    assert not view.role("water").any()
    assert view_of(outdoors()).role("sky") is None
    nothing = dataclasses.replace(STANFORD, roles={role: () for role in STANFORD.roles})
    assert view_of(outdoors(), two_classes(), nothing).role("sky") is None
    unknown = np.full((192, 256), UNKNOWN, np.uint8)
    assert not view_of(outdoors(), unknown).role("sky").any()


# --- blur, dark, overexposed, monochrome, low information -----------------------------------------


@pytest.mark.parametrize("photo", [outdoors(), checker()], ids=["outdoors", "checker"])
@pytest.mark.parametrize("sigma", [2, 3, 4, 6, 8])  # in pixels, of 512
def test_a_blurred_picture_is_blur_and_the_sharp_one_is_not(photo, sigma):
    assert blur.measure(view_of(photo)) < 0.05
    assert blur.measure(view_of(blurred(photo, sigma))) > 0.5


def test_a_very_wide_blur_is_still_blur():
    photo = outdoors()
    photo[60:300, 100:330] = checker(40, 240, 230)
    for sigma in (10, 13, 16):
        assert blur.measure(view_of(blurred(photo, sigma))) > 0.9


def test_blur_rises_with_the_width_of_the_blur():
    assert rises([round(blur.measure(view_of(blurred(checker(32), s))), 3) for s in (0, 0.5, 0.8, 1.2, 2, 4)], by=0.9)


def test_an_enlarged_picture_is_blur():
    small = shrink(outdoors(), 64, 48)
    assert blur.measure(view_of(cv2.resize(small, (512, 384), interpolation=cv2.INTER_CUBIC))) > 0.5


def test_one_sharp_thing_is_enough():
    photo = blurred(outdoors(), 4)
    assert blur.measure(view_of(photo)) > 0.5
    photo[100:180, 200:300] = outdoors()[250:330, 200:300]
    assert blur.measure(view_of(photo)) < 0.05


@pytest.mark.parametrize("sigma", [0, 1, 2, 3])
def test_blur_hardly_depends_on_contrast(sigma):
    photo = blurred(checker(), sigma)
    faint = (photo * 0.5 + 60).astype(np.uint8)
    assert blur.measure(view_of(faint)) == pytest.approx(blur.measure(view_of(photo)), abs=0.1)


@pytest.mark.parametrize(("code", "value"), [(71, 0.5), (120, 0), (35, 1)])
def test_dark_is_a_half_4_stops_below_white(code, value):
    assert dark.measure(view_of(flat(code, code, code))) == pytest.approx(value, abs=0.06)


def test_dark_rises_as_the_light_goes():
    values = [dark.measure(view_of((outdoors() * f).astype(np.uint8))) for f in (1, 0.6, 0.4, 0.3, 0.2, 0.1, 0)]
    assert rises(values, by=0.9)


def test_a_light_that_covers_more_than_a_twentieth_is_not_dark():
    photo = flat(5, 5, 5)
    photo[: 384 // 10] = 255
    assert dark.measure(view_of(photo)) < 0.05
    photo[384 // 50 :] = 5
    assert dark.measure(view_of(photo)) > 0.95


@pytest.mark.parametrize("code", [244, 250, 255])
def test_overexposed_is_a_half_where_45_percent_are_burnt_out(code):
    photo = flat(100, 120, 140, size=(200, 256))
    photo[:90] = code
    assert overexposed.measure(view_of(photo)) == pytest.approx(0.5, abs=0.02)
    photo[90:130] = code
    assert overexposed.measure(view_of(photo)) > 0.95
    photo[50:] = 120
    assert overexposed.measure(view_of(photo)) < 0.05


def test_bright_is_not_burnt_out():
    assert overexposed.measure(view_of(flat(243, 243, 243))) < 0.05


TINTS = {
    "grey": np.eye(3),
    "sepia": np.array([[0.393, 0.349, 0.272], [0.769, 0.686, 0.534], [0.189, 0.168, 0.131]]).T,
    "cyanotype": np.diag([0.3, 0.6, 0.9]),
}


@pytest.mark.parametrize("tint", TINTS)
@pytest.mark.parametrize("quality", [None, 90])
def test_grey_and_toned_pictures_are_monochrome(tint, quality):
    photo = outdoors(width=1024, height=768)
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    photo = np.clip(grey @ TINTS[tint].T, 0, 255).astype(np.uint8)
    if quality:
        photo = cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert monochrome.measure(view_of(photo)) > 0.9


def test_monochrome_falls_with_the_colour_that_is_left():
    grey = cv2.cvtColor(cv2.cvtColor(outdoors(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    rng = np.random.default_rng(0)
    colour = cv2.resize(rng.normal(0, 1, (24, 32, 3)).astype(np.float32), (512, 384), interpolation=cv2.INTER_CUBIC)
    photos = [np.clip(grey + colour * f, 0, 255).astype(np.uint8) for f in (0, 1, 2, 4, 8, 16)]
    assert rises([-monochrome.measure(view_of(photo)) for photo in photos], by=0.9)
    assert monochrome.measure(view_of(outdoors())) < 0.05


def test_a_small_thing_in_colour_is_enough():
    grey = cv2.cvtColor(cv2.cvtColor(outdoors(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    grey[200:260, 200:300] = (200, 40, 40)  # 3 % of the picture
    assert monochrome.measure(view_of(grey)) < 0.05


def test_a_flat_picture_has_low_information():
    fog = flat(180, 185, 190)
    fog = np.clip(fog + np.random.default_rng(0).normal(0, 2, fog.shape), 0, 255).astype(np.uint8)
    assert low_information.measure(view_of(flat(128, 128, 128))) > 0.95
    assert low_information.measure(view_of(fog)) > 0.95
    assert low_information.measure(view_of(outdoors())) < 0.05


def test_low_information_is_a_half_where_88_percent_are_flat_and_falls_with_content():
    def with_content(share):
        photo = flat(128, 128, 128)
        photo[: round(384 * share)] = checker(6)[: round(384 * share)]
        return low_information.measure(view_of(photo))

    assert rises([-with_content(share) for share in (0, 0.04, 0.08, 0.12, 0.2, 0.5)], by=0.9)
    assert with_content(0.1) == pytest.approx(0.5, abs=0.25)


def test_blur_leaves_the_content():
    for sigma in (0, 2, 4):
        assert low_information.measure(view_of(blurred(outdoors(), sigma))) < 0.05
