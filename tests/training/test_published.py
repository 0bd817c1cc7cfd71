"""Whole networks against the published PyTorch programs: the same weights give the same pictures, logits, losses and gradients.

The files under files/ hold networks of one channel; where real data is at hand, larger ones are held too.
"""

import numpy as np
import pytest
from jittor_here import jt
from stored import FILES, arrays, assert_near

from training import losses, weights
from training.foreign_names import our_names
from training.models.discriminator import Discriminator
from training.models.encoder import Encoder
from training.models.spade import SpadeGenerator
from training.models.tsit import TsitGenerator
from training.objective import Example, Networks, generate, judge, one_hot

TINY = ("tsit_tiny", "two_stream_tiny", "spade_tiny")
LARGER = ("tsit_label_vae", "tsit_label_novae", "tsit_two_stream", "spade_vae", "spade_novae")
# Relative error of gradients. A change of 1e-6 in the input of two streams flips leaky ReLUs in maps of 2x2 pixels, which changes gradients by up to 1 %.
GRADIENTS, GRADIENTS_OF_TWO_STREAMS = 1e-2, 5e-2
KINDS = {"G": "generator", "D": "discriminator", "E": "encoder"}


def renamed(letter, names):
    """PyTorch's name -> ours, of one network."""
    return {name: our_names(KINDS[letter])[name] for name in names if not name.endswith("num_batches_tracked")}


def state(stored, letter):
    given = {key[2:]: value for key, value in stored.items() if key.startswith(f"{letter}/")}
    return {ours: given[theirs] for theirs, ours in renamed(letter, given).items()}


