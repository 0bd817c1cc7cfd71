"""Classes: equivalence classes as strips; which of their pairs stay."""

from __future__ import annotations

import streamlit as st

from app.browser import renderer
from app.frame import opened_work, reviewer_name
from app.strips import ORDERS, Strips

CLASSES = renderer("classes", "tiles")
KEY = "classes"


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    strips = st.session_state.get("strips")
    if strips is None or strips.opened is not opened or strips.reviewer != reviewer:
        strips = st.session_state["strips"] = Strips(opened, reviewer)
    with st.sidebar:
        order = st.selectbox("Order", list(ORDERS), format_func=ORDERS.get, key="classes_order")
        text = st.text_input("Containing", key="classes_text", placeholder="id")
    strips.choose(order, text)
    _strips()


@st.fragment
def _strips() -> None:
    said = st.session_state.get(KEY)
    CLASSES(key=KEY, data=st.session_state["strips"].answer(said and said.get("said")), on_said_change=lambda: None)


main()
