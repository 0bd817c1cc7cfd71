"""The passes over the parts: describe the pairs that are learned from; fit the judge; judge every pair; rank. None opens a user's file.

Memory hardly grows with the set: features go through files that are removed in the end, at most MOST_PAIRS of them, and all other
pairs are judged as a stream. What is said of each part is kept, so a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from curation.coupling_matrix import Tally
from curation.label_error import judge, ranking
from curation.label_error.alike import Alike
from curation.label_error.class_evidence import class_evidence
from curation.label_error.features import FEATURES
from curation.label_error.grid import at_label_scale, class_shares
from curation.label_error.measures import MEASURES, fit_of, photo_edges
from curation.label_error.simulated import KINDS, simulate
from curation.measure import decode_preview, read_kept
from curation.place import Place, RemotePlace, in_turn, place
from curation.scores.coupling import fragments, interleavings
from curation.workspace import atomic, digest, inputs_of, read_arrays, read_parts, write_table

VERSION = 3
MOST_PAIRS = 4000  # to learn from; the rest are judged only, so the cost of fitting does not grow with the set
MOST_CELLS = 400_000
MOST_CELLS_A_PAIR = 250
MOST_SCALED = 400  # pairs that tell how the features spread and how sure the judge may be
MOST_SIMULATED = 400  # pairs whose maps are made wrong; each in all KINDS
COLUMNS = ["pair_id", "preview", "ids"]


@dataclass(frozen=True)
class Part:
    """One part file to work on.

    features: their name. learn, simulate: pairs whose hash is below these are learned from, and made wrong. kept: where features lie
    between the passes; empty: nowhere. judge, out: the judge's file, and the start of the names of what is said.
    """

    path: str
    n_classes: int
    features: str
    kept: str
    learn: float = 1.0
    simulate: float = 1.0
    judge: str = ""
    out: str = ""


@dataclass(frozen=True)
class Judged:
    """What the judge says of a set.

    pairs     pair_id, fold, score, kind (of simulated.KINDS), shift_x, shift_y (shares of the sides), interleaved, fragments
    evidence  pair_id, class (index), given_share, evidence_share, disagree_share
    alike     (n, n) how alike two classes look, in [0, 1]; NaN where too little was seen
    tally     of coupled classes, over the pairs that were learned from
    wrong     estimated share of wrong label maps
    """

    pairs: pd.DataFrame
    evidence: pd.DataFrame
    alike: np.ndarray
    tally: Tally
    wrong: float


def describe_part(part: Part) -> int:
    """Keep the features of the pairs of a part that are learned from, row by row in the order of the part; returns their number."""
    rows = [row for row in _rows(part) if _chance(row["pair_id"], b"learn") < part.learn]
    if rows:
        compact = FEATURES[part.features].compact
        with atomic(place(part.kept)) as temporary, open(temporary, "wb") as f:
            np.save(f, np.stack([compact(decode_preview(row["preview"])) for row in rows]))
    return len(rows)


def judge_part(part: Part) -> int:
    """Judge every pair of a part with the model that did not see it, and some maps made wrong; writes the four tables of `_read`."""
    model = _load(part.judge)
    rows, kept = _rows(part), _kept_features(part)
    pairs, classes, wrong = [], [], []
    alike, tally = Alike(part.n_classes), Tally(part.n_classes)
    for i, row in enumerate(rows):
        pair_id, small = row["pair_id"], _small_ids(row)
        photo, fold = decode_preview(row["preview"]), judge.fold_of(pair_id)
        seen = FEATURES[part.features]
        compact = kept[pair_id] if pair_id in kept else seen.compact(photo)
        log_p, edges, ids = model.log_p(seen.cells(compact), fold), photo_edges(photo), at_label_scale(small)
        fit = fit_of(log_p, edges, ids)
        found = interleavings(small)
        woven = [v for w in found for v in (w.first, w.second, w.share)]
        pairs.append((pair_id, fold, *fit.shift, woven, fragments(small), fit.values))
        classes += [(pair_id, *row) for row in class_evidence(log_p, ids, photo)]
        alike.add(log_p, class_shares(ids, part.n_classes))
        if pair_id in kept:
            tally.add(small, found)
        if len(rows) > 1 and _chance(pair_id, b"wrong") < part.simulate:
            rng = np.random.default_rng(_number(pair_id, b"wrong"))
            other = at_label_scale(_small_ids(rows[(i + rng.integers(1, len(rows))) % len(rows)]))
            for kind in KINDS:
                made = simulate(kind, ids, other, part.n_classes, rng)
                if made is not None:
                    wrong.append((kind, fold, fit_of(log_p, edges, made).values))
    _write(place(part.out), pairs, classes, wrong, alike, tally, place(part.judge).stem)
    return len(rows)


def judge_set(
    parts: list[Place],
    n_pairs: int,
    n_classes: int,
    features: str,
    folder: Place,
    run: Callable[[Callable, list, str], Iterable],
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]],
) -> Judged | None:
    """Judge the label maps of all parts, or None when there are too few pairs to learn from.

    `run(function, jobs, caption)` is the engine's: results in the order of the jobs; `progress(caption, total)` its bar. Kept: the judge
    and what it said of each part; one run with nothing changed reads nothing but these.
    """
    if n_pairs < ranking.FEWEST:
        return None
    key = digest(judge.VERSION, VERSION, features, MEASURES, [p.stem for p in parts], n_classes)[:24]
    model = folder / f"{key}.npz"
    learn, wrong = min(1.0, MOST_PAIRS / n_pairs), min(1.0, MOST_SIMULATED / n_pairs)
    jobs = [
        Part(str(p), n_classes, features, str(folder / f"{key}-{p.stem}.features.npy"), learn, wrong, str(model), str(folder / f"{key}-{p.stem}"))
        for p in parts
    ]  # fmt: skip
    there = {file.name for file in folder.iterdir()}
    todo = [job for job in jobs if not _is_judged(job, key, there)]
    if todo:
        missing = [job for job in (todo if model.name in there else jobs) if place(job.kept).name not in there]
        learned = sum(run(describe_part, missing, "look at photos"))
        if model.name not in there:
            there = {file.name for file in folder.iterdir()}
            seen = [job for job in jobs if place(job.kept).name in there]
            learned = sum(map(len, in_turn(_kept_features, seen, folder)))
            cells = max(1, min(MOST_CELLS_A_PAIR, MOST_CELLS // max(learned, 1)))
            some = min(1.0, MOST_SCALED / max(learned, 1))
            with progress("learn classes", learned) as tick, threadpool_limits(1):  # the same sums on any machine
                judge.fit(features, _samples(seen, cells), lambda: _samples(seen, cells, some), tick).save(model)
        for _ in run(judge_part, todo, "judge labels"):
            pass
    for old in folder.iterdir():
        if not old.name.startswith(key) or old.name.endswith(".features.npy"):
            old.unlink()
    return _read(jobs)


def evidence_of(parts: list[Place], model: Place) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each pair its id, log p (24, 32, n) float32 out of fold, and given class shares (24, 32, n) float32."""
    fitted = judge.Judge.load(model)
    seen = FEATURES[fitted.features]
    for part in parts:
        for row in _rows(Part(str(part), fitted.n_classes, fitted.features, "")):
            log_p = fitted.log_p(
                seen.cells(seen.compact(decode_preview(row["preview"]))), judge.fold_of(row["pair_id"])
            )
            yield row["pair_id"], log_p, class_shares(at_label_scale(_small_ids(row)), fitted.n_classes)


