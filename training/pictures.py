"""Pictures of a run: samples side by side, label maps in the colours of their classes, a legend.

Enters: arrays as training has them. Leaves: (H, W, 3) uint8 RGB, or a PNG file of it. Nothing is resized: a pixel of a sample is a
pixel of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from training.journal import unwritable

GAP = 6  # pixels between samples, and around text
PAPER, INK, FRAME = 255, (38, 38, 42), (150, 150, 155)
LEGEND_TEXT = 15  # pixels


class PictureError(ValueError):
    """Arrays that no picture can be made of, or a file that cannot be written; the message says which and why."""


def photo_of(x: np.ndarray) -> np.ndarray:
    """Photos as a generator makes them, as photos to look at.

    Args:
        x: (n, 3, h, w) float in [-1, 1]; what is outside is clipped.

    Returns:
        (n, h, w, 3) uint8: (x + 1) * 127.5, rounded half up, so 0 becomes 128. Inverse of v / 127.5 - 1 for every v of 0..255.

    Raises:
        PictureError: another shape, or a value that is NaN or infinite.
    """
    if x.ndim != 4 or x.shape[1] != 3 or not np.issubdtype(x.dtype, np.floating):
        raise PictureError(f"Photos must be (n, 3, h, w) floats, not {x.shape} {x.dtype}.")
    if not np.isfinite(x).all():
        sample = int(np.argmin(np.isfinite(x).all(axis=(1, 2, 3))))
        raise PictureError(
            f"Sample {sample} has values that are NaN or infinite: the weights are spoilt. Use an earlier checkpoint."
        )
    levels = np.floor((np.clip(x, -1, 1) + 1) * 127.5 + 0.5)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def label_picture(ids: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Label maps in colours.

    Args:
        ids: (n, h, w) uint8 channel indices, 0..C-1.
        colours: (C, 3) uint8 RGB by channel.

    Returns:
        (n, h, w, 3) uint8.

    Raises:
        PictureError: another shape, or an index without a colour.
    """
    if ids.ndim != 3 or ids.dtype != np.uint8:
        raise PictureError(f"Label maps must be (n, h, w) uint8, not {ids.shape} {ids.dtype}.")
    if ids.size and ids.max() >= len(colours):
        raise PictureError(f"A label map has channel {ids.max()}; there are colours for 0-{len(colours) - 1}.")
    return np.asarray(colours, np.uint8)[ids]


def grid(columns: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Samples in rows, one below the other; in columns what belongs to a sample, under a heading.

    Args:
        columns: (heading, (n, h, w, 3) uint8) each, all of one shape. Long headings are wrapped to the column.

    Returns:
        (H, W, 3) uint8 on white.

    Raises:
        PictureError: no columns, no samples, or shapes that differ.
    """
    if not columns:
        raise PictureError("A grid needs at least one column of pictures.")
    shape = columns[0][1].shape
    for heading, pictures in columns:
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8 or not pictures.size:
            raise PictureError(f"Column {heading!r} must be (n, h, w, 3) uint8, not {pictures.shape} {pictures.dtype}.")
        if pictures.shape != shape:
            raise PictureError(f"Column {heading!r} is {pictures.shape}, but {columns[0][0]!r} is {shape}.")
    n, h, w, _ = shape
    headings = _headings([heading for heading, _ in columns], w)
    top = headings.shape[0]
    sheet = np.full((top + n * (h + GAP), GAP + len(columns) * (w + GAP), 3), PAPER, np.uint8)
    sheet[:top] = headings
    for i, (_, pictures) in enumerate(columns):
        left = GAP + i * (w + GAP)
        for j, pixels in enumerate(pictures):
            y = top + j * (h + GAP)
            sheet[y : y + h, left : left + w] = pixels
    return sheet


def grid_with_legend(
    columns: Sequence[tuple[str, np.ndarray]], ids: np.ndarray, names: Sequence[str], colours: np.ndarray
) -> np.ndarray:
    """A grid, and below it the legend of the classes in its label maps `ids` (n, h, w); see `grid` and `legend`."""
    sheet = grid(columns)
    return np.concatenate([sheet, legend(names, colours, np.unique(ids), sheet.shape[1])])


def legend(names: Sequence[str], colours: np.ndarray, present: Iterable[int], width: int) -> np.ndarray:
    """The classes that occur, by index: a field of the colour and the name, in as many lines as it takes.

    Args:
        names: class name by channel.
        colours: (C, 3) uint8 RGB by channel.
        present: channel indices that occur, such as np.unique(ids).
        width: of the picture that it goes under.

    Returns:
        (H, width, 3) uint8 on white; H is 0 when nothing occurs.

    Raises:
        PictureError: a channel without a name.
    """
    from PIL import Image, ImageDraw

    from curation.evidence.panel import drawable, font

    shown = sorted({int(channel) for channel in present})
    if shown and not 0 <= shown[0] <= shown[-1] < len(names):
        raise PictureError(f"The legend has names for 0-{len(names) - 1}; the label maps have {shown}.")
    letters, line = font(LEGEND_TEXT), LEGEND_TEXT + GAP
    places, x, y = [], GAP, 0
    for channel in shown:
        name = drawable(names[channel])
        needs = LEGEND_TEXT + GAP + round(letters.getlength(name)) + 3 * GAP
        if x > GAP and x + needs > width:
            x, y = GAP, y + line
        places.append((channel, name, x, y))
        x += needs
    strip = Image.new("RGB", (width, y + line + GAP if shown else 0), (PAPER,) * 3)
    pen = ImageDraw.Draw(strip)
    for channel, name, x, y in places:
        field = (x, y, x + LEGEND_TEXT, y + LEGEND_TEXT)
        pen.rectangle(field, tuple(int(level) for level in colours[channel]), FRAME)  # framed: a class may be white
        pen.text((x + LEGEND_TEXT + GAP, y + LEGEND_TEXT / 2), name, INK, letters, anchor="lm")
    return np.array(strip)


def png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG file's content; PictureError when it is none."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise PictureError(f"A picture must be (H, W, 3) uint8, not {picture.shape} {picture.dtype}.")
    from PIL import Image

    content = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG")
    return content.getvalue()


def save(path: Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3) uint8 RGB as PNG, whole or not at all; folders are made.

    Raises:
        PictureError: it is no picture, or the file cannot be written.
    """
    from curation.workspace import atomic

    content = png(picture)
    try:
        with atomic(Path(path)) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise PictureError(unwritable(Path(path), error)) from error


def _headings(texts: list[str], width: int) -> np.ndarray:
    """A strip over columns of `width` pixels, every heading wrapped over its column and standing on the pictures."""
    from PIL import Image, ImageDraw

    from curation.evidence.panel import drawable, font, wrap

    size = min(32, max(12, width // 16))  # a grid of large samples is looked at from further away
    line = round(size * 1.3)
    wrapped = [wrap(drawable(text), width, size) for text in texts]
    lines = max(len(heading) for heading in wrapped)
    strip = Image.new("RGB", (GAP + len(texts) * (width + GAP), lines * line + 2 * GAP), (PAPER,) * 3)
    pen = ImageDraw.Draw(strip)
    for i, heading in enumerate(wrapped):
        for j, text in enumerate(heading):
            y = GAP + (lines - len(heading) + j) * line
            pen.text((GAP + i * (width + GAP), y), text, INK, font(size))
    return np.asarray(strip)
