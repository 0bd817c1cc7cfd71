"""The guided filter, held against its definition."""

import numpy as np
import pytest

from curation.label_error import guided as module
from curation.label_error.guided import EPSILON, guided


def by_definition(photo, layer, half):
    """Equations (19) to (21) of the paper, window by window; beyond the picture its mirror image."""
    guide = photo.astype(np.float64) / 255
    pad = ((half, half), (half, half))
    windows = [
        np.lib.stride_tricks.sliding_window_view(np.pad(each, pad, mode="reflect"), (2 * half + 1,) * 2).reshape(
            *layer.shape, -1
        )
        for each in (*np.moveaxis(guide, 2, 0), layer.astype(np.float64))
    ]
    slope, offset = np.zeros((*layer.shape, 3)), np.zeros(layer.shape)
    for at in np.ndindex(layer.shape):
        colours, values = np.stack([w[at] for w in windows[:3]]), windows[3][at]
        covariance = np.cov(colours, bias=True) + EPSILON * np.eye(3)
        slope[at] = np.linalg.solve(covariance, (colours * values).mean(1) - colours.mean(1) * values.mean())
        offset[at] = values.mean() - slope[at] @ colours.mean(1)
    mean = [
        np.lib.stride_tricks.sliding_window_view(np.pad(each, pad, mode="reflect"), (2 * half + 1,) * 2).mean((2, 3))
        for each in (*np.moveaxis(slope, 2, 0), offset)
    ]
    return sum(m * g for m, g in zip(mean[:3], np.moveaxis(guide, 2, 0), strict=True)) + mean[3]


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (14, 17, 3), np.uint8)


def test_it_is_the_filter_of_the_paper(photo, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 5)
    layer = np.random.default_rng(1).random((14, 17)).astype(np.float32)
    np.testing.assert_allclose(guided(photo)(layer), by_definition(photo, layer, 2), atol=2e-4)


def test_a_constant_layer_stays_itself(photo):
    np.testing.assert_allclose(guided(photo)(np.full((14, 17), 0.3, np.float32)), 0.3, atol=1e-4)


def test_a_flat_photo_guides_nowhere():
    """Then the layer is blurred, twice."""
    layer = np.zeros((96, 128), np.float32)
    layer[:, 64:] = 1
    filtered = guided(np.full((96, 128, 3), 90, np.uint8))(layer)
    assert np.all(np.diff(filtered[48]) >= -1e-4) and filtered[48, 63] == pytest.approx(0.5, abs=0.05)


def test_a_blurred_border_moves_to_the_border_of_the_photo():
    photo = np.zeros((96, 128, 3), np.uint8)
    photo[:, :70] = (120, 170, 230)
    layer = np.broadcast_to(np.clip((np.arange(128, dtype=np.float32) - 56) / 16, 0, 1), (96, 128)).copy()
    filtered = guided(photo)(layer)
    assert (filtered[:, :68] < 0.5).all() and (filtered[:, 72:] > 0.5).all()
