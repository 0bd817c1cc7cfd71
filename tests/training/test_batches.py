"""The order of an epoch, weights, flips, crops, resuming, shares of processes, and the thread that works ahead."""

import gc
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from command import ROOT

from curation.label_space_files import load_builtin
from training.batches import AHEAD, Batches, draws
from training.classes import classes_of
from training.packed import DataError, PackedSet

WIDTH, HEIGHT = 12, 8


def packed(count=20, weights=None, size=(WIDTH, HEIGHT)):
    """A packed set in memory whose every pixel tells its pair, column and row, and whose ids tell the same as its photos."""
    width, height = size
    row, y, x = np.mgrid[:count, :height, :width].astype(np.uint8)
    return PackedSet(
        photos=np.stack([row, y, x], -1),
        ids=row * 7 + y * 31 + x,
        pair_ids=tuple(f"p{i}" for i in range(count)),
        weights=np.ones(count) if weights is None else np.array(weights, float),
        classes=classes_of({"label_space": load_builtin("landscape29").to_dict()}),
        skipped=(),
        size=size,
        key="0",
        folder=Path(),
        reused=False,
        manifest_sha256="0",
    )


def batches(data=None, **options):
    data = data or packed()
    return Batches(data, **{"size": data.size, "batch_size": 4, "seed": 3} | options)


def rows_of(batches, epoch):
    return np.concatenate([batch.rows for batch in batches.epoch(epoch)])


def same(one, other):
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in ("photos", "ids", "rows"))


def makers():
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


# --- what a batch holds ---------------------------------------------------------------------


def test_a_batch_holds_the_pairs_it_names():
    found = batches(flip=False)
    data = packed()
    for batch in found.epoch(0):
        assert batch.photos.dtype == batch.ids.dtype == np.uint8 and batch.rows.dtype == np.int64
        assert batch.photos.flags.c_contiguous and batch.ids.flags.c_contiguous
        assert batch.photos.shape == (4, HEIGHT, WIDTH, 3) and batch.ids.shape == (4, HEIGHT, WIDTH)
        assert np.array_equal(batch.photos, data.photos[batch.rows])
        assert np.array_equal(batch.ids, data.ids[batch.rows])


def test_half_of_the_pictures_are_mirrored_photo_and_label_map_alike():
    data, mirrored = packed(200), []
    for batch in batches(data, batch_size=10).epoch(0):
        for photo, ids, row in zip(batch.photos, batch.ids, batch.rows, strict=True):
            mirrored.append(photo[0, 0, 2] != 0)
            across = slice(None, None, -1 if mirrored[-1] else 1)
            assert np.array_equal(photo, data.photos[row][:, across])
            assert np.array_equal(ids, data.ids[row][:, across])
    assert 70 < sum(mirrored) < 130


def test_crops_are_windows_anywhere_the_same_for_photo_and_label_map():
    data, corners = packed(200), set()
    for batch in batches(data, size=(9, 7), flip=False).epoch(0):
        assert batch.photos.shape == (4, 7, 9, 3)
        for photo, ids, row in zip(batch.photos, batch.ids, batch.rows, strict=True):
            top, left = int(photo[0, 0, 1]), int(photo[0, 0, 2])
            corners.add((top, left))
            window = np.s_[row, top : top + 7, left : left + 9]
            assert np.array_equal(photo, data.photos[window]) and np.array_equal(ids, data.ids[window])
    assert corners == {(top, left) for top in range(2) for left in range(4)}


def test_flips_do_not_change_what_else_is_drawn():
    one, other = (list(batches(size=(9, 7), flip=flip).epoch(0)) for flip in (True, False))
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(one, other, strict=True))
    lefts = [[p[:, 2].min() for p in np.concatenate([b.photos for b in run])[:, 0]] for run in (one, other)]
    assert lefts[0] == lefts[1]


