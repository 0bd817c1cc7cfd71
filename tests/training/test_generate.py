"""`generate`: which pictures come out, that the same seed gives the same bytes, and what goes wrong with a name and a mend."""

import json
import re
import shutil
from io import BytesIO

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
from command import generate
from PIL import Image
from runs import STEPS, assert_refused
from safetensors.numpy import load_file, save_file
from stored import arrays

from training import generation, sampling
from training.checkpoint import CheckpointError
from training.foreign import WeightsError
from training.generation import GenerationError

LAST = f"checkpoints/step-{STEPS:08d}"


@pytest.fixture(scope="module")
def maps(demo_set, manifests, tmp_path_factory):
    """Three label maps of the demo set, without their photos."""
    folder = tmp_path_factory.mktemp("maps")
    kept = [line.split(",")[2] for line in (manifests / "selection2.csv").read_text().splitlines()[1:4]]
    for label in kept:
        shutil.copy(demo_set / "labels" / label.rsplit("/", 1)[1], folder)
    return folder


@pytest.fixture
def draw(trained, maps, tmp_path):
    """Draw with the trained run in this process; returns the pictures by name, and how many failed."""

    def run(checkpoint=trained, labels=maps, out="out", **options):
        failed = generation.generate(checkpoint, labels, tmp_path / out, device="cpu", quiet=True, **options)
        return {path.name: path.read_bytes() for path in (tmp_path / out).glob("*.png")}, failed

    return run


def pixels(content):
    return np.asarray(Image.open(BytesIO(content)))


# --- as a user runs it ---


def test_from_a_run_and_a_broken_label_map_costs_one_picture(trained, maps, draw, tmp_path):
    """The same seed gives the same bytes, in another process and from the checkpoint's own folder too."""
    labels = shutil.copytree(maps, tmp_path / "labels")
    stems = sorted(path.stem for path in labels.iterdir())
    (labels / "torn.png").write_bytes((labels / f"{stems[0]}.png").read_bytes()[:100])
    options = ["--n", 3, "--seed", 7, "--device", "cpu"]
    done = generate("--checkpoint", trained, "--labels", labels, "--out", "drawn", *options, cwd=tmp_path, check=False)
    assert_refused(done, "1 label map could not be drawn; see above")
    assert f"{labels / 'torn.png'}: truncated image" in done.stderr
    assert "3 label maps drawn into drawn" in done.stderr
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "drawn").iterdir()}
    assert drawn.keys() == {f"{stem}_{n}.png" for stem in stems for n in (1, 2, 3)}
    again, failed = draw(trained / LAST, seed=7, count=3)
    assert failed == 0
    assert again == drawn


def test_a_run_that_is_none(maps, tmp_path):
    done = generate(
        "--checkpoint", "nowhere", "--labels", maps, "--out", "x", "--device", "cpu", cwd=tmp_path, check=False
    )
    assert_refused(done, "nowhere is no run")


# --- seeds and styles ---


def test_another_seed_and_another_number_give_other_pictures(draw):
    one, two = draw(seed=7, count=3)[0], draw(seed=8, count=3, out="two")[0]
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)
    assert len(set(one.values())) == len(one)


def test_pictures_have_the_size_of_training(draw, maps):
    drawn, _ = draw()
    assert drawn.keys() == {path.name for path in maps.iterdir()}
    for content in drawn.values():
        assert pixels(content).shape == (128, 128, 3)
        assert pixels(content).std() > 1


def test_a_style_photo_decides_the_style(draw, demo_set):
    photos = sorted((demo_set / "images").iterdir())[5:7]
    random, first, again, second = (
        draw(style=style, out=out)[0]
        for style, out in ((None, "a"), (photos[0], "b"), (photos[0], "c"), (photos[1], "d"))
    )
    assert first == again
    assert all(first[name] != random[name] for name in random)
    assert all(first[name] != second[name] for name in random)


def test_the_style_of_a_photo_varies_by_seed_from_the_second_picture_on(draw, demo_set):
    photo = sorted((demo_set / "images").iterdir())[5]
    one, two = draw(style=photo, count=2, seed=1)[0], draw(style=photo, count=2, seed=2, out="two")[0]
    for name in one:
        assert (one[name] == two[name]) == name.endswith("_1.png")


def test_a_style_photo_that_is_none(draw, maps, tmp_path):
    (tmp_path / "style.jpg").write_text("no photo")
    with pytest.raises(GenerationError, match=re.escape(str(tmp_path / "style.jpg"))):
        draw(style=tmp_path / "style.jpg")


# --- what is read, and what is not ---


def test_neither_data_nor_manifest_is_needed(draw, trained, tmp_path):
    """The run's copy names a manifest that does not exist: the pictures cannot know the photos of the label maps."""
    copy = tmp_path / "run"
    shutil.copytree(trained / LAST, copy / LAST)
    found = json.loads((trained / "config.json").read_text())
    found["sources"][""]["path"] = found["data"] = "/nowhere/selection2.csv"
    (copy / "config.json").write_text(json.dumps(found))
    assert draw(copy, out="a")[0] == draw(trained / LAST, out="b")[0]


