"""Rules: thresholds on the table -> for every pair, kept or dropped, with one first reason and all others.

Enters: the tables of scores, duplicates and classes, and what people decided. Leaves: a Selection. No photo is opened and nothing is
measured here, so another threshold costs a second. RULES is the only list of reasons, in the order in which they are given as first
reason.
"""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from curation.keepers import KEEPERS, class_surplus, classes_of_at_least, copies_to_drop, rank_of
from curation.verdicts import DROP, KEEP, Verdict

if (
    TYPE_CHECKING
):  # a quarter of what the review app would import before its first page; where it is needed it is imported
    import pandas as pd

LEVELS = {0: "total", 1: "selection1", 2: "selection2"}


class RuleError(ValueError):
    """A rule or threshold that does not exist or cannot be; names the nearest known one."""


@dataclass(frozen=True)
class Rule:
    """A reason to drop a pair.

    level: the level from which it applies; None = only when a person sets its threshold (then from level 1).
    threshold: of the score of the same name; a pair is dropped at or above it. None where the rule has no threshold.
    """

    reason: str
    says: str
    level: int | None
    threshold: float | None = None


RULES = [
    Rule("unreadable", "the pair cannot be measured: a file is missing, damaged, or does not fit the other", 0),
    Rule("person", "a person looked at the pair and dropped it", 1),
    Rule("exact_duplicate", "another pair has the same photo, byte for byte", 1),
    Rule("near_duplicate", "another pair has the same photo, re-encoded, resized, cropped or mirrored", 1, 0.95),
    Rule("label_error", "the label map does not fit the photo", 1, 0.5),
    Rule("coupling", "classes of the label map interleave at a fine scale", 1, 0.5),
    Rule("backlight", "strongly backlit", 2, 0.5),
    Rule("monochrome", "greyscale or toned", 2, 0.5),
    Rule("dark", "hardly any light", None, 0.5),
    Rule("overexposed", "a large part burnt out to white", None, 0.5),
    Rule("blur", "nothing in the photo is sharp", None, 0.5),
    Rule("low_information", "nearly all of the photo is flat", None, 0.5),
    Rule("equivalence_class", "enough other pairs with practically the same label map are kept", 2),
    Rule("target_size", "kept pairs were ranked and only the best asked for", 0),
]
STRUCTURAL = (
    "unreadable",
    "person",
    "exact_duplicate",
    "near_duplicate",
    "equivalence_class",
    "target_size",
)  # not read off one score
COPIES = ("exact_duplicate", "near_duplicate")
UNDENIABLE = ("unreadable", "person", "target_size")  # no --set NAME=off
NEVER_BACK = ("person", *COPIES)  # what a target size does not take back


