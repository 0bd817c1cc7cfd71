"""Opened: a work directory as the app has it open, once for all who look at it.

Enters: the words after `--` on the command line. Leaves: the table, its pictures, the store of decisions and what is known of it. Without
--work it is the demo data set, which is made at the first start.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from app import demo
from app.known import Known
from app.pictures import Pictures
from app.table import Table, TableError
from curation.decisions import Decisions, open_decisions
from curation.place import Place, place
from curation.workspace import Workspace

MANIFESTS = Path("data_manifests")
PATIENCE = 2.0  # seconds a page waits for a busy database; what a reviewer clicked is kept in the browser meanwhile
MAKERS = 2  # threads that make pictures ahead


_LAST: WeakValueDictionary[str, Table] = WeakValueDictionary()  # by work directory


@dataclass(frozen=True)
class Asked:
    """What the command line says. demo: no --work was named."""

    work: Place
    database: str | None
    data_set: str | None
    out: Place
    compare: tuple[Place, ...]
    demo: bool
    labels: Place | None = None  # the label maps of the folders to compare
    folders_from_page: bool = False  # whoever reaches the page may name folders of this machine


@dataclass(frozen=True)
class Opened:
    """A work directory with all that pages ask for."""

    work: Workspace
    table: Table
    pictures: Pictures
    decisions: Decisions
    known: Known
    makers: ThreadPoolExecutor
    asked: Asked


class WordsError(ValueError):
    """The words after `--` are wrong, or ask for help; the message says in which way. help: what may stand there."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


class _Parser(argparse.ArgumentParser):
    """Raises where others end the program: a page would stay empty then."""

    def error(self, message: str) -> None:
        raise WordsError(
            f"The app was started with words that it does not understand: {message}. Start it again.",
            self.format_help(),
        )

    def print_help(self, file: object = None) -> None:
        raise WordsError("What may stand after streamlit run app/review.py:", self.format_help())


def arguments(words: list[str]) -> Asked:
    """What stands after `--`. Raises WordsError."""
    parser = _Parser(
        prog="streamlit run app/review.py --",
        description="Review rejected pairs in a browser. Without --work: the demo data set, made at the first start.",
    )
    parser.add_argument("--work", type=place, help="the work directory of a data set, as `curate` left it")
    parser.add_argument("--database", help="postgresql://USER@HOST/NAME for a team; by default a file in WORK")
    parser.add_argument(
        "--data-set", help="what this data set is called in that database; by default the name of its folder"
    )
    parser.add_argument("--out", type=place, help="where manifests go that are built in the app")
    parser.add_argument(
        "--compare", type=place, nargs="+", default=[], help="folders of generated pictures, or runs, to compare"
    )
    parser.add_argument(
        "--labels",
        type=place,
        help="the folder of the label maps they were drawn from, where the pair table lacks them",
    )
    parser.add_argument(
        "--folders-from-page",
        action="store_true",
        help="let everybody who reaches the page Compare outputs name folders of this machine, to read and to make",
    )
    said = parser.parse_args(words)
    is_demo = said.work is None
    out = said.out or (demo.OUT if is_demo else MANIFESTS)
    work = demo.WORK if is_demo else said.work
    compared = tuple(said.compare)
    return Asked(work, said.database, said.data_set, out, compared, is_demo, said.labels, said.folders_from_page)


def open_work(asked: Asked) -> Opened:
    """Open the tables and the store. Raises TableError, WorkspaceError, DecisionsError, each with what to do."""
    work = Workspace.load(asked.work)
    if work is None:
        raise TableError(
            f"{asked.work} is no work directory of curate. Name one with -- --work DIR, "
            "or make it: curate build-selection --level 2 --data DATA --work DIR"
        )
    must_be_there(work)
    table = Table(work, _LAST.get(str(work.folder)))
    _LAST[str(work.folder)] = table
    decisions = open_decisions(work, asked.database, asked.data_set, PATIENCE)
    return Opened(work, table, Pictures(table), decisions, Known(decisions), ThreadPoolExecutor(MAKERS), asked)


def must_be_there(work: Workspace) -> None:
    """Raises TableError with what to do where the data set is not where it was measured; a remote one is not asked for."""
    if isinstance(work.data, Path) and not work.data.exists():
        raise TableError(
            f"The data set {work.data} is gone: moved, renamed, or on a disk that is not mounted. Put it back, or measure it where it is now: "
            "curate build-selection --level 2 --data DATA --work ANOTHER"
        )


def stamp(asked: Asked) -> tuple[str, ...]:
    """Changes when WORK is measured or selected again, so that what is open can be opened anew."""
    work = Workspace.load(asked.work)
    if work is None:
        return ("",)
    files = (work.scores, work.faults, work.groups)
    return tuple(
        f"{f.stat().st_mtime_ns}-{f.stat().st_size}" if isinstance(f, Path) and f.exists() else "" for f in files
    )
