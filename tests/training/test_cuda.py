"""The driver is a library built here that answers as NVIDIA's would; compilers are scripts; wheels are folders of small files."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ROOT

from training import cuda, cuda13
from training.cuda import Driver, Toolkit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

needs_gxx = pytest.mark.skipif(not shutil.which("g++"), reason="no g++")
DRIVER_SOURCE = """
#include <cstdlib>
#include <cstring>
extern "C" {
int cuDriverGetVersion(int *v) { *v = VERSION; return 0; }
int cuInit(unsigned) { return INIT; }
int cuGetErrorName(int, const char **name) { *name = "CUDA_ERROR_NO_DEVICE"; return 0; }
int cuDeviceGetCount(int *n) { *n = COUNT; return 0; }
int cuDeviceGet(int *handle, int number) { *handle = 10 + number; return 0; }
int cuDeviceGetName(char *name, int length, int handle) { strncpy(name, handle == 10 ? "First" : "Second", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int handle) { *bytes = (handle == 10 ? 80ull : 24ull) << 30; return 0; }
int cuDeviceGetAttribute(int *value, int which, int handle) { *value = which == 75 ? (handle == 10 ? 9 : 8) : (handle == 10 ? 0 : 9); return 0; }
}
"""
HOPPER = Driver(True, (13, 0), ("a card",), "one card", (90,))


@pytest.fixture
def driver_library(tmp_path):
    """Builds a driver library with the version, the status of cuInit and the number of cards given."""

    def build(version: int = 13000, init: int = 0, count: int = 1) -> str:
        library = tmp_path / f"libcuda_{version}_{init}_{count}.so"
        defines = [f"-DVERSION={version}", f"-DINIT={init}", f"-DCOUNT={count}"]
        command = ["g++", "-shared", "-fPIC", *defines, "-x", "c++", "-", "-o", str(library)]
        subprocess.run(command, input=DRIVER_SOURCE, text=True, check=True)
        return str(library)

    return build


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_nvcc(home: Path, version: str) -> Path:
    """An nvcc that tells its version and its home, and otherwise prints what it was called with, one a line."""
    nvcc = write(
        home / "bin/nvcc",
        f"""#!/bin/sh
case "$1" in
--version) echo "Cuda compilation tools, release {version}, V{version}.1" ;;
--dryrun) echo "#$ TOP={home}/bin/.." >&2 ;;
*) printf '%s\\n' "$@" ;;
esac
""",
    )
    nvcc.chmod(0o755)
    return nvcc


def make_system(home: Path, version: str, cudnn: int = 8, without: str = "") -> Path:
    for name in ("cublas_v2", "cudnn", "curand", "cufft", "cusparse"):
        if name != without:
            write(home / f"include/{name}.h")
            write(home / f"lib64/lib{name.removesuffix('_v2')}.so")
    write(home / "include/cudnn_version.h", f"#define CUDNN_MAJOR {cudnn}\n")
    return make_nvcc(home, version)


def make_wheels(site: Path, cublas: str = "13.1.0.3", without: tuple[str, ...] = ()) -> Path:
    """Wheels laid out as NVIDIA's are: no libraries without version, CCCL one folder down, and what Python adds."""
    inside = site / "nvidia/cu13"
    if "nvidia-cuda-nvcc" not in without:
        make_nvcc(inside, "13.0")
    for header in (
        "cublas_v2.h",
        "cuda_runtime.h",
        "cufft.h",
        "curand.h",
        "cusparse.h",
        "crt/host_config.h",
        "cccl/cub/cub.cuh",
    ):
        write(inside / "include" / header, f"// the real {header}\n")
    write(inside / "include/__init__.py")
    for library in ("libcublas.so.13", "libcudart.so.13", "libnvrtc.so.13", "libnvJitLink.so.13", "libcudadevrt.a"):
        write(inside / "lib" / library)
    write(inside / "nvvm/bin/cicc")
    write(site / "nvidia/cudnn/include/cudnn.h", "// the real cudnn.h\n")
    for library in ("libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9"):
        write(site / "nvidia/cudnn/lib" / library)
    write(site / "nvidia/cublas/include/cublas_v2.h", "// of CUDA 12, which may be installed beside\n")
    write(site / "nvidia_cublas.dist-info/METADATA", f"Metadata-Version: 2.1\nName: nvidia-cublas\nVersion: {cublas}\n")
    if "nvidia-curand" in without:
        (inside / "include/curand.h").unlink()
    return site


