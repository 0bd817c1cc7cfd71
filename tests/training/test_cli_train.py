"""`train` as a user meets it: help, what it would do, settings that reach the run, and mistakes, each answered by one line that mends it."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from itertools import count

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
import typer
from command import train, training_command
from PIL import Image
from runs import SETTINGS, assert_refused, edited, losses, steps

from training import checkpoint, cli
from training.config import TrainConfig

TINY = ["--preset", "tiny", "--device", "cpu"]

# --- help, check, dry run ---


@pytest.mark.parametrize("name", ["train", "generate"])
def test_every_option_is_in_the_help_with_an_explanation(name):
    app = typer.Typer(add_completion=False)
    app.command()(getattr(cli, f"_{name}"))
    options = typer.main.get_command(app).params
    assert len(options) > 8
    assert [option.name for option in options if not (getattr(option, "help", "") or "").strip()] == []
    shown = subprocess.run(
        training_command(name, "--help"),
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=True,
    ).stdout
    for option in options:
        assert option.opts[0] in shown


def test_check_says_that_training_can_run_here(tmp_path):
    done = train("--check", cwd=tmp_path)
    assert "jittor" in done.stdout
    assert "convolution on cpu   agrees with NumPy" in done.stdout
    assert "Training can run on" in done.stdout.splitlines()[-1]


def test_a_dry_run_prints_the_settings_and_writes_no_run(manifests, cache, tmp_path):
    done = train(
        "--manifest", manifests / "selection2.csv", *TINY, "--cache", cache, "--dry-run", "--out", "run", "--set",
        "feature_matching=5", "--epochs", 3, "--seed", 4, cwd=tmp_path,
    )  # fmt: skip
    settings = json.loads(done.stdout)  # and nothing else on stdout
    assert settings.keys() == {f.name for f in dataclasses.fields(TrainConfig)}
    assert (settings["feature_matching"], settings["seed"], settings["phases"][0]["epochs"]) == (5.0, 4, 3)
    assert "device  cpu: " in done.stderr
    assert "preset  tiny (as asked)" in done.stderr
    assert "76 pairs at 128x128, 57 steps of 4 (3.0 epochs), learning rate 0.0004" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_preset_the_device_decides(manifests, cache, tmp_path):
    done = train(
        "--manifest", manifests / "selection2.csv", "--device", "cpu", "--cache", cache, "--dry-run", cwd=tmp_path
    )
    assert "preset  small (on processors a larger one would take weeks)" in done.stderr
    assert json.loads(done.stdout)["preset"] == "small"


def test_the_phases_of_the_report_are_at_hand(manifests, cache, tmp_path):
    given = ["--curriculum", "report-main", *TINY, "--cache", cache, "--dry-run"]
    given += ["--selection1", manifests / "selection1.csv", "--selection2", manifests / "selection2.csv"]
    done = train(*given, "--total", manifests / "total.csv", cwd=tmp_path)
    phases = [line for line in done.stderr.splitlines() if line.startswith("phase ")]
    assert [line.split('"')[1] for line in phases] == ["total", "selection1", "selection2", "selection1-again"]
    assert all("at 128x128" in line for line in phases)
    assert [line.split(" steps of ")[1].split()[0] for line in phases] == ["2", "30", "5", "5"]
    refused = train(*given, cwd=tmp_path, check=False)
    assert_refused(refused, 'phase "total" trains on total', "--total FILE.csv", status=2)


def test_weights_of_the_manifest_count(manifests, cache, demo_set, tmp_path):
    manifest = edited(
        manifests / "selection2.csv", tmp_path, row=lambda number, row: {**row, "weight": "0" if number >= 20 else "2"}
    )
    done = train("--manifest", manifest, *TINY, "--cache", cache, "--data", demo_set, "--dry-run", cwd=tmp_path)
    held_out = int(done.stderr.split("classes 30; ")[1].split()[0])
    pairs = int(done.stderr.split('phase   "train": ')[1].split()[0])
    assert 20 - held_out <= pairs <= 20


# --- settings that reach the run ---


def test_merged_classes_share_a_channel_and_a_phase_may_name_a_file(manifests, cache, demo_set, tmp_path):
    def merge(recipe):
        recipe["merges"] = [["water", "sea", "lake"], ["grass", "plant"]]

    manifest = edited(manifests / "selection2.csv", tmp_path, recipe=merge)
    phase = f'[[phases]]\nmanifest = "{manifest.name}"\nsteps = 1\nbatch_size = 2\nsize = [128, 128]\n'
    (tmp_path / "phases.toml").write_text(phase)
    train("--curriculum", "phases.toml", *TINY, "--cache", cache, "--data", demo_set, "--out", "run", cwd=tmp_path)
    found = json.loads((tmp_path / "run/config.json").read_text())
    names = found["classes"]["names"]
    assert len(names) == 29 - 3
    assert "water" in names
    assert not {"sea", "lake", "plant"} & set(names)
    saved = checkpoint.read(checkpoint.latest(tmp_path / "run"))
    assert saved.networks["generator"]["content.levels.0.conv0.weight"].shape[1] == 26 + 1  # and unknown
    assert found["sources"][manifest.name]["path"] == str(manifest)


def test_init_from_takes_over_the_weights_of_a_run(manifests, cache, trained, tmp_path):
    """At a learning rate of 1e-9 they are the same after a step, but for what a step carries along."""
    train(
        "--manifest", manifests / "selection1.csv", *TINY, "--cache", cache, "--init-from", trained, "--learning-rate", 1e-9,
        "--steps", 1, "--seed", 5, "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    old, new = (checkpoint.read(checkpoint.latest(run)).networks for run in (trained, tmp_path / "run"))
    for network in ("generator", "discriminator", "encoder"):
        for name in (n for n in old[network] if n.endswith((".weight", ".bias"))):
            np.testing.assert_allclose(new[network][name], old[network][name], atol=1e-7, err_msg=name)
    assert checkpoint.read(checkpoint.latest(tmp_path / "run")).state["optimiser_steps"]["generator"] == 1


def test_init_from_another_model_names_the_first_tensors(manifests, cache, trained, tmp_path):
    done = train(
        "--manifest", manifests / "selection2.csv", *TINY, "--cache", cache, "--init-from", trained, "--set", "width=8",
        "--out", "run", cwd=tmp_path, check=False,
    )  # fmt: skip
    assert_refused(
        done, "generator.safetensors is of another model", "blocks.0.conv0.bias is (64,), the network has (128,)"
    )
    assert not (tmp_path / "run").exists()


# --- mistakes ---


def test_a_manifest_that_is_not_there(tmp_path):
    done = train("--manifest", "nowhere.csv", *TINY, cwd=tmp_path, check=False)
    assert_refused(done, "nowhere.csv does not exist", "curate build-selection")


def test_a_manifest_without_pairs(manifests, tmp_path):
    none = edited(manifests / "selection2.csv", tmp_path, row=lambda number, row: None)
    assert_refused(train("--manifest", none, *TINY, cwd=tmp_path, check=False), none, "lists no pair")
    none.write_bytes(b"")
    assert_refused(train("--manifest", none, *TINY, cwd=tmp_path, check=False), none, "is no manifest", "curate")


def test_files_that_are_gone(manifests, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ["--manifest", manifests / "selection2.csv", *TINY, "--cache", "cache"]
    done = train(*options, "--data", "empty", cwd=tmp_path, check=False)
    assert_refused(done, "selection2.csv", "cannot be used", "0.jpg", "Pass --data")
    done = train(*options, "--data", "nowhere", cwd=tmp_path, check=False)
    assert_refused(done, "nowhere does not exist", "--data")


def test_files_that_changed(manifests, demo_set, tmp_path):
    changed = edited(manifests / "selection2.csv", tmp_path, row=lambda number, row: {**row, "sha256_image": "0" * 64})
    done = train("--manifest", changed, *TINY, "--data", demo_set, "--cache", "cache", cwd=tmp_path, check=False)
    assert_refused(done, "photo changed since the manifest was written", "0000.jpg", "curate build-selection` again")


@pytest.fixture
def own_set(manifests, tmp_path):
    """A manifest of eight pairs of one's own, whose label maps hold one class id."""

    def write(class_id):
        number = count()
        rows = {}
        for i in range(8):
            Image.fromarray(np.full((40, 40, 3), 20 * i, np.uint8)).save(tmp_path / f"{i}.jpg")
            Image.fromarray(np.full((40, 40), class_id, np.uint8)).save(tmp_path / f"{i}.png")
            files = {"image": f"{i}.jpg", "label": f"{i}.png"}
            sums = {f"sha256_{k}": hashlib.sha256((tmp_path / f).read_bytes()).hexdigest() for k, f in files.items()}
            rows[i] = {**files, **sums, "pair_id": str(i), "width": "40", "height": "40", "weight": "1"}
        return edited(
            manifests / "selection2.csv", tmp_path,
            row=lambda _, row: {**row, **rows[i]} if (i := next(number)) in rows else None,
            recipe=lambda recipe: recipe.update(data="."),
        )  # fmt: skip

    return write


