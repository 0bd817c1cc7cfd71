"""Label error: where another class fits the photo better than the given one, and which; where the map would fit better as a whole.

The judge's evidence is held against the given classes cell by cell, as the score does. The cells where another class
wins clearly are sorted by what they are labelled and what they look like; the weightiest disputes are outlined. Of a map that
fits better shifted, mirrored or turned, the borders are drawn over the photo as they are and as they fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from curation.evidence.learned import Fit
from curation.evidence.marks import ORANGE, blend, class_colours, grey, name_of, outline, write_in
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.plain import label_panel
from curation.evidence.seen import SeenPair
from curation.label_error.features import FEATURES
from curation.label_error.grid import at_label_scale, class_shares
from curation.label_error.judge import fold_of
from curation.label_error.simulated import SAYS
from curation.label_space import UNKNOWN
from curation.landscape import borders

MOST = 3  # disputes shown
FEWEST = 4  # cells of a dispute; one out of hundreds proves nothing
SMOOTH = 1.0  # cells: single cells do not make a region
CLEARLY = 0.7  # log p by which another class leads where a cell is disputed: twice as likely
LEAST_SHIFT = 0.01  # of a side; less is how people draw
LEAST_GAIN = 0.1  # log p a cell by which a map must fit better moved, for that to be shown
SMALL = 0.25  # of the weightiest: lighter disputes, and lighter islands of one, are not shown


@dataclass(frozen=True)
class Dispute:
    """given, looks: class indices. area: (24, 32) bool cells. weight: its margins, summed. share: of the picture."""

    given: int
    looks: int
    area: np.ndarray
    weight: float
    share: float


def show(pair: SeenPair) -> Picture:
    """Photo, label map over the photo, and the disputed regions with both names; below, the map as it would fit."""
    photo = Panel(pair.display, "photo")
    if pair.ids is None:
        return Picture(((photo,),), "there is no label map")
    label = label_panel(pair)
    if pair.learned is None:
        return Picture(((photo, label),), "the label map does not fit the photo")
    smooth, first = _evidence(pair), (photo, label)
    found = disputes(pair, smooth)
    fit = pair.learned.fits.get(pair.pair_id)
    moved = fit and _moved(fit, pair.ids)
    if moved and _log_p(smooth, moved[1]) < _log_p(smooth, pair.ids) + LEAST_GAIN:
        fit = moved = None  # the kind is a guess among seven; one that the photo itself speaks against is not told
    says = [SAYS[fit.kind]] if fit else []
    if found:
        words = [f"looks like {name_of(pair.space, d.looks)}, labelled {name_of(pair.space, d.given)}" for d in found]
        regions = "; ".join(f"{text} ({percent(d.share)})" for text, d in zip(words, found, strict=True))
        first, says = (photo, label, Panel(_outlined(pair, found), regions, lead=True)), [*says, regions]
    if not moved:
        return Picture((first,), "; ".join(says) or "no region stands out")
    how, ids = moved
    if fit.kind == "shifted":
        says[0] += f" ({how})"
    as_is = Panel(_bordered(pair, pair.ids), "the borders of the label map")
    return Picture((first, (as_is, Panel(_bordered(pair, ids), f"the same borders {how}"))), "; ".join(says))


def _moved(fit: Fit, ids: np.ndarray) -> tuple[str, np.ndarray] | None:
    """In words how a map would fit better, and the map moved so; None when it is not to be moved as a whole."""
    if fit.kind == "mirrored":
        return "mirrored", ids[:, ::-1]
    if fit.kind == "turned":
        return "turned upside down", ids[::-1, ::-1]
    if fit.kind != "shifted" or max(map(abs, fit.shift)) < LEAST_SHIFT:
        return None
    ways = zip(fit.shift, (("left", "right"), ("up", "down")), strict=True)
    how = " and ".join(f"{percent(abs(far))} {way[far > 0]}" for far, way in ways if abs(far) >= LEAST_SHIFT)
    height, width = ids.shape
    move = np.float32([[1, 0, fit.shift[0] * width], [0, 1, fit.shift[1] * height]])
    moved = cv2.warpAffine(ids, move, (width, height), flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    return f"moved {how}", moved


def disputes(pair: SeenPair, smooth: np.ndarray | None = None) -> list[Dispute]:
    """The regions where another class fits better, weightiest first, at most MOST. smooth: of `_evidence`, if it is known."""
    smooth = _evidence(pair) if smooth is None else smooth
    given = class_shares(at_label_scale(pair.ids), smooth.shape[2])
    known = given.sum(2) > 0.5
    margin = smooth.max(2) * given.sum(2) - (smooth * given).sum(2)
    labelled, looks = given.argmax(2), smooth.argmax(2)
    disputed = (margin > CLEARLY) & known & (labelled != looks)
    found = []
    for key in np.unique(labelled[disputed] * 256 + looks[disputed]):
        area = _main_parts(disputed & (labelled == key // 256) & (looks == key % 256), margin)
        found.append(Dispute(int(key // 256), int(key % 256), area, float(margin[area].sum()), float(area.mean())))
    found = sorted((d for d in found if d.area.sum() >= FEWEST), key=lambda d: (-d.weight, d.given, d.looks))
    return [d for d in found[:MOST] if d.weight >= SMALL * found[0].weight]


def _bordered(pair: SeenPair, ids: np.ndarray) -> np.ndarray:
    """The photo, paler, with the borders between the classes of a map; there is none where one side is unknown."""
    ids = pair.enlarge(ids)
    border = borders(ids).astype(np.uint8)
    drawn = blend(pair.display, np.full_like(pair.display, 255), 0.25)
    for width, colour in ((5, (0, 0, 0)), (3, ORANGE)):  # a dark rim, so it shows on any ground
        drawn[cv2.dilate(border, np.ones((width, width), np.uint8)) > 0] = colour
    return drawn


def _evidence(pair: SeenPair) -> np.ndarray:
    """(24, 32, n) log p by the model that did not see the pair, smoothed over the cells."""
    judge = pair.learned.judge
    seen = FEATURES[judge.features]
    return _blur(judge.log_p(seen.cells(seen.compact(pair.photo)), fold_of(pair.pair_id)))


def _log_p(log_p: np.ndarray, ids: np.ndarray) -> float:
    """Mean log p of a map's classes over the cells it knows."""
    given = class_shares(at_label_scale(np.ascontiguousarray(ids)), log_p.shape[2])
    return float((given * log_p).sum() / max(float(given.sum()), 1e-6))


