"""The page Compare outputs as Streamlit runs it, without a browser."""

from __future__ import annotations

import sys

import pytest
from command import ROOT
from drawn import draw

pytest.importorskip("streamlit")
AppTest = pytest.importorskip("streamlit.testing.v1").AppTest
PAGE = next(ROOT.glob("app/*/compare.py"))


@pytest.fixture
def page(work_copy, tmp_path, monkeypatch):
    """Starts the page with folders on the command line."""
    monkeypatch.chdir(tmp_path)

    def start(*words: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["review.py", "--work", str(work_copy), *words])
        app = AppTest.from_file(str(PAGE), default_timeout=60)
        app.query_params["reviewer"] = "anna"
        return app.run()

    return start


def test_without_folders_it_says_how_they_are_named(page):
    app = page()
    assert not app.exception and "--compare" in app.markdown[1].value and "generate" in app.markdown[1].value


def test_folders_are_compared_and_mixed(page, tmp_path):
    one, two = (draw(tmp_path / name, "a.png", "b.png") for name in ("one", "two"))
    app = page("--compare", str(one), str(two))
    assert not app.exception and not app.error
    app.selectbox[0].select(1)
    app.button[0].click().run()
    assert not app.exception and not app.error
    assert app.text[0].value.startswith(f"2 pictures in {tmp_path / 'mixed'}: 2 from two.")
    assert (tmp_path / "mixed" / "a.png").read_bytes() == (two / "a.png").read_bytes()
    app.button[0].click().run()
    assert "Name a new folder" in app.error[0].value.replace("\\", "")


def test_folders_are_typed_one_a_line(page, tmp_path):
    draw(tmp_path / "one", "a.png")
    app = page("--folders-from-page")
    app.text_area[0].input("one\n\n two").run()
    assert "two is not a folder" in app.error[0].value.replace("\\", "")
    draw(tmp_path / "two", "a.png")
    app.run()
    assert not app.error and not app.exception and app.selectbox[0].options == ["one", "two"]
    new = next(field for field in app.text_input if field.label == "New folder")
    new.input("~nobody-of-this-name/mixed")
    app.button[0].click().run()
    assert not app.exception and "nobody of this name" in app.error[0].value
    next(field for field in app.text_input if field.label == "New folder").input("deep/er/mixed")
    app.button[0].click().run()
    assert not app.error and (tmp_path / "deep" / "er" / "mixed" / "mixed.csv").exists()


def test_names_in_messages_are_no_markup(page, tmp_path):
    app = page("--compare", str(draw(tmp_path / "one", "![x](y).png")), str(draw(tmp_path / "two", "*b*.png")))
    assert r"\!\[x\]\(y\)" in app.error[0].value and r"\*b\*" in app.error[0].value


def test_without_leave_no_path_is_typed(page, tmp_path):
    one, two = (draw(tmp_path / name, "a.png") for name in ("one", "two"))
    app = page("--compare", str(one), str(two))
    assert not app.text_area and [field.label for field in app.text_input] == ["New folder"]
    before = {file.name for folder in (tmp_path, tmp_path.parent) for file in folder.iterdir()}
    for name in (
        "../elsewhere",
        "..",
        ".",
        "~",
        "~/mixed",
        "~nobody/x",
        "~mixed",
        str(tmp_path / "x"),
        "a/b",
        ".hidden",
        "a\\b",
    ):
        app.text_input[0].input(name)
        app.button[0].click().run()
        assert not app.exception and "a name without a path" in app.error[0].value, name
    assert {file.name for folder in (tmp_path, tmp_path.parent) for file in folder.iterdir()} == before
    app.text_input[0].input("mixed")
    app.button[0].click().run()
    assert not app.error and (tmp_path / "mixed" / "mixed.csv").exists()
