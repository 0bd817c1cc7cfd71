"""The two passes over the parts: sample cells and fit the judge; judge every pair. Neither opens a user's file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from curation.label_error import judge, ranking
from curation.label_error.features import GRID, cell_classes, cell_features
from curation.measure import decode_preview, read_kept
from curation.workspace import digest, inputs_of, write_table

MOST_PAIRS = 4000  # to learn from; the rest are judged only, so the cost of fitting does not grow with the set
MOST_CELLS = 400_000
MOST_CELLS_A_PAIR = 250


@dataclass(frozen=True)
class Part:
    """One part file to work on. `learn`: pairs whose hash is below this are learned from, `cells` of each."""

    path: str
    n_classes: int
    learn: float = 1.0
    cells: int = 0
    judge: str = ""
    out: str = ""


def sample_part(part: Part) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Fold, features and class shares of some cells of each pair of a part that is to be learned from."""
    samples = []
    for row in read_kept(Path(part.path), ["pair_id", "preview", "ids"]):
        if row["ids"] is None or _chance(row["pair_id"]) >= part.learn:
            continue
        features, given = _cells_of(row, part.n_classes)
        rng = np.random.default_rng(
            int.from_bytes(hashlib.blake2b(row["pair_id"].encode(), digest_size=8).digest(), "big")
        )
        known = np.flatnonzero(given.sum(1) > 0.5)
        chosen = np.sort(rng.permutation(known)[: part.cells])
        samples.append((judge.fold_of(row["pair_id"]), features[chosen], given[chosen]))
    return samples


def judge_part(part: Part) -> int:
    """Judge every pair of a part with the model that did not see it; writes pair_id, mean_margin, worst_spot."""
    model = _load(part.judge)
    rows = []
    for row in read_kept(Path(part.path), ["pair_id", "preview", "ids"]):
        if row["ids"] is None:
            continue
        features, given = _cells_of(row, part.n_classes)
        shape = (*GRID, -1)
        evidence = model.evidence(features.reshape(shape), judge.fold_of(row["pair_id"]))
        mean_margin, worst_spot = ranking.measures(evidence, given.reshape(shape))
        rows.append((row["pair_id"], round(mean_margin, 5), round(worst_spot, 5)))
    table = pd.DataFrame(rows, columns=["pair_id", "mean_margin", "worst_spot"])
    write_table(Path(part.out), table.astype({"mean_margin": float, "worst_spot": float}), Path(part.judge).stem)
    return len(rows)


def _chance(pair_id: str) -> float:
    """A number in [0, 1) from the id alone."""
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=4, person=b"learn").digest(), "big") / 2**32


@lru_cache(maxsize=1)
def _load(path: str) -> judge.Judge:
    return judge.Judge.load(Path(path))


def label_errors(
    parts: list[Path],
    n_pairs: int,
    n_classes: int,
    folder: Path,
    run: Callable[[Callable, list, str], Iterable],
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> pd.Series | None:
    """label_error by pair_id over all parts, or None when there are too few pairs to learn from.

    `run(function, jobs, caption)` is the engine's: results in the order of the jobs; `progress(caption, total)` its bar. Kept: the judge and what it said of
    each part, so a run that was stopped goes on, and one with nothing changed reads nothing but these.
    """
    if n_pairs < ranking.FEWEST:
        return None
    key = digest(judge.VERSION, [p.stem for p in parts], n_classes)[:24]
    model = folder / f"{key}.npz"
    if not model.exists():
        learn = min(1.0, MOST_PAIRS / n_pairs)
        cells = max(1, min(MOST_CELLS_A_PAIR, int(MOST_CELLS / (n_pairs * learn))))
        jobs = [Part(str(p), n_classes, learn, cells) for p in parts]
        samples = [s for some in run(sample_part, jobs, "learn classes") for s in some]
        with progress("fit the judge", len(samples)) as tick:
            judge.fit(samples, tick).save(model)
    judged = [folder / f"{key}-{p.stem}.parquet" for p in parts]
    todo = [
        Part(str(p), n_classes, judge=str(model), out=str(out))
        for p, out in zip(parts, judged, strict=True)
        if inputs_of(out) != key
    ]
    for _ in run(judge_part, todo, "judge labels"):
        pass
    for old in folder.iterdir():
        if not old.name.startswith(key):
            old.unlink()
    table = pd.concat([pd.read_parquet(out) for out in judged], ignore_index=True)
    scores = ranking.scores(table["mean_margin"].to_numpy(), table["worst_spot"].to_numpy())
    return pd.Series(scores, index=table["pair_id"])


def _cells_of(row: dict, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    photo = decode_preview(row["preview"])
    ids = np.frombuffer(row["ids"], np.uint8).reshape(photo.shape[:2])
    features = cell_features(photo)
    return features.reshape(-1, features.shape[2]), cell_classes(ids, n_classes).reshape(-1, n_classes)
