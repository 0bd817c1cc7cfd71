"""Why one pair is kept or dropped: each score beside its threshold, every reason, its copies, its equivalence class.

Enters: the tables, the settings of a selection and a pair id. Leaves: an Explanation, which a person reads as a table,
and its picture as PNG. No rule is worked out here: the reasons and their order are what `rules.select` says.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd
from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curation import evidence
from curation.evidence.panel import Picture, draw, headline, stack
from curation.pairs import NoPairsError
from curation.place import Place
from curation.rules import RULES, Fault, Settings, select
from curation.scores import SCORES
from curation.summary import TITLES
from curation.verdicts import Verdict
from curation.workspace import Workspace, atomic, read_frame

MOST_NEIGHBOURS = 12  # listed of an equivalence class; there may be thousands


class UnknownPairError(NoPairsError):
    """There is no such pair; the message names the nearest ids."""


@dataclass(frozen=True)
class ScoreLine:
    """One score of the pair. threshold: in force, or the one the rule would have; applied: whether it is in force."""

    name: str
    score: float | None
    threshold: float | None
    applied: bool
    says: str

    @property
    def over(self) -> bool:
        return self.score is not None and self.threshold is not None and self.score >= self.threshold


@dataclass(frozen=True)
class Neighbour:
    """Another pair with the same photo or the same layout. relation: exact, same, mirrored, cropped, or class."""

    pair_id: str
    relation: str
    similarity: float
    kept: bool


@dataclass(frozen=True)
class Explanation:
    """What there is to say of one pair. faults: the first reason first; empty when the pair is kept."""

    pair_id: str
    level: int
    image: Place | None
    label: Place | None
    size: tuple[int, int] | None
    scores: list[ScoreLine]
    faults: list[Fault]
    copies: list[Neighbour]
    equivalence_class: str | None
    class_size: int
    members: list[Neighbour]
    person: str | None = None  # what people say of it, in one line

    @property
    def kept(self) -> bool:
        return not self.faults

    def verdict(self) -> str:
        """In one sentence: kept, or dropped and for what first."""
        if self.kept:
            return f"{self.pair_id} is kept in {TITLES[self.level]}"
        also = f" (and {', '.join(f.reason for f in self.faults[1:])})" if self.faults[1:] else ""
        return f"{self.pair_id} is dropped from {TITLES[self.level]}: {self.faults[0].reason}{also}"


def explain(
    work: Workspace,
    pair_id: str,
    scores: pd.DataFrame,
    duplicates: pd.DataFrame,
    groups: pd.DataFrame,
    settings: Settings,
    decided: Mapping[str, Verdict] | None = None,
) -> Explanation:
    """Explain one pair by its id, or by the path of its photo or label map. `decided`: as of rules.select. Raises UnknownPairError."""
    pair_id = find_id(pair_id, scores)
    row = scores.set_index("pair_id").loc[pair_id]
    selection = select(scores, duplicates, groups, settings, decided)
    active, defaults = settings.active(), {rule.reason: rule for rule in RULES}
    lines = []
    for name, score in SCORES.items():
        value = row.get(name)
        rule = active.get(name) or defaults.get(name)
        lines.append(
            ScoreLine(
                name, None if pd.isna(value) else float(value), rule and rule.threshold, name in active, score.says
            )
        )
    dropped = selection.faults
    same = duplicates[(duplicates["first"] == pair_id) | (duplicates["second"] == pair_id)]
    copies = []
    for d in same.itertuples(index=False):
        other = d.second if d.first == pair_id else d.first
        copies.append(Neighbour(other, d.relation, float(d.similarity), other not in dropped))
    mine = groups.loc[groups["pair_id"] == pair_id, "equivalence_class"]
    name = None if mine.empty else mine.iloc[0]
    members = groups[(groups["equivalence_class"] == name) & (groups["pair_id"] != pair_id)]
    members = members.sort_values(["similarity", "pair_id"], ascending=[False, True])
    return Explanation(
        pair_id,
        settings.level,
        work.data / row["image"] if isinstance(row["image"], str) else None,
        work.data / row["label"] if isinstance(row["label"], str) else None,
        None if pd.isna(row["width"]) else (int(row["width"]), int(row["height"])),
        lines,
        dropped.get(pair_id, []),
        sorted(copies, key=lambda n: (-n.similarity, n.pair_id)),
        name,
        len(members) + 1 if name is not None else 0,
        [
            Neighbour(m.pair_id, "class", float(m.similarity), m.pair_id not in dropped)
            for m in members.head(MOST_NEIGHBOURS).itertuples(index=False)
        ],
        selection.decided[pair_id].says() if pair_id in selection.decided else None,
    )


def find_id(asked: str, scores: pd.DataFrame) -> str:
    """The pair with this id, or whose photo or label map has this path. Raises UnknownPairError."""
    ids = scores["pair_id"]
    if (ids == asked).any():
        return asked
    for column in ("image", "label"):
        hits = scores.loc[scores[column] == asked.removeprefix("./"), "pair_id"]
        if len(hits) == 1:
            return str(hits.iloc[0])
    near = difflib.get_close_matches(asked, ids.tolist(), 3, 0.5) if len(ids) <= 50_000 else []
    near = near or [i for i in ids if asked.lower() in i.lower()][:3]
    hint = f"The nearest: {', '.join(near)}." if near else f"Ids look like {', '.join(ids.head(3))}."
    raise UnknownPairError(f'No pair "{asked}" among {len(ids):,}. {hint}')


def pictures(work: Workspace, explained: Explanation) -> dict[str, Picture]:
    """The picture of each reason that has one, or of the pair itself as "kept"; none of an unreadable pair.

    Made from the files, or, where they cannot be read any more, from what was kept of them.
    """
    faults = explained.faults
    concerned = {explained.pair_id, *(f.representative for f in faults if f.representative)}
    learned = evidence.load_learned(work, concerned)
    pair = _see(work, explained.pair_id, explained.image, explained.label, learned)
    if pair is None:
        return {}
    if explained.kept:
        return {"kept": evidence.plain.show(pair)}
    relations = {n.pair_id: n.relation for n in explained.copies}
    found = {}
    for fault in faults:
        other = fault.representative and _see(work, fault.representative, *_files(work, fault.representative), learned)
        relation = relations.get(fault.representative or "")
        seen = replace(pair, score=fault.score, threshold=fault.threshold, other=other or None, relation=relation)
        shown = evidence.show(fault.reason, seen)
        if shown is not None:
            found[fault.reason] = shown
    return found


def write_picture(folder: Place, explained: Explanation, shown: dict[str, Picture]) -> Place | None:
    """Write the pictures, one below the other, as one PNG into a folder; None when there are none."""
    if not shown:
        return None
    titles = {fault.reason: f"{explained.pair_id}: {_named(fault)}" for fault in explained.faults}
    drawn = []
    for reason, picture in shown.items():
        pixels = draw(picture)
        drawn += [headline(titles.get(reason, explained.verdict()), pixels.shape[1]), pixels]
    path = folder / f"{safe_name(explained.pair_id)}.png"
    with atomic(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", np.ascontiguousarray(stack(drawn)[:, :, ::-1]))[1].tobytes())
    return path


def safe_name(pair_id: str) -> str:
    """A file name for any pair id: the id itself where every file system takes it, else its remains and a digest."""
    if re.fullmatch(r"[0-9a-z][0-9a-z_-]{0,79}", pair_id):
        return pair_id
    plain = re.sub(r"[^0-9A-Za-z_-]+", "_", pair_id).strip("_-")[:60]
    mark = hashlib.blake2b(pair_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{plain}-{mark}" if plain else mark


def open_picture(path: Place) -> bool:
    """Open a picture with the system's viewer; False where there is none. Never raises and never waits for it."""
    has_screen = sys.platform in ("win32", "darwin") or any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not has_screen and not os.environ.get("BROWSER"):  # else a text browser would take over the terminal
        return False
    try:
        return webbrowser.open(path.resolve().as_uri())
    except Exception:  # whatever a viewer's start script may do, the picture is written
        return False


