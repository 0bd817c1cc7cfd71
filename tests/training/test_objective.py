"""What networks pay for a batch: who learns from what, what is left out, and that parts of a batch make the whole."""

import dataclasses

import numpy as np
import pytest
from jittor_here import jt
from stored import assert_near

from training import losses, weights
from training.adam import Adam
from training.models.discriminator import Discriminator
from training.models.encoder import Encoder
from training.models.spade import SpadeGenerator
from training.objective import (
    Example,
    Networks,
    Objective,
    discriminator_losses,
    generate,
    generator_losses,
    judge,
    one_hot,
)


def made(vae=True):
    found = Networks(SpadeGenerator(3, 2, (1, 2), vae=vae), Discriminator(6, 2, 2, 3), Encoder(1) if vae else None)
    for number, network in enumerate((found.generator, found.discriminator, found.encoder)):
        if network is not None:
            weights.initialise(network, np.random.default_rng(number))
            for var in weights.trainable(
                network
            ).values():  # beyond the tiny gain of the start, so that gradients are not
                var.update(var * 20)
    jt.sync_all(True)
    return found


@pytest.fixture
def networks():
    return made()


@pytest.fixture
def example():
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 3, (2, 32, 64)).astype(np.uint8)
    photo, eps = rng.uniform(-1, 1, (2, 3, 32, 64)).astype(np.float32), rng.standard_normal((2, 256), np.float32)
    return Example(one_hot(jt.array(ids), 3), jt.array(photo), jt.array(eps))


def numbers(network):
    return {name: value for name, value in weights.arrays(network).items() if name in weights.trainable(network)}


def moved(network, before):
    return {name for name, value in numbers(network).items() if (value != before[name]).any()}


def part_of(example, rows):
    return dataclasses.replace(
        example, condition=example.condition[rows], photo=example.photo[rows], eps=example.eps[rows]
    )


# --- who learns ---


def test_a_generator_step_moves_generator_and_encoder_and_not_the_discriminator(networks, example):
    letters = {"G": networks.generator, "E": networks.encoder, "D": networks.discriminator}
    before = {letter: numbers(network) for letter, network in letters.items()}
    both = {f"{x}/{n}": v for x in "GE" for n, v in weights.trainable(letters[x]).items()}
    optimiser = Adam(both, (0.0, 0.9))
    found, _ = generator_losses(networks, example, Objective())
    optimiser.accumulate(sum(found.values()))
    optimiser.step(0.01)
    assert moved(networks.discriminator, before["D"]) == set()
    for letter in "GE":
        still = before[letter].keys() - moved(letters[letter], before[letter])
        assert {name for name in still if not name.endswith("bias")} == set()


def test_a_discriminator_step_moves_the_discriminator_alone(networks, example):
    before = [numbers(network) for network in (networks.generator, networks.encoder, networks.discriminator)]
    optimiser = Adam(weights.trainable(networks.discriminator), (0.0, 0.9))
    optimiser.accumulate(sum(discriminator_losses(networks, example, Objective()).values()))
    optimiser.step(0.01)
    assert moved(networks.generator, before[0]) == moved(networks.encoder, before[1]) == set()
    still = before[2].keys() - moved(networks.discriminator, before[2])  # what hinge asks of a bias can cancel
    assert {name for name in still if not name.endswith("bias")} == set()


@pytest.mark.parametrize("given", [False, True])
def test_no_gradient_of_the_discriminators_losses_reaches_the_generator(networks, example, given):
    fake, _, _ = generate(networks, example)
    found = discriminator_losses(networks, example, Objective(), *([fake] if given else []))
    wanted = [*weights.trainable(networks.generator).values(), *weights.trainable(networks.encoder).values()]
    assert all((gradient.numpy() == 0).all() for gradient in jt.grad(sum(found.values()), wanted))


def test_the_discriminator_judges_the_fake_it_is_given(networks, example):
    black, photo = jt.zeros(example.photo.shape) - 1, example.photo
    networks.discriminator.eval()
    paid = [discriminator_losses(networks, example, Objective(), fake)["D fake"].item() for fake in (black, photo)]
    on_photo = networks.discriminator(example.condition, [photo])[0]
    assert paid[1] == pytest.approx(np.mean([np.maximum(0, 1 + s[-1].numpy()).mean() for s in on_photo]), rel=1e-5)
    assert paid[0] != pytest.approx(paid[1], rel=1e-4)


