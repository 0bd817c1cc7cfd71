"""Networks: sizes, shapes, ranges, and that judging apart is judging together."""

import numpy as np
import pytest
from jittor_here import jt
from stored import assert_near

from training import weights
from training.models import GENERATORS
from training.models.discriminator import Discriminator
from training.models.encoder import Encoder
from training.models.spade import SpadeGenerator
from training.models.tsit import TsitGenerator


def ready(network, seed=0):
    weights.initialise(network, np.random.default_rng(seed))
    return network


def drawn(*shape, seed=0):
    return jt.array(np.random.default_rng(seed).standard_normal(shape, np.float32))


def labels(n, channels, height, width):
    ids = np.random.default_rng(1).integers(0, channels, (n, height // 8, width // 8)).repeat(8, 1).repeat(8, 2)
    return jt.array(np.ascontiguousarray(np.eye(channels, dtype=np.float32)[ids].transpose(0, 3, 1, 2)))


# --- sizes ---


@pytest.mark.parametrize(
    "build, millions",
    [
        (lambda: TsitGenerator(29, 64, (3, 4)), 334.5),
        (lambda: TsitGenerator(29, 64, (3, 4)).content, 66.8),
        (lambda: TsitGenerator(151, 64, (2, 2)), 332.7),
        (lambda: TsitGenerator(255, 64, (3, 4)), 335.2),
        (lambda: TsitGenerator(3, 64, (2, 2), vae=False, style_stream=True, noise_start=True), 398.1),
        (lambda: TsitGenerator(29, 32, (3, 4)), 84.4),
        (lambda: TsitGenerator(29, 8, (3, 4)), 5.6),
        (lambda: SpadeGenerator(29, 64, (12, 16)), 92.8),
        (lambda: SpadeGenerator(29, 64, (12, 16), vae=True), 143.1),
        (lambda: SpadeGenerator(29, 64, (6, 8), vae=True, upsampling="more"), 105.2),
        (lambda: Encoder(64), 10.5),
        (lambda: Discriminator(32), 5.6),
        (lambda: Discriminator(32, scales=3), 8.4),
        (lambda: Discriminator(155), 5.8),
    ],
)
def test_parameter_counts_are_those_of_the_published_networks(build, millions):
    network = build()  # Jittor makes arrays when they are asked for: this one never is
    count = sum(int(np.prod(var.shape)) for var in weights.trainable(network).values())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


# --- generators ---


@pytest.mark.parametrize(
    "model, settings, multiple, size",
    [
        ("tsit", {}, 128, (128, 256)),
        ("tsit", {"vae": False}, 128, (256, 128)),
        ("tsit", {"downsample": "bilinear"}, 128, (128, 128)),
        ("tsit", {"vae": False, "noise_start": True, "style_stream": True, "alpha": 0.5}, 128, (128, 256)),
        ("spade", {}, 32, (64, 32)),
        ("spade", {"vae": True}, 32, (32, 64)),
        ("spade", {"upsampling": "more"}, 64, (64, 128)),
        ("spade", {"upsampling": "most"}, 128, (128, 128)),
    ],
)
def test_generators_draw_pictures_of_the_size_of_their_input(model, settings, multiple, size):
    start = size[0] // multiple, size[1] // multiple
    network = ready(GENERATORS[model](5, 2, start, **settings))
    network.eval()
    inputs = {"z": drawn(2, 256), "noise": drawn(2, 3, *start), "style": drawn(2, 3, *size)}
    picture = network(labels(2, 5, *size), **inputs).numpy()
    assert picture.shape == (2, 3, *size)
    assert np.isfinite(picture).all()
    assert np.abs(picture).max() <= 1
    assert (picture[0] != picture[1]).any()


@pytest.mark.parametrize("vae", [True, False])
def test_pictures_follow_z_with_the_vae_only(vae):
    network = ready(TsitGenerator(3, 2, (1, 1), vae=vae))
    network.eval()
    condition = labels(1, 3, 128, 128)
    one, other = (network(condition, z=drawn(1, 256, seed=seed)).numpy() for seed in (1, 2))
    assert (one != other).any() == vae


def test_pictures_follow_the_style_stream_as_much_as_alpha_says():
    pictures = {}
    for alpha in (0.0, 1.0):
        network = ready(TsitGenerator(3, 2, (1, 2), vae=False, noise_start=True, style_stream=True, alpha=alpha))
        network.eval()
        content, noise = drawn(1, 3, 128, 256), drawn(1, 3, 1, 2)
        pictures[alpha] = [network(content, drawn(1, 3, 128, 256, seed=s), noise=noise).numpy() for s in (1, 2)]
    assert (pictures[0.0][0] == pictures[0.0][1]).all()
    assert (pictures[1.0][0] != pictures[1.0][1]).any()


def test_a_tsit_that_halves_by_means_is_another():
    pictures = []
    for downsample in ("nearest", "bilinear"):
        network = ready(TsitGenerator(3, 2, (1, 1), downsample=downsample))
        network.eval()
        pictures.append(network(labels(1, 3, 128, 128), z=drawn(1, 256)).numpy())
    assert np.abs(pictures[0] - pictures[1]).max() > 1e-7


@pytest.mark.parametrize("size", [(160, 256), (128, 128), (256, 512)])
def test_a_label_map_of_a_size_the_vae_was_not_made_for_is_refused(size):
    for network, made_for in (
        (TsitGenerator(3, 2, (1, 2)), "256x128"),
        (SpadeGenerator(3, 2, (2, 4), vae=True), "128x64"),
    ):
        with pytest.raises(ValueError, match=f"is {size[1]}x{size[0]}, this generator draws {made_for}"):
            network(labels(1, 3, *size), z=drawn(1, 256))


def test_without_the_vae_any_multiple_can_be_drawn_and_nothing_else():
    for network, multiple in (TsitGenerator(3, 2, (1, 1), vae=False), 128), (SpadeGenerator(3, 2, (1, 1)), 32):
        ready(network).eval()
        assert network(labels(1, 3, multiple, multiple * 2)).shape == [1, 3, multiple, multiple * 2]
        with pytest.raises(ValueError, match=f"is {multiple}x{multiple + 8}, .* multiples of {multiple}"):
            network(labels(1, 3, multiple + 8, multiple))


# --- encoder ---


def test_the_encoder_gives_256_means_and_log_variances_for_any_size():
    network = ready(Encoder(2))
    for size in ((128, 128), (256, 256), (384, 512)):
        mu, logvar = network(drawn(2, 3, *size))
        assert mu.shape == logvar.shape == [2, 256]
        assert np.isfinite(mu.numpy()).all()
    assert (mu.numpy() != logvar.numpy()).any()


# --- discriminator ---


@pytest.mark.parametrize("layers, scales", [(4, 2), (3, 1), (4, 3)])
def test_discriminator_outputs(layers, scales):
    network = ready(Discriminator(5 + 3, 4, scales, layers))
    [outputs] = network(labels(2, 5, 64, 96), [drawn(2, 3, 64, 96)])
    assert len(outputs) == scales
    for number, stages in enumerate(outputs):
        h, w = 64 >> number, 96 >> number
        wanted = []
        for stage in range(layers + 1):
            stride_two = stage < min(layers, 3)
            h, w = (h // 2 + 1, w // 2 + 1) if stride_two else (h + 1, w + 1)
            wanted.append([2, 1 if stage == layers else 4 * 2**stage, h, w])
        assert [output.shape for output in stages] == wanted


def test_channels_of_the_discriminator_stop_at_512():
    outputs = [stage.weight.shape[0] for stage in Discriminator(3, 128, 1, 4).scales[0].stages]
    assert outputs == [128, 256, 512, 512, 1]


def test_judging_one_after_the_other_is_judging_one_batch():
    network = ready(Discriminator(5 + 3, 4, 2, 4))
    network.eval()
    condition, fake, photo = labels(2, 5, 64, 64), drawn(2, 3, 64, 64, seed=1), drawn(2, 3, 64, 64, seed=2)
    apart = network(condition, [fake, photo])
    [both] = network(jt.concat([condition, condition]), [jt.concat([fake, photo])])
    for scale in range(2):
        for stage in range(5):
            together = both[scale][stage].numpy()
            assert_near(np.concatenate([side[scale][stage].numpy() for side in apart]), together, 1e-5)


def test_the_condition_counts_as_channels_before_the_picture():
    network = ready(Discriminator(5 + 3, 4, 2, 4))
    network.eval()
    condition, picture = labels(2, 5, 64, 64), drawn(2, 3, 64, 64)
    with_condition = network(condition, [picture])[0]
    concatenated = network(None, [jt.concat([condition, picture], dim=1)])[0]
    for one, other in zip(with_condition, concatenated, strict=True):
        assert_near(one[-1].numpy(), other[-1].numpy(), 1e-5)


def test_gradients_go_only_where_the_discriminator_learns():
    network = ready(Discriminator(3, 4, 2, 3))
    fake, photo = drawn(1, 3, 32, 32, seed=1), drawn(1, 3, 32, 32, seed=2)
    on_fake, on_photo = network(None, [fake, photo], [True, False])
    total = sum((scale[-1] * scale[-1]).mean() for side in (on_fake, on_photo) for scale in side)
    first = network.scales[0].stages[0].weight
    to_fake, to_photo, both = (g.numpy() for g in jt.grad(total, [fake, photo, first], retain_graph=True))
    assert np.abs(to_fake).max() > 0
    assert (to_photo == 0).all()
    of_fake = sum((scale[-1] * scale[-1]).mean() for scale in on_fake)
    assert_near(jt.grad(of_fake, first).numpy(), both, 1e-5)


def test_one_pass_is_one_power_iteration_however_many_pictures():
    one, two = ready(Discriminator(3, 4, 1, 3)), ready(Discriminator(3, 4, 1, 3))
    jt.sync(one(None, [drawn(1, 3, 32, 32)])[0][0])
    jt.sync([out for picture in two(None, [drawn(1, 3, 32, 32), drawn(1, 3, 32, 32, seed=3)]) for out in picture[0]])
    assert (one.scales[0].stages[1].u.numpy() == two.scales[0].stages[1].u.numpy()).all()