def test_fixed_pictures_are_the_middle_and_never_mirrored():
    data = packed()
    batch = batches(data).fixed([7, 2, 7], (8, 4))
    assert batch.rows.tolist() == [7, 2, 7] and batch.photos.flags.c_contiguous
    assert np.array_equal(batch.photos, data.photos[[7, 2, 7], 2:6, 2:10])
    assert np.array_equal(batch.ids, data.ids[[7, 2, 7], 2:6, 2:10])
    assert np.array_equal(batches(data).fixed(np.array([1]), data.size).photos, data.photos[[1]])


# --- order and weights ----------------------------------------------------------------------


def test_an_epoch_has_each_pair_once_in_an_order_of_its_own():
    found = batches()
    first, second = rows_of(found, 0), rows_of(found, 1)
    assert sorted(first) == sorted(second) == list(range(20)) and found.steps_per_epoch == 5
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, rows_of(batches(seed=4), 0))


def test_the_pairs_that_do_not_fill_a_batch_are_others_in_every_epoch():
    found = batches(batch_size=6)
    assert found.steps_per_epoch == 3
    missing = [frozenset(range(20)) - set(rows_of(found, epoch).tolist()) for epoch in range(6)]
    assert {len(m) for m in missing} == {2} and len(set(missing)) > 1


@pytest.mark.parametrize("weight", [1, 0.3, 1e-9, 1e12])
def test_equal_weights_whatever_they_are_draw_each_pair_once(weight):
    for epoch in range(20):
        assert sorted(rows_of(batches(packed(20, [weight] * 20)), epoch)) == list(range(20))


def test_a_pair_of_weight_0_is_never_drawn_and_does_not_make_the_epoch_longer():
    found = batches(packed(20, [0, 1] * 9 + [1, 0]), batch_size=2)
    assert found.steps_per_epoch == 5
    for epoch in range(10):
        assert sorted(rows_of(found, epoch)) == [*range(1, 18, 2), 18]


def test_draws_are_floor_or_ceil_of_the_share_and_exact_on_average():
    weights = np.random.default_rng(0).uniform(0.1, 3, 50)
    shares = weights * 50 / weights.sum()
    starts = (np.arange(2000) + 0.5) / 2000
    counts = np.array([draws(weights, start) for start in starts])
    assert (counts.sum(1) == 50).all()
    assert (counts >= np.floor(shares)).all() and (counts <= np.ceil(shares)).all()
    assert np.abs(counts.mean(0) - shares).max() < 1.5 / 2000  # the mean over a grid of starts; each start is as likely


@pytest.mark.parametrize(
    ("weights", "start", "counts"),
    [
        ([1, 2, 3, 2], 0.0, [1, 1, 1, 1]),  # shares 0.5, 1, 1.5, 1: one point decides between first and third
        ([1, 2, 3, 2], 0.49, [1, 1, 1, 1]),
        ([1, 2, 3, 2], 0.51, [0, 1, 2, 1]),
        ([1, 2, 3, 2], np.nextafter(1, 0), [0, 1, 2, 1]),
        ([1, 1, 6], 0.1, [1, 0, 2]),  # shares 0.375, 0.375, 2.25
        ([1, 1, 6], 0.4, [0, 1, 2]),
        ([1, 1, 6], 0.9, [0, 0, 3]),
        ([5], np.nextafter(1, 0), [1]),
    ],
)
def test_draws_worked_out_by_hand(weights, start, counts):
    assert draws(np.array(weights, float), start).tolist() == counts


def test_the_weights_of_an_epoch_as_it_is_run():
    weights = [4.0] * 5 + [1.0] * 20  # 25 pairs, sum 40: shares 2.5 and 0.625
    found = batches(packed(25, weights), batch_size=1)
    counts = np.array([np.bincount(rows_of(found, epoch), minlength=25) for epoch in range(200)])
    assert set(np.unique(counts[:, :5])) == {2, 3} and set(np.unique(counts[:, 5:])) == {0, 1}
    assert abs(counts[:, :5].mean() - 2.5) < 0.05 and abs(counts[:, 5:].mean() - 0.625) < 0.02


# --- resuming and processes -----------------------------------------------------------------


