"""Progress of a training: a bar on a terminal, now and then a line elsewhere.

Enters: what every step tells. Leaves: text on a stream, and nothing that training depends on: when the stream goes away, the
training goes on without it. On a terminal, redrawn in place:

    clean, epoch 3  ━━━━━━━━━━━━━━━━━━━  120/1000  14.2 images/s, 3 min left
    G 1.23  D 0.98

In a file or a pipe, without control characters, at most a line in ten seconds, and fewer the longer the training runs:

    step 120/1000 epoch 3 G 1.23 D 0.98 14.2 images/s, 3 min left
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

WINDOW = 50  # steps that the rate is taken over
REDRAW = 0.1  # seconds from one drawing of the bar to the next, at least
# seconds from one line to the next: this share of the time so far, but within these bounds; some 230 lines in a day
SHARE, OFTENEST, SELDOMEST = 0.05, 10.0, 600.0


class Progress:
    """Shows how far a training is. A context manager that leaves the terminal as it was, whatever ends the block.

    Args:
        total_steps: of the whole training.
        start: steps that were done before, when it is resumed.
        stream: None is sys.stderr. It gets the bar when it is a terminal that can redraw.
        quiet: show nothing.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        total_steps: int,
        start: int,
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._step = total_steps, start
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._clock = clock
        self._began = self._shown_at = clock()
        self._shown_step = start  # of the last line
        self._shown_phase = ""
        self._phase, self._epoch, self._losses = "", 0, ""
        self._images = 0  # in all steps
        self._ends: deque[tuple[float, int, int]] = deque(
            maxlen=WINDOW + 1
        )  # (seconds, step, images) at the ends of steps
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and not self._stream.closed and self._stream.isatty():
            self._live = self._bar_of_terminal()
            if self._live:
                self._live.start(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._safely(self._live.stop)
            self._live = None
        elif self._step != self._shown_step:
            self._safely(self._write_line)

    def step(self, step: int, epoch: int, phase: str, losses: Mapping[str, float], images: int) -> None:
        """Tell that a step is done.

        Args:
            step: steps done, of total_steps.
            epoch: as it shall be shown.
            phase: its name. The rate is measured anew in each phase, for another size makes another rate.
            losses: short name -> value; shown in this order with three digits.
            images: in this step, over all processes.
        """
        now, phase = self._clock(), _printable(phase)
        if phase != self._phase:
            self._ends.clear()
        self._images += images
        # the rate starts at the end of a phase's first step, in which kernels may have been compiled for minutes
        self._ends.append((now, step, self._images))
        self._step, self._epoch, self._phase = step, epoch, phase
        self._losses = "  ".join(f"{name} {short(value)}" for name, value in losses.items())
        if self._live:
            between, show = REDRAW, self._live.refresh
        else:
            between, show = min(SELDOMEST, max(OFTENEST, SHARE * (now - self._began))), self._write_line
        if len(self._ends) == 1 or step >= self._total or now - self._shown_at >= between:
            self._shown_at = now
            self._safely(show)

    def _pace(self) -> str:
        """Images a second and the time that is left, in words; nothing before a phase's second step."""
        (then, step_then, images_then), (now, step, images) = self._ends[0], self._ends[-1]
        if step == step_then or now <= then:
            return ""
        left = (self._total - step) * (now - then) / (step - step_then)
        return f"{short((images - images_then) / (now - then))} images/s, {duration(left)} left"

    def _safely(self, show: Callable[[], object]) -> None:
        """A terminal or pipe that went away must not end a training of days."""
        if self._quiet or self._stream.closed:
            return
        try:
            show()
        except OSError:
            self._quiet = True

    def _write_line(self) -> None:
        text = f"phase {self._phase}\n" if self._phase != self._shown_phase else ""
        words = (f"step {self._step}/{self._total} epoch {self._epoch}", self._losses.replace("  ", " "), self._pace())
        text += " ".join(word for word in words if word) + "\n"
        self._shown_step, self._shown_phase = self._step, self._phase
        self._stream.write(text)
        self._stream.flush()

    def _bar_of_terminal(self) -> Live | None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)
        if not console.is_interactive:  # TERM=dumb and the like: lines
            return None
        return Live(
            get_renderable=self._bar,
            console=console,
            auto_refresh=False,  # drawn by step(): no thread
            # what is printed meanwhile goes above the bar, but what the user redirected stays where it goes
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def _bar(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if not self._ends:
            return Text(
                f"step {self._step}/{self._total}: the first one takes longest", no_wrap=True, overflow="ellipsis"
            )
        row = Table.grid(padding=(0, 2, 0, 0), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True)
        row.add_column(no_wrap=True)
        row.add_row(
            Text(f"{self._phase}, epoch {self._epoch}"),
            ProgressBar(total=self._total, completed=self._step),
            Text(f"{self._step}/{self._total}"),
            Text(self._pace()),
        )
        return Group(row, Text(self._losses, no_wrap=True, overflow="ellipsis"))


def short(value: float) -> str:
    """Three significant digits, without an exponent from 0.001 to 99999: 1.23, 0.98, 45600, 1e-07, nan."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if 1000 <= abs(rounded) < 1e5 else f"{rounded:.3g}"


def duration(seconds: float) -> str:
    """A time for people: 45 s, 3 min, 5 h 20 min, 2 days 4 h; rounded to the last unit that is shown."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 59.5:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} days {hours % 24} h"


def _printable(name: str) -> str:
    """Without control characters, which a name from a configuration file may hold."""
    return "".join(c if c.isprintable() else "?" for c in name)
