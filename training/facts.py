"""Facts about the machine that training needs to know: each function looks at one thing and answers with a Fact."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from training import cuda, runtime

OFFLINE = "0.0.7"  # of jittor-offline, which has oneDNN for Jittor 1.3.11
ONEDNN = {"x86_64": "dnnl_lnx_2.2.0_cpu_gomp", "aarch64": "dnnl_lnx_2.2.0_cpu_gomp_aarch64"}
CACHE_BYTES = 800_000_000  # 335 compiled kernels of a TSIT run
MEMORY_BYTES = 2 * 2**30  # a small TSIT step takes 0.75 GB, compilers beside it some more
INSTALL = "pip install -e '.[train]'"
KERNEL = "#include <cuda_runtime.h>\n#include <cudnn.h>\n__global__ void twice(float *x) { x[threadIdx.x] *= 2; }\n"
PROGRAM = '#include <omp.h>\n#include <cstdio>\nint main() { std::printf("%d", omp_get_max_threads() > 0); }\n'


@dataclass(frozen=True)
class Fact:
    """One line of the check.

    Attributes:
        name: what was looked at.
        value: what was found, in words.
        ok: it serves.
        mend: the line that mends it, where it does not serve.
        needed: training on the processor cannot run unless it serves.
    """

    name: str
    value: str
    ok: bool = True
    mend: str = ""
    needed: bool = False

    @property
    def mark(self) -> str:
        """ "ok", "FAULT" where training on the processor stops at it, "no" where it does not."""
        return "ok" if self.ok else "FAULT" if self.needed else "no"


def system() -> Fact:
    """Everything was run on Linux alone."""
    value = f"{platform.system()} {platform.machine()}"
    return Fact(
        "system",
        value,
        platform.system() == "Linux",
        "use Linux (WSL on Windows, a container on a Mac): nothing here was run elsewhere",
    )


def python() -> Fact:
    version = sys.version_info[:3]
    mend = f"python3.12 -m venv .venv && .venv/bin/{INSTALL}"
    return Fact("Python", ".".join(map(str, version)), (3, 10) <= version[:2] <= (3, 12), mend, needed=True)


def numpy() -> Fact:
    """With numpy 2 Jittor computes wrong numbers without a word."""
    version = _version("numpy")
    return Fact(
        "numpy",
        version or "not installed",
        bool(version) and int(version.split(".")[0]) < 2,
        "pip install 'numpy<2'",
        needed=True,
    )


def jittor() -> Fact:
    version = _version("jittor")
    return Fact("Jittor", version or "not installed", version == runtime.JITTOR, INSTALL, needed=True)


def onednn() -> Fact:
    """oneDNN, which makes convolutions fast; where it lacks, Jittor tries to download it when it is imported."""
    name = ONEDNN.get(platform.machine(), ONEDNN["x86_64"])
    unpacked = runtime.home() / ".cache/jittor/mkl" / name
    if (unpacked / "include").is_dir() or (unpacked / "examples").is_dir():
        return Fact("oneDNN", f"in {unpacked}", needed=True)
    version = _version("jittor-offline")
    archive = None
    if version:
        archive = Path(importlib.metadata.distribution("jittor-offline").locate_file(f"jittor_offline/{name}.tgz"))
    if archive and archive.is_file():
        return Fact("oneDNN", f"of jittor-offline {version}", needed=True)
    lacks = f"jittor-offline {version} does not have {name}.tgz" if version else "jittor-offline is not installed"
    return Fact("oneDNN", lacks, False, f"pip install jittor-offline=={OFFLINE}", needed=True)


def compiler() -> Fact:
    """g++, and whether a program of it with OpenMP runs."""
    gxx = os.environ.get("cc_path") or shutil.which("g++")  # noqa: SIM112 - Jittor reads this very name
    mend = "sudo apt-get install -y g++"
    if not gxx:
        return Fact("g++", "not installed", False, mend, needed=True)
    version = (cuda.run(gxx, "--version").splitlines() or ["does not run"])[0]
    with tempfile.TemporaryDirectory() as scratch:
        source, program = Path(scratch, "a.cc"), Path(scratch, "a.out")
        source.write_text(PROGRAM)
        fault = _failure(gxx, "-fopenmp", str(source), "-o", str(program)) or _failure(str(program))
    return Fact("g++", f"{version}: {fault}" if fault else version, not fault, mend, needed=True)


def python_header() -> Fact:
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    mend = f"sudo apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-dev"
    return Fact(
        "Python.h", str(header) if header.is_file() else f"{header} is not there", header.is_file(), mend, needed=True
    )


def home() -> Fact:
    """The folder of what Jittor compiles: it must take files, and programs must be allowed to run from it."""
    folder = runtime.home()
    there = _nearest(folder)
    fault = ""
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        if os.statvfs(there).f_flag & os.ST_NOEXEC:
            fault = "nothing may be executed there (mounted noexec)"
    except OSError as error:
        fault = f"{there} cannot be written to ({error.strerror})"
    mend = "export JITTOR_HOME=FOLDER, with a folder on a disk where you may write and execute"
    return Fact("home of Jittor", f"{folder}: {fault}" if fault else str(folder), not fault, mend, needed=True)


def disk() -> Fact:
    """Room for what Jittor compiles; what is compiled already takes none any more."""
    free = shutil.disk_usage(_nearest(runtime.home())).free
    needs = 0 if runtime.compiled() else CACHE_BYTES
    mend = f"free {CACHE_BYTES / 1e9:.1f} GB there, or export JITTOR_HOME=FOLDER on another disk"
    return Fact("disk", f"{free / 1e9:.1f} GB free", free >= needs, mend, needed=True)


def memory() -> Fact:
    """Memory that can be had, with the limit of the container."""
    available = _available_memory()
    if available is None:
        return Fact("memory", "the system does not tell")
    mend = (
        f"end other programs, or give the container {MEMORY_BYTES / 2**30:.0f} GiB: compiling and training may run out"
    )
    return Fact("memory", f"{available / 2**30:.1f} GiB free", available >= MEMORY_BYTES, mend)


def processors() -> Fact:
    return Fact("processors", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()))


def kernel(nvcc: Path) -> Fact:
    """Whether nvcc compiles a kernel and finds cuDNN; its most frequent trouble is a g++ newer than it knows."""
    version = cuda.compiler_version(nvcc)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "a.cu")
        source.write_text(KERNEL)
        include = nvcc.parent.parent / "include"
        fault = _failure(
            str(nvcc), "-std=c++14", f"-I{include}", "-c", str(source), "-o", str(source.with_suffix(".o"))
        )
    known = ".".join(map(str, version or ("?",)))
    mend = "install a g++ that this nvcc knows (`nvcc` names the newest), and export cc_path=/usr/bin/g++-11 for it"
    return Fact("nvcc", f"{known}: {fault}" if fault else f"{known} compiles", not fault, mend)


def mpi() -> Fact:
    """OpenMPI, for several cards or machines; inside mpirun Jittor needs its compiler, too."""
    said = cuda.run("mpirun", "--version")
    wrapper = cuda.run("mpicc", "--showme:version")
    version = re.search(r"Open MPI\D*([\d.]+)", said)
    inside = runtime.world() > 1
    value = (
        f"Open MPI {version[1].rstrip('.')}"
        if version
        else "no Open MPI" + (" (another MPI, which Jittor does not take)" if said else "")
    )
    if version and not wrapper:
        value += " without mpicc"
    if inside:
        value += f", this is process {runtime.rank()} of {runtime.world()}"
    mend = "sudo apt-get install -y openmpi-bin libopenmpi-dev   (for several processes alone)"
    return Fact("MPI", value, bool(version and wrapper), mend, needed=inside)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _failure(*command: str) -> str:
    """The first line that a failing command says about an error; "" when it ends well."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or [f"status {done.returncode}"]
    return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(f for f in [folder.absolute(), *folder.absolute().parents] if f.is_dir())


def _available_memory() -> int | None:
    """Bytes that can be had: what the system has left, or what the control group's limit leaves where that is less."""
    left = []
    with contextlib.suppress(OSError, AttributeError, TypeError):
        left.append(int(re.search(r"MemAvailable:\s+(\d+) kB", _text("/proc/meminfo"))[1]) * 1024)
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # "max" = no limit
            left.append(int(_text(limit)) - int(_text(used)))
    return min(left, default=None)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
