"""What lies in the folder of a run: config.json, log, events, pictures, checkpoints; and which folders are none."""

import dataclasses
import json
from types import SimpleNamespace

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
from PIL import Image
from runs import STEPS, losses, scores, steps
from safetensors import safe_open

from curation.workspace import file_digest
from training import checkpoint, journal, run_folder
from training.config import Phase, TrainConfig
from training.run_folder import RunError

# --- of a trained run ---


def test_config_json_says_all_that_the_run_was_started_with(trained, manifests):
    found = json.loads((trained / "config.json").read_text())
    settings = found["config"]
    assert settings.keys() == {f.name for f in dataclasses.fields(TrainConfig)}
    assert settings["phases"][0].keys() == {f.name for f in dataclasses.fields(Phase)}
    assert settings["preset"] == "tiny"
    assert settings["width"] == 4  # of the preset
    assert settings["checkpoint_every"] == 3  # of the command line
    assert settings["feature_matching"] == 10.0  # neither: the default
    assert settings["phases"][0]["steps"] == STEPS
    manifest = manifests / "selection2.csv"
    source = found["sources"][""]
    assert source["path"] == str(manifest)
    assert source["sha256"] == file_digest(manifest)
    assert source["pairs"] == "82"
    assert found["about"]["versions"].keys() == {"python", "numpy", "jittor", "pair-curation"}
    assert len(found["about"]["held_out"]) == 6
    started = run_folder.read(trained)
    assert started.config.to_dict() == settings
    assert started.classes.channels == 30  # 29 classes and unknown


def test_the_log_has_a_line_a_step(trained):
    lines = losses(trained)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {*lines[0]} == {"step", "epoch", "phase", "GAN", "FM", "KL", "D fake", "D real"}
    assert [line["epoch"] for line in lines] == [step // 19 for step in range(STEPS)]  # 76 pairs, 4 a step
    assert np.isfinite([line["FM"] for line in lines]).all()
    assert list(scores(trained)) == [0, 6, 12, 18, 24]
    saved = [line["step"] for line in journal.read(trained) if line.get("note") == "checkpoint"]
    assert saved == list(range(3, STEPS + 1, 3))


def test_the_events_hold_losses_and_pictures(trained):
    (file,) = (trained / "events").iterdir()
    content = file.read_bytes()
    for tag in (b"D fake", b"KL", b"samples", b"\x89PNG\r\n\x1a\n"):
        assert tag in content


def test_pictures_show_label_map_generated_and_photo(trained):
    assert sorted(p.name for p in (trained / "samples").iterdir()) == [f"step-{s:08d}.png" for s in (0, 6, 12, 18, 24)]
    first, last = (Image.open(trained / "samples" / f"step-{step:08d}.png") for step in (0, 24))
    assert first.size == last.size
    assert last.mode == "RGB"
    width, height = last.size
    assert 3 * 128 <= width < 3 * 128 + 60
    assert 4 * 128 <= height < 4 * 128 + 260  # four samples, headings and a legend
    assert (np.asarray(first) != np.asarray(last)).any(), "the generator learned nothing"


def test_the_last_two_checkpoints_every_twelfth_and_the_best_stay(trained):
    best = json.loads((trained / "checkpoints/best.json").read_text())
    looked_at = {step: score for step, score in scores(trained).items() if step}
    assert best == {"step": min(looked_at, key=looked_at.get), "validation": min(looked_at.values())}
    assert set(steps(trained)) == {12, 21, 24, best["step"]}


def test_checkpoints_are_plain_safetensors(trained):
    folder = checkpoint.latest(trained)
    names = sorted(p.name for p in folder.iterdir())
    networks = ["discriminator", "encoder", "generator", "generator_ema"]
    assert names == sorted([*(f"{name}.safetensors" for name in [*networks, "optimisers"]), "state.json"])
    with safe_open(folder / "generator.safetensors", "numpy") as file:
        assert file.get_tensor("to_rgb.weight").shape == (3, 4, 3, 3)
        assert {file.get_tensor(name).dtype.name for name in file.keys()} == {"float32"}  # noqa: SIM118
    state = json.loads((folder / "state.json").read_text())
    assert state.keys() == {"step", "phase", "step_of_phase", "optimiser_steps", "seed"}
    assert state["optimiser_steps"] == {"generator": STEPS, "discriminator": STEPS}


# --- folders ---


def test_new_runs_are_numbered(tmp_path):
    for name in ("tsit-tiny-001", "tsit-tiny-003", "spade-tiny-002"):
        (tmp_path / name).mkdir()
    assert run_folder.fresh(tmp_path, "tsit-tiny").name == "tsit-tiny-002"
    assert run_folder.fresh(tmp_path / "none yet", "tsit-tiny").name == "tsit-tiny-001"


def test_a_run_is_not_written_over(trained, tmp_path):
    started = run_folder.read(trained)
    run_folder.write(tmp_path / "a/run", started)
    assert run_folder.read(tmp_path / "a/run") == started
    with pytest.raises(RunError, match="holds a run already; go on with `train --resume"):
        run_folder.write(tmp_path / "a/run", started)


def test_a_folder_that_cannot_be_written_is_named(trained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"file/run cannot be written to \(Not a directory\); choose another --out"):
        run_folder.write(tmp_path / "file/run", run_folder.read(trained))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"is no run: it has no config\.json"),
        ("{", r"config\.json is damaged .* start a new run"),
        ("{}", r"config\.json is damaged"),
        ("[]", r"config\.json is damaged"),
        ('{"config": {"widht": 8}}', r'config\.json: no setting "widht"\. Did you mean "width"\?'),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunError, match=words):
        run_folder.read(tmp_path)


def test_a_plan_that_changed_is_refused(trained):
    started = run_folder.read(trained)
    source = started.sources[""]
    packed = SimpleNamespace(
        manifest_sha256=source["sha256"], key=source["packed"], pair_ids=range(82), classes=started.classes
    )
    packed = type("Packed", (SimpleNamespace,), {"__len__": lambda self: 82})(**vars(packed))
    plan = SimpleNamespace(sources={"": packed}, sets=[packed], held_out=tuple(started.about["held_out"]))
    run_folder.check_plan(started, plan)
    plan.held_out = ("another",)
    with pytest.raises(RunError, match="the pairs kept aside or the classes are not those of the run"):
        run_folder.check_plan(started, plan)
    packed.manifest_sha256 = "0" * 64
    with pytest.raises(
        RunError, match=r"selection2\.csv, its recipe or its files changed since the run began .*put the old ones back"
    ):
        run_folder.check_plan(started, plan)
