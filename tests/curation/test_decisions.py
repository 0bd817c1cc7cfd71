"""The store of decisions, on SQLite and on a real PostgreSQL server: nothing that was acknowledged is lost."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from command import ROOT

from curation.agreement import Agreement, Couple
from curation.database import shown
from curation.decisions import Decision, DecisionsError, open_decisions
from curation.place import place
from curation.verdicts import read_decisions

SOON = 0.3  # seconds of patience where a failure is wanted


@pytest.fixture
def store(empty_work, database):
    with open_decisions(empty_work, database) as decisions:
        yield decisions


def ids(decisions) -> list[str]:
    return [d.pair_id for d in decisions]


def test_what_is_stored_comes_back_as_it_was(store):
    summer = timezone(timedelta(hours=2))
    one = Decision(
        "a/ü 1", "drop", "anna", "blur", "'; DROP TABLE decisions; --\n<b>", 0.25, 0.1, time=datetime.now(summer)
    )
    store.add([one, Decision("b", "keep")])
    found = list(store.all())
    assert [d.id for d in found] == [1, 2] and found[0].time.utcoffset() == timedelta(0)
    assert vars(found[0]) == vars(one) | {"id": 1}
    assert found[1].reason == "person" and abs(datetime.now(timezone.utc) - found[1].time) < timedelta(minutes=1)


def test_what_no_database_can_hold_is_left_out_of_a_note(store):
    store.add([Decision("a", "keep", note="nul\0 and half a pair \ud800")])
    assert store.of_pair("a")[0].note == "nul and half a pair ?"


def test_a_click_that_is_sent_twice_is_stored_once(store):
    click = Decision("a", "keep", "anna")
    store.add([click, click])
    store.add([Decision("b", "drop", "anna"), click])
    assert ids(store.all()) == ["a", "b"]


def test_a_list_is_stored_as_a_whole_or_not_at_all(store):
    with pytest.raises(DecisionsError, match="Nothing of it was stored"):
        store.add([Decision("a", "keep"), Decision("b", "keep", None)])
    with pytest.raises(DecisionsError, match='b: no reason "blurr"; the nearest is "blur"'):
        store.add([Decision("a", "keep"), Decision("b", "drop", "anna", "blurr")])
    assert list(store.all()) == []


def test_reading_where_nothing_was_ever_decided_leaves_no_trace(empty_work):
    with open_decisions(empty_work) as decisions:
        assert decisions.verdicts() == decisions.counts() == {} and decisions.of_pair("a") == []
        assert decisions.last_of("anna") is None and decisions.leases.held_by_others("anna") == set()
    assert read_decisions(empty_work) == [] and not empty_work.folder.exists()


def test_reading_makes_no_tables(store, database):
    assert list(store.all()) == []
    if store.database.is_sqlite:
        assert not store.database.file.exists()
    else:
        with store.database.engine.connect() as connection:
            assert sa.inspect(connection).get_table_names() == []


def test_what_undo_takes_back_is_the_last_decision_that_still_stands(store):
    first, second, other = Decision("a", "keep", "anna"), Decision("b", "skip", "anna"), Decision("a", "drop", "ben")
    store.add([first, second, other])
    assert store.last_of("anna").uuid == second.uuid
    store.add([Decision("b", "undo", "anna", undoes=second.uuid)])
    assert store.last_of("anna").uuid == first.uuid and store.verdicts()["a"].verdict == "drop"
    store.add([Decision("a", "undo", "anna", undoes=first.uuid), Decision("a", "undo", "ben", undoes=other.uuid)])
    assert store.last_of("anna") is store.last_of("ben") is None and store.verdicts() == {}
    assert len(store.of_pair("a")) == 4  # nothing is ever removed


def test_counts_are_of_pairs_by_reason_reviewer_and_verdict(store):
    wrong = Decision("c", "drop", "anna", "blur")
    store.add(
        [
            Decision("a", "drop", "anna", "blur"),
            Decision("a", "keep", "anna", "blur"),  # changed her mind
            Decision("b", "keep", "anna", "blur"),
            Decision("b", "skip", "anna", "blur"),  # still kept
            Decision("b", "drop", "anna", "dark"),
            Decision("d", "skip", "ben"),
            wrong,
            Decision("c", "undo", "anna", "blur", undoes=wrong.uuid),
        ]
    )
    assert store.counts() == {("blur", "anna", "keep"): 2, ("dark", "anna", "drop"): 1, ("person", "ben", "skip"): 1}


def test_agreement_counts_the_last_word_of_each_reviewer(store):
    store.add([Decision(p, "keep", "anna") for p in "abc"] + [Decision(p, "drop", "ben") for p in "ab"])
    store.add([Decision("a", "keep", "ben")])
    assert store.agreement() == Agreement(2, 0.5, [Couple("anna", "ben", 2, 0.5, 0.0)])


def test_one_database_serves_several_data_sets(empty_work, database):
    with open_decisions(empty_work, database) as here, open_decisions(empty_work, database, "sea") as there:
        assert here.data_set == "landscapes"
        here.add([Decision("a", "keep", "anna")])
        there.add([Decision("a", "drop", "anna"), Decision("b", "drop", "anna")])
        assert here.verdicts()["a"].verdict == "keep" and there.verdicts()["a"].verdict == "drop"
        assert sum(here.counts().values()) == 1 and here.last_of("anna").pair_id == "a"
        assert there.leases.lease("ben", ["a"], 1, 60) == here.leases.lease("anna", ["a"], 1, 60) == ["a"]


def test_all_can_go_on_after_a_decision_and_pages_miss_none(store, monkeypatch):
    monkeypatch.setattr("curation.decisions.AT_ONCE", 3)
    store.add([Decision(str(i), "keep") for i in range(10)])
    found = list(store.all())
    assert ids(found) == [str(i) for i in range(10)]
    assert ids(store.all(after=found[6].id)) == ["7", "8", "9"] and list(store.all(after=found[-1].id)) == []


def test_who_reads_on_misses_no_decision_that_was_begun_earlier_and_stored_later(empty_work, database):
    with open_decisions(empty_work, database) as slow, open_decisions(empty_work, database) as fast:
        slow.add([Decision("0", "keep")])  # makes the tables
        begun, go_on = threading.Event(), threading.Event()

        def held(connection):  # before the commit
            begun.set()
            go_on.wait(30)

        sa.event.listen(slow.database.engine, "commit", held)
        with ThreadPoolExecutor(2) as pool:
            writers = [pool.submit(slow.add, [Decision("1", "keep")])]
            assert begun.wait(30)
            writers.append(pool.submit(fast.add, [Decision("2", "keep")]))
            time.sleep(0.5)
            seen = list(fast.all())
            go_on.set()
            for writer in writers:
                writer.result(30)
        seen += fast.all(after=seen[-1].id)
        assert ids(seen) == ["0", "1", "2"]


def test_what_is_asked_at_every_click_uses_an_index(empty_work, tmp_path):
    with open_decisions(empty_work, f"sqlite:///{tmp_path}/d.sqlite") as store:
        asked = []
        store.add([Decision("a", "keep", "anna")])
        sa.event.listen(
            store.database.engine, "before_cursor_execute", lambda c, cur, sql, args, *_: asked.append((sql, args))
        )
        store.of_pair("a"), store.last_of("anna"), list(store.all(after=1)), store.leases.held_by_others("anna")
        with sqlite3.connect(tmp_path / "d.sqlite") as raw:
            plans = [
                " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", args))
                for sql, args in asked
                if sql.startswith("SELECT decisions") or sql.startswith("SELECT leases")
            ]
    assert len(plans) == 4 and not any("SCAN" in plan or "TEMP B-TREE" in plan for plan in plans)


def test_fifty_writers_at_once_lose_nothing(empty_work, database):
    """Each with connections of its own, as so many programs have, all of which also make the tables at once."""
    start = threading.Barrier(50)

    def write(i):
        with open_decisions(empty_work, database, patience=60) as store:
            start.wait()
            for n in range(4):
                store.add(
                    [Decision(f"{i}-{n}", "keep", f"reviewer {i}"), Decision(f"{i}-{n}", "drop", f"reviewer {i}")]
                )

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(write, range(50)))
    with open_decisions(empty_work, database) as store:
        assert sorted(ids(store.all())) == sorted(f"{i}-{n}" for i in range(50) for n in range(4) for _ in "kd")


def test_fifty_threads_share_one_store(store):
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda i: store.add([Decision(str(i), "keep")]), range(200)))
    assert sorted(ids(store.all()), key=int) == [str(i) for i in range(200)]


WRITER = """
import sys
from pathlib import Path
from curation.decisions import Decision, open_decisions
from curation.label_space import ids_as_found
from curation.workspace import Workspace

