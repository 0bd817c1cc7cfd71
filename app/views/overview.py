"""Overview: how far the review is, what it changes, and the selection that is built from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from app import exchange, progress
from app.balance import Balance, balance_of
from app.board import board_in
from app.browser import renderer
from app.building import Building
from app.counts import counts_of, masks_of
from app.frame import opened_work, reviewer_name, show_error
from app.inbox import Inbox
from app.opened import Opened
from curation.reviews import ReviewError
from curation.verdicts import DecisionsError

TABLES = renderer("tables")
WAITING, SENT = renderer("waiting"), "waiting"
SOON = 2.0  # seconds for which exact counts are waited for


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    inbox = st.session_state.get("inbox")
    if inbox is None or inbox.opened is not opened or inbox.reviewer != reviewer:
        st.session_state["inbox"] = Inbox(opened, reviewer)
    _waiting()
    try:
        opened.known.refresh(at_once=True)
        counted = opened.decisions.counts()
    except DecisionsError as error:
        show_error(error)
        st.stop()
    left, right = st.columns(2, gap="medium")
    with left:
        _levels(opened)
        wanted, unwanted = masks_of(opened.table, opened.known.verdicts())
        _show("reasons", progress.by_reason(opened.table, wanted, unwanted, counted))
        _show("reviewers", progress.by_reviewer(counted))
        _show("agreement", progress.agreement_shown(_once(opened, progress.agreed)))
    with right:
        _build(opened)
        _balance(opened, wanted, unwanted)
        _exchange(opened)


@st.fragment
def _waiting() -> None:
    """What was clicked on other pages and still waits in this browser is stored before a selection is built here."""
    inbox: Inbox = st.session_state["inbox"]
    said = (st.session_state.get(SENT) or {}).get("said")
    stored, message = inbox.store(said.get("outbox") if isinstance(said, dict) else None)
    WAITING(key=SENT, data=inbox.says(message), on_said_change=lambda: None)
    if stored:
        st.rerun()  # with what it changes


def _show(key: str, shown: progress.Shown) -> None:
    TABLES(key=key, data=vars(shown))


def _once(opened: Opened, make: Callable) -> Any:
    """make(all decisions), again only when there are new ones: of a hundred thousand it takes a second."""
    key = f"once {make.__name__}"
    made = st.session_state.get(key)
    if made is None or made[:2] != (opened.known, opened.known.version):
        made = st.session_state[key] = opened.known, opened.known.version, make(opened.known.decisions())
    return made[2]


def _levels(opened: Opened) -> None:
    known, counts = opened.known, counts_of(opened.table)
    board, verdicts = board_in(st.session_state, opened), known.verdicts()
    before = counts.soon(SOON, board.thresholds(), {}, 0)
    after = counts.soon(SOON, board.thresholds(), verdicts, known.version)
    how = "worked out by the rules" if before.exact and after.exact else "estimated; the build works it out"
    people = f"{len(verdicts):,} pair{' has' if len(verdicts) == 1 else 's have'} a verdict of a person."
    says = f"Of {len(opened.table):,} pairs, by {_which(board.moved)}; {how}. {people}"
    _show("levels", progress.levels_shown(len(opened.table), before.kept, after.kept, says))


def _build(opened: Opened) -> None:
    board, building = board_in(st.session_state, opened), st.session_state.get("building")
    st.markdown("**Build a selection**")
    if building and not building.done:
        st.fragment(_building, run_every=0.5)()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        level = st.selectbox(
            "Level", list(progress.TITLES), 2, progress.TITLES.get, key="level", label_visibility="collapsed", width=180
        )
        built = st.button(f"Build {progress.TITLES[level]}", key="build", type="primary", icon=":material/checklist:")
    if built:
        st.session_state["building"] = Building(opened, board.settings(level))
        st.rerun()
    st.caption(f"By {_which(board.moved)} and what people decided.")
    if building and building.error:
        show_error(building.error)
    elif building:
        _show("built", progress.built_shown(building))
        st.code(str(building.manifest.absolute()), language=None, wrap_lines=True)


def _building() -> None:
    building: Building = st.session_state["building"]
    if building.done:
        st.rerun()  # with the new tables
    st.progress(min(building.share, 1.0), f"{progress.TITLES[building.settings.level]}: {building.step} ...")


def _balance(opened: Opened, wanted: np.ndarray, unwanted: np.ndarray) -> None:
    balance = balance_of(opened.table)
    if not balance.wait(0.3):
        st.fragment(_counting, run_every=0.7)(balance)
    elif balance.error:
        show_error(balance.error)
    else:
        shares = balance.shares((opened.table.kept & ~unwanted | wanted) & opened.table.readable)
        _show("balance", progress.balance_shown(shares, balance.counted))


def _counting(balance: Balance) -> None:
    if balance.done:
        st.rerun()
    st.caption(f"Class balance: counting label maps, {balance.counted:,} of {balance.total:,} ...")


def _exchange(opened: Opened) -> None:
    st.markdown("**Decisions as CSV**")
    st.download_button(
        "Export decisions",
        _once(opened, exchange.to_csv),
        "decisions.csv",
        "text/csv",
        key="export",
        icon=":material/download:",
        on_click="ignore",
    )
    file = st.file_uploader("Import: pair_id, reason, verdict, reviewer, time, note", "csv", key="import")
    if file and st.button("Store these decisions", key="store"):
        try:
            st.session_state["imported"] = exchange.from_csv(opened, file.name, file.getvalue())
            st.rerun()
        except (ReviewError, DecisionsError) as error:
            show_error(error)
    done = st.session_state.pop("imported", None)
    if done:
        unknown = f"; {len(done.unknown):,} pairs are not in this data set" if done.unknown else ""
        stored = f"{done.stored:,} decision{'' if done.stored == 1 else 's'} stored"
        st.success(f"{stored}, {done.known:,} known before{unknown}.")


def _which(moved: bool) -> str:
    return "the thresholds chosen on the page Thresholds" if moved else "the thresholds of the last selection"


main()
