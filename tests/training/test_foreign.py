"""Weights of other programs: every tensor finds its place and goes back, sizes are told from shapes, what is odd is named."""

import pickle

import numpy as np
import pytest

from curation.network.restricted_pickle import WeightsError
from training.foreign import import_weights, official_names

# As the README of the files has them: width 2 and 8, 8 classes, 256x256, so the VAE's start is 2x2 ("more") or 8x8 ("normal").
TSIT = {"model": "tsit", "width": 2, "classes": 8, "vae": True, "start_area": 4, "style_stream": False, "style_channels": None, "noise_start": False, "upsampling": "more", "downsample": "nearest"}  # fmt: skip
NO_VAE = {"vae": False, "start_area": None}
SPADE = {**TSIT, "model": "spade", "start_area": 64, "upsampling": None}
GENERATORS = {
    "tsit_label_vae": TSIT,
    "tsit_label_novae": {**TSIT, **NO_VAE},
    "tsit_two_stream": {**TSIT, **NO_VAE, "classes": 3, "style_stream": True, "style_channels": 3, "noise_start": True},
    "spade_vae": SPADE,
    "spade_novae": {**SPADE, **NO_VAE, "upsampling": "most"},
}


@pytest.fixture(scope="module")
def parity(real_data):
    """name, network -> the state dict that the official program wrote, numbers as NumPy arrays."""
    folder = real_data / "parity"
    if not folder.is_dir():
        pytest.skip("no parity files in the real data")

    def state(name, network):
        with np.load(folder / f"{name}.npz") as file:
            return {key[2:]: file[key] for key in file.files if key.startswith(f"{network}/")}

    return state


@pytest.fixture
def imported(tmp_path):
    """A state dict -> what is imported from a file of it."""

    def read(state):
        path = tmp_path / "latest_net.pkl"
        path.write_bytes(pickle.dumps(state))
        return import_weights(path)

    return read


@pytest.fixture
def refusal(imported, tmp_path):
    """A state dict -> the error it gives, which begins with the file."""

    def read(state):
        with pytest.raises(WeightsError) as error:
            imported(state)
        assert str(error.value).startswith(f"{tmp_path / 'latest_net.pkl'} ")
        return str(error.value)

    return read


def conv(name, outputs, inputs, kernel, normed=False, bias=True):
    draw = np.random.default_rng(len(name) + outputs).standard_normal
    state = {f"{name}.weight_orig" if normed else f"{name}.weight": draw((outputs, inputs, kernel, kernel), np.float32)}
    if normed:
        state |= {f"{name}.weight_u": unit(draw(outputs)), f"{name}.weight_v": unit(draw(inputs * kernel**2))}
    return state | ({f"{name}.bias": draw(outputs, np.float32)} if bias else {})


def unit(vector):
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def discriminator(width=4, channels=11, scales=2):
    """A PyTorch state dict with 3 layers."""
    state = {}
    for k in range(scales):
        name = f"discriminator_{k}.model"
        state |= conv(f"{name}0.0", width, channels, 4)
        state |= conv(f"{name}1.0.0", 2 * width, width, 4, normed=True, bias=False)
        state |= conv(f"{name}2.0.0", 4 * width, 2 * width, 4, normed=True, bias=False)
        state |= conv(f"{name}3.0", 1, 4 * width, 4)
    return state


def encoder(width=2):
    """A PyTorch state dict."""
    state, sizes = {}, [3, *(width * k for k in (1, 2, 4, 8, 8, 8))]
    for i in range(6):
        state |= conv(f"layer{i + 1}.0", sizes[i + 1], sizes[i], 3, normed=True, bias=False)
    for name in ("fc_mu", "fc_var"):
        state |= {f"{name}.weight": np.ones((256, 128 * width), np.float32), f"{name}.bias": np.ones(256, np.float32)}
    return state


def as_ported(state):
    """With W / sigma beside every W, as jittor_TSIT saves it: after one iteration from u, which is not kept."""
    ported = {}
    for name, array in state.items():
        ported[name] = array
        if name.endswith("weight_orig"):
            matrix = array.reshape(len(array), -1)
            v = unit(matrix.T @ state[name.replace("_orig", "_u")])
            ported[name.removesuffix("_orig")] = array / (unit(matrix @ v) @ matrix @ v)
    return ported


def divided(tensors, layer):
    """W / (u^T W v), as evaluation has it."""
    weight = tensors[f"{layer}.weight"]
    return weight / (tensors[f"{layer}.u"] @ weight.reshape(len(weight), -1) @ tensors[f"{layer}.v"])


# --- names and sizes ---


