"""The plan of a run: which pairs and how many steps in each phase, which pairs are kept aside. Nothing here needs Jittor.

Enters: a TrainConfig and where its manifests lie. Leaves: a Plan, with every set packed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training import runtime
from training.batches import Batch, Batches
from training.config import TrainConfig
from training.packed import DataError, PackedSet, pack


@dataclass(frozen=True)
class Plan:
    """What there is to do: the packed set of each phase and its steps."""

    config: TrainConfig
    sets: tuple[PackedSet, ...]
    batches: tuple[Batches, ...]
    validation: Batch | None
    held_out: tuple[str, ...]

    def steps(self, phase: int) -> int:
        """Steps of a phase."""
        wanted = self.config.phases[phase]
        return wanted.steps or wanted.epochs * self.batches[phase].steps_per_epoch

    @property
    def total(self) -> int:
        return sum(self.steps(i) for i in range(len(self.sets)))

    @property
    def sources(self) -> dict[str, PackedSet]:
        """The packed set of each name of a manifest."""
        return {phase.manifest: packed for phase, packed in zip(self.config.phases, self.sets, strict=True)}

    def described(self) -> str:
        """What will be done, a line a phase."""
        lines = []
        for number, phase in enumerate(self.config.phases):
            pairs, every = int((self.sets[number].weights > 0).sum()), self.batches[number].steps_per_epoch
            width, height = phase.size
            lines.append(
                f'phase   "{phase.name}": {pairs} pairs at {width}x{height}, {self.steps(number)} steps of {phase.batch_size} '
                f"({self.steps(number) / every:.1f} epochs), learning rate {phase.learning_rate:g}"
            )
        kept = (
            f"{len(self.held_out)} pairs kept aside for validation"
            if self.held_out
            else "no pairs kept aside: the set is too small"
        )
        return "\n".join([*lines, f"classes {self.sets[0].classes.channels}; {kept}"])

    def first_epoch(self, phase: int) -> int:
        """Number of a phase's first epoch in the run, from 0."""
        return sum(-(-self.steps(i) // self.batches[i].steps_per_epoch) for i in range(phase))


def prepare(
    config: TrainConfig,
    sources: Mapping[str, Path],
    cache: Path,
    *,
    data: Path | None = None,
    quiet: bool = False,
    on_skip: Callable[[str], None] = print,
) -> Plan:
    """Pack the manifest of each phase, and put the validation pairs aside.

    Args:
        sources: name of a manifest in a phase -> its path; "" is that of phases which name none. Another name is a path.
        cache, data, on_skip: see packed.pack.

    Raises:
        DataError: manifests that cannot be trained on, or whose label spaces differ.
    """
    packed: dict[tuple, PackedSet] = {}
    sets = []
    for phase in config.phases:
        source = sources[phase.manifest] if phase.manifest in sources else Path(phase.manifest)
        size = phase.load_size if phase.load_size != (0, 0) else phase.size
        if (source, size) not in packed:
            packed[source, size] = pack(
                source, size, cache, on_skip=on_skip, data=data, most_bad=config.most_bad, quiet=quiet
            )
        sets.append(packed[source, size])
    for other, phase in zip(sets[1:], config.phases[1:], strict=True):
        if other.classes != sets[0].classes:
            raise DataError(
                f'phase "{phase.name}" has another label space than the first; make all manifests from one data set'
            )
    held_out = _held_out(sets, config.validation)
    kept = [_without(s, held_out) for s in sets]
    batches = tuple(
        Batches(
            s, size=phase.size, batch_size=phase.batch_size, seed=config.seed, flip=config.flip,
            rank=runtime.rank(), world=runtime.world(),
        )
        for s, phase in zip(kept, config.phases, strict=True)
    )  # fmt: skip
    shown = held_out or sets[0].pair_ids[: config.pictures]
    rows = [sets[0].pair_ids.index(pair_id) for pair_id in shown]
    validation = batches[0].fixed(rows, config.phases[0].size) if rows else None
    return Plan(config, tuple(kept), batches, validation, held_out)


def _held_out(sets: list[PackedSet], count: int) -> tuple[str, ...]:
    """Pairs that all phases have, chosen by a digest of their ids: the same in every run; at most a tenth of the smallest set."""
    common = set(sets[0].pair_ids).intersection(*(s.pair_ids for s in sets[1:]))
    count = min(count, min(len(s) for s in sets) // 10)
    return tuple(sorted(common, key=lambda pair_id: hashlib.sha256(pair_id.encode()).hexdigest())[:count])


def _without(packed: PackedSet, pair_ids: tuple[str, ...]) -> PackedSet:
    left_out = (
        np.isin(np.array(packed.pair_ids), np.array(pair_ids, dtype=str)) if pair_ids else np.zeros(len(packed), bool)
    )
    return dataclasses.replace(packed, weights=np.where(left_out, 0.0, packed.weights))
