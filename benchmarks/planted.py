"""How well each defect is found on copies of a real data set in which known defects were planted.

    python -m benchmarks.planted --data planted1 --data planted2 ...

Each DATA has images/, labels/, classes.json and truth.csv (pair_id, defect, detail; pairs without a row are clean; detail of a copy = its
original). Printed for each kind of defect: AUROC of its score against the clean pairs and the share found at the default threshold, pooled
over the data sets; for copies, the share matched with their original; and what the defaults reject of the clean pairs.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.measured import machine
from curation import stages
from curation.rules import RULES, Settings, select

SCORE_OF = {
    "wrong_pair": "label_error",
    "rotated_label": "label_error",
    "class_swapped": "label_error",
    "shifted_label": "label_error",
    "mirrored_label": "label_error",
    "wrong_patch": "label_error",
    "blank_label": "label_error",
    "coupled_labels": "coupling",
    "backlit": "backlight",
    "dark": "dark",
    "overexposed": "overexposed",
    "blurred": "blur",
    "monochrome": "monochrome",
}
FILE_DEFECTS = ("truncated_image", "empty_image", "label_other_size", "id_out_of_range")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    arguments = parser.parse_args()
    tables, copies, dropped_clean, n_clean = [], [], [], 0
    for data in arguments.data:
        truth = pd.read_csv(data / "truth.csv", dtype=str, keep_default_na=False)
        with tempfile.TemporaryDirectory() as scratch:
            run = stages.Run(quiet=True)
            work = stages.index(run, Path(scratch), data)
            scores = stages.score(run, work)
            duplicates, groups = stages.group(run, work)
        scores["defect"] = scores["pair_id"].map(truth.set_index("pair_id")["defect"]).fillna("clean")
        originals = truth[truth["defect"].str.startswith(("copy_", "layout_twin"))]
        scores.loc[scores["pair_id"].isin(originals["detail"]) & (scores["defect"] == "clean"), "defect"] = "original"
        tables.append(scores)
        same = set(zip(duplicates["first"], duplicates["second"], strict=True))
        group_of = groups.set_index("pair_id")["equivalence_class"]
        for row in originals.itertuples():
            matched = tuple(sorted((row.pair_id, row.detail))) in same
            if row.defect == "layout_twin":
                matched = group_of[row.pair_id] == group_of[row.detail]
            copies.append((row.defect, matched))
        selection = select(scores, duplicates, groups, Settings(2))
        clean = set(scores.loc[scores["defect"] == "clean", "pair_id"])
        n_clean += len(clean)
        dropped_clean += [faults[0].reason for p, faults in selection.faults.items() if p in clean]
    table = pd.concat(tables, ignore_index=True)
    print(f"{machine()}; {datetime.date.today()}; {len(arguments.data)} data sets, {len(table)} pairs, {n_clean} clean")
    threshold = {rule.reason: rule.threshold for rule in RULES}
    print(f"{'defect':18}{'score':14}{'n':>5}{'AUROC':>8}{'found':>8}")
    for defect, score in SCORE_OF.items():
        some = table[table["defect"].isin([defect, "clean"]) & table[score].notna()]
        is_defect = some["defect"] == defect
        if is_defect.any():
            auroc = roc_auc_score(is_defect, some[score])
            found = (some.loc[is_defect, score] >= threshold[score]).mean()
            print(f"{defect:18}{score:14}{is_defect.sum():5}{auroc:8.3f}{found:8.2f}")
    for defect in FILE_DEFECTS:
        some = table.loc[table["defect"] == defect, "error"]
        if len(some):
            print(f"{defect:18}{'error':14}{len(some):5}{'':8}{some.notna().mean():8.2f}")
    for defect, some in pd.DataFrame(copies, columns=["defect", "matched"]).groupby("defect"):
        print(f"{defect:18}{'matched':14}{len(some):5}{'':8}{some['matched'].mean():8.2f}")
    print(f"of {n_clean} clean pairs the defaults reject, by first reason:")
    for reason, n in pd.Series(dropped_clean, dtype=object).value_counts().items():
        print(f"  {reason:18}{n:5}  {n / n_clean:.3f}")


if __name__ == "__main__":
    main()