def test_label_maps_with_ids_outside_the_label_space(own_set, tmp_path):
    done = train("--manifest", own_set(77), *TINY, cwd=tmp_path, check=False)
    assert_refused(done, "label map: ", "77", "0.png", "cannot be used")


def test_fewer_pairs_than_a_batch(own_set, tmp_path):
    done = train("--manifest", own_set(1), *TINY, "--batch-size", 9, cwd=tmp_path, check=False)
    assert_refused(done, "8 pairs", "do not fill a batch of 9", "make the batch size 8 or less")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "200x128"], ["size 200x128", "multiples of 128", "256x128"]),
        (["--size", "big"], ['"big" is no size', "512x384"]),
        (["--set", "widht=8"], ['no setting "widht"', 'Did you mean "width"?']),
        (["--set", "width=wide"], ["width = 'wide' is no whole number"]),
        (["--set", "width"], ['"width" is no setting', "key=value"]),
        (["--preset", "tiney"], ['no preset "tiney"', 'Did you mean "tiny"?', "landscape512"]),
        (["--model", "pix2pix"], ['model = "pix2pix"', "tsit, spade"]),
        (["--device", "tpu"], ['no device "tpu"', "auto, cpu, cuda"]),
        (["--curriculum", "report-mian"], ['no curriculum "report-mian"', 'Did you mean "report-main"?']),
        (["--perceptual", "vgg"], ['perceptual = "vgg"', "vgg19"]),
        (["--learning-rate", "-1"], ["learning_rate must be above 0"]),
    ],
)
def test_settings_that_cannot_be(manifests, tmp_path, arguments, words):
    given = ["--manifest", manifests / "selection2.csv", *(TINY if arguments[0] != "--preset" else []), *arguments]
    assert_refused(train(*given, "--cache", "cache", cwd=tmp_path, check=False), *words)
    assert not (tmp_path / "cache").exists()  # said before anything is decoded


