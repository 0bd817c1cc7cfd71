"""Marks on a picture: classes in their colours, tinted areas, outlines, words; (h, w, 3) uint8 RGB in and out."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from curation.evidence.panel import drawable, font
from curation.label_space import UNKNOWN, LabelSpace

BLUE, YELLOW, MAGENTA, ORANGE, WHITE = (38, 96, 255), (255, 208, 0), (255, 0, 170), (255, 140, 0), (255, 255, 255)
NO_CLASS = (118, 118, 118)  # shown where the class is not known


def name_of(space: LabelSpace, index: int) -> str:
    """The name of a class up to its first comma; with its id when another class has that, too, or the pictures' font cannot write it."""
    if index == UNKNOWN or index >= len(space.names):
        return "unknown"
    short = [name.split(",")[0].strip() for name in space.names]
    name = short[index]
    unclear = short.count(name) > 1 or ("?" not in name and "?" in drawable(name))
    return f"{name} (class {space.ids[index]})" if unclear else name


def class_colours(ids: np.ndarray, space: LabelSpace) -> np.ndarray:
    """(h, w) class indices in the colours of their label space."""
    table = np.full((256, 3), NO_CLASS, np.uint8)
    table[: len(space.colours)] = space.colours
    return table[ids]


def grey(photo: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blend(below: np.ndarray, above: np.ndarray, share: float) -> np.ndarray:
    """`above` laid over `below` with an opacity in [0, 1]."""
    return cv2.addWeighted(below, 1 - share, above, share, 0)


def tint(photo: np.ndarray, area: np.ndarray, colour: tuple[int, int, int], share: float) -> np.ndarray:
    """The photo with a colour laid over an (h, w) bool area."""
    tinted = photo.copy()
    tinted[area] = blend(photo, np.full_like(photo, colour), share)[area]
    return tinted


def outline(photo: np.ndarray, area: np.ndarray, colour: tuple[int, int, int], width: int = 2) -> np.ndarray:
    """The photo with the border of an (h, w) bool area drawn in a colour with a dark rim, so it shows on any ground."""
    drawn = np.ascontiguousarray(photo.copy())
    borders, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, borders, -1, (0, 0, 0), width + 2, cv2.LINE_AA)
    cv2.drawContours(drawn, borders, -1, colour, width, cv2.LINE_AA)
    return drawn


def middle(area: np.ndarray) -> tuple[int, int]:
    """(x, y) of the point of an (h, w) bool area that is farthest from its border."""
    distance = cv2.distanceTransform(np.pad(area.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), area.shape)
    return int(x), int(y)


def _nearest(free: np.ndarray, at: tuple[int, int]) -> tuple[int, int]:
    """(x, y) of the point of an (h, w) bool area nearest to a point; the point itself when the area is empty."""
    ys, xs = np.nonzero(free)
    if not len(xs):
        return at
    i = int(((xs - at[0]) ** 2 + (ys - at[1]) ** 2).argmin())
    return int(xs[i]), int(ys[i])


def write_in(photo: np.ndarray, areas: list[np.ndarray], words: list[list[str]], size: int) -> np.ndarray:
    """The photo with some lines of text in the middle of each (h, w) bool area, on dark ground, none over another."""
    picture = Image.fromarray(photo)
    layer = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(layer)
    height, width = photo.shape[:2]
    taken = np.zeros((height, width), bool)
    for area, lines in zip(areas, words, strict=True):
        lines = [drawable(line) for line in lines]
        fits = size
        while fits > 8 and max(font(fits).getlength(line) for line in lines) > width - 12:
            fits -= 1
        w = int(max(font(fits).getlength(line) for line in lines)) + 10
        h = round(fits * 1.25) * len(lines) + 6
        around = np.ones((h + 4, w + 4), np.uint8)
        near = cv2.dilate(taken.astype(np.uint8), around).astype(bool)  # a box with its middle there would overlap
        near[: h // 2], near[height - h // 2 :], near[:, : w // 2], near[:, width - w // 2 :] = (True,) * 4
        at = middle(area & ~near) if (area & ~near).any() else _nearest(~near, middle(area))
        x, y = (
            int(np.clip(a - b / 2, 1, max(1, c - b - 1))) for a, b, c in zip(at, (w, h), (width, height), strict=True)
        )
        pen.rounded_rectangle((x, y, x + w, y + h), 4, (0, 0, 0, 190))
        for i, line in enumerate(lines):
            pen.text((x + 5, y + 2 + i * round(fits * 1.25)), line, (255, 255, 255, 255), font(fits))
        taken[y : y + h + 1, x : x + w + 1] = True
    picture.paste(layer, (0, 0), layer)
    return np.asarray(picture)
