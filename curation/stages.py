"""The stages in their order: index, score, group, select. Each runs what it needs before it and skips what still holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curation import coupling_matrix, equivalence, rules
from curation.duplicates import find_duplicates
from curation.engine import local
from curation.evidence.marks import name_of
from curation.label_disagreement import with_disagreement
from curation.label_error import stage as label_error
from curation.label_error.features import FEATURES, choose
from curation.label_error.ranking import FEWEST
from curation.label_space import LabelSpace, ids_as_found
from curation.label_space_files import find_beside, load_builtin, resolve
from curation.layout import SHAPE
from curation.manifest import write_manifest
from curation.measure import TABLE, Shard, find_undone, measure_shard, plan_shards
from curation.near_classes import parse
from curation.pairs import NoPairsError, Pair, find_pairs
from curation.perceptual_hash import SIDE
from curation.place import Place, absolute, is_remote, place
from curation.scores import SCORES, coupling
from curation.scratch import Scratch, forget, scratch
from curation.verdicts import Verdict
from curation.workspace import (
    Workspace,
    WorkspaceError,
    digest,
    facts_of,
    inputs_of,
    read_frame,
    read_parts,
    source,
    write_table,
)

if TYPE_CHECKING:
    from curation.engine.cluster import Cluster

GROUP_VERSION = 4
WORTH_SENDING = 3  # short jobs: fewer are done sooner here than sent to a cluster
SCORE_COLUMNS = ["pair_id", "image", "label", "width", "height", *SCORES, "error", "sha256_image", "sha256_label"]


@dataclass
class Run:
    """How to run, whatever the stage: `say` prints a line for a person. `cluster`: where jobs run, if not in processes of this machine."""

    workers: int = field(default_factory=local.default_workers)
    quiet: bool = False
    say: Callable[[str], None] = lambda line: None
    cluster: Cluster | None = None

    def over(self, function: Callable, jobs: list, caption: str, weigh: Callable = lambda job: 1) -> Iterable:
        """function(job) for each job, in order, with progress: for jobs that read and write files."""
        if self.cluster:
            return self.cluster.run(function, jobs, caption, weigh, self.quiet)
        return local.run(function, jobs, self.workers, caption, weigh, self.quiet)

    def join(self, function: Callable, jobs: Iterable) -> Iterable:
        """The same without progress, for short jobs on arrays in memory-mapped files; as many as there are, one after the other."""
        jobs = iter(jobs)
        first = list(islice(jobs, WORTH_SENDING))
        if self.cluster and len(first) == WORTH_SENDING:
            return self.cluster.map(function, chain(first, jobs))
        return local.in_threads(function, chain(first, jobs), self.workers)

    @contextmanager
    def scratch(self, work: Workspace) -> Iterator[Scratch]:
        """Room for files that the jobs of `join` read."""
        far = self.cluster is not None and self.cluster.far
        with scratch(work.folder, far) as room:
            try:
                yield room
            finally:
                if far and is_remote(work.folder):
                    self.cluster.everywhere(forget, room.key)

    def progress(self, caption: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        return local.progress(caption, total, self.quiet)


def index(
    run: Run,
    folder: Place,
    data: Place | None = None,
    label_space: str | None = None,
    images: str | None = None,
    labels: str | None = None,
    root: Place | None = None,
) -> Workspace:
    """Find the pairs and write pairs.parquet (only when something changed).

    Without `data`, and for every option left out, what WORK was made with counts. Raises WorkspaceError when WORK belongs to another
    data set, NoPairsError, LabelSpaceError.
    """
    before = Workspace.load(folder)
    if data is None:
        if before is None:
            raise WorkspaceError(f"No data set yet in {folder}. Name one with --data DIR (or `curate index DIR`).")
        asked = before.source
    else:
        asked = absolute(place(data))
        if before is not None and before.source != asked:
            raise WorkspaceError(
                f"{folder} is the work directory of {before.source}, not of {asked}. Use --work with another directory, or remove this one."
            )
    if label_space and os.path.isfile(label_space):
        label_space = os.path.abspath(label_space)  # the next run may start elsewhere
    root_path = str(absolute(place(root))) if root else None
    options = {"images": images, "labels": labels, "root": root_path, "label_space": label_space}
    if before is not None:  # what is not given stays as it was; an empty text forgets it
        options = {name: before.options.get(name) if value is None else value for name, value in options.items()}
    options = {name: value or None for name, value in options.items()}
    found = find_pairs(
        asked,
        options["images"],
        options["labels"],
        place(options["root"]) if options["root"] else None,
        photos_only_ok=True,
    )
    space, how = _label_space(options["label_space"], found.base, found.label_space)
    work = Workspace(folder, found.base, asked, space, found.layout, options)
    if before is None or (before.space.digest(), before.layout, before.options) != (
        space.digest(),
        found.layout,
        options,
    ):
        work.save()
    table = pa.Table.from_pylist(
        [
            {
                "pair_id": p.pair_id,
                "image": p.image,
                "label": p.label,
                "image_bytes": p.image_stat[0],
                "image_changed_ns": p.image_stat[1],
                "label_bytes": p.label_stat[0],
                "label_changed_ns": p.label_stat[1],
                "error": p.error,
            }
            for p in found.pairs
        ],
        _PAIRS,
    )
    key = digest([p.__dict__ for p in found.pairs])
    if inputs_of(work.pairs) != key:
        write_table(work.pairs, table, key)
    faults = sum(p.error is not None for p in found.pairs)
    run.say(
        f"{len(found.pairs):,} pairs in {asked} (layout: {found.layout}; label space: {space.name}, {how})"
        + (f"; {faults:,} cannot be pairs, see the error column" if faults else "")
    )
    return work


def measure(run: Run, work: Workspace) -> list[Shard]:
    """Measure every pair that is not measured yet; returns the shards, whose parts hold what was measured."""
    shards = plan_shards(read_pairs(work), work.data, work.space, work.parts)
    work.parts.mkdir(parents=True, exist_ok=True)
    todo = find_undone(shards, work.parts)
    for _ in run.over(measure_shard, todo, "score", lambda s: len(s.pairs)):
        pass
    wanted = {s.key for s in shards}
    for old in work.parts.iterdir():
        if old.name.split(".")[0] not in wanted:
            old.unlink()
    return shards


def score(run: Run, work: Workspace, judge: str | None = None) -> pd.DataFrame:
    """Measure every pair that is not measured yet and judge the label maps; write and return scores.parquet.

    `judge`: of label_error.features.JUDGES; left out: as the last time in this WORK, at first "auto".
    """
    judge = choose(judge or facts_of(work.scores).get("judge", "auto"))
    shards = plan_shards(read_pairs(work), work.data, work.space, work.parts)
    key = digest([s.key for s in shards], judge, label_error.VERSION, SCORES["label_error"].version)
    if inputs_of(work.scores) == key:
        return read_frame(work.scores)
    measure(run, work)
    table = pa.concat_tables(read_parts([s.part for s in shards], TABLE.names)).to_pandas()
    if judge != "none" and table["label"].notna().any():
        table = _judged(run, work, [s.part for s in shards], table, judge)
    if "label_error" not in table:
        for file in (work.label_evidence, work.label_fit, work.coupled_classes, work.class_structure):
            file.unlink(missing_ok=True)  # they spoke of a set as it was judged before
    table = table[[c for c in SCORE_COLUMNS if c in table]].sort_values("pair_id", ignore_index=True)
    write_table(work.scores, table, key, {"judge": judge})
    return table


def _judged(run: Run, work: Workspace, parts: list[Place], table: pd.DataFrame, judge: str) -> pd.DataFrame:
    """The table with label_error, and with coupling that knows which classes look alike; writes what the judge says beside it."""
    work.label_error.mkdir(exist_ok=True)
    readable = int((table["error"].isna() & table["label"].notna()).sum())
    if judge == "plain":
        run.say(f"label maps are judged by {FEATURES[judge].says}")
    said = label_error.judge_set(
        parts, readable, len(work.space.names), judge, work.label_error, run.over, run.progress
    )
    if said is None:
        run.say(f"label_error is left out: {readable} pairs are too few to learn from, {FEWEST} are needed")
        return table
    pairs = said.pairs.set_index("pair_id")
    woven = {
        pair_id: round(coupling.score(coupling.unflattened(flat), noise, said.alike), 4)
        for pair_id, flat, noise in zip(pairs.index, pairs["interleaved"], pairs["fragments"], strict=True)
    }
    key = digest([p.stem for p in parts], judge, label_error.VERSION)
    ids = np.array([*work.space.ids], np.int64)
    evidence = said.evidence.rename(columns={"class": "class_id"})
    evidence["class_id"] = ids[evidence["class_id"].to_numpy()]
    write_table(work.label_evidence, evidence.sort_values(["pair_id", "class_id"], ignore_index=True), key)
    fits = said.pairs[["pair_id", "score", "kind", "shift_x", "shift_y"]]
    write_table(work.label_fit, fits.sort_values("pair_id", ignore_index=True), key)
    names = [name_of(work.space, i) for i in range(len(work.space.names))]
    write_table(work.coupled_classes, coupling_matrix.table(said.tally, names, said.alike), key)
    write_table(work.class_structure, coupling_matrix.class_table(said.tally, names), key)
    return table.assign(
        label_error=table["pair_id"].map(pairs["score"]),
        coupling=table["pair_id"].map(pd.Series(woven, dtype=float)).fillna(table["coupling"]),
    )


def group(
    run: Run, work: Workspace, tau: float | None = None, mirror: bool | None = None, near: list[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find duplicates and equivalence classes; write and return duplicates.parquet and groups.parquet.

    `near`: classes that count as partly the same, see near_classes.parse; empty texts forget them. What is left out is as the last time in
    this WORK, at first equivalence.TAU, True and none. Raises NearClassesError, LabelSpaceError.
    """
    settings = {"similarity": equivalence.TAU, "mirror": True, "near": []} | facts_of(work.groups)
    near = None if near is None else [text for text in near if text.strip()]
    settings |= {k: v for k, v in (("similarity", tau), ("mirror", mirror), ("near", near)) if v is not None}
    near_classes = parse(settings["near"], work.space.index_of)
    shards = plan_shards(read_pairs(work), work.data, work.space, work.parts)
    key = digest(GROUP_VERSION, [s.key for s in shards], settings)
    if inputs_of(work.groups) == key and inputs_of(work.duplicates) == key:
        return read_frame(work.duplicates), read_frame(work.groups)
    columns = ["pair_id", "sha256_image", "descriptor", "error"]
    kept = pa.concat_tables(read_parts([s.part for s in shards], columns)).to_pandas()
    kept = kept[kept["error"].isna()].sort_values("pair_id", ignore_index=True)
    with run.scratch(work) as room:
        seen, thumbs = _spilled(room, shards, "thumbnail", (SIDE, SIDE))
        names, layouts = _spilled(room, shards, "layout", SHAPE)
        with run.progress("find copies", 2 * len(seen)) as tick:
            same = find_duplicates(seen, kept.set_index("pair_id").loc[seen, "sha256_image"].tolist(), thumbs, tick)
        same = with_disagreement(same, names, layouts)
        write_table(work.duplicates, same, key)
        with run.progress("find classes", 2 * len(names)) as tick:
            tau, mirror = settings["similarity"], settings["mirror"]
            classes = equivalence.classes_of(names, layouts, tau, mirror, near_classes, tick, run.join, room)
    groups = pd.DataFrame(
        {
            "pair_id": names,
            "equivalence_class": [names[r] for r, _ in classes],
            "representative": [names[r] for r, _ in classes],
            "similarity": [s for _, s in classes],
        }
    )
    similarity = groups.groupby("equivalence_class")["similarity"]
    groups = groups.assign(radius=(1 - similarity.transform("min")).round(4), members=similarity.transform("size"))
    groups = groups.merge(kept[["pair_id", "descriptor"]], "left", "pair_id")
    groups = groups.sort_values("pair_id", ignore_index=True)
    write_table(work.groups, groups, key, settings)
    return same, groups