data = Path("/photos/landscapes")
store = open_decisions(Workspace(Path(sys.argv[1]), data, data, ids_as_found(), "", {}), sys.argv[2])
while True:
    click = Decision("a", "keep", "anna")
    store.add([click])
    print(click.uuid, flush=True)
"""


def writer(empty_work, database) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(empty_work.folder), database]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_killing_writers_between_two_clicks_loses_nothing_that_was_acknowledged(empty_work, database):
    writers = [writer(empty_work, database) for _ in range(2)]
    try:
        acknowledged = {process.stdout.readline().strip() for process in writers for _ in range(30)}
    finally:
        for process in writers:
            process.kill()
    acknowledged |= {line.strip() for process in writers for line in process.communicate()[0].splitlines(True)[:-1]}
    with open_decisions(empty_work, database) as store:
        stored = {d.uuid for d in store.all()}
        assert len(acknowledged) >= 60 and acknowledged <= stored
        assert len(stored - acknowledged) <= 4  # the two in flight, and the two whose line was cut off or left unread
        store.add([Decision("b", "keep")])  # no lock of the dead is left


def locked(store, seconds) -> threading.Thread:
    """Another program that locks the whole database for a while; returns when it has."""
    has = threading.Event()

    def hold():
        if store.database.is_sqlite:
            raw = sqlite3.connect(store.database.file, isolation_level=None)
            raw.execute("BEGIN EXCLUSIVE")
            has.set()
            time.sleep(seconds)
            raw.execute("ROLLBACK")
            raw.close()
            return
        with sa.create_engine(store.database.engine.url).begin() as connection:
            connection.execute(sa.text("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE"))
            has.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has.wait(10)
    return thread


def test_a_database_that_is_locked_for_two_seconds_loses_nothing(store):
    store.add([Decision("a", "keep")])
    holder, started = locked(store, 2), time.monotonic()
    store.add([Decision("b", "keep")])
    assert time.monotonic() - started > 1.5 and ids(store.all()) == ["a", "b"]
    holder.join()


def test_a_database_that_stays_locked_says_so_and_takes_the_same_list_afterwards(store):
    store.add([Decision("a", "keep")])
    store.database.patience = SOON
    holder, click = locked(store, 3), Decision("b", "keep")
    with pytest.raises(DecisionsError, match=r"is locked: .* can be tried again"):
        store.add([click])
    holder.join()
    store.add([click])
    assert ids(store.all()) == ["a", "b"]


def test_a_file_that_is_gone_is_an_error_until_it_is_back(empty_work, tmp_path):
    with open_decisions(empty_work, patience=SOON) as store:
        store.add([Decision("a", "keep")])
        store.close()  # so that all is in the one file
        shutil.move(empty_work.decisions, tmp_path / "elsewhere")
        click = Decision("b", "keep")
        for use in (lambda: store.add([click]), lambda: store.of_pair("a"), lambda: list(store.all())):
            with pytest.raises(DecisionsError, match=r"decisions.sqlite is gone: moved or removed"):
                use()
        assert not empty_work.decisions.exists()
        shutil.move(tmp_path / "elsewhere", empty_work.decisions)
        store.add([click])
        assert ids(store.all()) == ["a", "b"]


def test_a_file_that_is_removed_under_an_open_connection_is_no_hole_to_write_into(empty_work):
    with open_decisions(empty_work, patience=SOON) as store:
        store.add([Decision("a", "keep")])
        for file in empty_work.folder.iterdir():
            os.unlink(file)
        with pytest.raises(DecisionsError, match="is gone"):
            store.add([Decision("b", "keep")])


def test_a_server_that_is_gone_is_an_error_and_is_met_again_when_it_is_back(empty_work, postgres):
    with open_decisions(empty_work, postgres.new_database(), patience=SOON) as store:
        store.add([Decision("a", "keep")])
        postgres.stop()
        click = Decision("b", "keep")
        try:
            with pytest.raises(DecisionsError, match="cannot be reached") as caught:
                store.add([click])
            assert "s3cret" not in str(caught.value)
        finally:
            postgres.start()
        store.database.patience = 10
        store.add([click])
        assert ids(store.all()) == ["a", "b"]


def test_a_file_that_is_no_database_is_an_error(empty_work):
    empty_work.folder.mkdir()
    empty_work.decisions.write_bytes(b"no database at all" * 1000)
    with open_decisions(empty_work) as store, pytest.raises(DecisionsError, match="file is not a database"):
        store.add([Decision("a", "keep")])


def test_a_wrong_password_is_told_at_once_and_no_password_is(empty_work, postgres):
    url, started = postgres.url.replace("s3cret", "hunter2"), time.monotonic()
    with open_decisions(empty_work, url) as store, pytest.raises(DecisionsError) as caught:
        store.verdicts()
    assert time.monotonic() - started < 5
    assert "password authentication failed" in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url, message",
    [
        ("postgres:hunter2@host", "no database URL"),
        ("mysql://me:hunter2@host/x", 'No database of the kind "mysql"'),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://me:hunter2@host:port/x", "no database URL"),
    ],
)
def test_a_url_that_is_none_says_what_to_write_and_hides_its_password(empty_work, url, message):
    with pytest.raises(DecisionsError, match=message) as caught:
        open_decisions(empty_work, url)
    assert "hunter2" not in str(caught.value)


def test_a_url_is_shown_without_password_and_options():
    assert shown("postgresql+psycopg://me:hunter2@host:5433/x?password=hunter2") == "postgresql://me@host:5433/x"
    assert shown("sqlite:///a.sqlite") == "sqlite:///a.sqlite"


def test_the_environment_names_a_database_for_all_commands(empty_work, tmp_path, monkeypatch):
    monkeypatch.setenv("CURATE_DATABASE", f"sqlite:///{tmp_path}/of_the_team.sqlite")
    with open_decisions(empty_work) as store:
        store.add([Decision("a", "keep", "anna")])
    assert ids(read_decisions(empty_work)) == ["a"] and not empty_work.folder.exists()
    assert read_decisions(empty_work, f"sqlite:///{tmp_path}/other.sqlite") == []


def test_a_remote_work_needs_a_database_to_write_and_has_no_decisions_without(empty_work, tmp_path):
    pytest.importorskip("fsspec")
    empty_work.folder = place("memory://bucket/work")
    with pytest.raises(DecisionsError, match="Name one with --database postgresql"):
        open_decisions(empty_work)
    assert read_decisions(empty_work) == []
    with open_decisions(empty_work, f"sqlite:///{tmp_path}/d.sqlite") as store:
        store.add([Decision("a", "keep")])
        assert ids(store.all()) == ["a"]