@dataclass(frozen=True)
class Settings:
    """What decides a selection beyond the tables. `thresholds`: set by a person; None switches a rule off.
    `merges`: groups of class names that training takes as one; no rule looks at them. `reweight`: large equivalence classes
    are drawn less often in training, instead of dropping what is more than `keep_per_class` of them."""

    level: int = 2
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    keep_per_class: int = 3
    keeper: tuple[str, ...] = KEEPERS
    target_size: int | None = None
    merges: tuple[tuple[str, ...], ...] = ()
    reweight: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise RuleError(f"No level {self.level}; levels are 0 (Total), 1 (Selection I), 2 (Selection II).")
        known = [rule.reason for rule in RULES if rule.threshold is not None]
        can_be_off = [rule.reason for rule in RULES if rule.reason not in UNDENIABLE]
        for name, value in self.thresholds.items():
            if name not in (can_be_off if value is None else known):
                near = difflib.get_close_matches(name, known, 1, 0)[0]
                raise RuleError(f'No threshold "{name}"; the nearest is "{near}". Known: {", ".join(known)}.')
            if value is not None and not 0 <= value <= 1:
                raise RuleError(
                    f"{name}={value} is no threshold; scores lie in 0-1. Use {name}=off to switch the rule off."
                )
        for word in self.keeper:
            if word not in KEEPERS:
                raise RuleError(f'No keeper rule "{word}"; known: {", ".join(KEEPERS)}.')
        named = [name for group in self.merges for name in group]
        for name in named:
            if named.count(name) > 1:
                raise RuleError(f'--merge names "{name}" twice; a class can go into one group only.')
        if any(len(group) < 2 for group in self.merges):
            raise RuleError("--merge needs two classes or more, with commas between them: river,lake,water.")
        if self.keep_per_class < 1:
            raise RuleError(f"--keep-per-class {self.keep_per_class}: at least 1 pair of a class is kept.")
        if self.target_size is not None and self.target_size < 1:
            raise RuleError(f"--target-size {self.target_size}: ask for at least 1 pair.")

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Settings:
        """From what `asdict` makes of one, also after JSON; of the facts in WORK/faults.parquet `chosen` holds what a person set. Raises RuleError."""
        return cls(
            told["level"],
            told.get("chosen", told["thresholds"]),
            told["keep_per_class"],
            tuple(told["keeper"]),
            told["target_size"],
            tuple(tuple(group) for group in told["merges"]),
            told["reweight"],
        )

    def active(self) -> dict[str, Rule]:
        """The rules that apply, by reason, in their order, with the thresholds in force."""
        rules = {}
        for rule in RULES:
            level, threshold = rule.level, rule.threshold
            if rule.reason in self.thresholds:
                threshold = self.thresholds[rule.reason]
                if threshold is None:
                    continue
                level = 1 if level is None else level
            if level is not None and level <= self.level:
                rules[rule.reason] = replace(rule, threshold=threshold)
        return rules


@dataclass(frozen=True)
class Fault:
    """One reason against one pair. `score` and `threshold` are None where the reason has none."""

    reason: str
    score: float | None = None
    threshold: float | None = None
    representative: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Selection:
    """kept: pair ids, ascending. faults: for every dropped pair its reasons, the first one first. weights: how often to draw
    a kept pair in training, where that is not 1. decided: the verdicts of people on pairs of this data set."""

    settings: Settings
    kept: list[str]
    faults: dict[str, list[Fault]]
    weights: dict[str, float] = field(default_factory=dict)
    decided: dict[str, Verdict] = field(default_factory=dict)

    def by_person(self, pair_id: str) -> bool:
        """Whether the pair is kept or dropped because a person said so; else a rule did it, or none was against it."""
        faults = self.faults.get(pair_id)
        if faults:
            return faults[0].reason == "person"
        return pair_id in self.decided and self.decided[pair_id].verdict == KEEP


