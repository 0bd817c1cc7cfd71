"""Search: a text in what is said of pairs, and in the names of the classes that their label maps show."""

from __future__ import annotations

import numpy as np

from app import search
from app.search import mentioned
from curation.report.shares import areas


def test_a_class_name_finds_the_pairs_whose_label_map_shows_it(opened):
    table, names = opened.table, opened.work.space.names
    covers = dict(areas(sorted(opened.work.parts.glob("*.parquet")), 1.0))
    seen = 0
    for index, name in enumerate(names):
        if any(name in other and other != name for other in names) or table.mentions(name).any():
            continue
        found = mentioned(table, name.upper())
        shown = np.array([covers[table.id(p)][index] if table.id(p) in covers else 0 for p in range(len(table))])
        assert found[shown > 0.05].all() and not found[shown == 0].any()
        seen += found.any() and not found.all()
    assert seen > 2


def test_what_else_is_said_counts_where_label_maps_are_gone(opened):
    for part in opened.work.parts.glob("*.parquet"):
        part.unlink()
    assert not mentioned(opened.table, opened.work.space.names[0]).any()
    first = opened.table.id(0)
    assert mentioned(opened.table, first)[0]


def test_label_maps_of_very_many_are_not_looked_through(opened, monkeypatch):
    monkeypatch.setattr(search, "MOST_LAYOUTS", 3)
    assert not search.looks_at_classes(opened.table) and not mentioned(opened.table, opened.work.space.names[0]).any()


def test_signs_mean_themselves(opened):
    for text in ("%", ".*", "[", "\\"):
        assert not mentioned(opened.table, text).any()
