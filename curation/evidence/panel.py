"""Panels with captions, and how they are drawn as one picture.

Captions are drawn in the font that Pillow carries. It knows little beyond ASCII: accents are dropped and what is left
unknown becomes "?", so no name can break a picture; the text beside a picture has every name as it is.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FRAME = (255, 255, 255), (38, 38, 42), (205, 205, 210)
GAP = 14  # pixels between panels and around them
LONG_SIDE = 480  # pixels of a drawn panel
NARROWEST = 180  # pixels, so that a caption has room under a tall narrow photo
TEXT = 17  # pixels


@dataclass(frozen=True)
class Panel:
    """pixels: (h, w, 3) uint8 RGB. lead: it has words in it, so a page should show it larger than the others."""

    pixels: np.ndarray
    caption: str
    lead: bool = False


@dataclass(frozen=True)
class Picture:
    """Rows of panels, and in one sentence what there is to see."""

    rows: tuple[tuple[Panel, ...], ...]
    says: str

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row)


def draw(picture: Picture) -> np.ndarray:
    """All panels with their captions -> (H, W, 3) uint8 RGB; panels get one size, whatever they came in."""
    rows = [_draw_row(row) for row in picture.rows]
    return stack(rows)


def stack(rows: list[np.ndarray]) -> np.ndarray:
    """Pictures one below the other, flush left on paper."""
    width = max(row.shape[1] for row in rows)
    filled = [cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=PAPER) for row in rows]
    return np.concatenate(filled)


def headline(text: str, width: int) -> np.ndarray:
    """A line (or more) of text on paper, (h, width, 3) uint8."""
    strip = _text_strip(text, width - 2 * GAP, TEXT + 5)
    return cv2.copyMakeBorder(strip, GAP, 0, GAP, GAP, cv2.BORDER_CONSTANT, value=PAPER)


def percent(share: float) -> str:
    """A share in [0, 1] for people; only a whole is 100 %, only nothing is 0 %."""
    for digits in (0, 1, 2):
        text = f"{100 * share:.{digits}f}"
        if share in (0, 1) or float(text) not in (0, 100):
            return f"{text} %"
    return "almost 100 %" if share > 0.5 else "almost 0 %"


def drawable(text: str) -> str:
    """The text with only characters that the font has."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if _has_glyph(c) else " " if c.isspace() else "?" for c in plain)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


@cache
def _has_glyph(character: str) -> bool:
    missing = font(16).getmask("\uffff")
    mask = font(16).getmask(character)
    return character == " " or (mask.size, bytes(mask)) != (missing.size, bytes(missing))


def _draw_row(panels: tuple[Panel, ...]) -> np.ndarray:
    shape = np.max([panel.pixels.shape[:2] for panel in panels], axis=0)
    height = max(1, round(LONG_SIDE * shape[0] / shape.max()))
    pictures = [_framed(_to_height(panel.pixels, height)) for panel in panels]
    strips = [_text_strip(panel.caption, p.shape[1], TEXT) for panel, p in zip(panels, pictures, strict=True)]
    tallest = max(strip.shape[0] for strip in strips)
    columns = []
    for pixels, strip in zip(pictures, strips, strict=True):
        space = np.full((tallest - strip.shape[0], strip.shape[1], 3), PAPER, np.uint8)
        columns += [np.concatenate([pixels, strip, space]), np.full((height + 2 + tallest, GAP, 3), PAPER, np.uint8)]
    row = np.concatenate(columns[:-1], axis=1)
    return cv2.copyMakeBorder(row, GAP, 2, GAP, GAP, cv2.BORDER_CONSTANT, value=PAPER)


def _framed(pixels: np.ndarray) -> np.ndarray:
    framed = cv2.copyMakeBorder(pixels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=FRAME)
    room = max(0, NARROWEST - framed.shape[1])
    return cv2.copyMakeBorder(framed, 0, 0, 0, room, cv2.BORDER_CONSTANT, value=PAPER)


def _to_height(pixels: np.ndarray, height: int) -> np.ndarray:
    if pixels.shape[0] == height:
        return pixels
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)


def _text_strip(text: str, width: int, size: int) -> np.ndarray:
    """Text wrapped to a width, on paper: (h, width, 3) uint8."""
    lines = wrap(drawable(text), width - 2, size)
    line_height = round(size * 1.3)
    strip = Image.new("RGB", (width, line_height * len(lines) + round(size * 0.8)), PAPER)
    pen = ImageDraw.Draw(strip)
    for i, line in enumerate(lines):
        pen.text((1, round(size * 0.3) + i * line_height), line, INK, font(size))
    return np.asarray(strip)


def wrap(text: str, width: int, size: int) -> list[str]:
    """Lines of at most `width` pixels; words that are longer are cut."""
    lines, line = [], ""
    for word in text.replace(" %", "\0%").split():
        word = word.replace("\0", " ")
        while font(size).getlength(word) > width and len(word) > 1:
            fits = next((n for n in range(len(word) - 1, 1, -1) if font(size).getlength(word[:n]) <= width), 1)
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:fits])
            word = word[fits:]
        longer = f"{line} {word}".strip()
        if line and font(size).getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line or not lines else lines
