"""Dark: where the luminances of the photo lie, in stops below white, and how far up its brightest parts come."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from curation.evidence.marks import BLUE
from curation.evidence.panel import INK, Panel, Picture, font
from curation.evidence.seen import SeenPair
from curation.scores import dark
from curation.scores.view import LEVELS, View


def show(pair: SeenPair) -> Picture:
    """Photo, and the histogram of its log luminance with the border of the rule."""
    histogram = pair.view.log_luminance_histogram
    brightest = 10 - int(np.searchsorted(np.cumsum(histogram), 0.95)) * 10 / LEVELS
    limit = stops_at(0.5 if pair.threshold is None else pair.threshold)
    says = f"95 % of the pixels lie {brightest:.1f} stops or more below white; the limit is {limit:.1f}"
    height, width = pair.display.shape[:2]
    larger = max(1.0, 240 / width)  # its words need room
    chart = _chart(histogram, brightest, limit, round(width * larger), round(height * larger))
    return Picture(((Panel(pair.display, "photo"), Panel(chart, says)),), says)


def stops_at(threshold: float) -> float:
    """Stops below white at which the score crosses a threshold, asked of the score itself."""
    for level in range(LEVELS):
        view = View(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8))
        view.__dict__["log_luminance_histogram"] = np.eye(LEVELS)[level]  # all pixels of this one luminance
        if dark.measure(view) < threshold:
            return 10 - level * 10 / LEVELS
    return 0.0


def _chart(histogram: np.ndarray, brightest: float, limit: float, width: int, height: int) -> np.ndarray:
    """Pixels per luminance, a bar each half stop; a line at the limit, a mark at the 95th percentile."""
    size = int(np.clip(width / 24, 11, 18))
    left, right, top, bottom = 8, width - 9, size * 2.2, height - size * 2
    picture = Image.new("RGB", (width, height), (246, 246, 248))
    pen = ImageDraw.Draw(picture)

    def x(stops_below: float) -> float:
        return left + (right - left) * (10 - stops_below) / 10

    bars = histogram.reshape(20, -1).sum(1)
    for i, share in enumerate(bars / max(bars.max(), 1e-9)):
        if share > 0:
            stops = 10 - i / 2
            colour = BLUE if stops > limit else (190, 196, 208)
            pen.rectangle((x(stops) + 1, bottom - share * (bottom - top), x(stops - 0.5) - 1, bottom), colour)
    pen.line((left, bottom, right, bottom), INK)
    for stops in range(10, -1, -2):
        word = f"-{stops}" if stops else "white"
        shift = min(0, right - x(stops) - font(size).getlength(word))
        pen.text((x(stops) + shift, bottom + 3), word, INK, font(size))
    for stops, word, colour in ((limit, "limit", INK), (brightest, "95 %", (200, 30, 40))):
        pen.line((x(stops), top - 4, x(stops), bottom), colour, 2)
        inside = min(x(stops) + 3, right - font(size).getlength(word))
        pen.text((inside, 4 if word == "limit" else 4 + size), word, colour, font(size))
    return np.asarray(picture)