def _main_parts(area: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """A (24, 32) bool area without its small islands."""
    n, part = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)
    weight = np.bincount(part.ravel(), (margin * area).ravel(), minlength=n)
    return area & (weight >= SMALL * weight[1:].max())[part]


def _outlined(pair: SeenPair, found: list[Dispute]) -> np.ndarray:
    """The photo, faded outside the disputed regions; each outlined in the colour of the class it looks like."""
    scale = max(1, round(480 / max(pair.display.shape)))  # words need room
    photo = cv2.resize(pair.display, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    size = photo.shape[1::-1]
    areas = [cv2.resize(d.area.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5 for d in found]
    colours = class_colours(np.array([[d.looks for d in found]], np.uint8), pair.space)[0]
    drawn = blend(grey(photo), np.full_like(photo, 90), 0.55)
    drawn[np.any(areas, axis=0)] = photo[np.any(areas, axis=0)]
    for area, colour in zip(areas, colours.tolist(), strict=True):
        drawn = outline(drawn, area, tuple(colour), 3)
    words = [[f"looks like {name_of(pair.space, d.looks)}", f"labelled {name_of(pair.space, d.given)}"] for d in found]
    return write_in(drawn, areas, words, max(12, size[0] // 26))


def _blur(log_p: np.ndarray) -> np.ndarray:
    """Each class's log p, smoothed over the cells."""
    layers = [
        cv2.GaussianBlur(layer, (0, 0), SMOOTH, borderType=cv2.BORDER_REFLECT_101) for layer in np.moveaxis(log_p, 2, 0)
    ]
    return np.stack(layers, axis=2)
