"""The loop: learning rates, parts of a batch, phases, what ends a run; as functions and as `train` runs them."""

import dataclasses
import json
import os
import re
import signal
from collections import deque
from types import SimpleNamespace

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
from command import train
from runs import assert_refused, contents, cut_back, losses, scores, steps

from training import checkpoint, trainer
from training import config as configs
from training.config import Phase

# --- learning rate, parts, explosions, signals ---


def test_the_rate_is_constant_and_then_falls_linearly():
    phase = Phase(epochs=10, decay_epochs=4, learning_rate=1.0)
    assert [trainer._rate(phase, epoch) for epoch in range(10)] == [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert trainer._rate(dataclasses.replace(phase, decay_epochs=0), 9) == 1.0


@pytest.mark.parametrize(
    ("pairs", "most", "parts"),
    [(4, 0, [(0, 4)]), (4, 4, [(0, 4)]), (4, 9, [(0, 4)]), (4, 2, [(0, 2), (2, 4)]), (5, 2, [(0, 2), (2, 4), (4, 5)])],
)
def test_a_batch_is_cut_into_parts_that_cover_it(pairs, most, parts):
    batch = SimpleNamespace(rows=np.arange(pairs))
    assert [(part.start, part.stop) for part in trainer._parts(batch, most)] == parts


@pytest.fixture
def run_at_step_30(tmp_path):
    return SimpleNamespace(folder=tmp_path, state=SimpleNamespace(step=30))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_ends_the_run(run_at_step_30, value):
    with pytest.raises(trainer.Diverged, match=r"loss FM is .* at step 30; .* no checkpoint was saved yet"):
        trainer._check({"GAN": 1.0, "FM": value}, {}, run_at_step_30)


def test_a_loss_a_thousand_times_its_usual_size_ends_the_run(run_at_step_30):
    usual = {"FM": deque([8.0] * 50)}
    trainer._check({"FM": -7999.0}, usual, run_at_step_30)
    with pytest.raises(trainer.Diverged, match="loss FM is 8001"):
        trainer._check({"FM": 8001.0}, usual, run_at_step_30)


def test_small_losses_may_grow_to_a_thousand(run_at_step_30):
    trainer._check({"KL": 999.0}, {"KL": deque([1e-6] * 50)}, run_at_step_30)


def test_the_message_names_the_last_checkpoint(run_at_step_30):
    folder = checkpoint.save(run_at_step_30.folder, {"generator": {"w": np.ones(1, np.float32)}}, {}, {"step": 20})
    with pytest.raises(trainer.Diverged, match=str(folder)):
        trainer._check({"GAN": np.nan}, {}, run_at_step_30)


def test_a_signal_sets_the_event_and_a_second_ctrl_c_interrupts():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with trainer.signals_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)  # two of them are no haste
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# --- micro-batches ---


