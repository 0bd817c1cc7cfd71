"""Pictures of a comparison for the browser: what was generated, as bytes of JPEG, and the label map in class colours.

Enters: a comparison; a picture is named by the number of its folder and a file that the folder lists. A file that cannot be read is a
PictureError with the text that says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from app.outputs import Comparison, OutputsError, real_file
from app.pictures import LARGE, Label, PictureError, Pictures, label_picture
from curation.decode import PairError, label_at, photo_within
from curation.label_space import LabelSpaceError
from curation.label_space_files import find_beside
from curation.place import PlaceError

FINE = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
MOST = 200  # pictures kept, and as many label maps: some 40 MB
NO_SIZE = (512, 384)  # of a label map whose pictures cannot be read


@dataclass(frozen=True)
class Drawn:
    """jpeg: upright, long side at most LARGE; width, height: of that; sha256: of the file."""

    jpeg: bytes
    width: int
    height: int
    sha256: str


class OutputPictures:
    """Of one comparison; safe to use from several threads."""

    def __init__(self, comparison: Comparison, pictures: Pictures) -> None:
        """pictures: of the pair table, whose label maps and label space are shown where the comparison has none of its own."""
        self.comparison, self._pictures = comparison, pictures
        self._drawn = lru_cache(MOST)(_drawn)
        self._label = lru_cache(MOST)(self._coloured)

    def picture(self, number: int, file: str) -> Drawn:
        try:
            path = self.comparison.folders[number].path(file)
            stat = path.stat()  # drawn anew since: another picture
            return self._drawn(path, stat.st_mtime_ns, stat.st_size)
        except (OutputsError, PairError, OSError) as error:
            raise PictureError(f"This picture cannot be shown: {error}") from None

    def label(self, stem: str, size: tuple[int, int]) -> Label | None:
        """At the (width, height) of its pictures; None where no label map is known."""
        found = self.comparison.labels.get(stem)
        if found is None:
            return None
        if isinstance(found, int):
            return self._pictures.label(found)
        try:
            return self._label(real_file(found.parent, found.name), size)
        except (OutputsError, PairError, PlaceError, LabelSpaceError, OSError) as error:
            raise PictureError(f"The label map {found.name} cannot be shown: {error}") from None

    def _coloured(self, path: Path, size: tuple[int, int]) -> Label:
        space = find_beside(path.parent) or find_beside(path.parent.parent) or self._pictures.table.work.space
        return label_picture(label_at(path, space, *size)[0], space)


def _drawn(path: Path, changed: int, size: int) -> Drawn:
    pixels, sha256 = photo_within(path, LARGE)
    jpeg = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), FINE)[1].tobytes()
    return Drawn(jpeg, pixels.shape[1], pixels.shape[0], sha256)
