import numpy as np
import pytest

from app.balance import Balance
from app.table import Table
from curation.report.shares import class_shares
from curation.workspace import Workspace


@pytest.fixture(scope="module")
def table(reviewed_work) -> Table:
    return Table(Workspace.load(reviewed_work))


def test_shares_are_those_of_the_report(table):
    balance = Balance(table)
    assert balance.wait(30) and not balance.error
    n, expected = class_shares(table.work.parts, table.work.space, {table.id(p) for p in np.flatnonzero(table.kept)})
    found = balance.shares(table.kept)
    assert balance.counted == n and [s.name for s in found] == [s.name for s in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.area == pytest.approx(other.area, abs=1e-5) and one.pairs == pytest.approx(other.pairs, abs=1e-5)


def test_a_sample_is_no_larger_than_asked_by_much(table):
    balance = Balance(table, most=30)
    assert balance.wait(30) and 10 <= balance.counted <= 50


def test_without_kept_pairs_there_is_nothing_after(table):
    balance = Balance(table)
    balance.wait(30)
    assert all(s.area[1] == 0 for s in balance.shares(np.zeros(len(table), bool)))


def test_parts_that_cannot_be_read_are_a_text(opened):
    part = sorted(opened.work.parts.glob("*.parquet"))[0]
    part.write_bytes(b"PAR1 cut off")
    balance = Balance(opened.table)
    assert balance.wait(30) and "cannot be read" in balance.error
