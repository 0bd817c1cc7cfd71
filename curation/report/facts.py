"""What a report says, gathered from the tables and the parts; no user's file is opened and no page is made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from curation import evidence
from curation.evidence import Picture, SeenPair
from curation.keepers import LABELS_DISAGREE
from curation.report.errors import ErrorKind, error_kinds
from curation.report.shares import ClassShare, class_shares
from curation.rules import RULES, STRUCTURAL, Fault, Rule, Selection, Settings, count_by_reason, select
from curation.scores import SCORES
from curation.summary import TITLES
from curation.verdicts import KEEP, Verdict
from curation.workspace import Workspace, read_frame

EXAMPLES, NEARLY, NOT_APPLIED = 8, 4, 4  # pairs shown of a reason: dropped, just kept, of a score that is not applied
NEAR = 0.25  # of the threshold: a lower score is not "nearly" over
DISAGREEING = 5  # couples with the same photo and other labels that are named
DECIDED = 40  # verdicts of people that are listed
CLASSES, MEMBERS = 6, 9  # equivalence classes shown, photos of each


@dataclass(frozen=True)
class Step:
    """One bar of the funnel. dropped: first reason -> pairs that this step drops; back: pairs it takes back in."""

    name: str
    kept: int
    dropped: dict[str, int]
    back: int = 0


@dataclass(frozen=True)
class Example:
    """One pair shown under a reason. `also`: its other reasons."""

    pair_id: str
    score: float | None
    detail: str
    also: tuple[str, ...]
    picture: Picture | None


@dataclass(frozen=True)
class Reason:
    """A rule and what it did. first: pairs it dropped first; every: pairs it holds against at all."""

    rule: Rule
    applied: bool
    first: int
    every: int
    examples: list[Example]
    nearly: list[Example]


@dataclass(frozen=True)
class Histogram:
    """A score over all readable pairs. over: at or above the threshold; more: of these, kept as things are."""

    name: str
    says: str
    values: np.ndarray
    threshold: float
    applied: bool
    over: int
    more: int


@dataclass(frozen=True)
class Member:
    """A photo in the strip of an equivalence class; reason: why it is dropped, None when it is kept."""

    pair: SeenPair
    reason: str | None


@dataclass(frozen=True)
class Strip:
    """One equivalence class: its size, how many of it are kept, the first of its members."""

    name: str
    size: int
    kept: int
    members: list[Member]


@dataclass(frozen=True)
class Disagreements:
    """Label maps of the same photo. compared: couples of which both have one; over: those that differ on more than LABELS_DISAGREE;
    worst: (pair, pair, share) of those that differ most."""

    compared: int
    over: int
    worst: list[tuple[str, str, float]]


@dataclass(frozen=True)
class People:
    """What people decided. kept, dropped: pairs of this selection; judged: pairs with a verdict; latest: (pair, what it says) of the
    last ones."""

    kept: int
    dropped: int
    judged: int
    latest: list[tuple[str, str]]


@dataclass(frozen=True)
class Facts:
    """All that the page says. coupled, structure: of coupling_matrix.table and class_table, None where no label map was judged."""

    selection: Selection
    found: int
    photos_only: bool
    funnel: list[Step]
    reasons: list[Reason]
    histograms: list[Histogram]
    n_classes: int
    strips: list[Strip]
    sampled: int
    shares: list[ClassShare]
    errors: list[ErrorKind]
    coupled: pd.DataFrame | None
    structure: pd.DataFrame | None
    disagreements: Disagreements
    people: People


def gather(
    work: Workspace,
    scores: pd.DataFrame,
    duplicates: pd.DataFrame,
    groups: pd.DataFrame,
    settings: Settings,
    decided: Mapping[str, Verdict] | None = None,
) -> Facts:
    """Everything the report shows; `decided`: as of rules.select. A folder of photos without label maps has neither classes nor class shares."""
    levels = [replace(settings, level=level, target_size=None) for level in range(settings.level)] + [settings]
    selections = [select(scores, duplicates, groups, s, decided) for s in levels]
    selection = selections[-1]
    readable = scores[scores["error"].isna()].set_index("pair_id", drop=False)
    plan = [_plan_reason(rule, selection, readable) for rule in RULES]
    members = _plan_strips(groups, selection)
    wanted = {pair_id for _, some, near in plan for pair_id in (*some, *near)}
    others = {f.representative for p in wanted for f in selection.faults.get(p, []) if f.representative}
    shown = {p for some in members.values() for p in some}
    learned = evidence.load_learned(work, wanted | others | shown)
    seen = evidence.find_seen(work.parts, wanted | others | shown, work.space, learned)
    relations = {frozenset(pair): relation for *pair, relation in _columns(duplicates, "first", "second", "relation")}
    counts, every = count_by_reason(selection), _count_every(selection)
    reasons = [
        Reason(
            rule,
            rule.reason in selection.settings.active() and _can_apply(rule.reason, readable, groups),
            counts.get(rule.reason, 0),
            every.get(rule.reason, 0),
            [_example(rule, p, selection, readable, seen, relations) for p in some],
            [_example(rule, p, selection, readable, seen, relations) for p in near],
        )
        for rule, some, near in plan
    ]
    coupled, structure = (
        read_frame(file) if file.exists() else None for file in (work.coupled_classes, work.class_structure)
    )
    sampled, shares = class_shares(work.parts, work.space, set(selection.kept))
    return Facts(
        selection,
        len(scores),
        bool(scores["label"].isna().all()),
        _funnel(scores, selections),
        reasons,
        _histograms(readable, selection),
        groups["equivalence_class"].nunique(),
        _strips(members, groups, selection, seen),
        sampled,
        shares,
        error_kinds(scores),
        coupled,
        structure,
        _disagreements(duplicates),
        _people(selection),
    )


def _people(selection: Selection) -> People:
    verdicts = sorted(selection.decided.items(), key=lambda item: item[0])
    latest = sorted(verdicts, key=lambda item: item[1].time, reverse=True)[:DECIDED]
    counts = (sum(selection.by_person(p) for p in some) for some in (selection.kept, selection.faults))
    told = []
    for pair_id, verdict in latest:
        cannot = verdict.verdict == KEEP and pair_id in selection.faults
        told.append((pair_id, f"cannot be read, though {verdict.says()}" if cannot else verdict.says()))
    return People(*counts, len(verdicts), told)


def _disagreements(duplicates: pd.DataFrame) -> Disagreements:
    compared = duplicates[duplicates["labels_disagree"].notna()]
    over = compared[compared["labels_disagree"] > LABELS_DISAGREE]
    worst = over.sort_values(["labels_disagree", "first", "second"], ascending=[False, True, True]).head(DISAGREEING)
    return Disagreements(len(compared), len(over), _columns(worst, "first", "second", "labels_disagree"))


def _funnel(scores: pd.DataFrame, selections: list[Selection]) -> list[Step]:
    steps = [Step("Found", len(scores), {})]
    before = set(scores["pair_id"])
    for selection in selections:
        kept = set(selection.kept)
        gone = {p: selection.faults[p] for p in before - kept}
        dropped = count_by_reason(replace(selection, faults=gone))
        steps.append(Step(TITLES[selection.settings.level], len(kept), dropped, len(kept - before)))
        before = kept
    return steps


def _can_apply(reason: str, readable: pd.DataFrame, groups: pd.DataFrame) -> bool:
    """Whether there is anything a rule could drop by; photos alone have no label maps to be wrong."""
    if reason == "equivalence_class":
        return len(groups) > 0
    return reason in STRUCTURAL or (reason in readable and bool(readable[reason].notna().any()))


def _count_every(selection: Selection) -> dict[str, int]:
    return Counter(reason for faults in selection.faults.values() for reason in {f.reason for f in faults})


def _plan_reason(rule: Rule, selection: Selection, readable: pd.DataFrame) -> tuple[Rule, list[str], list[str]]:
    """Which pairs to show of a reason, worst first, and which of those it nearly drops."""
    rule = selection.settings.active().get(rule.reason, rule)
    if evidence.PICTURES[rule.reason] is None:
        return rule, [], []
    if rule.reason not in selection.settings.active():
        if rule.reason not in readable or rule.threshold is None:
            return rule, [], []
        over = readable.loc[readable[rule.reason] >= rule.threshold, rule.reason]
        return rule, _worst(over, NOT_APPLIED), []
    held = sorted(
        (faults[0].reason != rule.reason, -(f.score or 0.0), pair_id, f.representative)
        for pair_id, faults in selection.faults.items()
        for f in faults
        if f.reason == rule.reason
    )
    turn: Counter = Counter()  # one of each set of copies and of each class, before a second one of any
    ranked = []
    for i, (*_, pair_id, representative) in enumerate(held):
        turn[representative] += representative is not None
        ranked.append((turn[representative], i, pair_id))
    some = [pair_id for *_, pair_id in sorted(ranked)[:EXAMPLES]]
    if rule.reason not in readable:
        return rule, some, []
    score = readable.loc[readable["pair_id"].isin(selection.kept), rule.reason]
    return rule, some, _worst(score[(score < rule.threshold) & (score >= NEAR * rule.threshold)], NEARLY)


def _worst(score: pd.Series, n: int) -> list[str]:
    """The ids of the n highest scores; by id where they are equal."""
    return [p for _, p in sorted(zip(-score.to_numpy(), score.index, strict=True))[:n]]


def _example(rule, pair_id, selection, readable, seen, relations) -> Example:
    faults = selection.faults.get(pair_id, [])
    fault = next((f for f in faults if f.reason == rule.reason), None)
    score = fault.score if fault else None
    if score is None and rule.reason in readable:
        score = float(readable.at[pair_id, rule.reason])
    also = tuple(f.reason for f in faults if f.reason != rule.reason)
    fault = fault or Fault(rule.reason, score, rule.threshold)
    pair, picture = seen.get(pair_id), None
    if pair is not None:
        other = seen.get(fault.representative)
        relation = relations.get(frozenset((pair_id, fault.representative)))
        pair = replace(pair, score=score, threshold=rule.threshold, other=other, relation=relation)
        picture = evidence.show(rule.reason, pair)
    detail = fault.detail if fault.detail != rule.says else ""
    return Example(pair_id, score, detail, also, picture)


def _histograms(readable: pd.DataFrame, selection: Selection) -> list[Histogram]:
    active, rules = selection.settings.active(), {rule.reason: rule for rule in RULES}
    found = []
    for name, score in SCORES.items():
        if name not in readable or name not in rules or not readable[name].notna().any():
            continue
        threshold = (active.get(name) or rules[name]).threshold
        over = readable[name] >= threshold
        more = int((over & readable["pair_id"].isin(selection.kept)).sum())
        values = readable[name].dropna().to_numpy()
        found.append(Histogram(name, score.says, values, threshold, name in active, int(over.sum()), more))
    return found


def _plan_strips(groups: pd.DataFrame, selection: Selection) -> dict[str, list[str]]:
    """The members to show of the largest equivalence classes: the representative first, then kept before dropped."""
    sizes = groups["equivalence_class"].value_counts()
    largest = sorted(((-n, name) for name, n in sizes[sizes > 1].items()))[:CLASSES]
    plan = {}
    for _, name in largest:
        members = groups[groups["equivalence_class"] == name]
        ranked = sorted(
            (p != representative, p in selection.faults, -similarity, p)
            for p, representative, similarity in _columns(members, "pair_id", "representative", "similarity")
        )
        plan[name] = [p for *_, p in ranked[:MEMBERS]]
    return plan


def _strips(plan: dict[str, list[str]], groups: pd.DataFrame, selection: Selection, seen: dict) -> list[Strip]:
    strips = []
    for name, ids in plan.items():
        members = groups.loc[groups["equivalence_class"] == name, "pair_id"]
        shown = [Member(seen[p], selection.faults[p][0].reason if p in selection.faults else None) for p in ids]
        strips.append(Strip(name, len(members), sum(p not in selection.faults for p in members), shown))
    return strips


def _columns(table: pd.DataFrame, *names: str) -> list[tuple]:
    """Rows of some columns, as tuples."""
    return list(table[list(names)].itertuples(index=False, name=None))
