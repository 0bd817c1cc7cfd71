"""CUDA on this machine: the driver and its cards, and the toolkit that Jittor is to compile with.

`probe()` asks the driver; `toolkit(driver, folder)` chooses an nvcc and gives the environment in which Jittor uses it. Nothing here
imports Jittor: nvcc on a machine without a driver makes it abort the process, so the question comes first.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from training.cuda13 import MEND, WHEELS, TreeProblem, build_tree, home_of, run

LIBRARY = "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*, cuda.h
NAME_LENGTH = 256
HEADERS = (
    "cublas_v2",
    "cudnn",
    "curand",
    "cufft",
    "cusparse",
)  # of the modules that Jittor compiles; it ends the process where one lacks
CUDNN = 8  # what Jittor's cuDNN module is written for
NEWEST_ARCH = 90  # Jittor 1.3.11 asks for no newer machine code (jittor/compiler.py)
OLDEST_ARCH_13 = 75  # CUDA 13 dropped what is older
DRIVER_OF_13 = "580"
NVCC_PLACES = ("/usr/local/cuda/bin/nvcc", "/usr/bin/nvcc", "/opt/cuda/bin/nvcc")  # where Jittor looks, after the path
SYSTEM = Path("/usr")  # below it are headers and libraries of packages


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver.

    Attributes:
        found: it loads, starts and has at least one card.
        version: the newest CUDA it can run, (major, minor); None when it does not load.
        devices: one text a card: name, memory, compute capability.
        reason: in words, why it was found or not.
        archs: compute capability of each card as Jittor writes it: 90 = 9.0.
        memory: of each card, bytes; 0 = the driver does not tell.
    """

    found: bool
    version: tuple[int, int] | None
    devices: tuple[str, ...]
    reason: str
    archs: tuple[int, ...] = ()
    memory: tuple[int, ...] = ()


@dataclass(frozen=True)
class Toolkit:
    """What Jittor compiles with.

    Attributes:
        nvcc: the compiler to name to Jittor; None when there is none that it can use.
        kind: "system" (CUDA 11 or 12 with cuDNN 8), "cuda13-wheels" or "none".
        arch: machine code of the oldest card, e.g. "90"; "" for none.
        environment: what to set before `import jittor`; always holds nvcc_path ("" = no CUDA).
        reason: in words, the choice and, for "none", what stands in the way of each.
        mend: the line that mends it, or "".
    """

    nvcc: Path | None
    kind: str
    arch: str
    environment: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    mend: str = ""