@pytest.mark.parametrize(
    ("name", "network"),
    [
        *((name, network) for name in GENERATORS for network in ("generator", "discriminator")),
        ("tsit_label_vae", "encoder"),
        ("spade_vae", "encoder"),
    ],
)
def test_every_tensor_of_the_official_programs_finds_its_place_and_goes_back(parity, imported, name, network):
    state = parity(name, network[0].upper())
    foreign = imported(state)
    assert (foreign.network, foreign.source) == (network, "pytorch")
    assert foreign.model == (name.partition("_")[0] if network == "generator" else None)
    kept = {n: a for n, a in state.items() if not n.endswith("num_batches_tracked")}
    back = official_names(network, foreign.tensors)
    assert list(back.values()) == list(kept)
    for ours, theirs in back.items():
        np.testing.assert_array_equal(foreign.tensors[ours], kept[theirs])
    two_stream = name == "tsit_two_stream"
    assert (
        foreign.architecture
        == {
            "generator": GENERATORS[name],
            "discriminator": {
                "width": 8,
                "channels": 3 if two_stream else 11,
                "scales": 2,
                "layers": 3 if two_stream else 4,
            },
            "encoder": {"width": 2},
        }[network]
    )


@pytest.mark.parametrize(
    ("network", "ours", "theirs"),
    [
        ("generator", "content.levels.3.conv0.weight", "content_stream.res_3.conv_0.weight_orig"),
        ("generator", "style.levels.0.shortcut.v", "style_stream.res_0.conv_s.weight_v"),
        ("generator", "start.bias", "fc.bias"),
        ("generator", "blocks.0.conv1.bias", "head_0.conv_1.bias"),
        ("generator", "blocks.2.norm0.shared.weight", "G_middle_1.norm_0.mlp_shared.0.weight"),
        ("generator", "blocks.6.norm_shortcut.norm.running_var", "up_3.norm_s.param_free_norm.running_var"),
        ("generator", "blocks.7.norm1.gamma.bias", "up_4.norm_1.mlp_gamma.bias"),
        ("generator", "to_rgb.weight", "conv_img.weight"),
        ("discriminator", "scales.1.stages.0.weight", "discriminator_1.model0.0.weight"),
        ("discriminator", "scales.0.stages.2.u", "discriminator_0.model2.0.0.weight_u"),
        ("discriminator", "scales.0.stages.2.weight", "discriminator_0.model2.0.0.weight_orig"),
        ("encoder", "convs.5.v", "layer6.0.weight_v"),
        ("encoder", "logvar.weight", "fc_var.weight"),
    ],
)
def test_our_names_become_theirs(network, ours, theirs):
    layer = ours.rpartition(".")[0]
    names = [ours, f"{layer}.u"] if "weight_" in theirs or ".conv_" in theirs else [ours]
    assert official_names(network, names)[ours] == theirs


def test_a_name_that_is_none_of_ours_is_told():
    with pytest.raises(WeightsError, match=r"convs\.6\.weight is no tensor of an? encoder"):
        official_names("encoder", ["convs.6.weight", "convs.6.u"])


def test_sizes_are_told_from_the_shapes(imported):
    foreign = imported(discriminator(width=4, channels=5, scales=3))
    assert (foreign.network, foreign.architecture) == (
        "discriminator",
        {"width": 4, "channels": 5, "scales": 3, "layers": 3},
    )
    assert imported(encoder(width=3)).architecture == {"width": 3}


def test_channels_of_a_discriminator_end_at_512(imported):
    state = discriminator(width=256, channels=1, scales=1)
    last = {"discriminator_0.model2.0.0", "discriminator_0.model3.0"}
    state = {n: a for n, a in state.items() if n.rpartition(".")[0] not in last}
    state |= conv("discriminator_0.model2.0.0", 512, 512, 4, normed=True, bias=False) | conv(
        "discriminator_0.model3.0", 1, 512, 4
    )
    assert imported(state).architecture["layers"] == 3


def test_weights_become_float32(imported):
    foreign = imported({n: a.astype(np.float64) for n, a in encoder().items()})
    assert {a.dtype for a in foreign.tensors.values()} == {np.dtype(np.float32)}


# --- spectral norms ---


def test_a_file_of_the_port_gives_the_weights_that_it_computed_with(imported):
    ported = as_ported(encoder())
    foreign = imported(ported)
    assert foreign.source == "jittor"
    assert foreign.tensors.keys() == imported(encoder()).tensors.keys()
    for i in range(6):
        np.testing.assert_array_equal(foreign.tensors[f"convs.{i}.weight"], ported[f"layer{i + 1}.0.weight_orig"])
        np.testing.assert_allclose(divided(foreign.tensors, f"convs.{i}"), ported[f"layer{i + 1}.0.weight"], rtol=1e-5)
        assert not np.allclose(foreign.tensors[f"convs.{i}.u"], ported[f"layer{i + 1}.0.weight_u"])


