"""What was found of the planted defects: precision and recall per reason on the demo data set.

A first impression on rendered landscapes, never evidence of quality on photos.
"""

from __future__ import annotations

import pandas as pd

from curation.rules import RULES

# reason -> the planted defects it is meant to find
FOUND_BY = {
    "unreadable": ["truncated_image", "empty_image", "label_other_size", "id_out_of_range", "missing_label"],
    "exact_duplicate": ["copy_exact"],
    "near_duplicate": ["copy_reencoded", "copy_resized", "copy_mirrored"],
    "label_error": [
        "wrong_pair",
        "mirrored_label",
        "rotated_label",
        "shifted_label",
        "class_swapped",
        "wrong_patch",
        "blank_label",
    ],
    "coupling": ["coupled_labels"],
    "backlight": ["backlit"],
    "monochrome": ["monochrome"],
    "dark": ["dark"],
    "overexposed": ["overexposed"],
    "blur": ["blurred"],
    "low_information": ["low_information"],
    "equivalence_class": ["layout_twin"],
}
# reason -> other planted defects that it is right to flag, though it is not meant to find them all
ALSO_RIGHT = {
    "label_error": ["coupled_labels"],
    "monochrome": ["low_information"],  # the planted fog is grey
}


def scorecard(
    truth: pd.DataFrame, scores: pd.DataFrame, duplicates: pd.DataFrame, groups: pd.DataFrame
) -> pd.DataFrame:
    """One row per reason: planted, found (of the planted), flagged (in all), precision, recall; NaN where nothing is.

    A pair is flagged by a score at or above the rule's default threshold, whether or not the rule applies by itself. Copies count as
    found when they are matched with their original, layout twins when they share its equivalence class; of those two, flagged counts
    couples.
    """
    rows = []
    for rule in RULES:
        if rule.reason not in FOUND_BY:
            continue
        planted = truth[truth["defect"].isin(FOUND_BY[rule.reason])]
        wanted = set(planted["pair_id"])
        if rule.reason == "unreadable":
            flagged = set(scores.loc[scores["error"].notna(), "pair_id"])
        elif rule.reason in ("exact_duplicate", "near_duplicate"):
            some = duplicates[(duplicates["relation"] == "exact") == (rule.reason == "exact_duplicate")]
            flagged = set(zip(some["first"], some["second"], strict=True))
            wanted = _couples(planted)
        elif rule.reason == "equivalence_class":
            copies = _couples(
                truth[truth["defect"].str.startswith("copy_")]
            )  # they share a class as a matter of course
            flagged = _same_class(groups) - copies
            wanted = _couples(planted)
        elif rule.reason in scores:
            flagged = set(scores.loc[scores[rule.reason] >= rule.threshold, "pair_id"])
        else:
            continue
        right = len(flagged & wanted)
        also = truth.loc[truth["defect"].isin(ALSO_RIGHT.get(rule.reason, [])), "pair_id"]
        rows.append(
            {
                "reason": rule.reason,
                "planted": len(wanted),
                "found": right,
                "flagged": len(flagged),
                "precision": (right + len(flagged & set(also))) / len(flagged) if flagged else float("nan"),
                "recall": right / len(wanted) if wanted else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def _couples(planted: pd.DataFrame) -> set[tuple[str, str]]:
    return {tuple(sorted(couple)) for couple in zip(planted["pair_id"], planted["detail"], strict=True)}


def _same_class(groups: pd.DataFrame) -> set[tuple[str, str]]:
    couples = set()
    for _, members in groups.groupby("equivalence_class")["pair_id"]:
        names = sorted(members)
        couples |= {(a, b) for i, a in enumerate(names) for b in names[i + 1 :]}
    return couples