def select(
    scores: pd.DataFrame,
    duplicates: pd.DataFrame,
    groups: pd.DataFrame,
    settings: Settings,
    decided: Mapping[str, Verdict] | None = None,
) -> Selection:
    """Apply the rules to the tables of one data set (see the modules that make them for their columns).

    `decided`: verdicts of people by pair id, which win over every rule. A pair that they keep has no fault, is the one that stays of several
    copies, and stays of its equivalence class; only an unreadable one cannot be kept. A pair that they drop stands for no other: it is
    neither the copy that stays nor one of the k of its class. Total lists whatever can be read, so there a drop does not hold yet. Verdicts
    on pairs that the table lacks are passed over.
    """
    table = scores.set_index("pair_id", drop=False)
    decided = {p: decided[p] for p in sorted(decided or ()) if p in table.index}
    rules = settings.active()
    faults: dict[str, list[Fault]] = defaultdict(list)
    for pair_id, error in table["error"].dropna().items():
        if pair_id in decided and decided[pair_id].verdict == KEEP:
            error += f"; {decided[pair_id].says()} (but there is nothing to train on)"
        faults[pair_id].append(Fault("unreadable", detail=error))
    if "person" in rules:
        for pair_id, verdict in decided.items():
            if verdict.verdict == DROP:
                faults[pair_id].append(Fault("person", detail=verdict.says()))
    wanted = {p for p, verdict in decided.items() if verdict.verdict == KEEP}
    unwanted = decided.keys() - wanted
    readable = table[table["error"].isna()]
    for reason, rule in rules.items():
        if reason not in STRUCTURAL and reason in readable:
            over = readable[reason] >= rule.threshold
            for pair_id, score in readable.loc[over & ~readable.index.isin(wanted), reason].items():
                faults[pair_id].append(Fault(reason, float(score), rule.threshold, detail=rule.says))
    badness = _badness(readable, rules)
    rank = rank_of(readable, _unclean(readable, settings), settings.keeper, wanted)
    in_force = {reason: rules[reason].threshold for reason in COPIES if reason in rules}
    for pair_id, why in copies_to_drop(duplicates, in_force, rank, wanted, unwanted):
        faults[pair_id].append(Fault(*why))
    by_class = "equivalence_class" in rules
    if by_class:
        clean = set(readable.index) - set(faults)
        k = None if settings.reweight else settings.keep_per_class
        for pair_id, why in class_surplus(groups, clean, k, rank, "near_duplicate" in rules, wanted):
            faults[pair_id].append(Fault(*why))
    order = {rule.reason: i for i, rule in enumerate(RULES)}
    found = {pair_id: sorted(some, key=lambda f: order[f.reason]) for pair_id, some in faults.items()}
    kept = [p for p in table.index if p not in found]
    if settings.target_size is not None:
        kept, found = _best(list(readable.index), found, badness, settings.target_size, wanted)
    weights = {}
    if by_class and settings.reweight:
        for _, some in classes_of_at_least(settings.keep_per_class + 1, groups, set(kept)):
            weights |= dict.fromkeys(some["pair_id"], settings.keep_per_class / len(some["pair_id"]))
    found = {p: found[p] for p in sorted(found)}
    return Selection(settings, sorted(kept), found, dict(sorted(weights.items())), decided)


def _badness(readable: pd.DataFrame, rules: Mapping[str, Rule]) -> pd.Series:
    """For each pair, how near it is to being dropped: the largest score over threshold (1 = on the border)."""
    import pandas as pd

    ratios = [
        readable[r].fillna(0) / max(rule.threshold, 1e-9)
        for r, rule in rules.items()
        if r not in STRUCTURAL and r in readable
    ]
    return pd.concat(ratios, axis=1).max(axis=1) if ratios else pd.Series(0.0, index=readable.index)


def _unclean(readable: pd.DataFrame, settings: Settings) -> set[str]:
    """Pairs that any score speaks against, whatever the level: so every level keeps the same copy, and levels nest."""
    import pandas as pd

    limits = {rule.reason: rule.threshold for rule in RULES if rule.reason not in STRUCTURAL} | dict(
        settings.thresholds
    )
    over = [readable[r] >= limit for r, limit in limits.items() if limit is not None and r in readable]
    return set(readable.index[pd.concat(over, axis=1).any(axis=1)]) if over else set()


def _best(readable: list[str], found: dict[str, list[Fault]], badness: pd.Series, size: int, wanted: set[str]):
    """The best `size` readable pairs: those that people want first, all of them, however many; then those that no structural rule drops,
    then by badness, then by id."""

    def key(pair_id: str):
        structural = any(f.reason in STRUCTURAL for f in found.get(pair_id, []))
        return pair_id not in wanted, structural, float(badness[pair_id]), pair_id

    never = {p for p, some in found.items() if any(f.reason in NEVER_BACK for f in some)}
    ranked = sorted((p for p in readable if p not in never), key=key)
    size = max(size, sum(p in wanted for p in ranked))
    kept = ranked[:size]
    border = float(badness[kept[-1]]) if kept else 0.0
    chosen = set(kept)
    rest = {p: some for p, some in found.items() if p not in chosen}
    for pair_id in ranked[size:]:
        detail = f"not among the best {size}"
        rest.setdefault(
            pair_id, [Fault("target_size", round(float(badness[pair_id]), 4), round(border, 4), None, detail)]
        )
    return kept, rest


def count_by_reason(selection: Selection) -> dict[str, int]:
    """How many pairs each reason dropped as the first one, in the order of RULES, without those that dropped none."""
    first = Counter(some[0].reason for some in selection.faults.values())
    return {rule.reason: first[rule.reason] for rule in RULES if rule.reason in first}
