"""Leases: no two reviewers hold a pair at once, on either database."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from curation.decisions import open_decisions


@pytest.fixture
def leases(empty_work, database):
    with open_decisions(empty_work, database, patience=60) as decisions:
        yield decisions.leases


def test_the_first_that_nobody_else_holds_are_taken_in_their_order(leases):
    assert leases.lease("anna", list("cabd"), 2, 60) == ["c", "a"]
    assert leases.lease("ben", list("cabd"), 3, 60) == ["b", "d"]
    assert leases.lease("cleo", list("cabd"), 3, 60) == leases.lease("cleo", [], 3, 60) == []
    assert leases.held_by_others("ben") == {"a", "c"} and leases.held_by_others("cleo") == set("abcd")


def test_what_one_holds_is_taken_again_and_no_pair_counts_twice(leases):
    assert leases.lease("anna", ["a", "b"], 2, 60) == ["a", "b"]
    assert leases.lease("anna", ["a", "a", "b", "c"], 3, 60) == ["a", "b", "c"]


def test_a_lease_ends_by_itself_and_one_that_is_renewed_does_not(leases):
    leases.lease("anna", ["a", "b"], 2, 1.0)
    leases.lease("anna", ["b"], 1, 60)
    assert leases.lease("ben", ["a", "b"], 2, 60) == []
    time.sleep(1.1)
    assert leases.held_by_others("ben") == {"b"}
    assert leases.lease("ben", ["a", "b"], 2, 60) == ["a"] and leases.lease("anna", ["a"], 1, 60) == []


def test_only_who_holds_a_pair_can_give_it_back(leases):
    leases.lease("anna", list("abc"), 3, 60)
    leases.release("ben", list("abc"))
    leases.release("anna", ["a", "c", "never held"])
    leases.release("anna", [])
    assert leases.held_by_others("ben") == {"b"}


def test_more_pairs_than_one_statement_takes(leases):
    many = [f"{i:04}" for i in range(1300)]
    assert leases.lease("anna", many, 1200, 60) == many[:1200]
    leases.release("anna", many[:1100])
    assert leases.lease("ben", many, 1300, 60) == many[:1100] + many[1200:]


@pytest.mark.parametrize("own_connections", [True, False], ids=["programs", "threads"])
def test_fifty_reviewers_who_ask_at_once_never_get_the_same_pair(empty_work, database, own_connections):
    candidates = [str(i) for i in range(200)]
    start = threading.Barrier(50)
    shared = open_decisions(empty_work, database, patience=60)

    def ask(i):
        store = open_decisions(empty_work, database, patience=60) if own_connections else shared
        start.wait()
        got = store.leases.lease(f"reviewer {i}", candidates, 3, 120)
        got += store.leases.lease(f"reviewer {i}", list(reversed(candidates)), 4, 120)
        store.close()
        return set(got)

    with ThreadPoolExecutor(50) as pool:
        got = list(pool.map(ask, range(50)))
    held = Counter(pair for some in got for pair in some)
    assert set(held.values()) == {1} and held.keys() == set(candidates)
    assert max(len(some) for some in got) <= 7


def test_fifty_reviewers_take_over_what_has_ended_once_each(empty_work, database):
    candidates = [str(i) for i in range(50)]
    with open_decisions(empty_work, database, patience=60) as store:
        assert len(store.leases.lease("gone home", candidates, 50, 0.1)) == 50
        time.sleep(0.2)
        with ThreadPoolExecutor(50) as pool:
            got = list(pool.map(lambda i: store.leases.lease(str(i), candidates, 1, 120), range(50)))
    assert sorted(p for some in got for p in some) == sorted(candidates)
