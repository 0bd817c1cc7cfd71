"""Class words: the roles that names speak of, and colours that are natural, distinct and the same everywhere."""

import itertools

import pytest

from curation.class_words import ROLES, assign_roles, fill_colours, guess_role, hex_to_rgb, pack, words_of
from curation.label_space import ids_as_found
from curation.label_space_files import builtin_names, load_builtin


@pytest.mark.parametrize("name", [*builtin_names(), "ids as found"])
def test_no_two_classes_look_the_same(name):
    space = ids_as_found() if name == "ids as found" else load_builtin(name)
    assert (0, 0, 0) not in space.colours
    for a, b in itertools.combinations(space.colours, 2):
        assert sum(abs(x - y) for x, y in zip(a, b, strict=True)) >= 17


def test_well_known_classes_have_natural_colours():
    space = load_builtin("landscape29")
    for name, channel in {"sky": 2, "water": 2, "sea": 2, "tree": 1, "grass": 1, "earth": 0, "sand": 0}.items():
        rgb = space.colours[space.index_of(name)]
        assert rgb[channel] == max(rgb), name
    assert sum(space.colours[space.index_of("water")]) < sum(space.colours[space.index_of("sky")])


def test_generated_colours_are_the_same_on_every_machine():
    assert load_builtin("landscape29").colours[28] == (253, 32, 253)  # "other" is no well-known thing
    assert ids_as_found().colours[:4] == ((32, 253, 32), (151, 32, 253), (253, 117, 32), (32, 202, 253))
    assert ids_as_found().colours[253] == (66, 117, 219)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Sky", "sky"),
        ("clouds", "sky"),
        ("sea", "water"),
        ("swimming pool", "water"),
        ("pool table", "object"),
        ("playingfield", "ground"),
        ("earth, ground", "ground"),
        ("stone", "ground"),
        ("wall-stone", "built"),
        ("stone wall", "built"),
        ("water tower", "built"),
        ("low vegetation", "vegetation"),
        ("RoadShoulder", "ground"),
        ("traffic_light", "object"),
        ("sidewalks", "ground"),
        ("skylight", None),
        ("carpet", None),
        ("other", None),
    ],
)
def test_roles_are_guessed_from_whole_words(name, role):
    assert guess_role(name) == role


def test_a_named_role_has_exactly_the_classes_named():
    roles = assign_roles(["sky", "sea", "cloud", "lake"], {"water": ["sea"], "object": ["cloud"]})
    expected = {"sky": (0,), "water": (1,), "vegetation": (), "ground": (), "built": (), "object": (2,)}
    assert roles == expected  # the lake, which the named role leaves out, has none
    assert tuple(roles) == ROLES


def test_the_word_that_says_most_comes_first():
    assert list(words_of("trafficLights-red, lamp")) == ["lights", "light", "traffic", "red", "lamp"]


def test_given_colours_stay_and_others_keep_clear_of_them():
    assert fill_colours(["sky", "sea"], [(1, 2, 3), None]) == ((1, 2, 3), (0x17, 0x50, 0x8F))
    sky = hex_to_rgb("#87ceeb")
    assert sky not in fill_colours(["sky"], unknown_colours=[sky])
    assert fill_colours(["sky", "sky-other"])[0] == sky != fill_colours(["sky", "sky-other"])[1]


def test_packed_colours():
    assert pack(hex_to_rgb("#0a0B0c")) == 0x0A0B0C
