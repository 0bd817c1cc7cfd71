"""Pair table: the rows of a table of pairs, a CSV or Parquet file or a folder of Parquet files.

Enters: a table with the columns image, label and, if wished, pair_id. Leaves: its columns and its rows as texts, in their order.
What the rows must be like is for pairs.py to say, the same for every kind of table.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from curation.place import Place, RemotePlace, follow

WANTED = ("image", "label", "pair_id")
PARQUET = (".parquet", ".pq")


class NoPairsError(ValueError):
    """Nothing to work on; the message says what was looked for and what was seen."""


def is_partitioned(files: Iterable[str]) -> bool:
    """Whether a folder with these files is a table: Parquet files and none else, but for those that name themselves internal (_SUCCESS)."""
    seen = [path for path in files if not path.rpartition("/")[2].startswith("_")]
    return bool(seen) and all(path.endswith(PARQUET) for path in seen)


def read_rows(table: Place, files: Iterable[str] | None = None) -> tuple[list[str], list[dict[str, str | None]]]:
    """The columns of a table and its rows, of those columns that matter. `files`: those of a folder. Raises NoPairsError."""
    if files is not None:
        names = [table / path for path in sorted(files) if path.endswith(PARQUET)]
        return _parquet_rows(table, names)
    return _parquet_rows(table, [table]) if table.name.endswith(PARQUET) else _csv_rows(table)


def made_from(table: Place) -> tuple[str, Place] | None:
    """Of a manifest: its data folder, as its recipe writes it and where that is; None where no recipe lies beside the table."""
    recipe = table.with_name(f"{table.name.split('.')[0]}.json")
    try:
        written = json.loads(recipe.read_text(encoding="utf-8"))
        if "selection" in written and isinstance(written["data"], str):
            return written["data"], follow(table.parent, written["data"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def _csv_rows(table: Place) -> tuple[list[str], list[dict]]:
    try:
        if isinstance(table, RemotePlace):
            f = io.StringIO(table.read_bytes().decode("utf-8-sig", "surrogateescape"), newline="")
        else:
            f = open(table, newline="", encoding="utf-8-sig", errors="surrogateescape")  # noqa: SIM115 (closed below)
        with f:
            reader = csv.DictReader(f)
            return list(reader.fieldnames or []), list(reader)
    except (OSError, csv.Error) as error:
        raise NoPairsError(f"{table} cannot be read as a CSV of paths: {error}.") from None


def _parquet_rows(table: Place, files: list[Place]) -> tuple[list[str], list[dict]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curation.workspace import source

    columns, rows = None, []
    for file in files:
        try:
            names = pq.read_schema(source(file)).names
            columns = columns or names
            if not {"image", "label"} <= set(names):
                return names, []  # and pairs.py says what is missing
            read = pq.ParquetFile(source(file)).read([name for name in WANTED if name in names])
            rows += [{k: None if v is None else _text(v) for k, v in row.items()} for row in read.to_pylist()]
        except (OSError, pa.ArrowException) as error:
            raise NoPairsError(f"{file} cannot be read as a Parquet table of paths: {error}.") from None
    return columns or [], rows


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
