"""Landscape measures: exact values on tiny maps, worked out by hand from the formulas in the docstrings."""

import math

import numpy as np
import pytest

from curation import landscape
from curation.landscape import CELL_SIDES, adjacency, aggregation, boundary, contagion, edge_density, interspersion

THREE = np.array([[0, 0, 1], [0, 2, 1], [2, 2, 1]], np.uint8)  # sides: 0-1 one, 0-2 three, 1-2 two; two within each
CHECKER = (np.indices((4, 4)).sum(0) % 2).astype(np.uint8)
U = 255


def entropy(*parts):
    return -sum(p * math.log(p) for p in parts)


def test_sides_are_counted_once_within_and_between_classes():
    seen = adjacency(THREE)
    assert seen.classes.tolist() == [0, 1, 2]
    assert seen.cells.tolist() == [3, 3, 3]
    assert seen.sides.tolist() == [[2, 1, 3], [1, 2, 2], [3, 2, 2]]


def test_unknown_cells_have_neither_area_nor_sides():
    seen = adjacency(np.array([[9, U, 4], [9, 4, 4]], np.uint8))
    assert seen.classes.tolist() == [4, 9]
    assert seen.cells.tolist() == [3, 2]
    assert seen.sides.tolist() == [[2, 1], [1, 1]]
    nothing = adjacency(np.full((3, 4), U, np.uint8))
    assert nothing.sides.shape == (0, 0)
    assert all(math.isnan(measure(nothing)) for measure in (edge_density, contagion, interspersion, aggregation))


def test_edge_density():
    assert edge_density(adjacency(THREE)) == pytest.approx(6 / 9)
    assert [edge_density(adjacency(THREE), at) for at in range(3)] == pytest.approx([4 / 9, 3 / 9, 5 / 9])
    assert edge_density(adjacency(CHECKER)) == 24 / 16
    assert edge_density(adjacency(np.zeros((3, 3), np.uint8))) == 0


def test_contagion():
    # sides from each class to each, those within it from both ends: (4 1 3), (1 4 2), (3 2 4)
    parts = [n / total / 3 for total, row in ((8, (4, 1, 3)), (7, (1, 4, 2)), (9, (3, 2, 4))) for n in row]
    assert contagion(adjacency(THREE)) == pytest.approx(1 - entropy(*parts) / (2 * math.log(3)))
    assert contagion(adjacency(CHECKER)) == pytest.approx(0.5)  # two pairs (0, 1) and (1, 0), a half each
    even = np.array(
        [[0, 0, 1], [1, 1, 0], [1, 0, 0]], np.uint8
    )  # not clumped at all: four pairs, nearly a quarter each
    assert contagion(adjacency(even)) == pytest.approx(0, abs=0.02)
    assert math.isnan(contagion(adjacency(np.zeros((3, 3), np.uint8))))
    assert math.isnan(contagion(adjacency(np.array([[0, U, 1, 1]], np.uint8))))  # 0 lies beside nothing known


def test_contagion_nears_one_where_one_class_has_nearly_all():
    ids = np.zeros((100, 100), np.uint8)
    ids[50, 50] = 1
    assert 0.99 < contagion(adjacency(ids)) < 1


def test_interspersion():
    assert interspersion(adjacency(THREE)) == pytest.approx(entropy(1 / 6, 3 / 6, 2 / 6) / math.log(3))
    of_class = [entropy(1 / 4, 3 / 4), entropy(1 / 3, 2 / 3), entropy(3 / 5, 2 / 5)]
    assert [interspersion(adjacency(THREE), at) for at in range(3)] == pytest.approx(
        [e / math.log(2) for e in of_class]
    )
    stripes = adjacency(np.array([[0, 1, 2]], np.uint8))
    assert interspersion(stripes) == pytest.approx(math.log(2) / math.log(3))
    assert interspersion(stripes, 0) == 0  # borders on one of two
    assert interspersion(stripes, 1) == pytest.approx(1)  # on both alike
    assert math.isnan(interspersion(adjacency(CHECKER)))


