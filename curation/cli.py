"""The command line: `curate`. Every command runs the steps before it that are missing, and says what it did."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import curation

app = typer.Typer(
    name="curate",
    help=(
        "Clean a set of photo + label-map pairs, with a reason for every rejected pair.\n\n"
        "The whole job in a fresh directory:  curate build-selection --level 2 --data DATA\n\n"
        "Then: curate report, curate explain PAIR_ID. Your files are never moved, changed or deleted."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="The data set: a folder, or a CSV with the columns image,label. Remembered in WORK.",
        show_default=False,
    ),
]
Work = Annotated[Path, typer.Option("--work", help="Where measures are kept between runs.")]
Out = Annotated[Path, typer.Option("--out", help="Where manifests go.")]
TableOut = Annotated[
    Path | None, typer.Option("--out", help="Write the table as CSV into this folder, too.", show_default=False)
]
Space = Annotated[
    str | None,
    typer.Option(
        "--label-space",
        help="landscape29, ade20k150, cocostuff, cityscapes19, camvid, stanford8, or a TOML/JSON file. "
        "Default: classes.json beside the data, else what the layout implies.",
        show_default=False,
    ),
]
Images = Annotated[
    str | None, typer.Option("--images", help="Glob of the photos below DATA, e.g. 'a/*.jpg'.", show_default=False)
]
Labels = Annotated[
    str | None, typer.Option("--labels", help="Glob of the label maps, e.g. 'b/*_mask.png'.", show_default=False)
]
Root = Annotated[
    Path | None,
    typer.Option("--root", help="For a CSV: the folder its paths are relative to and stay in.", show_default=False),
]
Workers = Annotated[int, typer.Option("--workers", help="Processes; 0 = one for each processor.", min=0)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
NoLabelError = Annotated[
    bool, typer.Option("--no-label-error", help="Leave out label_error, the one score that is learned.")
]
Tau = Annotated[
    float | None,
    typer.Option(
        "--similarity",
        help="Least similarity of two label maps of one equivalence class. Default: 0.92, or what WORK was made with.",
        min=0.5,
        max=1.0,
        show_default=False,
    ),
]
Mirror = Annotated[
    bool | None,
    typer.Option(
        "--mirror/--no-mirror",
        help="Whether a mirrored label map is the same input. Default: yes, or what WORK was made with.",
        show_default=False,
    ),
]
Level = Annotated[int, typer.Option("--level", help="0 = Total, 1 = Selection I, 2 = Selection II.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A threshold, e.g. backlight=0.6, blur=0.5 (switches it on), coupling=off.", show_default=False
    ),
]
Thresholds = Annotated[
    Path | None, typer.Option("--thresholds", help="A TOML file with a table [thresholds].", show_default=False)
]
KeepPerClass = Annotated[
    int, typer.Option("--keep-per-class", "-k", help="Pairs kept of each equivalence class.", min=1)
]
Keeper = Annotated[str, typer.Option("--keeper", help="Which copy of a photo stays: words in order of weight.")]
TargetSize = Annotated[
    int | None,
    typer.Option("--target-size", help="Keep the best N pairs, whatever the thresholds.", show_default=False),
]

WORK, OUT, KEEPER = Path(".curate"), Path("data_manifests"), "clean,largest,sharpest,first"


@app.callback(invoke_without_command=True)
def about(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(curation.__version__)
        raise typer.Exit


@app.command()
def index(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]", help="The data set: a folder, or a CSV with the columns image,label.", show_default=False
        ),
    ] = None,
    data: Data = None,
    work: Work = WORK,
    out: TableOut = None,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    quiet: Quiet = False,
) -> None:
    """Find the pairs -> WORK/pairs.parquet.

    Understood by themselves: images/ + labels/ (also imgs, photos; masks, annotations; nested alike), the contest's imgs/ +
    labels/, ADE20K's images/training + annotations/training, Cityscapes' _leftImg8bit / _gtFine_labelIds, CamVid's train/ +
    trainannot/, COCO-Stuff's stuffthingmaps, x.jpg + x_mask.png, x.jpg + x.png. Anything else: two globs, or a CSV.
    """
    with _started(source or data, work, label_space, images, labels, root, 1, quiet) as (_, workspace):
        _done(quiet, workspace.pairs, *_as_csv(out, workspace.pairs))


@app.command()
def score(
    csv_file: Annotated[
        Path | None, typer.Argument(metavar="[CSV_FILE]", help="Where --csv writes.", show_default=False)
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write the table as CSV, too: to CSV_FILE, OUT or WORK/scores.csv.")
    ] = False,
    data: Data = None,
    work: Work = WORK,
    out: TableOut = None,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    no_label_error: NoLabelError = False,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Measure each pair once -> WORK/scores.parquet. Also on a folder of photos without label maps.

    One row per pair, one column per score in 0-1 (0 = fine, 1 = surely defective), and `error`: why a pair could not be measured.
    """
    from curation import stages
    from curation.summary import print_scores
    from curation.workspace import write_csv

    if csv_file and not csv:
        raise typer.BadParameter(
            f"What is {csv_file} for? Name the data set with --data, or write the table there with --csv."
        )
    with _started(data, work, label_space, images, labels, root, workers, quiet) as (run, workspace):
        table = stages.score(run, workspace, not no_label_error)
        if not quiet:
            print_scores(table)
        written = _as_csv(out, workspace.scores)
        if csv and (csv_file or not written):
            written = [csv_file or workspace.scores.with_suffix(".csv")]
            write_csv(written[0], table)
        _done(quiet, workspace.scores, *written)


