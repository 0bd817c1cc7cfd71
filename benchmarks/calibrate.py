"""How precision moves when a person reviews 40 pairs and `curate calibrate` sets the threshold.

    python -m benchmarks.calibrate --data planted1 [--data planted2 ...] [--seed 1] [--judged stanford_backlit.csv]

Each DATA has images/, labels/, classes.json and truth.csv (pair_id, defect, detail), as for benchmarks.detectors. A simulated reviewer
follows truth.csv and clicks wrong 5 times in 100. For backlight, truth.csv knows only the planted cases though real photos are
backlit, too: --judged names a CSV (stem, judgement) of photos judged by eye; "backlit" counts as planted, "borderline" is decided by
a coin, anew in each repetition.

Printed for each reason: precision and recall against the truth at the default threshold and after the reviews, the mean over the repetitions and
between which values 9 of 10 lie; the wrong clicks count as the reviewer's opinion, so a precision wanted of 0.9 asks for more than 0.9
of the truth. *said*: what calibrate promised; *inside*: how often the share of pairs that this reviewer would drop lay in its 95 % interval;
*refused*: repetitions in which it found no threshold. With --compare the same for two plainer curves, isotonic and logistic.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.against_truth import SCORE_OF
from benchmarks.measured import machine
from curation import calibration, stages
from curation.review_sample import sample
from curation.reviews import ReviewError
from curation.rules import RULES

WRONG_CLICKS = 0.05
REASONS = ("label_error", "coupling", "backlight")
WANTED = 0.9
COLUMNS = ["precision", "recall", "rejects", "threshold", "said", "inside"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reviews", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--judged", type=Path, help="CSV with stem, judgement (backlit, borderline)")
    parser.add_argument("--work", type=Path, help="keep the measures of each DATA in a folder of its name here")
    parser.add_argument(
        "--compare", action="store_true", help="also with isotonic regression and a plain logistic curve"
    )
    arguments = parser.parse_args()
    curves = {"psychometric": calibration.fit}
    if arguments.compare:
        curves |= {"isotonic": isotonic, "logistic": logistic}
    judged = (
        pd.read_csv(arguments.judged, dtype=str).set_index("stem")["judgement"]
        if arguments.judged
        else pd.Series(dtype=str)
    )
    print(
        f"{machine()}; {datetime.date.today()}; seed {arguments.seed}, {arguments.reviews} reviews, {WRONG_CLICKS:.0%} wrong clicks, "
    )
    print(f"{arguments.repetitions} repetitions; precision wanted: {WANTED}")
    for data in arguments.data:
        truth = pd.read_csv(data / "truth.csv", dtype=str, keep_default_na=False).set_index("pair_id")
        with tempfile.TemporaryDirectory() as scratch:
            folder = arguments.work / data.name if arguments.work else Path(scratch)
            run = stages.Run(quiet=True)
            table = stages.score(run, stages.index(run, folder, data)).set_index("pair_id")
        for reason in REASONS:
            scores = table.loc[table["error"].isna(), reason].dropna()
            right = opinion(scores.index, reason, truth, judged)
            for name, curve in curves.items():
                found = repeat(scores, right, reason, curve, arguments.reviews, arguments.repetitions, arguments.seed)
                show(f"{data.name} {reason}", name, len(scores), right, found, arguments.repetitions)


def opinion(ids: pd.Index, reason: str, truth: pd.DataFrame, judged: pd.Series) -> np.ndarray:
    """(n,) probability that the reviewer, clicking right, drops each pair: 0, 1, or 0.5 where the judgement is borderline."""
    defect = truth["defect"].reindex(ids).fillna("")
    share = defect.map(SCORE_OF).eq(reason).astype(float)
    if reason == "backlight":
        photo = truth["detail"].where(truth["defect"].str.startswith("copy_")).reindex(ids)
        by_eye = (
            judged.reindex(photo.fillna(pd.Series(ids, index=ids))).map({"backlit": 1.0, "borderline": 0.5}).fillna(0)
        )
        untouched = ~defect.isin(
            ["dark", "overexposed", "blurred", "monochrome", "layout_twin"]
        )  # else the photo is another one
        share = np.maximum(share, by_eye.to_numpy() * untouched)
    return share.to_numpy()


def repeat(
    scores: pd.Series, right: np.ndarray, reason: str, curve: Callable, n: int, repetitions: int, seed: int
) -> dict[str, pd.DataFrame]:
    """{"default", "after": one row a repetition, COLUMNS}; no row in "after" where calibrate refused."""
    default = next(rule.threshold for rule in RULES if rule.reason == reason)
    rows = {"default": [], "after": []}
    fit, calibration.fit = calibration.fit, curve
    try:
        for k in range(repetitions):
            rng = np.random.default_rng([seed, k])
            bad = pd.Series(rng.random(len(scores)) < right, index=scores.index)
            clicks = bad ^ (rng.random(len(scores)) < WRONG_CLICKS)
            rows["default"].append([*against(bad, scores >= default), default, np.nan, np.nan])
            renamed = {f"{seed}.{k}.{p}": p for p in scores.index}  # other names: another choice within each stratum
            picked = [renamed[p] for p in sample(scores.set_axis(list(renamed)), reason, default, n)["pair_id"]]
            reviews = pd.DataFrame({"pair_id": picked, "drop": clicks[picked].astype(float).to_numpy()})
            try:
                after = calibration.calibrate(reason, scores, reviews, default, WANTED, str).after
            except ReviewError:
                continue
            over = scores >= after.threshold
            inside = after.low - 1e-4 <= clicks[over].mean() <= after.high + 1e-4
            rows["after"].append([*against(bad, over), after.threshold, after.precision, inside])
    finally:
        calibration.fit = fit
    return {when: pd.DataFrame(some, columns=COLUMNS, dtype=float) for when, some in rows.items()}


def against(bad: pd.Series, over: pd.Series) -> tuple[float, float, int]:
    """Precision, recall and the number of pairs over the threshold."""
    return bad[over].mean() if over.any() else np.nan, over[bad].mean(), int(over.sum())


def show(
    title: str, curve: str, pairs: int, right: np.ndarray, found: dict[str, pd.DataFrame], repetitions: int
) -> None:
    print(f"\n{title}: {pairs} pairs, {right.sum():g} to drop; {curve} curve")
    print(f"  {'':8}{'threshold':>16}{'precision':>24}{'recall':>24}{'rejects':>9}{'said':>7}{'inside':>8}")
    for when, rows in found.items():
        if rows.empty:
            print(f"  {when:8} refused in all of {repetitions}")
            continue
        low, high = rows.quantile(0.05), rows.quantile(0.95)
        mean = rows.mean()
        spread = {c: f"{mean[c]:.2f} ({low[c]:.2f}-{high[c]:.2f})" for c in ("threshold", "precision", "recall")}
        last = f"{mean['said']:7.2f}{mean['inside']:8.2f}" if when == "after" else ""
        print(
            f"  {when:8}{spread['threshold']:>16}{spread['precision']:>24}{spread['recall']:>24}{mean['rejects']:9.0f}{last}"
        )
    print(f"  refused in {repetitions - len(found['after'])} of {repetitions}", flush=True)


def isotonic(scores: np.ndarray, drop: np.ndarray) -> calibration.Curve:
    """Isotonic regression with half a keep at 0 and half a drop at 1; draws by bootstrap."""
    from sklearn.isotonic import IsotonicRegression

    def fitted(rows: np.ndarray) -> np.ndarray:
        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        weight = np.append(np.ones(len(rows)), [0.5, 0.5])
        model.fit(np.append(scores[rows], [0, 1]), np.append(drop[rows], [0, 1]), weight)
        return model.predict(1 / (1 + np.exp(-calibration.NODES)))

    rng = np.random.default_rng(0)
    draws = [fitted(rng.integers(0, len(scores), len(scores))) for _ in range(100)]
    return calibration.Curve(fitted(np.arange(len(scores))), np.repeat(draws, calibration.DRAWS // 100, axis=0))


def logistic(scores: np.ndarray, drop: np.ndarray) -> calibration.Curve:
    """Logistic regression on the logit of the score, ridge 1; draws by bootstrap."""
    from sklearn.linear_model import LogisticRegression

    inside = np.clip(scores, 5e-4, 1 - 5e-4)
    logit = np.log(inside / (1 - inside))[:, None]

    def fitted(rows: np.ndarray) -> np.ndarray:
        if len(set(drop[rows])) < 2:
            return np.full(len(calibration.NODES), drop[rows].mean())
        return LogisticRegression().fit(logit[rows], drop[rows]).predict_proba(calibration.NODES[:, None])[:, 1]

    rng = np.random.default_rng(0)
    draws = [fitted(rng.integers(0, len(scores), len(scores))) for _ in range(100)]
    return calibration.Curve(fitted(np.arange(len(scores))), np.repeat(draws, calibration.DRAWS // 100, axis=0))


if __name__ == "__main__":
    main()