def print_explanation(explained: Explanation, shown: dict[str, Picture], console: Console | None = None) -> None:
    """The explanation as a person reads it on a terminal."""
    (console or Console()).print(Group(*_paragraphs(explained, shown)))


def _paragraphs(explained: Explanation, shown: dict[str, Picture]) -> Iterator[Text | Padding | Table]:
    yield Text(explained.verdict(), "bold green" if explained.kept else "bold red")
    for fault in explained.faults:
        see = f"; {shown[fault.reason].says}" if fault.reason in shown and fault.reason != "person" else ""
        yield Padding(Text.assemble((_named(fault), "bold"), f": {fault.detail}{see}"), (0, 0, 0, 2))
    if explained.person and not any(explained.person in fault.detail for fault in explained.faults):
        yield Text(f"  {explained.person}")
    nearest = max((s for s in explained.scores if s.applied and s.score is not None), key=_ratio, default=None)
    if explained.kept and nearest:
        yield Text(f"  nearest to a threshold: {nearest.name} {nearest.score:.3f} of {nearest.threshold:g}")
    size = f"{explained.size[0]}x{explained.size[1]}  " if explained.size else ""
    yield Text(f"photo      {size}{explained.image or 'none'}\nlabel map  {explained.label or 'none'}")
    if any(line.score is not None for line in explained.scores):
        yield _score_table(explained)
    if explained.copies:
        yield Text(f"the same photo: {_listed(explained.copies)}")
    if explained.class_size > 1:
        more = explained.class_size - 1 - len(explained.members)
        text = f"equivalence class {explained.equivalence_class}, {explained.class_size:,} label maps: "
        yield Text(text + _listed(explained.members) + (f" and {more:,} more" if more else ""))


