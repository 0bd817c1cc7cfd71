"""The data set's coupled classes: what is counted, how it is ranked, what is suggested, and that the picture shows it."""

import math

import numpy as np
import pandas as pd
import pytest

from curation.coupling_matrix import BLUES, DOUBT, MOST_DRAWN, ORANGES, Tally, class_table, draw, suggestions, table
from curation.evidence.panel import PAPER
from curation.landscape import adjacency, aggregation, contagion, edge_density, interspersion

NAMES = ["river", "lake", "water", "tree", "sky"]
RIVER, LAKE, WATER, TREE, SKY = range(5)


def halves(a, b):
    ids = np.full((96, 128), a, np.uint8)
    ids[48:] = b
    return ids


def mixed(a, b, columns=64):
    """Stripes of two classes in the left columns, the first class in the others."""
    ids = np.full((96, 128), a, np.uint8)
    ids[:, :columns] = np.where(np.arange(columns) // 2 % 2, a, b)
    return ids


def tally_of(*maps):
    tally = Tally(5)
    for ids in maps:
        tally.add(ids)
    return tally


def alike_with(**pairs):
    """alike_with(river_lake=0.5): the rest 0.1."""
    alike = np.full((5, 5), 0.1)
    for pair, value in pairs.items():
        a, b = (NAMES.index(name) for name in pair.split("_"))
        alike[a, b] = alike[b, a] = value
    return alike


def row_of(pairs, first, second):
    return next(r for r in pairs.itertuples() if {r.first, r.second} == {first, second})


def pairs_of(**couplings):
    """A table of four classes by hand."""
    rows = []
    for pair, (both, interleaved, alike, coupling) in couplings.items():
        rows.append((*pair.split("_"), both, interleaved, 0.1, alike, coupling))
    columns = ["first", "second", "both", "interleaved", "share", "alike", "coupling"]
    return pd.DataFrame(rows, columns=columns).sort_values("coupling", ascending=False, kind="stable")


# --- tables -------------------------------------------------------------------------------------


def test_the_table_counts_maps_and_means_shares():
    tally = tally_of(mixed(SKY, TREE), halves(SKY, TREE), halves(SKY, TREE), halves(WATER, SKY))
    pairs = table(tally, NAMES)
    assert list(pairs.columns) == ["first", "second", "both", "interleaved", "share", "alike", "coupling"]
    assert len(pairs) == 3  # of the three classes that occur
    row = row_of(pairs, "tree", "sky")
    assert (row.first, row.second, row.both, row.interleaved) == ("tree", "sky", 3, 1)
    assert row.share == pytest.approx(0.5 / 3, abs=0.02)
    assert math.isnan(row.alike)
    assert row.coupling == pytest.approx(1 / (3 + DOUBT), abs=1e-4)
    apart = row_of(pairs, "water", "tree")
    assert apart.both == 0 and math.isnan(apart.share) and apart.coupling == 0


def test_either_interleaving_or_looking_alike_couples_a_pair():
    tally = tally_of(*[mixed(SKY, TREE)] * 4, *[halves(RIVER, TREE)] * 4, halves(WATER, TREE))
    pairs = table(tally, NAMES, alike_with(river_water=0.8, tree_sky=0.05))
    assert row_of(pairs, "river", "water").coupling == pytest.approx(0.8)  # never in one picture
    assert row_of(pairs, "tree", "sky").coupling == pytest.approx(1 - 0.95 * 0.5)
    assert row_of(pairs, "river", "tree").coupling == pytest.approx(0.1)
    assert pairs["coupling"].is_monotonic_decreasing


def test_tallies_of_parts_add_up_to_the_tally_of_the_whole():
    maps = [mixed(SKY, TREE), halves(SKY, WATER), mixed(RIVER, LAKE, 30), np.full((96, 128), 255, np.uint8)]
    whole, parts = tally_of(*maps), tally_of(*maps[:1])
    parts += tally_of(*maps[1:])
    assert vars(whole).keys() == vars(parts).keys()
    for name, value in vars(whole).items():
        assert getattr(parts, name) == pytest.approx(value), name
    pd.testing.assert_frame_equal(table(parts, NAMES), table(whole, NAMES))


def test_the_class_table_has_the_mean_landscape_measures():
    ids = halves(SKY, TREE)
    ids[40:56, 32:64] = WATER
    (seen, at) = adjacency(ids), 1
    assert seen.classes[at] == TREE
    classes = class_table(tally_of(ids, halves(SKY, TREE)), NAMES)
    assert classes["name"].tolist() == ["tree", "sky", "water", "all classes"]  # by area; of the same, by index
    tree = classes.iloc[0]
    plain = adjacency(halves(SKY, TREE))
    assert tree["maps"] == 2
    assert tree["area"] == pytest.approx((seen.cells[at] / ids.size + 0.5) / 2, abs=1e-4)
    assert tree["edge_density"] == pytest.approx((edge_density(seen, at) + edge_density(plain, 0)) / 2, abs=1e-4)
    assert tree["interspersion"] == pytest.approx(interspersion(seen, at), abs=1e-4)  # two classes have none
    assert math.isnan(tree["contagion"])
    everything = classes.iloc[-1]
    assert everything["maps"] == 2
    assert everything["aggregation"] == pytest.approx((aggregation(seen) + aggregation(plain)) / 2, abs=1e-4)
    assert everything["contagion"] == pytest.approx((contagion(seen) + contagion(plain)) / 2, abs=1e-4)


def test_nothing_counted_makes_empty_tables_and_a_picture():
    for tally in (tally_of(), tally_of(np.full((96, 128), 255, np.uint8)), tally_of(np.zeros((96, 128), np.uint8))):
        pairs = table(tally, NAMES)
        assert len(pairs) == 0 and suggestions(pairs) == []
        assert draw(pairs).shape[2] == 3
        assert class_table(tally, NAMES)["name"].iloc[-1] == "all classes"


# --- words --------------------------------------------------------------------------------------


def test_classes_that_look_alike_are_suggested_as_one_merge():
    tally = tally_of(*[halves(c, SKY) for c in (RIVER, LAKE, WATER)])
    alike = alike_with(river_lake=0.7, river_water=0.5, lake_water=0.45)
    assert suggestions(table(tally, NAMES, alike)) == [
        "river, lake and water look alike (every two of them 45 % or more); to make one class of them: "
        "--merge river,lake,water"
    ]


def test_no_chain_joins_classes_that_differ():
    tally = tally_of(*[halves(c, SKY) for c in (RIVER, LAKE, WATER)])
    (said,) = suggestions(table(tally, NAMES, alike_with(river_lake=0.7, lake_water=0.45, river_water=0.2)))
    assert said == "river and lake look alike (70 %); to make one class of them: --merge river,lake"


def test_a_pair_that_interleaves_but_looks_different_is_not_to_be_merged():
    tally = tally_of(*[mixed(SKY, TREE)] * 6)
    (said,) = suggestions(table(tally, NAMES, alike_with()))
    assert said.startswith("tree and sky interleave in 6 of 6 maps with both, over 49 % of the picture on average, ")
    assert said.endswith("but look different (alike 10 %); better reject such pairs than merge the classes")
    (said,) = suggestions(table(tally, NAMES))
    assert said.endswith("; if they look the same to you: --merge tree,sky")
    assert suggestions(table(tally_of(mixed(SKY, TREE)), NAMES)) == []  # one map proves nothing


def test_names_with_spaces_are_quoted():
    pairs = pairs_of(**{"fir tree_pine tree": (9, 9, 0.8, 0.9)})
    assert suggestions(pairs)[0].endswith('--merge "fir tree,pine tree"')


# --- picture ------------------------------------------------------------------------------------


def shades_in(drawn, shades):
    return bool((drawn == np.round(shades).astype(int)).all(2).any())


def test_the_picture_has_interleaving_in_blue_and_likeness_in_orange():
    pairs = pairs_of(a_b=(10, 5, 0.5, 0.8), a_c=(10, 0, 0.0, 0.1), b_c=(10, 0, 0.0, 0.0))
    drawn = draw(pairs)
    blue, orange = (np.argwhere((drawn[:-150] == shades[-1]).all(2)) for shades in (BLUES, ORANGES))
    (top, right), (bottom, left) = blue.mean(0), orange.mean(0)
    assert top < bottom and left < right  # above the diagonal, below it
    assert len(blue) > 1000 and len(orange) > 1000  # a cell each, at the end of its scale: 50 %


def test_pairs_that_hardly_meet_and_likeness_that_is_not_known_stay_blank():
    pairs = pairs_of(a_b=(DOUBT - 1, DOUBT - 1, math.nan, 0.4))
    assert not shades_in(draw(pairs)[:-150], BLUES[-1])
    assert not shades_in(draw(pairs)[:-150], ORANGES[-1])
    assert shades_in(draw(pairs_of(a_b=(DOUBT, DOUBT, math.nan, 0.4)))[:-150], BLUES[-1])


@pytest.mark.parametrize("n", [2, 8, 29, 150])
def test_the_picture_stays_readable_with_any_number_of_classes(n):
    rng = np.random.default_rng(0)
    tally = Tally(n)
    tally.both += 9
    tally.interleaved[0, 1] = tally.interleaved[1, 0] = 9
    drawn = draw(table(tally, [f"class number {i}" for i in range(n)], rng.uniform(0, 0.3, (n, n))))
    assert 400 < drawn.shape[0] < 1500 and 500 < drawn.shape[1] < 1500
    assert drawn.dtype == np.uint8 and (drawn[-1] == PAPER).all()


def test_too_many_classes_leave_the_most_coupled():
    n = MOST_DRAWN + 10
    tally = Tally(n)
    tally.both += 9
    tally.interleaved[n - 1, n - 2] = tally.interleaved[n - 2, n - 1] = 9
    shades = draw(table(tally, [f"c{i}" for i in range(n)]))[:-150]
    assert shades_in(shades, BLUES[-1])


def test_no_name_can_break_the_picture():
    pairs = pairs_of(**{f"{'very long ' * 20}_天空": (9, 9, 0.8, 0.9)})
    assert draw(pairs).shape[1] < 1500
