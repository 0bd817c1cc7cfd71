"""ROC curves as a picture: all of them, and their upper left corner enlarged, with a legend."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from curation.evidence.panel import FRAME, INK, PAPER, font

# The eight colours of Okabe & Ito (2008, "Color Universal Design") that every kind of colour vision tells apart, yellow
# darkened for white paper; every second four are dashed, too.
COLOURS = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (0, 0, 0), (170, 150, 0)
)  # fmt: skip
SIDE, MARGIN, TEXT = 400, 56, 15  # pixels of the finished picture
FINE = 3  # drawn so many times larger, then averaged: smooth lines
CORNER = (0.2, 0.5)  # the corner: false alarms up to, found from


def curve(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the negatives and of the positives at or above each threshold, from (0, 0) to (1, 1); equal scores are one step."""
    levels = np.unique(np.concatenate([positive, negative]))[::-1]
    shares = [
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(side), levels, side="left") / side.size])
        for side in (negative, positive)
    ]
    return shares[0], shares[1]


def draw(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> Image.Image:
    """name -> (false alarms, found) as `curve` gives them -> one picture; the legend is in the order of the names."""
    width = 2 * (SIDE + MARGIN) + MARGIN
    rows = -(-len(curves) // 3)
    height = MARGIN // 2 + SIDE + MARGIN + rows * round(1.6 * TEXT) + TEXT
    canvas = Image.new("RGB", (width * FINE, height * FINE), PAPER)
    top = MARGIN // 2
    _plot(canvas, (MARGIN, top), (0.0, 1.0), (0.0, 1.0), curves)
    _plot(canvas, (2 * MARGIN + SIDE, top), (0.0, CORNER[0]), (CORNER[1], 1.0), curves)
    pen = ImageDraw.Draw(canvas)
    for k, name in enumerate(curves):
        x = MARGIN + (k % 3) * (width - MARGIN) // 3
        y = top + SIDE + MARGIN + (k // 3) * round(1.6 * TEXT)
        _line(pen, np.array([[x, y + TEXT // 2 + 2], [x + 34, y + TEXT // 2 + 2]]) * FINE, k)
        pen.text(((x + 42) * FINE, y * FINE), name, INK, font(TEXT * FINE))
    return canvas.resize((width, height), Image.Resampling.BOX)


def _plot(canvas: Image.Image, corner: tuple, across: tuple, up: tuple, curves: dict) -> None:
    """One square: false alarms in the range `across`, found in the range `up`."""
    square = Image.new("RGB", (SIDE * FINE, SIDE * FINE), PAPER)
    pen = ImageDraw.Draw(square)
    low, span = np.array([across[0], up[0]]), np.array([across[1] - across[0], up[1] - up[0]])

    def place(alarms: np.ndarray, found: np.ndarray) -> np.ndarray:
        unit = (np.stack([alarms, found], axis=1) - low) / span
        return np.stack([unit[:, 0], 1 - unit[:, 1]], axis=1) * (SIDE * FINE - 1)

    for tick in np.linspace(0, 1, 6)[1:-1]:
        at = tick * (SIDE * FINE - 1)
        pen.line([(at, 0), (at, SIDE * FINE)], FRAME, FINE)
        pen.line([(0, at), (SIDE * FINE, at)], FRAME, FINE)
    for k, (alarms, found) in enumerate(curves.values()):
        _line(pen, place(alarms, found), k)
    pen.rectangle([0, 0, SIDE * FINE - 1, SIDE * FINE - 1], outline=INK, width=FINE)
    x0, y0 = corner
    canvas.paste(square, (x0 * FINE, y0 * FINE))
    pen = ImageDraw.Draw(canvas)
    for tick in np.linspace(0, 1, 6):
        right, top = f"{across[0] + tick * span[0]:.2f}", f"{up[0] + tick * span[1]:.2f}"
        pen.text(((x0 + tick * SIDE) * FINE, (y0 + SIDE + 5) * FINE), right, INK, font(13 * FINE), anchor="ma")
        pen.text(((x0 - 6) * FINE, (y0 + (1 - tick) * SIDE) * FINE), top, INK, font(13 * FINE), anchor="rm")
    middle = ((x0 + SIDE / 2) * FINE, (y0 + SIDE + 24) * FINE)
    pen.text(middle, "share of the clean pairs rejected", INK, font(TEXT * FINE), anchor="ma")
    pen.text(((x0 + 6) * FINE, (y0 - 4) * FINE), "share of the defect found", INK, font(TEXT * FINE), anchor="ls")


def _line(pen: ImageDraw.ImageDraw, points: np.ndarray, k: int) -> None:
    """A polyline in the k-th style, whole or dashed."""
    colour, width = COLOURS[k % len(COLOURS)], 2 * FINE
    if k % 8 < 4:
        pen.line([tuple(p) for p in points], colour, width, joint="curve")
        return
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    for start in np.arange(0, along[-1], 12 * FINE):
        inside = (along > start) & (along < start + 7 * FINE)
        ends = np.array([start, min(start + 7 * FINE, along[-1])])
        x, y = (np.interp(np.concatenate([ends[:1], along[inside], ends[1:]]), along, points[:, i]) for i in range(2))
        pen.line(list(zip(x, y, strict=True)), colour, width)
