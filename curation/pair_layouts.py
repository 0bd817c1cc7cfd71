"""Layouts: how a data set lays out its files, and so how a photo finds its label map.

A layout is two patterns on the path below DATA, whose groups k1, k2 ... joined are the *key* that a photo and its label map share.
Every known way is one entry of LAYOUTS; the one with most shared keys wins.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

PHOTO_SUFFIXES = ("jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp", "ppm")
LABEL_SUFFIXES = ("png", "bmp", "tif", "tiff", "gif", "pgm", "jpg", "jpeg")  # JPEG label maps are found, then refused
PHOTO_FOLDERS = ("images", "imgs", "image", "img", "photos", "JPEGImages", "leftImg8bit")
LABEL_FOLDERS = ("labels", "label", "annotations", "masks", "mask", "SegmentationClass", "segmentation", "gtFine")


@dataclass(frozen=True)
class Layout:
    """How a data set lays out its files. `label_space` is the built-in space that comes with it, if there is one."""

    name: str
    photo: re.Pattern[str]
    label: re.Pattern[str]
    label_space: str | None = None


def _layout(name: str, photo: str, label: str, label_space: str | None = None) -> Layout:
    fill = {
        "PHOTOS": "|".join(PHOTO_FOLDERS),
        "LABELS": "|".join(LABEL_FOLDERS),
        "P": rf"\.({'|'.join(PHOTO_SUFFIXES)})$",
        "L": rf"\.({'|'.join(LABEL_SUFFIXES)})$",
    }
    for key, value in fill.items():
        photo, label = photo.replace(f"<{key}>", value), label.replace(f"<{key}>", value)
    flags = re.IGNORECASE | re.DOTALL  # a file name may hold a line break
    return Layout(name, re.compile(photo, flags), re.compile(label, flags), label_space)


PHOTOS_ONLY = _layout("photos only", r"(?P<k1>.+)<P>", r"(?!)")
TWO_FOLDERS = _layout(
    "images + labels", r"(?P<k1>(?:.*/)?)(?:<PHOTOS>)/(?P<k2>.+)<P>", r"(?P<k1>(?:.*/)?)(?:<LABELS>)/(?P<k2>.+)<L>"
)
LAYOUTS = [
    _layout(
        "Cityscapes",
        r"(?:(?P<k1>.*/)?leftImg8bit/)?(?P<k2>.+)_leftImg8bit<P>",
        r"(?:(?P<k1>.*/)?gtFine/)?(?P<k2>.+)_gtFine_labelIds<L>",
        "cityscapes19",
    ),
    _layout(
        "Cityscapes, train ids",
        r"(?:(?P<k1>.*/)?leftImg8bit/)?(?P<k2>.+)_leftImg8bit<P>",
        r"(?:(?P<k1>.*/)?gtFine/)?(?P<k2>.+)_gtFine_labelTrainIds<L>",
        "cityscapes19",
    ),
    _layout(
        "ADE20K",
        r"images/(?P<k1>(?:training|validation)/.+)<P>",
        r"annotations/(?P<k1>(?:training|validation)/.+)<L>",
        "ade20k150",
    ),
    _layout(
        "COCO-Stuff",
        r"(?:images/)?(?P<k1>(?:train|val)\d{4}/.+)<P>",
        r"(?:annotations/)?stuffthingmaps\w*/(?P<k1>(?:train|val)\d{4}/.+)<L>",
        "cocostuff",
    ),
    _layout("CamVid", r"(?P<k1>train|val|test)/(?P<k2>.+)<P>", r"(?P<k1>train|val|test)annot/(?P<k2>.+)<L>", "camvid"),
    _layout("contest", r"(?P<k1>(?:.*/)?)imgs/(?P<k2>.+)<P>", r"(?P<k1>(?:.*/)?)labels/(?P<k2>.+)<L>", "landscape29"),
    TWO_FOLDERS,
    _layout("suffix", r"(?P<k1>.+)<P>", r"(?P<k1>.+)_(?:mask|label|labels|seg|gt|labelIds|annotation)<L>"),
    _layout("side by side", r"(?P<k1>.+)\.jpe?g$", r"(?P<k1>.+)\.png$"),
]


def best_layout(files: dict[str, tuple[int, int]]) -> Layout | None:
    """The layout under which most keys have both a photo and a label map, the earlier on a tie; None if no key has."""
    best, most = None, 0
    for layout in LAYOUTS:
        photos = {key for path in files if (key := match_key(layout.photo, path)) is not None}
        shared = len(photos & {key for path in files if (key := match_key(layout.label, path)) is not None})
        if shared > most:
            best, most = layout, shared
    return best


def match_key(pattern: re.Pattern[str], path: str) -> str | None:
    """The key of a path under one side of a layout, or None."""
    m = pattern.fullmatch(path)
    if not m:
        return None
    groups = m.groupdict("")
    return "/".join(groups[k].strip("/") for k in sorted(groups) if groups[k].strip("/"))


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob below DATA as a pattern whose groups are what its wildcards matched."""
    pattern, n = "", 0
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", glob.removeprefix("./"))
    for at, part in enumerate(parts):
        body = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
        if body is None and part.startswith("[") and part.endswith("]"):
            body = fnmatch.translate(part)[len("(?s:") : -len(r")\Z")]
        if body is None:
            pattern += re.escape(part)
        elif part in ("*", "**") and glob.endswith(part) and at == len(parts) - 2:  # the suffix is no part of the key
            pattern += rf"(?P<k{n:02d}>{body}?)(?:\.\w{{1,5}})?"
        else:
            pattern += f"(?P<k{n:02d}>{body})"
            n += 1
    return re.compile(pattern, re.DOTALL)