def probe(library: str = LIBRARY) -> Driver:
    """Load the driver's library into this process and ask it for its version and cards. Raises nothing."""
    try:
        cuda = ctypes.CDLL(library)
        version = ctypes.c_int()
        if cuda.cuDriverGetVersion(ctypes.byref(version)):
            return Driver(False, None, (), f"{library} does not tell its version")
        known = (version.value // 1000, version.value % 1000 // 10)
        status = cuda.cuInit(0)
        count = ctypes.c_int()
        status = status or cuda.cuDeviceGetCount(ctypes.byref(count))
        if status or not count.value:
            return Driver(False, known, (), f"the NVIDIA driver finds no card{_told(cuda, status)}")
        cards = [_card(cuda, number) for number in range(count.value)]
    except OSError:
        return Driver(False, None, (), f"no NVIDIA driver ({library} is not there)")
    except AttributeError as error:
        return Driver(False, None, (), f"{library} is not NVIDIA's driver ({error})")
    devices = tuple(text for text, _, _ in cards)
    found = (
        f"the NVIDIA driver runs CUDA up to {known[0]}.{known[1]} and has {len(devices)} card{'s' * (len(devices) > 1)}"
    )
    return Driver(True, known, devices, found, tuple(arch for _, arch, _ in cards), tuple(size for _, _, size in cards))


def toolkit(driver: Driver, folder: Path, site_packages: Path | None = None) -> Toolkit:
    """Choose the toolkit for the driver's cards: a system's CUDA 11 or 12 with cuDNN 8 as it is, else a tree of the CUDA 13 wheels.

    Args:
        driver: as `probe` found it.
        folder: where the tree of the wheels is built (below `cuda13/`), 1 MB of links.
        site_packages: where the wheels are; None = where this Python has them.

    Returns:
        Always a Toolkit; `nvcc` is None when neither can be used, and `reason` says what stands in the way.
    """
    if not driver.found:
        return _none(driver.reason, "")
    faults = []
    compilers = _system_compilers()
    for nvcc, home, version in compilers:
        newest = _newest_arch(version)
        fault = _system_fault(home, version, driver, newest)
        if fault:
            faults.append(f"{nvcc}: {fault}")
            continue
        reason = f"CUDA {version[0]}.{version[1]} of the system, {nvcc}"
        return _chosen(nvcc, "system", min(*driver.archs, newest), reason)
    fault, mend = _wheels_fault(driver)
    if not fault:
        site = site_packages or _site_packages()
        own = site / "nvidia/cu13/bin/nvcc"
        system_13 = next((nvcc for nvcc, _, version in compilers if version[0] == 13), None)
        try:
            tree = build_tree(site, folder / "cuda13", None if own.is_file() else system_13)
            reason = f"CUDA 13 and cuDNN 9 of the wheels in {site}"
            return _chosen(tree / "bin/nvcc", "cuda13-wheels", min(*driver.archs, NEWEST_ARCH), reason, use_nccl="0")
        except TreeProblem as problem:
            fault = str(problem).removesuffix(f"; {MEND}")
        except OSError as error:
            fault, mend = (
                f"the tree cannot be written to {folder} ({error.strerror})",
                f"export JITTOR_HOME=FOLDER, one that can be written instead of {folder}",
            )
    return _none("; ".join([*faults, f"wheels of CUDA 13: {fault}"]), mend)


def _told(cuda: ctypes.CDLL, status: int) -> str:
    """The driver's name of an error, in brackets."""
    if not status:
        return ""
    name = ctypes.c_char_p()
    known = hasattr(cuda, "cuGetErrorName") and cuda.cuGetErrorName(status, ctypes.byref(name)) == 0 and name.value
    return f" ({name.value.decode(errors='replace') if known else f'error {status}'})"


def _card(cuda: ctypes.CDLL, number: int) -> tuple[str, int, int]:
    """Name, memory and capability of a card as text; its capability as a number; its memory in bytes. What the driver does not tell reads 0."""
    handle, memory, major, minor = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(NAME_LENGTH)
    cuda.cuDeviceGet(ctypes.byref(handle), number)
    cuda.cuDeviceGetName(name, NAME_LENGTH, handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), MAJOR, handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), MINOR, handle)
    text = f"{name.value.decode(errors='replace')} ({memory.value / 2**30:.1f} GiB, compute capability {major.value}.{minor.value})"
    return text, major.value * 10 + minor.value, memory.value


def _chosen(nvcc: Path, kind: str, arch: int, reason: str, **more: str) -> Toolkit:
    # cutt and cutlass bring nothing that the models use, and Jittor would download the latter
    environment = {"nvcc_path": str(nvcc), "cuda_arch": str(arch), "use_cutt": "0", "use_cutlass": "0", **more}
    return Toolkit(nvcc, kind, str(arch), environment, reason)


def _none(reason: str, mend: str) -> Toolkit:
    return Toolkit(None, "none", "", {"nvcc_path": ""}, f"{reason}; {mend}" if mend else reason, mend)


def _system_compilers() -> list[tuple[Path, Path, tuple[int, int]]]:
    """Every nvcc of the system that runs: the one to name to Jittor, the folder of its toolkit, its version. Named ones come first."""
    named = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")]
    places = [Path(f) / "bin/nvcc" for f in named if f]
    places += [Path(found) for found in [shutil.which("nvcc")] if found]
    places += [Path(place) for place in NVCC_PLACES]
    places += sorted(Path.home().glob(".cache/jittor/jtcuda/*/bin/nvcc"))  # of python -m jittor_utils.install_cuda
    compilers: dict[Path, tuple[Path, Path, tuple[int, int]]] = {}
    for place in places:
        version = compiler_version(place) if place.is_file() else None
        home = home_of(place) if version else None
        if not version or not home:
            continue
        # Jittor looks for headers and libraries beside the nvcc it is given, so it gets the real one rather than a script that calls it;
        # the package of Debian and Ubuntu it knows by this very path
        inner = home / "bin/nvcc"
        packaged = place == Path("/usr/bin/nvcc") and (SYSTEM / "include/cublas_v2.h").exists()
        compilers.setdefault(home, (place if packaged or not inner.is_file() else inner, home, version))
    return list(compilers.values())


