"""Queue: one pair after the other, decided by keys."""

from __future__ import annotations

import streamlit as st

from app.browser import renderer
from app.desk import Desk
from app.filters import chosen
from app.frame import opened_work, reviewer_name

QUEUE = renderer("queue")
KEY = "queue"


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    desk = st.session_state.get("desk")
    if desk is None or desk.opened is not opened or desk.reviewer != reviewer:
        desk = st.session_state["desk"] = Desk(opened, reviewer)
    desk.choose(*chosen(opened.table, KEY))
    _desk()


@st.fragment
def _desk() -> None:
    said = st.session_state.get(KEY)
    QUEUE(key=KEY, data=st.session_state["desk"].answer(said and said.get("said")), on_said_change=lambda: None)


main()
