"""Frame: what every page has: the work directory that is open, and the reviewer's name."""

from __future__ import annotations

import re
import sys
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import demo
from app.apart import Apart
from app.opened import Asked, Opened, WordsError, arguments, must_be_there, open_work, stamp
from app.table import TableError
from curation.verdicts import DecisionsError
from curation.workspace import WorkspaceError

LONGEST_NAME = 60  # characters of a reviewer's name
OUTDATED = "The pairs were measured again after the last selection, so reasons may be missing or old. Build the selection again on the page Overview."
STYLE = """<style>
[data-stale="true"] { opacity: 1 !important; }  /* nothing fades while it is being asked about */
[data-testid="stCaptionContainer"] { opacity: .8; }  /* as Streamlit has them, these two are hard to read */
[data-testid="stButtonGroup"] button[aria-checked="true"] { color: inherit !important; font-weight: 600; }
[data-testid="stMainBlockContainer"] { padding: 2.6rem 1.6rem 1rem; max-width: 1500px; }
[data-testid="stSidebar"] { min-width: 240px; max-width: 280px; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.1rem .7rem 1rem; } }
</style>"""  # Streamlit leaves a hand's breadth free around a page; pictures need it


@st.cache_resource(show_spinner="Opening ...", max_entries=1)  # of a million pairs a table takes 300 MB
def _open(asked: Asked, changed: tuple[str, ...]) -> Opened:
    return open_work(asked)


def asked() -> Asked:
    """What the command line says. Stops the page with what it may say where it is wrong."""
    try:
        return arguments(sys.argv[1:])
    except WordsError as error:
        show_error(error)
        st.code(error.help, language=None, wrap_lines=True)
        st.stop()


def opened_work() -> Opened:
    """The work directory, opened once for all. Stops the page with what to do where there is none."""
    st.html(STYLE)
    wanted = asked()
    try:
        if wanted.demo and not demo.is_made():
            _watch(demo.MAKING)
        opened = _open(wanted, stamp(wanted))
        must_be_there(opened.work)
    except (TableError, WorkspaceError, DecisionsError, OSError) as error:
        show_error(error)
        st.stop()
    if opened.table.is_outdated:
        st.warning(OUTDATED, icon="⚠")
    return opened


def _watch(making: Apart) -> None:
    """Let the demo be made, and show how far it is. Stops the page where it cannot be."""
    making.begin()
    told = f"Making the demo data set: {demo.PAIRS} drawn landscapes, some of them with defects. This happens once."
    place = st.empty()
    with place.status(told, expanded=True):
        bars: dict[str, DeltaGenerator] = {}
        while making.running:
            for step, (done, total) in making.steps.items():
                bar = bars.get(step) or bars.setdefault(step, st.progress(0.0))
                bar.progress(done / max(total, 1), f"{step}: {done:,} of {total:,}")
            time.sleep(0.2)
    place.empty()
    if failed := making.failed():
        show_error(f"The demo data set could not be made. {failed} Reload the page to try again.")
        st.stop()


def show_error(told: object) -> None:
    """A message, in which names of files and cells of tables may stand."""
    st.error(plain(str(told)), icon="⚠")


def plain(text: str) -> str:
    """A text for where Streamlit reads Markdown (messages, captions, labels): in it a picture's address, for one, would be fetched by the
    browser of everybody who looks on. Options are shown as code: elsewhere Streamlit makes a dash of `--`, and nobody could copy them."""
    words = re.split(r"(--[\w-]*)", text, flags=re.ASCII)
    return "".join(f"`{w}`" if i % 2 else re.sub(r"([^\w\s])", r"\\\1", w, flags=re.ASCII) for i, w in enumerate(words))


def reviewer_name() -> str:
    """Who is reviewing: asked once, then remembered in the address of the page. Stops the page until it is known."""
    name = _tidy(st.session_state.get("reviewer") or st.query_params.get("reviewer", ""))
    if not name:
        with st.form("who"):
            st.markdown("#### Who is reviewing?")
            st.caption("Your name stands beside each of your decisions. Two reviewers never get the same pair at once.")
            said = _tidy(st.text_input("Name", max_chars=LONGEST_NAME))
            if st.form_submit_button("Begin"):
                if said:
                    st.session_state["reviewer"] = said
                    st.rerun()
                st.caption("Write a name first.")
        st.stop()
    st.session_state["reviewer"] = name
    if st.query_params.get("reviewer") != name:
        st.query_params["reviewer"] = name
    return name


def _tidy(name: str) -> str:
    return " ".join(name.split())[:LONGEST_NAME]
