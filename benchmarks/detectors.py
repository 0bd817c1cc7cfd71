"""Every detector against the bars it must reach, on copies of a data set in which known defects were planted.

    python -m benchmarks.detectors --data DIR [--seed 7] [--seeds 3] [--fraction 0.25] [--label-space NAME]
                                   [--judged CSV] [--second LABELS] [--cleanlab] [--oracle] [--roc OUT.png] [--keep FOLDER]

DIR is any paired data set. For each of --seeds seeds a copy is planted (benchmarks/planting.py), indexed, scored and
grouped at default settings, and held against its truth; a DIR that has a truth.csv is such a copy already and is taken
as it is (give --data several times for several copies). The interval behind each AUROC is the 95 % bootstrap, behind
each share that of Wilson. Every bar is asked of the mean over the seeds; exit status 1 when one is missed. Bars of label defects
are those of the set that the detector was developed on, Stanford Background; for every other label space they lie
0.03 lower.

--judged: photos judged backlit by eye (columns stem, judgement: backlit or borderline; the others are not). Without it
benchmarks/stanford_backlit.csv is used where DIR has all its photos.
--second: label maps that somebody else drew of some of the photos, PAIR_ID.png: does the sky's disagree_share tell pairs
whose skies differ by more than 5 % of the picture from those below 1 %? Asked of DIR itself, where nothing is planted.
--oracle: beside the same judge fitted on the labels before anything was planted: the ceiling where a defect is ambiguous.
--cleanlab: beside cleanlab's two segmentation rankings, fed the same out-of-fold probabilities (pip install cleanlab).
--keep: leaves copies and work directories in a folder, and goes on from what is there.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import against_truth, bars, cleanlab_rankings, comparisons, roc
from benchmarks.against_truth import THRESHOLD, Outcome, sides
from benchmarks.auroc import auroc
from benchmarks.backlight import share
from benchmarks.measured import machine
from benchmarks.planting import plant, read_truth
from curation import stages
from curation.engine.local import default_workers
from curation.label_error.features import JUDGES
from curation.workspace import Workspace, atomic

STANFORD_BACKLIT = Path(__file__).with_name("stanford_backlit.csv")


def main() -> None:
    arguments = parse()
    run = stages.Run(workers=arguments.workers)
    planted = [(data / "truth.csv").is_file() for data in arguments.data]
    if any(planted) != all(planted) or (len(planted) > 1 and not planted[0]):
        sys.exit("Give one --data to plant defects in, or several that each have a truth.csv.")
    if (arguments.second or arguments.oracle) and planted[0]:
        sys.exit(
            "--second and --oracle need label maps as people drew them; give --data the set in which nothing is planted."
        )
    if arguments.second and not arguments.second.is_dir():
        sys.exit(
            f"--second {arguments.second} is no folder; name the one that holds the second annotator's label maps."
        )
    if arguments.cleanlab:
        cleanlab_rankings.load()  # before minutes of work
    print(f"{machine()}; {datetime.date.today()}; {', '.join(map(str, arguments.data))}")
    with room(arguments.keep) as folder:
        outcomes = []
        for name, copy, seed in copies(arguments, folder, planted[0]):
            outcomes.append(measure(run, name, copy, folder / name / "work", seed, arguments))
            if len(planted) > 1 or (arguments.seeds > 1 and not planted[0]):
                show(outcomes[-1])
        verdicts = bars.Verdicts()
        show_means(outcomes, verdicts)
        if arguments.cleanlab:
            comparisons.beside_cleanlab(outcomes, verdicts)
        if arguments.oracle or arguments.second:
            unplanted, _ = index_and_score(
                run, arguments.data[0], folder / "unplanted", arguments.label_space, arguments.judge
            )
        if arguments.oracle:
            comparisons.beside_oracle(run, outcomes, unplanted, folder)
        if arguments.second:
            comparisons.beside_second_annotator(unplanted, arguments.second, arguments.seed, verdicts)
        if arguments.roc:
            draw_roc(outcomes, arguments.roc)
    if verdicts.missed:
        sys.exit(f"{len(verdicts.missed)} of {verdicts.asked} bars missed: " + "; ".join(verdicts.missed))
    print(f"all {verdicts.asked} bars met")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--label-space")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fraction", type=float, default=0.25, help="share of the pairs that get a defect in place")
    parser.add_argument("--judged", type=Path, help="CSV with columns stem, judgement")
    parser.add_argument("--second", type=Path, help="folder of a second annotator's label maps")
    parser.add_argument("--oracle", action="store_true", help="beside a judge that learned from the unplanted labels")
    parser.add_argument("--cleanlab", action="store_true", help="beside cleanlab's rankings")
    parser.add_argument("--roc", type=Path, help="picture of the ROC curves, all seeds together")
    parser.add_argument("--keep", type=Path, help="leave copies and work directories here")
    parser.add_argument("--judge", choices=[j for j in JUDGES if j != "none"], default="auto", help="of the label maps")
    parser.add_argument("--workers", type=int, default=default_workers())
    return parser.parse_args()


@contextmanager
def room(keep: Path | None) -> Iterator[Path]:
    """The folder for copies and work directories: the one to keep, or one that goes when all is done."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def copies(arguments: argparse.Namespace, folder: Path, planted: bool) -> Iterator[tuple[str, Path, int]]:
    """Name, folder and seed of each planted copy, planted now where it is not."""
    if planted:
        for k, data in enumerate(arguments.data):
            yield f"copy{k + 1}-{data.name}", data, arguments.seed + k
        return
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        copy = folder / f"seed{seed}" / "copy"
        try:
            plant(arguments.data[0], copy, seed, arguments.fraction, arguments.label_space)
        except ValueError as error:
            sys.exit(str(error))
        yield f"seed{seed}", copy, seed


