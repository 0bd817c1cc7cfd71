"""The folder of a run: its name, and config.json, which says everything the run was started with.

RUN/config.json      settings, classes, manifests with their digests, device, versions
RUN/log.jsonl        see journal.py; events/ beside it
RUN/samples/         a picture grid at every look
RUN/checkpoints/     see checkpoint.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.classes import TrainingClasses
from training.config import ConfigError, TrainConfig

if TYPE_CHECKING:
    from training.packed import PackedSet
    from training.plan import Plan

NAME = "config.json"


class RunError(ValueError):
    """A run's folder that cannot be used; says which and the way out."""


@dataclass(frozen=True)
class Started:
    """What a run was started with. `sources`: name of a manifest -> its path and SHA-256; `about`: facts for people."""

    config: TrainConfig
    classes: TrainingClasses
    sources: dict[str, dict[str, str]]
    data: str | None
    about: dict[str, Any]


def fresh(parent: Path, name: str) -> Path:
    """A folder in `parent` that does not exist: NAME-001, NAME-002 ..."""
    taken = {path.name for path in parent.glob(f"{name}-*")}
    return next(folder for i in range(1, 10**6) if (folder := parent / f"{name}-{i:03d}").name not in taken)


def write(run: Path, started: Started) -> None:
    """Write config.json. RunError when the folder holds another run."""
    from curation.workspace import write_json

    if (run / NAME).exists():
        raise RunError(f"{run} holds a run already; go on with `train --resume {run}` or choose another --out")
    content = {
        "config": started.config.to_dict(),
        "classes": started.classes.to_dict(),
        "sources": started.sources,
        "data": started.data,
        "about": started.about,
    }
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_json(run / NAME, content)
    except OSError as error:
        raise RunError(f"{run} cannot be written to ({error.strerror}); choose another --out") from None


def read(run: Path) -> Started:
    """Read config.json. RunError when there is none or it is damaged."""
    path = run / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        config = TrainConfig.from_dict(found["config"], str(path))
        classes = TrainingClasses.from_dict(found["classes"])
        return Started(config, classes, found["sources"], found["data"], found["about"])
    except FileNotFoundError:
        raise RunError(f"{run} is no run: it has no {NAME}. Runs are the folders that `train` writes.") from None
    except ConfigError as error:
        raise RunError(str(error)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); start a new run") from None


def started(
    plan: Plan, config: TrainConfig, sources: Mapping[str, Path], data: Path | None, about: dict[str, Any]
) -> Started:
    """What a run is started with. `config` is the plan's, resolved: with the perceptual network that was chosen."""
    listed = {
        name: {"path": str(sources[name].resolve() if name in sources else Path(name).resolve()), **_facts(packed)}
        for name, packed in plan.sources.items()
    }
    about = {**about, "held_out": list(plan.held_out)}
    return Started(config, plan.sets[0].classes, listed, str(data.resolve()) if data else None, about)


def _facts(packed: PackedSet) -> dict[str, str]:
    """What may not change while a run is under way: the manifest, and which of its pairs could be read."""
    return {"sha256": packed.manifest_sha256, "packed": packed.key, "pairs": str(len(packed))}


def check_plan(started: Started, plan: Plan) -> None:
    """RunError when manifests, recipes, pairs or classes are not those that the run was started with."""
    for name, packed in plan.sources.items():
        source = started.sources.get(name, {})
        if any(source.get(key) != value for key, value in _facts(packed).items()):
            raise RunError(
                f"{source.get('path', name)}, its recipe or its files changed since the run began ({source.get('pairs')} pairs then, {len(packed)} now); "
                "put the old ones back, or start a new run from this one's weights: train --manifest ... --init-from RUN"
            )
    if list(plan.held_out) != started.about["held_out"] or plan.sets[0].classes != started.classes:
        raise RunError(
            "the pairs kept aside or the classes are not those of the run; put its manifests and recipes back"
        )
