"""Each fact on a machine that lacks it; the trial in processes that fail in every way; at last the check of this machine."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import ROOT

from training import check, cuda, facts, runtime
from training.facts import Fact

GOOD = "print('difference 1e-7')"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty home of Jittor."""
    monkeypatch.setenv("JITTOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def versions(monkeypatch):
    """Sets what is installed, in the facts' eyes."""
    return lambda **installed: monkeypatch.setattr(
        facts, "_version", lambda name: installed.get(name.replace("-", "_"))
    )


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 9, 1), False), ((3, 10, 0), True), ((3, 12, 9), True), ((3, 13, 0), False)]
)
def test_python(monkeypatch, version, ok):
    monkeypatch.setattr(facts, "sys", SimpleNamespace(version_info=version))
    fact = facts.python()
    assert (fact.ok, fact.needed, fact.value) == (ok, True, ".".join(map(str, version)))
    assert fact.mend.startswith("python3.12 -m venv")


@pytest.mark.parametrize(("version", "mark"), [("1.26.4", "ok"), ("2.0.0", "FAULT"), (None, "FAULT")])
def test_numpy(versions, version, mark):
    versions(numpy=version)
    fact = facts.numpy()
    assert (fact.mark, fact.mend) == (mark, "pip install 'numpy<2'")


@pytest.mark.parametrize(("version", "mark"), [("1.3.11.0", "ok"), ("1.3.9.14", "FAULT"), (None, "FAULT")])
def test_jittor(versions, version, mark):
    versions(jittor=version)
    fact = facts.jittor()
    assert (fact.mark, fact.mend) == (mark, "pip install -e '.[train]'")


def test_onednn_is_missing(versions, home):
    versions()
    fact = facts.onednn()
    assert (fact.mark, fact.value, fact.mend) == (
        "FAULT",
        "jittor-offline is not installed",
        "pip install jittor-offline==0.0.7",
    )


def test_onednn_that_was_unpacked_before_serves(versions, home):
    versions()
    (home / ".cache/jittor/mkl" / facts.ONEDNN[os.uname().machine] / "include").mkdir(parents=True)
    assert facts.onednn().ok


def test_onednn_of_a_package_that_does_not_hold_it(versions, home, tmp_path, monkeypatch):
    versions(jittor_offline="0.0.1")
    empty = SimpleNamespace(locate_file=lambda name: tmp_path / name)
    monkeypatch.setattr(facts.importlib.metadata, "distribution", lambda name: empty)
    assert facts.onednn().value.startswith("jittor-offline 0.0.1 does not have dnnl_lnx")
    archive = tmp_path / f"jittor_offline/{facts.ONEDNN[os.uname().machine]}.tgz"
    archive.parent.mkdir()
    archive.touch()
    assert facts.onednn().value == "of jittor-offline 0.0.1"


def test_no_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("cc_path", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    fact = facts.compiler()
    assert (fact.mark, fact.value, fact.mend) == ("FAULT", "not installed", "sudo apt-get install -y g++")


def test_a_compiler_that_cannot_compile_says_its_first_error(monkeypatch, tmp_path):
    broken = '[ "$1" = --version ] && echo "g++ 12" && exit\necho note >&2\necho "fatal error: omp.h: No such file" >&2\nexit 1'
    monkeypatch.setenv("cc_path", str(script(tmp_path / "g++", broken)))
    fact = facts.compiler()
    assert (fact.mark, fact.value) == ("FAULT", "g++ 12: fatal error: omp.h: No such file")


def test_python_h(monkeypatch, tmp_path):
    monkeypatch.setattr(facts.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    fact = facts.python_header()
    assert (fact.mark, fact.value) == ("FAULT", f"{tmp_path / 'Python.h'} is not there")
    assert fact.mend == f"sudo apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-dev"
    (tmp_path / "Python.h").touch()
    assert facts.python_header().mark == "ok"


def test_a_home_that_takes_no_files(monkeypatch):
    monkeypatch.setenv("JITTOR_HOME", "/proc/jittor")
    fact = facts.home()
    assert fact.mark == "FAULT"
    assert fact.value.startswith("/proc/jittor: /proc cannot be written to")


def test_a_home_where_nothing_may_be_executed(monkeypatch, home):
    monkeypatch.setattr(facts.os, "statvfs", lambda folder: SimpleNamespace(f_flag=os.ST_NOEXEC))
    assert facts.home().value.endswith("nothing may be executed there (mounted noexec)")


def test_looking_at_the_home_leaves_nothing_behind(home):
    assert facts.home().ok
    assert not home.exists()


def test_a_full_disk_matters_only_before_jittor_is_compiled(monkeypatch, home):
    monkeypatch.setattr(facts.shutil, "disk_usage", lambda folder: SimpleNamespace(free=500_000_000))
    fact = facts.disk()
    assert (fact.mark, fact.value) == ("FAULT", "0.5 GB free")
    monkeypatch.setattr(runtime, "compiled", lambda: True)
    assert facts.disk().mark == "ok"


@pytest.mark.parametrize(
    ("files", "value", "mark"),
    [
        ({"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    8388608 kB\n"}, "8.0 GiB free", "ok"),
        (
            {
                "/proc/meminfo": "MemAvailable: 8388608 kB\n",
                "/sys/fs/cgroup/memory.max": f"{3 << 30}\n",
                "/sys/fs/cgroup/memory.current": f"{2 << 30}\n",
            },
            "1.0 GiB free",
            "no",
        ),
        (
            {
                "/proc/meminfo": "MemAvailable: 8388608 kB\n",
                "/sys/fs/cgroup/memory.max": "max\n",
                "/sys/fs/cgroup/memory.current": "1\n",
            },
            "8.0 GiB free",
            "ok",
        ),
        ({}, "the system does not tell", "ok"),
    ],
)
def test_memory_is_what_the_container_leaves(monkeypatch, files, value, mark):
    def text(path: str) -> str:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    monkeypatch.setattr(facts, "_text", text)
    fact = facts.memory()
    assert (fact.value, fact.mark) == (value, mark)


def test_mpi_is_needed_only_inside_mpirun(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OMPI_COMM_WORLD_SIZE", raising=False)
    assert (facts.mpi().mark, facts.mpi().value) == ("no", "no Open MPI")
    script(tmp_path / "mpirun", 'echo "mpirun (Open MPI) 4.1.4"')
    assert facts.mpi().value == "Open MPI 4.1.4 without mpicc"
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    assert (facts.mpi().mark, facts.mpi().value) == ("FAULT", "Open MPI 4.1.4 without mpicc, this is process 1 of 2")
    script(tmp_path / "mpicc", "echo 4.1.4")
    assert facts.mpi().mark == "ok"


def test_another_mpi_is_not_taken_for_open_mpi(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path / "mpirun", 'echo "HYDRA build details: Version: 4.0.2"')
    assert facts.mpi().value == "no Open MPI (another MPI, which Jittor does not take)"


def test_a_compiler_too_new_for_nvcc_is_told_in_nvccs_words(tmp_path):
    text = 'case "$1" in --version) echo "release 11.2, V11.2.67" ;; *) echo "#error -- unsupported GNU version! gcc later than 10" >&2; exit 1 ;; esac'
    fact = facts.kernel(script(tmp_path / "nvcc", text))
    assert (fact.mark, fact.value) == ("no", "11.2: #error -- unsupported GNU version! gcc later than 10")
    assert "cc_path" in fact.mend


# the trial


@pytest.fixture
def trial(monkeypatch, home):
    """Runs a program instead of the convolution."""

    def run(program: str, device: str = "cpu") -> Fact:
        monkeypatch.setattr(check, "TRIAL", program)
        return check.convolution(device)

    return run


def test_a_trial_that_agrees(trial):
    assert trial(GOOD) == Fact("convolution on cpu", "agrees with NumPy (1e-07)", needed=True)


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("print('difference 0.5')", "off by 0.5 of the largest value"),
        ("print('difference nan')", "off by nan of the largest value"),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "ended with status -9"),
        ("pass", "ended with status 0"),
        ("print('difference 1e-7'); raise SystemExit(3)", "ended with status 3"),
    ],
)
def test_a_trial_that_fails(trial, home, program, value):
    fact = trial(program)
    assert (fact.mark, fact.value) == ("FAULT", value)
    assert fact.mend.startswith(f"rm -r {home / '.cache'}")


def test_a_trial_on_cuda_that_fails_leaves_the_processor(trial):
    assert trial("raise ValueError('no kernel image')", "cuda").mark == "no"


def test_a_trial_that_hangs_is_ended_with_what_it_started(trial, tmp_path, monkeypatch):
    monkeypatch.setitem(check.SECONDS, "cpu", 2)
    child = tmp_path / "child"
    program = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(child)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    fact = trial(program)
    assert (fact.mark, fact.value) == ("FAULT", "no result in 2 s")
    assert _ended(int(child.read_text()))


def _ended(pid: int) -> bool:
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_the_trial_is_alone_also_inside_mpirun(trial, monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    assert trial("import os; print('difference', 1 if 'OMPI_COMM_WORLD_SIZE' in os.environ else 0)").ok


# the whole


@pytest.fixture
def machine(monkeypatch, home):
    """A machine of the facts given, without driver, and a trial that agrees."""

    def set_up(*given: Fact, program: str = GOOD) -> None:
        monkeypatch.setattr(check, "LOOKS", [lambda fact=fact: fact for fact in given])
        monkeypatch.setattr(cuda, "probe", lambda: cuda.Driver(False, None, (), "no NVIDIA driver"))
        monkeypatch.setattr(check, "TRIAL", program)

    return set_up


def test_plain_lines_and_status_0(machine, home):
    machine(Fact("Python", "3.11.7", needed=True), Fact("MPI", "no Open MPI", False, "sudo apt-get install -y it"))
    out = io.StringIO()
    assert check.check(out) == 0
    assert out.getvalue() == (
        "ok     Python               3.11.7\n"
        "no     MPI                  no Open MPI\n"
        "                            -> sudo apt-get install -y it\n"
        "no     CUDA driver          no NVIDIA driver\n"
        "ok     Jittor compiled      not yet: the first start takes minutes, once\n"
        "ok     convolution on cpu   agrees with NumPy (1e-07)\n"
        "Training can run on the processor.\n"
    )


def test_a_fault_stops_before_the_trial_and_gives_status_1(machine, tmp_path):
    machine(
        Fact("numpy", "2.1.0", False, "pip install 'numpy<2'", needed=True),
        program=f"open({str(tmp_path / 'tried')!r}, 'w')",
    )
    out = io.StringIO()
    assert check.check(out) == 1
    assert "FAULT  numpy                2.1.0\n" in out.getvalue()
    assert "-> pip install 'numpy<2'\n" in out.getvalue()
    assert out.getvalue().endswith("Training cannot run: numpy. Mend the lines marked FAULT, and check again.\n")
    assert not (tmp_path / "tried").exists()


def test_a_failing_trial_gives_status_1(machine):
    machine(program="raise ValueError('no such thing')")
    assert check.check(io.StringIO()) == 1


@pytest.mark.parametrize(
    ("on_cuda", "last"),
    [("0", "Training can run on CUDA and on the processor."), ("1", "Training can run on the processor.")],
)
def test_cuda_is_tried_where_nvcc_works(machine, monkeypatch, on_cuda, last):
    machine(program=f"import sys; print('difference', {on_cuda} if sys.argv[1] == 'cuda' else 0)")
    monkeypatch.setattr(cuda, "probe", lambda: cuda.Driver(True, (13, 0), ("a card",), "one card", (90,)))
    monkeypatch.setattr(
        cuda, "toolkit", lambda driver, folder: cuda.Toolkit(Path("nvcc"), "system", "90", {}, "CUDA 12.2")
    )
    monkeypatch.setattr(facts, "kernel", lambda nvcc: Fact("nvcc", "12.2 compiles"))
    out = io.StringIO()
    assert check.check(out) == 0
    assert out.getvalue().splitlines()[-1] == last


def test_a_driver_without_toolkit_is_told_and_not_tried(machine, monkeypatch):
    machine()
    monkeypatch.setattr(cuda, "probe", lambda: cuda.Driver(True, (13, 0), ("a card",), "one card", (90,)))
    kit = cuda.Toolkit(None, "none", "", {"nvcc_path": ""}, "no wheels; pip install it", "pip install it")
    monkeypatch.setattr(cuda, "toolkit", lambda driver, folder: kit)
    found = list(check.facts())
    assert [(f.name, f.mark, f.value, f.mend) for f in found if f.name == "CUDA toolkit"] == [
        ("CUDA toolkit", "no", "no wheels", "pip install it")
    ]
    assert [f.name for f in found if f.name.startswith("convolution")] == ["convolution on cpu"]


def test_a_table_on_a_terminal(machine):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    machine(Fact("Python", "3.13.0", False, "python3.12 -m venv .venv", needed=True))
    out = Terminal()
    assert check.check(out) == 1
    lines = out.getvalue().splitlines()
    assert any("FAULT" in line and "Python" in line and "3.13.0" in line for line in lines)
    assert any("-> python3.12 -m venv .venv" in line for line in lines)


def test_this_machine():
    """The real convolution, on a machine where Jittor is compiled already."""
    if not runtime.compiled():
        pytest.skip("Jittor is not compiled here yet, which takes minutes")
    command = "import sys; from training.check import check; sys.exit(check(sys.stdout))"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "ok     convolution on cpu   agrees with NumPy" in done.stdout
    assert done.stderr == ""


def test_importing_does_not_import_jittor():
    command = "import sys, training.check; print([m for m in ('jittor', 'pandas', 'rich') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