def _spilled(room: Scratch, shards: list[Shard], column: str, shape: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """The ids of the pairs that have this column, and a file of it, memory-mapped: (n, *shape) uint8 in the same order."""
    names: list[str] = []
    with open(room.folder / f"{column}.bin", "wb") as f:
        for part in read_parts([s.part for s in shards], ["pair_id", column, "error"]):
            part = [row for row in part.to_pylist() if row["error"] is None and row[column] is not None]
            names += [row["pair_id"] for row in part]
            f.write(b"".join(row[column] for row in part))
    if not names:
        return names, np.zeros((0, *shape), np.uint8)
    room.publish(f"{column}.bin")
    return names, np.memmap(room.folder / f"{column}.bin", np.uint8, "r", shape=(len(names), *shape))


def build_selection(
    run: Run,
    work: Workspace,
    out: Place,
    settings: rules.Settings,
    tau: float | None = None,
    mirror: bool | None = None,
    judge: str | None = None,
    near: list[str] | None = None,
    parquet: bool = False,
    decided: Mapping[str, Verdict] | None = None,
) -> tuple[Place, rules.Selection]:
    """Everything up to the manifest of one level; returns its path and the selection. `decided`: verdicts of people, as of rules.select."""
    if all(pair.label is None for pair in read_pairs(work)):
        raise NoPairsError(
            f"No pairs found in {work.source}: it holds photos and no label maps, so there is nothing to select pairs "
            "from. `curate score` and `curate report` work on photos alone."
        )
    for group_of_names in settings.merges:
        for name in group_of_names:
            work.space.index_of(name)  # raises LabelSpaceError, which names the nearest
    scores = score(run, work, judge)
    duplicates, groups = group(run, work, tau, mirror, near)
    selection = rules.select(scores, duplicates, groups, settings, decided)
    write_faults(work, selection)
    manifest = write_manifest(
        out,
        rules.LEVELS[settings.level],
        selection,
        scores,
        groups,
        facts_of(work.scores) | facts_of(work.groups),
        work.data,
        work.space,
        parquet,
    )
    return manifest, selection


def write_faults(work: Workspace, selection: rules.Selection) -> None:
    """Every reason against every pair of the last selection -> WORK/faults.parquet, which the review app shows; the same one is not written again."""
    faults, facts = _faults(selection), _facts(selection)
    is_there = inputs_of(work.faults) == work.measured and facts_of(work.faults) == json.loads(json.dumps(facts))
    if not is_there or not pq.read_table(source(work.faults, True)).equals(faults):
        write_table(work.faults, faults, work.measured, facts)


def _faults(selection: rules.Selection) -> pa.Table:
    """A row for each reason against each pair, by pair, the first reason first."""
    rows = [
        {"pair_id": pair_id, **asdict(fault)}
        for pair_id, faults in sorted(selection.faults.items())
        for fault in faults
    ]
    return pa.Table.from_pylist(rows, _FAULTS)


def _facts(selection: rules.Selection) -> dict:
    settings = selection.settings
    in_force = {reason: rule.threshold for reason, rule in settings.active().items() if rule.threshold is not None}
    return asdict(settings) | {"thresholds": in_force, "chosen": dict(settings.thresholds), "kept": len(selection.kept)}


def read_pairs(work: Workspace) -> list[Pair]:
    """The pairs as they were indexed, in the order of their ids."""
    return [
        Pair(
            row["pair_id"],
            row["image"],
            row["label"],
            (row["image_bytes"], row["image_changed_ns"]),
            (row["label_bytes"], row["label_changed_ns"]),
            row["error"],
        )
        for row in pq.read_table(source(work.pairs, True)).to_pylist()
    ]


def _label_space(asked: str | None, data: Place, implied: str | None) -> tuple[LabelSpace, str]:
    """The label space to read the label maps by, and how it was come by: asked for, beside the data, implied by the layout."""
    if asked:
        return resolve(asked), "as asked"
    beside = find_beside(data)
    if beside:
        return beside, "found beside the data"
    if implied:
        return load_builtin(implied), "from the layout; --label-space to change"
    return ids_as_found(), "no classes.json found, so any id is taken; --label-space to check them"


_FAULTS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("representative", pa.string()),
        ("detail", pa.string()),
    ]
)
_PAIRS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("image_bytes", pa.int64()),
        ("image_changed_ns", pa.int64()),
        ("label_bytes", pa.int64()),
        ("label_changed_ns", pa.int64()),
        ("error", pa.string()),
    ]
)
