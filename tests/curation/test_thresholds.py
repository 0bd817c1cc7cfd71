import pytest

from curation.rules import RuleError
from curation.thresholds import parse_assignments, read_thresholds


def test_assignments_are_numbers_or_off():
    assert parse_assignments(["backlight=0.6", "coupling=off", " blur = .5"]) == {
        "backlight": 0.6,
        "coupling": None,
        "blur": 0.5,
    }


@pytest.mark.parametrize("word", ["backlight", "backlight=", "backlight=high"])
def test_an_assignment_that_is_none_is_refused(word):
    with pytest.raises(RuleError, match="backlight"):
        parse_assignments([word])


def test_a_toml_file_holds_one_table(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('[thresholds]\nbacklight = 0.6\ncoupling = "off"\n')
    assert read_thresholds(file) == {"backlight": 0.6, "coupling": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backlight = 0.6", "one table"),
        ("[thresholds]\nx = true", "x=True"),
        ("[", "not valid TOML"),
        ("[threshold]\nx=1", "one table"),
    ],
)
def test_a_toml_file_that_is_wrong_says_so(tmp_path, text, message):
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(RuleError, match=message):
        read_thresholds(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RuleError, match=r"none\.toml does not exist"):
        read_thresholds(tmp_path / "none.toml")