def test_resuming_at_a_step_gives_the_same_batches():
    options = {"data": packed(40, np.arange(1, 41)), "size": (9, 7)}
    whole = list(batches(**options).epoch(5))
    for start in (0, 1, 7, len(whole)):
        rest = list(batches(**options).epoch(5, start))
        assert len(rest) == len(whole) - start
        assert all(same(a, b) for a, b in zip(whole[start:], rest, strict=True))
    assert not same(whole[0], next(iter(batches(**options, seed=4).epoch(5))))
    assert not same(whole[0], next(iter(batches(**options).epoch(6))))


@pytest.mark.parametrize("world", [2, 4])
def test_the_parts_of_the_processes_are_the_batch_of_one(world):
    options = {"data": packed(30, np.arange(1, 31)), "batch_size": 8, "size": (9, 7)}
    parts = [list(batches(**options, rank=rank, world=world).epoch(2)) for rank in range(world)]
    for step, whole in enumerate(batches(**options).epoch(2)):
        for name in ("photos", "ids", "rows"):
            union = np.concatenate([getattr(part[step], name) for part in parts])
            assert np.array_equal(union, getattr(whole, name))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 21}, "20 pairs .* do not fill a batch of 21; make the batch size 20 or less"),
        ({"data": packed(4, [1, 1, 1, 0])}, "3 pairs .* do not fill a batch of 4"),
        ({"batch_size": 4, "world": 3}, "batch size 4 cannot be shared by 3 processes"),
        ({"batch_size": 0}, "batch size 0"),
        ({"rank": 2, "world": 2}, "process 2 of 2"),
        ({"seed": -1}, "seed -1"),
        ({"size": (13, 8)}, "13x8 cannot be cut from a packed set of 12x8"),
        ({"size": (12, 0)}, "12x0"),
    ],
)
def test_what_cannot_be(options, said):
    with pytest.raises(DataError, match=said):
        batches(**options)


def test_steps_and_sizes_that_are_not_there():
    with pytest.raises(DataError, match="cannot start at step 6; it has 5"):
        batches().epoch(0, 6)
    with pytest.raises(DataError, match="cannot be cut"):
        batches().fixed([0], (12, 9))


# --- the thread -----------------------------------------------------------------------------


class Slow:
    """Photos that count how many rows have been read, and break where they are told to."""

    def __init__(self, photos, breaks_at=None):
        self.photos, self.breaks_at, self.read = photos, breaks_at, 0

    def __getitem__(self, row):
        self.read += 1
        if self.read == self.breaks_at:
            raise OSError("the disk is gone")
        return self.photos[row]


def watched(breaks_at=None, **options):
    data = packed()
    slow = Slow(data.photos, breaks_at)
    object.__setattr__(data, "photos", slow)
    return batches(data, **options), slow


def test_only_a_few_batches_are_made_ahead():
    found, slow = watched(batch_size=2)
    running = found.epoch(0)
    next(running)
    deadline = time.monotonic() + 10
    while slow.read < 2 * (1 + AHEAD) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)  # time enough for one too many
    assert slow.read == 2 * (1 + AHEAD)
    assert len(list(running)) == 9 and makers() == []


def test_what_goes_wrong_in_the_thread_is_raised_in_its_place():
    found, _ = watched(breaks_at=10)  # in the third batch
    running = found.epoch(0)
    assert len(list(islice(running, 2))) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(running)
    assert makers() == []


def test_the_thread_ends_with_its_iterator():
    running = batches().epoch(0)
    next(running)
    assert len(makers()) == 1
    running.close()
    assert makers() == []
    for batch in batches().epoch(0):
        assert len(batch.rows) == 4
        break
    gc.collect()
    assert makers() == []
    list(batches().epoch(0))
    assert makers() == []
    batches().epoch(0)  # never begun
    assert makers() == []


def test_a_program_that_ends_in_the_middle_of_an_epoch_ends():
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/training']; import test_batches as t; "
        "running = t.batches().epoch(0); next(running); print('in the middle')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "in the middle", "")
