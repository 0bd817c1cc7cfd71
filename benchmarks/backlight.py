"""Backlight on photos that people judged, and on copies of a data set in which backlight was planted.

    python -m benchmarks.backlight --backlit PHOTOS --ordinary PHOTOS [--index index.csv --scene outdoor]
                                   [--judged judged.csv] [--planted COPY ...] [--seed 0]

PHOTOS is a folder of photos; no label map is looked at. With an index (columns file, scene) only the backlit photos whose
scene begins with --scene count. --judged is a table of the ordinary photos by eye (columns stem and judgement: backlit or
borderline; photos without a row are not backlit); benchmarks/stanford_backlit.csv is that of Stanford Background. A COPY
has images/, labels/, a class list and truth.csv (columns pair_id, defect; pairs without a row are clean).

Printed: AUROC with its 95 % bootstrap interval; what the default threshold finds and what it rejects by mistake, with
Wilson 95 % intervals; and how many photos the probabilities promise beside how many were judged backlit.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.auroc import auroc
from benchmarks.measured import machine
from curation.decode import PairError, read_pair, read_photo
from curation.engine.local import progress
from curation.label_space_files import find_beside
from curation.rules import RULES
from curation.scores import backlight
from curation.scores.view import View

THRESHOLD = next(rule.threshold for rule in RULES if rule.reason == "backlight")
JUDGEMENTS = ("backlit", "borderline")
BINS = (0, 0.02, 0.1, 0.3, 0.5, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlit", type=Path, help="folder of backlit photos")
    parser.add_argument("--ordinary", type=Path, help="folder of ordinary photos")
    parser.add_argument("--index", type=Path, help="CSV with columns file, scene, of the backlit photos")
    parser.add_argument("--scene", default="outdoor", help="how the scene of a backlit photo that counts begins")
    parser.add_argument("--judged", type=Path, help="CSV with columns stem, judgement, of the ordinary photos")
    parser.add_argument(
        "--planted", type=Path, action="append", default=[], help="copy with planted defects; repeatable"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    arguments = parser.parse_args()
    if not arguments.planted and not (arguments.backlit and arguments.ordinary):
        parser.error("give --backlit and --ordinary, or --planted, or all of them")
    print(f"{machine()}; {datetime.date.today()}; seed {arguments.seed}; threshold {THRESHOLD}")
    if arguments.backlit and arguments.ordinary:
        backlit = photos(arguments.backlit)
        if arguments.index:
            scenes = pd.read_csv(arguments.index).set_index("file")["scene"]
            backlit = backlit[scenes.reindex(backlit.index).fillna("").str.startswith(arguments.scene)]
            if backlit.empty:
                sys.exit(f"{arguments.index} has no photo of {arguments.backlit} with a scene {arguments.scene}...")
        ordinary = photos(arguments.ordinary)
        compare("backlit photos", backlit, "ordinary photos", ordinary, arguments.seed)
        if arguments.judged:
            judgement = judgements(arguments.judged, ordinary)
            by_eye(ordinary, judgement, backlit, arguments.seed)
    for copy in arguments.planted:
        truth = pd.read_csv(copy / "truth.csv", dtype=str, keep_default_na=False).set_index("pair_id")["defect"]
        scores = pairs(copy)
        defect = truth.reindex(scores.index).fillna("clean")
        for what in scores:
            print(f"{copy}, {what}:")
            chosen = {name: scores.loc[defect == name, what] for name in ("backlit", "clean", "dark", "overexposed")}
            compare("planted", chosen["backlit"], "clean pairs", chosen["clean"], arguments.seed)
            for name in ("dark", "overexposed"):
                if len(chosen[name]):
                    print(f"  of the planted {name} ones rejected: {share(chosen[name] >= THRESHOLD)}")


def photos(folder: Path) -> pd.Series:
    """The backlight score of every photo in a folder, by file name, without label maps."""
    found = {}
    for file in _each(sorted(folder.iterdir()), folder.name):
        try:
            photo = read_photo(file)
        except PairError as error:
            print(f"{file}: {error}", file=sys.stderr)
            continue
        found[file.name] = backlight.measure(View(photo.photo, photo.detail))
    return pd.Series(found, dtype=np.float64)


def pairs(data: Path) -> pd.DataFrame:
    """The backlight score of every pair of images/ and labels/ that can be read, with its label map and without, by stem."""
    space = find_beside(data)
    if space is None:
        sys.exit(f"{data} has no class list; put a classes.json beside images/ and labels/.")
    found = {}
    for image in _each(sorted((data / "images").iterdir()), data.name):
        try:
            photo, label = read_pair(image, data / "labels" / f"{image.stem}.png", space)
        except PairError:
            continue  # the planted damage of files
        labelled = backlight.measure(View(photo.photo, photo.detail, label.ids, space))
        found[image.stem] = (labelled, backlight.measure(View(photo.photo, photo.detail)))
    return pd.DataFrame.from_dict(found, orient="index", columns=["with label maps", "photo alone"])


def judgements(file: Path, ordinary: pd.Series) -> pd.Series:
    """What was judged of each ordinary photo, by file name: backlit, borderline or not."""
    table = pd.read_csv(file, dtype=str)
    wrong = sorted(set(table["judgement"]) - set(JUDGEMENTS))
    if wrong:
        sys.exit(f'{file} has judgement "{wrong[0]}"; write {" or ".join(JUDGEMENTS)}, or leave the row out.')
    stems = pd.Series([Path(name).stem for name in ordinary.index], index=ordinary.index)
    missing = sorted(set(table["stem"]) - set(stems))
    if missing:
        sys.exit(f"{file} judges {missing[0]}, and --ordinary has no such photo.")
    return stems.map(table.set_index("stem")["judgement"]).fillna("not")


def by_eye(ordinary: pd.Series, judgement: pd.Series, backlit: pd.Series, seed: int) -> None:
    """Print what becomes of the ordinary photos by what was judged of them."""
    print("by eye, no label map looked at:")
    compare("backlit photos", backlit, "ordinary ones judged not backlit", ordinary[judgement == "not"], seed)
    compare("judged backlit", ordinary[judgement == "backlit"], "judged not", ordinary[judgement == "not"], seed)
    others = ordinary[judgement != "backlit"]
    print(f"  rejected of those not judged backlit, borderline ones among them: {share(others >= THRESHOLD)}")
    print("  probability   photos  promised  judged backlit (borderline)")
    for low, high in itertools.pairwise(BINS):
        here = (ordinary >= low) & ((ordinary < high) | (high == 1))
        counts = [int((judgement[here] == word).sum()) for word in JUDGEMENTS]
        print(f"  {low:4} to {high:4}{here.sum():9}{ordinary[here].sum():10.1f}{counts[0]:8} ({counts[1]})")


def compare(first: str, positive: pd.Series, second: str, negative: pd.Series, seed: int) -> None:
    """Print how well the score tells the two apart, and what the default threshold does to each."""
    if positive.empty or negative.empty:
        print(f"  {len(positive)} {first}, {len(negative)} {second}: nothing to compare")
        return
    area, low, high = auroc(positive.to_numpy(), negative.to_numpy(), seed)
    print(f"  {len(positive)} {first}, {len(negative)} {second}: AUROC {area:.4f} ({low:.4f} to {high:.4f})")
    hits, alarms = int((positive >= THRESHOLD).sum()), int((negative >= THRESHOLD).sum())
    precision = f"{hits / (hits + alarms):.3f}" if hits + alarms else "none found"
    print(
        f"    found {share(positive >= THRESHOLD)}; rejected of the others {share(negative >= THRESHOLD)}; precision {precision}"
    )


def share(hit: pd.Series) -> str:
    """A share with its 95 % interval [Wilson 1927, J. Am. Stat. Assoc. 22]."""
    count, size = int(hit.sum()), len(hit)
    if not size:
        return "none of 0"
    z, p = 1.959964, count / size
    middle = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
    return f"{count} of {size} = {p:.3f} ({max(0.0, middle - half):.3f} to {min(1.0, middle + half):.3f})"


def _each(files: list[Path], caption: str) -> Iterable[Path]:
    """The files one by one, with a line of progress."""
    with progress(caption, len(files), quiet=False) as advance:
        for file in files:
            yield file
            advance(1)


if __name__ == "__main__":
    main()
