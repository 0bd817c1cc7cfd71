"""Checkpoints as files: whole or not there, and which of them stay."""

import errno

import numpy as np
import pytest
import safetensors.numpy

from training import checkpoint
from training.checkpoint import CheckpointError

MOMENTS = {"generator/second/w": np.array([0.5], np.float32)}


def networks(value=1.0):
    return {"generator": {"w": np.full((2, 3), value, np.float32)}, "discriminator": {"b": np.zeros(1, np.float32)}}


def saved(run, step, value=1.0):
    return checkpoint.save(run, networks(value), MOMENTS, {"step": step, "seed": 0})


def kept(run):
    return [int(folder.name[-8:]) for folder in checkpoint.folders(run)]


def test_what_is_saved_is_read_back(tmp_path):
    folder = saved(tmp_path, 7)
    assert folder == tmp_path / "checkpoints/step-00000007" == checkpoint.latest(tmp_path)
    found = checkpoint.read(folder)
    assert found.state == {"step": 7, "seed": 0}
    assert found.networks.keys() == networks().keys()
    for name, arrays in networks().items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(found.networks[name][key], array, strict=True)
    np.testing.assert_array_equal(found.optimisers["generator/second/w"], MOMENTS["generator/second/w"], strict=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, value):
    with pytest.raises(CheckpointError, match=r"generator\.w is not finite at step 1: .* no checkpoint was saved yet"):
        saved(tmp_path, 1, value)
    before = saved(tmp_path, 1)
    with pytest.raises(CheckpointError, match=f"not finite at step 2: .*{before}.*--init-from {tmp_path} --learning"):
        saved(tmp_path, 2, value)
    assert checkpoint.latest(tmp_path) == before


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch, written):
    """The disk is full when so many of the files are written."""
    before, left, write = saved(tmp_path, 1), [written], safetensors.numpy.save_file

    def save_file(arrays, path):
        left[0] -= 1
        if left[0] < 0:
            path.write_bytes(b"a part")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(arrays, path)

    monkeypatch.setattr(safetensors.numpy, "save_file", save_file)
    with pytest.raises(
        CheckpointError, match=r"step-00000002 cannot be written: No space left on device \(.* GB free\).*--resume"
    ):
        saved(tmp_path, 2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [before.name]
    assert checkpoint.read(before).state["step"] == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("generator.safetensors", cut),
        ("generator.safetensors", lambda path: path.write_bytes(b"")),
        ("optimisers.safetensors", lambda path: path.unlink()),
        ("state.json", cut),
        ("state.json", lambda path: path.write_text("{}")),
        ("state.json", lambda path: path.write_text("[1]")),
    ],
)
def test_a_damaged_checkpoint_names_itself_and_the_mend(tmp_path, file, damage):
    folder = saved(tmp_path, 5)
    damage(folder / file)
    with pytest.raises(CheckpointError, match=r"step-00000005 is damaged .*remove that folder.*checkpoint before it"):
        checkpoint.read(folder)


def test_a_folder_that_is_not_whole_is_no_checkpoint(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    saved(tmp_path, 3)
    for name in ("step-00000006.tmp-99", "step-00000009"):
        (tmp_path / "checkpoints" / name).mkdir()
    (tmp_path / "checkpoints/step-00000006.tmp-99/state.json").write_text("{}")
    assert kept(tmp_path) == [3]


@pytest.mark.parametrize(
    ("keep_every", "best", "left"),
    [(0, None, [50, 60]), (20, None, [20, 40, 50, 60]), (0, 30, [30, 50, 60]), (0, 60, [50, 60]), (70, 10, [10, 50, 60])],
)  # fmt: skip
def test_the_last_two_the_best_and_every_so_many_stay(tmp_path, keep_every, best, left):
    for step in range(10, 70, 10):
        saved(tmp_path, step)
    if best:
        checkpoint.note_best(tmp_path, best, 0.25)
    (tmp_path / "checkpoints/step-00000070.tmp-99").mkdir()  # of a run that was killed
    checkpoint.prune(tmp_path, keep_every)
    assert kept(tmp_path) == left
    assert not list((tmp_path / "checkpoints").glob("*.tmp-*"))


def test_the_best_is_the_one_noted_as_long_as_it_is_there(tmp_path):
    folder = saved(tmp_path, 10)
    assert checkpoint.best(tmp_path) is None
    checkpoint.note_best(tmp_path, 10, 0.5)
    assert checkpoint.best(tmp_path) == folder
    checkpoint.note_best(tmp_path, 20, 0.4)
    assert checkpoint.best(tmp_path) is None
