"""Names, numbers and pictures as pieces of a page, so written that none of them can become markup."""

from __future__ import annotations

import re
from html import escape

import numpy as np

from curation.report.thumbnails import data_uris

LONGEST = 240  # characters of a name that are shown
JOINERS = "\u200c\u200d"  # unlike other invisible characters, part of how some languages are spelled


def text(value: object, longest: int = LONGEST) -> str:
    """Any value as the text of a page: escaped, without control characters, shortened when too long to read."""
    words = str(value).encode("utf-8", "replace").decode()
    if len(words) > longest:
        words = f"{words[: longest // 2]} … {words[-longest // 2 :]}"
    words = "".join(c if c.isprintable() or c in JOINERS else " " if c.isspace() else "\ufffd" for c in words)
    words = escape(words, quote=True)
    return re.sub(r"(?<=\d) %", "&nbsp;%", words)


def name(value: object) -> str:
    """A pair id or path."""
    return f'<code class="id">{text(value)}</code>'


class Images:
    """Pictures in the order they are met; a mark stands for each until all are known and can share the budget."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []

    def src(self, pixels: np.ndarray) -> str:
        self.pictures.append(pixels)
        return f"\0{len(self.pictures) - 1}\0"

    def fill(self, html: str) -> str:
        uris = data_uris(self.pictures)
        pieces = html.split("\0")  # `text` lets no control character through, so these are the marks alone
        return "".join(uris[int(piece)] if i % 2 else piece for i, piece in enumerate(pieces))


def meter(share: float, kind: str = "") -> str:
    """A small bar, `share` of it filled. kind: "kept", "before" or nothing."""
    return f'<span class="meter {kind}"><i style="width:{100 * share:.1f}%"></i></span>'


def table(columns: list[tuple[str, str]], rows: list[list[str]], kind: str = "") -> str:
    """A table. columns: (title, CSS class) each; rows: cells that are HTML already; kind: CSS class of the table."""
    head = "".join(f'<th class="{style}">{text(title)}</th>' for title, style in columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(title for title, _ in columns) else ""
    lines = "\n".join(
        "<tr>" + "".join(f'<td class="{s}">{cell}</td>' for cell, (_, s) in zip(row, columns, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="table"><table class="{kind}">{head}<tbody>\n{lines}\n</tbody></table></div>'
