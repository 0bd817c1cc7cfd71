"""The options that several commands share, each listed once, in bundles that a command takes whole.

`@takes(data=DataOptions)` turns a command's parameter `data` into the options of that bundle on the command line, and hands them over as
one DataOptions.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from curation.place import Place, PlaceError, place


def _as_place(text: str | Path) -> Place:
    try:
        return place(text)
    except PlaceError as error:  # said in our words: typer would repeat the text, which may hold a password
        raise typer.BadParameter(str(error)) from None


def place_option(*names: str, **about: Any) -> Any:
    """A typer option that takes a path or URL: pathlib would make s3:/ of s3://. Annotated as Path, since typer knows no unions."""
    return typer.Option(*names, parser=_as_place, metavar="PATH", **about)


def place_argument(**about: Any) -> Any:
    """The same for an argument."""
    return typer.Argument(parser=_as_place, **about)


@dataclass(frozen=True)
class DataOptions:
    """Which data set, how to read it, and how to run. None = as WORK remembers it, or by itself."""

    data: Annotated[
        Path | None,
        place_option(
            help="The data set: a folder, or a CSV or Parquet table with the columns image,label. Like every PATH also a URL: "
            "s3://bucket/pairs. Remembered in WORK.",
            show_default=False,
        ),
    ] = None
    work: Annotated[Path, place_option(help="Where measures are kept between runs.")] = Path(".curate")
    label_space: Annotated[
        str | None,
        typer.Option(
            help="landscape29, ade20k150, cocostuff, cityscapes19, camvid, stanford8, or a TOML/JSON file. "
            "Default: classes.json beside the data, else what the layout implies.",
            show_default=False,
        ),
    ] = None
    images: Annotated[
        str | None, typer.Option(help="Glob of the photos below DATA, e.g. 'a/*.jpg'.", show_default=False)
    ] = None
    labels: Annotated[
        str | None, typer.Option(help="Glob of the label maps, e.g. 'b/*_mask.png'.", show_default=False)
    ] = None
    root: Annotated[
        Path | None,
        place_option(help="For a table: the folder its paths are relative to and stay in.", show_default=False),
    ] = None
    workers: Annotated[int, typer.Option(help="Processes; 0 = one for each processor.", min=0)] = 0
    engine: Annotated[
        str, typer.Option(help="Where the work is done: local (this machine) or dask (a cluster; see --scheduler).")
    ] = "local"
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler, such as tcp://host:8786; implies --engine dask. Without one, dask starts workers here.",
            show_default=False,
        ),
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False

    @property
    def clustered(self) -> bool:
        """Whether the work is done on a cluster. Raises typer.BadParameter for an engine that does not exist."""
        if self.engine not in ENGINES:
            raise typer.BadParameter(f'No engine "{self.engine}"; known: {", ".join(ENGINES)}.')
        return self.engine == "dask" or self.scheduler is not None


@dataclass(frozen=True)
class ClassOptions:
    """How equivalence classes are made. None = as WORK was made with, at first the defaults of equivalence.py."""

    similarity: Annotated[
        float | None,
        typer.Option(
            help="Least similarity of two label maps of one equivalence class. Default: 0.92, or what WORK was made with.",
            min=0.5,
            max=1.0,
            show_default=False,
        ),
    ] = None
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Whether a mirrored label map is the same input. Default: yes, or what WORK was made with.",
            show_default=False,
        ),
    ] = None
    near: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes that count as partly the same when label maps are compared, and how much: river,lake,water=0.8. For several "
            "groups several times; --near '' forgets them. Default: what WORK was made with.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class SelectionOptions:
    """What decides a selection beyond the tables; see rules.Settings."""

    level: Annotated[int, typer.Option(help="0 = Total, 1 = Selection I, 2 = Selection II.")] = 2
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A threshold, e.g. backlight=0.6, blur=0.5 (switches it on), coupling=off.",
            show_default=False,
        ),
    ] = None
    thresholds: Annotated[
        Path | None, place_option(help="A TOML file with a table \\[thresholds].", show_default=False)
    ] = None
    keep_per_class: Annotated[
        int, typer.Option("--keep-per-class", "-k", help="Pairs kept of each equivalence class.", min=1)
    ] = 3
    reweight: Annotated[
        bool,
        typer.Option(
            "--reweight",
            help="Keep all of a large equivalence class, and let training draw its pairs less often: as often as -k pairs of it.",
        ),
    ] = False
    keeper: Annotated[str, typer.Option(help="Which copy of a photo stays: words in order of weight.")] = (
        "clean,largest,sharpest,first"
    )
    target_size: Annotated[
        int | None, typer.Option(help="Keep the best N pairs, whatever the thresholds.", show_default=False)
    ] = None
    merge: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes that training should take as one, such as river,lake,water; for several groups several times. Kept in the recipe.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class DecisionOptions:
    """Where the decisions of people are kept. None = in WORK."""

    database: Annotated[
        str | None,
        typer.Option(
            help="Where decisions are kept: postgresql://user@host/name, or sqlite:///file. A password is best left to PGPASSWORD or "
            "~/.pgpass. Default: the environment variable CURATE_DATABASE, else WORK/decisions.sqlite.",
            metavar="URL",
            show_default=False,
        ),
    ] = None
    data_set: Annotated[
        str | None,
        typer.Option(
            help="What this data set is called in that database. Default: the name of its folder.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class JudgeOptions:
    """Who judges whether label maps fit their photos."""

    judge: Annotated[
        str | None,
        typer.Option(
            help="How label_error sees photos: network (EfficientNet-lite0), plain (hand-made, no weights file), auto (network where "
            "its weights are installed), none. Default: as the last time in this WORK, at first auto.",
            show_default=False,
        ),
    ] = None
    no_label_error: Annotated[bool, typer.Option("--no-label-error", help="The same as --judge none.")] = False

    @property
    def chosen(self) -> str | None:
        """The judge by name, if one is asked for. Raises typer.BadParameter for one that does not exist."""
        if self.judge not in (None, *JUDGES):
            near = difflib.get_close_matches(self.judge, JUDGES, 1, 0)[0]
            raise typer.BadParameter(f'No judge "{self.judge}"; the nearest is "{near}". Known: {", ".join(JUDGES)}.')
        return "none" if self.no_label_error else self.judge


JUDGES = (
    "auto",
    "network",
    "plain",
    "none",
)  # as label_error.features.FEATURES, which is slow to import; a test compares them


ENGINES = ("local", "dask")


def takes(**bundles: type) -> Callable[[Callable], Callable]:
    """Decorate a command: each parameter named in `bundles` becomes the options of that bundle."""

    def decorate(command: Callable) -> Callable:
        parameters, annotations = [], {}
        # not get_type_hints: in Python 3.10 it hides what belongs to a parameter whose default is None, and arguments turn into options
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.name not in bundles:
                parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
        for bundle in bundles.values():
            hints_of = get_type_hints(bundle, include_extras=True)
            for field in fields(bundle):
                option = inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default)
                parameters.append(option.replace(annotation=hints_of[field.name]))
        annotations = {parameter.name: parameter.annotation for parameter in parameters}

        @functools.wraps(command)
        def run(**given: object) -> None:
            for name, bundle in bundles.items():
                given[name] = bundle(**{field.name: given.pop(field.name) for field in fields(bundle)})
            command(**given)

        del run.__wrapped__  # what is asked for the parameters must see these, not those of the command
        run.__signature__ = inspect.Signature(parameters)
        run.__annotations__ = annotations
        return run

    return decorate
