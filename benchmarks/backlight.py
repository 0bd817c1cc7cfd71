"""Backlight without label maps: photos known to be backlit against ordinary ones.

    python -m benchmarks.backlight --backlit PHOTOS --ordinary PHOTOS [--index index.csv --scene outdoor]

With an index (columns file, scene) only the backlit photos whose scene begins with --scene count.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.measured import machine
from curation.decode import PairError, read_photo
from curation.scores import backlight
from curation.scores.view import View


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlit", type=Path, required=True)
    parser.add_argument("--ordinary", type=Path, required=True)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--scene", default="outdoor")
    arguments = parser.parse_args()
    backlit = measured(arguments.backlit)
    if arguments.index:
        scenes = pd.read_csv(arguments.index).set_index("file")["scene"]
        backlit = backlit[scenes.reindex(backlit.index).fillna("").str.startswith(arguments.scene)]
    ordinary = measured(arguments.ordinary)
    auroc = roc_auc_score([1] * len(backlit) + [0] * len(ordinary), [*backlit, *ordinary])
    print(f"{machine()}; {datetime.date.today()}")
    print(f"{len(backlit)} backlit, {len(ordinary)} ordinary photos: AUROC {auroc:.3f}")
    print(f"at the default threshold 0.5: found {(backlit >= 0.5).mean():.2f}, ordinary {(ordinary >= 0.5).mean():.3f}")


def measured(folder: Path) -> pd.Series:
    """The backlight score of every photo in a folder, by file name."""
    found = {}
    for file in sorted(folder.iterdir()):
        try:
            photo = read_photo(file)
        except PairError as error:
            print(f"{file}: {error}")
            continue
        found[file.name] = backlight.measure(View(photo.photo, photo.detail))
    return pd.Series(found)


if __name__ == "__main__":
    main()
