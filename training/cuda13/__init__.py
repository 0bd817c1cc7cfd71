"""A CUDA 13 toolkit that Jittor 1.3.11, written for CUDA 10 to 12 and cuDNN 7 and 8, compiles against.

In: the folder `site-packages` with NVIDIA's wheels of CUDA 13 and cuDNN 9, and perhaps an nvcc 13 of the system. Out: a folder of links
laid out as Jittor expects a toolkit (bin/nvcc, include/, lib64/), in which an nvcc wrapper and five headers (`shim/`, each says why it is
there) stand in front of the real ones. Neither the wheels nor Jittor are changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIMS = {p.name: p for p in sorted((HERE / "shim").glob("*.h"))}
MEND = "pip install -e '.[cuda]'"


@dataclass(frozen=True)
class Wheel:
    """One wheel: its version, and a file of the finished tree, or of the folder above nvcc's bin/, that is there because of it."""

    version: str
    witness: str


# The one list of what is needed; pyproject's extra `cuda` repeats it. All belong to CUDA 13.0 (driver 580 or newer), 2.3 GB together.
WHEELS = {
    "nvidia-cublas": Wheel("13.1.0.3", "include/cublas_v2.h"),
    "nvidia-cuda-cccl": Wheel("13.0.85", "include/cub"),
    "nvidia-cuda-crt": Wheel("13.0.88", "include/crt/host_config.h"),
    "nvidia-cuda-nvcc": Wheel("13.0.88", "bin/nvcc"),
    "nvidia-cuda-nvrtc": Wheel("13.0.88", "lib64/libnvrtc.so"),  # cuDNN loads it to make kernels while it runs
    "nvidia-cuda-runtime": Wheel("13.0.96", "lib64/libcudart.so"),
    "nvidia-cudnn-cu13": Wheel("9.19.0.56", "include/cudnn.h"),
    "nvidia-cufft": Wheel("12.0.0.61", "include/cufft.h"),
    "nvidia-curand": Wheel("10.4.0.35", "include/curand.h"),
    "nvidia-cusparse": Wheel("12.6.3.3", "include/cusparse.h"),
    "nvidia-nvjitlink": Wheel("13.0.88", "lib64/libnvJitLink.so"),  # cuSPARSE is linked with it
    "nvidia-nvvm": Wheel("13.0.88", "nvvm/bin/cicc"),
}

# cuDNN 8 had libraries of these names, which Jittor loads first; cuDNN 9 has one of the part before "_" for each two
CUDNN_8_NAMES = ("ops_infer", "ops_train", "cnn_infer", "cnn_train")


class TreeProblem(ValueError):
    """No tree can be built; the message says what is missing and the line that mends it."""


