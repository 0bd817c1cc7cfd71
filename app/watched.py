"""Watched: a run of the stages that tells how far it is, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from curation.stages import Run


@dataclass
class Watched(Run):
    """A quiet run. tell(step, done, total) is called at the beginning of a step and after each piece of it."""

    quiet: bool = True
    tell: Callable[[str, int, int], None] = lambda step, done, total: None

    def over(self, function: Callable, jobs: list, caption: str, weigh: Callable = lambda job: 1) -> Iterable:
        if not jobs:
            return
        with self.progress(caption, sum(map(weigh, jobs))) as advance:
            for job, result in zip(jobs, super().over(function, jobs, caption, weigh), strict=True):
                advance(weigh(job))
                yield result

    @contextmanager
    def progress(self, caption: str, total: int) -> Iterator[Callable[[int], None]]:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            self.tell(caption, done, total)

        self.tell(caption, 0, total)
        yield advance
        if done < total:
            self.tell(caption, total, total)