def index_and_score(
    run: stages.Run, data: Path, folder: Path, label_space: str | None, judge: str
) -> tuple[Workspace, pd.DataFrame]:
    work = stages.index(run, folder, data, label_space)
    return work, stages.score(run, work, judge)


def measure(run: stages.Run, name: str, copy: Path, folder: Path, seed: int, arguments: argparse.Namespace) -> Outcome:
    """Index, score and group one copy at default settings, and hold it against its truth."""
    ours = (
        copy / "planting.json"
    ).is_file()  # then its label space lies in it; ids may differ from those of the source
    label_space = None if ours else arguments.label_space
    work, scores = index_and_score(run, copy, folder, label_space, arguments.judge)
    duplicates, groups = stages.group(run, work)
    truth = read_truth(copy)
    table = against_truth.marked(scores, truth)
    judged = judgements(arguments.judged, table)
    return Outcome(
        name,
        work,
        table,
        against_truth.areas(table, seed),
        against_truth.caught(table, truth, duplicates, groups),
        against_truth.flagged(table, truth, judged),
        against_truth.rejected(table, duplicates, groups),
        against_truth.rejected_not_backlit(table, judged) if len(judged) else (0, 0),
    )


def judgements(file: Path | None, table: pd.DataFrame) -> pd.Series:
    """pair_id -> "backlit" or "borderline" as judged by eye; empty when nobody judged these photos."""
    judged = pd.read_csv(file or STANFORD_BACKLIT, dtype=str).set_index("stem")["judgement"]
    missing = judged.index.difference(table.index)
    if file and len(missing):
        sys.exit(f"{file} judges {missing[0]}, and --data has no such photo.")
    return judged if missing.empty else judged.iloc[:0]


def show(outcome: Outcome) -> None:
    table = outcome.table
    print(
        f"\n{outcome.name}: {len(table)} pairs, {(table['defect'] == 'clean').sum()} clean, label space {outcome.work.space.name}"
    )
    show_areas(outcome.areas, {})


