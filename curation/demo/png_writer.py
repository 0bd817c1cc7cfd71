"""A PNG writer whose bytes never change: class ids as 16-bit greyscale, stored without compression.

Ready-made writers deflate, and deflated bytes differ between versions of zlib; the checksums of the demo must not.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
STORED_LIMIT = 65535  # bytes that one stored block of a deflate stream can hold (RFC 1951, 3.2.4)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _store(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) that holds `data` in stored blocks."""
    parts = [b"\x78\x01"]  # deflate with a 32 KiB window, no preset dictionary; 0x7801 is a multiple of 31
    for start in range(0, len(data), STORED_LIMIT):
        block = data[start : start + STORED_LIMIT]
        last = start + STORED_LIMIT >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack(">I", zlib.adler32(data)))
    return b"".join(parts)


def encode_label_png(label: np.ndarray) -> bytes:
    """(H, W) integer class ids in 0..65535 -> the bytes of a 16-bit greyscale PNG.

    Raises ValueError for another number of dimensions, an empty map or an id that 16 bits cannot hold.
    """
    if label.ndim != 2 or label.size == 0:
        raise ValueError(f"a label map has shape (H, W) with H and W above 0, not {label.shape}")
    if label.min() < 0 or label.max() > 65535:
        raise ValueError(f"class ids must lie in 0-65535, found {label.min()} to {label.max()}")
    height, width = label.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)  # the leading byte of each row is filter type 0, "none"
    rows[:, 1:] = np.ascontiguousarray(label, dtype=">u2").view(np.uint8).reshape(height, 2 * width)
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)  # 16 bits, greyscale, not interlaced
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _store(rows.tobytes())) + _chunk(b"IEND", b"")