@pytest.fixture
def bare_system(monkeypatch, tmp_path):
    """A system without any nvcc, whatever this machine has; returns the folder that CUDA_HOME names."""
    monkeypatch.setattr(cuda, "NVCC_PLACES", ())
    monkeypatch.setattr(cuda, "SYSTEM", tmp_path / "usr")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    folders = [f for f in os.environ["PATH"].split(os.pathsep) if not Path(f, "nvcc").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    return tmp_path / "cuda"


# the driver


def test_a_missing_driver_is_told():
    assert cuda.probe("libno_such_driver.so.1") == Driver(
        False, None, (), "no NVIDIA driver (libno_such_driver.so.1 is not there)"
    )


def test_another_library_is_not_taken_for_the_driver():
    driver = cuda.probe("libm.so.6")
    assert not driver.found
    assert "libm.so.6 is not NVIDIA's driver" in driver.reason


@needs_gxx
def test_cards_with_memory_and_capability(driver_library):
    driver = cuda.probe(driver_library(13000, count=2))
    assert driver.found
    assert driver.version == (13, 0)
    assert driver.devices == (
        "First (80.0 GiB, compute capability 9.0)",
        "Second (24.0 GiB, compute capability 8.9)",
    )
    assert driver.archs == (90, 89)
    assert driver.reason == "the NVIDIA driver runs CUDA up to 13.0 and has 2 cards"


@needs_gxx
@pytest.mark.parametrize(
    ("init", "count", "reason"),
    [
        (100, 1, "the NVIDIA driver finds no card (CUDA_ERROR_NO_DEVICE)"),
        (0, 0, "the NVIDIA driver finds no card"),
    ],
)
def test_a_driver_without_card_is_no_driver(driver_library, init, count, reason):
    assert cuda.probe(driver_library(12040, init, count)) == Driver(False, (12, 4), (), reason)


# the toolkit


def test_without_driver_no_compiler_is_named(bare_system, tmp_path):
    make_system(bare_system, "12.2")
    without = Driver(False, None, (), "no NVIDIA driver")
    assert cuda.toolkit(without, tmp_path) == Toolkit(None, "none", "", {"nvcc_path": ""}, "no NVIDIA driver")


def test_a_system_with_cudnn_8_comes_first_and_is_used_as_it_is(bare_system, tmp_path):
    nvcc = make_system(bare_system, "12.2")
    kit = cuda.toolkit(HOPPER, tmp_path / "home", make_wheels(tmp_path / "site"))
    assert (kit.nvcc, kit.kind, kit.arch) == (nvcc, "system", "90")
    assert kit.environment == {"nvcc_path": str(nvcc), "cuda_arch": "90", "use_cutt": "0", "use_cutlass": "0"}
    assert not (tmp_path / "home").exists()


def test_a_script_that_calls_nvcc_is_followed_to_the_toolkit(bare_system, tmp_path, monkeypatch):
    nvcc = make_system(tmp_path / "elsewhere", "11.8")
    script = write(tmp_path / "path/nvcc", f'#!/bin/sh\nexec "{nvcc}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    assert cuda.toolkit(HOPPER, tmp_path / "home", tmp_path / "site").nvcc == nvcc


@pytest.mark.parametrize(
    ("version", "system", "driver", "fault"),
    [
        ("12.2", {"cudnn": 9}, HOPPER, "cuDNN 9 is beside it, and Jittor needs 8"),
        ("12.2", {"without": "cudnn"}, HOPPER, "there is no cudnn.h beside it (the developer files of cuDNN 8)"),
        ("12.2", {"without": "curand"}, HOPPER, "there is no curand.h beside it"),
        ("10.2", {}, HOPPER, "CUDA 10.2, and Jittor takes only 11 and 12 as they are"),
        (
            "12.2",
            {},
            Driver(True, (11, 4), ("c",), "", (80,)),
            "CUDA 12.2 is newer than the driver, which runs CUDA 11.4",
        ),
        ("11.2", {}, HOPPER, "Jittor makes machine code up to 8.6 with CUDA 11.2, and a card is 9.0"),
        (
            "12.2",
            {},
            Driver(True, (13, 0), ("c",), "", (120,)),
            "machine code up to 9.0 with CUDA 12.2, and a card is 12.0",
        ),
    ],
)
def test_a_system_that_cannot_be_used_is_told_why(bare_system, tmp_path, version, system, driver, fault):
    make_system(bare_system, version, **system)
    kit = cuda.toolkit(driver, tmp_path / "home", tmp_path / "site")
    assert kit.kind == "none"
    assert fault in kit.reason


def test_the_wheels_are_used_where_the_system_has_nothing(bare_system, tmp_path):
    kit = cuda.toolkit(HOPPER, tmp_path / "home", make_wheels(tmp_path / "site"))
    assert kit.kind == "cuda13-wheels"
    assert kit.nvcc.is_relative_to(tmp_path / "home/cuda13")
    assert kit.environment == {
        "nvcc_path": str(kit.nvcc),
        "cuda_arch": "90",
        "use_cutt": "0",
        "use_cutlass": "0",
        "use_nccl": "0",
    }


def test_cards_newer_than_jittor_knows_get_its_newest_code(bare_system, tmp_path):
    blackwell = Driver(True, (13, 0), ("c",), "", (120,))
    assert cuda.toolkit(blackwell, tmp_path / "home", make_wheels(tmp_path / "site")).arch == "90"


def test_wheels_without_a_compiler_use_the_systems_cuda_13(bare_system, tmp_path):
    nvcc = make_nvcc(bare_system, "13.0")
    write(bare_system / "nvvm/bin/cicc")
    kit = cuda.toolkit(HOPPER, tmp_path / "home", make_wheels(tmp_path / "site", without=("nvidia-cuda-nvcc",)))
    assert kit.kind == "cuda13-wheels"
    assert f"exec {nvcc} " in kit.nvcc.read_text()


@pytest.mark.parametrize(
    ("driver", "fault", "mend"),
    [
        (HOPPER, "nvidia-cuda-nvcc brings it", "pip install -e '.[cuda]'"),
        (
            Driver(True, (12, 4), ("c",), "", (90,)),
            "the driver runs CUDA 12.4 and no newer",
            "update the NVIDIA driver to 580",
        ),
        (
            Driver(True, (13, 0), ("c",), "", (61,)),
            "no code for compute capability 6.1",
            "install CUDA 12.2 and cuDNN 8",
        ),
    ],
)
def test_no_toolkit_at_all_says_the_way_out(bare_system, tmp_path, driver, fault, mend):
    kit = cuda.toolkit(driver, tmp_path / "home", tmp_path / "site")
    assert (kit.nvcc, kit.kind, kit.environment) == (None, "none", {"nvcc_path": ""})
    assert fault in kit.reason
    assert kit.mend.startswith(mend)
    assert kit.reason.endswith(kit.mend)


def test_a_home_that_cannot_be_written_is_told(bare_system, tmp_path):
    home = write(tmp_path / "home")  # a file
    kit = cuda.toolkit(HOPPER, home, make_wheels(tmp_path / "site"))
    assert kit.kind == "none"
    assert f"cannot be written to {home}" in kit.reason
    assert kit.mend.startswith("export JITTOR_HOME=")


# the tree


def test_the_tree_stands_where_jittor_looks(tmp_path):
    site = make_wheels(tmp_path / "site")
    tree = cuda.build_tree(site, tmp_path / "trees")
    inside = site.resolve() / "nvidia/cu13"
    assert (tree / "include/cublas_v2.h").resolve() == inside / "include/cublas_v2.h"  # of CUDA 13, not of 12
    assert (tree / "include/cub").resolve() == inside / "include/cccl/cub"
    assert not (tree / "include/__init__.py").exists()
    assert (tree / "lib64/libcublas.so").resolve() == inside / "lib/libcublas.so.13"
    assert (tree / "lib64/libcudadevrt.a").resolve() == inside / "lib/libcudadevrt.a"
    assert (tree / "lib/libcudart.so").is_file()
    cudnn = site.resolve() / "nvidia/cudnn/lib"
    for name in ("ops_infer", "ops_train"):
        assert (tree / f"lib64/libcudnn_{name}.so").resolve() == cudnn / "libcudnn_ops.so.9"
    for name in ("cnn_infer", "cnn_train"):
        assert (tree / f"lib64/libcudnn_{name}.so").resolve() == cudnn / "libcudnn_cnn.so.9"


@pytest.mark.parametrize("name", ["cuda_runtime.h", "cudnn.h", "cufft.h", "cusparse.h"])
def test_a_header_that_stands_in_includes_the_real_one(tmp_path, name):
    site = make_wheels(tmp_path / "site")
    text = (cuda.build_tree(site, tmp_path / "trees") / "include" / name).read_text()
    real = re.search(r'^#include "(.+)"$', text, re.MULTILINE)[1]
    assert Path(real).read_text() == f"// the real {name}\n"


def test_the_wrapper_turns_jittors_call_into_one_for_cuda_13(tmp_path):
    tree = cuda.build_tree(make_wheels(tmp_path / "a site"), tmp_path / "trees")
    call = ["-std=c++14", "-I/some where", "-arch=compute_75", "-code=sm_75", "-code=sm_90", "a.cu"]
    said = subprocess.run([tree / "bin/nvcc", *call], capture_output=True, text=True, check=True).stdout
    expected = [
        "-std=c++17",
        "-I/some where",
        "-code=compute_75",
        "-arch=compute_75",
        "-code=sm_75",
        "-code=sm_90",
        "a.cu",
    ]
    assert said.splitlines() == expected


def test_a_tree_is_built_once(tmp_path):
    site = make_wheels(tmp_path / "site")
    tree = cuda.build_tree(site, tmp_path / "trees")
    before = (tree / "built_from.json").stat().st_mtime_ns
    assert cuda.build_tree(site, tmp_path / "trees") == tree
    assert (tree / "built_from.json").stat().st_mtime_ns == before
    assert [p.name for p in (tmp_path / "trees").iterdir()] == [tree.name]


def test_other_wheels_make_another_tree(tmp_path):
    first = cuda.build_tree(make_wheels(tmp_path / "site"), tmp_path / "trees")
    second = cuda.build_tree(make_wheels(tmp_path / "site", cublas="13.2.0.9"), tmp_path / "trees")
    assert first != second
    assert (first / "bin/nvcc").is_file()  # a run that uses it goes on


def test_a_missing_wheel_is_named_and_nothing_is_left_behind(tmp_path):
    site = make_wheels(tmp_path / "site", without=("nvidia-curand",))
    with pytest.raises(cuda13.TreeProblem, match=r"^nvidia-curand not found in .*pip install -e '\.\[cuda\]'$"):
        cuda.build_tree(site, tmp_path / "trees")
    assert list((tmp_path / "trees").iterdir()) == []


def test_a_compiler_that_does_not_run_is_told(tmp_path):
    site = make_wheels(tmp_path / "site")
    (site / "nvidia/cu13/bin/nvcc").chmod(0o644)
    with pytest.raises(cuda13.TreeProblem, match="nvcc does not run"):
        cuda.build_tree(site, tmp_path / "trees")


def test_processes_may_build_at_the_same_time(tmp_path):
    site = make_wheels(tmp_path / "site")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        trees = pool.starmap(cuda.build_tree, [(site, tmp_path / "trees")] * 6)
    assert len(set(trees)) == 1
    assert [p.name for p in (tmp_path / "trees").iterdir()] == [trees[0].name]


@needs_gxx
def test_the_stand_ins_give_back_what_jittor_names(tmp_path):
    """Each stand-in compiles in front of a header with what CUDA 13 left, and gives back what it took away."""
    site = make_wheels(tmp_path / "site")
    real = site / "nvidia/cu13/include"
    write(real / "cuda_runtime.h", "#define CUDART_VERSION 13000\nstruct cudaDeviceProp { int major; };\n")
    write(real / "cufft.h", "#define CUFFT_VERSION 12000\nenum cufftResult { CUFFT_SUCCESS };\n")
    write(real / "cusparse.h", "#define CUSPARSE_VERSION 12000\nenum { CUSPARSE_SPMM_ALG_DEFAULT = 3 };\n")
    cudnn = "#define CUDNN_MAJOR 9\nenum cudnnStatus_t { CUDNN_STATUS_NOT_SUPPORTED = 3000 };\n"
    write(site / "nvidia/cudnn/include/cudnn.h", cudnn)
    tree = cuda.build_tree(site, tmp_path / "trees")
    program = """
#include <cuda_runtime.h>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <cufft.h>
#include <cusparse.h>
#include <npp.h>
static_assert(NPP_MIN_32S < 0 && NPP_MAX_32U > 0 && CUSPARSE_MM_ALG_DEFAULT == 3 && CUFFT_LICENSE_ERROR == 0xF);
int main() {
    cudaDeviceProp card;
    card.major = 9;
    return card.computeMode + card.clockRate + (cudnnRNNForwardTraining(1, "a", 2.0) != CUDNN_STATUS_NOT_SUPPORTED);
}
"""
    built = tmp_path / "a.out"
    command = ["g++", "-std=c++17", f"-I{tree / 'include'}", "-x", "c++", "-", "-o", str(built)]
    subprocess.run(command, input=program, text=True, check=True)
    assert subprocess.run([built]).returncode == 0


def test_the_extra_lists_the_same_wheels():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    listed = {line.split(";")[0].strip() for line in extras["cuda"]}
    assert listed == {f"{name}=={wheel.version}" for name, wheel in cuda.WHEELS.items()}


def test_importing_loads_nothing_heavy():
    command = "import sys, training.cuda; print([m for m in ('jittor', 'pandas', 'numpy', 'rich') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


# the comparison of operations


def test_the_comparison_finds_the_array_that_differs(tmp_path):
    from benchmarks.kernels import largest_difference

    right = np.linspace(-4, 2, 7, dtype=np.float32)
    wrong = right.copy()
    wrong[3] += 0.02
    np.savez(tmp_path / "a.npz", result=right, gradient=right)
    np.savez(tmp_path / "b.npz", result=right, gradient=wrong)
    difference, where = largest_difference(tmp_path / "a.npz", tmp_path / "b.npz")
    assert where == "gradient"
    assert difference == pytest.approx(0.005, rel=1e-4)  # of 4, the largest value
    assert largest_difference(tmp_path / "a.npz", tmp_path / "none.npz") == (float("inf"), "no result")
    np.savez(tmp_path / "c.npz", result=right, gradient=right * np.nan)
    assert largest_difference(tmp_path / "a.npz", tmp_path / "c.npz") == (float("inf"), "gradient is not finite")