def _score_table(explained: Explanation) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption="(threshold): not applied; --set NAME=VALUE applies it"
    )
    table.caption_justify = "left"
    table.add_column("score", no_wrap=True, min_width=max(map(len, SCORES)))
    table.add_column("value", no_wrap=True, justify="right", min_width=5)
    table.add_column("threshold", no_wrap=True, min_width=9)
    table.add_column("what it means")
    for line in explained.scores:
        if line.score is None:
            continue
        threshold = "" if line.threshold is None else f"{line.threshold:g}" if line.applied else f"({line.threshold:g})"
        style = "" if line.applied else "dim"
        if line.over:
            threshold, style = f"{threshold} over", "red" if line.applied else "yellow"
        table.add_row(line.name, f"{line.score:.3f}", threshold, line.says, style=style)
    return table


def _ratio(line: ScoreLine) -> float:
    return line.score / max(line.threshold, 1e-9)


def _listed(neighbours: list[Neighbour]) -> str:
    words = {"exact": "byte for byte", "mirrored": "mirrored", "cropped": "cropped", "same": "", "class": ""}
    told = []
    for n in neighbours:
        facts = [f"{n.similarity:.3f}", words[n.relation], "kept" if n.kept else "dropped"]
        told.append(f"{n.pair_id} ({', '.join(f for f in facts if f)})")
    return ", ".join(told)


def _named(fault: Fault) -> str:
    """A reason with its score and threshold, where it has them."""
    score = "" if fault.score is None else f" {fault.score:.3f}"
    return f"{fault.reason}{score}" + ("" if fault.threshold is None else f" (threshold {fault.threshold:g})")


def _see(
    work: Workspace, pair_id: str, image: Place | None, label: Place | None, learned: evidence.Learned | None
) -> evidence.SeenPair | None:
    """A pair from its files, or else from the parts."""
    seen = evidence.see_files(pair_id, image, label, work.space, learned) if image else None
    return seen or evidence.find_seen(work.parts, [pair_id], work.space, learned).get(pair_id)


def _files(work: Workspace, pair_id: str) -> tuple[Place | None, Place | None]:
    """Photo and label map of another pair."""
    row = read_frame(work.pairs, filters=[("pair_id", "==", pair_id)]).iloc[0]
    image, label = (work.data / row[c] if isinstance(row[c], str) else None for c in ("image", "label"))
    return image, label
