"""Keepers: which of several pairs that are alike stays, and in favour of which one the others go.

Enters: tables of couples with the same photo and of equivalence classes, and a rank of all pairs. Leaves, pair by pair: what
rules.Fault takes: reason, score, threshold, the pair that stays, detail. Every pair that goes names one that stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from curation.photo_similarity import LENGTH, TAU_PHOTO, difference, representatives, similarity

if TYPE_CHECKING:
    import pandas as pd

KEEPERS = ("clean", "largest", "sharpest", "first")  # which of two stays: the first word that tells them apart decides
SAME_PHOTO = {"exact": ", byte for byte", "same": "", "mirrored": ", mirrored", "cropped": ", cropped"}
LABELS_DISAGREE = 0.05  # of the picture: label maps of the same photo that differ more are a finding about the labels
MOST_COMPARED = 64  # photos of a class with which all others are compared

Why = tuple[str, float | None, float | None, str, str]


def rank_of(
    readable: pd.DataFrame, unclean: Collection[str], keeper: tuple[str, ...], wanted: Collection[str] = ()
) -> dict[str, int]:
    """The place of each pair when one of several is to stay: those that people want first, then by the keeper's words in their
    order, then by id."""
    import pandas as pd

    words = {
        "wanted": ~readable.index.isin(list(wanted)),
        "clean": readable.index.isin(list(unclean)),
        "largest": -(readable["width"] * readable["height"]),
        "sharpest": readable["blur"].fillna(0.0) if "blur" in readable else 0.0,
        "first": readable.index,
    }
    table = pd.DataFrame({word: words[word] for word in ("wanted", *keeper, "first")}, index=readable.index)
    return {p: i for i, p in enumerate(table.sort_values(list(table.columns), kind="stable").index)}


def copies_to_drop(
    duplicates: pd.DataFrame,
    in_force: Mapping[str, float | None],
    rank: Mapping[str, int],
    wanted: Collection[str] = (),
    unwanted: Collection[str] = (),
) -> Iterator[tuple[str, Why]]:
    """Of each set of pairs with the same photo, all but one; those that people want (`wanted`) all stay, those that people dropped
    (`unwanted`) are never the one that stays.

    Sets do not chain: a pair is dropped only for one that is itself kept and that it was found to equal. Photos that are identical,
    byte for byte or by a similarity of 1, are one, whichever of them was compared. `in_force`: threshold of each reason that applies.
    """
    same_bytes, same_picture = _Sets(), _Sets()
    couples = {}
    for row in duplicates.itertuples(index=False):
        reason = "exact_duplicate" if row.relation == "exact" else "near_duplicate"
        if (
            reason not in in_force
            or row.similarity < (in_force[reason] or 0)
            or not {row.first, row.second} <= rank.keys()
        ):
            continue
        couples[row.first, row.second] = couples[row.second, row.first] = row
        if row.relation == "exact":
            same_bytes.join(row.first, row.second)
        if row.relation in ("exact", "same") and row.similarity == 1:
            same_picture.join(row.first, row.second)
    alike: dict[str, dict[str, tuple[str, float]]] = defaultdict(dict)  # set -> set -> relation, similarity
    members: dict[str, set[str]] = defaultdict(set)
    for (one, other), row in sorted(couples.items(), key=lambda couple: couple[0]):
        mine, theirs = same_picture.of(one), same_picture.of(other)
        members[mine].add(one)
        if mine != theirs and row.similarity > alike[mine].get(theirs, ("", -1.0))[1]:
            alike[mine][theirs] = row.relation, row.similarity
    settled: set[str] = set()
    for keep in sorted((p for some in members.values() for p in some), key=rank.__getitem__):
        if keep in settled or keep in unwanted:
            continue
        settled.add(keep)
        mine = same_picture.of(keep)
        for other, found in sorted({mine: ("same", 1.0), **alike[mine]}.items()):
            for drop in sorted((members[other] - settled).difference(wanted)):
                settled.add(drop)
                row = couples.get((drop, keep))
                relation, score = found if row is None else (row.relation, row.similarity)
                if same_bytes.of(drop) == same_bytes.of(keep):
                    relation = "exact"
                reason = "exact_duplicate" if relation == "exact" else "near_duplicate"
                yield drop, (reason, float(score), in_force[reason], keep, _same_photo(keep, relation, row))


def _same_photo(keep: str, relation: str, couple) -> str:
    detail = f"same photo as {keep}{SAME_PHOTO[relation]}"
    share = getattr(couple, "labels_disagree", None)
    if share is not None and share > LABELS_DISAGREE:
        detail += f"; their label maps disagree on {100 * share:.0f} % of it"
    return detail


class _Sets:
    """Sets that are joined; each is named by its lowest member."""

    def __init__(self) -> None:
        self._up: dict[str, str] = {}

    def of(self, member: str) -> str:
        while (up := self._up.get(member, member)) != member:
            self._up[member] = self._up.get(up, up)
            member = up
        return member

    def join(self, one: str, other: str) -> None:
        one, other = sorted((self.of(one), self.of(other)))
        if one != other:
            self._up[other] = one


def classes_of_at_least(
    least: int, groups: pd.DataFrame, pair_ids: Collection[str]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(name, columns of groups, by pair_id) of each equivalence class of which there are at least so many of the pairs, by name."""
    import pandas as pd

    some = groups[groups["pair_id"].isin(list(pair_ids))]
    code, names = pd.factorize(some["equivalence_class"], sort=True)
    size = np.bincount(code, minlength=len(names))
    order = np.lexsort((some["pair_id"].to_numpy(), code))
    order = order[size[code[order]] >= least]
    # columns of a sorted table, cut up: a frame a class would take a millisecond each
    columns = {name: some[name].to_numpy()[order] for name in some.columns}
    start = 0
    for at in np.flatnonzero(size >= least):
        yield names[at], {name: values[start : start + size[at]] for name, values in columns.items()}
        start += size[at]


