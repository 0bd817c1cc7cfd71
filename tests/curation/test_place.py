"""Places: paths and URLs behind one set of methods. memory:// stands for any remote file system here; test_on_s3.py has a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.place import (
    Fetched,
    PlaceError,
    RemotePlace,
    follow,
    in_turn,
    inside,
    moved,
    place,
    read_ahead,
    way,
    without_secrets,
)

fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install 'pair-curation[cluster]'")


@pytest.fixture
def there():
    """A remote folder that is empty before and after."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield place("memory://store/data")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def put(where, content, tmp_path):
    (tmp_path / "local").write_bytes(content)
    where.put(tmp_path / "local")


def test_paths_stay_paths_and_urls_become_remote_places():
    assert place("a/b") == Path("a/b") == place(Path("a/b")) == place("file://a/b")
    assert place("file:///a/b") == Path("/a/b")
    url = place("S3://bucket/a/b.c.csv/")
    assert isinstance(url, RemotePlace) and str(url) == "s3://bucket/a/b.c.csv"
    assert (url.name, url.stem, url.suffix) == ("b.c.csv", "b.c", ".csv")
    assert str(url.parent) == "s3://bucket/a" and str(url.parent.parent) == "s3://bucket" == str(
        url.parent.parent.parent
    )
    assert str(url.with_suffix(".json")) == "s3://bucket/a/b.c.json" and str(url.with_name("x")) == "s3://bucket/a/x"
    assert place(url) is url and str(place("hdfs://name:8020/data") / "x") == "hdfs://name:8020/data/x"


@pytest.mark.parametrize(
    "url", ["s3://", "s3://b/a/../c", "s3://b/./c", "simplecache::s3://b/c", "s3://b/c?versionId=1"]
)
def test_urls_that_are_not_plain_are_refused(url):
    with pytest.raises(PlaceError, match="no plain URL"):
        place(url)


@pytest.mark.parametrize("url", ["sftp://me:hush@host/data", "s3://KEY:hu/sh@bucket/data", "ftp://me:hush@host:21/x"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(PlaceError, match="password") as error:
        place(url)
    assert "hush" not in str(error.value) and "hu/sh" not in str(error.value) and "KEY" not in str(error.value)


def test_a_port_is_no_password():
    for url in ("hdfs://name:8020/a@b", "hdfs://me@name:8020/a", "http://127.0.0.1:5000/bucket/a@b"):
        assert without_secrets(url) == url
    assert without_secrets("no answer from https://me:hush@host/x today") == "no answer from https://host/x today"


def test_an_unknown_protocol_names_the_way_out(monkeypatch):
    with pytest.raises(PlaceError, match="nothing here can read s4://"):
        place("s4://bucket/pairs")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(PlaceError, match="pip install gcsfs"):
        place("gs://bucket/pairs")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(PlaceError, match=r"pip install 'pair-curation\[cluster\]'"):
        place("gs://bucket/pairs")


def test_files_are_put_whole_listed_and_removed(there, tmp_path):
    assert not there.exists() and there.names() == [] and there.files() == {}
    put(there / "a/x.txt", b"old", tmp_path)
    before = there.files()
    put(there / "a/x.txt", b"new", tmp_path)
    put(there / "y.txt", b"y\r\nz", tmp_path)
    assert (there / "a/x.txt").read_bytes() == b"new" and (there / "y.txt").read_text() == "y\nz"
    assert there.names() == ["a", "y.txt"] and [str(f) for f in there.glob("*.txt")] == [str(there / "y.txt")]
    assert there.is_dir() and (there / "y.txt").is_file() and not (there / "y.txt").is_dir()
    after = there.files()
    assert set(after) == {"a/x.txt", "y.txt"} and after["y.txt"][0] == 4
    assert before["a/x.txt"][0] == after["a/x.txt"][0] and before["a/x.txt"][1] != after["a/x.txt"][1]
    (there / "y.txt").unlink()
    (there / "y.txt").unlink(missing_ok=True)
    assert there.names() == ["a"]
    with pytest.raises(FileNotFoundError):
        (there / "y.txt").read_bytes()


def test_a_failed_put_leaves_what_was_there_and_nothing_else(there, tmp_path, monkeypatch):
    put(there / "x", b"old", tmp_path)
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "mv", lambda *_: 1 / 0)
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "rm_file", type(fsspec.filesystem("memory"))._rm)
    with pytest.raises(PlaceError, match="memory://store/data/x cannot be written: division by zero"):
        put(there / "x", b"new", tmp_path)
    assert not [name for name in there.names() if name.endswith(".tmp")]


