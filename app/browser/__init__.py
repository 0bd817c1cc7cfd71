"""What runs in the browser: JavaScript and CSS as files, mounted into a page as one component."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from streamlit.components.v2 import component


@cache
def _text(name: str) -> str:
    return (resources.files("app.browser") / name).read_text(encoding="utf-8")


def renderer(name: str, *shared: str) -> Callable[..., Any]:
    """The component in NAME.js and NAME.css. In front of them what all share (outbox.js), and what it shares with some, by name.

    -> mount(key=, data=, on_said_change=): data is what JSON can say. It goes as a list of one, which Streamlit hands on as it is; in a dictionary it looks
    for data frames, and imports pandas to know one.
    """
    mount = component(
        f"curation_{name}",
        html='<div class="root"></div>',
        css="".join(_text(f"{part}.css") for part in (*shared, name)),
        js="".join(_text(f"{part}.js") for part in ("outbox", *shared, name)),
    )
    return lambda data, **options: mount(data=[data], **options)
