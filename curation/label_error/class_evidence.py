"""Class by class: what the label map gives, what the evidence says, and where exactly one of the two says it."""

from __future__ import annotations

import cv2
import numpy as np

from curation.label_error.grid import LABEL
from curation.label_space import UNKNOWN

SCALE = (LABEL[0] // 2, LABEL[1] // 2)  # rows, columns: between cells the evidence is interpolated


def evidence_map(log_p: np.ndarray) -> np.ndarray:
    """(24, 32, n) log p -> SCALE uint8 index of the class with most evidence."""
    best = np.full(SCALE, -np.inf, np.float32)
    says = np.zeros(SCALE, np.uint8)
    for index in range(log_p.shape[2]):
        layer = np.ascontiguousarray(log_p[:, :, index])
        layer = cv2.resize(layer, SCALE[::-1], interpolation=cv2.INTER_LINEAR)
        higher = layer > best
        best[higher], says[higher] = layer[higher], index
    return says


def class_evidence(log_p: np.ndarray, ids: np.ndarray) -> list[tuple[int, float, float, float]]:
    """For each class that is given or evident: index, given_share, evidence_share, disagree_share, of the known area, 4 decimals.

    Args:
        log_p: (24, 32, n).
        ids: LABEL uint8 class indices, 255 = unknown.
    """
    n = log_p.shape[2]
    given = cv2.resize(ids, SCALE[::-1], interpolation=cv2.INTER_NEAREST)
    known = given != UNKNOWN
    if not known.any():
        return []
    both = np.bincount(given[known].astype(np.int64) * 256 + evidence_map(log_p)[known], minlength=65536).reshape(256, 256)[:n, :n] / known.sum()  # fmt: skip
    of_given, of_evidence, agree = both.sum(1), both.sum(0), np.diag(both)
    return [
        (int(c), round(float(of_given[c]), 4), round(float(of_evidence[c]), 4), round(float(of_given[c] + of_evidence[c] - 2 * agree[c]), 4))
        for c in np.flatnonzero(of_given + of_evidence)
    ]  # fmt: skip
