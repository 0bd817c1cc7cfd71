"""Time, memory and completeness of equivalence classes, on layouts made from real label maps.

    python -m benchmarks.grouping --labels contest_labels/labels [--n 10000 100000 1000000] [--seed 0] [--keep FOLDER]

Layouts are label maps of a folder of PNG class ids, cropped, mirrored, warped, and now and then with a class called another; the first are
the maps themselves. Each size is grouped in a process of its own, from a memory-mapped file. Printed: wall and CPU seconds; peak memory
(proportional set size); classes, the largest, the least similarity of a member to its representative; recall: of the couples of a
sample of layouts with all others that brute force finds similar enough, those that the search would compare; and the exponent of growth
between each size and the next.
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

from benchmarks.measured import machine, measure
from curation.engine.local import in_threads
from curation.equivalence import TAU, classes_of
from curation.layout import SHAPE, SLOTS, layout_of, mirrored
from curation.layout_index import LayoutIndex, make
from curation.near_classes import NearClasses
from curation.scratch import scratch

SIZE = (144, 192)  # rows, columns at which maps are changed: 4x4 points a cell
COMPARED = 10_000_000  # couples by brute force
ZOOM, WARP, GRID = 0.25, 5.0, 5  # largest crop; pixels of a usual warp; points of its grid a side
RENAMED = 0.3  # of the layouts get a class called another


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, help="folder of label maps, PNG of class ids")
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="leave the layouts here, and take them from here")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)  # a file of layouts, in a process of its own
    arguments = parser.parse_args()
    if arguments.one:
        return _group(arguments.one)
    if not arguments.labels:
        parser.error("--labels FOLDER is needed")
    print(f"{machine()}; {datetime.date.today()}; {arguments.labels}; least similarity {TAU}")
    print(
        f"{'layouts':>9}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'growth':>8}{'classes':>9}{'largest':>9}{'least':>8}{'recall':>16}"
    )
    before = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for n in sorted(arguments.n):
            file = folder / f"layouts-{arguments.seed}-{n}.bin"
            if not file.exists():
                make_layouts(arguments.labels, n, arguments.seed, file)
            cost = measure([sys.executable, "-m", "benchmarks.grouping", "--one", str(file)])
            said = json.loads(file.with_suffix(".json").read_text())
            growth = "" if before is None else f"{np.log(cost.cpu / before[1]) / np.log(n / before[0]):.2f}"
            before = n, cost.cpu
            found, true = recall(file, n)
            print(
                f"{n:9}{cost.wall:9.1f}{cost.cpu:9.1f}{cost.peak / 1e6:9.0f}{growth:>8}{said['classes']:9}{said['largest']:9}"
                f"{said['least']:8.4f}{found:9} of {true}",
                flush=True,
            )
    return 0


def make_layouts(labels: Path, n: int, seed: int, file: Path) -> None:
    """Write (n, 36, 48, 2) uint8."""
    maps = [_small(path) for path in sorted(labels.glob("*.png"))]
    rng = np.random.default_rng(seed)
    out = np.memmap(file, np.uint8, "w+", shape=(n, *SHAPE))
    for i in range(n):
        out[i] = layout_of(maps[i] if i < len(maps) else perturbed(maps[rng.integers(len(maps))], rng))
        if i % 1000 == 0 and sys.stderr.isatty():
            print(f"\rmaking layouts: {i:,} of {n:,}", end="", file=sys.stderr)
    out.flush()


def perturbed(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A label map of SIZE as another picture of the same kind might have it."""
    height, width = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.5:
        x = width - 1 - x
    zoom = 1 - ZOOM * rng.random()
    far = abs(rng.normal(0, WARP))
    warp = [cv2.resize(rng.standard_normal((GRID, GRID)).astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_CUBIC) for _ in "xy"]  # fmt: skip
    x = x * zoom + rng.random() * (1 - zoom) * width + far * warp[0]
    y = y * zoom + rng.random() * (1 - zoom) * height + far * warp[1]
    ids = cv2.remap(ids, np.float32(x), np.float32(y), cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < RENAMED:
        here = np.unique(ids)
        ids = np.where(ids == rng.choice(here), rng.choice(here) if rng.random() < 0.5 else rng.integers(29), ids)
    return ids.astype(np.uint8)


def recall(file: Path, n: int) -> tuple[int, int]:
    """Couples of a sample of layouts with all others: (found by the search, similar enough by brute force)."""
    layouts = np.memmap(file, np.uint8, "r", shape=(n, SLOTS))
    with scratch() as room:
        return _recall(layouts, make(room, str(file.resolve()), np.arange(n), TAU, True, NearClasses(), in_threads))


def _recall(layouts: np.ndarray, index: LayoutIndex) -> tuple[int, int]:
    n = len(layouts)
    asked = np.random.default_rng(1).permutation(n)[: max(10, COMPARED // n)]
    found = true = 0
    for start in range(0, n, 8192):
        block = np.arange(start, min(start + 8192, n))
        there = layouts[block]
        flipped = mirrored(there.reshape(-1, *SHAPE)).reshape(there.shape)
        i, j, _ = index.candidates(asked, block)
        compared = np.zeros((len(asked), len(block)), bool)
        compared[i, j] = index.near_buckets[index.bucket[asked[i]], index.bucket[block[j]]]
        for row, one in enumerate(asked):
            same = np.maximum((there == layouts[one]).sum(1), (flipped == layouts[one]).sum(1))
            similar = (same >= SLOTS - index.most_apart) & (block != one)
            true += int(similar.sum())
            found += int((similar & compared[row]).sum())
    return found, true


def _small(path: Path) -> np.ndarray:
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    ids = np.minimum(ids if ids.ndim == 2 else ids[..., 0], 255).astype(np.uint8)
    return cv2.resize(ids, SIZE[::-1], interpolation=cv2.INTER_NEAREST)


def _group(file: Path) -> int:
    n = file.stat().st_size // SLOTS
    layouts = np.memmap(file, np.uint8, "r", shape=(n, *SHAPE))
    classes = classes_of([f"{i:09d}" for i in range(n)], layouts)
    sizes = np.bincount([r for r, _ in classes])
    said = {"classes": int((sizes > 0).sum()), "largest": int(sizes.max()), "least": min(s for _, s in classes)}
    file.with_suffix(".json").write_text(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
