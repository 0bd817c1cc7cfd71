"""Layouts -> couples and clusters: by our grouping, and by imagededup and fastdup from a picture of each layout.

Each tool runs in a process of its own, the peers in virtual environments of their own, and says what the matching alone cost.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.grouping import make_layouts
from benchmarks.measured import measure
from curation.equivalence import classes_of
from curation.label_space_files import load_builtin
from curation.layout import SHAPE

FASTDUP = "fastdup==2.54"
FEATURES = 576  # numbers by which fastdup describes a picture
SLICE = 10_000  # pictures that are described in one go
# no reports of errors and times to the maker; no question for the newest version
QUIET = {"SENTRY_OPT_OUT": "1", "FASTDUP_PRODUCTION": "1"}

# a peer's script is given: an empty folder to work in, a file for what comes out, files or names
COMMON = """
import json, resource, sys, time, types
from pathlib import Path
import numpy as np

work, out, given = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]

def timed(function):
    def clock():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return np.array([sum(u.ru_utime + u.ru_stime for u in used), time.monotonic()])
    before = clock()
    result = function()
    return result, clock() - before
"""
# its package downloads weights of a network on import; PHash needs none, so that module is left out
IMAGEDEDUP = (
    COMMON
    + """
sys.modules["imagededup.methods.cnn"] = types.SimpleNamespace(CNN=None)
from imagededup.methods import PHash
"""
)
HASH = (
    IMAGEDEDUP
    + """
if __name__ == "__main__":
    out.write_text(json.dumps([PHash(verbose=False).encode_image(one) for one in Path(given[0]).read_text().split()]))
"""
)
FIND = (
    IMAGEDEDUP
    + """
if __name__ == "__main__":
    method, *files = given
    hashes = {str(at): one for at, one in enumerate(one for file in files for one in json.loads(Path(file).read_text()))}
    found, cost = timed(lambda: PHash(verbose=False).find_duplicates(encoding_map=hashes, search_method=method))
    np.savez(out, cost=cost, couples=np.array([(int(a), int(b)) for a in found for b in found[a]], np.int64).reshape(-1, 2))
"""
)
DESCRIBE = (
    COMMON
    + """
import fastdup
if fastdup.run(input_dir=given[0], work_dir=str(work), run_mode=1, turi_param="nnmodel=0,run_stats=0"):
    sys.exit("fastdup failed")
read = (work / "atrain_features.dat.csv").read_text().split()[1:]
if [line.split(",")[1] for line in read] != Path(given[0]).read_text().split():
    sys.exit("fastdup did not take all pictures in their order")
(work / "atrain_features.dat").rename(out)
"""
)
NEIGHBOURS = (
    COMMON
    + """
import fastdup, pandas as pd
n, width, *files = given
np.concatenate([np.fromfile(file, np.float32) for file in files]).reshape(int(n), int(width)).tofile(work / "atrain_features.dat")
names = [f"{at}.png" for at in range(int(n))]
pd.DataFrame({"index": range(len(names)), "filename": names}).to_csv(work / "atrain_features.dat.csv", index=False)
failed, cost = timed(lambda: fastdup.run(input_dir=str(work / "none"), work_dir=str(work), run_mode=2, turi_param="nnmodel=0,run_stats=0"))
if failed:
    sys.exit("fastdup failed")
