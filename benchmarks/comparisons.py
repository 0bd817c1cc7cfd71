"""label_error beside others: cleanlab's rankings, an oracle that learned from right labels, a second annotator.

Enters: planted copies held against their truth. Leaves: printed tables, and bars asked.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks import bars, cleanlab_rankings, oracle, second_annotator
from benchmarks.against_truth import LABEL_DEFECTS, Outcome
from benchmarks.auroc import auroc
from curation import stages
from curation.label_error.stage import evidence_of
from curation.workspace import Workspace


def beside_cleanlab(outcomes: list[Outcome], verdicts: bars.Verdicts) -> None:
    """cleanlab's two rankings, fed the out-of-fold probabilities of our judge; ours must be above both on every defect."""
    theirs = []
    for outcome in outcomes:
        parts = sorted(outcome.work.parts.glob("*.parquet"))
        theirs.append(cleanlab_rankings.rankings(evidence_of(parts, oracle.judge_file(outcome.work))))
    table = _areas(outcomes, theirs)
    asked = {
        defect: verdicts.above(f"{defect} beside cleanlab", row["ours"], row.drop("ours").max())
        for defect, row in table.iterrows()
    }
    print("\nbeside cleanlab's rankings, fed the same out-of-fold probabilities, AUROC (mean):")
    _show(table, asked)


def beside_oracle(run: stages.Run, outcomes: list[Outcome], unplanted: Workspace, folder: Path) -> None:
    """The ceiling: the same judge, fitted on the labels before anything was planted. No bar: where it fails, the defect is ambiguous."""
    scores = [
        oracle.scores(run, unplanted, outcome.work, folder / f"oracle-{outcome.name}").rename("oracle").to_frame()
        for outcome in outcomes
    ]
    print("\nbeside an oracle, the same judge fitted on the labels before anything was planted, AUROC (mean):")
    _show(_areas(outcomes, scores), {})


def beside_second_annotator(work: Workspace, second: Path, seed: int, verdicts: bars.Verdicts) -> None:
    """Does the sky's disagree_share tell pairs whose sky two people drew differently from those they agree on?"""
    between = second_annotator.sky_between(work, second)
    evidence = second_annotator.sky_by_evidence(work).reindex(between.index).fillna(0)
    different, alike = between > second_annotator.DIFFERENT, between < second_annotator.ALIKE
    print(
        f"\nthe sky, drawn twice: {len(between)} pairs; {different.sum()} differ by more than "
        f"{second_annotator.DIFFERENT:.0%} of the picture, {alike.sum()} by less than {second_annotator.ALIKE:.0%}"
    )
    if not (different.any() and alike.any()):
        print("  nothing to tell apart")
        return
    area, low, high = auroc(evidence[different], evidence[alike], seed)
    bar = verdicts.at_least("AUROC of the sky's disagree_share", area, bars.SECOND)
    print(f"  disagree_share of the sky: AUROC {area:.4f} ({low:.4f} to {high:.4f}); bar {bar}")


def _areas(outcomes: list[Outcome], others: list[pd.DataFrame]) -> pd.DataFrame:
    """defect -> ours and the columns of the others: AUROC against the clean pairs, mean over the copies; the same pairs for all."""
    rows = []
    for outcome, other in zip(outcomes, others, strict=True):
        ours = outcome.table[["defect", "label_error"]].rename(columns={"label_error": "ours"})
        both = ours.join(other, how="inner").dropna()
        clean = both[both["defect"] == "clean"]
        for defect in LABEL_DEFECTS:
            some = both[both["defect"] == defect]
            if len(some) and len(clean):
                rows.append({"defect": defect} | {c: auroc(some[c], clean[c], 0)[0] for c in ["ours", *other]})
    return pd.DataFrame(rows).groupby("defect", sort=False).mean() if rows else pd.DataFrame()


def _show(table: pd.DataFrame, asked: dict[str, str]) -> None:
    print(f"  {'defect':16}" + "".join(f"{name:>18}" for name in table))
    for defect, row in table.iterrows():
        print(f"  {defect:16}" + "".join(f"{value:18.4f}" for value in row) + f"  {asked.get(defect, '')}".rstrip())
