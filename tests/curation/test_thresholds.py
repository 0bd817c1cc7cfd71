import pytest

from curation.rules import RuleError
from curation.thresholds import parse_assignments, read_thresholds, text_with_thresholds, write_thresholds


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


def test_thresholds_are_written_with_their_notes_and_the_other_lines_stay(tmp_path):
    file = tmp_path / "t.toml"
    write_thresholds(file, {"backlight": 0.1234, "coupling": None}, {"backlight": "rejects 3 of 9"})
    assert file.read_text() == '[thresholds]\nbacklight = 0.1234  # rejects 3 of 9\ncoupling = "off"\n'
    file.write_text("# mine\n[thresholds]\nblur = 0.9\n'coupling' = 0.3 # old\n# coupling = 1\n")
    assert (
        text_with_thresholds(file, {"coupling": 1.0}, {})
        == "# mine\n[thresholds]\nblur = 0.9\ncoupling = 1.0\n# coupling = 1\n"
    )
    write_thresholds(file, {"coupling": 1.0}, {})
    assert read_thresholds(file) == {"blur": 0.9, "coupling": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["t.toml"]


def test_a_file_that_cannot_be_changed_line_by_line_stays_as_it_is(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text("thresholds.blur = 0.4\n")
    with pytest.raises(RuleError, match="Move it away"):
        write_thresholds(file, {"blur": 0.5}, {})
    assert file.read_text() == "thresholds.blur = 0.4\n"
