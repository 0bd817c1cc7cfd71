"""The comparison with other matchers: what it says of couples and clusters, on layouts worked out by hand, and with stand-ins for the peers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import ROOT

from benchmarks import peer_matches
from benchmarks.matching_peers import Tool, compare, outcome, similarities
from benchmarks.peer_matches import Items, Result, components, duplicates, ours, picture
from curation.layout import SHAPE


def stripes(left: int) -> np.ndarray:
    """Class 1 in so many columns of cells on the left, class 2 in the others."""
    layout = np.full(SHAPE, 2, np.uint8)
    layout[:, :left] = 1
    return layout


LAYOUTS = np.stack([stripes(12), stripes(12), stripes(18), stripes(24), np.full(SHAPE, 5, np.uint8)])


def result(couples: list[tuple[int, int]], cluster: list[int], cpu: float = 1.0, wall: float = 1.0) -> Result:
    return Result(cpu, wall, 5_000_000, np.array(couples, np.int64).reshape(-1, 2), np.array(cluster))


def test_a_picture_shows_what_the_layout_holds_and_no_more():
    layout = np.random.default_rng(0).integers(0, 29, SHAPE).astype(np.uint8)
    drawn = picture(layout)
    assert drawn.shape == (144, 192, 3) and drawn.dtype == np.uint8
    cells = drawn.reshape(36, 2, 2, 48, 4, 3)
    assert (cells == cells[:, :, :1, :, :1]).all()  # a cell is an upper and a lower half
    colour = {}
    for seen, index in zip(
        cells[:, :, 0, :, 0].transpose(0, 2, 1, 3).reshape(-1, 3).tolist(), layout.ravel().tolist(), strict=True
    ):
        assert colour.setdefault(index, seen) == seen
    assert len({tuple(one) for one in colour.values()}) == 29


def test_similarity_is_that_of_layouts_or_of_the_mirror_image():
    layouts = np.stack([stripes(12), stripes(18), 3 - stripes(36)])
    assert similarities(layouts, np.array([(0, 1), (0, 2), (1, 2)])) == pytest.approx([1 - 6 / 48, 1, 1 - 6 / 48])


def test_the_outcome_tells_a_chain_from_a_bounded_cluster():
    # 0 = 1, 12.5 % apart from 2, as far as that from 3; 4 is another thing altogether
    chained = result([(0, 1), (1, 2), (2, 3)], components(np.array([(0, 1), (1, 2), (2, 3)]), 5).tolist())
    assert outcome(LAYOUTS, chained) == "3 | 0.333 | 1 | 4 | 4 | 0.750"
    assert outcome(LAYOUTS, result([(0, 1)], [0, 0, 2, 3, 4])) == "1 | 1.000 | 1 | 2 | 2 | 1.000"
    assert outcome(LAYOUTS, result([], [0, 1, 2, 3, 4])) == "0 | nan | 0 | 0 | 1 | "


def test_growth_ratios_and_runs_that_would_take_too_long():
    asked = []

    def slow(n: int) -> Result:
        asked.append(n)
        return result([], list(range(n)), cpu=n * n / 2, wall=10.0)

    tools = [Tool("ours", 1, lambda n: result([], list(range(n)), cpu=n)), Tool("theirs", 2, slow)]
    costs, outcomes = compare(tools, np.zeros((40, *SHAPE), np.uint8), [2, 4, 40], repeat=2, most=100)
    assert asked == [2, 2, 4, 4]
    assert costs == [
        "| 2 | ours | 2.00 | 1.00 | 5 |  | 1.00 |",
        "| 2 | theirs | 2.00 | 10.00 | 5 |  | 1.00 |",
        "| 4 | ours | 4.00 | 1.00 | 5 | 1.00 | 1.00 |",
        "| 4 | theirs | 8.00 | 10.00 | 5 | 2.00 | 2.00 |",
        "| 40 | ours | 40.00 | 1.00 | 5 | 1.00 | 1.00 |",
        "| 40 | theirs | | not run: about 1,000 by its growth | | | |",
    ]
    assert len(outcomes) == 5


@pytest.fixture
def items(tmp_path) -> Items:
    labels = tmp_path / "labels"
    labels.mkdir()
    for k in range(6):
        ids = np.full((72, 96), 2, np.uint8)
        ids[:, : 12 + 24 * (k // 2)] = 1
        cv2.imwrite(str(labels / f"{k}.png"), ids)
    return Items(tmp_path / "keep", labels, seed=0, n=8)


def test_ours_is_grouped_in_a_process_of_its_own(items):
    found = ours(items, 6)
    assert found.cluster[0] == found.cluster[1] and found.cluster[2] == found.cluster[3]
    assert len(found.couples) == 6 - len(set(found.cluster.tolist()))
    assert found.cpu > 0 and found.wall > 0


def test_peers_get_pictures_once_and_are_timed_on_what_they_made_of_them(items, monkeypatch):
    """With programs in the place of imagededup's: the hash of a picture is its digest, couples are those of equal hashes."""
    told = items.folder / "described.txt"
    monkeypatch.setattr(
        peer_matches,
        "HASH",
        peer_matches.COMMON
        + f"""
import hashlib
names = Path(given[0]).read_text().split()
with open({str(told)!r}, "a") as f:
    f.write(f"{{len(names)}} ")
out.write_text(json.dumps([hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in names]))
""",
    )
    monkeypatch.setattr(
        peer_matches,
        "FIND",
        peer_matches.COMMON
        + """
assert given[0] == "some method"
hashes = [one for file in given[1:] for one in json.loads(Path(file).read_text())]
found, cost = timed(lambda: [(a, b) for a in range(len(hashes)) for b in range(len(hashes)) if a != b and hashes[a] == hashes[b]])
np.savez(out, cost=cost, couples=np.array(found, np.int64).reshape(-1, 2))
""",
    )
    monkeypatch.setattr(peer_matches, "SLICE", 4)
    found = [duplicates(items, 6, Path(sys.executable), "some method") for _ in range(2)][1]
    assert told.read_text() == "4 2 "
    assert found.couples.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert len(set(found.cluster.tolist())) == 3 and found.cluster[0] == found.cluster[1]


def test_the_peers_scripts_are_whole_programs():
    for code in (peer_matches.HASH, peer_matches.FIND, peer_matches.DESCRIBE, peer_matches.NEIGHBOURS):
        compile(code, "script", "exec")
    done = subprocess.run([sys.executable, "-m", "benchmarks.matching_peers"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "--labels" in done.stderr
