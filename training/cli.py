"""`train` and `generate`: what a person types, turned into a config and a run. The work is done elsewhere.

train --manifest selection2.csv                    # chooses device and preset, says which and why
train --resume runs/tsit-small-001
generate --checkpoint runs/tsit-small-001 --labels DIR --out DIR
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from training.config import TrainConfig
    from training.plan import Plan
    from training.run import Run
    from training.run_folder import Started

RUNS = Path("runs")
PACKED = ".packed"

_Option = typer.Option


def _train(
    manifest: Annotated[
        Path | None, _Option(help="Manifest to train on, as `curate build-selection` writes it.", show_default=False)
    ] = None,
    preset: Annotated[
        str,
        _Option(help="landscape512, landscape256, small or tiny. Default: what fits the device.", show_default=False),
    ] = "",
    model: Annotated[str, _Option(help="tsit or spade. Default: tsit.", show_default=False)] = "",
    device: Annotated[str, _Option(help="auto, cpu or cuda.")] = "auto",
    out: Annotated[
        Path | None, _Option(help="Folder of the run. Default: runs/MODEL-PRESET-NNN.", show_default=False)
    ] = None,
    curriculum: Annotated[
        str, _Option(help="Phases: report-main, or a TOML file with \\[\\[phases]].", show_default=False)
    ] = "",
    total: Annotated[Path | None, _Option(help='Manifest of phases that say "total".', show_default=False)] = None,
    selection1: Annotated[
        Path | None, _Option(help='Manifest of phases that say "selection1".', show_default=False)
    ] = None,
    selection2: Annotated[
        Path | None, _Option(help='Manifest of phases that say "selection2".', show_default=False)
    ] = None,
    steps: Annotated[
        int | None, _Option(help="Steps of each phase, instead of epochs.", min=1, show_default=False)
    ] = None,
    epochs: Annotated[int | None, _Option(help="Epochs of each phase.", min=1, show_default=False)] = None,
    minutes: Annotated[
        float, _Option(help="Stop and save after so long; --resume goes on.", min=0, show_default=False)
    ] = 0,
    batch_size: Annotated[
        int | None, _Option(help="Pairs a step, over all processes.", min=1, show_default=False)
    ] = None,
    size: Annotated[str, _Option(help="WIDTHxHEIGHT of the pictures; multiples of 128.", show_default=False)] = "",
    learning_rate: Annotated[
        float | None, _Option(help="Of Adam; G takes half, D twice of it.", show_default=False)
    ] = None,
    perceptual: Annotated[str, _Option(help="vgg19, efficientnet-lite0, none or auto.", show_default=False)] = "",
    seed: Annotated[int | None, _Option(help="Same seed, same run.", min=0, show_default=False)] = None,
    set_: Annotated[
        list[str] | None,
        _Option("--set", help="Any other setting, e.g. width=32, scales=3, gan=ls.", show_default=False),
    ] = None,
    init_from: Annotated[
        list[Path] | None,
        _Option(
            help="Start from weights: a run, or *_net_G/D/E.pth of TSIT or SPADE, or a .pkl of jittor_TSIT. May be repeated.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None, _Option(help="Go on with a run from its last checkpoint.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        _Option(help="Where the data set is now, if it moved since the manifest was written.", show_default=False),
    ] = None,
    cache: Annotated[
        Path | None, _Option(help="Folder for decoded pairs. Default: .packed beside the run.", show_default=False)
    ] = None,
    check: Annotated[bool, _Option("--check", help="Say what this machine has and what is missing, and stop.")] = False,
    dry_run: Annotated[
        bool, _Option("--dry-run", help="Check settings and data, print the settings in full, and stop.")
    ] = False,
    quiet: Annotated[bool, _Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Train a generator (label map -> photo) on a manifest.

    The run's folder holds settings, log, TensorBoard events, picture grids and checkpoints. Ctrl-C saves and stops; --resume goes on as if nothing had
    happened. Several processes: mpirun -np 2 train ...
    """
    if check:
        from training.check import check as look

        raise typer.Exit(look(sys.stdout))
    with _told():
        from training import config as configs

        how = How(device, data, cache, minutes, dry_run, quiet)
        settings = {
            "model": model, "steps": steps, "epochs": epochs, "batch_size": batch_size, "size": size, "learning_rate": learning_rate,
            "perceptual": perceptual, "seed": seed,
        }  # fmt: skip
        settings = {key: value for key, value in settings.items() if value not in (None, "")}
        named = {"": manifest, "total": total, "selection1": selection1, "selection2": selection2}
        sources = {name: path for name, path in named.items() if path is not None}
        if resume:
            if sources or preset or curriculum or settings or set_ or init_from or out:
                _stop(
                    "--resume takes its settings from the run; give it alone (with --device, --data, --cache, --minutes)",
                    2,
                )
            _go_on(how, resume)
        else:
            settings |= dict(configs.parse_setting(text) for text in set_ or [])
            _begin(how, sources, preset, curriculum, settings, out, init_from or [])


