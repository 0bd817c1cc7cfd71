"""Class by class: what the label map gives, what the evidence says, and where exactly one of the two says it."""

from __future__ import annotations

import cv2
import numpy as np

from curation.label_error.grid import LABEL
from curation.label_error.guided import guided
from curation.label_space import UNKNOWN

SCALE = (LABEL[0] // 2, LABEL[1] // 2)  # rows, columns: between cells the photo tells where the evidence ends
HALF = 0.5  # of all probability; where two classes share it, argmax would call noise evidence


def evidence_map(log_p: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """SCALE uint8 index of the class that is more likely than all others together, UNKNOWN where none is.

    Args:
        log_p: (24, 32, n).
        photo: (h, w, 3) uint8 RGB, whose borders the evidence follows.
    """
    p = np.exp(log_p)
    filtered = guided(cv2.resize(photo, SCALE[::-1], interpolation=cv2.INTER_AREA))
    says = np.full(SCALE, UNKNOWN, np.uint8)
    for index in np.flatnonzero(p.max((0, 1)) > HALF):
        layer = cv2.resize(np.ascontiguousarray(p[:, :, index]), SCALE[::-1], interpolation=cv2.INTER_LINEAR)
        says[filtered(layer) > HALF] = index
    return says


def class_evidence(log_p: np.ndarray, ids: np.ndarray, photo: np.ndarray) -> list[tuple[int, float, float, float]]:
    """For each class that is given or evident: index, given_share, evidence_share, disagree_share, of the known area, 4 decimals.

    disagree_share is where exactly one of the two says the class; where no class is evident, the given one is disagreed with.

    Args:
        log_p: (24, 32, n).
        ids: LABEL uint8 class indices, 255 = unknown.
        photo: (h, w, 3) uint8 RGB.
    """
    n = log_p.shape[2]
    given = cv2.resize(ids, SCALE[::-1], interpolation=cv2.INTER_NEAREST)
    known = given != UNKNOWN
    if not known.any():
        return []
    keys = given[known].astype(np.int64) * 256 + evidence_map(log_p, photo)[known]
    both = np.bincount(keys, minlength=65536).reshape(256, 256) / known.sum()
    of_given, of_evidence = both.sum(1)[:n], both.sum(0)[:n]
    differ = of_given + of_evidence - 2 * np.diag(both)[:n]
    rows = zip(*(np.round(share, 4).tolist() for share in (of_given, of_evidence, differ)), strict=True)
    return [(index, *shares) for index, shares in enumerate(rows) if any(shares[:2])]