def test_nothing_to_train_on(tmp_path):
    done = train(*TINY, cwd=tmp_path, check=False)
    assert_refused(done, "nothing to train on", "--manifest", "--resume", status=2)


def test_a_folder_that_holds_a_run(manifests, trained, tmp_path):
    done = train("--manifest", manifests / "selection2.csv", *TINY, "--out", trained, cwd=tmp_path, check=False)
    assert_refused(done, f"{trained} holds a run already", f"train --resume {trained}", "another --out", status=2)


def test_a_run_resumes_with_its_own_settings_alone(trained, tmp_path):
    for more in (["--steps", 5], ["--preset", "tiny"], ["--set", "width=8"], ["--manifest", "x.csv"], ["--out", "x"]):
        done = train("--resume", trained, *more, cwd=tmp_path, check=False)
        assert_refused(done, "--resume takes its settings from the run", status=2)


def test_what_is_no_run_cannot_be_resumed(tmp_path):
    assert_refused(train("--resume", "nowhere", cwd=tmp_path, check=False), "nowhere is no run", "config.json")


def test_a_run_whose_manifest_changed_is_not_resumed(trained, manifests, cache, demo_set, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    other = edited(manifests / "selection2.csv", tmp_path, row=lambda number, row: {**row, "weight": "2"})
    found = json.loads((trained / "config.json").read_text())
    found["sources"][""]["path"] = str(other)
    (run / "config.json").write_text(json.dumps(found))
    done = train("--resume", run, "--device", "cpu", "--cache", cache, "--data", demo_set, cwd=tmp_path, check=False)
    assert_refused(done, str(other), "changed since the run began", "put the old ones back")


def test_a_finished_run_says_so_when_it_is_resumed(trained, cache, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    before, log = steps(run), losses(run)
    done = train("--resume", run, "--device", "cpu", "--cache", cache, cwd=tmp_path)
    assert f"{SETTINGS[5]} steps done" in done.stderr
    assert (steps(run), losses(run)) == (before, log)
