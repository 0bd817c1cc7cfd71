"""Queue: one pair after the other, decided by keys."""

from __future__ import annotations

import streamlit as st

from app.browser import renderer
from app.desk import Desk
from app.frame import opened_work, reviewer_name
from app.order import KEPT, ORDERS
from app.table import REASONS

QUEUE = renderer("queue")
KEY = "queue"


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    table = opened.table
    counts = table.counts()
    names = {None: f"all reasons ({sum(counts.values()):,})"}
    names |= {r: f"{r} ({counts.get(r, 0):,})" for r in REASONS if r in counts or r in table.scores}
    names[KEPT] = f"kept pairs ({int(table.kept.sum()):,})"
    with st.sidebar:
        reason = st.selectbox("Reason", list(names), format_func=names.get, key="queue_reason")
        order = st.selectbox("Order", list(ORDERS), format_func=ORDERS.get, key="queue_order")
        text = st.text_input("Containing", key="queue_text", placeholder="id, reason, class name ...")
    desk = st.session_state.get("desk")
    if desk is None or desk.opened is not opened or desk.reviewer != reviewer:
        desk = st.session_state["desk"] = Desk(opened, reviewer)
    desk.choose(reason, order, text)
    _desk()


@st.fragment
def _desk() -> None:
    said = st.session_state.get(KEY)
    QUEUE(key=KEY, data=st.session_state["desk"].answer(said and said.get("said")), on_said_change=lambda: None)


main()
