"""What runs in the browser: JavaScript and CSS as files, mounted into a page as one component."""

from __future__ import annotations

from functools import cache
from importlib import resources

from streamlit.components.v2 import component


@cache
def _text(name: str) -> str:
    return (resources.files("app.browser") / name).read_text(encoding="utf-8")


def renderer(name: str):
    """The component in NAME.js and NAME.css, with what all of them share (outbox.js) in front."""
    return component(
        f"curation_{name}",
        html='<div class="root"></div>',
        css=_text(f"{name}.css"),
        js=_text("outbox.js") + _text(f"{name}.js"),
    )
