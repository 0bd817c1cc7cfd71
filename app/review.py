"""The review app. `streamlit run app/review.py` opens the demo data set; `streamlit run app/review.py -- --work DIR` a work directory."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # started from a checkout that is not installed
    sys.path.insert(0, str(HERE.parent))

PAGES = [
    ("queue", "Queue", ":material/photo_library:"),
    ("compare", "Compare outputs", ":material/compare:"),
]


def main() -> None:
    st.set_page_config("Review", ":material/rule:", "wide")
    pages = [st.Page(HERE / "pages" / f"{name}.py", title=title, icon=icon) for name, title, icon in PAGES]
    st.navigation(pages).run()


main()