@app.command()
def group(
    data: Data = None,
    work: Work = WORK,
    out: TableOut = None,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    similarity: Tau = None,
    mirror: Mirror = None,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Find equivalence classes of label maps and copies of photos -> WORK/groups.parquet, WORK/duplicates.parquet."""
    from curation import stages

    with _started(data, work, label_space, images, labels, root, workers, quiet) as (run, workspace):
        stages.score(run, workspace)
        duplicates, groups = stages.group(run, workspace, similarity, mirror)
        if not quiet:
            sizes = groups["equivalence_class"].value_counts()
            typer.echo(
                f"{len(groups):,} label maps in {len(sizes):,} equivalence classes, the largest with {sizes.max() if len(sizes) else 0:,}; "
                f"{len(duplicates):,} pairs of the same photo"
            )
        _done(quiet, workspace.groups, *_as_csv(out, workspace.groups, workspace.duplicates))


@app.command("build-selection")
def build_selection(
    level: Level = 2,
    data: Data = None,
    work: Work = WORK,
    out: Out = OUT,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    set_: Set = None,
    thresholds: Thresholds = None,
    keep_per_class: KeepPerClass = 3,
    keeper: Keeper = KEEPER,
    target_size: TargetSize = None,
    similarity: Tau = None,
    mirror: Mirror = None,
    no_label_error: NoLabelError = False,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Rules -> a manifest of kept pairs, one of rejected pairs with reasons, and the recipe. Runs what is missing before it.

    Level 0 (Total) drops only what cannot be read. Level 1 (Selection I) also copies of a photo, label errors, coupled labels. Level 2
    (Selection II) also strong backlight, monochrome photos, and all but k of each class of near-identical label maps.
    """
    from curation import stages
    from curation.summary import print_selection

    settings = _settings(level, set_, thresholds, keep_per_class, keeper, target_size)
    with _started(data, work, label_space, images, labels, root, workers, quiet) as (run, workspace):
        manifest, selection = stages.build_selection(
            run, workspace, out, settings, similarity, mirror, not no_label_error
        )
        if not quiet:
            print_selection(selection)
        _done(quiet, manifest)


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", help="Where the page goes: a file, or a folder.")] = Path("report.html"),
    level: Level = 2,
    data: Data = None,
    work: Work = WORK,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    set_: Set = None,
    thresholds: Thresholds = None,
    keep_per_class: KeepPerClass = 3,
    keeper: Keeper = KEEPER,
    target_size: TargetSize = None,
    similarity: Tau = None,
    mirror: Mirror = None,
    no_label_error: NoLabelError = False,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Everything about a selection on one page -> report.html. One file that loads nothing; also for photos alone.

    How many pairs each reason drops and the worst of them, with what is wrong marked on the photo; those it nearly
    drops; a histogram per score with its threshold, also of scores that are not applied; class shares before and
    after; every error. To try another threshold, run it again with --set blur=0.5: nothing is measured twice.
    """
    from curation import stages
    from curation.report import write_report

    settings = _settings(level, set_, thresholds, keep_per_class, keeper, target_size)
    options = ["--similarity", f"{similarity:g}"] if similarity is not None else []
    options += ["--no-mirror"] * (mirror is False) + ["--no-label-error"] * no_label_error
    out = out if out.suffix.lower() in (".html", ".htm") else out / "report.html"
    with _started(data, work, label_space, images, labels, root, workers, quiet) as (run, workspace):
        scores = stages.score(run, workspace, not no_label_error)
        duplicates, groups = stages.group(run, workspace, similarity, mirror)
        _done(quiet, write_report(out, workspace, scores, duplicates, groups, settings, options))


@app.command()
def explain(
    pair_id: Annotated[
        str,
        typer.Argument(metavar="PAIR_ID", help="The pair: its id, or the path of its photo or label map below DATA."),
    ],
    open_: Annotated[bool, typer.Option("--open", help="Open the picture with the system's viewer.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the picture. Default: WORK/evidence.", show_default=False),
    ] = None,
    level: Level = 2,
    data: Data = None,
    work: Work = WORK,
    label_space: Space = None,
    images: Images = None,
    labels: Labels = None,
    root: Root = None,
    set_: Set = None,
    thresholds: Thresholds = None,
    keep_per_class: KeepPerClass = 3,
    keeper: Keeper = KEEPER,
    target_size: TargetSize = None,
    similarity: Tau = None,
    mirror: Mirror = None,
    no_label_error: NoLabelError = False,
    workers: Workers = 0,
) -> None:
    """Why is this pair kept or dropped? Scores beside their thresholds, every reason, copies -> WORK/evidence/PAIR_ID.png.

    The picture shows each reason on the photo itself: where the label map is wrong and what that place looks like,
    which classes interleave, the dark mass and the bright ground, the copy that stays. Give the same options that the
    selection was built with.
    """
    from curation import explanation, stages

    settings = _settings(level, set_, thresholds, keep_per_class, keeper, target_size)
    with _started(data, work, label_space, images, labels, root, workers, False) as (run, workspace):
        scores = stages.score(run, workspace, not no_label_error)
        duplicates, groups = stages.group(run, workspace, similarity, mirror)
        explained = explanation.explain(workspace, pair_id, scores, duplicates, groups, settings)
        shown = explanation.pictures(workspace, explained)
        explanation.print_explanation(explained, shown)
        picture = explanation.write_picture(out or workspace.evidence, explained, shown)
        if picture:
            _done(False, picture)
            if open_ and not explanation.open_picture(picture):
                typer.echo("curate: no viewer found; the picture is in the file above", err=True)


@app.command()
def verify(
    manifest: Annotated[Path, typer.Argument(help="A manifest, e.g. data_manifests/selection2.csv.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The data set, if the manifest lies elsewhere now.", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Hash every file of a manifest again and report what changed. Exit status 1 when something did."""
    from curation.engine.local import progress
    from curation.manifest import read_manifest
    from curation.manifest import verify as verified

    with _explained():
        read = read_manifest(manifest)
        changed = 0
        with progress("verify", len(read.pairs), quiet) as advance:
            for pair_id, wrong in verified(read, data):
                advance(1)
                if wrong:
                    changed += 1
                    typer.echo(f"{pair_id}: {wrong}")
        if not quiet:
            typer.echo(f"{len(read.pairs) - changed:,} of {len(read.pairs):,} pairs are unchanged")
        if changed:
            raise typer.Exit(1)


@app.command()
def demo(
    data: Annotated[Path, typer.Option("--data", help="Where the demo data set is written.")] = Path("demo/landscapes"),
    work: Work = Path("demo/work"),
    out: Out = OUT,
    n: Annotated[int, typer.Option("--n", help="Pairs.", min=1)] = 240,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other landscapes.", min=0)] = 1,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """All of it on an embedded data set with known defects: render, measure, group, select, report.

    Ends with what was found of the defects that were planted, and the HTML report.
    """
    import pandas as pd

    from curation import stages
    from curation.demo.dataset import write_demo
    from curation.demo.scorecard import scorecard
    from curation.engine.local import progress
    from curation.report import write_report
    from curation.rules import Settings
    from curation.summary import print_scorecard, print_selection

    with _explained(), progress("draw", n, quiet) as advance:
        write_demo(data, n, seed, lambda done, total: advance(1))
    with _started(data, work, None, None, None, None, workers, quiet) as (run, workspace):
        for level in (0, 1, 2):
            manifest, selection = stages.build_selection(run, workspace, out, Settings(level))
            if not quiet:
                print_selection(selection)
        truth = pd.read_csv(data / "truth.csv", dtype=str, keep_default_na=False)
        tables = stages.score(run, workspace), *stages.group(run, workspace)
        card = scorecard(truth, *tables)
        report = write_report(work / "report.html", workspace, *tables, Settings(2))
        if not quiet:
            print_scorecard(card)
        _done(quiet, manifest, report)


def _settings(level, set_, thresholds, keep_per_class, keeper, target_size):
    from curation.rules import Settings
    from curation.thresholds import parse_assignments, read_thresholds

    with _explained():
        chosen = read_thresholds(thresholds) if thresholds else {}
        chosen |= parse_assignments(set_ or [])
        words = tuple(word.strip() for word in keeper.split(",") if word.strip())
        return Settings(level, chosen, keep_per_class, words, target_size)


@contextmanager
def _started(data, work, label_space, images, labels, root, workers, quiet) -> Iterator:
    """Index the data set and hold the work directory; yields the Run and the Workspace."""
    from curation import stages
    from curation.workspace import one_at_a_time

    with _explained():
        run = stages.Run(quiet=quiet, say=(lambda line: None) if quiet else lambda line: typer.echo(line, err=True))
        run.workers = workers or run.workers
        with one_at_a_time(work):
            yield run, stages.index(run, work, data, label_space, images, labels, root)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and exit status 2."""
    from curation.engine.local import WorkersDied
    from curation.label_space import LabelSpaceError
    from curation.manifest import ManifestError
    from curation.pairs import NoPairsError
    from curation.rules import RuleError
    from curation.workspace import WorkspaceError

    try:
        yield
    except (NoPairsError, WorkspaceError, LabelSpaceError, RuleError, ManifestError, WorkersDied) as error:
        _stop(str(error), 2)
    except KeyboardInterrupt:
        _stop("Stopped. What was measured is kept; the same command goes on from there.", 130)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _stop(
                "The disk is full. Free some space, or use --work and --out on another disk; the same command goes on from here.",
                2,
            )
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            _stop(
                f"{error.filename} may not be written: {error.strerror}. Use --work and --out where you may write.", 2
            )
        raise


def _stop(message: str, status: int) -> None:
    typer.echo(f"curate: {message}", err=True)
    raise typer.Exit(status)


def _done(quiet: bool, *paths: Path) -> None:
    if not quiet:
        for path in paths:
            typer.echo(str(path))


def _as_csv(out: Path | None, *tables: Path) -> list[Path]:
    """The tables of WORK as CSV files in `out`, without the columns that hold bytes; none when there is no `out`."""
    if out is None:
        return []
    from curation.workspace import read_table, write_csv

    written = [out / f"{table.stem}.csv" for table in tables]
    for path, table in zip(written, tables, strict=True):
        write_csv(path, read_table(table))
    return written


def main() -> None:
    app()


if __name__ == "__main__":
    sys.exit(main())
