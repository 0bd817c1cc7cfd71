"""The pages Grid and Classes as Streamlit runs them."""

from __future__ import annotations

import sys

import pytest
from command import ROOT
from streamlit.testing.v1 import AppTest


@pytest.fixture
def page(work_copy, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app/review.py", "--work", str(work_copy)])

    def run(name):
        test = AppTest.from_file(str(ROOT / "app" / "views" / f"{name}.py"), default_timeout=60)
        test.query_params["reviewer"] = "anna"
        test.run()
        assert not test.exception and not test.error
        return test

    return run


def test_the_grid_shows_what_is_chosen_beside_it(page):
    test = page("grid")
    sheet = test.session_state["sheet"]
    assert sheet.chosen == (None, "informative", "", 24, False)
    test.selectbox(key="grid_reason").select("kept").run()
    test.selectbox(key="grid_order").select("id").run()
    test.text_input(key="grid_text").input("001").run()
    assert not test.exception and test.session_state["sheet"] is sheet
    assert sheet.chosen == ("kept", "id", "001", 24, False)
    test.toggle(key="grid_undecided").set_value(True).run()
    assert sheet.chosen == ("kept", "id", "001", 24, True)
    assert all("001" in p for p in sheet.answer(None)["shown"])


def test_classes_shows_what_is_chosen_beside_it(page):
    test = page("classes")
    strips = test.session_state["strips"]
    assert strips.chosen == ("largest", "")
    test.selectbox(key="classes_order").select("id").run()
    test.text_input(key="classes_text").input("0106").run()
    assert not test.exception and strips.chosen == ("id", "0106")
