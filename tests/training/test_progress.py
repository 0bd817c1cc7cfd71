"""Progress: exact lines where it is piped, a bar with its cursor restored on a terminal, and never an end to the training."""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from itertools import pairwise

import pytest

from training.progress import Progress, duration, short


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(progress: Progress, clock: Clock, seconds: float, steps: range, phase: str = "all", **losses: float) -> None:
    """Steps of four images, each of so many seconds."""
    for step in steps:
        clock.now += seconds
        progress.step(step, 1 + step // 40, phase, losses, 4)


def lines_of(seconds: float, total: int, start: int = 0) -> list[str]:
    stream, clock = io.StringIO(), Clock()
    with Progress(total, start, stream=stream, clock=clock) as progress:
        run(progress, clock, seconds, range(start + 1, total + 1))
    return stream.getvalue().splitlines()


def test_piped_lines_have_step_epoch_losses_rate_and_time_left():
    stream, clock = io.StringIO(), Clock()
    with Progress(1000, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 0.25, range(1, 121), G=1.2345, D=0.98)
    assert stream.getvalue() == (
        "phase all\n"
        "step 1/1000 epoch 1 G 1.23 D 0.98\n"
        "step 41/1000 epoch 2 G 1.23 D 0.98 16 images/s, 4 min left\n"
        "step 81/1000 epoch 3 G 1.23 D 0.98 16 images/s, 4 min left\n"
        "step 120/1000 epoch 4 G 1.23 D 0.98 16 images/s, 4 min left\n"  # the block ended: where it stopped
    )


def test_the_first_step_does_not_count_for_the_rate():
    stream, clock = io.StringIO(), Clock()
    with Progress(10, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 170, range(1, 2))
        run(progress, clock, 20, range(2, 5))
    assert [line.split(" ", 4)[-1] for line in stream.getvalue().splitlines()[2:]] == [
        "0.2 images/s, 3 min left",
        "0.2 images/s, 2 min left",
        "0.2 images/s, 2 min left",
    ]


def test_the_rate_is_that_of_the_last_fifty_steps():
    stream, clock = io.StringIO(), Clock()
    with Progress(300, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 4, range(1, 201))
        run(progress, clock, 2, range(201, 251))  # 200 images in the last 100 s
    assert " 1 images/s" in stream.getvalue().splitlines()[-10]
    assert stream.getvalue().splitlines()[-1] == "step 250/300 epoch 7 2 images/s, 2 min left"


def test_each_phase_is_named_and_has_its_own_rate():
    stream, clock = io.StringIO(), Clock()
    with Progress(100, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 1, range(1, 21), "small")
        run(progress, clock, 8, range(21, 23), "large")
    assert stream.getvalue().splitlines()[-3:] == [
        "phase large",
        "step 21/100 epoch 1",
        "step 22/100 epoch 1 0.5 images/s, 10 min left",
    ]


def test_a_resumed_run_goes_on_from_its_step():
    assert lines_of(2, 104, start=100) == [
        "phase all",
        "step 101/104 epoch 3",
        "step 104/104 epoch 3 2 images/s, 0 s left",
    ]


def test_lines_come_at_most_every_ten_seconds_and_seldomer_in_a_long_run():
    assert len(lines_of(0.1, 1001)) == 2 + 10
    a_day = lines_of(10, 8640)
    assert 200 < len(a_day) < 250
    steps = [int(re.match(r"step (\d+)/", line)[1]) for line in a_day[1:]]
    gaps = [after - before for before, after in pairwise(steps)]
    assert gaps[0] == 1 and max(gaps) == 60  # ten seconds at first, ten minutes later
    assert gaps[:-1] == sorted(gaps[:-1])


def test_the_last_step_is_shown_at_once():
    stream, clock = io.StringIO(), Clock()
    with Progress(3, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 1, range(1, 4))
        assert stream.getvalue().endswith("step 3/3 epoch 1 4 images/s, 0 s left\n")  # what follows may take its time


def test_the_last_step_is_shown_once():
    assert [line for line in lines_of(1, 3) if line.startswith("step 3/3")] == ["step 3/3 epoch 1 4 images/s, 0 s left"]


def test_an_exception_leaves_the_line_of_the_step_it_came_after():
    stream, clock = io.StringIO(), Clock()
    with pytest.raises(KeyboardInterrupt), Progress(10, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 1, range(1, 4))
        raise KeyboardInterrupt
    assert stream.getvalue().splitlines()[-1].startswith("step 3/10 ")


def test_a_run_without_steps_says_nothing():
    assert lines_of(1, 0) == []
    assert lines_of(1, 7, start=7) == []


def test_quiet_is_quiet():
    stream, clock = io.StringIO(), Clock()
    with Progress(3, 0, stream=stream, quiet=True, clock=clock) as progress:
        run(progress, clock, 100, range(1, 4))
    assert stream.getvalue() == ""


def test_piped_lines_have_no_control_characters():
    stream, clock = io.StringIO(), Clock()
    with Progress(30, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 100, range(1, 31), "a\x1b[31m\rb\n")
    assert stream.getvalue().startswith("phase a?[31m?b?\n")
    assert all(line.isprintable() for line in stream.getvalue().split("\n"))
    assert stream.getvalue().count("phase") == 1


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_went_away_does_not_end_the_training(closed):
    stream, clock = Gone(), Clock()
    if closed:
        stream.close()
    with Progress(3, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 100, range(1, 4))


def test_the_default_stream_is_stderr(capsys):
    clock = Clock()
    with Progress(1, 0, clock=clock) as progress:
        run(progress, clock, 1, range(1, 2))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "phase all\nstep 1/1 epoch 1\n")


