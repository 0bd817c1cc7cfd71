"""Frame: what every page has: the work directory that is open, and the reviewer's name."""

from __future__ import annotations

import sys

import streamlit as st

from app.opened import Asked, Opened, arguments, make_demo, open_work, stamp
from app.table import TableError
from curation.verdicts import DecisionsError
from curation.workspace import WorkspaceError

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 2.6rem 1.6rem 1rem; max-width: 1500px; }
[data-testid="stSidebar"] { min-width: 240px; max-width: 280px; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.1rem .7rem 1rem; } }
</style>"""  # Streamlit leaves a hand's breadth free around a page; pictures need it


@st.cache_resource(show_spinner="Opening ...", max_entries=2)
def _open(asked: Asked, changed: tuple[str, ...]) -> Opened:
    return open_work(asked)


def asked() -> Asked:
    return arguments(sys.argv[1:])


def opened_work() -> Opened:
    """The work directory, opened once for all. Stops the page with what to do where there is none."""
    st.html(STYLE)
    wanted = asked()
    try:
        changed = stamp(wanted)
        if wanted.demo and changed == ("",):
            with st.status(
                "Making the demo data set: 240 drawn landscapes, some of them with defects", expanded=True
            ) as status:
                make_demo(lambda text: status.update(label=f"Making the demo data set: {text} ..."))
            changed = stamp(wanted)
        return _open(wanted, changed)
    except (TableError, WorkspaceError, DecisionsError, OSError) as error:
        st.error(str(error), icon="⚠")
        st.stop()


def reviewer_name() -> str:
    """Who is reviewing: asked once, then remembered in the address of the page and by the browser. Stops the page until it is known."""
    name = st.session_state.get("reviewer") or st.query_params.get("reviewer", "")
    if not name:
        with st.form("who"):
            st.markdown("#### Who is reviewing?")
            st.caption("Your name stands beside each of your decisions. Two reviewers never get the same pair at once.")
            name = st.text_input("Name", max_chars=60)
            if not (st.form_submit_button("Begin") and name.strip()):
                st.stop()
    name = " ".join(name.split())[:60]
    st.session_state["reviewer"] = name
    if st.query_params.get("reviewer") != name:
        st.query_params["reviewer"] = name
    return name
