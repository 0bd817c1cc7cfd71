"""The journal: lines that keep every bit, whole after kills and full disks, and events that TensorBoard reads."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from command import ROOT

from training.journal import Journal, JournalError, read

RUN = {"G": 1.25, "D": 0.5}


def lines(folder: Path) -> list[dict]:
    """What was written, with or without tensorboardX installed."""
    return [line for line in read(folder) if line.get("note") != "no events"]


def written(folder: Path, steps: range) -> Path:
    """A run's folder with a line for every step."""
    with Journal(folder) as journal:
        for step in steps:
            journal.write(step, 1, "all", {"G": step / 3})
    return folder


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit (reflected polynomial 0x82F63B78), masked as TFRecord does."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(folder: Path) -> list:
    """Every event of a run, in TensorBoard's order (files by name), with its checksums compared."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for file in sorted((folder / "events").iterdir()):
        content, place = file.read_bytes(), 0
        while place < len(content):
            length, length_sum = struct.unpack_from("<QI", content, place)
            message = content[place + 12 : place + 12 + length]
            (message_sum,) = struct.unpack_from("<I", content, place + 12 + length)
            assert (length_sum, message_sum) == (crc32c(content[place : place + 8]), crc32c(message))
            found.append(event_pb2.Event.FromString(message))
            place += 16 + length
    return found


def test_a_line_has_step_epoch_phase_time_and_the_values_in_this_order(tmp_path):
    before = datetime.now(timezone.utc)
    with Journal(tmp_path / "run") as journal:
        journal.write(7, 2, "warm-up", RUN)
    (line,) = lines(tmp_path / "run")
    assert list(line) == ["step", "epoch", "phase", "time", "G", "D"]
    assert {name: line[name] for name in line if name != "time"} == {"step": 7, "epoch": 2, "phase": "warm-up", **RUN}
    time = datetime.fromisoformat(line["time"])
    assert time.utcoffset().total_seconds() == 0
    assert abs((time - before).total_seconds()) < 60


def test_floats_come_back_bit_for_bit(tmp_path):
    # the smallest normal number: once Jittor is loaded, the processor flushes smaller ones to 0
    values = [
        0.1,
        1 / 3,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        -0.0,
        123456789.123456789,
        math.inf,
        float(np.float32(0.1)),
    ]
    with Journal(tmp_path) as journal:
        journal.write(1, 1, "all", {str(i): value for i, value in enumerate(values)})
        journal.write(2, 1, "all", {"x": float("nan"), "half": np.float32(0.1)})
    first, second = lines(tmp_path)
    back = [first[str(i)] for i in range(len(values))]
    assert struct.pack(f"{len(back)}d", *back) == struct.pack(f"{len(values)}d", *values)
    assert math.isnan(second["x"]) and second["half"] == float(np.float32(0.1))


def test_a_line_is_in_the_file_when_write_returns(tmp_path):
    journal = Journal(tmp_path)
    for step in (1, 2, 3):
        journal.write(step, 1, "all", RUN)
        assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["step"] == step
    journal.close()


def test_notes_carry_their_facts(tmp_path):
    with Journal(tmp_path) as journal:
        journal.note("skipped", "Zürich: photo changed", pair="Zürich")
    (line,) = lines(tmp_path)
    assert line.pop("time")
    assert line == {"note": "skipped", "text": "Zürich: photo changed", "pair": "Zürich"}
    assert "Zürich" in (tmp_path / "log.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["step", "epoch", "phase", "time", "note", "text"])
def test_values_cannot_take_the_name_of_a_fixed_key(tmp_path, name):
    with Journal(tmp_path) as journal, pytest.raises(ValueError, match=f"'{name}' is a fixed key"):
        journal.write(1, 1, "all", {name: 1.0})
    assert lines(tmp_path) == []


def test_resuming_cuts_off_what_came_after_the_checkpoint(tmp_path):
    with Journal(tmp_path) as journal:
        journal.note("skipped", "before the first step")
        journal.write(1, 1, "all", RUN)
        journal.write(2, 1, "all", RUN)
        journal.note("seen", "at step 3", step=3)
        journal.write(3, 1, "all", RUN)
        journal.note("kept", "of no step")
    before = (tmp_path / "log.jsonl").read_bytes()
    with Journal(tmp_path, resume_step=2) as journal:
        journal.write(3, 1, "all", {"G": 9.0})
    assert [line.get("step", line.get("note")) for line in lines(tmp_path)] == ["skipped", 1, 2, "kept", 3]
    assert lines(tmp_path)[-1]["G"] == 9.0
    first_three = b"".join(before.splitlines(keepends=True)[:3])
    assert (tmp_path / "log.jsonl").read_bytes().startswith(first_three)


def test_resuming_at_the_last_step_leaves_the_file_as_it_was(tmp_path):
    written(tmp_path, range(1, 4))
    before = (tmp_path / "log.jsonl").read_bytes()
    Journal(tmp_path, resume_step=3).close()
    assert (tmp_path / "log.jsonl").read_bytes().startswith(before)


def test_a_run_that_was_killed_while_writing_resumes_with_its_whole_lines(tmp_path):
    whole = (written(tmp_path / "whole", range(1, 4)) / "log.jsonl").read_bytes()
    folder = tmp_path / "killed"
    folder.mkdir()
    for length in range(len(whole) + 1):
        (folder / "log.jsonl").write_bytes(whole[:length])
        steps = [line["step"] for line in lines(folder) if "step" in line]
        assert steps == list(range(1, 4))[: len(steps)]
        with Journal(folder, resume_step=3) as journal:
            journal.write(4, 1, "all", RUN)
        assert [line["step"] for line in lines(folder) if "step" in line] == [*steps, 4]


def test_what_a_power_cut_left_at_the_end_is_dropped(tmp_path):
    written(tmp_path, range(1, 3))
    with open(tmp_path / "log.jsonl", "ab") as f:
        f.write(b"\0" * 300 + b"\n\xff\xfe\n")
    Journal(tmp_path, resume_step=2).close()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]


@pytest.mark.parametrize("resume_step", [None, 2])
def test_a_log_damaged_in_the_middle_is_refused_with_its_line(tmp_path, resume_step):
    written(tmp_path, range(1, 4))
    damaged = (tmp_path / "log.jsonl").read_bytes().replace(b'"step": 2', b'"step": two')
    (tmp_path / "log.jsonl").write_bytes(damaged)
    line = next(i for i, text in enumerate(damaged.splitlines(), 1) if b"two" in text)
    for attempt in (lambda: read(tmp_path), lambda: Journal(tmp_path, resume_step=resume_step)):
        with pytest.raises(JournalError, match=f"log.jsonl line {line} is no JSON object. Remove that line"):
            attempt()
    assert (tmp_path / "log.jsonl").read_bytes() == damaged


def test_a_new_run_does_not_write_into_the_log_of_another(tmp_path):
    written(tmp_path, range(1, 4))
    before = (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(JournalError, match=r"is the log of another run, with .* lines. Resume that run, or name a new"):
        Journal(tmp_path)
    assert (tmp_path / "log.jsonl").read_bytes() == before


def test_a_new_run_may_follow_one_that_wrote_nothing_whole(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 1, "epo')
    with Journal(tmp_path) as journal:
        journal.write(1, 1, "all", RUN)
    assert [line["step"] for line in lines(tmp_path)] == [1]


def test_reading_a_folder_without_a_log_says_what_to_name(tmp_path):
    with pytest.raises(JournalError, match=r"log.jsonl is not there. Name the folder of a run"):
        read(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(JournalError, match=r"run/log\.jsonl cannot be written: .*exists"):
        Journal(tmp_path / "run")


def test_a_full_disk_is_told_with_the_free_space_and_the_mend(tmp_path):
    if not (Path("/dev/full").exists() and Path("/proc/self/fd").is_dir()):
        pytest.skip("no /dev/full here")
    journal = Journal(tmp_path)
    journal.write(1, 1, "all", RUN)
    descriptors = {os.path.realpath(f"/proc/self/fd/{n}"): int(n) for n in os.listdir("/proc/self/fd")}
    log = descriptors[str((tmp_path / "log.jsonl").resolve())]
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log)
    os.close(full)
    with pytest.raises(JournalError, match=r"log.jsonl .*No space left.* MB free in .* Free some space, .* whole"):
        journal.write(2, 1, "all", RUN)
    journal.close()
    assert [line["step"] for line in lines(tmp_path)] == [1]


def test_a_write_that_fails_half_way_leaves_nothing_of_itself(tmp_path):
    resource = pytest.importorskip("resource")
    journal = Journal(tmp_path)
    journal.write(1, 1, "all", RUN)
    before = (tmp_path / "log.jsonl").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))  # a part of the next line fits
    try:
        with pytest.raises(JournalError, match=r"log\.jsonl cannot be written: File too large"):
            journal.write(2, 1, "all", RUN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "log.jsonl").read_bytes() == before
    journal.write(2, 1, "all", RUN)
    journal.close()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]


def test_events_that_do_not_fit_on_the_disk_raise_and_do_not_hang(tmp_path):
    resource = pytest.importorskip("resource")
    pytest.importorskip("tensorboardX")
    journal = Journal(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        for _ in range(30):  # more than any queue takes
            with pytest.raises(JournalError, match=r"events\.out\.tfevents\.000001 cannot be written"):
                journal.picture(1, "samples", np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    journal.close()
    assert [event.file_version for event in events(tmp_path)] == ["brain.Event:2"]


def test_closing_twice_is_no_mistake(tmp_path):
    journal = Journal(tmp_path)
    journal.close()
    journal.close()


def test_numbers_are_tensorboard_scalars(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write(3, 1, "all", RUN)
        journal.write(4, 1, "all", {"G": float("nan"), "D": 1e300})
    version, third, fourth = events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert (third.step, {v.tag: v.simple_value for v in third.summary.value}) == (3, RUN)
    assert third.wall_time == pytest.approx(datetime.now().timestamp(), abs=60)
    assert math.isnan(fourth.summary.value[0].simple_value) and fourth.summary.value[1].simple_value == math.inf


def test_resuming_starts_a_new_event_file_that_hides_later_steps(tmp_path):
    written(tmp_path, range(1, 4))
    Journal(tmp_path, resume_step=2).close()
    Journal(tmp_path, resume_step=0).close()
    starts = [(e.session_log.status, e.step) for e in events(tmp_path) if e.HasField("session_log")]
    assert starts == [(1, 3), (1, 1)]  # SessionLog.START; TensorBoard drops events from that step on
    assert [p.name[-6:] for p in sorted((tmp_path / "events").iterdir())] == ["000001", "000002", "000003"]


def test_pictures_go_to_tensorboard_as_png(tmp_path):
    from training.pictures import png, save

    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    save(tmp_path / "samples" / "1.png", picture)
    with Journal(tmp_path) as journal:
        journal.picture(8, "samples", tmp_path / "samples" / "1.png")
        journal.picture(9, "samples", picture)
    for event, step in zip(events(tmp_path)[1:], (8, 9), strict=True):
        (value,) = event.summary.value
        assert (event.step, value.tag, value.image.width, value.image.height) == (step, "samples", 7, 5)
        assert value.image.encoded_image_string == png(picture)


def test_a_picture_that_is_no_png_is_refused_by_name(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff" * 20)
    with Journal(tmp_path / "run") as journal:
        with pytest.raises(JournalError, match=r"x.jpg is no PNG file"):
            journal.picture(1, "samples", tmp_path / "x.jpg")
        with pytest.raises(JournalError, match=r"gone.png cannot be read: No such file"):
            journal.picture(1, "samples", tmp_path / "gone.png")


def test_without_tensorboardx_the_log_is_whole_and_one_note_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    for name in [name for name in sys.modules if name.startswith("tensorboardX.")]:
        monkeypatch.delitem(sys.modules, name)
    with Journal(tmp_path) as journal:
        journal.write(1, 1, "all", RUN)
        journal.picture(1, "samples", np.zeros((2, 2, 3), np.uint8))
    note, line = read(tmp_path)
    assert note["note"] == "no events" and ".[train]" in note["text"]
    assert line["G"] == RUN["G"]
    assert capsys.readouterr().err.count("tensorboardX cannot be imported") == 1
    assert not (tmp_path / "events").exists()


def test_torch_is_not_imported_where_it_is_installed(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    code = (
        "import sys; from pathlib import Path; from training.journal import Journal\n"
        "with Journal(Path('run')) as journal: journal.write(1, 1, 'all', {'G': 1.0})\n"
        "assert 'tensorboardX' in sys.modules and 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(events(tmp_path / "run")) == 2


def test_importing_is_light(tmp_path):
    code = (
        "import sys, training.journal, training.pictures, training.progress\n"
        "print({'tensorboardX', 'rich', 'PIL', 'cv2', 'pandas', 'pyarrow', 'jittor'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
