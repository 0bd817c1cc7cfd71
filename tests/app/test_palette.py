"""Colours of classes that people with any kind of colour vision tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from app.palette import NO_CLASS, colours_of, distances, seen
from curation.label_space_files import load_builtin

SPACES = ["stanford8", "camvid", "cityscapes19", "landscape29", "ade20k150"]


@pytest.mark.parametrize("name", SPACES)
def test_no_two_classes_share_a_colour(name):
    space = load_builtin(name)
    colours = colours_of(space)
    n = len(space.names)
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert len(np.unique(colours[:n], axis=0)) == n
    assert (colours[n:] == NO_CLASS).all()


@pytest.mark.parametrize(
    ("name", "apart"), [("stanford8", 29.9), ("camvid", 18), ("cityscapes19", 16), ("landscape29", 12)]
)
def test_any_two_classes_are_apart_for_all_four_kinds_of_vision(name, apart):
    n = len(load_builtin(name).names)
    given = np.concatenate([colours_of(load_builtin(name))[:n], [NO_CLASS]])
    by_vision = [min(np.linalg.norm(lab[i] - lab[j]) for i, j in combinations(range(n + 1), 2)) for lab in seen(given)]
    assert min(by_vision) >= apart, by_vision


def test_the_same_label_space_has_the_same_colours():
    colours_of.cache_clear()
    before = colours_of(load_builtin("landscape29")).copy()
    colours_of.cache_clear()
    assert (colours_of(load_builtin("landscape29")) == before).all()


def test_a_class_keeps_the_hue_it_has_in_its_label_space():
    space = load_builtin("stanford8")
    colours = dict(zip(space.names, colours_of(space)[: len(space.names)].astype(int), strict=True))
    red, green, blue = colours["grass"]
    assert green > red and green > blue
    assert colours["water"][2] > colours["water"][0]


def test_how_a_colour_is_seen():
    white, black = seen(np.array([[255, 255, 255], [0, 0, 0]]))[:, 0], seen(np.array([[0, 0, 0]]))[:, 0]
    assert np.allclose(white, [[100, 0, 0]] * 4, atol=0.2)  # grey is grey for everybody
    assert np.allclose(black, 0, atol=0.2)
    red, green = seen(np.array([[200, 0, 0]]))[:, 0], seen(np.array([[110, 110, 0]]))[:, 0]
    far = np.linalg.norm(red - green, axis=1)
    assert (
        far[0] > 60 and far[1] < 0.75 * far[0] and far[2] < 0.75 * far[0]
    )  # red and olive, with and without cones for red or green
    assert distances(np.array([200, 0, 0]), np.array([[110, 110, 0]]))[0] == pytest.approx(far.min())
