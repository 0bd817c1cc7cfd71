"""Jittor, prepared and imported: the only file that imports it.

`start(device)` sets what Jittor reads from the environment, imports it, puts back what the import changes (signal handlers, random
seeds, SSL checks, the recursion limit), and says which device was chosen and why. Everybody else writes `from training.runtime import jt`,
which starts with device "auto" when nobody has started before.

Jittor compiles itself for the machine once, for minutes, into a private folder: JITTOR_HOME if that is set, else
~/.cache/pair-curation/jittor.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import os
import random
import signal
import ssl
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

DEVICES = ("auto", "cpu", "cuda")
JITTOR = "1.3.11.0"


class RuntimeProblem(RuntimeError):
    """Training cannot run on this machine as it is; the message says why and the line that mends it."""


@dataclass(frozen=True)
class Device:
    """Where tensors live: `kind` "cpu" or "cuda", the device's `name`, the `reason` for the choice in words, its `memory` in bytes (0 = not known)."""

    kind: str
    name: str
    reason: str
    memory: int = 0


_jittor: ModuleType | None = None
_device: Device | None = None


def __getattr__(name: str):
    if name == "jt":
        start()
        return _jittor
    raise AttributeError(name)


def start(device: str = "auto") -> Device:
    """Import Jittor for `device` ("auto", "cpu" or "cuda"); the second and later calls return the device of the first.

    Raises:
        RuntimeProblem: Python, numpy or Jittor do not fit, "cuda" without a usable driver, or another device was started before.
    """
    global _jittor, _device
    if device not in DEVICES:
        raise RuntimeProblem(f'no device "{device}"; use {", ".join(DEVICES)}')
    if _device is not None:
        if device not in ("auto", _device.kind):
            raise RuntimeProblem(f"Jittor runs on {_device.kind} in this process; start another one for {device}")
        return _device
    _refuse_what_cannot_work()
    chosen, settings = _choose(device)
    _prepare_environment(settings)
    with _kept_as_it_was():
        _jittor = _import_jittor()
    _jittor.flags.python_path = str(_own_python())
    _jittor.flags.use_cuda = int(chosen.kind == "cuda")
    _device = chosen
    return chosen


def home() -> Path:
    """The folder of Jittor's compiled code and of the CUDA tree."""
    chosen = os.environ.get("JITTOR_HOME")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "pair-curation" / "jittor"


def compiled() -> bool:
    """Whether Jittor's core was compiled in `home()` before."""
    return any(home().glob(".cache/jittor/jt*/**/jittor_core*.so"))


def rank() -> int:
    """Number of this process among those that mpirun started, from 0; 0 without mpirun."""
    return int(os.environ.get("OMPI_COMM_WORLD_RANK", 0))


def world() -> int:
    """How many processes mpirun started; 1 without it."""
    return int(os.environ.get("OMPI_COMM_WORLD_SIZE", 1))


def mean_over_processes(x):
    """Mean of a Var over all processes of mpirun, with its gradient; x itself without mpirun."""
    return x.mpi_all_reduce("mean") if world() > 1 else x


def own_stdout() -> None:
    """Keep standard output for this program's own lines: Jittor's chatter, written to descriptor 1 from C++, goes to stderr."""
    sys.stdout.flush()
    mine = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(mine, "w", encoding=sys.stdout.encoding or "utf-8", buffering=1)


def _refuse_what_cannot_work() -> None:
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        have = ".".join(map(str, sys.version_info[:2]))
        raise RuntimeProblem(
            f"training needs Python 3.10, 3.11 or 3.12 (Jittor does not run on {have}); make PYTHON=python3.12"
        )
    if (
        int(np.__version__.split(".")[0]) >= 2
    ):  # before the import: with numpy 2 Jittor computes wrong numbers, silently
        raise RuntimeProblem(f"numpy {np.__version__} makes Jittor compute wrong numbers; pip install 'numpy<2'")
    for module, name in (("jittor", "Jittor"), ("jittor_offline", "jittor-offline"), ("safetensors", "safetensors")):
        if importlib.util.find_spec(module) is None:
            raise RuntimeProblem(f"{name} is not installed; pip install -e '.[train]'")


def choose(device: str = "auto") -> Device:
    """The device that `start` would take; nothing is imported. Raises RuntimeProblem as `start` does."""
    if device not in DEVICES:
        raise RuntimeProblem(f'no device "{device}"; use {", ".join(DEVICES)}')
    _refuse_what_cannot_work()
    return _choose(device)[0]


def versions() -> dict[str, str]:
    """Versions of what computes, for a run's records."""
    import platform
    from importlib.metadata import version

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "jittor": version("jittor"),
        "pair-curation": version("pair-curation"),
    }


