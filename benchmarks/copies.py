"""Copies of a photo, and photos that are practically the same: what is found, what is taken for one by mistake, time and memory.

    python -m benchmarks.copies edits --photos FOLDER [FOLDER ...]         edited copies of real photos, kind by kind
    python -m benchmarks.copies similarity --data FOLDER [FOLDER ...]      photo_similarity on data sets (images/ and labels/)
    python -m benchmarks.copies scale --photos FOLDER [--n 10000 100000]   time, memory and recall at size

edits: each photo is given one edited copy of each kind; printed: of each kind how many are coupled with their original, and all couples
between different photos, to be looked at. similarity: made neighbouring frames and edits of photos against the photos whose layouts
are most alike; area under the ROC curve, and shares at or above TAU_PHOTO. scale: thumbnails blended from parts of two real photos, so that no
two show the same, with an edited copy of every hundredth; each size in a process of its own. Growth: exponent from one size to the next.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.auroc import auroc
from benchmarks.measured import machine, measure
from curation.decode import PairError, read_photo
from curation.duplicates import find_duplicates, thumbnail
from curation.layout import layout_of, mirrored
from curation.perceptual_hash import SIDE
from curation.photo_similarity import COLOURS, FARTHEST, TAU_PHOTO, describe

MOST_PHOTOS = 400  # of a folder get edited copies
PLANTED = 100  # one in so many thumbnails gets a copy
ALIKE = 1500  # couples of a data set whose layouts are most alike
FRAMES = 300  # photos of a data set that get a neighbouring frame and an edited copy


def crop(photo: np.ndarray, rng: np.random.Generator, most: float, least: float = 0.0) -> np.ndarray:
    """Without up to `most` of its width and of its height, anywhere off the middle."""
    height, width = photo.shape[:2]
    off = rng.uniform(least, most, 2)
    y, x = (int(rng.uniform(0, part) * side) for part, side in zip(off, (height, width), strict=True))
    return photo[y : y + round(height * (1 - off[0])), x : x + round(width * (1 - off[1]))]


def brightened(photo: np.ndarray, gain: float, offset: float = 0) -> np.ndarray:
    return np.clip(photo * gain + offset, 0, 255).round().astype(np.uint8)


def reencoded(photo: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)


def resized(photo: np.ndarray, longest: int) -> np.ndarray:
    height, width = (max(8, round(side * longest / max(photo.shape[:2]))) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def watermarked(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half-transparent letters over four fifths of the width."""
    height, width = photo.shape[:2]
    scale = 0.8 * width / cv2.getTextSize("copyright", cv2.FONT_HERSHEY_SIMPLEX, 1, 2)[0][0]
    marked = photo.copy()
    place = (int(0.1 * width), int(rng.uniform(0.3, 0.8) * height))
    cv2.putText(marked, "copyright", place, cv2.FONT_HERSHEY_SIMPLEX, scale, (220, 220, 220), max(2, int(3 * scale)))
    return cv2.addWeighted(photo, 0.5, marked, 0.5, 0)


