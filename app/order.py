"""Order: which pairs a reviewer gets, in which order, and for which reason each.

Enters: a table. Leaves: candidates, the whole order at once, as arrays of positions and reasons; nothing is asked of a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from app.search import mentioned
from app.table import REASONS, Table
from curation.verdicts import NO_REASON

ORDERS = {
    "informative": "doubtful first",  # near the threshold, the reasons in turn
    "score": "worst first",
    "reason": "reason by reason",  # in the order of the rules
    "class": "by equivalence class",
    "id": "by id",
}
KEPT = "kept"  # instead of a reason: the pairs that stay, the nearest to a threshold first
NEARLY = 0.5  # of the threshold: pairs with a lower score are not worth a look for that reason
HOPELESS = ("unreadable",)  # reasons whose pairs no verdict brings back
MOST_REMEMBERED = 8  # lists of candidates of one table
FEWEST_NEARLY = 20  # pairs below the threshold that are shown for a reason, or as many as are above it


@dataclass(frozen=True)
class Candidates:
    """(n,) positions int32 and the reason of each, an index into REASONS, int8."""

    positions: np.ndarray
    reasons: np.ndarray


_FOUND: WeakKeyDictionary[Table, dict[tuple, Candidates]] = WeakKeyDictionary()
_LOCK = Lock()


def candidates(
    table: Table, reason: str | None = None, order: str = "informative", text: str = "", enough: int = 0
) -> Candidates:
    """All pairs worth a review, in order; each pair once. Found once for all who ask the same.

    reason: pairs dropped for it, or that it would drop, and those nearly so; None: all that is dropped or nearly; KEPT: what stays. order: of ORDERS. text: only
    pairs of which it is said (search.py). enough: so many pairs for a reason with a score, where there are so many with one, also such as
    are not nearly dropped, the nearest. Equal ones stand by id.
    """
    if order not in ORDERS:
        raise ValueError(f'No order "{order}"; known: {", ".join(ORDERS)}.')
    asked = reason, order, text.strip(), enough
    with _LOCK:
        found = _FOUND.setdefault(table, {})
        if asked not in found:
            while len(found) >= MOST_REMEMBERED:
                del found[next(iter(found))]
            found[asked] = _candidates(table, *asked)
            found[asked].positions.flags.writeable = found[asked].reasons.flags.writeable = False
        return found[asked]


def _candidates(table: Table, reason: str | None, order: str, text: str, enough: int) -> Candidates:
    counts = table.counts()
    if reason == KEPT:
        found = _kept(table, [r for r in table.scores if table.in_force(r)])
    elif reason is None:
        lists = {r: _of_reason(table, r, order) for r in REASONS if counts.get(r) or table.in_force(r)}
        found = _informative(lists) if order == "informative" else _joined(lists.values())
    else:
        found = _of_reason(table, reason, order, enough)
    keep = np.sort(np.unique(found.positions, return_index=True)[1])
    found = Candidates(found.positions[keep].astype(np.int32), found.reasons[keep].astype(np.int8))
    if order in ("class", "id"):
        key = table.classes.of[found.positions] if order == "class" else found.positions
        by = np.lexsort((found.positions, key))
        found = Candidates(found.positions[by], found.reasons[by])
    elif order == "score" and reason is None:
        by = np.lexsort((found.positions, -np.nan_to_num(_scores(table, found), nan=1)))
        found = Candidates(found.positions[by], found.reasons[by])
    if text:
        has = mentioned(table, text)[found.positions]
        found = Candidates(found.positions[has], found.reasons[has])
    return found


def _of_reason(table: Table, reason: str, order: str, enough: int = 0) -> Candidates:
    dropped, score = table.dropped_for(reason)
    positions, value = dropped, np.nan_to_num(score, nan=1.0)
    distance = value  # without a threshold: the least similar first
    if reason in table.scores:
        all_of, threshold = table.scores[reason], table.thresholds[reason]
        others = table.readable.copy()
        others[dropped] = False
        over = np.flatnonzero(
            others & (all_of >= threshold)
        )  # what the rule would drop, were it applied, or a person did not keep
        above = len(dropped) + len(over)
        below = np.flatnonzero(others & (all_of < threshold) & (all_of >= NEARLY * threshold))
        if above + len(below) < enough:
            below = np.flatnonzero(others & (all_of < threshold))
        below = below[np.lexsort((below, -all_of[below]))]
        nearly = int((all_of[below] >= NEARLY * threshold).sum())
        below = below[: max(min(nearly, max(FEWEST_NEARLY, above)), enough - above)]
        positions = np.concatenate([dropped, over, below])
        value = np.concatenate([value, all_of[over], all_of[below]])
        distance = np.abs(_logit(value) - _logit(np.float32(threshold)))
    by = np.lexsort((positions, distance if order == "informative" else -value))
    return Candidates(positions[by], np.full(len(by), REASONS.index(reason), np.int8))


def _informative(lists: dict[str, Candidates]) -> Candidates:
    """The reasons in turn; at the end what no person can change."""
    hopeless = [lists.pop(reason) for reason in HOPELESS if reason in lists]
    return _joined([_in_turn(list(lists.values())), *hopeless])


def _joined(lists: Iterable[Candidates]) -> Candidates:
    none = Candidates(np.zeros(0, np.int32), np.zeros(0, np.int8))
    lists = [none, *lists]
    return Candidates(np.concatenate([c.positions for c in lists]), np.concatenate([c.reasons for c in lists]))


def _in_turn(lists: list[Candidates]) -> Candidates:
    """The first of each list, then the second of each ..."""
    joined = _joined(lists)
    by = np.argsort(np.concatenate([np.arange(len(c.positions)) for c in lists] or [np.zeros(0)]), kind="stable")
    return Candidates(joined.positions[by], joined.reasons[by])


def _kept(table: Table, reasons: list[str]) -> Candidates:
    kept = np.flatnonzero(table.kept)
    if not reasons:
        return Candidates(kept, np.full(len(kept), REASONS.index(NO_REASON), np.int8))
    distance = np.stack(
        [_logit(np.float32(table.thresholds[r])) - _logit(np.nan_to_num(table.scores[r][kept])) for r in reasons]
    )
    nearest = distance.argmin(0)
    by = np.lexsort((kept, distance.min(0)))
    return Candidates(kept[by], np.array([REASONS.index(r) for r in reasons], np.int8)[nearest[by]])


def _scores(table: Table, found: Candidates) -> np.ndarray:
    values = np.full(len(found.positions), np.nan, np.float32)
    for index in np.unique(found.reasons):
        mine = found.reasons == index
        if REASONS[index] in table.scores:
            values[mine] = table.scores[REASONS[index]][found.positions[mine]]
    return values


def _logit(score: np.ndarray) -> np.ndarray:
    share = np.clip(score, 1e-4, 1 - 1e-4)
    return np.log(share / (1 - share))
