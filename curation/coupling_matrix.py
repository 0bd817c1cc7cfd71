"""Which classes of a data set are coupled: tables, a matrix picture and words, for deciding which to merge.

Enters: the label maps one by one (`Tally.add`; tallies of parts of a set are added up with +=), and, where a judge knows it,
how alike the classes look. Leaves: `table`, a row per pair of classes; `class_table`, a row per class; `draw`, the pairs as a
picture; `suggestions`, what to do, in words. Memory does not grow with the number of label maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from curation import landscape
from curation.evidence.panel import GAP, INK, PAPER, drawable, font, percent
from curation.scores.coupling import Interleaving, cells_of, interleavings

if TYPE_CHECKING:
    import pandas as pd

SEEN = 0.02  # of the picture: from this share on two classes are said to interleave in it
DOUBT = (
    4  # maps that do not interleave, added to those counted, since one map alone proves nothing; fewer are not drawn
)
LOOK_ALIKE = 0.4  # from here on a merge is suggested: the judge takes one class for the other in a fifth of the cells
OFTEN = 0.2  # coupling without looking alike, from which on a pair is worth a word
MOST_WORDS = 8  # suggestions
MEASURES = {
    "edge_density": landscape.edge_density,
    "aggregation": landscape.aggregation,
    "interspersion": landscape.interspersion,
}  # of a class and of a whole map; contagion there is of whole maps only

MOST_DRAWN = 24  # classes; more could not be read
PICTURE = 1000  # pixels: about the side of the matrix
SMALLEST, LARGEST = 36, 64  # pixels a cell
NARROWEST = 620  # pixels, for the words of the legend
LEGEND = 58  # pixels, its height
LONGEST = 30  # letters of a class name
BLUES = np.array([(240, 246, 253), (158, 202, 225), (49, 130, 189), (8, 48, 107)], np.float64)
ORANGES = np.array([(255, 247, 232), (253, 190, 110), (217, 95, 14), (102, 37, 6)], np.float64)  # both light to dark
SELF = (206, 206, 210)  # the diagonal
SCALE_ENDS = (0.1, 0.2, 0.5, 1.0)


class Tally:
    """Sums over the label maps of a data set, by class index; one row more for whole maps.

    n_maps       label maps
    both         (n, n) maps in which both classes occur; on the diagonal, in which the class does
    interleaved  (n, n) maps in which the two interleave over SEEN of the picture or more
    share        (n, n) interleaved share of the picture, summed
    area         (n,) share of the known area, summed
    measures     (n + 1, 4) MEASURES and contagion, summed over the maps for which they are defined
    defined      (n + 1, 4) the number of those maps
    """

    def __init__(self, n_classes: int) -> None:
        self.n_maps = 0
        self.both = np.zeros((n_classes, n_classes), np.int64)
        self.interleaved = np.zeros((n_classes, n_classes), np.int64)
        self.share = np.zeros((n_classes, n_classes))
        self.area = np.zeros(n_classes)
        self.measures = np.zeros((n_classes + 1, len(MEASURES) + 1))
        self.defined = np.zeros((n_classes + 1, len(MEASURES) + 1), np.int64)

    def add(self, ids: np.ndarray, found: Sequence[Interleaving] | None = None) -> None:
        """Count one label map, (h, w) uint8 class indices, 255 = unknown, of any size; `found`: its interleavings, if known."""
        self.n_maps += 1
        seen = landscape.adjacency(cells_of(ids))
        self.both[np.ix_(seen.classes, seen.classes)] += 1
        self.area[seen.classes] += seen.cells / max(1, seen.cells.sum())
        for pair in interleavings(ids) if found is None else found:
            at = [pair.first, pair.second], [pair.second, pair.first]
            self.share[at] += pair.share
            self.interleaved[at] += pair.share >= SEEN
        for row, at in [*zip(seen.classes.tolist(), range(len(seen.classes)), strict=True), (-1, None)]:
            values = [measure(seen, at) for measure in MEASURES.values()]
            values.append(landscape.contagion(seen) if at is None else np.nan)
            self.measures[row] += np.nan_to_num(values)
            self.defined[row] += ~np.isnan(values)

    def __iadd__(self, other: Tally) -> Tally:
        """Add the sums over other label maps of the same classes."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def table(tally: Tally, names: Sequence[str], alike: np.ndarray | None = None) -> pd.DataFrame:
    """One row per pair of classes that occur, the most coupled first.

    Args:
        names: by class index, each different, as people shall read and write them.
        alike: (n, n) in [0, 1], symmetric, see curation/scores/coupling.py; None when it is not known.

    Returns:
        first, second: names; both: maps with both classes; interleaved: maps in which they interleave over SEEN of the
        picture; share: of the picture, mean over the maps with both (NaN without any); alike (NaN when not known);
        coupling in [0, 1]: 1 - (1 - alike) (1 - interleaved / (both + DOUBT)), so either is enough to couple a pair.
    """
    import pandas as pd

    some = np.flatnonzero(tally.both.diagonal())
    first, second = (some[i] for i in np.triu_indices(len(some), 1))
    both, interleaved = tally.both[first, second], tally.interleaved[first, second]
    share = np.divide(tally.share[first, second], both, out=np.full(len(both), np.nan), where=both > 0)
    looks = np.full(len(both), np.nan) if alike is None else np.asarray(alike, np.float64)[first, second]
    coupling = 1 - (1 - np.nan_to_num(looks)) * (1 - interleaved / (both + DOUBT))
    rows = pd.DataFrame(
        {
            "first": [names[i] for i in first],
            "second": [names[i] for i in second],
            "both": both,
            "interleaved": interleaved,
            "share": share.round(4),
            "alike": looks.round(4),
            "coupling": coupling.round(4),
        }
    )
    return rows.sort_values("coupling", ascending=False, kind="stable", ignore_index=True)


