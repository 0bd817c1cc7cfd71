"""Overview: how far the review is, what it changes, and the selection that is built from it."""

from __future__ import annotations

import streamlit as st

from app import exchange, progress
from app.balance import balance_of
from app.board import board_in
from app.building import Building
from app.counts import counts_of, masks_of
from app.frame import opened_work, reviewer_name
from app.opened import Opened
from curation.reviews import ReviewError
from curation.verdicts import DecisionsError

SOON = 2.0  # seconds for which exact counts are waited for
SHARE = st.column_config.ProgressColumn
PARTLY = {"share": SHARE("share", format="percent", min_value=0, max_value=1)}


def main() -> None:
    opened, _ = opened_work(), reviewer_name()
    try:
        opened.known.refresh(at_once=True)
        counted = opened.decisions.counts()
    except DecisionsError as error:
        st.error(str(error), icon="⚠")
        st.stop()
    left, right = st.columns(2, gap="medium")
    with left:
        _selections(opened)
        _progress(opened, counted)
    with right:
        _build(opened)
        _balance(opened)
        _agreement(opened)
        _exchange(opened)


def _selections(opened: Opened) -> None:
    known, counts = opened.known, counts_of(opened.table)
    board = board_in(st.session_state, opened)
    thresholds, verdicts = board.thresholds(), known.verdicts()
    before = counts.soon(SOON, thresholds, {}, 0)
    after = counts.soon(SOON, thresholds, verdicts, known.version)
    st.markdown("#### Kept and dropped")
    st.dataframe(progress.kept_rows(len(opened.table), before.kept, after.kept), hide_index=True)
    how = "worked out by the rules" if before.exact and after.exact else "estimated; the build works it out"
    st.caption(
        f"Of {len(opened.table):,} pairs, by {_which(board.moved)}; {how}. {len(verdicts):,} pairs have a verdict of a person."
    )


def _progress(opened: Opened, counted: progress.Counted) -> None:
    decided = masks_of(opened.table, opened.known.verdicts())
    st.markdown("#### Progress by reason")
    st.dataframe(
        progress.by_reason(opened.table, decided[0] | decided[1], counted), hide_index=True, column_config=PARTLY
    )
    st.caption(
        "decided: of the pairs rejected for this reason, those with a verdict. keep, drop, skip: what was said when this reason was asked about."
    )
    st.markdown("#### Progress by reviewer")
    rows = progress.by_reviewer(counted)
    if rows:
        st.dataframe(rows, hide_index=True)
    else:
        st.caption("Nobody has decided anything yet.")


def _build(opened: Opened) -> None:
    st.markdown("#### Build a selection")
    board, building = board_in(st.session_state, opened), st.session_state.get("building")
    if building and not building.done:
        st.fragment(_building, run_every=0.5)()
        return
    level = st.selectbox(
        "Level", list(progress.TITLES), 2, progress.TITLES.get, key="level", label_visibility="collapsed"
    )
    if st.button(f"Build {progress.TITLES[level]}", key="build", type="primary", icon=":material/checklist:"):
        st.session_state["building"] = Building(opened, board.settings(level))
        st.rerun()
    st.caption(f"By {_which(board.moved)} and what people decided, into {opened.out}.")
    if building:
        _built(building)


def _building() -> None:
    building: Building = st.session_state["building"]
    if building.done:
        st.rerun()  # with the new tables
    st.progress(min(building.share, 1.0), f"{progress.TITLES[building.settings.level]}: {building.step} ...")


def _built(building: Building) -> None:
    if building.error:
        st.error(building.error, icon="⚠")
        return
    st.success(f"{progress.TITLES[building.settings.level]}: {building.kept:,} of {building.pairs:,} pairs kept.")
    st.code(str(building.manifest.absolute()), language=None, wrap_lines=True)
    if building.rows:
        st.dataframe(building.rows, hide_index=True)


def _balance(opened: Opened) -> None:
    st.markdown("#### Class balance")
    balance = balance_of(opened.table)
    if not balance.wait(0.3):
        st.fragment(_counting, run_every=0.7)(balance)
        return
    if balance.error:
        st.error(balance.error, icon="⚠")
        return
    keeps, drops = masks_of(opened.table, opened.known.verdicts())
    readable = opened.table.error.is_null().to_numpy(zero_copy_only=False)
    shares = balance.shares((opened.table.kept & ~drops | keeps) & readable)
    rows = [
        {
            "class": s.name,
            "area of all": s.area[0],
            "area of kept": s.area[1],
            "pairs of all": s.pairs[0],
            "pairs of kept": s.pairs[1],
        }
        for s in shares
    ]
    kinds = (
        {name: SHARE(name, format="percent", min_value=0, max_value=1) for name in list(rows[0])[1:]} if rows else {}
    )
    st.dataframe(rows, hide_index=True, column_config=kinds)
    st.caption(
        f"Shares of the picture, and of the pairs that show a class, over {balance.counted:,} label maps; kept: the last selection and what people decided since."
    )


def _counting(balance) -> None:
    if balance.done:
        st.rerun()
    st.caption(f"Counting label maps: {balance.counted:,} of {balance.total:,} ...")


def _agreement(opened: Opened) -> None:
    st.markdown("#### Agreement between reviewers")
    found = progress.agreed(opened.known.decisions())
    if not found.pairs:
        st.caption("No pair was judged by two reviewers yet.")
        return
    st.dataframe(
        [
            {"one": c.first, "other": c.second, "pairs": c.pairs, "share": c.share, "kappa": c.kappa}
            for c in found.couples
        ],
        hide_index=True,
        column_config=PARTLY | {"kappa": st.column_config.NumberColumn("kappa", format="%.2f")},
    )
    st.caption(
        f"{found.pairs:,} pairs were judged by two or more; on {found.share:.0%} of them all agree. kappa: 1 = always the same, 0 = as by chance."
    )


def _exchange(opened: Opened) -> None:
    st.markdown("#### Decisions as CSV")
    written = st.session_state.get("csv")
    if written is None or written[:2] != (opened.known, opened.known.version):
        written = opened.known, opened.known.version, exchange.to_csv(opened.known.decisions())
        st.session_state["csv"] = written
    st.download_button(
        "Export decisions",
        written[2],
        "decisions.csv",
        "text/csv",
        key="export",
        icon=":material/download:",
        on_click="ignore",
    )
    file = st.file_uploader("Import decisions: pair_id, reason, verdict, reviewer, time, note", "csv", key="import")
    if file and st.button("Store these decisions", key="store"):
        try:
            done = exchange.from_csv(opened, file.name, file.getvalue())
            opened.known.refresh(at_once=True)
        except (ReviewError, DecisionsError) as error:
            st.error(str(error), icon="⚠")
            return
        st.session_state["imported"] = done
        st.rerun()
    done = st.session_state.pop("imported", None)
    if done:
        st.success(
            f"{done.stored:,} decisions stored, {done.known:,} were there already"
            + (f", {len(done.unknown):,} pairs are not in this data set." if done.unknown else ".")
        )


def _which(moved: bool) -> str:
    return "the thresholds chosen on the page Thresholds" if moved else "the thresholds of the last selection"


main()