def _is_judged(job: Part, key: str, there: set[str]) -> bool:
    """Whether the tables of a part are there. Of a remote one no file is opened for it, since each was put whole."""
    file = _beside(place(job.out), "pairs")
    return file.name in there and (isinstance(file, RemotePlace) or inputs_of(file) == key)


def _samples(jobs: list[Part], cells: int, share: float = 1.0) -> Iterator[judge.Sample]:
    """The chosen cells of a share of the pairs that are learned from."""
    for job, kept, rows in in_turn(lambda job: (job, _kept_features(job), _rows(job)), jobs, place(jobs[0].kept)):
        for row in rows:
            if row["pair_id"] in kept and _chance(row["pair_id"], b"some") < share:
                given = class_shares(at_label_scale(_small_ids(row)), job.n_classes).reshape(-1, job.n_classes)
                rng = np.random.default_rng(_number(row["pair_id"], b"cells"))
                chosen = np.sort(rng.permutation(np.flatnonzero(given.sum(1) > 0.5))[:cells])
                seen = FEATURES[job.features].cells(kept[row["pair_id"]])
                yield judge.fold_of(row["pair_id"]), seen.reshape(len(given), -1)[chosen], given[chosen]


def _rows(part: Part) -> list[dict]:
    return [row for row in read_kept(place(part.path), COLUMNS) if row["ids"] is not None]