@dataclass(frozen=True)
class How:
    """How to run, whatever is trained: where data and decoded pairs are, on which device, for how long, how loud."""

    device: str
    data: Path | None
    cache: Path | None
    minutes: float
    dry_run: bool
    quiet: bool


def _begin(
    how: How,
    sources: dict[str, Path],
    preset: str,
    curriculum: str,
    settings: dict[str, Any],
    out: Path | None,
    init_from: list[Path],
) -> None:
    """A new run."""
    from training import config as configs
    from training import run_folder, runtime

    if not sources and not curriculum:
        _stop(
            "nothing to train on; give --manifest selection2.csv (`curate build-selection` makes one), or --resume RUN",
            2,
        )
    chosen = runtime.choose(how.device)
    why = "as asked"
    if not preset:
        preset, why = configs.fitting(chosen.kind, chosen.memory)
    config = configs.preset(preset)
    if curriculum:
        config = replace(config, phases=_sized(configs.curriculum(curriculum), config, "size" in settings))
    config = configs.changed(config, settings)
    _need_sources(config, sources)
    run = out or run_folder.fresh(RUNS, f"{config.model}-{preset}")
    if (run / run_folder.NAME).exists():
        _stop(f"{run} holds a run already; go on with `train --resume {run}` or choose another --out", 2)
    if not how.quiet and runtime.rank() == 0:
        print(f"device  {chosen.kind}: {chosen.name} ({chosen.reason})", file=sys.stderr)
        print(f"preset  {preset} ({why})", file=sys.stderr)
    _work(how, run, config, sources, init_from, None)


def _go_on(how: How, run: Path) -> None:
    """A run that was begun before."""
    from training import run_folder

    started = run_folder.read(run)
    sources = {name: Path(source["path"]) for name, source in started.sources.items()}
    if how.data is None and started.data:
        how = replace(how, data=Path(started.data))
    _work(how, run, started.config, sources, [], started)


def _work(
    how: How,
    run: Path,
    config: TrainConfig,
    sources: dict[str, Path],
    init_from: list[Path],
    started: Started | None,
) -> None:
    """Pack, build, train; `started` is what a run that goes on was begun with."""
    import json

    from training import run_folder, runtime
    from training.journal import Journal
    from training.plan import prepare
    from training.progress import Progress

    first = runtime.rank() == 0
    skipped: list[str] = []

    def on_skip(fault: str) -> None:
        skipped.append(fault)
        if first:
            print(f"left out: {fault}", file=sys.stderr)

    cache = how.cache or (Path(started.about["cache"]) if started else run.parent / PACKED)
    plan = prepare(config, sources, cache, data=how.data, quiet=how.quiet or not first, on_skip=on_skip)
    if started:
        run_folder.check_plan(started, plan)
    if how.dry_run:
        if first:
            print(json.dumps(config.to_dict(), indent=1))
            print(plan.described(), file=sys.stderr)
        return
    chosen = runtime.start(how.device)
    from training import trainer

    work = _ready(plan, run, init_from, started)
    if not started and first:
        about = {
            "device": chosen.name,
            "reason": chosen.reason,
            "perceptual": work.perceptual,
            "versions": runtime.versions(),
        }
        about |= {"cache": str(cache.resolve()), "init_from": [str(path) for path in init_from]}
        run_folder.write(run, run_folder.started(plan, work.config, sources, how.data, about))
        if init_from:  # a run that is killed early must not go on from other weights
            work.save()
    if first and not how.quiet:
        print(plan.described(), file=sys.stderr)
        print(f"run     {run}" + (f", from step {work.state.step}" if started else ""), file=sys.stderr)
    with trainer.signals_stop() as stop:
        journal = Journal(run, resume_step=work.state.step if started else None) if first else None
        try:
            for fault in skipped if journal and not started else []:
                journal.note("skipped", fault)
            with Progress(plan.total, work.state.step, quiet=how.quiet or not first) as progress:
                ended = trainer.train(work, journal, progress, stop, how.minutes)
        finally:
            if journal:
                journal.close()
    if first and not how.quiet:
        _say_end(run, ended, work.state.step, plan.total)


