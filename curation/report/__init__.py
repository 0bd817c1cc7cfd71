"""The report: one HTML file that needs nothing beside it, with every number and picture that explains a selection."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import pandas as pd

from curation.pair_layouts import PHOTOS_ONLY
from curation.place import Place
from curation.report.facts import gather
from curation.report.page import page
from curation.rules import KEEPERS, Settings
from curation.verdicts import Verdict
from curation.workspace import Workspace, atomic


def write_report(
    out: Place,
    work: Workspace,
    scores: pd.DataFrame,
    duplicates: pd.DataFrame,
    groups: pd.DataFrame,
    settings: Settings,
    options: list[str] | None = None,
    decided: Mapping[str, Verdict] | None = None,
) -> Place:
    """Write the report of one selection; the same tables, settings and verdicts of people (`decided`) give the same bytes.

    `options`: those of the command line beyond the settings, for the command to repeat it.
    """
    facts = gather(work, scores, duplicates, groups, settings, decided)
    text = page(facts, work, command(work, settings, options or []))
    with atomic(out) as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return out


def command(work: Workspace, settings: Settings, options: list[str]) -> str:
    """The command that makes this selection again; for photos alone, of which none can be built, this report."""
    verb = "report" if work.layout == PHOTOS_ONLY.name else "build-selection"
    words = ["curate", verb, "--level", str(settings.level), "--data", str(work.source)]
    for name, value in work.options.items():
        if value:
            words += [f"--{name.replace('_', '-')}", value]
    for name, threshold in sorted(settings.thresholds.items()):
        words += ["--set", f"{name}={'off' if threshold is None else f'{threshold:g}'}"]
    for group in settings.merges:
        words += ["--merge", ",".join(group)]
    if settings.keep_per_class != Settings.keep_per_class:
        words += ["--keep-per-class", str(settings.keep_per_class)]
    if settings.reweight:
        words.append("--reweight")
    if settings.keeper != KEEPERS:
        words += ["--keeper", ",".join(settings.keeper)]
    if settings.target_size is not None:
        words += ["--target-size", str(settings.target_size)]
    return shlex.join([*words, *options])
