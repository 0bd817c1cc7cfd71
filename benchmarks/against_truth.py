"""Scores of a planted copy held against its truth: how well each defect is told from clean pairs, and what the defaults do.

Enters: the tables of `curate score` and `curate group`, and truth.csv of the copy. Leaves: one row a defect, a reason or
a rejection. `clean` are pairs in which nothing was planted and of which no copy was planted either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.auroc import auroc
from benchmarks.planting import FILE_DEFECTS
from curation.rules import RULES, Settings, select
from curation.workspace import Workspace

LABEL_DEFECTS = (
    "wrong_pair", "rotated_label", "class_swapped", "shifted_label", "mirrored_label", "wrong_patch", "blank_label"
)  # fmt: skip
SCORE_OF = dict.fromkeys(LABEL_DEFECTS, "label_error") | {
    "coupled_labels": "coupling",
    "backlit": "backlight",
    "dark": "dark",
    "overexposed": "overexposed",
    "blurred": "blur",
    "monochrome": "monochrome",
}
THRESHOLD = {rule.reason: rule.threshold for rule in RULES}
PHOTO_CHANGED = ("backlit", "dark", "overexposed", "blurred", "monochrome", "layout_twin")


@dataclass(frozen=True)
class Outcome:
    """One planted copy held against its truth: the scores as `marked`, and the tables that the functions below give."""

    name: str
    work: Workspace
    table: pd.DataFrame
    areas: pd.DataFrame
    caught: pd.DataFrame
    flagged: pd.DataFrame
    rejected: pd.Series
    not_backlit: tuple[int, int]


def marked(scores: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The scores with a column `defect`: a planted kind, "original" of a copy, or "clean"; and the index pair_id."""
    table = scores.set_index("pair_id")
    table["defect"] = truth.set_index("pair_id")["defect"].reindex(table.index).fillna("clean")
    of_copies = truth.loc[is_copy(truth["defect"]), "detail"]
    table.loc[table.index.isin(of_copies) & (table["defect"] == "clean"), "defect"] = "original"
    return table


def is_copy(defect: pd.Series) -> pd.Series:
    return defect.str.startswith("copy_") | (defect == "layout_twin")


def sides(table: pd.DataFrame, defect: str) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the pairs with a defect and of the clean ones; pairs without that score are left out."""
    score = SCORE_OF[defect]
    if score not in table:  # too few pairs to learn label_error from
        return np.zeros(0), np.zeros(0)
    return tuple(table.loc[table["defect"] == side, score].dropna().to_numpy() for side in (defect, "clean"))


def areas(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """defect -> score, n, auroc, low, high (95 % bootstrap interval), found (share at the default threshold)."""
    rows = {}
    for defect, score in SCORE_OF.items():
        planted, clean = sides(table, defect)
        if planted.size and clean.size:
            found = float((planted >= THRESHOLD[score]).mean())
            rows[defect] = (score, planted.size, *auroc(planted, clean, seed), found)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["score", "n", "auroc", "low", "high", "found"])


def mean_areas(each: list[pd.DataFrame]) -> pd.DataFrame:
    """The mean over seeds of what `areas` gives: n is summed, found weighted by n.

    The interval joins those of the seeds as errors that are independent: the distance of its ends from the mean is the
    root of the summed squares of their distances, over the number of seeds.
    """
    table = pd.concat(each)
    rows = {}
    for defect in [d for d in SCORE_OF if d in table.index]:
        some = table.loc[[defect]]
        mean = some["auroc"].mean()
        below, above = (np.sqrt(((some[end] - some["auroc"]) ** 2).sum()) / len(some) for end in ("low", "high"))
        found = np.average(some["found"], weights=some["n"])
        rows[defect] = (some["score"].iloc[0], some["n"].sum(), mean, mean - below, min(1.0, mean + above), found)
    return pd.DataFrame.from_dict(rows, orient="index", columns=table.columns)


def caught(table: pd.DataFrame, truth: pd.DataFrame, duplicates: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """What has no score: defect -> n, found: damaged files with an error, copies matched with their original."""
    rows = [(d, bool(has)) for d, has in zip(table["defect"], table["error"].notna(), strict=True) if d in FILE_DEFECTS]
    same = set(zip(duplicates["first"], duplicates["second"], strict=True))
    group_of = groups.set_index("pair_id")["equivalence_class"]
    for row in truth[is_copy(truth["defect"])].itertuples():
        if row.defect == "layout_twin":
            matched = group_of.get(row.pair_id) == group_of.get(row.detail)
        else:
            matched = tuple(sorted((row.pair_id, row.detail))) in same
        rows.append((row.defect, matched))
    return pd.DataFrame(rows, columns=["defect", "found"]).groupby("defect", sort=False)["found"].agg(["size", "sum"])


def flagged(table: pd.DataFrame, truth: pd.DataFrame, judged: pd.Series) -> pd.DataFrame:
    """reason -> right, wrong, open: what the default threshold of label_error, coupling and backlight flags.

    label_error is right about every label defect, coupling about coupled labels, backlight about planted backlight and
    about photos that were judged backlit by eye (`judged`: judgement by pair_id). Open are the cases that speak neither
    way: label_error for coupled labels, which are wrong ones; backlight for photos judged borderline, and for judged
    ones that a photo defect has changed since. All other flagged pairs count against it.
    """
    photo = pd.Series(table.index, index=table.index)
    photo.update(truth[is_copy(truth["defect"])].set_index("pair_id")["detail"])
    by_eye = photo.map(lambda photo_id: judged.get(photo_id, "not"))
    defect, stays = table["defect"], ~table["defect"].isin(PHOTO_CHANGED)
    right = {
        "label_error": defect.isin(LABEL_DEFECTS),
        "coupling": defect == "coupled_labels",
        "backlight": (defect == "backlit") | (stays & (by_eye == "backlit")),
    }
    either = {"label_error": defect == "coupled_labels", "backlight": by_eye != "not"}
    rows = {}
    for reason, is_right in right.items():
        if reason in table:
            over = table[reason] >= THRESHOLD[reason]
            unclear = over & ~is_right & either.get(reason, False)
            rows[reason] = (int((over & is_right).sum()), int((over & ~is_right & ~unclear).sum()), int(unclear.sum()))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["right", "wrong", "open"])


def rejected(table: pd.DataFrame, duplicates: pd.DataFrame, groups: pd.DataFrame) -> pd.Series:
    """Of the clean pairs, how many the defaults of Selection II drop, by first reason."""
    faults = select(table.reset_index(), duplicates, groups, Settings(2)).faults
    clean = set(table.index[table["defect"] == "clean"])
    return pd.Series([some[0].reason for p, some in faults.items() if p in clean], dtype=object).value_counts()


def rejected_not_backlit(table: pd.DataFrame, judged: pd.Series) -> tuple[int, int]:
    """Of the pairs in which nothing was planted and whose photo was not judged backlit: how many backlight rejects, of how many."""
    backlit = table.index.isin(judged.index[judged == "backlit"])
    ordinary = table.loc[table["defect"].isin(["clean", "original"]) & ~backlit, "backlight"].dropna()
    return int((ordinary >= THRESHOLD["backlight"]).sum()), len(ordinary)