def _kept_features(part: Part) -> dict[str, np.ndarray]:
    """What `describe_part` kept, by pair_id; empty where it kept nothing or was not to keep anything (`part.kept` empty)."""
    if not part.kept:
        return {}
    try:
        kept = read_arrays(place(part.kept))
    except FileNotFoundError:
        return {}
    ids = [row["pair_id"] for row in _rows(part) if _chance(row["pair_id"], b"learn") < part.learn]
    return dict(zip(ids, kept, strict=True))


def _small_ids(row: dict) -> np.ndarray:
    """The class indices of a row at preview scale; the preview, a JPEG, says its own size."""
    height, width = decode_preview(row["preview"]).shape[:2]
    return np.frombuffer(row["ids"], np.uint8).reshape(height, width)


def _number(pair_id: str, use: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(pair_id.encode(), digest_size=8, person=use).digest(), "big")


def _chance(pair_id: str, use: bytes) -> float:
    """A number in [0, 1) from the id alone, another one for another use."""
    return _number(pair_id, use) / 2**64


@lru_cache(maxsize=1)
def _load(path: str) -> judge.Judge:
    return judge.Judge.load(place(path))


def _write(out: Place, pairs: list, classes: list, wrong: list, alike: Alike, tally: Tally, key: str) -> None:
    """The tables of a part; that of the pairs comes last and says that all are there."""
    of_classes = ["pair_id", "class", "given_share", "evidence_share", "disagree_share"]
    write_table(_beside(out, "classes"), pa.table(_columns(classes, of_classes)), key)
    write_table(
        _beside(out, "wrong"), pa.table({**_columns([w[:2] for w in wrong], ["kind", "fold"]), **_values(wrong)}), key
    )
    with atomic(out.with_name(f"{out.name}.sums")) as temporary, open(temporary, "wb") as f:
        np.savez(
            f,
            **{f"alike_{k}": v for k, v in alike.__dict__.items()},
            **{f"tally_{k}": v for k, v in tally.__dict__.items()},
        )
    of_pairs = ["pair_id", "fold", "shift_x", "shift_y", "interleaved", "fragments"]
    table = {**_columns([p[:6] for p in pairs], of_pairs), **_values(pairs)}
    table["interleaved"] = pa.array([p[4] for p in pairs], pa.list_(pa.float64()))
    write_table(_beside(out, "pairs"), pa.table(table), key)


def _columns(rows: list[tuple], names: list[str]) -> dict:
    kinds = {"pair_id": pa.string(), "kind": pa.string(), "fold": pa.int32(), "class": pa.int32()}
    return {
        name: pa.array([row[i] for row in rows], kinds.get(name, pa.float64()))
        for i, name in enumerate(names)
        if name != "interleaved"
    }


def _values(rows: list[tuple]) -> dict:
    values = np.array([row[-1] for row in rows], np.float32).reshape(len(rows), len(MEASURES))
    return {name: values[:, i] for i, name in enumerate(MEASURES)}


def _beside(out: Place, what: str) -> Place:
    return out.with_name(f"{out.name}.{what}.parquet")


def _read(jobs: list[Part]) -> Judged:
    outs = [place(job.out) for job in jobs]
    pairs, evidence, wrong = (
        pa.concat_tables(read_parts([_beside(out, what) for out in outs])).to_pandas()
        for what in ("pairs", "classes", "wrong")
    )
    alike, tally = Alike(jobs[0].n_classes), Tally(jobs[0].n_classes)
    for found in in_turn(read_arrays, [out.with_name(f"{out.name}.sums") for out in outs], outs[0]):
        with found as sums:
            for name, value in sums.items():
                whole, field = (alike if name.startswith("alike_") else tally), name.split("_", 1)[1]
                setattr(whole, field, getattr(whole, field) + value)
    measures = list(MEASURES)
    verdicts = ranking.rank(
        pairs[measures].to_numpy(), pairs["fold"].to_numpy(),
        wrong[measures].to_numpy(), wrong["kind"].to_numpy(), wrong["fold"].to_numpy(),
        np.array([_chance(pair_id, b"learn") < jobs[0].learn for pair_id in pairs["pair_id"]]),
    )  # fmt: skip
    pairs = pairs.drop(columns=measures).assign(score=verdicts.score, kind=verdicts.kind)
    return Judged(pairs, evidence, alike.matrix(), tally, verdicts.wrong)