def test_the_photo_side_gives_the_generator_no_gradient(networks, example):
    photo = jt.array(example.photo.numpy())
    seen = dataclasses.replace(example, photo=photo)
    fake, _, _ = generate(networks, seen)
    on_fake, on_photo = judge(networks, seen, fake.detach(), learn_from_photo=False)
    loss = losses.feature_matching(on_fake, on_photo)
    assert loss.item() > 0
    assert (jt.grad(loss, photo).numpy() == 0).all()


# --- which losses ---


def test_losses_have_their_weights(networks, example):
    for network in (networks.generator, networks.discriminator, networks.encoder):
        network.eval()  # no power iteration between the two
    once, _ = generator_losses(networks, example, Objective(feature_matching=1, kl=1))
    weighed, _ = generator_losses(networks, example, Objective())
    assert set(weighed) == {"GAN", "FM", "KL"}
    assert weighed["GAN"].item() == pytest.approx(once["GAN"].item(), rel=1e-6)
    assert weighed["FM"].item() == pytest.approx(10 * once["FM"].item(), rel=1e-6)
    assert weighed["KL"].item() == pytest.approx(0.05 * once["KL"].item(), rel=1e-6)


def test_a_loss_of_weight_zero_is_left_out(networks, example):
    found, _ = generator_losses(
        networks, example, Objective(feature_matching=0, kl=0, perceptual=0, perceptual_loss=max)
    )
    assert set(found) == {"GAN"}


def test_without_the_vae_there_is_no_kl(example):
    found, _ = generator_losses(made(vae=False), dataclasses.replace(example, eps=None), Objective())
    assert set(found) == {"GAN", "FM"}


def test_the_perceptual_loss_compares_fake_and_photo(networks, example):
    seen = []

    def distance(fake, photo):
        seen.append((fake, photo))
        return jt.abs(fake - photo).mean()

    found, fake = generator_losses(networks, example, Objective(perceptual=3, perceptual_loss=distance))
    [(first, second)] = seen
    assert (first.numpy() == fake.numpy()).all()
    assert (second.numpy() == example.photo.numpy()).all()
    assert found["perceptual"].item() == pytest.approx(
        3 * np.abs(fake.numpy() - example.photo.numpy()).mean(), rel=1e-5
    )


def test_z_is_drawn_with_eps(networks, example):
    networks.encoder.eval()
    networks.generator.eval()
    mu, logvar = (side.numpy().astype(np.float64) for side in networks.encoder(example.photo))
    z = mu + example.eps.numpy() * np.exp(logvar / 2)
    wanted = networks.generator(example.condition, z=jt.array(z))
    fake, found_mu, found_logvar = generate(networks, example)
    assert_near(fake.numpy(), wanted.numpy(), 1e-5)
    assert_near(found_mu.numpy(), mu)
    assert_near(found_logvar.numpy(), logvar)


def test_the_discriminator_does_not_see_a_condition_that_it_is_not_judged_with(example):
    networks = Networks(None, Discriminator(3, 2, 2, 3), None)
    weights.initialise(networks.discriminator, np.random.default_rng(0))
    seen = dataclasses.replace(example, judged_with=False)
    on_fake, on_photo = judge(networks, seen, example.photo, learn_from_photo=True)
    assert (on_fake[0][-1].numpy() == on_photo[0][-1].numpy()).all()


# --- parts of a batch ---


def test_kl_of_the_parts_of_a_batch_is_that_of_the_batch(networks, example):
    networks.encoder.eval()
    whole, _ = generator_losses(networks, example, Objective())
    parts = [
        generator_losses(networks, part_of(example, rows), Objective(), parts=2)[0]["KL"].item()
        for rows in (slice(0, 1), slice(1, 2))
    ]
    assert np.mean(parts) == pytest.approx(whole["KL"].item(), rel=1e-5)


# --- label maps ---


def test_one_hot():
    ids = np.array([[[0, 1], [2, 1]], [[2, 2], [0, 255]]], np.uint8)
    hot = one_hot(jt.array(ids), 3)
    assert hot.dtype == "float32"
    wanted = np.zeros((2, 3, 2, 2))
    for channel in range(3):
        wanted[:, channel] = ids == channel
    assert (hot.numpy() == wanted).all()
    assert (hot.numpy().sum(1) == (ids < 3)).all()  # a number past the channels is nowhere
