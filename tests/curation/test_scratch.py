"""Scratch: files that jobs find, on this machine and where workers only share a URL with it."""

import tempfile

import numpy as np
import pytest

from curation.place import place
from curation.scratch import forget, here, scratch


@pytest.mark.parametrize("far", [False, True])
def test_in_a_work_of_this_machine_jobs_read_the_very_files_and_nothing_is_left(far, tmp_path):
    with scratch(tmp_path, far) as room:
        np.save(room.folder / "a.npy", np.arange(3))
        room.publish("a.npy")
        assert here(room.key, "a.npy") == room.folder / "a.npy" and room.folder.parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_workers_that_share_a_url_get_copies_until_they_forget(tmp_path, monkeypatch):
    pytest.importorskip("fsspec", reason="no fsspec: pip install 'pair-curation[cluster]'")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    work = place("memory://bucket/work")
    with scratch(work, far=True) as room, pytest.MonkeyPatch.context() as worker:
        (room.folder / "a.bin").write_bytes(b"layouts")
        room.publish("a.bin")
        assert room.key.startswith("memory://bucket/work/scratch-") and list(work.files()) == [
            f"{room.folder.name}/a.bin"
        ]
        assert here(room.key, "a.bin") == room.folder / "a.bin"
        worker.setattr("curation.scratch._own", {})  # as in the process of a worker
        copy = here(room.key, "a.bin")
        assert copy.read_bytes() == b"layouts" and copy.parent != room.folder
        copy.write_bytes(b"as it was")
        assert here(room.key, "a.bin").read_bytes() == b"as it was"  # not copied again
        forget(room.key)
        assert not copy.exists()
    assert not work.files() and not list(tmp_path.iterdir())


def test_workers_of_this_machine_need_no_copies_of_what_is_at_a_url():
    with scratch(place("memory://bucket/work"), far=False) as room:
        (room.folder / "a.bin").write_bytes(b"layouts")
        room.publish("a.bin")
        assert here(room.key, "a.bin") == room.folder / "a.bin" and not place("memory://bucket/work").files()
