"""The whole level-2 build of a data set, cold and warm, and the per-pair scores alone.

    python -m benchmarks.build --data big [--data bigger ...]

Printed for each data set: wall seconds, CPU seconds, the most memory held at once by all processes together, and for the scores
alone the pairs per second of CPU capacity (2 cores * N / CPU seconds). More than one data set shows whether memory grows with N.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

from benchmarks.measured import machine, measure

CORES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    arguments = parser.parse_args()
    print(f"{machine()}; {datetime.date.today()}")
    print(f"{'pairs':>8}  {'step':26}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'CPU ms/pair':>13}{'pairs/s':>9}")
    curate = [sys.executable, "-m", "curation.cli"]
    for data in arguments.data:
        n = sum(1 for _ in (data / "images").iterdir())
        with tempfile.TemporaryDirectory() as scratch:
            where = ["--data", str(data.resolve()), "--quiet"]
            build = [*curate, "build-selection", "--level", "2", *where, "--work", "w", "--out", "m"]
            steps = {
                "scores, no label_error": [*curate, "score", "--no-label-error", *where, "--work", "scores"],
                "level 2, cold": build,
                "level 2, nothing changed": build,
                "report": [*curate, "report", *where, "--work", "w"],
            }
            for step, command in steps.items():
                cost = measure(command, cwd=scratch)
                rate = f"{CORES * n / cost.cpu:9.0f}" if step.startswith("scores") else ""
                print(
                    f"{n:8}  {step:26}{cost.wall:9.1f}{cost.cpu:9.1f}{cost.peak / 1e6:9.0f}{cost.cpu / n * 1000:13.2f}{rate}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