couples = pd.read_csv(work / "similarity.csv")
members = pd.read_csv(work / "connected_components.csv")
couples = np.stack([couples[end].str[:-4].astype(np.int64) for end in ("from", "to")], 1)
np.savez(out, cost=cost, couples=couples, members=members[["__id", "component_id"]].to_numpy(np.int64))
"""
)


@dataclass(frozen=True)
class Result:
    """cpu, wall in seconds; peak in bytes; couples: (m, 2) items, each couple once; cluster: (n,), a number for each cluster."""

    cpu: float
    wall: float
    peak: int
    couples: np.ndarray
    cluster: np.ndarray


class Items:
    """Layouts, and the picture of each, in a folder; what the peers make of the pictures, slice by slice."""

    def __init__(self, folder: Path, labels: Path, seed: int, n: int) -> None:
        self.folder, self.pictures = folder.resolve(), folder.resolve() / f"pictures-{seed}"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / f"layouts-{seed}-{n}.bin"
        if not self.file.exists():
            make_layouts(labels, n, seed, self.file)
        self.layouts = np.memmap(self.file, np.uint8, "r", shape=(n, *SHAPE))

    def described(self, n: int, name: str, python: Path, code: str) -> list[str]:
        """Files that a peer made of the pictures of a slice each; those that are there are not made again."""
        files = []
        for start in range(0, n, SLICE):
            stop = min(start + SLICE, n)
            file = self.folder / f"{name}-{self.pictures.name}-{start}-{stop}"
            if not file.exists():
                listed = self.folder / "pictures.txt"
                listed.write_text("".join(f"{self._picture(at)}\n" for at in range(start, stop)))
                self.run(python, code, file, str(listed))
            files.append(str(file))
        return files

    def run(self, python: Path, code: str, out: Path, *given: str) -> int:
        """Run a peer's script; return the most memory that it took, in bytes."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            script, work = Path(scratch) / "script.py", Path(scratch) / "work"
            script.write_text(code)
            work.mkdir()
            environment = {**os.environ, **QUIET, "HOME": scratch}  # fastdup writes files there
            return measure([str(python), str(script), str(work), str(out), *given], env=environment, cwd=scratch).peak

    def _picture(self, at: int) -> Path:
        path = self.pictures / f"{at:07d}.png"
        if not path.exists():
            cv2.imwrite(str(path), picture(self.layouts[at]))
        return path


def ours(items: Items, n: int) -> Result:
    """Our classes of the first n layouts; the couples are those of members with their representatives."""
    out = items.folder / "ours.npz"
    command = [sys.executable, "-m", "benchmarks.peer_matches", str(items.file), str(n), str(out)]
    peak = measure(command).peak
    found = np.load(out)
    return Result(
        *found["cost"], peak, _once(np.stack([np.arange(n), found["representative"]], 1)), found["representative"]
    )


def duplicates(items: Items, n: int, python: Path, method: str) -> Result:
    """imagededup's couples of the first n pictures, and their connected components."""
    out = items.folder / "imagededup.npz"
    peak = items.run(python, FIND, out, method, *items.described(n, "imagededup", python, HASH))
    found = np.load(out)
    couples = _once(found["couples"])
    return Result(*found["cost"], peak, couples, components(couples, n))


def neighbours(items: Items, n: int, python: Path) -> Result:
    """fastdup's couples and clusters of the first n pictures."""
    out = items.folder / "fastdup.npz"
    files = items.described(n, "fastdup", python, DESCRIBE)
    peak = items.run(python, NEIGHBOURS, out, str(n), str(FEATURES), *files)
    found = np.load(out)
    cluster = -1 - np.arange(n)
    cluster[found["members"][:, 0]] = found["members"][:, 1]
    return Result(*found["cost"], peak, _once(found["couples"]), cluster)


def picture(layout: np.ndarray) -> np.ndarray:
    """SHAPE uint8 -> (144, 192, 3) uint8 BGR: a cell is 4x4 pixels, the upper half in the colour of one class, the lower in the other's."""
    colours = np.zeros((256, 3), np.uint8)
    known = load_builtin("landscape29").colours
    colours[: len(known)] = np.array(known)[:, ::-1]
    rows, columns, _ = SHAPE
    return colours[layout.transpose(0, 2, 1).reshape(2 * rows, columns).repeat(2, 0).repeat(4, 1)]


def components(couples: np.ndarray, n: int) -> np.ndarray:
    """(m, 2) couples of n items -> (n,) the connected component of each."""
    graph = coo_array((np.ones(len(couples), bool), (couples[:, 0], couples[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def fastdup_python(venv: Path) -> Path:
    """The interpreter of fastdup's own virtual environment, made and filled where it is missing."""
    python = venv / "bin/python"
    if not python.exists():
        print(f"installing {FASTDUP} into {venv} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", FASTDUP], check=True)
    return python.absolute()


def _once(couples: np.ndarray) -> np.ndarray:
    couples = np.unique(np.sort(couples, axis=1), axis=0)
    return couples[couples[:, 0] != couples[:, 1]]


def _group(file: str, n: str, out: str) -> None:
    layouts = np.memmap(file, np.uint8, "r").reshape(-1, *SHAPE)[: int(n)]

    def clock() -> np.ndarray:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return np.array([used.ru_utime + used.ru_stime, time.monotonic()])

    before = clock()
    classes = classes_of([f"{at:09d}" for at in range(len(layouts))], layouts)
    np.savez(out, cost=clock() - before, representative=[representative for representative, _ in classes])


if __name__ == "__main__":
    _group(*sys.argv[1:])