@pytest.mark.parametrize(
    ("cells", "index"),
    [
        ("##,##", 1),  # 4 cells have at most 4 sides within
        ("####", 3 / 4),
        (".#.,###,.#.", 4 / 5),  # 5 cells: 4 + 2 * 1 - 1
        ("#.#,.#.", 0),  # 3 cells: 2 * 2 - 2
        ("###,###,#..", 8 / 8),  # 7 cells: 4 + 2 * 3 - 2
        ("##,##,##", 7 / 7),  # 6 cells: 4 + 2 * 2 - 1
        ("#", math.nan),
    ],
)
def test_aggregation_of_one_class(cells, index):
    ids = np.array([[7 if c == "#" else U for c in row] for row in cells.split(",")], np.uint8)
    assert aggregation(adjacency(ids), 0) == pytest.approx(index, nan_ok=True)
    assert aggregation(adjacency(ids)) == pytest.approx(index, nan_ok=True)


def test_aggregation_of_a_map_is_that_of_its_classes_by_area():
    ids = np.array([[0, 0, 0, 0], [1, 1, 1, 2]], np.uint8)  # 3/4 of 4 cells, 2/2 of 3; 2 has a single cell
    assert aggregation(adjacency(ids)) == pytest.approx((4 * 3 / 4 + 3 * 1) / 7)


# --- boundaries by place ------------------------------------------------------------------------


def test_boundary_stands_on_both_sides_and_not_against_unknown():
    assert boundary(np.array([[0, 1], [0, 1]], np.uint8)).tolist() == [[29, 29], [29, 29]]
    one = np.zeros((3, 3), np.uint8)
    one[1, 1] = 5
    assert boundary(one).tolist() == [[12, 17, 12], [17, 116, 17], [12, 17, 12]]
    one[1, 1] = U
    assert not boundary(one).any()
    assert boundary(np.array([[3]], np.uint8)).tolist() == [[0]]


@pytest.mark.parametrize("degrees", range(0, 91, 15))
def test_a_straight_boundary_is_as_long_whichever_way_it_runs(degrees):
    y, x = np.mgrid[:201, :201] - 100
    angle = math.radians(degrees)
    inside = y**2 + x**2 < 80**2
    ids = np.where(inside, (x * math.sin(angle) > y * math.cos(angle) + 0.3).astype(np.uint8), U).astype(np.uint8)
    assert CELL_SIDES * boundary(ids).sum(dtype=np.int64) == pytest.approx(160, rel=0.07)


def test_edge_density_around_counts_the_cells_that_the_window_has():
    ids = np.zeros((30, 40), np.uint8)
    ids[:, 20:] = 1
    density = landscape.edge_density_around(boundary(ids), 5)
    line = CELL_SIDES * 2 * (17 + 2 * 12)  # of boundary per row
    assert line == pytest.approx(1, abs=0.06)
    assert density[10:20, 18:22] == pytest.approx(line / 5)
    assert density[15, 17] == pytest.approx(line / 10)  # the near half of it
    assert (density[:, :17] == 0).all()
    assert density[0, 20] == pytest.approx(
        CELL_SIDES * 2 * (17 * 3 + 12 * 5) / 15
    )  # 3 rows; a corner has one diagonal less


def test_window_sums_are_those_of_a_loop():
    values = np.random.default_rng(0).integers(0, 117, (13, 9)).astype(np.uint8)
    wanted = [[values[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].sum() for x in range(9)] for y in range(13)]
    assert landscape.window_sum(values, 5).tolist() == wanted
    assert landscape.window_sum(values.astype(np.float64), 5) == pytest.approx(np.array(wanted))


def test_borders_lie_right_of_and_below_a_change_between_known_classes():
    ids = np.array([[0, 0, 1], [0, 2, 1], [255, 2, 1]], np.uint8)
    assert landscape.borders(ids).tolist() == [[False, False, True], [False, True, True], [False, False, True]]
