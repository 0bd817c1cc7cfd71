"""The review app. `streamlit run app/review.py` opens the demo data set; `streamlit run app/review.py -- --work DIR` a work directory."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if sys.path[0] != str(
    HERE.parent
):  # before all others: an "app" in the current directory is not this one, and nothing need be installed
    sys.path.insert(0, str(HERE.parent))

PAGES = [
    ("queue", "Queue", ":material/photo_library:"),
    ("grid", "Grid", ":material/grid_view:"),
    ("classes", "Classes", ":material/view_column:"),
    ("thresholds", "Thresholds", ":material/tune:"),
    ("overview", "Overview", ":material/monitoring:"),
    ("compare", "Compare outputs", ":material/compare:"),
]


def main() -> None:
    icon = HERE / "browser" / "icon.svg"  # a file: an icon of Streamlit's own would be asked of another host
    st.set_page_config("Review", icon, "wide")
    # not in a folder called "pages": Streamlit would open its files by themselves
    pages = [st.Page(HERE / "views" / f"{name}.py", title=title, icon=icon) for name, title, icon in PAGES]
    st.navigation(pages).run()


if __name__ == "__main__":  # processes that measure are spawned, and read this file once more under another name
    main()
