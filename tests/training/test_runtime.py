"""Starting Jittor: what is refused before it, what it must not change, and that nothing starts it unasked."""

import os
import signal
import subprocess
import sys
import time

import pytest

from training import runtime
from training.runtime import RuntimeProblem


@pytest.fixture
def not_started(monkeypatch):
    monkeypatch.setattr(runtime, "_device", None)
    monkeypatch.setattr(runtime, "_import_jittor", lambda: pytest.fail("Jittor was imported"))


@pytest.fixture
def started_elsewhere():
    """A Python program -> its output, run by a process that starts Jittor on the processor first; skipped where Jittor cannot run."""
    pytest.importorskip("jittor_here")

    def run(program, before="", **environment):
        text = f"from training import runtime\n{before}\nruntime.start('cpu')\n{program}"
        return subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
        )

    return run


def test_importing_the_runtime_imports_neither_jittor_nor_anything_slow():
    program = "import sys, training.runtime, training.config; print(*sorted(m for m in ('jittor', 'torch', 'pandas', 'rich') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


# --- what is refused ---


def test_numpy_2_is_refused_before_the_import(not_started, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    monkeypatch.setattr(runtime.np, "__version__", "2.1.0")
    with pytest.raises(
        RuntimeProblem, match=r"numpy 2\.1\.0 makes Jittor compute wrong numbers; pip install 'numpy<2'"
    ):
        runtime.start("cpu")


@pytest.mark.parametrize("version", [(3, 9, 1), (3, 13, 0)])
def test_other_pythons_are_refused(not_started, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(RuntimeProblem, match=rf"needs Python 3.10, 3.11 or 3.12 .* 3\.{version[1]}"):
        runtime.start("cpu")


def test_a_device_that_is_none_is_refused(not_started):
    with pytest.raises(RuntimeProblem, match='no device "gpu"; use auto, cpu, cuda'):
        runtime.start("gpu")


def test_a_missing_jittor_is_answered_with_the_line_that_mends_it(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)  # as if it were not installed
    with pytest.raises(RuntimeProblem, match="Jittor is not installed; pip install"):
        runtime.choose("cpu")


# --- where it lives ---


def test_home_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("JITTOR_HOME", str(tmp_path))
    assert runtime.home() == tmp_path
    monkeypatch.delenv("JITTOR_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runtime.home() == tmp_path / ".cache" / "pair-curation" / "jittor"
    assert not runtime.compiled()


def test_ranks_come_from_mpirun(monkeypatch):
    for name in ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (runtime.rank(), runtime.world()) == (0, 1)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    assert (runtime.rank(), runtime.world()) == (2, 3)


# --- a started one ---


def test_starting_again_gives_the_same_device(started_elsewhere):
    done = started_elsewhere(
        "assert runtime.start('auto') is runtime.start('cpu')\n"
        "print(runtime.start().kind)\n"
        "try: runtime.start('cuda')\n"
        "except runtime.RuntimeProblem as problem: print(problem)"
    )
    assert done.stdout == "cpu\nJittor runs on cpu in this process; start another one for cuda\n", done.stderr


def test_the_start_leaves_the_process_as_it_was(started_elsewhere, tmp_path):
    before = """
import os, random, signal, ssl, sys
import numpy as np
random.seed(3); np.random.seed(4)
def state():
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    return handlers, sys.getrecursionlimit(), ssl._create_default_https_context, os.environ.get('HOME')
kept = state()
"""
    program = """
assert state() == kept, (state(), kept)
assert (random.random(), np.random.rand()) == (random.Random(3).random(), np.random.RandomState(4).rand())
assert 'torch' not in sys.modules
print('as it was')
"""
    done = started_elsewhere(program, before, HOME=str(tmp_path), JITTOR_HOME=str(runtime.home()))
    assert done.stdout == "as it was\n", done.stderr  # and nothing of Jittor's on standard output
    assert not (
        tmp_path / ".cache" / "jittor"
    ).exists()  # where it would make its home the default of all Jittor programs


def test_a_new_kernel_leaves_nothing_in_the_users_home(started_elsewhere, tmp_path):
    # a number of its own makes a kernel that nobody has compiled yet; Jittor's own programs for it know only the environment
    program = f"jt = runtime.jt\nprint((jt.array([1.0, 2.0]) * {time.time_ns()}.0 + 1.0).numpy().shape)"
    done = started_elsewhere(program, HOME=str(tmp_path), JITTOR_HOME=str(runtime.home()))
    assert done.stdout == "(2,)\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_dies_does_not_take_this_process_along(started_elsewhere):
    program = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
child.kill()
print(child.wait())
time.sleep(0.2)
print('alive')
"""
    done = started_elsewhere(program)
    assert done.stdout == f"{-signal.SIGKILL}\nalive\n", done.stderr


def test_ctrl_c_is_an_exception(started_elsewhere):
    program = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print('interrupted')
"""
    # a shell's background job ignores Ctrl-C from birth, and so would its children
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    assert started_elsewhere(program, before=listens).stdout == "interrupted\n"


def test_own_stdout_keeps_jittors_chatter_away(started_elsewhere):
    program = """
import os
runtime.own_stdout()
os.write(1, b'chatter\\n')
print('mine')
"""
    done = started_elsewhere(program)
    assert done.stdout == "mine\n"
    assert "chatter" in done.stderr


def test_arrays_are_right(started_elsewhere):
    """What numpy 2 gets wrong."""
    done = started_elsewhere("import numpy as np\nprint((runtime.jt.ones(2) * np.float32(2)).numpy().tolist())")
    assert done.stdout == "[2.0, 2.0]\n", done.stderr
