"""A pair as pictures are made from it: the arrays its scores were measured on, from the parts or the files again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from curation.decode import DETAIL, PairError, read_pair, read_photo
from curation.evidence.learned import Learned
from curation.label_space import LabelSpace
from curation.measure import decode_preview
from curation.place import Place
from curation.scores.view import View
from curation.workspace import read_parts


@dataclass(frozen=True)
class SeenPair:
    """One pair, and what one reason says of it.

    photo   (h, w, 3) uint8 RGB, long side <= 256
    ids     (h, w) uint8 class indices, 255 = unknown; None without a label map
    detail  (h2, w2) uint8 luminance, long side <= 512; None when the files were not opened
    size    width and height of the photo as it lies on disk, upright
    learned of the whole data set, for label_error and coupling
    score, threshold, other, relation: what the reason has; `other` is the pair it is held against
    """

    pair_id: str
    photo: np.ndarray
    ids: np.ndarray | None = None
    space: LabelSpace | None = None
    detail: np.ndarray | None = None
    size: tuple[int, int] | None = None
    learned: Learned | None = None
    score: float | None = None
    threshold: float | None = None
    other: SeenPair | None = None
    relation: str | None = None

    @cached_property
    def view(self) -> View:
        """What the scores saw. Without the files `detail` is the enlarged preview; its coarse detail holds, the fine does not."""
        return View(
            self.photo, self._enlarged_luminance() if self.detail is None else self.detail, self.ids, self.space
        )

    @cached_property
    def display(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB to show: as fine as `detail` where there is one, with the colours of the preview."""
        if self.detail is None or self.detail.shape == self.photo.shape[:2]:
            return self.photo
        colours = cv2.cvtColor(self.photo, cv2.COLOR_RGB2YCrCb)  # eyes see colour coarsely; JPEG halves it, too
        colours = cv2.resize(colours, self.detail.shape[::-1], interpolation=cv2.INTER_CUBIC)
        colours[:, :, 0] = self.detail
        return cv2.cvtColor(colours, cv2.COLOR_YCrCb2RGB)

    def enlarge(self, marks: np.ndarray) -> np.ndarray:
        """An (h, w) map of marks or ids at the scale of `display`, by nearest neighbour."""
        height, width = self.display.shape[:2]
        if marks.dtype == bool:
            marks = marks.astype(np.uint8)
            return cv2.resize(marks, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
        return cv2.resize(marks, (width, height), interpolation=cv2.INTER_NEAREST)

    def _enlarged_luminance(self) -> np.ndarray:
        grey = cv2.cvtColor(self.photo, cv2.COLOR_RGB2GRAY)
        longest = max(self.size or (0, 0))
        scale = min(longest, DETAIL) / max(grey.shape)
        if scale <= 1:
            return grey
        return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)


def find_seen(
    parts: Place, pair_ids: Iterable[str], space: LabelSpace, learned: Learned | None = None
) -> dict[str, SeenPair]:
    """The pairs as kept in the parts, by id, without opening a user's file; unreadable ones are left out."""
    wanted = sorted(set(pair_ids))
    found: dict[str, SeenPair] = {}
    columns = ["pair_id", "preview", "ids", "width", "height"]
    files = sorted(parts.glob("*.parquet"))
    of_ids = zip(files, read_parts(files, ["pair_id"]), strict=True)
    files = [file for file, ids in of_ids if not set(ids["pair_id"].to_pylist()).isdisjoint(wanted)]
    for part in read_parts(files, columns, [("pair_id", "in", wanted)]):
        for row in part.to_pylist():
            if row["preview"] is not None:
                photo = decode_preview(row["preview"])
                ids = None if row["ids"] is None else np.frombuffer(row["ids"], np.uint8).reshape(photo.shape[:2])
                size = (row["width"], row["height"])
                found[row["pair_id"]] = SeenPair(row["pair_id"], photo, ids, space, size=size, learned=learned)
    return found


def see_files(
    pair_id: str, image: Place, label: Place | None, space: LabelSpace, learned: Learned | None = None
) -> SeenPair | None:
    """The pair from its files, so twice as fine as from the parts; None when they cannot be read (any more)."""
    try:
        photo, ids = read_pair(image, label, space) if label else (read_photo(image), None)
    except PairError:
        return None
    size = (photo.width, photo.height)
    return SeenPair(pair_id, photo.photo, ids and ids.ids, space, photo.detail, size, learned)