def test_paths_that_leave_a_folder_are_told_apart(tmp_path):
    remote = place("s3://bucket/pairs")
    assert inside(remote, "images/../images/a.jpg") == ("images/a.jpg", True)
    assert inside(remote, "s3://bucket/pairs/images/a.jpg") == ("images/a.jpg", True)
    for text in (
        "../other/a.jpg",
        "../../../pairs/a.jpg",
        "s3://bucket/pairs/../../other/a.jpg",
        "s3://bucket/pairs2/a.jpg",
    ):
        assert not inside(remote, text)[1], text
    for text in ("/etc/passwd", "s3://elsewhere/pairs/a.jpg", "gs://bucket/pairs/a.jpg", "file:///etc/passwd"):
        assert not inside(remote, text)[1], text
    assert not inside(place("s3://bucket"), "../elsewhere/a.jpg")[1] and inside(place("s3://bucket"), "a.jpg") == (
        "a.jpg",
        True,
    )
    assert inside(tmp_path, "a/../b.jpg") == ("b.jpg", True) and not inside(tmp_path, "../b.jpg")[1]
    assert inside(tmp_path, "s3://KEY:hush@elsewhere/a.jpg") == ("s3://elsewhere/a.jpg", False)


def test_the_way_from_manifest_to_data_can_be_followed_back(tmp_path):
    (tmp_path / "data").mkdir()
    out, data = place("s3://bucket/out/manifests"), place("s3://bucket/pairs")
    assert way(out, data) == "../../pairs" and follow(out, "../../pairs") == data
    assert (
        way(tmp_path / "out", tmp_path / "data") == "../data"
        and follow(tmp_path / "out", "../data") == (tmp_path / "data").resolve()
    )
    for start, goal in ((tmp_path, data), (place("s3://other/out"), data), (out, (tmp_path / "data").resolve())):
        assert follow(start, way(start, goal)) == goal
    with pytest.raises(PlaceError, match="leads out of s3://bucket"):
        follow(out, "../../../elsewhere")
    assert moved("../../pairs/images/a.jpg", "../../pairs") == "images/a.jpg"
    assert moved("s3://elsewhere/a.jpg", "../pairs") == "s3://elsewhere/a.jpg"


def test_work_on_remote_files_keeps_its_order(there, tmp_path):
    assert (
        list(in_turn(str, range(100), there)) == list(map(str, range(100))) == list(in_turn(str, range(100), tmp_path))
    )
    for name in "abc":
        put(there / name, name.encode(), tmp_path)
    (first, second) = read_ahead(there, [["a", "gone"], ["b", "c"]])
    assert isinstance(first, Fetched) and (first / "a").read_bytes() == b"a" and (second / "c").name == "c"
    with pytest.raises(FileNotFoundError):
        (first / "gone").read_bytes()
    assert list(read_ahead(tmp_path, [["a"], ["b"]])) == [tmp_path, tmp_path]


def test_a_store_that_cannot_be_reached_says_so(there, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("no answer from https://me:hush@host")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", refuse)
    with pytest.raises(PlaceError, match="memory://store/data/x cannot be read: no answer from https://host"):
        (there / "x").read_bytes()


def test_local_runs_know_nothing_of_fsspec(planted_data, tmp_path):
    code = (
        "import sys; from pathlib import Path; from curation import stages, rules; from curation.report import write_report\n"
        "run = stages.Run(workers=1, quiet=True); here = Path(sys.argv[2])\n"
        "work = stages.index(run, here / 'work', Path(sys.argv[1]))\n"
        "stages.build_selection(run, work, here / 'out', rules.Settings(2), judge='none', parquet=True)\n"
        "assert 'fsspec' not in sys.modules and 's3fs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(planted_data), str(tmp_path)], check=True, env=os.environ)
