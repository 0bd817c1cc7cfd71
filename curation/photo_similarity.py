"""How alike two photos are: where which colours and edges lie, as 528 small whole numbers, and a similarity in [0, 1].

A photo is cut into 6x8 cells. Of each the descriptor holds the mean colour in CIE Lab, and how much gradient there is in each of 8
directions, as the square root of its share in the whole photo's (which keeps a few strong edges from deciding alone). Colour alone takes two
sunsets for one, gradients alone two tones of one scene; benchmarks/copies.py measures each and both. Descriptors are compared by their mean
absolute difference, in whole numbers, so the result is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

CELLS = (6, 8)  # rows, columns
DIRECTIONS = 8  # of a gradient, over half a turn
PATCH = 8  # pixels a side of a cell, where gradients are read
COLOURS = CELLS[0] * CELLS[1] * 3  # numbers that hold colours; the others hold gradients
LENGTH = CELLS[0] * CELLS[1] * (3 + DIRECTIONS)
STEEPNESS = 96.0  # by which gradients weigh as much as colours do, or somewhat more
FARTHEST = 32.0  # mean difference at which similarity is 0; two photos taken at random lie at about 18
TAU_PHOTO = 0.77  # least similarity of "practically the same photo"
AT_ONCE = 8192  # descriptors compared at once

_ROW, _COLUMN = np.divmod(np.arange(CELLS[0] * PATCH * CELLS[1] * PATCH), CELLS[1] * PATCH)
_FIRST = ((_ROW // PATCH) * CELLS[1] + _COLUMN // PATCH) * DIRECTIONS  # where the numbers of each pixel's cell begin


def describe(photo: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> (LENGTH,) uint8."""
    small = cv2.resize(photo, (CELLS[1] * PATCH, CELLS[0] * PATCH), interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(cv2.resize(small, CELLS[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    across = cv2.Sobel(grey, cv2.CV_16S, 1, 0).ravel().astype(np.float64)
    down = cv2.Sobel(grey, cv2.CV_16S, 0, 1).ravel().astype(np.float64)
    strength = np.sqrt(across**2 + down**2)
    direction = np.arctan2(down, across) * (DIRECTIONS / np.pi) + DIRECTIONS  # [0, two half turns]
    lower = direction.astype(np.intp)
    share = direction - lower
    lower %= DIRECTIONS
    place = np.concatenate([_FIRST + lower, _FIRST + (lower + 1) % DIRECTIONS])
    gradients = np.bincount(place, np.concatenate([strength * (1 - share), strength * share]), LENGTH - COLOURS)
    gradients *= CELLS[0] * CELLS[1] / max(gradients.sum(), 1e-9)
    steep = np.minimum(np.rint(STEEPNESS * np.sqrt(gradients)), 255)
    return np.concatenate([colours.ravel(), steep.astype(np.uint8)])


def difference(descriptors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n, LENGTH) and (LENGTH,) uint8 -> (n,) int64: sum of absolute differences."""
    found = np.empty(len(descriptors), np.int64)
    for at in range(0, len(descriptors), AT_ONCE):
        some = descriptors[at : at + AT_ONCE]
        found[at : at + AT_ONCE] = (np.maximum(some, one) - np.minimum(some, one)).sum(1, dtype=np.int64)
    return found


def similarity(descriptors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """(n, LENGTH) and (LENGTH,) uint8 -> (n,) float64 in [0, 1]."""
    return np.maximum(1 - difference(descriptors, one) / (LENGTH * FARTHEST), 0)


def representatives(descriptors: np.ndarray, k: int, first: Sequence[int] = ()) -> list[int]:
    """Up to k rows that stand for all: the one nearest to their mean, then each time the one least similar to all before it.

    (n, LENGTH) uint8; of equals the first. Fewer than k only where n is. `first`: rows that are chosen beforehand, instead of the one
    nearest to the mean; all of them, also more than k. Time grows with n * k.
    """
    n = len(descriptors)
    chosen = list(first)
    if not chosen:
        total = descriptors.sum(0, dtype=np.int64)
        middle = ((2 * total + n) // (2 * n)).astype(np.uint8)
        chosen.append(int(difference(descriptors, middle).argmin()))
    nearest = np.full(n, np.iinfo(np.int64).max)
    compared = 0
    while len(chosen) < min(k, n):
        for row in chosen[compared:]:
            nearest = np.minimum(nearest, difference(descriptors, descriptors[row]))
        compared = len(chosen)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen
