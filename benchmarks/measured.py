"""Run a command and measure it as a whole: CPU seconds of it and all its children, wall seconds, peak memory."""

from __future__ import annotations

import contextlib
import platform
import resource
import subprocess
import threading
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """cpu, wall in seconds; peak in bytes: the most the command and its children held at once (proportional set size)."""

    cpu: float
    wall: float
    peak: int


def measure(command: list[str], **options) -> Cost:
    """Run a command to its end. Raises RuntimeError with the end of its output when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    peak, done = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, done), daemon=True)
    watcher.start()
    output, _ = process.communicate()
    wall = time.monotonic() - began
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with status {process.returncode}:\n{output[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, peak[0])


def _watch(pid: int, peak: list[int], done: threading.Event) -> None:
    while not done.wait(0.5):
        total = 0
        try:
            parent = psutil.Process(pid)
            for process in [parent, *parent.children(recursive=True)]:
                info = process.memory_full_info()
                total += getattr(info, "pss", info.rss)
        except psutil.Error:
            continue
        peak[0] = max(peak[0], total)


class Others:
    """What else the machine does from now on, beside this process and those it started."""

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), self._spent()

    def busy(self) -> float:
        """How many processors others kept busy on average; what they cost the memory and its caches is not in it."""
        return max(0.0, (self._spent() - self._before) / (time.monotonic() - self._began))

    def _spent(self) -> float:
        """Seconds of processors spent by all but ours. Of ours those count that are still running."""
        all_of = psutil.cpu_times()
        spent = all_of.user + all_of.system + all_of.nice
        this = psutil.Process()
        for process in [this, *this.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                spent -= sum(process.cpu_times()[:2])
        return spent


def machine() -> str:
    """One line about this machine."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            model = next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