def class_surplus(
    groups: pd.DataFrame,
    clean: Collection[str],
    k: int | None,
    rank: Mapping[str, int],
    copies: bool,
    wanted: Collection[str] = (),
) -> Iterator[tuple[str, Why]]:
    """Of each equivalence class of label maps, what there is too much of among the clean pairs.

    With `copies`, pairs whose photos are practically the same as a better one's; then all but the k whose photos represent
    the class best (None: any number stays). Those that people want (`wanted`, the first by rank) stay, however many, and others fill up
    to k. Time grows with the size of a class times k + MOST_COMPARED: the best MOST_COMPARED photos that
    stay are compared with all others, no more.
    """
    for name, members in classes_of_at_least(2 if copies else (k or 0) + 1, groups, clean):
        ids = members["pair_id"].tolist()
        photos = np.frombuffer(b"".join(members["descriptor"]), np.uint8).reshape(len(ids), LENGTH)
        asked = np.array([p in wanted for p in ids])
        better = _better(photos, np.array([rank[p] for p in ids]), asked) if copies else {}
        left = np.array([i for i in range(len(ids)) if i not in better])
        first = np.flatnonzero(asked[left]).tolist()
        kept = left if k is None else np.sort(left[representatives(photos[left], k, first)])
        stays = set(kept.tolist())
        near = np.full(len(ids), -1)
        if len(kept) < len(left):
            near = kept[np.stack([difference(photos, photos[i]) for i in kept]).argmin(0)]
        layout = members["similarity"]
        for i, pair_id in enumerate(ids):
            if i in stays:
                continue
            if better.get(i) in stays:
                keep = ids[better[i]]
                score = round(float(similarity(photos[i : i + 1], photos[better[i]])[0]), 4)
                detail = f"practically the same photo as {keep}, and practically the same label map"
                yield pair_id, ("near_duplicate", score, TAU_PHOTO, keep, detail)
            else:
                detail = f"class {name}: {len(ids)} clean pairs with practically the same label map, {len(kept)} kept"
                yield pair_id, ("equivalence_class", float(layout[i]), None, ids[near[i]], detail)


def _better(photos: np.ndarray, rank: np.ndarray, wanted: np.ndarray) -> dict[int, int]:
    """Row -> row of a better photo that it is practically the same as, and that has no such better one itself; none for a wanted row."""
    found: dict[int, int] = {}
    left = np.argsort(rank)
    for _ in range(MOST_COMPARED):
        if len(left) < 2:
            break
        best, left = left[0], left[1:]
        same = (similarity(photos[left], photos[best]) >= TAU_PHOTO) & ~wanted[left]
        found |= dict.fromkeys(left[same].tolist(), int(best))
        left = left[~same]
    return found
