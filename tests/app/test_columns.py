"""Columns: the same numbers as Arrow itself gives, without the pandas that it would import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from command import ROOT
from hypothesis import given
from hypothesis import strategies as st

from app.columns import floats, numbers, truths, valid, whole

MAYBE = st.lists(st.none() | st.integers(-5, 5), max_size=40)


def pieces(values, kind, cut: int) -> list[pa.Array | pa.ChunkedArray]:
    """The same values as one array, as a slice that begins within a byte, as two chunks."""
    array = pa.array(values, kind)
    longer = pa.concat_arrays([pa.array([None, *values[:2]], kind), array])
    return [array, longer.slice(len(longer) - len(array)), pa.chunked_array([array[:cut], array[cut:]], kind)]


@given(MAYBE, st.integers(0, 40))
def test_numbers_are_those_of_the_column(values, cut):
    expected = [9 if v is None else v for v in values]
    for kind in (pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64()):
        for column in pieces(values, kind, cut):
            found = numbers(column, 9)
            assert found.tolist() == expected and found.dtype == np.dtype(kind.to_pandas_dtype())
            assert np.array_equal(floats(column), [np.nan if v is None else v for v in values], equal_nan=True)
            assert floats(column).dtype == np.float32
            assert valid(column).tolist() == [v is not None for v in values]
            assert whole(column).to_pylist() == values


@given(st.lists(st.none() | st.booleans(), max_size=40), st.integers(0, 40))
def test_truths_are_false_where_there_is_none(values, cut):
    for column in pieces(values, pa.bool_(), cut):
        assert truths(column).tolist() == [bool(v) for v in values]


def test_a_column_of_nothing_has_no_values():
    nothing = pa.nulls(3)
    assert not valid(nothing).any() and np.isnan(floats(nothing)).all()


def test_what_stands_there_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        numbers(pa.array([1, 2]))[0] = 3


def test_the_first_pair_comes_without_pandas(reviewed_work, tmp_path):
    program = f"""
import sys
from pathlib import Path
import app.frame, app.filters
from app.desk import Desk
from app.opened import Asked, open_work
opened = open_work(Asked(Path({str(reviewed_work)!r}), "sqlite:///{tmp_path}/d.sqlite", None, Path("out"), (), False))
opened.makers.shutdown()  # what is made beside the pair may import what it likes
opened.makers.submit = lambda *work: __import__("concurrent.futures").futures.Future()
answer = Desk(opened, "anna").answer(None)
assert answer["queue"] and answer["items"][answer["queue"][0]]["photo"]
sys.exit("pandas" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
