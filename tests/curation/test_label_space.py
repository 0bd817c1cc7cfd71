"""Label spaces: the tables, the stored form, and what a space refuses, by its message."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from curation.class_words import ROLES
from curation.label_space import NOT_ALLOWED, UNKNOWN, LabelSpace, LabelSpaceError, ids_as_found
from curation.label_space_files import builtin_names, from_toml, load_builtin

SMALL = '[classes]\n0 = "sky"\n1 = "sea"\n5 = "old mill"\n'


@pytest.fixture
def toml(tmp_path):
    """Writes TOML text to a file and loads it."""

    def load(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return from_toml(path)

    return load


def test_index_table_is_exact():
    table = load_builtin("landscape29").index_table("0001.png")
    assert table.shape == (65536,)
    assert table.dtype == np.uint8
    assert table[:29].tolist() == list(range(29))
    assert (table[29:] == NOT_ALLOWED).all()  # 255 too: this space has no unknown

    ade = load_builtin("ade20k150").index_table()
    assert ade[0] == UNKNOWN
    assert ade[1:151].tolist() == list(range(150))
    assert (ade[151:] == NOT_ALLOWED).all()


def test_index_table_is_shared_and_so_cannot_be_written():
    table = load_builtin("landscape29").index_table()
    assert table is load_builtin("landscape29").index_table("a.png")
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_the_longest_alias_suffix_wins_and_unknown_ids_keep_their_meaning(toml):
    space = toml(SMALL + "[id_aliases._Ids]\n7 = 0\n[id_aliases._labelIds]\n8 = 5\n9 = -1\n255 = 1\n")
    assert space.index_table("a_Ids.png")[[0, 7, 8, 255]].tolist() == [NOT_ALLOWED, 0, NOT_ALLOWED, UNKNOWN]
    assert space.index_table("d/a_labelIds.png")[[0, 7, 8, 9, 255]].tolist() == [
        NOT_ALLOWED,
        NOT_ALLOWED,
        2,
        UNKNOWN,
        1,
    ]


def test_ids_as_found():
    space = ids_as_found()
    assert space.allow_any
    assert space.names[7] == "class 7"
    table = space.index_table("x.png")
    assert table[:254].tolist() == list(range(254))
    assert table[254] == NOT_ALLOWED
    assert table[255] == UNKNOWN
    assert (table[256:] == NOT_ALLOWED).all()
    assert all(space.indices_of(role) == () for role in ROLES)


@pytest.mark.parametrize("name", [*builtin_names(), "ids as found"])
def test_round_trip_through_json_and_pickle(name):
    space = ids_as_found() if name == "ids as found" else load_builtin(name)
    again = LabelSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert hash(again) == hash(space)
    assert again.digest() == space.digest()
    assert pickle.loads(pickle.dumps(space)) == space
    assert np.array_equal(again.index_table("a_labelIds.png"), space.index_table("a_labelIds.png"))


def test_digest_changes_with_any_part(toml):
    digests = {
        toml(SMALL).digest(),
        toml(SMALL.replace("sea", "lake")).digest(),
        toml("unknown = []\n" + SMALL).digest(),
        toml(SMALL + "[roles]\nsky = []\n").digest(),
        toml(SMALL + '[colours]\nsky = "#000001"\n').digest(),
        toml(SMALL + "[id_aliases._x]\n1 = 0\n").digest(),
    }
    assert len(digests) == 6
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": []}, 'a stored label space has no key "colour". Did you mean "colours"?'),
        ({"ids": ["x"]}, "a stored label space is damaged"),
        ({"roles": {}}, "roles are ; they must be sky, water"),
        ({"names": ["sky"]}, "3 ids, 1 names, 3 colours"),
        ({"ids": [1, 0, 5]}, "ids do not ascend"),
        ({"colours": [[0, 0, 300]] * 3}, "[0, 0, 300] is not a colour"),
    ],
)
def test_a_damaged_stored_space_is_refused(toml, change, message):
    with pytest.raises(LabelSpaceError) as caught:
        LabelSpace.from_dict(toml(SMALL).to_dict() | change)
    assert message in str(caught.value)


def test_a_stored_space_that_lacks_a_part_is_refused(toml):
    stored = toml(SMALL).to_dict()
    del stored["roles"]
    with pytest.raises(LabelSpaceError, match="lacks roles"):
        LabelSpace.from_dict(stored)


def test_roles_must_point_at_classes(toml):
    stored = toml(SMALL).to_dict()
    stored["roles"]["sky"] = [3]
    with pytest.raises(LabelSpaceError, match=r"role sky has class indices \(3,\); they go from 0 to 2"):
        LabelSpace.from_dict(stored)


def test_an_unknown_class_or_role_names_the_nearest():
    space = load_builtin("landscape29")
    with pytest.raises(LabelSpaceError) as caught:
        space.id_of("montain")
    assert str(caught.value) == 'label space "landscape29" has no class "montain". Did you mean "mountain"?'
    with pytest.raises(LabelSpaceError, match=r'no role "watr"\. Did you mean "water"\? Roles are sky, water'):
        space.indices_of("watr")
    with pytest.raises(LabelSpaceError, match=r"\.\.\. \(29 classes\)\.$"):
        space.id_of("xyzzy")
    with pytest.raises(
        LabelSpaceError, match='more than one class "screen": "screen door, screen" and "blind, screen"'
    ):
        load_builtin("ade20k150").id_of("screen")


def test_importing_is_light():
    code = "import sys, curation.label_space_files; print({'pandas', 'cv2', 'PIL', 'scipy'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