def frame(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As the next frame of a film might be: moved by up to 3 %, turned by up to 1.5 degrees, nearer by 2-5 %, other light and noise."""
    height, width = photo.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1.5, 1.5), 1 + rng.uniform(0.02, 0.05))
    move[:, 2] += rng.uniform(-0.03, 0.03, 2) * (width, height)
    moved = cv2.warpAffine(photo, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return brightened(moved + rng.normal(0, 4, moved.shape), rng.uniform(0.9, 1.1))


EDITS = {
    "re-encoded, quality 30": lambda p, rng: reencoded(p, 30),
    "half the size": lambda p, rng: resized(p, max(p.shape) // 2),
    "thumbnail of 96 pixels": lambda p, rng: resized(p, 96),
    "brighter or darker by 25 %": lambda p, rng: brightened(p, rng.choice([0.75, 1.25])),
    "less or more contrast": lambda p, rng: brightened(p, *[(0.7, 38), (1.3, -38)][rng.integers(2)]),
    "gamma 0.75 or 1.33": lambda p, rng: brightened(255 * (p / 255.0) ** rng.choice([0.75, 1.33]), 1),
    "mirrored": lambda p, rng: p[:, ::-1],
    "cropped by up to 10 %": lambda p, rng: crop(p, rng, 0.1, 0.02),
    "cropped by 10 % both ways": lambda p, rng: crop(p, rng, 0.1, 0.1),
    "cropped, mirrored, quality 60": lambda p, rng: reencoded(crop(p, rng, 0.1, 0.02)[:, ::-1], 60),
    "cropped, half, 15 % brighter": lambda p, rng: brightened(resized(crop(p, rng, 0.1), max(p.shape) // 2), 1.15),
    "watermark": watermarked,
}


def edits(folders: list[Path], seed: int) -> int:
    for folder in folders:
        rng = np.random.default_rng(seed)
        photos = _photos(folder)
        names, thumbs, source = (
            [*photos],
            [thumbnail(grey) for grey in photos.values()],
            {name: name for name in photos},
        )
        some = sorted(rng.permutation(len(photos))[:MOST_PHOTOS])
        for kind, edit in EDITS.items():
            for k in some:
                name = f"{[*photos][k]} {kind}"
                names.append(name)
                source[name] = [*photos][k]
                thumbs.append(thumbnail(np.ascontiguousarray(edit([*photos.values()][k], rng))))
        found = find_duplicates(names, names, np.stack(thumbs))
        couples = set(zip(found["first"], found["second"], strict=True))
        print(f"{folder}: {len(photos)} photos, {len(some)} of them edited")
        for kind in EDITS:
            wanted = {tuple(sorted((n, source[n]))) for n in names if n.endswith(f" {kind}")}
            print(f"  {kind:32}{len(wanted & couples):5} of {len(wanted)} found")
        others = sorted({tuple(sorted((source[a], source[b]))) for a, b in couples if source[a] != source[b]})
        print(f"  couples of different photos: {len(others)}", *(" = ".join(couple) for couple in others), sep="\n    ")
    return 0


def similarity(folders: list[Path], seed: int) -> int:
    print(f"{'':34}{'AUROC':>8}{'found at .1 % false':>21}")
    for folder in folders:
        rng = np.random.default_rng(seed)
        images = {p.stem: p for p in (folder / "images").iterdir()}
        stems = [p.stem for p in sorted((folder / "labels").glob("*.png")) if p.stem in images]
        layouts = np.stack([_layout(folder / "labels" / f"{stem}.png") for stem in stems])
        photos = [read_photo(images[stem]).photo for stem in stems]
        greys = np.stack([thumbnail(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)) for photo in photos])
        copies = find_duplicates(stems, stems, greys)
        copies = set(zip(copies["first"], copies["second"], strict=True))
        flat = layouts.reshape(len(stems), -1)
        turned = mirrored(layouts).reshape(flat.shape)
        alike = np.stack([np.maximum((flat == one).mean(1), (turned == one).mean(1)) for one in flat])
        i, j = np.unravel_index(np.argsort(-np.triu(alike, 1), axis=None, kind="stable")[:ALIKE], alike.shape)
        far = np.array([(a, b) for a, b in zip(i, j, strict=True) if tuple(sorted((stems[a], stems[b]))) not in copies])
        seen = np.stack([describe(photo) for photo in photos]).astype(np.int64)
        some = rng.permutation(len(photos))[:FRAMES]
        near = {
            "frames": np.stack([describe(frame(photos[k], rng)) for k in some]),
            "edits": np.stack(
                [describe(brightened(crop(photos[k], rng, 0.1, 0.02), rng.uniform(0.85, 1.15))) for k in some]
            ),
        }
        print(
            f"{folder}: {len(far)} couples with layouts alike by {alike[i, j].min():.2f} and more; {len(some)} frames, as many edits"
        )
        for what, part in {
            "colours": slice(0, COLOURS),
            "gradients": slice(COLOURS, None),
            "both": slice(None),
        }.items():
            different = np.abs(seen[far[:, 0], part] - seen[far[:, 1], part]).mean(1)
            for kind, made in near.items():
                same = np.abs(seen[some, part] - made[:, part]).mean(1)
                area = auroc(-same, -different, seed)[0]
                limit = np.quantile(different, 0.001)
                print(f"  {what + ', ' + kind:32}{area:8.4f}{(same < limit).mean():21.3f}")
                if what == "both":
                    tau = (1 - TAU_PHOTO) * FARTHEST
                    print(
                        f"    at {TAU_PHOTO}: {(same <= tau).mean():.3f} found, {(different <= tau).mean():.4f} false"
                    )
    return 0


def scale(folders: list[Path], sizes: list[int], seed: int) -> int:
    print(f"{machine()}; {datetime.date.today()}")
    print(f"{'photos':>9}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'growth':>8}{'planted':>9}{'found':>8}{'others':>8}")
    parts = [grey for folder in folders for grey in _photos(folder).values()]
    before = None
    with tempfile.TemporaryDirectory() as scratch:
        for n in sorted(sizes):
            file = Path(scratch) / f"{n}.bin"
            planted = make_thumbnails(parts, n, seed, file)
            cost = measure([sys.executable, "-m", "benchmarks.copies", "one", "--photos", str(file)])
            found = {tuple(couple) for couple in json.loads(file.with_suffix(".json").read_text())}
            growth = "" if before is None else f"{np.log(cost.cpu / before[1]) / np.log(n / before[0]):.2f}"
            before = n, cost.cpu
            print(
                f"{n:9}{cost.wall:9.1f}{cost.cpu:9.1f}{cost.peak / 1e6:9.0f}{growth:>8}{len(planted):9}"
                f"{len(planted & found):8}{len(found - planted):8}",
                flush=True,
            )
            file.unlink()
    return 0


def make_thumbnails(parts: list[np.ndarray], n: int, seed: int, file: Path) -> set[tuple[int, int]]:
    """Write (n, 48, 48) uint8; returns which of them are an edited copy of which."""
    rng = np.random.default_rng(seed)
    out = np.memmap(file, np.uint8, "w+", shape=(n, SIDE, SIDE))
    planted = set()
    picture = parts[0]
    for i in range(n):
        if i % PLANTED == PLANTED - 1:
            out[i] = thumbnail(reencoded(brightened(crop(picture, rng, 0.1), rng.uniform(0.8, 1.2)), 60))
            planted.add((i - 1, i))
            continue
        one, other = (_part(parts[rng.integers(len(parts))], rng) for _ in range(2))
        share = rng.uniform(0.45, 0.55)
        picture = cv2.addWeighted(one, share, other, 1 - share, 0)
        out[i] = thumbnail(picture)
    out.flush()
    return planted


def _part(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    part = crop(grey, rng, 0.6, 0.3)
    return cv2.resize(part[:, ::-1] if rng.random() < 0.5 else part, (192, 144), interpolation=cv2.INTER_LINEAR)


def _one(file: Path) -> int:
    n = file.stat().st_size // SIDE**2
    names = [f"{i:08d}" for i in range(n)]
    found = find_duplicates(names, names, np.memmap(file, np.uint8, "r", shape=(n, SIDE, SIDE)))
    file.with_suffix(".json").write_text(
        json.dumps([[int(a), int(b)] for a, b in zip(found["first"], found["second"], strict=True)])
    )
    return 0


def _photos(folder: Path) -> dict[str, np.ndarray]:
    """Luminance of each photo of a folder, by file name, long side at most 512."""
    found = {}
    for path in sorted(folder.iterdir()):
        try:
            found[path.name] = read_photo(path).detail
        except PairError as error:
            print(f"{path.name} is left out: {error}", file=sys.stderr)
    return found


def _layout(path: Path) -> np.ndarray:
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return layout_of(np.minimum(ids if ids.ndim == 2 else ids[..., 0], 255).astype(np.uint8))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["edits", "similarity", "scale", "one"])
    parser.add_argument("--photos", type=Path, nargs="+", help="folders of photos")
    parser.add_argument("--data", type=Path, nargs="+", help="data sets: folders with images/ and labels/")
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folders = arguments.data if arguments.what == "similarity" else arguments.photos
    if not folders:
        parser.error(f"{arguments.what} needs --{'data' if arguments.what == 'similarity' else 'photos'} FOLDER")
    if arguments.what == "edits":
        return edits(folders, arguments.seed)
    if arguments.what == "similarity":
        return similarity(folders, arguments.seed)
    return scale(folders, arguments.n, arguments.seed) if arguments.what == "scale" else _one(folders[0])


if __name__ == "__main__":
    sys.exit(main())
