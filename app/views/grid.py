"""Grid: many thumbnails for one reason, decided together."""

from __future__ import annotations

import streamlit as st

from app.browser import renderer
from app.filters import chosen
from app.frame import opened_work, reviewer_name
from app.sheet import SIZES, Sheet

GRID = renderer("grid", "tiles")
KEY = "grid"


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    sheet = st.session_state.get("sheet")
    if sheet is None or sheet.opened is not opened or sheet.reviewer != reviewer:
        sheet = st.session_state["sheet"] = Sheet(opened, reviewer)
    filters = chosen(opened.table, KEY)
    with st.sidebar:
        undecided = st.toggle("Undecided only", key="grid_undecided", help="As it was when this was switched on.")
        size = st.segmented_control("On a page", SIZES, default=SIZES[0], key="grid_size") or SIZES[0]
    sheet.choose(*filters, size, undecided)
    _sheet()


@st.fragment
def _sheet() -> None:
    said = st.session_state.get(KEY)
    GRID(key=KEY, data=st.session_state["sheet"].answer(said and said.get("said")), on_said_change=lambda: None)


main()