@pytest.fixture
def terminal(monkeypatch):
    """A real terminal, 80 columns wide: the stream to write to, and a function that closes it and gives what came out."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    stream = os.fdopen(theirs, "w", encoding="utf-8")

    def screen() -> str:
        stream.close()
        out = b""
        with suppress(OSError):  # how Linux says that all is read
            while part := os.read(ours, 1 << 16):
                out += part
        return out.decode()

    yield stream, screen
    stream.close()
    os.close(ours)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_gets_a_bar_with_everything(terminal):
    stream, screen = terminal
    clock = Clock()
    with Progress(1000, 118, stream=stream, clock=clock) as progress:
        run(progress, clock, 0.5, range(119, 121), "clean", G=1.2345, D=0.98)
    text = plain(screen())
    assert "step 118/1000: the first one takes longest" in text
    *_, bar, losses = text.rstrip().splitlines()
    assert re.fullmatch(r"clean, epoch 4  [━╸╺]+  120/1000  8 images/s, 7 min left", bar.split("\r")[-1].rstrip())
    assert losses.rstrip() == "G 1.23  D 0.98"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_cursor_comes_back_whatever_happens(terminal, error):
    stream, screen = terminal
    clock = Clock()
    with pytest.raises(error), Progress(1000, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 0.5, range(1, 3))
        raise error
    text = screen()
    assert text.count("\x1b[?25l") == 1
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text.endswith("\n\x1b[?25h") and "2/1000" in plain(text)


def test_the_bar_is_not_drawn_for_every_fast_step(terminal):
    stream, screen = terminal
    clock = Clock()
    with Progress(1000, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 0.001, range(1, 301))
    text = plain(screen())
    assert 4 <= text.count("/1000") <= 6  # at the start, after the first step, every tenth of a second, at the end
    assert "300/1000" in text


def test_a_dumb_terminal_gets_lines(terminal, monkeypatch):
    stream, screen = terminal
    monkeypatch.setenv("TERM", "dumb")
    clock = Clock()
    with Progress(1, 0, stream=stream, clock=clock) as progress:
        run(progress, clock, 1, range(1, 2))
    assert screen() == "phase all\r\nstep 1/1 epoch 1\r\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.2345, "1.23"),
        (0.98, "0.98"),
        (0, "0"),
        (-12.345, "-12.3"),
        (999.6, "1000"),
        (45678, "45700"),
        (123456, "1.23e+05"),
        (0.0123456, "0.0123"),
        (1e-7, "1e-07"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (180, "3 min"),
        (3569, "59 min"),
        (3599, "1 h 0 min"),
        (19200, "5 h 20 min"),
        (172799, "2 days 0 h"),
        (187200, "2 days 4 h"),
    ],
)
def test_times_are_for_people(seconds, text):
    assert duration(seconds) == text
