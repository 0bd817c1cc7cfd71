"""From class indices to channels: merges, unknown pixels, data without a class list, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from curation.label_space import UNKNOWN, ids_as_found
from curation.label_space_files import load_builtin
from training.classes import ClassesError, TrainingClasses, classes_of

LANDSCAPE = load_builtin("landscape29")
STANFORD = load_builtin("stanford8")  # has unknown pixels


def recipe(space=LANDSCAPE, **more):
    return {"label_space": space.to_dict(), **more}


def test_without_merges_channels_are_class_indices():
    classes = classes_of(recipe())
    assert (classes.names, classes.channels, classes.unknown) == (LANDSCAPE.names, 29, False)
    assert np.array_equal(classes.of(np.arange(29, dtype=np.uint8)), np.arange(29))
    assert np.array_equal(classes.table, [*range(29), *[255] * 227]) and classes.table.dtype == np.uint8
    assert np.array_equal(classes.colours, LANDSCAPE.colours) and classes.colours.dtype == np.uint8


def test_unknown_pixels_get_the_last_channel_shown_black():
    classes = classes_of(recipe(STANFORD))
    found = classes.of(np.array([[0, UNKNOWN], [7, 3]], np.uint8))
    assert found.dtype == np.uint8 and found.tolist() == [[0, 8], [7, 3]]
    assert (classes.channels, len(classes.names), classes.table[UNKNOWN]) == (9, 8, 255)
    assert classes.colours.shape == (9, 3) and classes.colours[8].tolist() == [0, 0, 0]


def test_a_merged_group_is_one_channel_named_after_its_first_and_the_rest_move_up():
    classes = classes_of(recipe(merges=[["water", "river", "lake", "sea"], ["tree", "plant"]]))
    names = [n for n in LANDSCAPE.names if n not in ("river", "lake", "sea", "plant")]
    assert classes.names == tuple(names) and classes.channels == 25
    by_name = dict(zip(LANDSCAPE.names, classes.of(np.arange(29, dtype=np.uint8)).tolist(), strict=True))
    assert {by_name[n] for n in ("water", "river", "lake", "sea")} == {names.index("water")}
    assert by_name["plant"] == by_name["tree"] == names.index("tree")
    assert {name: by_name[name] for name in names} == {name: i for i, name in enumerate(names)}


def test_a_group_stands_where_its_lowest_index_would():
    classes = classes_of(recipe(merges=[["lake", "sky"]]))
    assert classes.names[:3] == ("mountain", "lake", "water")
    assert classes.of(np.array([1, 20], np.uint8)).tolist() == [1, 1]
    assert classes.colours[1].tolist() == list(LANDSCAPE.colours[20])


def test_without_a_class_list_only_what_occurs_gets_a_channel():
    classes = classes_of(recipe(ids_as_found()), {7, 3, 200})
    assert (classes.names, classes.channels) == (("class 3", "class 7", "class 200"), 3)
    assert classes.of(np.array([200, 3, 7], np.uint8)).tolist() == [2, 0, 1]
    assert classes_of(recipe(ids_as_found()), {3, UNKNOWN}).channels == 2
    assert classes_of(recipe(ids_as_found())).channels == 255
    assert classes_of(recipe(LANDSCAPE), {3}).channels == 29


def test_merges_without_a_class_list():
    classes = classes_of(recipe(ids_as_found(), merges=[["class 1", "class 7"]]), {3, 7})
    assert classes.names == ("class 3", "class 1") and classes.of(np.array([7, 3], np.uint8)).tolist() == [1, 0]


def test_an_alias_that_means_unknown_needs_the_channel_too():
    space = replace(LANDSCAPE, id_aliases={"_old": {0: 1, 99: -1}})
    assert classes_of(recipe(space)).channels == 30


def test_classes_outlive_json():
    classes = classes_of(recipe(STANFORD, merges=[["road", "grass"]]))
    again = TrainingClasses.from_dict(json.loads(json.dumps(classes.to_dict())))
    assert again == classes and hash(again) == hash(classes)
    assert again != classes_of(recipe(STANFORD, merges=[["road", "water"]]))
    ids = np.array([*range(8), UNKNOWN], np.uint8)
    assert np.array_equal(again.of(ids), classes.of(ids))


@pytest.mark.parametrize(
    ("ids", "said"),
    [([UNKNOWN, 1, UNKNOWN], "2 pixels of unknown class"), ([4, 4, 4], '3 pixels of "class 4"')],
)
def test_pixels_without_a_channel_are_counted_and_named(ids, said):
    classes = classes_of(recipe(ids_as_found()), {0, 1})
    with pytest.raises(ClassesError, match=said):
        classes.of(np.array(ids, np.uint8))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no label_space"),
        ({"label_space": {"name": "x"}}, "lacks ids"),
        (recipe(merges=[["water", "rivr"]]), 'merges: .*no class "rivr". Did you mean "river"'),
        (recipe(merges=[["water", "river"], ["sea", "river"]]), 'name "river" twice'),
        (recipe(merges=["water", "river"]), "list of groups"),
        (recipe(merges={"water": "river"}), "list of groups"),
    ],
)
def test_bad_recipes(given, said):
    with pytest.raises(ClassesError, match=said):
        classes_of(given)


def test_nothing_but_unknown_pixels():
    with pytest.raises(ClassesError, match="no class, only unknown"):
        classes_of(recipe(ids_as_found()), {UNKNOWN})


@pytest.mark.parametrize(
    "change",
    [
        {"names": []},
        {"names": ["sky", "no such class"]},
        {"channel_of": [0, 1]},
        {"channel_of": [8] * 8},
        {"channel_of": "x"},
        {"space": {}},
        {"colour": 1},
    ],
)
def test_stored_classes_that_are_damaged(change):
    with pytest.raises(ClassesError, match="damaged"):
        TrainingClasses.from_dict(classes_of(recipe(STANFORD)).to_dict() | change)
    with pytest.raises(ClassesError, match="damaged"):
        TrainingClasses.from_dict({})
