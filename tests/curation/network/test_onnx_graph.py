"""A written network, run by OpenCV, against the same convolutions in NumPy."""

import cv2
import numpy as np
import pytest

from curation.network.onnx_graph import Graph

RNG_SEED = 11


def conv_in_numpy(x, weight, bias, stride, padding, groups):
    """(C, H, W) float64, by the definition; padding is top, left, bottom, right."""
    top, left, bottom, right = padding
    x = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    per_group, outputs = x.shape[0] // groups, weight.shape[0] // groups
    found = [
        np.einsum(
            "chwij,ocij->ohw", windows[g * per_group : (g + 1) * per_group], weight[g * outputs : (g + 1) * outputs]
        )
        for g in range(groups)
    ]
    return np.concatenate(found) + bias[:, None, None]


def run(graph, outputs, x):
    network = cv2.dnn.readNetFromONNX(np.frombuffer(graph.model(outputs), np.uint8))
    network.setInput(x[None])
    return [found[0] for found in network.forward(list(outputs))]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups", "outputs"),
    [
        (1, 1, (0, 0, 0, 0), 1, 5),
        (3, 1, (1, 1, 1, 1), 1, 200),  # lengths of more than one byte
        (3, 2, (0, 0, 1, 1), 1, 5),
        (3, 2, (0, 1, 1, 1), 6, 6),
        (5, 2, (1, 2, 2, 2), 6, 6),
        (3, 1, (2, 0, 0, 1), 3, 12),
    ],
)
def test_a_convolution(kernel, stride, padding, groups, outputs):
    rng = np.random.default_rng(RNG_SEED)
    x = rng.standard_normal((6, 11, 14)).astype(np.float32)
    weight = rng.standard_normal((outputs, 6 // groups, kernel, kernel)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32)
    graph = Graph(x.shape)
    name = graph.conv(graph.input, weight, bias, stride, padding, groups)
    expected = conv_in_numpy(x, weight, bias, stride, padding, groups)
    (found,) = run(graph, {name: expected.shape}, x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_relu6_and_a_sum_with_several_outputs():
    rng = np.random.default_rng(RNG_SEED)
    x = (rng.standard_normal((4, 8, 9)) * 5).astype(np.float32)
    weight, bias = np.eye(4, dtype=np.float32)[:, :, None, None], np.float32([0, 1, -2, 3])
    graph = Graph(x.shape)
    first = graph.conv(graph.input, weight, bias, 1, (0, 0, 0, 0), 1)
    clipped = graph.relu6(first)
    second = graph.conv(clipped, 2 * weight, bias, 1, (0, 0, 0, 0), 1)
    total = graph.add(second, first)
    assert len({graph.input, first, clipped, second, total}) == 5
    found = run(graph, {clipped: x.shape, total: x.shape}, x)
    by_hand = x + bias[:, None, None]
    np.testing.assert_allclose(found[0], by_hand.clip(0, 6), atol=1e-5)
    np.testing.assert_allclose(found[1], 2 * by_hand.clip(0, 6) + bias[:, None, None] + by_hand, atol=1e-4)
    assert found[0].min() == 0 and found[0].max() == 6


def test_the_same_network_is_the_same_file():
    def file():
        graph = Graph((3, 4, 5))
        name = graph.conv(graph.input, np.ones((2, 3, 1, 1), np.float32), np.zeros(2, np.float32), 1, (0, 0, 0, 0), 1)
        return graph.model({name: (2, 4, 5)})

    assert file() == file()
