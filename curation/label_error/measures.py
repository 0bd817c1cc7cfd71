"""How well a label map fits a photo, in numbers: MEASURES, from the class evidence per cell and the edges of the photo.

Enters: log p (24, 32, n) of the judge, a label map at label scale. Leaves: 1-D float32, one value for each name in MEASURES. None is a
verdict: ranking.py learns how to weigh them. Shares and gains are per known cell, so pictures with much unknown can be compared.

    whole    margin to the best class, surprise (-log p(given) - entropy), disagreement, the latter above what is expected
    spots    the worst place of these after a blur of 1, 2, 4 cells; the largest connected region of disagreement; the mean
             disagreement of the cells where it is nearly the worst
    classes  the class that fits worst; how far the class shares are from those expected
    moves    by how much log p rises when the map is mirrored, turned, flipped or shifted: near zero or below for a right map
    renames  by how much log p rises when a class, a region, or a spot takes one other class
    edges    photo edges below the label edges, against those elsewhere; by how much that rises with a shift
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from curation.label_error.grid import GRID, LABEL, class_shares
from curation.landscape import borders

MEASURES = (
    "margin", "surprise", "disagreement", "excess",
    "margin_spot1", "disagreement_spot1", "surprise_spot1",
    "margin_spot2", "disagreement_spot2", "surprise_spot2",
    "margin_spot4", "disagreement_spot4", "surprise_spot4",
    "region", "region_surprise", "nearly_worst",
    "worst_class", "share_most", "share_sum",
    "mirrored", "turned", "flipped", "shifted",
    "edge", "edge_near", "edge_shifted",
    "class_renamed", "class_renamed_per_cell", "region_renamed", "spot_renamed", "wide_spot_renamed", "evidence_region",
)  # fmt: skip
SPOTS = (1.0, 2.0, 4.0)  # cells: standard deviation of the blur that a wrong spot must survive
RENAMED_SPOTS = (1.5, 3.0)  # cells
REACH = (3, 4)  # cells, rows and columns, by which a map is shifted to see whether it fits better
EDGES = (LABEL[0] // 2, LABEL[1] // 2)  # rows, columns at which edges are compared
EDGE_REACH = (12, 14)  # edge pixels: a tenth of the picture
SURROUNDINGS = 8  # edge pixels: an edge counts by how far it stands out from what is around it
FEWEST_EDGE = 10.0  # edge pixels; with fewer the edges of a map say nothing
SMALL_CLASS, FEWEST_CELLS = 8, 4.0  # cells
SOFTNESS = 0.1  # of the mean that is nearly a maximum
SURE = 0.6  # disagreement in a cell
LEAD = 0.3  # margin in a cell
LEAST_LOG_P = -5.0  # one cell does not outvote a region
OTHERS = 8  # classes tried in place of the given one: those with most evidence


@dataclass(frozen=True)
class Fit:
    """values: as MEASURES. shift: (dx, dy) in shares of width and height by which the label edges fit the photo best; (0, 0) where they do not tell."""

    values: np.ndarray
    shift: tuple[float, float]


def photo_edges(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> EDGES float32: strength of colour edges (CIE Lab) over that of their surroundings, at most 3."""
    small = cv2.resize(photo, EDGES[::-1], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    squared = np.zeros(EDGES, np.float32)
    for channel in cv2.split(lab):
        for dx, dy in ((1, 0), (0, 1)):
            squared += np.square(cv2.Scharr(channel, cv2.CV_32F, dx, dy, scale=1 / 32))
    strength = np.sqrt(squared)
    return np.minimum(strength / (cv2.GaussianBlur(strength, (0, 0), SURROUNDINGS) + 2), 3)


def fit_of(log_p: np.ndarray, edges: np.ndarray, ids: np.ndarray) -> Fit:
    """What a label map has to say for itself.

    Args:
        log_p: (24, 32, n) float32.
        edges: of `photo_edges`.
        ids: LABEL uint8 class indices, 255 = unknown.
    """
    given = class_shares(ids, log_p.shape[2])
    known = given.sum(2)
    area = max(float(known.sum()), 1e-6)
    edge_values, shift = _edge_values(edges, _label_edges(ids))
    values = [
        *_whole_and_spots(log_p, given, known, area),
        *_classes(log_p, given, known, area),
        *_moves(log_p, given, area),
        *edge_values,
        *_renames(np.maximum(log_p, LEAST_LOG_P), given, known, area),
    ]
    return Fit(np.array(values, np.float32), shift)


def _whole_and_spots(log_p: np.ndarray, given: np.ndarray, known: np.ndarray, area: float) -> list[float]:
    p = np.exp(log_p)
    of_given = (given * log_p).sum(2)
    margin = log_p.max(2) * known - of_given
    surprise = -of_given + (p * log_p).sum(2) * known
    disagreement = known - (given * p).sum(2)
    expected = known * (1 - (p * p).sum(2))
    values = [margin.sum(), surprise.sum(), disagreement.sum(), (disagreement - expected).sum()]
    values = [float(v) / area for v in values]
    for spot in SPOTS:
        values += [float(_blurred(each, spot).max()) for each in (margin, disagreement, surprise)]
    regions, labels = cv2.connectedComponents((disagreement > SURE).astype(np.uint8), connectivity=4)
    for mass in (disagreement, surprise):
        sums = np.bincount(labels.ravel(), mass.ravel(), regions)[1:]
        values.append(float(sums.max()) / area if regions > 1 else 0.0)
    # mean disagreement, weighted towards the cells with most of it [Lad & Mueller 2023, arXiv:2307.05080, "softmin"]
    weights = known * np.exp((disagreement - 1) / SOFTNESS)
    return [*values, float((weights * disagreement).sum() / max(float(weights.sum()), 1e-6))]


def _classes(log_p: np.ndarray, given: np.ndarray, known: np.ndarray, area: float) -> list[float]:
    p = np.exp(log_p)
    share = given.sum((0, 1))
    wrong = (given * (1 - p)).sum((0, 1))
    apart = np.abs(share - (p * known[..., None]).sum((0, 1)))
    return [float((wrong / np.maximum(share, SMALL_CLASS)).max()), float(apart.max()) / area, float(apart.sum()) / area]


def _moves(log_p: np.ndarray, given: np.ndarray, area: float) -> list[float]:
    here = np.flatnonzero(given.any((0, 1)))  # a moved map has the same classes
    log_p, given = np.ascontiguousarray(log_p[:, :, here]), np.ascontiguousarray(given[:, :, here])
    base = float((given * log_p).sum()) / area
    moved = (given[:, ::-1], given[::-1, ::-1], given[::-1])
    gains = [float((each * log_p).sum()) / area - base for each in moved]
    # sums over the overlap of map and evidence, for all shifts at once
    known, everywhere = given.sum(2), np.ones(GRID, np.float32)
    moved_sum = sum(_over_shifts(log_p[:, :, c], given[:, :, c]) for c in range(len(here)))
    own_sum = _over_shifts((given * log_p).sum(2), everywhere)
    moved_cells, own_cells = _over_shifts(everywhere, known), _over_shifts(known, everywhere)
    enough = np.minimum(moved_cells, own_cells) >= FEWEST_CELLS
    enough[REACH] = False  # not moved at all
    if not enough.any():
        return [*gains, 0.0]
    return [*gains, float((moved_sum[enough] / moved_cells[enough] - own_sum[enough] / own_cells[enough]).max())]


def _over_shifts(still: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Sum of products of two (24, 32) pictures where they overlap, for every shift of the second within REACH."""
    down, right = REACH
    padded = cv2.copyMakeBorder(np.ascontiguousarray(still), down, down, right, right, cv2.BORDER_CONSTANT, value=0)
    return cv2.matchTemplate(padded, np.ascontiguousarray(moving), cv2.TM_CCORR)


def _renames(log_p: np.ndarray, given: np.ndarray, known: np.ndarray, area: float) -> list[float]:
    of_given = (given * log_p).sum(2)
    share = given.sum((0, 1))
    totals = np.tensordot(given, log_p, ((0, 1), (0, 1)))  # given class, class in its place
    gain = (totals - np.diag(totals)[:, None]).max(1)
    here = np.flatnonzero(share)
    values = [
        float(gain.max()) / area,
        max((float(gain[a]) / max(float(share[a]), FEWEST_CELLS) for a in here), default=0.0),
    ]
    likely = np.argsort(-np.exp(log_p).mean((0, 1)), kind="stable")[:OTHERS]
    gains = [np.ascontiguousarray(log_p[:, :, b]) * known - of_given for b in likely]  # of taking class b
    main = np.where(known > 0.5, given.argmax(2), -1)
    most = 0.0
    for a in here:
        regions, labels = cv2.connectedComponents((main == a).astype(np.uint8), connectivity=4)
        if regions > 1:
            for b, rise in zip(likely, gains, strict=True):
                if a != b:
                    most = max(most, float(np.bincount(labels.ravel(), rise.ravel(), regions)[1:].max()))
    values.append(most / area)
    values += [max(float(_blurred(rise, spot).max()) for rise in gains) for spot in RENAMED_SPOTS]
    best = log_p.argmax(2)
    lead = log_p.max(2) * known - of_given
    most = 0.0
    for b in np.unique(best[lead > LEAD]):
        regions, labels = cv2.connectedComponents(((best == b) & (lead > LEAD)).astype(np.uint8), connectivity=4)
        most = max(most, float(np.bincount(labels.ravel(), lead.ravel(), regions)[1:].max()))
    values.append(most / area)
    return values


def _label_edges(ids: np.ndarray) -> np.ndarray:
    """LABEL class indices -> EDGES float32 share of each pixel that is a border between two known classes."""
    return cv2.resize(borders(ids).astype(np.float32), EDGES[::-1], interpolation=cv2.INTER_AREA)


def _edge_values(photo: np.ndarray, label: np.ndarray) -> tuple[list[float], tuple[float, float]]:
    total, mean = float(label.sum()), float(photo.mean())
    if total < FEWEST_EDGE or mean < 1e-6:
        return [0.0, 0.0, 0.0], (0.0, 0.0)
    down, right = EDGE_REACH
    padded = cv2.copyMakeBorder(photo - mean, down, down, right, right, cv2.BORDER_REFLECT_101)
    under = cv2.matchTemplate(padded, label, cv2.TM_CCORR) / (total * mean)
    here, near = float(under[down, right]), float(under[down - 1 : down + 2, right - 1 : right + 2].max())
    y, x = np.unravel_index(int(under.argmax()), under.shape)
    gain = float(under.max()) - near
    shift = ((int(x) - right) / EDGES[1], (int(y) - down) / EDGES[0]) if gain > 0 else (0.0, 0.0)
    return [here, near, gain], shift


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
