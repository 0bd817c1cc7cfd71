"""What one process pays for a data set of N pairs, beside the work that is cut into shards: its lists and its tables.

    python -m benchmarks.tables [--n 10000 100000 1000000] [--files 100000]

For each N, in a process of its own: the pairs as objects, cut into shards; the tables of scores, copies and classes (random, as many
classes, copies and defects as in sets of photos); rules applied to them; the manifest written. `--files`: up to this many pairs are also
files, one byte each, that are listed as `curate index` lists a folder. Printed: CPU seconds of each step, the growth to the next N, and
the most memory the process held.
"""

from __future__ import annotations

import argparse
import datetime
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measured import machine
from curation import rules
from curation.label_space_files import load_builtin
from curation.manifest import write_manifest
from curation.measure import plan_shards
from curation.pairs import Pair, find_pairs
from curation.photo_similarity import LENGTH
from curation.scores import SCORES

MEMBERS = 4  # of an equivalence class, on average
COPIED = 100  # one pair in so many is a copy
STEPS = ("list files", "pairs, shards", "select", "manifest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # one N, in a process of its own
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_steps(arguments.one, arguments.one <= arguments.files)))
        return
    print(f"{machine()}; {datetime.date.today()}")
    print(f"{'pairs':>9}" + "".join(f"{step + ', CPU s':>22}" for step in STEPS) + f"{'peak MB':>9}{'growth':>8}")
    before = None
    for n in sorted(arguments.n):
        command = [sys.executable, "-m", "benchmarks.tables", "--one", str(n), "--files", str(arguments.files)]
        said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        cost = said["select"] + said["manifest"]
        growth = "" if before is None else f"{np.log(cost / before[1]) / np.log(n / before[0]):.2f}"
        before = n, cost
        cells = "".join(f"{said[step]:22.1f}" if step in said else f"{'not run':>22}" for step in STEPS)
        print(f"{n:9}{cells}{said['peak'] / 1e6:9.0f}{growth:>8}", flush=True)


def _steps(n: int, files: bool) -> dict[str, float]:
    """Seconds of CPU by step; `peak`: bytes."""
    cost: dict[str, float] = {}
    space = load_builtin("landscape29")
    ids = [f"{i:09d}" for i in range(n)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if files:
            for name, ending in (("images", "jpg"), ("labels", "png")):
                (folder / name).mkdir()
                for pair_id in ids:
                    (folder / name / f"{pair_id}.{ending}").write_bytes(b"x")
            began = time.process_time()
            find_pairs(folder, None, None, None)
            cost["list files"] = time.process_time() - began
        began = time.process_time()
        pairs = [Pair(p, f"images/{p}.jpg", f"labels/{p}.png", (100_000, i), (20_000, i)) for i, p in enumerate(ids)]
        plan_shards(pairs, folder, space, folder)
        cost["pairs, shards"] = time.process_time() - began
        del pairs
        tables = _tables(ids)
        began = time.process_time()
        selection = rules.select(*tables, rules.Settings())
        cost["select"] = time.process_time() - began
        began = time.process_time()
        how = {"similarity": 0.92, "mirror": True, "near": [], "judge": "network"}
        write_manifest(folder / "manifests", "selection2", selection, tables[0], tables[2], how, folder, space)
        cost["manifest"] = time.process_time() - began
    cost["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return cost


def _tables(ids: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """scores, duplicates, groups."""
    n, rng = len(ids), np.random.default_rng(0)
    files = {"image": [f"images/{p}.jpg" for p in ids], "label": [f"labels/{p}.png" for p in ids]}
    scores = pd.DataFrame({"pair_id": ids, **files, "width": 1024, "height": 768})
    for name in SCORES:
        scores[name] = np.round(rng.beta(1, 12, n), 4)
    scores["error"] = None
    scores["sha256_image"] = scores["sha256_label"] = [f"{i:064x}" for i in range(n)]
    copies = n // COPIED
    duplicates = pd.DataFrame({"first": ids[:copies], "second": ids[copies : 2 * copies], "relation": "same"})
    duplicates[["similarity", "left", "right", "top", "bottom", "labels_disagree"]] = 0.99, 0.0, 1.0, 0.0, 1.0, 0.0
    stands = [ids[i] for i in rng.integers(0, max(1, n // MEMBERS), n)]
    groups = pd.DataFrame({"pair_id": ids, "equivalence_class": stands, "representative": stands})
    groups[["similarity", "radius", "members"]] = 0.95, 0.05, MEMBERS
    photos = rng.integers(0, 256, (n, LENGTH), np.uint8)
    groups["descriptor"] = [photo.tobytes() for photo in photos]
    return scores, duplicates, groups


if __name__ == "__main__":
    main()
