"""Two processes train as one does: same losses, same moments; the batch and its random numbers are those of the whole."""

import os
import shutil
import subprocess

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
from command import train
from runs import losses, scores, steps

from training import checkpoint

TERMS = ("GAN", "FM", "KL", "D fake", "D real")


@pytest.fixture(scope="module", autouse=True)
def mpirun():
    """OpenMPI, which is installed where that can be done; skips where it cannot."""
    if not (shutil.which("mpirun") and shutil.which("mpicc")) and os.getuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-q", "openmpi-bin", "libopenmpi-dev"]
        subprocess.run(command, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if not (shutil.which("mpirun") and shutil.which("mpicc")):
        pytest.skip("no OpenMPI here: apt-get install openmpi-bin libopenmpi-dev")


@pytest.fixture(scope="module")
def both(manifests, cache, tmp_path_factory):
    """Runs of one and of two processes at a learning rate, for so many steps, with every checkpoint."""

    def run(rate, steps):
        folder = tmp_path_factory.mktemp("mpi")
        options = ["--manifest", manifests / "selection2.csv", "--preset", "tiny", "--device", "cpu", "--cache", cache]
        options += ["--learning-rate", rate, "--steps", steps, "--set", "checkpoint_every=1", "--set", "keep_every=1"]
        for processes in (1, 2):
            train(*options, "--out", str(processes), cwd=folder, processes=processes)
        return folder / "1", folder / "2"

    return run


@pytest.fixture(scope="module")
def usual(both):
    return both(4e-4, 2)


def assert_near(one, two):
    for ours, theirs in zip(losses(one), losses(two), strict=True):
        assert {k: v for k, v in ours.items() if k not in TERMS} == {k: v for k, v in theirs.items() if k not in TERMS}
        for term in TERMS:
            apart = abs(ours[term] - theirs[term])
            assert apart <= 1e-5 * max(1, abs(ours[term])), f"{term} of step {ours['step']} differs by {apart:.1e}"


def test_two_processes_have_the_losses_of_one(usual):
    """Over two steps. Training is chaotic: Adam turns the rounding noise of vanishing gradients into whole steps, so later losses drift
    apart in any two correct programs (weights moved by 1e-7 of themselves, in one process, change the losses by 1e-3 after three steps)."""
    one, two = usual
    assert len(losses(one)) == 2
    assert_near(one, two)
    assert scores(one)[0] == pytest.approx(scores(two)[0], rel=1e-5)


def test_two_processes_have_the_losses_of_one_over_more_steps_where_weights_stand_almost_still(both):
    """At a learning rate of 1e-9 the drift of the test above stays away, and six batches, their random numbers, the running statistics and
    the vectors of the spectral norms are compared."""
    one, two = both(1e-9, 6)
    assert len(losses(one)) == 6
    assert_near(one, two)


def test_two_processes_have_the_gradients_of_one(usual):
    """Adam's second moments after one step are the squared gradients."""
    one, two = (checkpoint.read(run / "checkpoints/step-00000001").optimisers for run in usual)
    assert one.keys() == two.keys()
    for network in ("generator/second/generator.", "generator/second/encoder.", "discriminator/second/"):
        ours, theirs = (
            np.concatenate([a.ravel() for name, a in sorted(found.items()) if name.startswith(network)])
            for found in (one, two)
        )
        assert np.linalg.norm(theirs) > 0
        assert np.linalg.norm(ours - theirs) <= 1e-3 * np.linalg.norm(ours), network


def test_only_the_first_process_writes(usual):
    one, two = usual
    assert steps(two) == steps(one) == [1, 2]
    assert sorted(p.relative_to(two) for p in two.rglob("*")) == sorted(p.relative_to(one) for p in one.rglob("*"))


def test_a_batch_that_two_processes_cannot_share_is_refused(manifests, cache, tmp_path):
    done = train(
        "--manifest", manifests / "selection2.csv", "--preset", "tiny", "--device", "cpu", "--cache", cache, "--batch-size", 3,
        "--dry-run", "--quiet", cwd=tmp_path, processes=2, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if line.startswith("train: ")]
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert said[0] == "train: batch size 3 cannot be shared by 2 processes; make it a multiple of 2"
