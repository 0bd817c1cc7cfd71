"""The command line: `curate`. Every command runs the steps before it that are missing, and says what it did."""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import curation
from curation.options import (
    ClassOptions,
    DataOptions,
    DecisionOptions,
    JudgeOptions,
    SelectionOptions,
    place_argument,
    place_option,
    takes,
)
from curation.place import Place, PlaceError, may_write

if TYPE_CHECKING:
    import pandas as pd

    from curation.rules import Settings
    from curation.stages import Run
    from curation.verdicts import Verdict
    from curation.workspace import Workspace

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

TableOut = Annotated[
    Path | None, place_option("--out", help="Write the table as CSV into this folder, too.", show_default=False)
]
Manifests = Annotated[Path, place_option("--out", help="Where manifests go.")]
MANIFESTS = Path("data_manifests")


@app.callback(invoke_without_command=True)
def about(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(curation.__version__)
        raise typer.Exit


@app.command()
@takes(data=DataOptions)
def index(
    data: DataOptions,
    source: Annotated[
        Path | None,
        place_argument(
            metavar="[DATA]",
            help="The data set: a folder, or a CSV or Parquet table with the columns image,label.",
            show_default=False,
        ),
    ] = None,
    out: TableOut = None,
) -> None:
    """Find the pairs -> WORK/pairs.parquet.

    Understood by themselves: images/ + labels/ (also imgs, photos; masks, annotations; nested alike), the contest's imgs/ +
    labels/, ADE20K's images/training + annotations/training, Cityscapes' _leftImg8bit / _gtFine_labelIds, CamVid's train/ +
    trainannot/, COCO-Stuff's stuffthingmaps, x.jpg + x_mask.png, x.jpg + x.png. Anything else: two globs, or a CSV.
    """
    with _started(replace(data, data=source or data.data)) as (_, workspace):
        _done(data.quiet, workspace.pairs, *_as_csv(out, workspace.pairs))


@app.command()
@takes(data=DataOptions, judge=JudgeOptions)
def score(
    data: DataOptions,
    judge: JudgeOptions,
    csv_file: Annotated[
        Path | None, place_argument(metavar="[CSV_FILE]", help="Where --csv writes.", show_default=False)
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write the table as CSV, too: to CSV_FILE, OUT or WORK/scores.csv.")
    ] = False,
    out: TableOut = None,
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
    with _started(data) as (run, workspace):
        table = stages.score(run, workspace, judge.chosen)
        if not data.quiet:
            print_scores(table)
        written = _as_csv(out, workspace.scores)
        if csv and (csv_file or not written):
            written = [csv_file or workspace.scores.with_suffix(".csv")]
            write_csv(written[0], table)
        _done(data.quiet, workspace.scores, *written)


@app.command()
@takes(data=DataOptions, classes=ClassOptions)
def group(data: DataOptions, classes: ClassOptions, out: TableOut = None) -> None:
    """Find equivalence classes of label maps and copies of photos -> WORK/groups.parquet, WORK/duplicates.parquet."""
    from curation import stages

    with _started(data) as (run, workspace):
        stages.measure(run, workspace)
        duplicates, groups = stages.group(run, workspace, classes.similarity, classes.mirror, classes.near)
        if not data.quiet:
            sizes = groups["equivalence_class"].value_counts()
            largest = sizes.max() if len(sizes) else 0
            typer.echo(
                f"{len(groups):,} label maps in {len(sizes):,} equivalence classes, the largest with {largest:,}; "
                f"{len(duplicates):,} pairs of the same photo"
            )
        _done(data.quiet, workspace.groups, *_as_csv(out, workspace.groups, workspace.duplicates))


@app.command("build-selection")
@takes(
    selection=SelectionOptions, data=DataOptions, classes=ClassOptions, judge=JudgeOptions, decisions=DecisionOptions
)
def build_selection(
    selection: SelectionOptions,
    data: DataOptions,
    classes: ClassOptions,
    judge: JudgeOptions,
    decisions: DecisionOptions,
    out: Manifests = MANIFESTS,
    parquet: Annotated[
        bool,
        typer.Option(
            "--parquet",
            help="Also write the manifest and the rejected pairs as folders of Parquet files, for programs that read many at once.",
        ),
    ] = False,
) -> None:
    """Rules -> a manifest of kept pairs, one of rejected pairs with reasons, and the recipe.

    Runs what is missing before it.

    Level 0, Total: all that can be read.

    Level 1, Selection I: without copies of a photo, label errors, coupled labels.

    Level 2, Selection II: also without strong backlight and monochrome photos, and at most k of each class of
    near-identical label maps.

    What people decided about a pair wins over every rule; the column `by` says so.
    """
    from curation import stages
    from curation.reviews import unknown_pairs
    from curation.rules import RULES
    from curation.summary import print_selection

    settings = _settings(selection)
    for reason in settings.thresholds.keys() - settings.active().keys():
        if settings.thresholds[reason] is not None:
            level = next(rule.level for rule in RULES if rule.reason == reason) or 1
            typer.echo(f"{reason} rejects from level {level} on; this is level {selection.level}", err=True)
    _may_write(out)
    with _started(data) as (run, workspace):
        decided = _decided(workspace, decisions)
        manifest, selected = stages.build_selection(
            run,
            workspace,
            out,
            settings,
            classes.similarity,
            classes.mirror,
            judge.chosen,
            classes.near,
            parquet,
            decided,
        )
        if len(decided) > len(selected.decided):
            unknown = sorted(decided.keys() - selected.decided.keys())
            typer.echo(f"curate: {unknown_pairs(unknown)}", err=True)
        if not data.quiet:
            print_selection(selected)
        if not selected.kept:
            typer.echo("No pair is kept. See the reasons above; `curate report` shows every error.", err=True)
        _done(data.quiet, manifest)


@app.command()
@takes(
    selection=SelectionOptions, data=DataOptions, classes=ClassOptions, judge=JudgeOptions, decisions=DecisionOptions
)
def report(
    selection: SelectionOptions,
    data: DataOptions,
    classes: ClassOptions,
    judge: JudgeOptions,
    decisions: DecisionOptions,
    out: Annotated[Path, place_option("--out", help="Where the page goes: a file, or a folder.")] = Path("report.html"),
) -> None:
    """Everything about a selection on one page -> report.html. One file that loads nothing; also for photos alone.

    How many pairs each reason drops and the worst of them, with what is wrong marked on the photo; those it nearly
    drops; a histogram per score with its threshold, also of scores that are not applied; class shares before and
    after; every error. To try another threshold, run it again with --set blur=0.5: nothing is measured twice.
    """
    from curation import stages
    from curation.equivalence import TAU
    from curation.label_error.features import choose
    from curation.report import write_report
    from curation.workspace import facts_of

    settings = _settings(selection)
    out = out if out.suffix.lower() in (".html", ".htm") else out / "report.html"
    with _started(data) as (run, workspace):
        decided = _decided(workspace, decisions)
        scores = stages.score(run, workspace, judge.chosen)
        duplicates, groups = stages.group(run, workspace, classes.similarity, classes.mirror, classes.near)
        made = facts_of(workspace.scores) | facts_of(workspace.groups)
        options = ["--similarity", f"{made['similarity']:g}"] if made["similarity"] != TAU else []
        options += ["--no-mirror"] * (not made["mirror"])
        options += [word for text in made["near"] for word in ("--near", text)]
        options += ["--judge", made["judge"]] if made["judge"] != choose("auto") else []
        options += _naming(decisions)
        _done(data.quiet, write_report(out, workspace, scores, duplicates, groups, settings, options, decided))


@app.command()
@takes(
    selection=SelectionOptions, data=DataOptions, classes=ClassOptions, judge=JudgeOptions, decisions=DecisionOptions
)
def explain(
    selection: SelectionOptions,
    data: DataOptions,
    classes: ClassOptions,
    judge: JudgeOptions,
    decisions: DecisionOptions,
    pair_id: Annotated[
        str,
        typer.Argument(metavar="PAIR_ID", help="The pair: its id, or the path of its photo or label map below DATA."),
    ],
    open_: Annotated[bool, typer.Option("--open", help="Open the picture with the system's viewer.")] = False,
    out: Annotated[
        Path | None,
        place_option("--out", help="Folder for the picture. Default: WORK/evidence.", show_default=False),
    ] = None,
) -> None:
    """Why is this pair kept or dropped? Scores beside their thresholds, every reason, copies -> WORK/evidence/PAIR_ID.png.

    The picture shows each reason on the photo itself: where the label map is wrong and what that place looks like,
    which classes interleave, the dark mass and the bright ground, the copy that stays. Give the same options that the
    selection was built with.
    """
    from curation import explanation, stages

    settings = _settings(selection)
    with _started(data) as (run, workspace):
        decided = _decided(workspace, decisions)
        scores = stages.score(run, workspace, judge.chosen)
        duplicates, groups = stages.group(run, workspace, classes.similarity, classes.mirror, classes.near)
        explained = explanation.explain(workspace, pair_id, scores, duplicates, groups, settings, decided)
        shown = explanation.pictures(workspace, explained)
        if not data.quiet:
            explanation.print_explanation(explained, shown)
        picture = explanation.write_picture(out or workspace.evidence, explained, shown)
        if picture:
            _done(False, picture)
            if open_ and not explanation.open_picture(picture):
                typer.echo("curate: no viewer found; the picture is in the file above", err=True)


@app.command()
@takes(data=DataOptions, judge=JudgeOptions, decisions=DecisionOptions)
def sample(
    data: DataOptions,
    judge: JudgeOptions,
    decisions: DecisionOptions,
    reason: Annotated[str, typer.Option("--reason", help="What to judge, e.g. backlight.", show_default=False)],
    n: Annotated[int, typer.Option("--n", help="Pairs to pick.", min=1)] = 40,
    reviews: Annotated[
        list[Path] | None,
        place_option("--reviews", help="Reviews so far; their pairs are not picked again.", show_default=False),
    ] = None,
    thresholds: Annotated[
        Path | None,
        place_option(help="The TOML file with the threshold in force, if not the default.", show_default=False),
    ] = None,
    out: Annotated[Path, place_option("--out", help="The table to fill in.")] = Path("sample.csv"),
) -> None:
    """Pick the pairs to review for one reason, so that 40 clicks find its threshold -> sample.csv.

    Around the threshold, and fewer the farther from it; none for which that is decided already, in WORK or --reviews. Write into the column verdict: drop where the reason is right
    and the pair should go, keep where not, nothing where you cannot say. Then: curate calibrate sample.csv
    """
    import pandas as pd

    from curation import review_sample, stages
    from curation.reviews import check_reason, of_known_pairs, read_reviews, reviews_of, unknown_pairs
    from curation.verdicts import read_decisions
    from curation.workspace import write_csv

    with _explained():
        check_reason(reason)
        usual = _in_force(None, reason)
        threshold = _in_force(thresholds, reason)
        threshold = usual if threshold is None else threshold
        if out.is_file() and len(read_reviews([out])):
            _stop(f"{out} holds verdicts. Keep them: add --reviews {out} and name another file with --out.", 2)
        done = read_reviews(reviews or [])
    with _started(data) as (run, workspace):
        scores = stages.score(run, workspace, judge.chosen)
        values = _scores_of(scores, reason)
        done, unknown = of_known_pairs(done, scores["pair_id"])
        if unknown:
            typer.echo(f"curate: {unknown_pairs(unknown)}", err=True)
        stored = reviews_of(read_decisions(workspace, decisions.database, decisions.data_set))
        seen = pd.concat([some.loc[some["reason"] == reason, "pair_id"] for some in (done, stored)])
        table = review_sample.sample(values, reason, threshold, n, seen)
        write_csv(out, table)
        if not data.quiet:
            work = _where(data)
            names = [str(out), *map(str, reviews or [])]
            over = int((table["score"] >= threshold).sum())
            typer.echo(
                f"{len(table):,} of {len(values):,} pairs, {over:,} of them at or above the {reason} threshold {threshold:g}. "
                f"Look at each, and write drop or keep into the column verdict:\n"
                f"  {shlex.join(['curate', 'explain', table['pair_id'][0], '--open', *work])}\n"
                f"then:\n  {shlex.join(['curate', 'calibrate', *names, '--reason', reason, *work])}"
            )
        _done(data.quiet, out)


@app.command()
@takes(data=DataOptions, judge=JudgeOptions, decisions=DecisionOptions)
def calibrate(
    data: DataOptions,
    judge: JudgeOptions,
    decisions: DecisionOptions,
    reviews: Annotated[
        list[Path] | None,
        place_argument(
            metavar="REVIEWS",
            help="CSV files with pair_id,reason,verdict. Default: what was decided in the review app.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        float, typer.Option(help="Share of the rejected pairs that you would reject, too.", min=0.05, max=1)
    ] = 0.9,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only this one. Default: all that are reviewed.", show_default=False)
    ] = None,
    out: Annotated[Path, place_option("--out", help="The thresholds; other lines of the file stay.")] = Path(
        "thresholds.toml"
    ),
) -> None:
    """Find the thresholds that agree with your own judgement -> thresholds.toml, WORK/calibration.csv.

    REVIEWS: tables as `curate sample` writes them, with verdicts drop or keep; more columns are welcome (reviewer, time, note). Without
    any, the decisions that are stored in WORK or --database.
    For each reason the lowest threshold with the wanted precision, estimated for the whole data set; calibration.csv
    gives for each score how probably you would drop the pair. Then: curate build-selection --thresholds thresholds.toml
    """

    import pandas as pd

    from curation import calibration, stages
    from curation.review_sample import sample_line
    from curation.reviews import (
        SCORED,
        ReviewError,
        check_reason,
        of_known_pairs,
        read_reviews,
        reviews_of,
        unknown_pairs,
    )
    from curation.verdicts import read_decisions
    from curation.workspace import write_csv

    reviews = reviews or []

    def wanted_of(said: pd.DataFrame, where: str) -> list[str]:
        wanted = [check_reason(reason)] if reason else [r for r in SCORED if (said["reason"] == r).any()]
        if not wanted:
            without = "no verdict yet" if said.empty else "verdicts only for reasons without a score"
            raise ReviewError(f"{where}: {without}. `curate sample --reason backlight` picks pairs.")
        return wanted

    with _explained():
        said = read_reviews(reviews)  # before anything is measured
        wanted = wanted_of(said, ", ".join(map(str, reviews))) if reviews else []
    _may_write(out.parent)
    with _started(data) as (run, workspace):
        if not reviews:
            said = reviews_of(read_decisions(workspace, decisions.database, decisions.data_set))
            wanted = wanted_of(said, "The stored decisions")
        before = {r: _in_force(out if out.exists() else None, r) for r in wanted}
        scores = stages.score(run, workspace, judge.chosen)
        said, unknown = of_known_pairs(said, scores["pair_id"])
        if unknown:
            typer.echo(f"curate: {unknown_pairs(unknown)}", err=True)
        found, failed = {}, []
        elsewhere = None if data.work == DataOptions.work else data.work
        for r in wanted:

            def more(n: int, reason: str = r) -> str:
                return f"`{sample_line(reason, reviews, elsewhere, n)}` picks them."

            try:
                found[r] = calibration.calibrate(
                    r, _scores_of(scores, r), said[said["reason"] == r], before[r], precision, more
                )
            except ReviewError as error:
                failed.append(str(error))
        if not found:
            raise ReviewError("\n".join(failed))
        calibration.update_thresholds(out, found)
        steps = workspace.folder / "calibration.csv"
        write_csv(steps, pd.concat([c.steps for c in found.values()]))
        if not data.quiet:
            calibration.print_calibrations(list(found.values()), precision)
            work = _where(data)
            typer.echo(f"then:\n  {shlex.join(['curate', 'build-selection', '--thresholds', str(out), *work])}")
        for line in failed:
            typer.echo(f"curate: {line}", err=True)
        _done(data.quiet, steps, out)


@app.command()
@takes(decisions=DecisionOptions)
def review(
    decisions: DecisionOptions,
    work: Annotated[
        Path | None,
        place_option(
            "--work",
            help="The work directory to review. Default: .curate where there is one, else a demo data set.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Where the app listens.", min=1, max=65535)] = 8501,
    host: Annotated[
        str, typer.Option(help="The address it listens on. It asks for no password; 0.0.0.0 lets everybody in.")
    ] = "127.0.0.1",
    out: Annotated[
        Path | None,
        place_option("--out", help="Where manifests go that are built in the app.", show_default=False),
    ] = None,
) -> None:
    """Decide about rejected pairs in a browser: prints the app's address, and runs until Ctrl-C.

    What you decide is kept in WORK, or in --database, and build-selection follows it. Needs pair-curation\\[app].
    """
    from curation.review_server import ServerError, serve

    usual = DataOptions.work if (DataOptions.work / "work.json").exists() else None
    with _explained():
        if work is not None:
            _existing(work)
        try:
            status = serve(
                work or usual, out, decisions.database, decisions.data_set, host, port, lambda line: _done(False, line)
            )
        except ServerError as error:
            _stop(str(error), 2)
    raise typer.Exit(status)


@app.command()
def verify(
    manifest: Annotated[
        Path, place_argument(metavar="MANIFEST", help="A manifest, e.g. data_manifests/selection2.csv.")
    ],
    data: Annotated[
        Path | None,
        place_option("--data", help="The data set, if the manifest lies elsewhere now.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what changed.")] = False,
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
    work: Annotated[Path, typer.Option("--work", help="Where measures are kept.")] = Path("demo/work"),
    out: Manifests = MANIFESTS,
    n: Annotated[int, typer.Option("--n", help="Pairs.", min=1)] = 240,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other landscapes.", min=0)] = 1,
    workers: Annotated[int, typer.Option("--workers", help="Processes; 0 = one for each processor.", min=0)] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
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

    _may_write(out)
    with _explained(), progress("draw", n, quiet) as advance:
        write_demo(data, n, seed, lambda done, total: advance(1))
    with _started(DataOptions(data, work, workers=workers, quiet=quiet)) as (run, workspace):
        decided = _decided(workspace, DecisionOptions())
        for level in (0, 1, 2):
            manifest, selection = stages.build_selection(run, workspace, out, Settings(level), decided=decided)
            if not quiet:
                print_selection(selection)
        truth = pd.read_csv(data / "truth.csv", dtype=str, keep_default_na=False)
        tables = stages.score(run, workspace), *stages.group(run, workspace)
        card = scorecard(truth, *tables)
        report = write_report(work / "report.html", workspace, *tables, Settings(2), decided=decided)
        if not quiet:
            print_scorecard(card)
        _done(quiet, manifest, report)


decisions_app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(decisions_app, name="decisions", help="Write what people decided as CSV, or read it in.")
Work = Annotated[Path, place_option("--work", help="The work directory of the data set.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


@decisions_app.command("export")
@takes(decisions=DecisionOptions)
def export_decisions(
    decisions: DecisionOptions,
    file: Annotated[Path, place_argument(metavar="FILE", help="The CSV file to write.")],
    work: Work = DataOptions.work,
    quiet: Quiet = False,
) -> None:
    """Write every decision that was not taken back: pair_id,reason,verdict,reviewer,time,note. `curate calibrate` reads it, too."""
    from curation.decision_csv import write_decisions
    from curation.verdicts import read_decisions

    with _explained():
        n = write_decisions(file, read_decisions(_existing(work), decisions.database, decisions.data_set))
        if not quiet:
            typer.echo(f"{n:,} decisions")
        _done(quiet, file)


@decisions_app.command("import")
@takes(decisions=DecisionOptions)
def import_decisions(
    decisions: DecisionOptions,
    file: Annotated[Path, place_argument(metavar="FILE", help="A CSV file with pair_id,reason,verdict.")],
    work: Work = DataOptions.work,
    quiet: Quiet = False,
) -> None:
    """Store the verdicts of a CSV file as decisions; reviewer, time and note are taken over. A row that is stored already is not stored twice."""
    from curation.decision_csv import read_decisions_into
    from curation.decisions import open_decisions
    from curation.reviews import unknown_pairs
    from curation.workspace import read_frame

    with _explained():
        workspace = _existing(work)
        ids = read_frame(workspace.pairs, ["pair_id"])["pair_id"]
        with open_decisions(workspace, decisions.database, decisions.data_set) as stored:
            done = read_decisions_into(stored, file, ids)
        if done.unknown:
            typer.echo(f"curate: {unknown_pairs(done.unknown)}", err=True)
        if not quiet:
            known = f"; {done.known:,} were stored already" if done.known else ""
            typer.echo(f"{done.stored:,} decisions stored{known}")


def _existing(work: Place) -> Workspace:
    """A work directory that was made before, with its pairs. Raises WorkspaceError."""
    from curation.workspace import Workspace, WorkspaceError

    workspace = Workspace.load(work)
    if workspace is None or not workspace.pairs.exists():
        raise WorkspaceError(f"No data set yet in {work}. Make it with `curate index DATA --work {work}`.")
    return workspace


def _decided(workspace: Workspace, options: DecisionOptions) -> dict[str, Verdict]:
    """What people decided, by pair id."""
    from curation.verdicts import current, read_decisions

    return current(read_decisions(workspace, options.database, options.data_set))


def _naming(options: DecisionOptions) -> list[str]:
    """The words that name the same decisions again; no password is among them."""
    words = ["--data-set", options.data_set] if options.data_set else []
    if options.database:
        from curation.database import shown

        words = ["--database", shown(options.database), *words]
    return words


def _settings(selection: SelectionOptions) -> Settings:
    from curation.rules import Settings
    from curation.thresholds import parse_assignments, read_thresholds

    with _explained():
        chosen = read_thresholds(selection.thresholds) if selection.thresholds else {}
        chosen |= parse_assignments(selection.set_ or [])
        keeper = tuple(word.strip() for word in selection.keeper.split(",") if word.strip())
        merges = tuple(
            tuple(name.strip() for name in group.split(",") if name.strip()) for group in selection.merge or ()
        )
        return Settings(
            selection.level,
            chosen,
            selection.keep_per_class,
            keeper,
            selection.target_size,
            merges,
            selection.reweight,
        )


def _where(data: DataOptions) -> list[str]:
    """The words of a command that goes on in this WORK."""
    return [] if data.work == DataOptions.work else ["--work", str(data.work)]


def _in_force(thresholds: Place | None, reason: str) -> float | None:
    """The threshold of a reason: of a file, else the usual one; None where the file switches it off."""
    from curation.rules import RULES, Settings
    from curation.thresholds import read_thresholds

    usual = {rule.reason: rule.threshold for rule in RULES}
    return (usual | dict(Settings(thresholds=read_thresholds(thresholds) if thresholds else {}).thresholds))[reason]


def _scores_of(table: pd.DataFrame, reason: str) -> pd.Series:
    """The score of a reason, by pair id, of the pairs that have one."""
    from curation.reviews import ReviewError

    values = table.set_index("pair_id")[reason].dropna() if reason in table else table[:0]
    if values.empty:
        raise ReviewError(
            f"No pair has a {reason} score. Label maps, or more of them, may lack; `curate score` says why."
        )
    return values


@contextmanager
def _started(options: DataOptions) -> Iterator[tuple[Run, Workspace]]:
    """Index the data set and hold the work directory; yields how to run and where."""
    from curation import stages
    from curation.place import absolute, is_remote
    from curation.workspace import one_at_a_time

    with _explained():
        run = stages.Run(quiet=options.quiet, say=lambda line: options.quiet or typer.echo(line, err=True))
        run.workers = options.workers or run.workers
        o = replace(options, work=absolute(options.work)) if options.clustered else options
        with one_at_a_time(o.work), _cluster(o, run):
            workspace = stages.index(run, o.work, o.data, o.label_space, o.images, o.labels, o.root)
            for folder in (workspace.folder, workspace.data):
                if run.cluster and not is_remote(folder):
                    run.cluster.must_see(folder)
            yield run, workspace


@contextmanager
def _cluster(options: DataOptions, run: Run) -> Iterator[None]:
    """Lend a run the cluster that is asked for, if one is."""
    if not options.clustered:
        yield
        return
    from curation.engine.cluster import connected

    with connected(options.scheduler, run.workers, run.say) as run.cluster:
        yield


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and exit status 2."""
    from curation.engine.errors import EngineError
    from curation.label_space import LabelSpaceError
    from curation.manifest import ManifestError
    from curation.near_classes import NearClassesError
    from curation.pairs import NoPairsError
    from curation.rules import RuleError
    from curation.verdicts import DecisionsError
    from curation.workspace import WorkspaceError

    try:
        yield
    except (
        NoPairsError,
        WorkspaceError,
        LabelSpaceError,
        RuleError,
        DecisionsError,
        ManifestError,
        NearClassesError,
        PlaceError,
        EngineError,
    ) as error:
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
        if isinstance(error, FileExistsError | IsADirectoryError | NotADirectoryError | FileNotFoundError):
            _stop(f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
        raise


def _may_write(folder: Place) -> None:
    """Stop before anything is measured when a folder cannot be written to."""
    if not may_write(folder):
        _stop(f"{folder} is no folder that may be written to. Use --out.", 2)


def _stop(message: str, status: int) -> None:
    typer.echo(f"curate: {message}", err=True)
    raise typer.Exit(status)


def _done(quiet: bool, *paths: Place) -> None:
    if not quiet:
        for path in paths:
            typer.echo(str(path))


def _as_csv(out: Place | None, *tables: Place) -> list[Place]:
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