def test_micro_batches_add_up_to_the_batch(manifests, cache, trained, tmp_path):
    """Batch norm sees other statistics in half a batch, so the losses are near those of a whole one, not equal; the KL knows no batch norm."""
    train(
        "--manifest", manifests / "selection2.csv", "--preset", "tiny", "--device", "cpu", "--cache", cache, "--steps", 2,
        "--set", "micro_batch=2", "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    parts, whole = losses(tmp_path / "run"), losses(trained)
    assert parts[0]["KL"] == pytest.approx(whole[0]["KL"], rel=1e-5)
    for term in ("D fake", "D real"):
        assert parts[0][term] == pytest.approx(whole[0][term], abs=1e-2)
        assert parts[0][term] != whole[0][term]
    assert [line["step"] for line in parts] == [1, 2]
    assert np.isfinite([parts[1][term] for term in ("GAN", "FM", "KL", "D fake", "D real")]).all()


# --- phases ---

PHASES = """
[[phases]]
name = "all"
manifest = "total"
steps = 3
batch_size = 2
learning_rate = 4e-4
size = [128, 128]

[[phases]]
name = "clean"
manifest = "selection2"
steps = 2
batch_size = 4
learning_rate = 1e-3
size = [128, 128]
"""


@pytest.fixture(scope="module")
def curriculum(manifests, cache, tmp_path_factory):
    """A run of PHASES with a checkpoint at every step."""
    folder = tmp_path_factory.mktemp("curriculum")
    (folder / "phases.toml").write_text(PHASES)
    train(
        "--curriculum", "phases.toml", "--total", manifests / "total.csv", "--selection2", manifests / "selection2.csv",
        "--preset", "tiny", "--device", "cpu", "--cache", cache, "--out", "run", "--set", "checkpoint_every=1", "--set",
        "keep_every=1", cwd=folder,
    )  # fmt: skip
    return folder / "run"


def saved(run, step):
    return checkpoint.read(run / f"checkpoints/step-{step:08d}")


def test_phases_follow_each_other(curriculum):
    assert [(line["phase"], line["epoch"]) for line in losses(curriculum)] == [("all", 0)] * 3 + [("clean", 1)] * 2
    assert steps(curriculum) == [1, 2, 3, 4, 5]
    places = [(saved(curriculum, s).state["phase"], saved(curriculum, s).state["step_of_phase"]) for s in range(1, 6)]
    assert places == [(0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    found = json.loads((curriculum / "config.json").read_text())
    assert found["sources"].keys() == {"total", "selection2"}
    assert [phase["batch_size"] for phase in found["config"]["phases"]] == [2, 4]


def test_optimisers_go_on_in_the_next_phase_at_its_rate(curriculum):
    """Adam's step from its own moments: g^2 = (v_t - 0.9 v_(t-1)) / 0.1, |step| = rate |g| / (sqrt(v_t / (1 - 0.9^t)) + eps); G takes half of
    the rate and D twice of it."""
    for step, rate in ((3, 4e-4), (4, 1e-3)):
        before, after = saved(curriculum, step - 1), saved(curriculum, step)
        assert after.state["optimiser_steps"] == {"generator": step, "discriminator": step}
        for network, moments, weight, share in (
            ("generator", "generator/second/generator.", "to_rgb.weight", 0.5),
            ("discriminator", "discriminator/second/", "scales.0.stages.0.weight", 2.0),
        ):
            old, new = (c.optimisers[moments + weight].astype(np.float64) for c in (before, after))
            gradient = np.sqrt(np.maximum(new - 0.9 * old, 0) / 0.1)
            predicted = rate * share * gradient / (np.sqrt(new / (1 - 0.9**step)) + 1e-8)
            found = np.abs(after.networks[network][weight].astype(np.float64) - before.networks[network][weight])
            assert np.linalg.norm(found - predicted) < 2e-3 * np.linalg.norm(predicted), (network, step)


def test_the_averaged_generator_follows_through_the_phases(curriculum):
    """a_t = d a_(t-1) + (1 - d) w_t with d = min(ema, (1 + t) / (10 + t)). What else a pass carries along has moved on by the end of the step: the
    discriminator learns from a fresh picture."""
    for step in (3, 4, 5):
        before, after = saved(curriculum, step - 1).networks, saved(curriculum, step).networks
        decay = min(configs.preset("tiny").ema, (1 + step) / (10 + step))
        for name in (n for n in after["generator"] if n.endswith((".weight", ".bias"))):
            wanted = decay * before["generator_ema"][name] + (1 - decay) * after["generator"][name]
            np.testing.assert_allclose(after["generator_ema"][name], wanted, rtol=1e-5, atol=1e-7, err_msg=name)


def test_a_run_resumes_across_phases(curriculum, cache, tmp_path):
    run = cut_back(curriculum, tmp_path / "run", 2)
    train("--resume", run, "--device", "cpu", "--cache", cache, cwd=tmp_path)
    assert losses(run) == losses(curriculum)
    assert scores(run) == scores(curriculum)
    assert contents(checkpoint.latest(run)) == contents(checkpoint.latest(curriculum))


# --- what goes wrong ---

DIVERGING = """
[[phases]]
name = "fine"
steps = 2
batch_size = 4
size = [128, 128]

[[phases]]
name = "far too fast"
steps = 30
batch_size = 4
learning_rate = RATE
size = [128, 128]
"""


@pytest.fixture
def diverged(manifests, cache, tmp_path):
    """A run of DIVERGING at a rate, and how it ended."""

    def run(rate, *settings):
        (tmp_path / "phases.toml").write_text(DIVERGING.replace("RATE", rate))
        done = train(
            "--manifest", manifests / "selection2.csv", "--curriculum", "phases.toml", "--preset", "tiny", "--device", "cpu",
            "--cache", cache, "--set", "checkpoint_every=1", "--out", "run", *settings, cwd=tmp_path, check=False,
        )  # fmt: skip
        last = checkpoint.latest(tmp_path / "run")
        assert last.name >= "step-00000002"
        for arrays in checkpoint.read(last).networks.values():
            assert all(np.isfinite(array).all() for array in arrays.values())
        return done, f"the last good checkpoint is {last.relative_to(tmp_path)}"

    return run


def test_a_loss_that_explodes_is_named_with_the_last_good_checkpoint(diverged, tmp_path):
    done, where = diverged("1e4", "--set", "vae=false")
    assert_refused(done, "the loss ", where, "--init-from run")
    term, value, step = re.search(r"the loss (.+) is (\S+) at step (\d+);", done.stderr).groups()
    assert term in ("GAN", "FM", "KL", "D fake", "D real")
    assert not abs(float(value)) < 1e6
    assert int(step) == losses(tmp_path / "run")[-1]["step"] + 1


def test_weights_that_are_not_finite_are_named_with_the_last_good_checkpoint(diverged):
    """Here the encoder's variance is, before a loss can tell."""
    done, where = diverged("1e9")
    assert_refused(done, "is not finite at step 3", where, "--init-from run")