def test_the_averaged_weights_are_the_ones_used(draw, trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained / LAST, copy / LAST)
    shutil.copy(trained / "config.json", copy)
    before, _ = draw(copy)
    plain = {
        name: np.full_like(array, np.nan) for name, array in load_file(copy / LAST / "generator.safetensors").items()
    }
    save_file(plain, copy / LAST / "generator.safetensors")
    assert draw(copy)[0] == before
    averaged = load_file(copy / LAST / "generator_ema.safetensors")
    averaged["to_rgb.bias"] = averaged["to_rgb.bias"] + np.float32(0.5)
    save_file(averaged, copy / LAST / "generator_ema.safetensors")
    brighter, _ = draw(copy)
    assert all(pixels(brighter[name]).mean() > pixels(before[name]).mean() + 20 for name in before)


def test_the_best_checkpoint_of_a_run_is_taken(draw, trained, tmp_path):
    copy = shutil.copytree(trained, tmp_path / "run")
    (copy / "checkpoints/best.json").write_text('{"step": 12, "validation": 0.1}')
    best = draw(copy, out="a")[0]
    assert best == draw(trained / "checkpoints/step-00000012", out="b")[0]
    assert best != draw(trained / LAST, out="c")[0]


def test_a_damaged_or_incomplete_checkpoint_is_named(draw, trained, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained / LAST, copy / LAST)
    shutil.copy(trained / "config.json", copy)
    (copy / LAST / "generator_ema.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"generator_ema"):
        draw(copy)
    (copy / LAST / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match="is damaged"):
        draw(copy)


def test_a_run_without_checkpoints_is_named(draw, trained, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(trained / "config.json", tmp_path / "run")
    with pytest.raises(GenerationError, match="has no checkpoint yet; train on with `train --resume"):
        draw(tmp_path / "run")


# --- label maps ---


def test_an_id_outside_the_label_space_costs_one_picture(draw, maps, tmp_path, capsys):
    labels = shutil.copytree(maps, tmp_path / "labels")
    Image.fromarray(np.full((30, 30), 200, np.uint8)).save(labels / "strange.png")
    drawn, failed = draw(labels=labels)
    assert failed == 1
    assert "strange.png" not in drawn
    assert len(drawn) == 3
    said = capsys.readouterr().err
    assert f"{labels / 'strange.png'}: " in said
    assert "200" in said


def test_one_label_map_may_be_given(draw, maps):
    one = sorted(maps.iterdir())[0]
    assert list(draw(labels=one)[0]) == [one.name]


def test_folders_without_label_maps_are_refused(draw, tmp_path):
    with pytest.raises(GenerationError, match=r"gone does not exist; give --labels"):
        draw(labels=tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GenerationError, match=r"empty holds no label map \(\.png"):
        draw(labels=tmp_path / "empty")


def test_label_maps_of_one_name_are_refused(draw, maps, tmp_path):
    one = sorted(maps.iterdir())[0]
    (tmp_path / "twice").mkdir()
    for suffix in (".png", ".bmp"):
        Image.open(one).convert("L").save(tmp_path / "twice" / f"a{suffix}")
    with pytest.raises(GenerationError, match=r"would both become a\.png; rename one"):
        draw(labels=tmp_path / "twice")


def test_the_grid_shows_label_maps_beside_their_pictures(draw, tmp_path):
    draw(count=2, grid=tmp_path / "grid.png")
    width, height = Image.open(tmp_path / "grid.png").size
    assert 3 * 128 <= width < 3 * 128 + 60  # label map, two pictures
    assert 3 * 128 <= height < 3 * 128 + 260


# --- weights of other programs ---


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published TSIT generator of the stored arrays as a weights file, its label maps as PNG files, and the arrays."""
    folder, stored = tmp_path_factory.mktemp("published"), arrays("tsit_tiny")
    np.savez(folder / "latest_net_G.npz", **{key[2:]: a for key, a in stored.items() if key.startswith("G/")})
    (folder / "labels").mkdir()
    for i, ids in enumerate(stored["in/ids"]):
        Image.fromarray(ids).save(folder / f"labels/{i}.png")
    return folder, stored


def test_a_published_generator_draws_what_it_drew_in_pytorch(published, draw, monkeypatch):
    folder, stored = published
    monkeypatch.setattr(sampling, "sample_start", lambda config, size, count, seed: stored["in/z"][seed : seed + count])
    drawn, failed = draw(folder / "latest_net_G.npz", folder / "labels", size="256x128")
    assert failed == 0
    for i, generated in enumerate(stored["eval/generated"]):
        ours = pixels(drawn[f"{i}.png"])
        assert ours.shape == (128, 256, 3)
        every = ours.shape[0] // generated.shape[1]  # only these rows and columns were kept
        theirs = (generated.transpose(1, 2, 0) + 1) * 127.5
        assert np.abs(ours[::every, ::every] - theirs).max() < 0.51


def test_weights_of_another_program_need_their_size(published, draw):
    folder, _ = published
    with pytest.raises(GenerationError, match=r"starts from 2 cells of 128x128 pixels; 256x256 has others.*--size"):
        draw(folder / "latest_net_G.npz", folder / "labels", size="256x256")


def test_weights_of_another_network_or_none_are_refused(published, draw, tmp_path):
    folder, stored = published
    np.savez(tmp_path / "net_D.npz", **{key[2:]: a for key, a in stored.items() if key.startswith("D/")})
    with pytest.raises(GenerationError, match=r"net_D\.npz holds a discriminator; give the generator"):
        draw(tmp_path / "net_D.npz", folder / "labels")
    np.savez(tmp_path / "other.npz", weight=np.ones(3, np.float32))
    with pytest.raises(WeightsError, match=r"other\.npz holds no generator"):
        draw(tmp_path / "other.npz", folder / "labels")
