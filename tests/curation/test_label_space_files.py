"""Label spaces as files: the facts of the built-in ones, every file form, every refusal by its message."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from curation.class_words import ROLES
from curation.label_space import NOT_ALLOWED, UNKNOWN, LabelSpaceError
from curation.label_space_files import (
    builtin_names,
    find_beside,
    from_class_dict,
    from_classes_json,
    from_toml,
    load_builtin,
    resolve,
)

SMALL = '[classes]\n0 = "sky"\n1 = "sea"\n5 = "old mill"\n'


@pytest.fixture
def toml(tmp_path):
    """Writes TOML text to a file and loads it."""

    def load(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return from_toml(path)

    return load


@pytest.fixture
def classes_json(tmp_path):
    """Writes a value, or text as it is, to classes.json and loads it."""

    def load(value):
        path = tmp_path / "classes.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return from_classes_json(path)

    return load


def names_with(space, role):
    return [space.names[index] for index in space.indices_of(role)]


# --- the built-in spaces -----------------------------------------------------------------


def test_builtin_names_are_these():
    assert builtin_names() == ("ade20k150", "camvid", "cityscapes19", "cocostuff", "landscape29", "stanford8")


@pytest.mark.parametrize(
    ("name", "count", "first_id", "last_id", "unknown", "colour_coded"),
    [
        ("landscape29", 29, 0, 28, (), False),
        ("ade20k150", 150, 1, 150, (0,), False),
        ("cocostuff", 171, 0, 181, (255,), False),
        ("cityscapes19", 19, 0, 18, (255,), True),
        ("camvid", 11, 0, 10, (11,), True),
        ("stanford8", 8, 0, 7, (255,), False),
    ],
)
def test_builtin_counts(name, count, first_id, last_id, unknown, colour_coded):
    space = load_builtin(name)
    assert space.name == name
    assert len(space.ids) == len(space.names) == len(space.colours) == count
    assert (space.ids[0], space.ids[-1]) == (first_id, last_id)
    assert space.unknown_ids == unknown
    assert space.colour_coded is colour_coded
    assert not space.allow_any


def test_landscape29_is_the_contest_order():
    assert load_builtin("landscape29").names == (
        "mountain", "sky", "water", "sea", "rock", "tree", "earth", "hill", "river", "sand", "land", "building",
        "grass", "plant", "person", "boat", "waterfall", "wall", "pier", "path", "lake", "bridge", "field", "road",
        "railing", "fence", "ship", "house", "other",
    )  # fmt: skip


def test_landscape29_roles():
    space = load_builtin("landscape29")
    assert names_with(space, "sky") == ["sky"]
    assert names_with(space, "water") == ["water", "sea", "river", "waterfall", "lake"]
    assert names_with(space, "vegetation") == ["tree", "grass", "plant"]
    ground = ["mountain", "rock", "earth", "hill", "sand", "land", "path", "field", "road"]
    assert names_with(space, "ground") == ground
    assert names_with(space, "built") == ["building", "wall", "pier", "bridge", "railing", "fence", "house"]
    assert names_with(space, "object") == ["person", "boat", "ship"]


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        (
            "ade20k150",
            {
                "wall": 1, "building, edifice": 2, "sky": 3, "tree": 5, "road, route": 7, "grass": 10,
                "person, individual, someone, somebody, mortal, soul": 13, "earth, ground": 14, "mountain, mount": 17,
                "water": 22, "sea": 27, "rock, stone": 35, "sand": 47, "river": 61, "bridge, span": 62, "hill": 69,
                "boat": 77, "ship": 104, "waterfall, falls": 114, "lake": 129, "pier, wharf, wharfage, dock": 141,
                "flag": 150, "earth": 14, "falls": 114,
            },
        ),
        (
            "cocostuff",
            {
                "person": 0, "fire hydrant": 10, "stop sign": 12, "giraffe": 24, "backpack": 26, "bottle": 43,
                "wine glass": 45, "toothbrush": 89, "banner": 91, "bridge": 94, "clouds": 105, "grass": 123, "sea": 154,
                "sky-other": 156, "tree": 168, "water-other": 177, "wood": 181,
            },
        ),
        ("cityscapes19", {"road": 0, "building": 2, "vegetation": 8, "sky": 10, "car": 13, "bicycle": 18}),
        ("camvid", {"sky": 0, "building": 1, "pole": 2, "road": 3, "pavement": 4, "tree": 5, "sign symbol": 6}),
        ("camvid", {"fence": 7, "car": 8, "pedestrian": 9, "bicyclist": 10}),
        ("stanford8", {"sky": 0, "tree": 1, "road": 2, "grass": 3, "water": 4, "building": 5, "mountain": 6}),
        ("stanford8", {"foreground object": 7}),
    ],
)  # fmt: skip
def test_builtin_ids(name, ids):
    space = load_builtin(name)
    assert {wanted: space.id_of(wanted) for wanted in ids} == ids


def test_cocostuff_has_80_things_and_91_stuff_classes_and_leaves_out_what_coco_dropped():
    space = load_builtin("cocostuff")
    assert sum(i <= 90 for i in space.ids) == 80
    assert [i for i in space.ids if i > 90] == list(range(91, 182))
    dropped = [11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90]
    assert sorted(set(range(91)) - set(space.ids)) == dropped
    assert set(space.index_table()[dropped]) == {NOT_ALLOWED}


@pytest.mark.parametrize(
    ("name", "role", "members"),
    [
        ("ade20k150", "sky", ["sky"]),
        (
            "ade20k150",
            "water",
            ["water", "sea", "river", "swimming pool, swimming bath, natatorium", "waterfall, falls", "lake"],
        ),
        ("ade20k150", "vegetation", ["tree", "grass", "plant, flora, plant life", "flower", "palm, palm tree"]),
        ("cocostuff", "sky", ["clouds", "sky-other"]),
        ("cocostuff", "water", ["river", "sea", "water-other"]),
        ("cityscapes19", "ground", ["road", "sidewalk", "terrain"]),
        ("cityscapes19", "vegetation", ["vegetation"]),
        ("camvid", "built", ["building", "fence"]),
        ("camvid", "object", ["pole", "sign symbol", "car", "pedestrian", "bicyclist"]),
        ("stanford8", "ground", ["road", "mountain"]),
        ("stanford8", "object", ["foreground object"]),
    ],
)
def test_builtin_roles(name, role, members):
    assert names_with(load_builtin(name), role) == members


def test_a_class_has_at_most_one_guessed_role():
    for name in builtin_names():
        indices = [i for role in ROLES for i in load_builtin(name).indices_of(role)]
        assert len(indices) == len(set(indices)), name


def test_cityscapes_label_ids_are_translated():
    space = load_builtin("cityscapes19")
    table = space.index_table("aachen_000000_000019_gtFine_labelIds.png")
    official = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13}
    official |= {27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
    expected = np.full(65536, NOT_ALLOWED, np.uint8)
    expected[:34] = UNKNOWN
    expected[255] = UNKNOWN
    for file_id, train_id in official.items():
        expected[file_id] = train_id
    assert np.array_equal(table, expected)


def test_cityscapes_train_ids_are_not_translated():
    space = load_builtin("cityscapes19")
    for file_name in ("", "aachen_gtFine_labelTrainIds.png", "labelIds_of_aachen.png"):
        table = space.index_table(file_name)
        assert table[:20].tolist() == [*range(19), NOT_ALLOWED]
        assert table[255] == UNKNOWN


def test_cityscapes_and_camvid_colours():
    cityscapes = load_builtin("cityscapes19")
    table = cityscapes.colour_table()
    assert table[0x804080] == 0  # road
    assert table[0x4682B4] == 10  # sky
    assert table[0x770B20] == 18  # bicycle
    assert table[0x000000] == table[0xFAAAA0] == UNKNOWN  # unlabelled; parking, which is not one of the 19
    assert sum(index != UNKNOWN for index in table.values()) == 19
    camvid = load_builtin("camvid").colour_table()
    assert camvid[0x808080] == 0
    assert camvid[0x0080C0] == 10
    assert camvid[0x000000] == UNKNOWN
    assert len(camvid) == 12


# --- file forms --------------------------------------------------------------------------


def test_toml_with_everything(toml):
    space = toml(
        """
        name = "coast"
        unknown = [9]
        [classes]
        5 = "Old Mill"
        0 = "sky"
        1 = "sea, ocean"
        3 = "void"
        [roles]
        object = ["old mill", "ocean"]
        [colours]
        sky = "#4682b4"
        sea = "#000080"
        "Old Mill" = "#804000"
        unknown = ["#000000", "#FFFFFF"]
        [id_aliases._raw]
        10 = 0
        11 = -1
        """
    )
    assert space.name == "coast"
    assert space.ids == (0, 1, 5)
    assert space.names == ("sky", "sea, ocean", "Old Mill")
    assert space.unknown_ids == (3, 9)
    assert dict(space.roles) == {
        "sky": (0,),
        "water": (),
        "vegetation": (),
        "ground": (),
        "built": (),
        "object": (1, 2),
    }
    assert space.colours == ((70, 130, 180), (0, 0, 128), (128, 64, 0))
    assert space.colour_coded
    assert space.colour_table() == {0x4682B4: 0, 0x000080: 1, 0x804000: 2, 0x000000: UNKNOWN, 0xFFFFFF: UNKNOWN}
    assert space.id_aliases == {"_raw": {10: 0, 11: -1}}
    assert space.index_table("a_raw.png")[[10, 11, 9, 12]].tolist() == [0, UNKNOWN, UNKNOWN, NOT_ALLOWED]


def test_toml_with_classes_only(toml):
    space = toml(SMALL)
    assert space.name == "mine"
    assert space.unknown_ids == (255,)
    assert not space.colour_coded
    assert 0x000000 not in space.colour_table()
    assert names_with(space, "water") == ["sea"]


def test_some_colours_are_for_display_only(toml):
    space = toml(SMALL + '[colours]\nsky = "#000000"\n')
    assert space.colours[0] == (0, 0, 0)
    assert not space.colour_coded


def test_a_given_colour_is_never_given_again(toml):
    space = toml(SMALL + '[colours]\n"old mill" = "#87ceeb"\nunknown = "#17508f"\n')  # the natural ones of sky and sea
    assert len({*space.colours, *space.unknown_colours}) == 4


@pytest.mark.parametrize(
    "value",
    [
        {"0": "mountain", "2": "sky", "1": "sea"},
        ["mountain", "sea", "sky"],
        {"classes": ["mountain", "sea", "sky"]},
        {"classes": {"0": "mountain", "1": "sea", "2": "sky"}},
        [{"id": 1, "name": "sea"}, {"id": 0, "name": "mountain", "trainId": 7}, {"id": 2, "name": "sky"}],
    ],
)
def test_json_forms(classes_json, value):
    space = classes_json(value)
    assert space.ids == (0, 1, 2)
    assert space.names == ("mountain", "sea", "sky")
    assert space.unknown_ids == (255,)
    assert space.indices_of("sky") == (2,)
    assert not space.colour_coded


def test_json_with_colours(classes_json):
    entries = [
        {"id": 0, "name": "sky", "color": [1, 2, 3]},
        {"id": 1, "name": "Void", "color": [9, 9, 9]},
        {"id": 4, "name": "sea", "colour": [4, 5, 6]},
    ]
    space = classes_json({"classes": entries})
    assert space.colour_coded
    assert space.ids == (0, 4)
    assert space.unknown_ids == (1, 255)
    assert space.colour_table() == {0x010203: 0, 0x040506: 1, 0x090909: UNKNOWN}


def test_255_is_unknown_unless_it_is_a_class(classes_json):
    assert classes_json({"0": "sky"}).unknown_ids == (255,)
    space = classes_json({"0": "sky", "255": "sea"})
    assert space.unknown_ids == ()
    assert space.index_table()[255] == 1


@pytest.mark.parametrize("name", ["unknown", "Void", "unlabeled", "unlabelled", "IGNORE"])
def test_void_names_mean_unknown(classes_json, name):
    space = classes_json([name, "sky"])
    assert space.names == ("sky",)
    assert space.unknown_ids == (0, 255)


def test_a_byte_order_mark_is_no_problem(tmp_path):
    (tmp_path / "classes.json").write_text('["sky"]', encoding="utf-8-sig")
    assert find_beside(tmp_path).names == ("sky",)


def test_class_dict_csv(tmp_path):
    path = tmp_path / "class_dict.csv"
    path.write_text("name, r, g, b\r\nVegetationMisc,192, 192, 0\r\nVoid,0,0,0\r\nTruck_Bus,192,128,192\r\n\r\n")
    space = from_class_dict(path)
    assert space.ids == (0, 2)
    assert space.names == ("VegetationMisc", "Truck_Bus")
    assert space.unknown_ids == (1, 255)
    assert space.colour_coded
    assert space.colour_table() == {0xC0C000: 0, 0xC080C0: 1, 0: UNKNOWN}
    assert names_with(space, "vegetation") == ["VegetationMisc"]
    assert names_with(space, "object") == ["Truck_Bus"]


def test_the_examples_in_the_documentation_load(toml, classes_json):
    page = (Path(__file__).parents[2] / "docs" / "label_spaces.md").read_text(encoding="utf-8")
    coast, street = (toml(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    assert names_with(coast, "built") == ["lighthouse"]
    assert names_with(coast, "ground") == ["beach"]
    assert street.colour_coded
    assert street.index_table("0001_labelIds.png")[[0, 7, 26, 1]].tolist() == [UNKNOWN, 0, 1, NOT_ALLOWED]
    spaces = [classes_json(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert [space.names for space in spaces] == [("mountain", "sky")] * 3
    for name in builtin_names():
        assert f"| `{name}` | {len(load_builtin(name).ids)} |" in page


def test_find_beside_takes_the_fullest_description(tmp_path):
    assert find_beside(tmp_path) is None
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,1,2,3\n")
    assert find_beside(tmp_path).name == "class_dict.csv"
    (tmp_path / "classes.json").write_text('["sky"]')
    assert find_beside(tmp_path).name == "classes.json"
    (tmp_path / "label_space.toml").write_text(SMALL)
    assert find_beside(tmp_path).name == "label_space"


STANFORD = ["sky", "tree", "road", "grass", "water", "building", "mountain", "foreground object"]


def test_a_file_with_the_classes_of_a_builtin_space_is_that_space(classes_json):
    space, builtin = classes_json(STANFORD), load_builtin("stanford8")
    assert space.name == "stanford8"
    assert space.roles == builtin.roles
    assert space.colours == builtin.colours
    assert names_with(space, "object") == ["foreground object"]


def test_the_unknown_ids_are_those_of_the_file(classes_json):
    space = classes_json([*STANFORD, "void"])
    assert space.name == "stanford8"
    assert space.unknown_ids == (8, 255)
    assert classes_json(list(load_builtin("landscape29").names)).unknown_ids == (255,)  # the built-in one has none


def test_a_file_without_colours_takes_the_colour_code_of_the_builtin_space(classes_json):
    space, builtin = classes_json(list(load_builtin("camvid").names)), load_builtin("camvid")
    assert space.colour_coded
    assert space.colour_table() == builtin.colour_table()
    assert space.unknown_ids == (255,)


def test_a_file_with_colours_keeps_them(tmp_path, classes_json):
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\n" + "".join(f"{n},{i},9,9\n" for i, n in enumerate(STANFORD)))
    space = find_beside(tmp_path)
    assert space.name == "stanford8"
    assert space.colour_coded
    assert space.colours[:2] == ((0, 9, 9), (1, 9, 9))
    names = load_builtin("camvid").names
    space = classes_json([{"id": i, "name": n} | ({"color": [1, 2, 3]} if i == 0 else {}) for i, n in enumerate(names)])
    assert space.name == "camvid"
    assert space.colours[0] == (1, 2, 3)
    assert not space.colour_coded  # one colour of its own, so the others are for display only


@pytest.mark.parametrize("change", [STANFORD[:-1], [*STANFORD, "moon"], ["Sky", *STANFORD[1:]], STANFORD[::-1]])
def test_other_classes_are_another_space(classes_json, change):
    assert classes_json(change).name == "classes.json"


def test_other_ids_are_another_space(classes_json):
    assert classes_json({str(i + 1): name for i, name in enumerate(STANFORD)}).name == "classes.json"


def test_a_toml_says_itself_what_it_says_and_takes_the_rest(toml):
    classes = "[classes]\n" + "".join(f'{i} = "{name}"\n' for i, name in enumerate(STANFORD))
    space = toml('name = "backyard"\n' + classes + '[roles]\nobject = []\n[colours]\nsky = "#010203"\n')
    assert space.name == "backyard"
    assert space.indices_of("object") == ()
    assert space.colours[0] == (1, 2, 3)
    assert toml(classes).to_dict() == load_builtin("stanford8").to_dict()


def test_resolve(tmp_path):
    assert resolve("camvid") is load_builtin("camvid")
    for file_name, text in {"a.toml": SMALL, "a.JSON": '["sky"]', "a.csv": "name,r,g,b\nsky,1,2,3\n"}.items():
        (tmp_path / file_name).write_text(text)
        assert resolve(str(tmp_path / file_name)).names[0] == "sky"


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[classes\n", "not valid TOML"),
        ('[classes]\n0 = "sky"\n0 = "sea"\n', "not valid TOML"),
        ('clases = 1\n[classes]\n0 = "sky"\n', 'the file has no key "clases". Did you mean "classes"?'),
        (SMALL + '[colors]\nsky = "#000000"\n', 'no key "colors". Did you mean "colours"?'),
        ("", "no classes; list at least one"),
        ('classes = ["sky"]\n', "classes is not a table; write it as [classes]"),
        ("[classes]\nsky = 0\n", '[classes]: "sky" is not a class id'),
        ("[classes]\n0 = 1\n", "[classes] 0: 1 is not a name"),
        ('[classes]\n0 = " "\n', '[classes] 0: " " is not a name'),
        ('[classes]\n0 = "sky"\n00 = "sea"\n', 'class id 0 is both "sky" and "sea"; keep one'),
        ('[classes]\n0 = "sky"\n1 = "Sky"\n', 'the name "Sky" stands for ids 0 and 1; rename one'),
        ('[classes]\n-1 = "sky"\n', "class id -1 (sky) is negative"),
        ('[classes]\n65536 = "sky"\n', "class id 65536 (sky) is above 65535"),
        ("unknown = 255\n" + SMALL, "unknown is not a list; write unknown = [255]"),
        ('unknown = ["x"]\n' + SMALL, 'unknown: "x" is not a class id'),
        ("unknown = [1]\n" + SMALL, 'class id 1 is both "sea" and "unknown"; keep one'),
        ("unknown = [-2]\n" + SMALL, "class id -2 (unknown) is negative"),
        ("name = 3\n" + SMALL, "name: 3 is not a name"),
        (SMALL + "[roles]\nwatr = []\n", '[roles] has no key "watr". Did you mean "water"?'),
        (SMALL + '[roles]\nsky = "sky"\n', "[roles] sky is not a list"),
        (
            SMALL + '[roles]\nbuilt = ["old mil"]\n',
            '[roles] built: [classes] has no class "old mil". Did you mean "old m',
        ),
        (SMALL + '[roles]\nbuilt = ["xyzzy"]\n', 'no class "xyzzy". It has "sky", "sea", "old mill".'),
        (SMALL + '[colours]\nskyy = "#000000"\n', '[colours]: [classes] has no class "skyy". Did you mean "sky"?'),
        (SMALL + '[colours]\nsky = "blue"\n', '[colours] sky: "blue" is not a colour; write it as "#rrggbb"'),
        (SMALL + '[colours]\nsky = "#010203"\nsea = "#010203"\n', '"sky" and "sea" have the same colour #010203'),
        (SMALL + '[colours]\nsky = "#010203"\nvoid = "#010203"\n', '"sky" and "unknown" have the same colour #010203'),
        (SMALL + "[id_aliases]\n_labelIds = 1\n", "write [id_aliases._suffix]"),
        (SMALL + "[id_aliases._x]\n7 = 4\n", "[id_aliases._x]: 7 = 4, but no class has id 4"),
        (SMALL + "[id_aliases._x]\n70000 = 0\n", "[id_aliases._x]: id 70000 cannot be in a label map"),
        (SMALL + '[id_aliases._x]\n7 = "sky"\n', '[id_aliases._x]: "sky" is not a class id'),
        ("[classes]\n" + "".join(f'{i} = "c{i}"\n' for i in range(255)), "255 classes, but at most 254 fit"),
    ],
)
def test_toml_refusals_say_which_file_and_what_to_do(toml, tmp_path, text, message):
    with pytest.raises(LabelSpaceError) as caught:
        toml(text)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "not valid JSON"),
        ('{"0": "sky", "0": "sea"}', '"0" is listed twice; keep one'),
        ({"mountain": 0}, 'the class list: "mountain" is not a class id; ids are whole numbers and stand before names'),
        ({"0": 1}, "class 0: 1 is not a name"),
        ({"1.5": "sky"}, '"1.5" is not a class id'),
        ({"-1": "sky"}, "class id -1 (sky) is negative"),
        (["sky", "sky"], 'the name "sky" stands for ids 0 and 1'),
        (["sky", 3], "not a class list; write"),
        ("3", "not a class list; write"),
        ([], "no classes"),
        ({}, "no classes"),
        ([f"c{i}" for i in range(300)], "300 classes, but at most 254 fit"),
        ([{"id": 0, "name": "sky"}, {"name": "sea"}], 'entry 1 has no "id" or no "name"'),
        ([{"id": True, "name": "sky"}], '"True" is not a class id'),
        ([{"id": 0, "name": "sky"}, {"id": 0, "name": "sea"}], 'class id 0 is both "sky" and "sea"'),
        ([{"id": 0, "name": "sky", "color": "#000000"}], "'#000000' is not a colour; write [r, g, b]"),
        ({"classes": ["sky"], "unknown": [0]}, 'has no key "unknown". Keys are classes.'),
    ],
)
def test_json_refusals(classes_json, tmp_path, value, message):
    with pytest.raises(LabelSpaceError) as caught:
        classes_json(value)
    assert str(caught.value).startswith(f"{tmp_path / 'classes.json'}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is ''; it must be name,r,g,b"),
        ("class_index,class,height\n0,sky,3\n", "the first line is 'class_index,class,height'; it must be name,r,g,b"),
        ("name,r,g,b\nsky,1,2\n", "line 2: r, g and b must be whole numbers from 0 to 255"),
        ("name,r,g,b\nsky,1,2,256\n", "line 2: r, g and b must be whole numbers"),
        ("name,r,g,b\n,1,2,3\n", 'line 2: "" is not a name'),
        ("name,r,g,b\nsky,1,2,3\nsea,1,2,3\n", '"sky" and "sea" have the same colour #010203'),
    ],
)
def test_csv_refusals(tmp_path, text, message):
    path = tmp_path / "class_dict.csv"
    path.write_text(text)
    with pytest.raises(LabelSpaceError) as caught:
        from_class_dict(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(LabelSpaceError, match=r"gone\.toml: cannot be read \(No such file"):
        resolve(tmp_path / "gone.toml")
    (tmp_path / "latin.json").write_bytes(b'["caf\xe9"]')
    with pytest.raises(LabelSpaceError, match=r"latin\.json: not UTF-8 text"):
        resolve(tmp_path / "latin.json")


def test_an_unknown_space_names_the_nearest_and_lists_all():
    with pytest.raises(LabelSpaceError) as caught:
        resolve("landscape")
    assert str(caught.value) == (
        'no label space "landscape". Did you mean "landscape29"? Built in are ade20k150, camvid, cityscapes19, '
        "cocostuff, landscape29, stanford8; or give the path of a .toml, .json or .csv file."
    )
    with pytest.raises(LabelSpaceError, match=r'no label space "qqq"\. Built in are ade20k150'):
        load_builtin("qqq")