def _ready(plan: Plan, run: Path, init_from: list[Path], started: Started | None) -> Run:
    """The networks: fresh, from given weights, or from the run's last checkpoint."""
    from training import checkpoint
    from training.run import Run

    work = Run(plan, run)
    last = checkpoint.latest(run) if started else None
    if last:
        work.restore(checkpoint.read(last))
    for path in init_from:
        work.start_from(path)
    return work


def _say_end(run: Path, ended: str, step: int, total: int) -> None:
    if ended == "done":
        print(f"{run}: {step} steps done; pictures in {run / 'samples'}", file=sys.stderr)
        print(f"draw with it: generate --checkpoint {run} --labels DIR --out DIR", file=sys.stderr)
    elif ended == "interrupted":
        print(
            f"{run}: stopped in the middle of step {step + 1}; go on from the last checkpoint: train --resume {run}",
            file=sys.stderr,
        )
    else:
        print(f"{run}: stopped and saved at step {step} of {total}; go on with: train --resume {run}", file=sys.stderr)


def _sized(phases, config, asked: bool):
    """A curriculum's phases, at the preset's size where a smaller preset was chosen on purpose."""
    small = config.phases[0].size
    if asked or small[0] * small[1] >= phases[0].size[0] * phases[0].size[1]:
        return phases
    return tuple(replace(phase, size=small, load_size=(0, 0)) for phase in phases)


def _need_sources(config, sources: dict[str, Path]) -> None:
    for phase in config.phases:
        if phase.manifest in ("total", "selection1", "selection2") and phase.manifest not in sources:
            _stop(f'phase "{phase.name}" trains on {phase.manifest}; give --{phase.manifest} FILE.csv', 2)
        if not phase.manifest and "" not in sources:
            _stop(f'phase "{phase.name}" names no manifest; give --manifest FILE.csv', 2)


def _generate(
    checkpoint: Annotated[
        Path,
        _Option(
            help="A run, one of its checkpoints, or *_net_G.pth of TSIT or SPADE, or a .pkl of jittor_TSIT.",
            show_default=False,
        ),
    ],
    labels: Annotated[Path, _Option(help="Folder of label maps, or one file.", show_default=False)],
    out: Annotated[Path, _Option(help="Folder for the pictures, STEM.png each.", show_default=False)],
    style: Annotated[Path | None, _Option(help="A photo whose style the pictures take.", show_default=False)] = None,
    seed: Annotated[int, _Option(help="Of the random style.", min=0)] = 0,
    n: Annotated[
        int, _Option("--n", help="Pictures of each label map, in different styles: STEM_1.png ...", min=1)
    ] = 1,
    grid: Annotated[
        Path | None,
        _Option(help="Also a PNG with the first label maps and their pictures side by side.", show_default=False),
    ] = None,
    size: Annotated[str, _Option(help="WIDTHxHEIGHT, for weights of other programs.", show_default=False)] = "",
    label_space: Annotated[
        str, _Option(help="For weights of other programs: how to read the label maps.", show_default=False)
    ] = "",
    upsampling: Annotated[
        str, _Option(help="For SPADE weights without VAE: normal or more, which they do not tell.", show_default=False)
    ] = "",
    device: Annotated[str, _Option(help="auto, cpu or cuda.")] = "auto",
    quiet: Annotated[bool, _Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Draw photos for label maps with a trained generator.

    The style is random (--seed) or that of a photo (--style); it never comes from the photo that belongs to the label map.
    """
    with _told():
        from training.generation import generate

        failed = generate(checkpoint, labels, out, style, seed, n, grid, size, label_space, upsampling, device, quiet)
        if failed:
            _stop(f"{failed} label map{'s' if failed > 1 else ''} could not be drawn; see above", 1)


class _told:
    """Errors that say what to do, as one line and status 1; everything else keeps its traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> bool:
        from training import runtime

        if error is None or isinstance(error, typer.Exit):
            return False
        if isinstance(error, KeyboardInterrupt):
            _stop("interrupted", 130)
        if isinstance(error, runtime.RuntimeProblem) or type(error).__module__.split(".")[0] in (
            "training",
            "curation",
        ):
            _stop(str(error), 1)
        return False


def _stop(message: str, status: int) -> NoReturn:
    typer.echo(f"{Path(sys.argv[0]).name}: {message}", err=True)
    raise typer.Exit(status)


def train() -> None:
    """The command `train`."""
    from training import runtime

    runtime.own_stdout()
    typer.run(_train)


def generate() -> None:
    """The command `generate`."""
    from training import runtime

    runtime.own_stdout()
    typer.run(_generate)
