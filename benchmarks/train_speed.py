"""One training step of ours against one of the published PyTorch TSIT: same sizes, same losses, same threads, in one run.

    python -m benchmarks.train_speed --checkout TSIT --torch-python PYTHON --size 256x256 --batch 2 --width 16

Both sides take turns, each in a process of its own; what is printed is seconds a step (median of the rounds), peak memory of the process, and the ratios ours / theirs.
A step is the generator's update and the discriminator's: GAN, feature matching and KL losses, Adam with two rates. No perceptual loss, which
would be the same network on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "--checkout", type=Path, help="folder of a clone of EndlessSora/TSIT; without it only ours is timed"
    )
    asked.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch")
    asked.add_argument("--size", default="256x256", help="WIDTHxHEIGHT")
    asked.add_argument("--batch", type=int, default=2)
    asked.add_argument("--width", type=int, default=16, help="channels of the finest level (64 as published)")
    asked.add_argument("--classes", type=int, default=29)
    asked.add_argument("--steps", type=int, default=8, help="steps that are timed in a round")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    asked.add_argument("--side", choices=("ours", "published"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.side:
        print(json.dumps((_ours if given.side == "ours" else _published)(given)))
        return
    sides = ["ours", "published"] if given.checkout else ["ours"]
    found: dict[str, list[dict]] = {side: [] for side in sides}
    for number in range(given.rounds):
        for side in (
            sides if number % 2 == 0 else sides[::-1]
        ):  # in turns, so that what else the machine does meets both
            found[side].append(_run(side, given))
            print(
                f"round {number + 1} {side}: {found[side][-1]['seconds']:.3f} s/step, {found[side][-1]['peak'] / 1e9:.2f} GB",
                flush=True,
            )
    seconds = {side: statistics.median(r["seconds"] for r in runs) for side, runs in found.items()}
    peak = {side: max(r["peak"] for r in runs) for side, runs in found.items()}
    for side in sides:
        print(f"{side:10} {seconds[side]:.3f} s/step   {peak[side] / 1e9:.2f} GB")
    loader = statistics.median(r["loader"] for r in found["ours"])
    print(
        f"loader     {loader:.0f} pictures/s alone, {loader * seconds['ours'] / given.batch:.0f} times what the step takes"
    )
    if given.checkout:
        print(
            f"ours / published: {seconds['ours'] / seconds['published']:.2f} of the time, {peak['ours'] / peak['published']:.2f} of the memory"
        )


def _run(side: str, given: argparse.Namespace) -> dict:
    python = sys.executable if side == "ours" else given.torch_python
    command = [python, "-m", "benchmarks.train_speed", "--side", side]
    for name in ("checkout", "size", "batch", "width", "classes", "steps", "device", "threads"):
        if getattr(given, name) is not None:
            command += [f"--{name}", str(getattr(given, name))]
    surroundings = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _batch(given: argparse.Namespace):
    import numpy as np

    width, height = (int(v) for v in given.size.split("x"))
    rng = np.random.default_rng(0)
    cells = rng.integers(0, given.classes, (given.batch, height // 32, width // 32))
    ids = cells.repeat(32, 1).repeat(32, 2).astype(np.uint8)
    photos = rng.uniform(-1, 1, (given.batch, 3, height, width)).astype(np.float32)
    return ids, photos, width, height


def _timed(step, steps: int) -> dict:
    for _ in range(3):  # compile, warm up
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - began) / steps
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def _ours(given: argparse.Namespace) -> dict:
    import numpy as np

    from training import runtime

    runtime.start(given.device)
    from training.adam import Adam
    from training.models import GENERATORS
    from training.models.discriminator import Discriminator
    from training.models.encoder import Encoder
    from training.objective import Example, Networks, Objective, discriminator_losses, generator_losses, one_hot
    from training.runtime import jt
    from training.weights import initialise, trainable

    ids, photos, width, height = _batch(given)
    generator = GENERATORS["tsit"](given.classes, given.width, (height // 128, width // 128))
    networks = Networks(generator, Discriminator(given.classes + 3, given.width), Encoder(given.width))
    for network in (networks.generator, networks.discriminator, networks.encoder):
        initialise(network, np.random.default_rng(0))
    weights = {
        f"{k}/{n}": v for k, m in (("G", networks.generator), ("E", networks.encoder)) for n, v in trainable(m).items()
    }
    painter, judge = Adam(weights, (0.0, 0.9)), Adam(trainable(networks.discriminator), (0.0, 0.9))
    aims = Objective(perceptual=0)
    rng = np.random.default_rng(1)

    def example() -> Example:
        eps = jt.array(rng.standard_normal((given.batch, 256), np.float32))
        return Example(one_hot(jt.array(ids), given.classes), jt.array(photos), eps)

    def step() -> None:
        found, _ = generator_losses(networks, example(), aims)
        painter.accumulate(sum(found.values()))
        painter.step(1e-4)
        judged = discriminator_losses(networks, example(), aims)
        judge.accumulate(sum(judged.values()))
        judge.step(4e-4)
        jt.sync_all(True)

    return {**_timed(step, given.steps), "loader": _loader(given)}


def _loader(given: argparse.Namespace) -> float:
    """Pictures a second that training/batches.py makes on its own, from a packed set of 64 pairs on disk, crops and flips included."""
    import tempfile

    import numpy as np

    from training.batches import Batches
    from training.packed import PackedSet

    ids, photos, width, height = _batch(given)
    with tempfile.TemporaryDirectory() as folder:
        pictures, maps = Path(folder) / "photos.npy", Path(folder) / "ids.npy"
        np.save(
            pictures, np.resize(((photos + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1), (64, height, width, 3))
        )
        np.save(maps, np.resize(ids, (64, height, width)))
        packed = PackedSet(
            photos=np.load(pictures, mmap_mode="r"), ids=np.load(maps, mmap_mode="r"), pair_ids=tuple(map(str, range(64))), weights=np.ones(64),
            classes=None, skipped=(), size=(width, height), key="", folder=Path(folder), reused=False, manifest_sha256="",
        )  # fmt: skip
        batches = Batches(packed, size=(width, height), batch_size=given.batch, seed=0)
        began, count = time.perf_counter(), 0
        for epoch in range(8):
            for batch in batches.epoch(epoch):
                count += len(batch.rows)
        return count / (time.perf_counter() - began)


def _published(given: argparse.Namespace) -> dict:
    import torch

    from benchmarks import official

    torch.set_num_threads(given.threads)
    ids, photos, width, height = _batch(given)
    opt = official.options(
        given.checkout,
        classes=given.classes,
        width=width,
        height=height,
        ngf=given.width,
        ndf=given.width,
        vae=True,
        device=given.device,
    )
    model = official.model(given.checkout, opt)
    painter, judge = model.create_optimizers(opt)

    def data() -> dict:
        return {
            "label": torch.from_numpy(ids[:, None].astype("int64")),
            "instance": torch.zeros(1),
            "image": torch.from_numpy(photos),
        }

    def step() -> None:  # the published trainer's two updates
        painter.zero_grad()
        found, _ = model(data(), mode="generator")
        sum(found.values()).mean().backward()
        painter.step()
        judge.zero_grad()
        sum(model(data(), mode="discriminator").values()).mean().backward()
        judge.step()
        if given.device == "cuda":
            torch.cuda.synchronize()

    return _timed(step, given.steps)


if __name__ == "__main__":
    main()