def _choose(device: str) -> tuple[Device, dict[str, str]]:
    """The device, and the environment that Jittor needs for it."""
    if device == "cpu":
        return _cpu("as asked"), {"nvcc_path": ""}
    from training import cuda

    driver = cuda.probe()
    kit = cuda.toolkit(driver, home()) if driver.found else None
    if kit and kit.nvcc:
        return Device("cuda", driver.devices[0], kit.reason, min(driver.memory, default=0)), kit.environment
    why = kit.reason if kit else driver.reason
    if device == "cuda":
        raise RuntimeProblem(f"CUDA cannot be used: {why}. `train --check` tells more; --device cpu works without.")
    return _cpu(why), {"nvcc_path": ""}  # Jittor aborts the process when it finds nvcc and no driver


def _cpu(reason: str) -> Device:
    return Device("cpu", f"{len(os.sched_getaffinity(0))} processors", reason)


def _prepare_environment(settings: dict[str, str]) -> None:
    home().mkdir(parents=True, exist_ok=True)
    processes = int(os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE", 1))
    os.environ["JITTOR_HOME"] = str(home())
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve each other on a busy machine
    if processes > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    os.environ.pop("SKEY", None)  # Jittor would send a message somewhere
    os.environ.update(
        settings,
        use_mpi=str(int(world() > 1)),
        FIX_TORCH_ERROR="0",  # else PyTorch is imported
        gdb_path="",
        cache_name="default",
        log_silent="1",
        python_config_path=str(_python_config()),
    )


def _python_config() -> Path:
    """A stand-in for python3-config, which virtual environments often lack: it answers the two questions that Jittor asks."""
    includes = " ".join(f"-I{p}" for p in dict.fromkeys(sysconfig.get_paths()[k] for k in ("include", "platinclude")))
    text = f'#!/bin/sh\ncase "$*" in *--extension-suffix*) echo "{sysconfig.get_config_var("EXT_SUFFIX")}";; *) echo "{includes}";; esac\n'
    return _script(f"python{sys.version_info[0]}.{sys.version_info[1]}-config", text)


def _own_python() -> Path:
    """This Python as Jittor calls it for each kernel it compiles: with our home, since its programs write a note of their home into
    ~/.cache/jittor, where the first ones, side by side, would read it half written (JSONDecodeError)."""
    os.environ["JITTOR_PYTHON"] = sys.executable
    return _script("python-of-jittor", '#!/bin/sh\nHOME="$JITTOR_HOME" exec "$JITTOR_PYTHON" "$@"\n')


def _script(name: str, text: str) -> Path:
    script = home() / name
    if not script.exists() or script.read_text() != text:
        temporary = script.with_name(f"{script.name}.{os.getpid()}")
        temporary.write_text(text)
        temporary.chmod(0o755)
        os.replace(temporary, script)
    return script


@contextlib.contextmanager
def _kept_as_it_was() -> Iterator[None]:
    """Put back what importing Jittor changes behind one's back."""
    before = random.getstate(), np.random.get_state(), sys.getrecursionlimit(), ssl._create_default_https_context
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    real_home, watched = os.environ.get("HOME"), faulthandler.is_enabled()
    os.environ["HOME"] = str(
        home()
    )  # Jittor notes it in ~/.cache/jittor, and it becomes the default of all its programs
    sys.stdout.flush()
    mine = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(mine, 1)
        os.close(mine)
        os.environ.pop("HOME")
        if real_home is not None:
            os.environ["HOME"] = real_home
        random.setstate(before[0])
        np.random.set_state(before[1])
        sys.setrecursionlimit(before[2])
        ssl._create_default_https_context = before[3]
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():  # its own handler ends the process when any child dies
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        if watched:
            faulthandler.enable()


def _import_jittor() -> ModuleType:
    try:
        with _patience():
            import jittor
    except Exception as error:
        raise RuntimeProblem(f"Jittor cannot be imported: {error}. `train --check` looks for the cause.") from error
    return jittor


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """One line, with the time that has passed, while Jittor compiles itself for the first time."""
    if compiled() or rank() > 0:
        yield
        return
    say = "Jittor compiles itself for this machine, once: about three minutes on two processors ..."
    done, began, tty = threading.Event(), time.monotonic(), sys.stderr.isatty()
    print(say, end="" if tty else "\n", file=sys.stderr, flush=True)

    def count() -> None:
        while not done.wait(1):
            print(f"\r{say} {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)

    clock = threading.Thread(target=count, daemon=True)
    if tty:
        clock.start()
    try:
        yield
    finally:
        done.set()
        if tty:
            clock.join()
            print(file=sys.stderr)
    if not tty:
        print(f"Jittor compiled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
