"""Pictures of a pair for the browser: photo, label map, evidence, thumbnail, as bytes of JPEG or PNG.

Enters: a table and a position in it; no path ever comes from a browser. A file that cannot be read is a PictureError with the text that says
why. What was made stays for a while, since reviewers go back and forth.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from app.background import Background
from app.palette import colours_of
from app.table import NOBODY, Fault, Table
from curation.class_words import pack
from curation.decode import PairError, label_at, photo_at
from curation.label_space import UNKNOWN, LabelSpace
from curation.place import PlaceError

if TYPE_CHECKING:
    from curation.evidence import SeenPair

LARGE, SMALL = 960, 160  # pixels of the long side: one pair on the screen; one of many
QUALITY = 88  # of JPEGs
MOST_LARGE, MOST_SMALL = 96, 4000  # pictures kept: some 30 MB each


class PictureError(ValueError):
    """A picture that cannot be made; the message is for the reviewer."""


@dataclass(frozen=True)
class Named:
    """A class in a label map. share: of the picture, in [0, 1]; colour: #rrggbb."""

    name: str
    share: float
    colour: str


@dataclass(frozen=True)
class Label:
    """A label map in class colours (PNG) and its classes, the largest first."""

    png: bytes
    classes: tuple[Named, ...]


class Pictures:
    """Of one table; safe to use from several threads."""

    def __init__(self, table: Table) -> None:
        self.table, self.background = table, Background(table)
        self._colours = colours_of(table.work.space)
        self.photo = lru_cache(MOST_LARGE)(self._photo)
        self.label = lru_cache(MOST_LARGE)(self._label)
        self.evidence = lru_cache(MOST_LARGE)(self._evidence)
        self.thumbnail = lru_cache(MOST_SMALL)(self._thumbnail)

    def _photo(self, position: int) -> bytes:
        """JPEG of the photo, upright, long side at most LARGE."""
        return _jpeg(self._pixels(position, LARGE))

    def _thumbnail(self, position: int) -> bytes:
        """JPEG of the photo beside its label map (or alone), long side of each SMALL."""
        pixels = self._pixels(position, SMALL)
        if self.table.label[position].is_valid:
            ids = self._ids(position, SMALL)
            pixels = np.concatenate([pixels, self._colours[ids]], 1)
        return _jpeg(pixels)

    def _label(self, position: int) -> Label | None:
        """None where the pair has no label map."""
        if not self.table.label[position].is_valid:
            return None
        return label_picture(self._ids(position, LARGE), self.table.work.space)

    def _evidence(self, position: int, reason: str) -> tuple[bytes, str] | None:
        """The picture by which `curate explain` shows a reason (JPEG), and what it says; None where there is none to show."""
        from curation import evidence  # a seventh of what a first page has to import, and not needed for it

        fault = next((f for f in self.table.faults(position) if f.reason == reason), None) or self._nearly(
            position, reason
        )
        if fault is None or evidence.PICTURES.get(reason) is None:
            return None
        pair = self._see(position)
        if pair is None:
            return None
        other = None if fault.stands == NOBODY else self._see(fault.stands)
        relation = self.background.relation(position, fault.stands) if other else None
        shown = evidence.show(
            reason, replace(pair, score=fault.score, threshold=fault.threshold, other=other, relation=relation)
        )
        return None if shown is None else (_jpeg(evidence.draw(shown)), shown.says)

    def _nearly(self, position: int, reason: str) -> Fault | None:
        """The reason of a pair that is not dropped for it."""
        score = self.table.scores.get(reason)
        if score is None or np.isnan(score[position]):
            return None
        return Fault(reason, float(score[position]), self.table.thresholds.get(reason), NOBODY, "")

    def _see(self, position: int) -> SeenPair | None:
        from curation import evidence

        image, label = self._files(position)
        pair_id, work = self.table.id(position), self.table.work
        return image and evidence.see_files(pair_id, image, label, work.space, self.background.of(position))

    def _files(self, position: int):
        data = self.table.work.data
        return tuple(
            data / name if (name := column[position].as_py()) else None
            for column in (self.table.image, self.table.label)
        )

    def _pixels(self, position: int, long_side: int) -> np.ndarray:
        image, _ = self._files(position)
        if image is None:
            raise PictureError("This pair has no photo.")
        try:
            return photo_at(image, *self._fit(position, long_side))[0]
        except (PairError, PlaceError, OSError) as error:
            raise PictureError(f"The photo {self.table.image[position].as_py()} cannot be shown: {error}") from None

    def _ids(self, position: int, long_side: int) -> np.ndarray:
        _, label = self._files(position)
        try:
            return label_at(label, self.table.work.space, *self._fit(position, long_side))[0]
        except (PairError, PlaceError, OSError) as error:
            raise PictureError(f"The label map {self.table.label[position].as_py()} cannot be shown: {error}") from None

    def _fit(self, position: int, long_side: int) -> tuple[int, int]:
        width, height = self.table.size[position]
        if np.isnan(width):
            width, height = 4, 3  # of an unreadable pair; one of its files may still be shown
            scale = long_side / width
        else:
            scale = min(1, long_side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))


def label_picture(ids: np.ndarray, space: LabelSpace) -> Label:
    """(h, w) uint8 class indices, 255 = unknown, in the colours of palette.py."""
    colours = colours_of(space)
    picture = Image.fromarray(ids, "P")
    picture.putpalette(colours.tobytes())
    png = io.BytesIO()
    picture.save(png, "png", compress_level=3)
    counts = np.bincount(ids.ravel(), minlength=256)
    classes = [
        Named(
            _class_name(space, int(i)),
            counts[i] / ids.size,
            f"#{pack(colours[i].tolist()):06x}",
        )
        for i in np.argsort(-counts, kind="stable")
        if counts[i]
    ]
    return Label(png.getvalue(), tuple(classes))


def _class_name(space: LabelSpace, index: int) -> str:
    """The name of a class up to its first comma; with its id where another class has that, too."""
    if index == UNKNOWN:
        return "unknown"
    short = [name.split(",")[0].strip() for name in space.names]
    return short[index] if short.count(short[index]) == 1 else f"{short[index]} (class {space.ids[index]})"


def data_url(picture: bytes) -> str:
    """A picture as text that a page shows without asking for a file."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[
        1
    ].tobytes()