def show_areas(areas: pd.DataFrame, asked: dict[str, str]) -> None:
    print(f"  {'defect':16}{'score':13}{'n':>4}{'AUROC':>8}  {'95 %':16}{'found':>6}  {'bar' if asked else ''}")
    for defect, row in areas.iterrows():
        interval = f"{row['low']:.4f} to {row['high']:.4f}"
        print(
            f"  {defect:16}{row['score']:13}{row['n']:4}{row['auroc']:8.4f}  {interval:16}{row['found']:6.2f}  "
            f"{asked.get(defect, '')}".rstrip(),
            flush=True,
        )


def show_means(outcomes: list[Outcome], verdicts: bars.Verdicts) -> None:
    """The table that the bars are asked of."""
    areas = against_truth.mean_areas([outcome.areas for outcome in outcomes])
    asked = {}
    for defect, area in areas["auroc"].items():
        bar = bars.auroc_bar(defect, outcomes[0].work.space.name)
        if bar is not None:
            asked[defect] = verdicts.at_least(defect, area, bar)
    n_clean = sum(int((outcome.table["defect"] == "clean").sum()) for outcome in outcomes)
    what = f"mean over {len(outcomes)} copies" if len(outcomes) > 1 else f"one copy, {outcomes[0].name}"
    print(f"\n{what}; {n_clean} clean pairs; found: share at or above the default threshold")
    show_areas(areas, asked)
    for defect, row in (
        pd.concat([outcome.caught for outcome in outcomes]).groupby(level=0, sort=False).sum().iterrows()
    ):
        print(f"  {defect:29}{row['size']:4}{'':26}{row['sum'] / row['size']:6.2f}")
    print("\nprecision at the default threshold, all copies together:")
    for reason, row in (
        pd.concat([outcome.flagged for outcome in outcomes]).groupby(level=0, sort=False).sum().iterrows()
    ):
        right, wrong = int(row["right"]), int(row["wrong"])
        bar = ""
        if reason == "label_error":  # a threshold that nothing reaches is of no use either
            precision = right / max(right + wrong, 1)
            bar = "; bar " + verdicts.at_least("precision of label_error", precision, bars.PRECISION)
        left_out = f"; {row['open']} more speak neither way" if row["open"] else ""
        print(f"  {reason:12} >= {THRESHOLD[reason]}: {proportion(right, right + wrong)} right{left_out}{bar}")
    over, of = np.sum([outcome.not_backlit for outcome in outcomes], axis=0)
    if of:
        bar = verdicts.at_most("share of photos judged not backlit that are rejected", over / of, bars.NOT_BACKLIT)
        print(f"  photos judged not backlit, rejected: {proportion(over, of)}; bar {bar}")
    else:
        print("  (really backlit photos count as wrong: nobody judged these by eye; see --judged)")
    print("\nof the clean pairs the defaults reject, by first reason:")
    for reason, n in pd.concat([outcome.rejected for outcome in outcomes]).groupby(level=0).sum().items():
        print(f"  {reason:18}{proportion(n, n_clean)}")


def proportion(part: int, whole: int) -> str:
    return share(pd.Series(np.arange(whole) < part))


def draw_roc(outcomes: list[Outcome], out: Path) -> None:
    """The defects that have a bar, all copies together."""
    curves = {}
    for defect in bars.AUROC:
        both = [sides(outcome.table, defect) for outcome in outcomes]
        planted, clean = (np.concatenate(side) for side in zip(*both, strict=True))
        if planted.size and clean.size:
            curves[f"{defect.replace('_', ' ')}, AUROC {auroc(planted, clean, 0)[0]:.3f}"] = roc.curve(planted, clean)
    with atomic(out) as temporary:
        roc.draw(curves).save(temporary, "PNG", optimize=True)
    print(f"\nROC curves: {out}")


if __name__ == "__main__":
    main()