def build_tree(site_packages: Path, tree: Path, nvcc: Path | None = None) -> Path:
    """Build the tree below the folder `tree`, unless it is there already, and return it: `tree`/DIGEST, with bin/nvcc in it.

    The digest is of the wheels' versions, the compiler and this package's own files, so another set of wheels is another tree and Jittor
    compiles afresh. The tree appears whole or not at all; processes may build at the same time.

    Args:
        site_packages: the folder that `nvidia/` lies in.
        tree: folder for trees; made if need be.
        nvcc: the compiler, of CUDA 13; None = the one of the wheel nvidia-cuda-nvcc.

    Raises:
        TreeProblem: a wheel is missing.
        OSError: `tree` cannot be written.
    """
    wheels = site_packages.resolve() / "nvidia"
    real = nvcc.absolute() if nvcc else wheels / "cu13/bin/nvcc"
    if not real.is_file():
        raise TreeProblem(f"there is no {real} (the wheel nvidia-cuda-nvcc brings it); {MEND}")
    home = home_of(real)
    if home is None:
        raise TreeProblem(f"{real} does not run; {MEND}")
    real = home / "bin/nvcc" if (home / "bin/nvcc").is_file() else real
    about = _about(wheels, real)
    finished = tree.absolute() / hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    if (finished / "built_from.json").is_file():
        return finished
    unfinished = finished.with_name(f".{finished.name}.{os.getpid()}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a killed process that had this number
    try:
        for folder in ("bin", "include", "lib64"):
            (unfinished / folder).mkdir(parents=True)
        (unfinished / "lib").symlink_to("lib64")
        sources = list(
            dict.fromkeys([home, wheels / "cu13", wheels / "cudnn"])
        )  # the compiler's own headers fit it best
        _link_headers(sources, unfinished / "include")
        _link_libraries(sources, unfinished / "lib64")
        wrapper = unfinished / "bin" / "nvcc"
        wrapper.write_text((HERE / "nvcc_wrapper.sh").read_text().replace("@REAL@", shlex.quote(str(real))))
        wrapper.chmod(0o755)
        missing = [
            name for name, w in WHEELS.items() if not ((unfinished / w.witness).exists() or (home / w.witness).exists())
        ]
        if missing:
            raise TreeProblem(f"{', '.join(missing)} not found in {site_packages}; {MEND}")
        (unfinished / "built_from.json").write_text(
            json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        _rename(unfinished, finished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return finished


def home_of(nvcc: Path) -> Path | None:
    """The toolkit that an nvcc belongs to, as it says itself: the nvcc on the path is often a script that calls another. None = it says nothing."""
    said = run(str(nvcc), "--dryrun", "-E", "-x", "cu", os.devnull)
    found = re.search(r"^#\$ TOP=(.+)$", said, re.MULTILINE)
    return Path(found[1].strip()).resolve() if found else None


def run(*command: str) -> str:
    """All that a short command prints, on both streams; empty when it cannot be started, takes more than a minute, or fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def _about(wheels: Path, nvcc: Path) -> dict[str, object]:
    """Everything the tree is made from."""
    installed = importlib.metadata.distributions(path=[str(wheels.parent)])
    versions = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in installed if d.metadata["Name"]}
    own = [Path(__file__), HERE / "nvcc_wrapper.sh", *SHIMS.values()]
    return {
        "wheels": str(wheels),
        "versions": {name: versions.get(name) for name in WHEELS},
        "nvcc": [str(nvcc), nvcc.stat().st_mtime_ns],
        "recipe": hashlib.sha256(b"".join(p.read_bytes() for p in own)).hexdigest(),
    }


def _link_headers(sources: list[Path], include: Path) -> None:
    for folder in (s / "include" for s in sources):
        for header in sorted(folder.iterdir()) if folder.is_dir() else []:
            target = include / header.name
            if header.name.startswith("__") or target.exists():  # __init__.py, __pycache__
                continue
            if header.name in SHIMS:
                target.write_text(SHIMS[header.name].read_text().replace("@REAL@", str(header)))
            else:
                target.symlink_to(header)
    if not (include / "npp.h").exists():
        shutil.copyfile(SHIMS["npp.h"], include / "npp.h")
    if (include / "cccl").is_dir():  # CUDA 13 moved cub/, cuda/ and thrust/ one folder down
        for folder in sorted((include / "cccl").iterdir()):
            if not (include / folder.name).exists():
                (include / folder.name).symlink_to(folder.resolve())


def _link_libraries(sources: list[Path], lib64: Path) -> None:
    """Each library under its own name and, since wheels have no such links, under the name without version that linkers look for."""
    for folder in (s / name for s in sources for name in ("lib64", "lib")):
        for library in sorted([*folder.glob("lib*.so*"), *folder.glob("lib*.a")]):
            plain = library.name.split(".so")[0] + ".so" if ".so" in library.name else library.name
            for name in {library.name, plain}:
                if not (lib64 / name).exists():
                    (lib64 / name).symlink_to(library)
    for old in CUDNN_8_NAMES:
        (lib64 / f"libcudnn_{old}.so").symlink_to(f"libcudnn_{old.split('_')[0]}.so")


def _rename(unfinished: Path, finished: Path) -> None:
    try:
        unfinished.rename(finished)
    except OSError:
        if not (finished / "built_from.json").is_file():  # else another process was first
            raise