def built(stored):
    """Networks with the stored weights, and the stored batch."""
    generator, discriminator, encoder = (state(stored, letter) for letter in "GDE")
    vae, labelled = bool(encoder), "in/ids" in stored
    height, width = stored["in/photo"].shape[2:]
    to_rgb = generator["to_rgb.weight"].shape[1]
    if "content.levels.0.conv0.weight" in generator:
        two_streams = "style.levels.0.conv0.weight" in generator
        channels = generator["content.levels.0.conv0.weight"].shape[0]
        start = (height // 128, width // 128)
        network = TsitGenerator(
            channels, to_rgb, start, vae=vae, style_stream=two_streams, alpha=0.7, noise_start=two_streams
        )
    else:
        most = "blocks.7.conv0.weight" in generator
        channels = generator["blocks.0.norm0.shared.weight"].shape[1]
        halved = 128 if most else 32
        network = SpadeGenerator(
            channels, to_rgb * (1 + most), (height // halved, width // halved), vae=vae, upsampling="most" if most else "normal"
        )  # fmt: skip
    first = discriminator["scales.0.stages.0.weight"].shape
    stages = {name.split(".")[3] for name in discriminator}
    found = Networks(
        network, Discriminator(first[1], first[0], 2, len(stages) - 1), Encoder(encoder["convs.0.weight"].shape[0]) if vae else None
    )  # fmt: skip
    for letter, part, given in zip(
        "GDE", (network, found.discriminator, found.encoder), (generator, discriminator, encoder), strict=True
    ):
        if part is not None:
            weights.load(part, given, letter)
    condition = one_hot(jt.array(stored["in/ids"]), channels) if labelled else jt.array(stored["in/content"])
    extra = {name: jt.array(stored[f"in/{name}"]) for name in ("eps", "noise") if f"in/{name}" in stored}
    return found, Example(condition, jt.array(stored["in/photo"]), **extra, judged_with=labelled)


def present(networks):
    return {
        x: n for x, n in zip("GDE", (networks.generator, networks.discriminator, networks.encoder), strict=True) if n
    }


def thinned(picture, like):
    """Every so many rows and columns, as the file has them."""
    every = picture.shape[2] // like.shape[2]
    return picture[..., ::every, ::every]


@pytest.fixture(params=[*TINY, *LARGER])
def stored(request):
    """A file's arrays. The whole gradients of the larger files are those of the generator's and the discriminator's losses together."""
    if request.param in TINY:
        return arrays(request.param)
    path = request.getfixturevalue("real_data") / "parity" / f"{request.param}.npz"
    if not path.exists():
        pytest.skip("no parity files in the real data")
    with np.load(path) as file:
        return {key.replace("train/grad/", "train/grad of all/"): file[key] for key in file.files}


def test_in_evaluation(stored):
    networks, example = built(stored)
    for network in present(networks).values():
        network.eval()
    z = jt.array(stored["in/z"]) if "in/z" in stored else None
    picture = networks.generator(example.condition, example.photo, z, example.noise)
    assert_near(thinned(picture.numpy(), stored["eval/generated"]), stored["eval/generated"], 1e-4, "picture")
    sides = judge(networks, example, picture, learn_from_photo=True)
    for i, scales in enumerate(zip(*sides, strict=True)):
        stages = [np.concatenate([out.numpy() for out in pair]) for pair in zip(*scales, strict=True)]
        assert_near(stages[-1], stored[f"eval/D{i}_logits"], 1e-4, f"logits of scale {i}")
        means = np.array([np.abs(stage).mean() for stage in stages])
        assert_near(means, stored[f"eval/D{i}_feature_means"], 1e-5, f"features of scale {i}")
    if networks.encoder is not None:
        mu, logvar = networks.encoder(example.photo)
        assert_near(mu.numpy(), stored["eval/mu"], 1e-5, "mu")
        assert_near(logvar.numpy(), stored["eval/logvar"], 1e-5, "logvar")


def test_in_training(stored):
    networks, example = built(stored)
    fake, mu, logvar = generate(networks, example)
    on_fake, on_photo = judge(networks, example, fake, learn_from_photo=True)
    of_generator = [losses.generator_loss(on_fake), losses.feature_matching(on_fake, on_photo) * 10]
    if mu is not None:
        for name, value in (("mu", mu), ("logvar", logvar)):
            if f"train/{name}" in stored:
                assert_near(value.numpy(), stored[f"train/{name}"], 1e-5, name)
        of_generator.append(losses.kl_divergence(mu, logvar) * 0.05)
    hinge = sum(losses.discriminator_loss(on_fake, on_photo))
    assert_near(thinned(fake.numpy(), stored["train/generated"]), stored["train/generated"], 1e-4, "picture")
    found = [loss.item() for loss in of_generator]
    assert_near(np.array([*found, *[0] * (3 - len(found)), hinge.item()]), stored["train/losses"], 1e-5, "losses")

    close = GRADIENTS_OF_TWO_STREAMS if "in/content" in stored else GRADIENTS
    of_all = of_letters(networks, "G", sum(of_generator) + hinge)
    gradients = of_letters(networks, "GE", sum(of_generator)) | of_letters(networks, "D", hinge)
    for letter in present(networks):
        kept = {
            key.split("/", 3)[3]: key
            for key in stored
            if key.startswith(f"train/grad_norm/{letter}/") and not key.endswith("bias")
        }
        largest = max(stored[key] for key in kept.values())
        assert len(kept) > 3
        for theirs, ours in renamed(
            letter, kept
        ).items():  # where a norm follows a single channel, the gradient is rounding alone
            norm = stored[kept[theirs]]
            difference = abs(np.linalg.norm(gradients[f"{letter}/{ours}"]) - norm)
            assert difference <= close * norm + 1e-3 * largest, f"{letter}/{theirs}: {difference:.1e} off {norm:.1e}"
    for start, found in (("train/grad/G/", gradients), ("train/grad of all/G/", of_all)):
        kept = {key.removeprefix(start): key for key in stored if key.startswith(start)}
        for theirs, ours in renamed("G", kept).items():
            assert_near(found[f"G/{ours}"], stored[kept[theirs]], close, kept[theirs])


def of_letters(networks, letters, loss):
    """letter/name -> gradient of the loss, as an array."""
    trained = {
        f"{x}/{n}": v
        for x, network in present(networks).items()
        if x in letters
        for n, v in weights.trainable(network).items()
    }
    found = jt.grad(loss, list(trained.values()), retain_graph=True)
    return {name: gradient.numpy() for name, gradient in zip(trained, found, strict=True)}


def test_the_small_files_are_small():
    assert sum(path.stat().st_size for path in FILES.glob("*.npz.xz")) < 300_000
