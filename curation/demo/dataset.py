"""Writes the demo data set: landscapes, most of them clean, and the truth about the rest.

FOLDER/images/0000.jpg ...   photos
FOLDER/labels/0000.png ...   label maps, 16-bit greyscale class ids
FOLDER/classes.json          id -> class name
FOLDER/truth.csv             pair_id, defect, detail; a pair without a row is clean
"""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.demo.classes import CLASS_ID, CLASSES
from curation.demo.defects import COPIES, DEFECTS, LIGHT_OF, Defect, Files, clean
from curation.demo.landscape import Landscape, luminance, render
from curation.demo.light import ORDINARY

PLANTED_SHARE = 0.4  # at 240 pairs: 4 of each of the 24 kinds; the 20 copies and twins are good pictures in themselves
LEAST_CONTRAST = 22.0  # grey levels of 255, standard deviation, in ordinary light
PLAN_STREAM = 2**32 - 1  # the plan's own random stream; pairs use theirs by index, far below this


def plan(n: int, seed: int) -> list[tuple[str, int | None]]:
    """For each of n pairs its defect ("" for clean) and, for copies and twins, the index of the clean original."""
    rng = np.random.default_rng([seed, PLAN_STREAM])
    kinds = list(DEFECTS)
    order = [int(k) for k in rng.permutation(n)]
    pairs: list[tuple[str, int | None]] = [("", None)] * n
    planted = int(PLANTED_SHARE * n)
    originals = iter(order[planted:])
    for k, index in enumerate(order[:planted]):
        kind = kinds[k % len(kinds)]
        pairs[index] = (kind, next(originals) if kind in COPIES else None)
    return pairs


def is_varied(scene: Landscape) -> bool:
    """Whether a landscape shows enough for a pair: a few classes, none nearly everything, some sky, some contrast."""
    count = np.bincount(scene.label.ravel(), minlength=len(CLASSES)) / scene.label.size
    contrast = luminance(scene.photo).std()  # of coded values
    return bool(
        (count > 0.004).sum() >= 3
        and count.max() < 0.72
        and 0.04 < count[CLASS_ID["sky"]] < 0.70
        and (contrast > LEAST_CONTRAST or scene.light not in ORDINARY)
    )


def draw_pair(rng: np.random.Generator, defect: Defect, height: int, width: int) -> tuple[Landscape, Files]:
    """Draw landscapes until one is varied and the defect shows in it."""
    for _ in range(50):
        scene = render(rng, height, width, LIGHT_OF.get(defect.__name__))
        files = defect(scene, rng) if is_varied(scene) else None
        if files is not None:
            return scene, files
    raise RuntimeError(f"no landscape of {width}x{height} pixels shows the defect {defect.__name__}")


def write_demo(
    folder: Path,
    n: int = 240,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
    height: int = 192,
    width: int = 256,
) -> None:
    """Write a data set of n pairs; the same n and seed give the same bytes, and a second run changes nothing.

    progress(done, total) is called after each pair. Raises ValueError for n below 1 and FileExistsError where the
    folder holds photos or label maps that this data set does not have.
    """
    if n < 1:
        raise ValueError(f"a demo needs at least 1 pair, not {n}")
    folder = Path(folder)
    pairs = plan(n, seed)
    names = [f"{index:0{max(4, len(str(n - 1)))}d}" for index in range(n)]
    for room, suffix in (("images", ".jpg"), ("labels", ".png")):
        (folder / room).mkdir(parents=True, exist_ok=True)
        found = {p.name for p in (folder / room).iterdir() if not p.name.startswith(".")}
        foreign = found - {name + suffix for name in names}
        if foreign:
            raise FileExistsError(
                f"{folder / room} already holds {min(foreign)}, which is not part of a demo of {n} pairs. "
                "Choose an empty folder."
            )

    truth: list[tuple[str, str, str]] = []
    originals = {original for _, original in pairs if original is not None}
    scenes: dict[int, Landscape] = {}
    # Originals before their copies.
    for done, index in enumerate(sorted(range(n), key=lambda k: (pairs[k][1] is not None, k)), start=1):
        kind, original = pairs[index]
        rng = np.random.default_rng([seed, index])
        if original is not None:
            files = DEFECTS[kind](scenes[original], rng)
            truth.append((names[index], kind, names[original]))
        else:
            scene, files = draw_pair(rng, DEFECTS[kind] if kind else clean, height, width)
            if index in originals:
                scenes[index] = scene
            if kind:
                truth.append((names[index], kind, files.detail))
        _write(folder / "images" / f"{names[index]}.jpg", files.photo)
        if files.label is not None:
            _write(folder / "labels" / f"{names[index]}.png", files.label)
        if progress:
            progress(done, n)

    _write(folder / "classes.json", (json.dumps(dict(enumerate(CLASSES)), indent=1) + "\n").encode())
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("pair_id", "defect", "detail"))
    rows.writerows(sorted(truth))
    _write(folder / "truth.csv", table.getvalue().encode())


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never sees half a file. One that is there already keeps its time, so nothing is measured again."""
    if path.is_file() and path.read_bytes() == data:
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
