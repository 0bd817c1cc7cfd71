"""Per-pair scores beside cleanvision and imagededup on the same folder, in one run.

    python -m benchmarks.peers --data big [--repeat 3] [--venv .venv-peers]

DATA holds images/ and labels/. The peers see images/ only; ours reads the label maps, too. They live in a virtual environment of their own
(made at the first run) and are never a dependency. The three take turns, so a machine whose speed drifts treats them alike.
Printed: CPU milliseconds a pair, pairs per second of CPU capacity (2 cores * N / CPU seconds), and the ratios.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measured import Cost, machine, measure

PINNED = ["cleanvision==0.3.7", "imagededup==0.3.3"]
CLEANVISION = """
import sys
from cleanvision import Imagelab
if __name__ == "__main__":
    Imagelab(data_path=sys.argv[1]).find_issues(verbose=False)
"""
# its package downloads weights of a network on import; PHash needs none, so that module is left out
IMAGEDEDUP = """
import sys, types
sys.modules["imagededup.methods.cnn"] = types.SimpleNamespace(CNN=None)
from imagededup.methods import PHash
if __name__ == "__main__":
    PHash(verbose=False).encode_images(image_dir=sys.argv[1])
"""
CORES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=Path(".venv-peers"))
    arguments = parser.parse_args()
    python = peers_python(arguments.venv)
    photos = str((arguments.data / "images").resolve())
    n = sum(1 for _ in (arguments.data / "images").iterdir())
    costs: dict[str, list[Cost]] = {"curate score": [], "cleanvision, all issues": [], "imagededup PHash": []}
    with tempfile.TemporaryDirectory() as scratch:
        scripts = {}
        for name, code in (("cleanvision, all issues", CLEANVISION), ("imagededup PHash", IMAGEDEDUP)):
            scripts[name] = Path(scratch) / f"{len(scripts)}.py"
            scripts[name].write_text(code)
        for turn in range(arguments.repeat):
            work = Path(scratch) / f"work{turn}"
            ours = [sys.executable, "-m", "curation.cli", "score", "--no-label-error", "--quiet"]
            costs["curate score"].append(measure([*ours, "--data", str(arguments.data.resolve()), "--work", str(work)]))
            for name, script in scripts.items():
                costs[name].append(measure([str(python), str(script), photos], cwd=scratch))
    print(f"{machine()}; {datetime.date.today()}; {n} pairs, {arguments.repeat} turns, medians")
    print(
        f"{'':26}{'CPU ms/pair':>12}{'pairs/s of ' + str(CORES) + ' cores':>22}{'wall s':>9}{'peak MB':>9}{'CPU / ours':>12}"
    )
    base = statistics.median(c.cpu for c in costs["curate score"])
    for name, some in costs.items():
        cpu, wall = (statistics.median(getattr(c, what) for c in some) for what in ("cpu", "wall"))
        ratios = sorted(theirs.cpu / ours.cpu for theirs, ours in zip(some, costs["curate score"], strict=True))
        spread = f"{statistics.median(ratios):.2f}"
        print(
            f"{name:26}{cpu / n * 1000:12.2f}{CORES * n / cpu:22.0f}{wall:9.1f}{max(c.peak for c in some) / 1e6:9.0f}{spread:>12}"
        )
    print(f"ours takes {base:.1f} CPU seconds, reading photos and label maps")


def peers_python(venv: Path) -> Path:
    """The interpreter of the peers' own virtual environment, made and filled where it is missing."""
    python = venv / "bin/python"
    if not python.exists():
        print(f"installing {', '.join(PINNED)} into {venv} (they bring torch: several GB) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINNED], check=True)
    return python.absolute()


if __name__ == "__main__":
    main()
