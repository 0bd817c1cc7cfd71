"""What was learned of a whole data set, as far as a picture of one pair needs it: the judge of label maps and what it said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.evidence.marks import name_of
from curation.label_error.judge import Judge
from curation.workspace import Workspace, read_frame


@dataclass(frozen=True)
class Fit:
    """How a label map fits its photo. kind: of simulated.KINDS, the most likely should it be wrong; shift: (dx, dy) in shares of
    width and height by which its borders fit the photo best."""

    kind: str
    shift: tuple[float, float]


@dataclass(frozen=True)
class Learned:
    """judge: of the whole set. fits: by pair_id. alike: (n, n) in [0, 1], how alike two classes look, NaN where it is not known."""

    judge: Judge
    fits: dict[str, Fit]
    alike: np.ndarray


def load_learned(work: Workspace, pair_ids: set[str]) -> Learned | None:
    """What `curate score` left in WORK of these pairs; None where no label map was judged."""
    file = next(iter(sorted(work.label_error.glob("*.npz"))), None)
    if file is None or not work.label_fit.exists():
        return None
    return Learned(Judge.load(file), load_fits(work, pair_ids), _alike(work))


def load_fits(work: Workspace, pair_ids: set[str]) -> dict[str, Fit]:
    """How the label maps of these pairs fit, by pair_id. Needs WORK/label_fit.parquet."""
    if not pair_ids:
        return {}
    rows = read_frame(work.label_fit, filters=[("pair_id", "in", sorted(pair_ids))])
    return {row.pair_id: Fit(row.kind, (row.shift_x, row.shift_y)) for row in rows.itertuples()}


def _alike(work: Workspace) -> np.ndarray:
    n = len(work.space.names)
    index = {name_of(work.space, i): i for i in range(n)}
    alike = np.full((n, n), np.nan)
    for row in read_frame(work.coupled_classes, ["first", "second", "alike"]).itertuples():
        at = index[row.first], index[row.second]
        alike[at] = alike[at[::-1]] = row.alike
    return alike
