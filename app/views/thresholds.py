"""Thresholds: where each score begins to reject, moved by hand or found from the reviews."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.board import Board, board_in
from app.browser import renderer
from app.frame import opened_work, plain, reviewer_name, show_error
from curation.rules import RuleError
from curation.thresholds import text_with_thresholds, write_thresholds

HISTOGRAM = renderer("histogram")
KEY = "histogram"
FILE = Path("thresholds.toml")  # where the app runs


def main() -> None:
    opened, _ = opened_work(), reviewer_name()
    board_in(st.session_state, opened)
    with st.sidebar:
        st.number_input(
            "Wanted precision of a calibration",
            0.05,
            1.0,
            0.9,
            0.05,
            key="wanted",
            help="Share of the rejected pairs that you would reject, too.",
        )
    _board()


@st.fragment
def _board() -> None:
    board: Board = st.session_state["board"]
    said = st.session_state.get(KEY)
    answer = board.answer(said and said.get("said"), st.session_state["wanted"])
    _buttons(board)
    HISTOGRAM(key=KEY, data=answer, on_said_change=lambda: None)


def _buttons(board: Board) -> None:
    chosen, notes = board.thresholds(), board.notes()
    with st.container(horizontal=True, gap="small"):
        try:
            if st.button("Save as thresholds.toml", key="save", icon=":material/save:"):
                write_thresholds(FILE, chosen, notes)
                st.toast(plain(f"Saved: {FILE.absolute()}"))
            text = text_with_thresholds(FILE, chosen, notes)
            st.download_button(
                "Download",
                text,
                FILE.name,
                "application/toml",
                key="download",
                icon=":material/download:",
                on_click="ignore",
            )
        except (RuleError, OSError) as error:
            show_error(error)
        st.button(
            "Back to the last selection",
            key="back",
            icon=":material/undo:",
            disabled=not board.moved,
            on_click=board.back,
        )


main()
