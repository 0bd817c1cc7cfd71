"""`train --check`: can training run on this machine, and if not, the line that mends it.

Enters: the machine. Leaves: one Fact after another, and the exit status, 1 when training on the processor cannot run. The last fact is a
small convolution that Jittor really computes, in a process of its own, compared with NumPy.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from training import cuda, runtime
from training import facts as look
from training.facts import Fact

# fmt: off
LOOKS = (look.system, look.python, look.numpy, look.jittor, look.onednn, look.compiler, look.python_header, look.home, look.disk,
         look.memory, look.processors, look.mpi)
# fmt: on
SECONDS = {"cpu": 1200, "cuda": 1800}  # several times what two busy cores take to compile Jittor
COMPILED_SECONDS = 300
AGREES = 1e-4  # largest difference of the trial's results, relative to the largest of them
TRIAL = """
import sys
import numpy as np
from training import runtime
device = runtime.start(sys.argv[1])
jt = runtime.jt
random = np.random.default_rng(0)
x, w = random.standard_normal((2, 3, 9, 8), np.float32), random.standard_normal((4, 3, 3, 3), np.float32)
got = jt.nn.conv2d(jt.array(x), jt.array(w), None, 1, 1).numpy()
padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
want = np.einsum("nchwij,ocij->nohw", np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3)), w)
print("difference", abs(got - want).max() / abs(want).max())
"""


def check(stream: TextIO) -> int:
    """Print the facts, a table on a terminal and plain lines elsewhere. Returns the exit status."""
    found = []
    terminal = stream.isatty()
    with _patience() as now_at:
        for fact in facts(now_at):
            found.append(fact)
            if not terminal:
                print("\n".join(_lines(fact)), file=stream, flush=True)
    if terminal:
        _table(found, stream)
    stopped = [fact.name for fact in found if not fact.ok and fact.needed]
    gpu = any(fact.name == "convolution on cuda" and fact.ok for fact in found)
    if stopped:
        print(f"Training cannot run: {', '.join(stopped)}. Mend the lines marked FAULT, and check again.", file=stream)
    else:
        print(f"Training can run on {'CUDA and on ' if gpu else ''}the processor.", file=stream)
    return int(bool(stopped))


def facts(now_at: Callable[[str], None] = lambda step: None) -> Iterator[Fact]:
    """All facts, in the order in which one rests on the other; `now_at` is told what begins when it takes long."""
    sound = True
    for one in LOOKS:
        fact = one()
        sound = sound and (fact.ok or not fact.needed)
        yield fact
    driver = cuda.probe()
    yield Fact("CUDA driver", driver.reason, driver.found)
    yield from (Fact("CUDA card", device) for device in driver.devices)
    devices = ["cpu"]
    if driver.found:
        kit = cuda.toolkit(driver, runtime.home())
        yield Fact("CUDA toolkit", kit.reason.removesuffix(f"; {kit.mend}"), kit.nvcc is not None, kit.mend)
        if kit.nvcc:
            now_at("nvcc compiles a kernel")
            fact = look.kernel(kit.nvcc)
            devices += ["cuda"] * fact.ok
            yield fact
    compiled = runtime.compiled()
    yield Fact(
        "Jittor compiled", f"in {runtime.home()}" if compiled else "not yet: the first start takes minutes, once"
    )
    if sound:
        for device in devices:
            now_at(
                f"Jittor computes on {device}" + ("" if compiled else ", and compiles itself first, for minutes, once")
            )
            yield convolution(device)


def convolution(device: str) -> Fact:
    """A small convolution on `device` by Jittor, in a process of its own with a time limit, compared with NumPy."""
    name, needed = f"convolution on {device}", device == "cpu"
    limit = COMPILED_SECONDS if runtime.compiled() and device == "cpu" else SECONDS[device]
    # one process also inside mpirun, so without mpirun's variables
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMIX_"))}
    process = subprocess.Popen(
        [sys.executable, "-c", TRIAL, device],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=alone,
        cwd=Path(__file__).resolve().parents[1],
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=limit)
    except BaseException as stop:  # also Ctrl-C, which does not reach a process of another session by itself
        os.killpg(process.pid, signal.SIGKILL)  # it and the compilers that it started
        process.communicate()
        if isinstance(stop, subprocess.TimeoutExpired):
            mend = "end other programs that keep the processors busy, and check again"
            return Fact(name, f"no result in {limit} s", False, mend, needed)
        raise
    mend = f"rm -r {runtime.home() / '.cache'}   (Jittor then compiles itself afresh)"
    difference = re.search(r"^difference (\S+)$", out, re.MULTILINE)
    if process.returncode or not difference:
        last = ([line for line in err.splitlines() if line.strip()] or [f"ended with status {process.returncode}"])[-1]
        return Fact(name, last.strip(), False, mend, needed)
    off = float(difference[1])
    if not off <= AGREES:  # NaN is a fault, too
        return Fact(name, f"off by {off:.2g} of the largest value", False, mend, needed)
    return Fact(name, f"agrees with NumPy ({off:.1g})", needed=needed)


def _lines(fact: Fact) -> list[str]:
    lines = [f"{fact.mark:<6} {fact.name:<20} {fact.value}"]
    return lines if fact.ok or not fact.mend else [*lines, f"{'':<6} {'':<20} -> {fact.mend}"]


def _table(found: list[Fact], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for fact in found:
        colour = {"ok": "green", "FAULT": "bold red", "no": "yellow"}[fact.mark]
        value = Text(fact.value)
        if not fact.ok and fact.mend:
            value.append(f"\n-> {fact.mend}", style="bold")
        table.add_row(Text(fact.mark, style=colour), Text(fact.name, style="bold"), value)
    Console(file=stream).print(table)


@contextlib.contextmanager
def _patience() -> Iterator:
    """On a terminal, a line on stderr that says what goes on; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking at this machine ...") as status:
        yield lambda step: status.update(f"{step} ...")
