"""Grouping layouts beside the matching of imagededup and fastdup: the same layouts, as many items, one run.

    python -m benchmarks.matching_peers --labels contest_labels/labels [--n 1000 10000] [--repeat 1] [--most 600] [--keep FOLDER]

The layouts are those of benchmarks/grouping.py. Ours groups them (equivalence.classes_of); the peers get a picture of each, 192x144 in
class colours, which shows what the layout holds and no more. They work out their hashes and features beforehand; timed is what comes
after: imagededup's PHash.find_duplicates(encoding_map=...) by two of its search methods, fastdup.run(run_mode=2), with their defaults.
Start-up is not counted. The peers live in virtual environments of their own, made at the first run, and are never a dependency;
fastdup's reports to its maker are switched off. A run that would take more than --most seconds, by the growth so far, is left out.

Printed, in two tables. What it costs: CPU and wall seconds (medians), the most memory (proportional set size, start-up included), the
exponent of growth since the size before, CPU seconds / ours. What comes out: couples reported, the share of them whose layouts are similar
enough by our measure (of a sample); clusters of two and more, items in them, the largest, and how similar the two least similar members
of that are (of a sample). Ours reports couples of a member and its representative. imagededup reports couples alone: its clusters are
their connected components. fastdup's are the components that it writes.
"""

from __future__ import annotations

import argparse
import datetime
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measured import machine
from benchmarks.peer_matches import Items, Result, duplicates, fastdup_python, neighbours, ours
from benchmarks.peers import peers_python
from curation.equivalence import TAU
from curation.layout import mirrored

COUPLES, MEMBERS = 20_000, 1_000  # of which similarity is measured, at most
SURE = 5  # seconds; a run that took less says little of how a larger one grows
COSTS = "| items | | CPU s | wall s | peak MB | growth | CPU / ours |"
OUTCOMES = "| items | | couples | similar enough | clusters | items in them | largest | least similar in it |"


@dataclass(frozen=True)
class Tool:
    """power: its cost is expected to grow with this power of the number of items; match: a number of items -> what it finds."""

    name: str
    power: int
    match: Callable[[int], Result]

    def seconds(self, before: tuple[int, float, float] | None, n: int) -> float:
        """Wall seconds to expect, by (items, CPU, wall) of the run before; 0 where that says little."""
        return before[2] * (n / before[0]) ** self.power if before and before[2] >= SURE else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="folder of label maps, PNG of class ids")
    parser.add_argument("--n", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=1, help="the tools take turns, so often")
    parser.add_argument("--most", type=float, default=600, help="seconds that a run may take")
    parser.add_argument(
        "--keep", type=Path, help="leave layouts and what peers make of them here, and take them from here"
    )
    parser.add_argument("--imagededup-venv", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--fastdup-venv", type=Path, default=Path(".venv-fastdup"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        items = Items(arguments.keep or Path(scratch), arguments.labels, arguments.seed, max(arguments.n))
        imagededup, fastdup = peers_python(arguments.imagededup_venv), fastdup_python(arguments.fastdup_venv)
        tools = [
            Tool("curate, `classes_of`", 1, lambda n: ours(items, n)),
            Tool(
                "imagededup 0.3.3, `brute_force_cython` (default)",
                2,
                lambda n: duplicates(items, n, imagededup, "brute_force_cython"),
            ),
            Tool("imagededup 0.3.3, `bktree`", 2, lambda n: duplicates(items, n, imagededup, "bktree")),
            Tool("fastdup 2.54, `run_mode=2`", 1, lambda n: neighbours(items, n, fastdup)),
        ]
        costs, outcomes = compare(tools, items.layouts, sorted(arguments.n), arguments.repeat, arguments.most)
    print(
        f"{machine()}; {datetime.date.today()}; {arguments.labels}; least similarity {TAU}; turns: {arguments.repeat}"
    )
    for head, rows in ((COSTS, costs), (OUTCOMES, outcomes)):
        print(f"\n{head}\n|{'---|' * (head.count('|') - 1)}", *rows, sep="\n")
    return 0


def compare(
    tools: list[Tool], layouts: np.ndarray, sizes: list[int], repeat: int, most: float
) -> tuple[list[str], list[str]]:
    """Rows of COSTS and of OUTCOMES; the first tool is the one that the others are compared with."""
    costs, outcomes = [], []
    before: dict[str, tuple[int, float, float]] = {}
    for n in sizes:
        expected = {tool.name: tool.seconds(before.get(tool.name), n) for tool in tools}
        results: dict[str, list[Result]] = {}
        for turn in range(repeat):
            for tool in tools:
                if expected[tool.name] <= most:
                    print(f"{n:,}, turn {turn + 1} of {repeat}: {tool.name}", file=sys.stderr, flush=True)
                    results.setdefault(tool.name, []).append(tool.match(n))
        for name, seconds in expected.items():
            if name not in results:
                costs.append(f"| {n:,} | {name} | | not run: about {seconds:,.0f} by its growth | | | |")
                continue
            cpu, wall = (statistics.median(getattr(r, what) for r in results[name]) for what in ("cpu", "wall"))
            ratios = [r.cpu / base.cpu for r, base in zip(results[name], results.get(tools[0].name, []), strict=False)]
            ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
            last = before.get(name)
            growth = f"{math.log(cpu / last[1]) / math.log(n / last[0]):.2f}" if last else ""
            peak = max(r.peak for r in results[name]) / 1e6
            costs.append(f"| {n:,} | {name} | {cpu:.2f} | {wall:.2f} | {peak:.0f} | {growth} | {ratio} |")
            outcomes.append(f"| {n:,} | {name} | {outcome(layouts[:n], results[name][0])} |")
            before[name] = n, cpu, wall
    return costs, outcomes


def similarities(layouts: np.ndarray, couples: np.ndarray) -> np.ndarray:
    """(n, *SHAPE) layouts, (m, 2) couples -> (m,) how similar their layouts are, in [0, 1], the second in a mirror where that is better."""
    found = []
    for some in np.array_split(couples, len(couples) // 1000 + 1):
        a, b = layouts[some[:, 0]], layouts[some[:, 1]]
        found.append(np.maximum(*((a == other).mean((1, 2, 3)) for other in (b, mirrored(b)))))
    return np.concatenate(found)


def outcome(layouts: np.ndarray, result: Result) -> str:
    """What a tool found, as cells of OUTCOMES."""
    rng = np.random.default_rng(0)
    some = rng.permutation(len(result.couples))[:COUPLES]
    enough = (similarities(layouts, result.couples[some]) >= TAU - 1e-9).mean() if len(some) else float("nan")
    _, cluster, sizes = np.unique(result.cluster, return_inverse=True, return_counts=True)
    shared = sizes[sizes > 1]
    members = rng.permutation(np.flatnonzero(cluster == sizes.argmax()))[:MEMBERS]
    couples = np.stack(np.triu_indices(len(members), 1), 1)
    least = f"{similarities(layouts, members[couples]).min():.3f}" if len(couples) else ""
    return f"{len(result.couples):,} | {enough:.3f} | {len(shared):,} | {shared.sum():,} | {sizes.max():,} | {least}"


if __name__ == "__main__":
    sys.exit(main())
