"""Filters: which pairs a page shows, as it is chosen beside it."""

from __future__ import annotations

import streamlit as st

from app.order import KEPT, ORDERS
from app.search import looks_at_classes
from app.table import REASONS, Table


def chosen(table: Table, page: str) -> tuple[str | None, str, str]:
    """Reason, order and text, as app.order.candidates takes them. page: its name; each page remembers its own."""
    counts = table.counts()
    names = {None: f"all reasons ({sum(counts.values()):,})"}
    names |= {r: f"{r} ({counts.get(r, 0):,})" for r in REASONS if r in counts or r in table.scores}
    names[KEPT] = f"kept pairs ({int(table.kept.sum()):,})"
    searched = "id, reason, class name ..." if looks_at_classes(table) else "id, reason, words ..."
    with st.sidebar:
        reason = st.selectbox("Reason", list(names), format_func=names.get, key=f"{page}_reason")
        order = st.selectbox("Order", list(ORDERS), format_func=ORDERS.get, key=f"{page}_order")
        text = st.text_input("Containing", key=f"{page}_text", placeholder=searched)
    return reason, order, text
