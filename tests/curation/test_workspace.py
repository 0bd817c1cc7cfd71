import subprocess
import sys

import pandas as pd
import pytest

from curation.workspace import (
    WorkspaceError,
    atomic,
    digest,
    file_digest,
    inputs_of,
    one_at_a_time,
    read_table,
    write_table,
)


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"] and file.read_text() == "old"


def test_a_table_knows_what_it_was_made_from(tmp_path):
    file = tmp_path / "t.parquet"
    assert inputs_of(file) is None
    write_table(file, pd.DataFrame({"a": [1], "bytes": [b"x"]}), "abc")
    assert inputs_of(file) == "abc"
    assert list(read_table(file).columns) == ["a"]
    file.write_bytes(file.read_bytes()[:20])
    assert inputs_of(file) is None


def test_digests_are_of_the_content(tmp_path):
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1})
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_second_run_in_the_same_directory_is_refused_and_a_later_one_is_not(tmp_path):
    pytest.importorskip("fcntl")
    code = f"from curation.workspace import one_at_a_time\nfrom pathlib import Path\nwith one_at_a_time(Path({str(tmp_path)!r})): pass"
    with one_at_a_time(tmp_path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert WorkspaceError.__name__ in other.stderr and "Another curate is at work" in other.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
