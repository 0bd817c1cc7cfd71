"""Review sample: which few pairs a person should look at, so that a reason's threshold can be found from them.

Enters: one score over a whole data set. Leaves: a table with an empty `verdict`, which `curate calibrate` reads once it is
filled in. Pairs are sorted by score and cut into strata whose sizes double away from the threshold; every stratum gets as many
clicks as the others, so the few pairs near the threshold are looked at closely and the many far below it hardly.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from hashlib import blake2b
from itertools import pairwise

import pandas as pd

from curation.place import Place
from curation.reviews import ReviewError

COLUMNS = ["pair_id", "reason", "verdict", "reviewer", "note", "score"]
# cuts in pairs from the top, in multiples of the pairs at or above the threshold; below 1 they tell where inside precision falls
CUTS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1, 3 / 2, 2, 4)
ENOUGH = 40  # clicks


def strata(scores: pd.Series, threshold: float, n: int = ENOUGH) -> list[list[str]]:
    """Pair ids by falling score, in strata; all of them together are the index of `scores`.

    Args:
        scores: (N,) in [0, 1], indexed by pair id.
        threshold: in [0, 1]. Where fewer than n / 4 pairs reach it, the n / 4 highest stand for them.
    """
    ranked = sorted(scores.items(), key=lambda item: (-item[1], _order(item[0])))
    ids = [pair_id for pair_id, _ in ranked]
    above = max(int((scores >= threshold).sum()), n // 4)
    cuts = sorted({0, len(ids), *(min(len(ids), round(cut * above)) for cut in CUTS)})
    return [ids[first:last] for first, last in pairwise(cuts)]


def sample(
    scores: pd.Series, reason: str, threshold: float, n: int = ENOUGH, reviewed: Collection[str] = ()
) -> pd.DataFrame:
    """Pick `n` pairs that are not `reviewed` (fewer where there are not so many) -> a table with COLUMNS.

    Each stratum gets as many reviews as the others, those that it has already counted in. The choice within a stratum and the order of the
    rows follow from digests of the ids: the same on every machine, and no hint at the score. Raises ReviewError when none is left.
    """
    done = set(reviewed)
    parts = strata(scores, threshold, n)
    left = [sorted((p for p in part if p not in done), key=_order) for part in parts]
    counts = [len(part) - len(rest) for part, rest in zip(parts, left, strict=True)]
    border = next((i for i, part in enumerate(parts) if scores[part[-1]] < threshold), len(parts))
    chosen: list[str] = []
    while len(chosen) < n and any(left):
        open_ = [i for i, rest in enumerate(left) if rest]
        i = min(open_, key=lambda i: (counts[i], abs(i + 0.5 - border), i))
        chosen.append(left[i].pop(0))
        counts[i] += 1
    if not chosen:
        raise ReviewError(
            f"All {len(scores):,} pairs with a {reason} score are reviewed; `curate calibrate` can start."
        )
    chosen.sort(key=_order)
    table = pd.DataFrame({"pair_id": chosen, "reason": reason, "score": scores[chosen].to_numpy()})
    return table.reindex(columns=COLUMNS, fill_value="")


def sample_line(reason: str, files: Collection[Place], work: Place | None, n: int) -> str:
    """The command that picks more pairs, as a person types it. `files`: reviews so far; `work`: None where it is the usual one."""
    words = ["curate", "sample", "--reason", reason, "--n", str(n), "--out", f"more_{reason}.csv"]
    for file in files:
        words += ["--reviews", str(file)]
    return shlex.join(words + (["--work", str(work)] if work else []))


def _order(pair_id: str) -> str:
    return blake2b(pair_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