def class_table(tally: Tally, names: Sequence[str]) -> pd.DataFrame:
    """One row per class that occurs, the largest first, and a last row "all classes" for the maps as a whole.

    Returns:
        name; maps in which it occurs; area: its share of a picture, mean over all maps; edge_density, aggregation,
        interspersion, contagion: see curation/landscape.py, means over the maps for which they are defined, NaN without any.
        Cells are 1/128 of the long side.
    """
    import pandas as pd

    n = len(tally.area)
    some = [i for i in np.argsort(-tally.area, kind="stable").tolist() if tally.both[i, i]]
    rows = [*some, n]
    means = np.full((len(rows), len(MEASURES) + 1), np.nan)
    np.divide(tally.measures[rows], tally.defined[rows], out=means, where=tally.defined[rows] > 0)
    columns = {
        "name": [*(names[i] for i in some), "all classes"],
        "maps": [*(int(tally.both[i, i]) for i in some), tally.n_maps],
        "area": [*(tally.area[some] / max(1, tally.n_maps)).round(4), 1.0 if some else 0.0],
    }
    return pd.DataFrame(columns | dict(zip([*MEASURES, "contagion"], means.round(4).T, strict=True)))


def suggestions(pairs: pd.DataFrame) -> list[str]:
    """What to do about the coupled classes of a `table`, a sentence each, the most coupled first; at most MOST_WORDS.

    Classes are put in one --merge only when each looks like each other one, so that no chain joins what differs.
    """
    looks = {frozenset((row.first, row.second)): row.alike for row in pairs.itertuples()}
    groups: list[list[str]] = []
    for row in pairs.sort_values("alike", ascending=False, kind="stable").itertuples():
        if row.alike >= LOOK_ALIKE:
            mine = [next((g for g in groups if name in g), [name]) for name in (row.first, row.second)]
            if mine[0] is mine[1]:
                continue
            joined = mine[0] + mine[1]
            if all(looks[frozenset((a, b))] >= LOOK_ALIKE for a in mine[0] for b in mine[1]):
                groups = [g for g in groups if g is not mine[0] and g is not mine[1]] + [joined]
    said = []
    for group in groups:
        least = min(looks[frozenset((a, b))] for a in group for b in group if a != b)
        listed = f"{', '.join(group[:-1])} and {group[-1]}"
        how = percent(least) if len(group) == 2 else f"every two of them {percent(least)} or more"
        said.append(f"{listed} look alike ({how}); to make one class of them: {_merge(group)}")
    for row in pairs.itertuples():
        together = row.interleaved / (row.both + DOUBT) > OFTEN
        if together and not any(row.first in group and row.second in group for group in groups):
            says = (
                f"{row.first} and {row.second} interleave in {row.interleaved:,} of {row.both:,} maps with both, "
                f"over {percent(row.share)} of the picture on average"
            )
            if row.alike == row.alike:
                says += f", but look different (alike {percent(row.alike)}); better reject such pairs than merge the classes"
            else:
                says += f"; if they look the same to you: {_merge([row.first, row.second])}"
            said.append(says)
    return said[:MOST_WORDS]


def _merge(group: list[str]) -> str:
    return f"--merge {','.join(group)}" if " " not in "".join(group) else f'--merge "{",".join(group)}"'


