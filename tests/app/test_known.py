"""What is decided so far, kept up with the database."""

from __future__ import annotations

from collections import Counter

import pytest

from app import known as module
from app.known import Known
from curation.verdicts import DROP, KEEP, SKIP, UNDO, Decision, DecisionsError


@pytest.fixture
def store(opened):
    return opened.decisions


@pytest.fixture
def known(store) -> Known:
    return Known(store)


def told(known: Known) -> Known:
    known.refresh(at_once=True)
    return known


def test_nothing_is_known_of_an_empty_store(known):
    assert told(known).verdicts() == {} and known.version == 0 and known.decisions() == []
    assert known.is_open("0000", "anna") and known.verdict("0000") is None and known.news(0) == ([], 0)


def test_a_verdict_closes_a_pair_for_everybody_and_a_skip_for_who_skipped(store, known):
    store.add([Decision("0001", KEEP, "anna"), Decision("0002", SKIP, "anna"), Decision("0003", DROP, "ben")])
    told(known)
    assert known.verdict("0001").verdict == KEEP and known.verdict("0002") is None
    assert [known.is_open(p, "anna") for p in ("0001", "0002", "0003", "0004")] == [False, False, False, True]
    assert [known.is_open(p, "ben") for p in ("0001", "0002", "0003", "0004")] == [False, True, False, True]
    assert known.by("anna") == Counter(keep=1, skip=1) and known.by("carl") == Counter()


def test_an_undo_opens_a_pair_again(store, known):
    first = Decision("0001", KEEP, "anna")
    store.add([first])
    assert not told(known).is_open("0001", "ben")
    store.add([Decision("0001", UNDO, "anna", undoes=first.uuid)])
    assert told(known).is_open("0001", "ben") and known.is_open("0001", "anna") and known.by("anna") == Counter()
    store.add([Decision("0001", DROP, "anna")])
    assert known.of_pair("0001")[-1].verdict == UNDO
    assert told(known).verdict("0001").verdict == DROP and known.by("anna") == Counter(drop=1)


def test_an_undo_of_the_second_brings_the_first_back(store, known):
    first, second = Decision("0001", KEEP, "anna"), Decision("0001", DROP, "anna")
    store.add([first, second, Decision("0001", UNDO, "anna", undoes=second.uuid)])
    assert told(known).verdict("0001").verdict == KEEP and known.by("anna") == Counter(keep=1)


def test_the_majority_holds(store, known):
    store.add([Decision("0001", KEEP, "anna"), Decision("0001", DROP, "ben"), Decision("0001", DROP, "carl")])
    verdict = told(known).verdict("0001")
    assert (verdict.verdict, verdict.by, verdict.against) == (DROP, ("ben", "carl"), 1)


def test_only_the_news_is_read(store, known, monkeypatch):
    store.add([Decision(f"{i:04}", KEEP, "anna") for i in range(50)])
    told(known)
    asked = []
    read = store.all
    monkeypatch.setattr(store, "all", lambda after=0: asked.append(after) or read(after))
    store.add([Decision("0099", DROP, "anna")])
    assert told(known).verdict("0099").verdict == DROP and len(known.verdicts()) == 51
    assert asked == [50] and [d.id for d in known.decisions()] == list(range(1, 52))


def test_the_database_is_not_asked_again_at_once(store, known, monkeypatch):
    told(known)
    monkeypatch.setattr(store, "all", lambda after=0: pytest.fail("asked again"))
    known.refresh()
    monkeypatch.setattr(module, "FRESH", 0.0)
    monkeypatch.setattr(store, "all", lambda after=0: iter([Decision("0001", KEEP, "anna", id=1)]))
    known.refresh()
    assert known.verdict("0001").verdict == KEEP


def test_news_names_each_pair_once_since_it_was_asked(store, known):
    store.add([Decision("0002", KEEP, "anna"), Decision("0001", KEEP, "anna"), Decision("0002", DROP, "ben")])
    told(known)
    pairs, seen = known.news(0)
    assert sorted(pairs) == ["0001", "0002"] and known.news(seen) == ([], seen)
    version = known.version
    store.add([Decision("0002", SKIP, "carl")])
    assert told(known).news(seen)[0] == ["0002"] and known.version == version + 1
    assert sorted(known.news(0)[0]) == ["0001", "0002"]
    assert told(known).version == version + 1  # nothing new


def test_what_was_read_before_the_database_went_away_counts(store, known, monkeypatch):
    def gone(after=0):
        yield Decision("0001", KEEP, "anna", id=1)
        raise DecisionsError("gone")

    monkeypatch.setattr(store, "all", gone)
    with pytest.raises(DecisionsError):
        known.refresh(at_once=True)
    assert known.verdict("0001").verdict == KEEP and known.news(0)[0] == ["0001"]
    monkeypatch.undo()
    store.add([Decision("0001", KEEP, "anna"), Decision("0002", DROP, "ben")])
    assert told(known).verdict("0002").verdict == DROP and len(known.decisions()) == 2
