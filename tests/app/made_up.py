"""A work directory of a few pairs that are only numbers: no photo lies behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from curation import rules, stages
from curation.label_space_files import load_builtin
from curation.photo_similarity import LENGTH
from curation.scores import SCORES
from curation.workspace import Workspace, write_table


def made_up(
    folder: Path,
    scores: dict[str, dict[str, float | str | None]],
    classes: tuple[str, ...] = (),
    copies: tuple[tuple[str, str], ...] = (),
    settings: rules.Settings = rules.Settings(2),
) -> Workspace:
    """WORK as the app reads it, selected from by the real rules.

    scores: pair id -> what it has other than nought: scores by name, `error`, width, height. classes: ids of pairs, separated by blanks, the
    representative first, similarity falling by .01. copies: (first, second) of the same photo.
    """
    rows = []
    for pair_id in sorted(scores):
        row = {
            "pair_id": pair_id,
            "image": f"images/{pair_id}.jpg",
            "label": f"labels/{pair_id}.png",
            "width": 40,
            "height": 30,
        }
        row |= dict.fromkeys(SCORES, 0.0) | {"error": None, "sha256_image": pair_id, "sha256_label": pair_id}
        row |= scores[pair_id]
        rows.append(row if not row["error"] else row | dict.fromkeys(SCORES, None))
    table = pd.DataFrame(rows)
    table = table.astype({"error": "object", **dict.fromkeys(SCORES, "float64")})
    members = [(p, words.split(), i) for words in classes for i, p in enumerate(words.split())]
    groups = pd.DataFrame(
        [(p, c[0], c[0], 1 - i / 100, (len(c) - 1) / 100, len(c), _photo(p)) for p, c, i in members],
        columns=["pair_id", "equivalence_class", "representative", "similarity", "radius", "members", "descriptor"],
    )
    duplicates = pd.DataFrame(
        [(a, b, "same", 0.99, 0.0, 1.0, 0.0, 1.0, 0.0) for a, b in copies],
        columns=["first", "second", "relation", "similarity", "left", "right", "top", "bottom", "labels_disagree"],
    )
    options = {"images": None, "labels": None, "root": None, "label_space": None}
    data = folder / "data"
    work = Workspace(folder / "work", data, data, load_builtin("stanford8"), "made up", options)
    write_table(work.scores, table, "scores", {"judge": "plain"})
    write_table(work.groups, groups, "groups", {"similarity": 0.92, "mirror": True, "near": []})
    write_table(work.duplicates, duplicates, "duplicates")
    stages.write_faults(work, rules.select(table, duplicates, groups, settings))
    work.save()
    return work


def _photo(pair_id: str) -> bytes:
    """The description of a photo that is like no other's."""
    return np.random.default_rng(list(pair_id.encode())).integers(0, 256, LENGTH, np.uint8).tobytes()
