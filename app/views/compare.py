"""Compare outputs: pictures of several folders side by side, the best of each label map chosen by a key, and the mixed folder."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from app.browser import renderer
from app.choices import Choices
from app.frame import asked, opened_work, reviewer_name, show_error
from app.lineup import Lineup
from app.mixed import write_mixed
from app.opened import Opened
from app.output_pictures import OutputPictures
from app.outputs import OutputsError, compare, local, pictures_of
from app.tally import Tally
from curation.verdicts import DecisionsError

COMPARE = renderer("compare")
KEY = "compare"
PLAIN = re.compile(r"[^.~/\\\0][^/\\\0]*")  # a name within the directory where the app runs
HOW = """Name the folders where the app is started: `streamlit run app/review.py -- --compare FOLDER FOLDER ...`; with `--folders-from-page`
also in the side bar.

`generate --checkpoint runs/NAME --labels LABELS --out runs/NAME/pictures` draws the pictures of a run; then `runs/NAME` stands for them."""


def main() -> None:
    opened, reviewer = opened_work(), reviewer_name()
    folders, labels, blind = _named()
    if not folders:
        st.markdown("#### Compare outputs")
        st.markdown(HOW)
        return
    try:
        stamps = tuple(pictures_of(local(folder)).stat().st_mtime_ns for folder in folders)
        pictures, tally = _opened(folders, labels, stamps, opened.table.key, opened)
    except (OutputsError, OSError) as error:
        show_error(error)
        return
    lineup = st.session_state.get("lineup")
    wanted = (pictures, tally, reviewer, blind)
    if lineup is None or (lineup.pictures, lineup.tally, lineup.reviewer, lineup.blind) != wanted:
        st.session_state["lineup"] = Lineup(opened, *wanted)
    _lineup()
    _mixed(pictures, tally)


def _named() -> tuple[tuple[str, ...], str | None, bool]:
    """The folders, that of the label maps, and whether names are hidden. Typed on the page only where the command line allows it: that the
    app listens on this machine alone does not tell where a browser is, which may come through a tunnel or a proxy."""
    said, kept = asked(), st.session_state.setdefault("compared", {})
    folders, labels = "\n".join(map(str, said.compare)), str(said.labels or "")
    with st.sidebar:
        if said.folders_from_page:
            folders = kept["folders"] = st.text_area(
                "Folders of pictures, one a line", kept.get("folders", folders), placeholder="runs/tsit-small-001"
            )
            labels = kept["labels"] = st.text_input(
                "Folder of label maps", kept.get("labels", labels), placeholder="as in the pair table"
            )
        blind = kept["blind"] = st.toggle(
            "Blind", kept.get("blind", False), help="Names are hidden, and the pictures of each label map shuffled."
        )
    return tuple(line.strip() for line in folders.splitlines() if line.strip()), labels.strip() or None, blind


@st.cache_resource(show_spinner="Looking through the folders ...", max_entries=4)
def _opened(
    folders: Sequence[str], labels: str | None, stamps: Sequence[int], table: str, _opened: Opened
) -> tuple[OutputPictures, Tally]:
    """Once for all who compare these folders, until files come or go."""
    comparison = compare(folders, _opened.table, labels)
    decisions = _opened.decisions
    tally = Tally(Choices(decisions.database, decisions.data_set, comparison.key))
    return OutputPictures(comparison, _opened.pictures), tally


@st.fragment
def _lineup() -> None:
    said = st.session_state.get(KEY)
    COMPARE(key=KEY, data=st.session_state["lineup"].answer(said and said.get("said")), on_said_change=lambda: None)


def _mixed(pictures: OutputPictures, tally: Tally) -> None:
    comparison = pictures.comparison
    with st.expander("Write the mixed folder"):
        st.caption(
            "Copies the chosen picture of each label map, and where none is chosen that of one folder, into a new folder "
            "with mixed.csv. No picture is moved or changed."
        )
        with st.form("mixed", border=False):
            numbers = range(len(comparison.folders))
            default = st.selectbox(
                "Without a choice, take", numbers, format_func=lambda number: comparison.folders[number].name
            )
            name = st.text_input("New folder", "mixed", help="Made in the directory where the app runs.")
            wanted = st.form_submit_button("Write")
        if wanted and name.strip():
            _write(name.strip(), pictures, tally, default)


def _write(name: str, pictures: OutputPictures, tally: Tally, default: int) -> None:
    bar = st.progress(0.0)
    try:
        if not asked().folders_from_page and not PLAIN.fullmatch(name):
            raise OutputsError(
                "The new folder is made where the app runs: give a name without a path, that begins with no . or ~."
            )
        tally.refresh(at_once=True)
        mixed = write_mixed(
            local(name),
            pictures.comparison,
            tally.all_best(),
            default,
            lambda done, total: bar.progress(done / total, f"{done:,} of {total:,}"),
        )
    except (OutputsError, DecisionsError) as error:
        show_error(error)
        return
    finally:
        bar.empty()
    for line in mixed.says():
        st.text(line)


main()
