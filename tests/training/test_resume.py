"""Runs that are killed, stopped or damaged go on as if nothing had happened: same losses, same weights, to the last bit."""

import random
import shutil
import signal
import subprocess
import time
from datetime import datetime, timezone

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
from command import train, training_command
from runs import SETTINGS, STEPS, assert_refused, contents, cut_back, losses, scores, steps

from training import checkpoint, journal

PATIENCE = 1200  # seconds: a machine that has to compile kernels first needs minutes
KILLS = 10
WHILE_SAVING = (3, 6, 9)  # which of them strike while a checkpoint is being written
# the process kills itself when so many files of a checkpoint are written, of six
KILL_WHILE_SAVING = """
import os, signal
import safetensors.numpy as files
write, left = files.save_file, [{files}]
def save_file(*arguments):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)
files.save_file = save_file
"""


class Started:
    """A run in a process of its own."""

    def __init__(self, run, *arguments, before=""):
        self.run, self.began = run, datetime.now(timezone.utc)
        command = training_command("train", *arguments, before=before)
        self.process = subprocess.Popen(command, cwd=run.parent, stderr=subprocess.PIPE, text=True)

    def wait_for(self, step):
        """Wait until this process has logged a step as late as `step`."""
        deadline = time.monotonic() + PATIENCE
        while not self._reached(step):
            assert self.process.poll() is None, f"ended before step {step}: {self.process.stderr.read()}"
            assert time.monotonic() < deadline, f"no step {step} in {PATIENCE} s"
            time.sleep(0.02)

    def _reached(self, step):
        if not (self.run / journal.LOG).exists():
            return False
        return any(
            line.get("step", 0) >= step and "GAN" in line and datetime.fromisoformat(line["time"]) > self.began
            for line in journal.read(self.run)
        )

    def end(self, number=None):
        """Send a signal, or wait for the end; returns what it wrote on stderr."""
        if number:
            self.process.send_signal(number)
        return self.process.communicate(timeout=PATIENCE)[1]


def assert_same_end(run, trained):
    """The run has the losses and the last weights and moments of the one that nothing disturbed."""
    assert losses(run) == losses(trained)
    assert scores(run).items() >= scores(trained).items()  # a stop adds a look of its own
    last = checkpoint.latest(run)
    assert last.name == f"step-{STEPS:08d}"
    assert contents(last) == contents(checkpoint.latest(trained))


def test_a_run_killed_ten_times_ends_as_one_that_was_not(manifests, cache, trained, tmp_path):
    chance = random.Random(1)
    moments = sorted(chance.sample(range(1, STEPS - 4), KILLS - len(WHILE_SAVING)))
    run, arguments = tmp_path / "run", ["--manifest", manifests / "selection2.csv", *SETTINGS, "--cache", cache]
    arguments += ["--out", run, "--quiet"]
    resumed = ["--resume", run, "--device", "cpu", "--cache", cache, "--quiet"]
    for kill in range(1, KILLS + 1):
        before = steps(run)
        if kill in WHILE_SAVING:
            started = Started(run, *arguments, before=KILL_WHILE_SAVING.format(files=chance.randrange(5)))
            said = started.end()
            assert list(run.glob("checkpoints/*.tmp-*")), "not killed while a checkpoint was being written"
            assert steps(run) == before
        else:
            started = Started(run, *arguments)
            started.wait_for(max(moments.pop(0), (before or [0])[-1] + 1))
            time.sleep(chance.uniform(0, 0.4))
            said = started.end(signal.SIGKILL)
        assert started.process.returncode == -signal.SIGKILL, said
        arguments = resumed
    assert losses(run)[-1]["step"] < STEPS
    train(*resumed, cwd=tmp_path)
    assert_same_end(run, trained)
    assert [line["step"] for line in losses(run)] == list(range(1, STEPS + 1))
    assert not list(run.glob("checkpoints/*.tmp-*"))


def test_ctrl_c_sigterm_and_a_time_limit_save_and_end_well(manifests, cache, trained, tmp_path):
    run, options = tmp_path / "run", ["--cache", cache, "--device", "cpu"]
    arguments = ["--manifest", manifests / "selection2.csv", *SETTINGS, "--cache", cache, "--out", run]
    stopped = 0
    for number, leg in (
        (signal.SIGINT, arguments),
        (None, ["--resume", run, *options, "--minutes", 0.01]),
        (signal.SIGTERM, ["--resume", run, *options]),
    ):
        started = Started(run, *leg)
        if number:
            started.wait_for(stopped + 2)
        said = started.end(number)
        assert started.process.returncode == 0, said
        stopped = steps(run)[-1]
        assert stopped == losses(run)[-1]["step"] < STEPS
        assert f"stopped and saved at step {stopped} of {STEPS}; go on with: train --resume {run}" in said
    train("--resume", run, *options, cwd=tmp_path)
    assert_same_end(run, trained)


def test_a_damaged_last_checkpoint_is_named_and_the_one_before_it_serves(cache, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    last = checkpoint.latest(run)
    weights = last / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    options = ["--resume", run, "--cache", cache, "--device", "cpu"]
    assert_refused(train(*options, cwd=tmp_path, check=False), last, "damaged", "remove that folder")
    shutil.rmtree(last)
    assert steps(run)[-1] == STEPS - 3
    train(*options, cwd=tmp_path)
    assert_same_end(run, trained)


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(cache, trained, tmp_path):
    """A file that may not grow past 3 MB fails as on a full disk, in the writer itself; a network has 5 MB."""
    import resource

    run = cut_back(trained, tmp_path / "run", STEPS - 3)
    before = contents(checkpoint.latest(run))
    done = train(
        "--resume", run, "--cache", cache, "--device", "cpu", cwd=tmp_path, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY)),
    )  # fmt: skip
    assert_refused(done, f"step-{STEPS:08d} cannot be written", "GB free", "make room", f"train --resume {run}")
    assert steps(run)[-1] == STEPS - 3
    assert contents(checkpoint.latest(run)) == before
    assert not list(run.glob("checkpoints/*.tmp-*"))