def test_streams_of_the_port_halve_by_a_mean(parity, imported):
    foreign = imported(as_ported(parity("tsit_label_vae", "G")))
    assert foreign.source == "jittor"
    assert foreign.architecture == {**TSIT, "downsample": "bilinear"}


def test_a_file_of_an_old_pytorch_without_v_gives_the_same_divided_weights(imported):
    state = discriminator()
    old = {}
    for name, array in state.items():
        if name.endswith("weight_orig"):
            old[name.removesuffix("_orig")] = array / np.float32(2.5)
        if not name.endswith("weight_v"):
            old[name] = array
    foreign = imported(old)
    assert foreign.source == "pytorch"
    assert foreign.tensors.keys() == imported(state).tensors.keys()
    for layer in ("scales.0.stages.1", "scales.1.stages.2"):
        np.testing.assert_allclose(divided(foreign.tensors, layer), foreign.tensors[f"{layer}.weight"] / 2.5, rtol=1e-5)


# --- what is refused ---


def test_tensors_without_a_place_are_named(refusal):
    state = encoder() | {f"layer1.0.extra{i}": np.ones(1) for i in range(7)}
    names = ", ".join(f"layer1.0.extra{i}" for i in range(5))
    assert f"is no encoder as published, which has 22 tensors. 7 of its tensors have no place: {names}, ..." in refusal(
        state
    )


def test_missing_tensors_are_named_as_the_file_would(refusal):
    state = encoder()
    del state["layer2.0.weight_u"], state["fc_var.bias"]
    assert "2 are missing: layer2.0.weight_u, fc_var.bias." in refusal(state)


def test_missing_and_strange_tensors_are_told_together(refusal):
    """A discriminator without spectral norm has other layers."""
    state = {
        n.replace(".0.0.weight_orig", ".0.weight"): a
        for n, a in discriminator(scales=1).items()
        if n[-2:] not in ("_u", "_v")
    }
    text = refusal(state | {"discriminator_0.model1.0.bias": np.ones(8)})
    assert "1 of its tensors have no place: discriminator_0.model1.0.bias;" in text
    assert "4 are missing: discriminator_0.model1.0.0.weight_u, discriminator_0.model1.0.0.weight_v," in text


def test_two_tensors_for_one_place_are_told(refusal):
    state = discriminator()
    state["discriminator_0.model1.0.weight"] = state["discriminator_0.model1.0.0.weight_orig"]
    assert "1 of its tensors have no place: discriminator_0.model1.0.weight." in refusal(state)


def test_another_shape_is_told(refusal):
    state = encoder() | {"layer3.0.weight_orig": np.ones((8, 4, 5, 5), np.float32)}
    assert "1 have another shape: layer3.0.weight_orig is (8, 4, 5, 5), not (8, 4, 3, 3)." in refusal(state)
    state = encoder() | {"layer1.0.weight_orig": np.ones(3, np.float32)}
    assert "convs.0.weight has the shape (3,)" in refusal(state)
    state = encoder() | {"layer1.0.weight_orig": np.ones((0, 3, 3, 3), np.float32)}
    assert "convs.0.weight has the shape (0, 3, 3, 3)" in refusal(state)


def test_a_generator_without_its_last_block_is_told(parity, refusal):
    state = {n: a for n, a in parity("spade_vae", "G").items() if not n.startswith("up_3.")}
    assert "is no whole generator of TSIT or SPADE: up_3.conv_1.weight_orig is missing" in refusal(state)


def test_other_norms_are_told(parity, refusal):
    """With instance norm there are no running statistics."""
    state = {n: a for n, a in parity("spade_vae", "G").items() if "running" not in n}
    text = refusal(state)
    assert "is no spade generator as published" in text
    assert "36 are missing: head_0.norm_0.param_free_norm.running_mean, " in text


def test_weights_of_another_network_are_told(refusal):
    vgg = {f"features.{i}.weight": np.ones((2, 2, 3, 3)) for i in range(8)} | {"fc.weight": np.ones((2, 2))}
    text = refusal(vgg)
    assert "holds no generator, discriminator or encoder of TSIT or SPADE: it begins with features.0.weight, " in text


def test_a_file_that_runs_code_is_refused(tmp_path):
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with pytest.raises(WeightsError, match=r"latest_net_G\.pth is refused: it asks to run os\.system"):
        import_weights(path)
