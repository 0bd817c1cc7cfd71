"""Columns: Arrow's columns as NumPy arrays, read from their buffers.

Arrow's own way there imports pandas, which takes a fifth of the time until the first page stands.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def numbers(column: pa.Array | pa.ChunkedArray, missing: float | None = None) -> np.ndarray:
    """(n,) in the column's own dtype, not to be written to. missing: what stands where there is no value; None: there is one everywhere."""
    column = whole(column)
    kind = "f" if pa.types.is_floating(column.type) else "i" if pa.types.is_signed_integer(column.type) else "u"
    dtype = np.dtype(f"{kind}{column.type.bit_width // 8}")
    if not len(column):
        return np.zeros(0, dtype)
    values = np.frombuffer(column.buffers()[1], dtype)[column.offset : column.offset + len(column)]
    values.flags.writeable = False
    return values if missing is None or not column.null_count else np.where(valid(column), values, dtype.type(missing))


def floats(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) float32, NaN where there is no value."""
    column = whole(column)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan, np.float32)
    return numbers(column.cast(pa.float32()), np.nan)


def truths(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) bool of a column of truth values; False where there is none."""
    column = whole(column)
    return _bits(column, 1) & valid(column)


def valid(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) bool: where there is a value."""
    column = whole(column)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), bool)
    return _bits(column, 0) if column.null_count else np.ones(len(column), bool)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """In one piece."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which copies even a single chunk


def _bits(column: pa.Array, buffer: int) -> np.ndarray:
    if not len(column):
        return np.zeros(0, bool)
    first, last = column.offset // 8, (column.offset + len(column) + 7) // 8
    bits = np.unpackbits(np.frombuffer(column.buffers()[buffer], np.uint8)[first:last], bitorder="little")
    return bits[column.offset % 8 :][: len(column)].astype(bool)