def draw(pairs: pd.DataFrame) -> np.ndarray:
    """A `table` as a matrix: (H, W, 3) uint8 RGB.

    Above the diagonal, in blues, in how many of the maps with both classes they interleave; below it, in oranges, how alike
    they look; both in percent. Classes that are coupled stand side by side; beyond MOST_DRAWN the least coupled are left out.
    """
    names, shown = _classes(pairs), _order(pairs)
    woven, alike = _squares(pairs, shown)
    n = len(shown)
    cell = int(np.clip(PICTURE // max(1, n), SMALLEST, LARGEST))
    letters = round(cell * 0.38)
    margin = 2 * GAP + max((int(font(letters).getlength(_label(name))) for name in shown), default=0)
    width, top = max(margin + n * cell + GAP, NARROWEST), 44 + margin
    picture = Image.new("RGB", (width, top + n * cell + GAP + 2 * LEGEND), PAPER)
    pen = ImageDraw.Draw(picture)
    title = "Which classes are coupled" if n == len(names) else f"The {n} most coupled of {len(names)} classes"
    pen.text((GAP, 10), title, INK, font(22))
    for at, name in enumerate(shown):
        pen.text((margin - 8, top + at * cell + cell // 2), _label(name), INK, font(letters), anchor="rm")
        upright = Image.new("RGB", (margin - 8, cell), PAPER)
        ImageDraw.Draw(upright).text((0, cell // 2), _label(name), INK, font(letters), anchor="lm")
        picture.paste(upright.rotate(90, expand=True), (margin + at * cell, top - margin))
        pen.rectangle(_box(margin, top, at, at, cell), SELF)
    for values, shades in ((woven, BLUES), (alike, ORANGES)):
        for i, j in np.argwhere(~np.isnan(values)).tolist():
            box = _box(margin, top, i, j, cell)
            colour = _shade(values[i, j] / _end(values), shades)
            pen.rectangle(box, colour)
            ink = INK if sum(colour) > 3 * 128 else PAPER
            middle = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
            pen.text(middle, f"{100 * values[i, j]:.0f}", ink, font(letters), anchor="mm")
    y = top + n * cell + GAP
    _legend(
        pen,
        y,
        f"above the diagonal: of the maps with both classes ({DOUBT} or more), those in which they interleave",
        woven,
        BLUES,
    )
    _legend(pen, y + LEGEND, "below the diagonal: how alike they look to a judge that never saw them", alike, ORANGES)
    return np.asarray(picture)


def _classes(pairs: pd.DataFrame) -> list[str]:
    """The names in a table, those of the most coupled pairs first."""
    return list(dict.fromkeys(pairs[["first", "second"]].to_numpy().ravel().tolist()))


def _order(pairs: pd.DataFrame) -> list[str]:
    """The classes to draw, as a chain: from the most coupled pair on, always the class most coupled to either end."""
    left = _classes(pairs)[:MOST_DRAWN]
    coupling = {frozenset((row.first, row.second)): row.coupling for row in pairs.itertuples()}
    chain = left[:2]
    left = left[2:]
    while left:
        links = [
            (coupling[frozenset((end, name))], -i, end) for end in (chain[0], chain[-1]) for i, name in enumerate(left)
        ]
        _, i, end = max(links, key=lambda link: link[:2])
        name = left.pop(-i)
        chain = [name, *chain] if end == chain[0] else [*chain, name]
    return chain


def _squares(pairs: pd.DataFrame, shown: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Two (n, n) float64, NaN where too little is known: interleaved / both above the diagonal; alike below it."""
    place = {name: at for at, name in enumerate(shown)}
    woven, alike = np.full((2, len(shown), len(shown)), np.nan)
    for row in pairs.itertuples():
        if row.first in place and row.second in place:
            i, j = sorted((place[row.first], place[row.second]))
            woven[i, j] = row.interleaved / row.both if row.both >= DOUBT else np.nan
            alike[j, i] = row.alike
    return woven, alike


def _label(name: str) -> str:
    """A name as it is drawn: only what the font has, and not so long that it leaves no room for the matrix."""
    return drawable(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def _box(left: int, top: int, row: int, column: int, cell: int) -> tuple[int, int, int, int]:
    x, y = left + column * cell, top + row * cell
    return x, y, x + cell - 3, y + cell - 3


def _end(values: np.ndarray) -> float:
    """The end of a colour scale: the first of SCALE_ENDS that holds all values."""
    most = float(np.nanmax(values)) if (~np.isnan(values)).any() else 0.0
    return next(end for end in SCALE_ENDS if most <= end)


def _shade(value: float, shades: np.ndarray) -> tuple[int, int, int]:
    """The colour of a value in [0, 1]: between (k, 3) shades, evenly spaced."""
    at = np.linspace(0, 1, len(shades))
    r, g, b = (round(float(np.interp(value, at, channel))) for channel in shades.T)
    return r, g, b


def _legend(pen: ImageDraw.ImageDraw, y: int, text: str, values: np.ndarray, shades: np.ndarray) -> None:
    """What a triangle shows, and its colour scale."""
    if np.isnan(values).all():
        pen.text((GAP, y), f"{text}: not known", INK, font(15))
        return
    pen.text((GAP, y), text, INK, font(15))
    for x in range(200):
        pen.line((GAP + 40 + x, y + 24, GAP + 40 + x, y + 38), _shade(x / 199, shades))
    pen.text((GAP + 32, y + 31), "0 %", INK, font(14), anchor="rm")
    pen.text((GAP + 248, y + 31), percent(_end(values)), INK, font(14), anchor="lm")
