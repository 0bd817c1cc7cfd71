"""The operations that the models are made of, forward and backward, on CUDA against the processor.

    python -m benchmarks.kernels                  processor against CUDA
    python -m benchmarks.kernels --device cpu     processor against itself: tries this program where there is no card

Each device computes in processes of its own (Jittor has one device a process), from the same seeded numbers, and saves its results. Printed
for each operation: the largest difference relative to the largest value, over the result and all gradients. Exit status 1 when one differs by
more than 1e-3 or has no result. NVIDIA's libraries may round the factors of a product to 10 bits (TF32), which alone makes about 1e-3; it is
switched off for the verdict, and the last column shows what differs with it, as training runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

LARGEST = 1e-3
SEED = 7
IMAGE = (2, 16, 24, 32)  # N, C, H, W


def cases() -> dict[str, tuple[Callable, list[tuple[int, ...]]]]:
    """Name -> (function of Vars, shapes of its arguments); every argument gets a gradient."""
    from training import layers

    nn = layers.nn
    norm = layers.BatchNorm(IMAGE[1])
    return {
        "convolution 3x3": (lambda x, w, b: nn.conv2d(x, w, b, 1, 1), [IMAGE, (8, 16, 3, 3), (8,)]),
        "convolution 1x1": (lambda x, w: nn.conv2d(x, w, None, 1, 0), [IMAGE, (8, 16, 1, 1)]),
        "convolution 4x4, stride 2": (lambda x, w, b: nn.conv2d(x, w, b, 2, 2), [IMAGE, (8, 16, 4, 4), (8,)]),
        "convolution 3x3 of 4x3 pixels": (lambda x, w: nn.conv2d(x, w, None, 1, 1), [(1, 64, 4, 3), (64, 64, 3, 3)]),
        "linear": (nn.linear, [(4, 256), (48, 256), (48,)]),
        "leaky ReLU": (layers.leaky_relu, [IMAGE]),
        "tanh": (layers.tanh, [IMAGE]),
        "grow (nearest x 2)": (layers.grow, [IMAGE]),
        "shrink (nearest / 2)": (layers.shrink, [IMAGE]),
        "nearest to 7x5": (lambda x: layers.nearest(x, 7, 5), [IMAGE]),
        "bilinear to 40x50": (lambda x: layers.bilinear(x, 40, 50), [IMAGE]),
        "mean pool 3x3, stride 2": (layers.pool_3x3, [IMAGE]),
        "instance norm": (layers.instance_norm, [IMAGE]),
        "batch norm": (norm, [IMAGE]),
        "FAdaIN": (layers.fadain, [IMAGE, IMAGE]),
        "reduce: sum of rows": (lambda x: x.sum(dims=(2,)), [IMAGE]),
        "reduce: mean of all": (lambda x: x.mean().reshape((1,)), [IMAGE]),
        "reduce: largest of channels": (lambda x: x.max(1), [IMAGE]),
    }


def compute(folder: Path) -> None:
    """Compute every case on the device that was started; one file a case, so a crash leaves those before it."""
    from training.runtime import jt

    for number, (name, (function, shapes)) in enumerate(cases().items()):
        (folder / f"{number}.txt").write_text(name)
        random = np.random.default_rng([SEED, number])
        arguments = [jt.array(random.standard_normal(shape, dtype=np.float32)) for shape in shapes]
        try:
            result = function(*arguments)
            weights = jt.array(random.standard_normal(tuple(result.shape), dtype=np.float32))
            gradients = jt.grad((result * weights).sum(), arguments)
            arrays = {"result": result.numpy(), **{f"gradient {i}": g.numpy() for i, g in enumerate(gradients)}}
        except Exception:  # the other cases are worth knowing, too
            print(f"{name}:\n{traceback.format_exc()}", file=sys.stderr)
            continue
        np.savez(folder / f"{number}.npz", **arrays)


def largest_difference(first: Path, second: Path) -> tuple[float, str]:
    """The largest difference of two cases' arrays relative to the largest value, and which array it is; infinite without a result."""
    if not (first.is_file() and second.is_file()):
        return float("inf"), "no result"
    worst = (0.0, "result")
    with np.load(first) as a, np.load(second) as b:
        for name in a.files:
            if not (np.isfinite(a[name]).all() and np.isfinite(b[name]).all()):
                return float("inf"), f"{name} is not finite"
            scale = max(float(np.abs(a[name]).max()), 1e-30)
            worst = max(worst, (float(np.abs(a[name] - b[name]).max()) / scale, name))
    return worst


def _run(device: str, folder: Path, tf32: bool) -> None:
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.kernels", "--compute", str(folder), "--device", device]
    environment = {**os.environ, **({} if tf32 else {"NVIDIA_TF32_OVERRIDE": "0"})}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode:
        print(f"{device} ended with status {done.returncode}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"), help="what to compare with the processor")
    parser.add_argument("--compute", type=Path, help=argparse.SUPPRESS)  # how this program calls itself
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.compute:
        from training import runtime

        try:
            runtime.start(arguments.device)
        except runtime.RuntimeProblem as problem:
            sys.exit(str(problem))
        compute(arguments.compute)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("processor", "device", "as_trained")]
        _run("cpu", folders[0], True)
        _run(arguments.device, folders[1], False)
        _run(arguments.device, folders[2], True)
        if not any(folders[1].glob("*.npz")):
            print(f"Nothing was computed on {arguments.device}.")
            return 1
        print(f"| operation | processor against {arguments.device} | worst in | | with TF32 |\n|---|---|---|---|---|")
        names = [f.read_text() for f in sorted(folders[0].glob("*.txt"), key=lambda f: int(f.stem))]
        wrong = 0
        for number, name in enumerate(names):
            files = [folder / f"{number}.npz" for folder in folders]
            difference, where = largest_difference(files[0], files[1])
            as_trained, _ = largest_difference(files[0], files[2])
            good = difference <= LARGEST
            wrong += not good
            print(f"| {name} | {difference:.1e} | {where} | {'ok' if good else 'DIFFERS'} | {as_trained:.1e} |")
    print(f"\n{len(names) - wrong} of {len(names)} operations agree to {LARGEST:g}.")
    return int(wrong > 0 or not names)


if __name__ == "__main__":
    sys.exit(main())