def compiler_version(nvcc: Path) -> tuple[int, int] | None:
    """The version of an nvcc, or None when it does not run or does not say."""
    found = re.search(r"release (\d+)\.(\d+)", run(str(nvcc), "--version"))
    return (int(found[1]), int(found[2])) if found else None


def _newest_arch(version: tuple[int, int]) -> int:
    """The newest machine code that Jittor asks an nvcc of this version for (jittor/compiler.py)."""
    return 80 if version < (11, 1) else 86 if version < (11, 8) else NEWEST_ARCH


def _system_fault(home: Path, version: tuple[int, int], driver: Driver, newest: int) -> str:
    """Why Jittor cannot use this toolkit as it is, or ""."""
    written = f"{version[0]}.{version[1]}"
    if version[0] not in (11, 12):
        return f"CUDA {written}, and Jittor takes only 11 and 12 as they are"
    if driver.version and driver.version[0] < version[0]:
        return f"CUDA {written} is newer than the driver, which runs CUDA {driver.version[0]}.{driver.version[1]}"
    if max(driver.archs) // 10 > newest // 10:  # machine code runs only on cards of its own major version
        return (
            f"Jittor makes machine code up to {newest / 10} with CUDA {written}, and a card is {max(driver.archs) / 10}"
        )
    machine = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "aarch64"
    target = home / f"targets/{machine}-linux"
    headers = [home / "include", target / "include", SYSTEM / "include"]
    libraries = [home / "bin", home / "lib64", target / "lib", SYSTEM / f"lib/{machine}-linux-gnu", SYSTEM / "lib"]
    for name in HEADERS:  # the folders are those that Jittor searches
        for folders, file in ((headers, f"{name}.h"), (libraries, f"lib{name.removesuffix('_v2')}.so")):
            if not any((folder / file).exists() for folder in folders):
                hint = f" (the developer files of cuDNN {CUDNN})" if name == "cudnn" else ""
                return f"there is no {file} beside it{hint}"
    cudnn = _cudnn_version(headers)
    return "" if cudnn in (CUDNN, None) else f"cuDNN {cudnn} is beside it, and Jittor needs {CUDNN}"


def _cudnn_version(folders: list[Path]) -> int | None:
    """Major version of cuDNN from its headers, or None when none tells."""
    for folder in folders:
        for file in (folder / "cudnn_version.h", folder / "cudnn.h"):
            found = (
                re.search(r"#define\s+CUDNN_MAJOR\s+(\d+)", file.read_text(errors="replace")) if file.exists() else None
            )
            if found:
                return int(found[1])
    return None


def _wheels_fault(driver: Driver) -> tuple[str, str]:
    """Why this driver or its cards cannot run CUDA 13, and the way out; both "" when they can."""
    way_out = f"install CUDA 12.2 and cuDNN {CUDNN} (python -m jittor_utils.install_cuda)"
    if driver.version and driver.version < (13, 0):
        return (
            f"the driver runs CUDA {driver.version[0]}.{driver.version[1]} and no newer",
            f"update the NVIDIA driver to {DRIVER_OF_13} or newer, or {way_out}",
        )
    too_old = [arch for arch in driver.archs if arch < OLDEST_ARCH_13]
    if too_old:
        return (
            f"CUDA 13 has no code for compute capability {too_old[0] / 10}, it begins at {OLDEST_ARCH_13 / 10}",
            way_out,
        )
    return "", MEND


def _site_packages() -> Path:
    """The first folder on Python's path that has a wheel of CUDA 13; where there is none, this Python's own."""
    folders = [Path(p) for p in sys.path if p]
    return next(
        (f for f in folders if (f / "nvidia/cu13").is_dir()),
        next((f for f in folders if f.name == "site-packages"), Path(sys.prefix)),
    )


__all__ = ["WHEELS", "Driver", "Toolkit", "build_tree", "compiler_version", "probe", "toolkit"]
