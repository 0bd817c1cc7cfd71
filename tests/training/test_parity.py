"""Our networks against the published PyTorch ones: outputs, losses and gradients of stored arrays."""

import jittor_here  # noqa: F401  (skips where Jittor cannot run)
import numpy as np
import pytest
from stored import FILES

from benchmarks import parity


@pytest.mark.parametrize("name", ["tsit_tiny", "spade_tiny", "two_stream_tiny"])
def test_we_agree_with_the_published_networks(name, capsys):
    fine = parity.compared(FILES / f"{name}.npz.xz")
    assert fine, capsys.readouterr().out


@pytest.mark.parametrize("name", ["tsit_label_vae", "tsit_label_novae", "tsit_two_stream", "spade_vae", "spade_novae"])
def test_we_agree_with_the_published_networks_at_256_pixels(name, real_data, capsys):
    path = real_data / f"parity/{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path.name} among the real data (CURATION_TEST_DATA names its folder)")
    fine = parity.compared(path)
    assert fine, capsys.readouterr().out


def test_a_wrong_weight_is_above_the_bar():
    """The comparison can fail: one bias of the generator is moved by a hundredth."""
    arrays = parity.read(FILES / "tsit_tiny.npz.xz")
    arrays["G/conv_img.bias"] = arrays["G/conv_img.bias"] + np.float32(0.01)
    found = parity.errors(arrays)
    assert found["eval/generated"] > parity.BARS["eval"]
    assert found["train/generated"] > parity.BARS["train"]
