"""The training of a run: the loop, top to bottom, and what one step is.

Enters: a Run. Leaves, in its folder: log.jsonl, events/, samples/, checkpoints/.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from training import checkpoint, objective, pictures, runtime, sampling, weights
from training.batches import Batch
from training.config import Phase
from training.journal import Journal
from training.progress import Progress
from training.run import Run
from training.runtime import jt

NOISE = 1  # the stream of random numbers that eps of a step comes from
EXPLODES = 1000.0  # a loss so many times its usual size, and at least this large, ends the run
USUAL, ENOUGH = 200, 20  # steps that "usual" is taken over, and the fewest of them


class Diverged(RuntimeError):
    """A loss is not finite or explodes; names the term and the last good checkpoint."""


def train(run: Run, journal: Journal | None, progress: Progress, stop: threading.Event, minutes: float = 0) -> str:
    """Train until the plan is done, `stop` is set or `minutes` have passed; returns "done", "stopped" or "time" with the last state saved, or
    "interrupted" when the stop came while a kernel was compiled and the last checkpoint stands.

    Only the first process has a journal.

    Raises:
        Diverged: a loss is not finite or explodes.
        CheckpointError, JournalError: a file cannot be written.
    """
    config, plan, state = run.config, run.plan, run.state
    usual: dict[str, deque] = {}
    began = time.monotonic()
    ended = "done"

    if state.step == 0:
        _look(run, journal)
    while state.phase < len(plan.sets) and ended == "done":
        phase, batches = config.phases[state.phase], plan.batches[state.phase]
        epoch_of_phase, start = divmod(state.step_of_phase, batches.steps_per_epoch)
        epoch = plan.first_epoch(state.phase) + epoch_of_phase

        with contextlib.closing(batches.epoch(epoch, start)) as upcoming:
            for batch in upcoming:
                try:
                    found = _step(run, phase, batch, _rate(phase, epoch_of_phase))
                except RuntimeError:
                    if stop.is_set():  # Ctrl-C reached the compiler of a kernel, too; the last checkpoint stands
                        return "interrupted"
                    raise
                state.step, state.step_of_phase = state.step + 1, state.step_of_phase + 1
                _check(found, usual, run)
                if journal:
                    journal.write(state.step, epoch, phase.name, found)
                progress.step(state.step, epoch + 1, phase.name, found, phase.batch_size)

                if state.step_of_phase >= plan.steps(state.phase):
                    state.phase, state.step_of_phase = state.phase + 1, 0
                done = state.step >= plan.total
                ended = "done" if done else _why_end(stop, minutes, began)
                over = done or ended != "done"
                looks = (state.step % config.sample_every == 0 or over) and ended != "stopped"
                saves = state.step % config.checkpoint_every == 0 or over
                if saves:  # before pictures are drawn: whoever stopped this may not wait for them
                    _save(run, journal)
                score = _look(run, journal) if looks else None
                if saves:
                    _keep_best(run, journal, score)
                if state.step_of_phase == 0 or over:
                    break
    return ended


def _step(run: Run, phase: Phase, batch: Batch, rate: float) -> dict[str, float]:
    """One update of the generator and one of the discriminator; returns the losses, averaged over micro-batches and processes."""
    parts = _parts(batch, phase.micro_batch)
    faster, slower = (rate * 2, rate / 2) if run.config.ttur else (rate, rate)
    totals: dict[str, float] = {}

    painter, judge = run.optimisers["generator"], run.optimisers["discriminator"]
    fakes: list[jt.Var | None] = []
    for part in parts:
        example = _example(run, batch, part, 0)
        share = len(batch.rows[part]) / len(batch.rows)
        found, fake = objective.generator_losses(run.networks, example, run.aims, runtime.world() / share)
        painter.accumulate(sum(found.values()), share)
        fakes.append(None if run.config.fresh_fake else fake.detach())
        if len(parts) > 1:
            jt.sync_all()  # or the pictures of all parts stay in memory until the update
        _add(totals, found, share)
    painter.step(slower)
    _follow(run)
    jt.sync_all()

    for part, fake in zip(parts, fakes, strict=True):
        judged = objective.discriminator_losses(run.networks, _example(run, batch, part, 1), run.aims, fake)
        share = len(batch.rows[part]) / len(batch.rows)
        judge.accumulate(sum(judged.values()), share)
        if len(parts) > 1:
            jt.sync_all()
        _add(totals, judged, share)
    judge.step(faster)
    jt.sync_all()
    return {name: float(sum(values).item()) for name, values in totals.items()}


def _add(totals: dict, found: dict, share: float) -> None:
    for name, loss in found.items():
        totals.setdefault(name, []).append(runtime.mean_over_processes(loss.detach()) * share)


def _parts(batch: Batch, most: int) -> list[slice]:
    size = len(batch.rows)
    most = most or size
    return [slice(first, min(first + most, size)) for first in range(0, size, most)]


def _example(run: Run, batch: Batch, part: slice, update: int) -> objective.Example:
    """A part of a batch on the device. The random numbers of a step are those of the whole batch over all processes, of which a process takes its rows."""
    mine, world = len(batch.rows), runtime.world()
    stream = np.random.SeedSequence(run.config.seed, spawn_key=(NOISE, run.state.step, update))
    drawn = sampling.sample_start(run.config, batch.ids.shape[1:], mine * world, stream)
    start = None if drawn is None else jt.array(drawn[runtime.rank() * mine :][:mine][part])
    condition = objective.one_hot(jt.array(np.ascontiguousarray(batch.ids[part])), run.channels)
    photo = sampling.on_device(np.ascontiguousarray(batch.photos[part]))
    eps, noise = (start, None) if run.config.vae else (None, start)
    return objective.Example(condition, photo, eps, noise)


def _follow(run: Run) -> None:
    """Let the averaged generator follow: weights and running statistics by decay (less at first), u and v as they are."""
    if run.average is None:
        return
    step = run.optimisers["generator"].steps
    decay = min(run.config.ema, (1 + step) / (10 + step))
    now = weights.named(run.networks.generator)
    for name, var in weights.named(run.average).items():
        new = now[name].detach()
        var.update(new if name.endswith((".u", ".v")) else var * decay + new * (1 - decay))


def _rate(phase: Phase, epoch: int) -> float:
    """The learning rate of an epoch of the phase, from 0: constant, then minus 1/decay_epochs of it an epoch."""
    if not phase.decay_epochs:
        return phase.learning_rate
    return phase.learning_rate * (1 - max(0, epoch - (phase.epochs - phase.decay_epochs)) / phase.decay_epochs)


def _check(found: dict[str, float], usual: dict[str, deque], run: Run) -> None:
    for name, value in found.items():
        recent = usual.setdefault(name, deque(maxlen=USUAL))
        usually = float(np.median(recent)) if len(recent) >= ENOUGH else EXPLODES
        if not np.isfinite(value) or abs(value) > EXPLODES * max(1.0, usually):
            last = checkpoint.latest(run.folder)
            where = f"the last good checkpoint is {last}" if last else "no checkpoint was saved yet"
            raise Diverged(
                f"the loss {name} is {value:g} at step {run.state.step}; training stops and {where}. "
                f"Begin again from its weights with a lower rate: train --manifest ... --init-from {run.folder} --learning-rate ..."
            )
        recent.append(abs(value))


def _why_end(stop: threading.Event, minutes: float, began: float) -> str:
    """ "done" to go on. All processes must end at the same step, so what one of them wishes is asked of all."""
    wishes = [float(stop.is_set()), float(bool(minutes) and time.monotonic() - began > minutes * 60)]
    if runtime.world() > 1:
        wishes = jt.array(wishes).mpi_all_reduce("add").numpy().tolist()
    return "stopped" if wishes[0] else "time" if wishes[1] else "done"


def _look(run: Run, journal: Journal | None) -> float | None:
    """Draw the validation pictures, score them against their photos, note the score and return it."""
    shown = run.plan.validation
    if journal is None or shown is None:
        return None
    drawn = run.draw_validation()
    classes, count, step = run.plan.sets[0].classes, run.config.pictures, run.state.step
    columns = [
        ("label map", pictures.label_picture(shown.ids[:count], classes.colours)),
        ("generated", pictures.photo_of(drawn[:count])),
        ("photo", shown.photos[:count]),
    ]
    sheet = pictures.grid_with_legend(columns, shown.ids[:count], classes.channel_names, classes.colours)
    path = run.folder / "samples" / f"step-{step:08d}.png"
    pictures.save(path, sheet)
    journal.picture(step, "samples", path)
    score = _distance(run, drawn, shown.photos)
    journal.note("validation", f"distance of {len(drawn)} drawn pictures to their photos", step=step, value=score)
    return score


def _distance(run: Run, drawn: np.ndarray, photos: np.ndarray) -> float:
    """The perceptual distance of pictures to their photos, or without that loss the L1 distance of 8x8 means; lower is better."""
    total = 0.0
    for first in range(0, len(drawn), sampling.AT_ONCE):
        with jt.no_grad():
            fake = jt.array(drawn[first : first + sampling.AT_ONCE])
            photo = sampling.on_device(np.ascontiguousarray(photos[first : first + sampling.AT_ONCE]))
            if run.aims.perceptual_loss is not None:
                value = run.aims.perceptual_loss(fake, photo)
            else:
                n, c, h, w = fake.shape
                value = jt.abs((fake - photo).reshape((n, c, h // 8, 8, w // 8, 8)).mean(dims=(3, 5))).mean()
            total += float(value.item()) * fake.shape[0]
    return total / len(drawn)


def _save(run: Run, journal: Journal | None) -> None:
    if journal is None:
        return
    folder = run.save()
    journal.note("checkpoint", str(folder.relative_to(run.folder)), step=run.state.step)


def _keep_best(run: Run, journal: Journal | None, score: float | None) -> None:
    """The best checkpoint so far is the one whose pictures, of pairs that training does not see, came nearest to their photos."""
    if journal is None:
        return
    if score is not None and run.plan.held_out:
        best = checkpoint.best_score(run.folder)
        if best is None or score < best:
            checkpoint.note_best(run.folder, run.state.step, score)
    checkpoint.prune(run.folder, run.config.keep_every)


@contextlib.contextmanager
def signals_stop() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event that is given instead of ending the process; a second Ctrl-C ends it."""
    stop = threading.Event()

    def heard(number: int, frame: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
