"""Weights of the PyTorch and older Jittor programs for TSIT and SPADE, under our names, and our names under theirs.

Enters: a weights file of one generator, discriminator or encoder (EndlessSora/TSIT, NVlabs/SPADE, or the port jittor_TSIT).
Leaves: which network it is, its sizes, told from the shapes, and float32 arrays that load into our network of those sizes. Nothing is
passed over: a tensor without a place, a place without a tensor and a wrong shape are errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.network.restricted_pickle import WeightsError, read_tensors
from training.foreign_names import NAMES, official_names, our_names

Shape = tuple[int, ...]

# Channels in units of the width (TSIT: arXiv 2007.12072; SPADE: arXiv 1903.07291).
LEVELS = (1, 2, 4, 8, 16, 16, 16, 16)
BLOCK_ENDS = (16, 16, 16, 16, 8, 4, 2, 1)
ENCODER = (1, 2, 4, 8, 8, 8)
SPADE_HIDDEN = 128
MOST_DISCRIMINATOR_CHANNELS = 512
NORMALISE_EPS = 1e-12  # of PyTorch's spectral norm and of the port's


@dataclass(frozen=True)
class Foreign:
    """The weights of one network of another program.

    network: "generator", "discriminator" or "encoder".
    model: "tsit" or "spade"; None for discriminators and encoders, which are the same in both.
    source: "pytorch", or "jittor" where the port jittor_TSIT wrote the file.
    tensors: our name -> float32 array, all that our network of this architecture has.
    architecture: sizes and kinds, by network:
        generator: model, width, classes (channels of the content), vae, start_area (height x width of the coarsest map, VAE
            only, else None), style_stream, style_channels (None without), noise_start, upsampling ("more" for TSIT; "most" or
            None, which is "normal" or "more", for SPADE), downsample of the streams ("nearest"; "bilinear" for the port);
        discriminator: width, channels (of condition and picture), scales, layers;
        encoder: width.
    """

    network: str
    model: str | None
    source: str
    tensors: dict[str, np.ndarray]
    architecture: dict[str, object]


def import_weights(path: str | Path) -> Foreign:
    """Read the weights of one network of another program.

    In a file of jittor_TSIT each spectral norm holds the u that training started from, and every pass made one iteration from
    it, v = W^T u, u = W v (both normalised). That iteration is done here once, so our evaluation divides by the same sigma.

    Raises WeightsError when the file cannot be read, is of no such network, or its tensors are not exactly those of one.
    """
    given = read_tensors(path)
    try:
        return from_arrays(given)
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None


def from_arrays(given: dict[str, np.ndarray]) -> Foreign:
    """As `import_weights`, for tensors that were already read; the errors do not name a file."""
    network = _network(given)
    places = our_names(network)
    tensors: dict[str, np.ndarray] = {}
    derived: dict[str, np.ndarray] = {}  # layer -> W / sigma, beside its W
    theirs: dict[str, str] = {}  # our name -> the file's
    left = []
    for name, array in given.items():
        place = places.get(name)
        if f"{name}_orig" in given and f"{name}_orig" in places:
            derived[places[f"{name}_orig"].removesuffix(".weight")] = array
        elif place is None or place in tensors:
            left += [] if name.endswith(".num_batches_tracked") else [name]
        else:
            tensors[place], theirs[place] = np.asarray(array, np.float32, order="C"), name
    architecture = _ARCHITECTURES[network](tensors)
    shapes = dict(_SHAPES[network](architecture))
    ported = any(f"{layer}.v" in tensors for layer in derived)
    if not ported:
        shapes = {name: shape for name, shape in shapes.items() if name.removesuffix(".v") not in derived}
    expected = f"{architecture.get('model', '')} {network}".strip()
    _check(expected, tensors, shapes, {**official_names(network, shapes), **theirs}, left)
    for layer, weight in derived.items():
        w, u = tensors[f"{layer}.weight"], tensors[f"{layer}.u"]
        if ported:
            tensors[f"{layer}.u"], tensors[f"{layer}.v"] = _one_iteration(w, u)
        else:
            tensors[f"{layer}.v"] = _solved_v(w, weight, u)
    if network == "generator":
        architecture["downsample"] = "bilinear" if ported else "nearest"
    return Foreign(network, architecture.get("model"), "jittor" if ported else "pytorch", tensors, architecture)


def _network(given: Mapping[str, np.ndarray]) -> str:
    """The network that most names belong to."""
    counts = {network: sum(name in our_names(network) for name in given) for network in NAMES}
    network = max(counts, key=counts.__getitem__)
    if 2 * counts[network] < len(given):
        raise WeightsError(
            f"holds no generator, discriminator or encoder of TSIT or SPADE: it begins with {_first(given)}. "
            "Give the file of one of these (..._net_G, ..._net_D, ..._net_E)."
        )
    return network


def _check(
    expected: str,
    tensors: Mapping[str, np.ndarray],
    shapes: Mapping[str, Shape],
    theirs: Mapping[str, str],
    left: list[str],
) -> None:
    """WeightsError unless the tensors are those of `shapes`; `left` found no place, `theirs` are the names to tell."""
    left = left + [theirs[name] for name in tensors if name not in shapes]
    lacking = [theirs[name] for name in shapes if name not in tensors]
    wrong = [
        f"{theirs[name]} is {tensors[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems = [f"{len(left)} of its tensors have no place: {_first(left)}"] if left else []
    problems += [f"{len(lacking)} are missing: {_first(lacking)}"] if lacking else []
    problems += [f"{len(wrong)} have another shape: {_first(wrong)}"] if wrong else []
    if problems:
        raise WeightsError(
            f"is no {expected} as published, which has {len(shapes)} tensors. {'; '.join(problems)}. "
            "Fetch it again if it is incomplete; other norms or layers than the published ones are not supported."
        )


def _first(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


# --- sizes, told from the shapes of a few tensors ---


def _size(tensors: Mapping[str, np.ndarray], name: str, axis: int, network: str) -> int:
    if name not in tensors:
        theirs = next(theirs for theirs, ours in our_names(network).items() if ours == name)
        raise WeightsError(f"is no whole {network} of TSIT or SPADE: {theirs} is missing. Fetch or save it again.")
    shape = tensors[name].shape
    if len(shape) not in (2, 4) or not shape[axis]:
        raise WeightsError(f"is no {network} of TSIT or SPADE: {name} has the shape {shape}. Fetch or save it again.")
    return shape[axis]


def _generator(tensors: Mapping[str, np.ndarray]) -> dict[str, object]:
    def size(name: str, axis: int) -> int:
        return _size(tensors, name, axis, "generator")

    tsit = any(name.startswith("content.") for name in tensors)
    style_stream = any(name.startswith("style.") for name in tensors)
    width, start = size("blocks.6.conv1.weight", 0), size("start.weight", 0)
    vae = tensors["start.weight"].ndim == 2
    most = any(name.startswith("blocks.7.") for name in tensors)
    return {
        "model": "tsit" if tsit else "spade",
        "width": width,
        "classes": size("content.levels.0.conv0.weight" if tsit else "blocks.0.norm0.shared.weight", 1),
        "vae": vae,
        "start_area": start // (16 * width) if vae else None,
        "style_stream": style_stream,
        "style_channels": size("style.levels.0.conv0.weight", 1) if style_stream else None,
        "noise_start": style_stream and not vae,
        "upsampling": "more" if tsit else "most" if most else None,
    }


def _discriminator(tensors: Mapping[str, np.ndarray]) -> dict[str, object]:
    first = "scales.0.stages.0.weight"
    numbers = [name.split(".") for name in tensors]
    return {
        "width": _size(tensors, first, 0, "discriminator"),
        "channels": _size(tensors, first, 1, "discriminator"),
        "scales": 1 + max(int(parts[1]) for parts in numbers),
        "layers": max(int(parts[3]) for parts in numbers),
    }


def _encoder(tensors: Mapping[str, np.ndarray]) -> dict[str, object]:
    return {"width": _size(tensors, "convs.0.weight", 0, "encoder")}


# --- what a network of these sizes has: (our name, shape) ---


def _conv(
    name: str, inputs: int, outputs: int, kernel: int, bias: bool = True, normed: bool = False
) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    if bias:
        yield f"{name}.bias", (outputs,)
    if normed:
        yield f"{name}.u", (outputs,)
        yield f"{name}.v", (inputs * kernel * kernel,)


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _residual(name: str, inputs: int, middle: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield from _conv(f"{name}.conv0", inputs, middle, 3, normed=True)
    yield from _conv(f"{name}.conv1", middle, outputs, 3, normed=True)
    if inputs != outputs:
        yield from _conv(f"{name}.shortcut", inputs, outputs, 1, bias=False, normed=True)


def _generator_shapes(a: Mapping) -> Iterator[tuple[str, Shape]]:
    width, tsit = a["width"], a["model"] == "tsit"
    for stream, inputs in (("content", a["classes"] if tsit else None), ("style", a["style_channels"])):
        if inputs is not None:
            channels = [inputs, *(width * k for k in LEVELS)]
            for level, (i, o) in enumerate(itertools.pairwise(channels)):
                yield from _residual(f"{stream}.levels.{level}", i, i, o)
    if a["vae"]:
        yield from _linear("start", 256, 16 * width * a["start_area"])
    else:
        yield from _conv("start", 3 if a["noise_start"] else a["classes"], 16 * width, 3)
    channels = [width * k for k in BLOCK_ENDS] + ([width // 2] if a["upsampling"] == "most" else [])
    for block, (i, o) in enumerate(itertools.pairwise(channels)):
        middle = i if tsit else min(i, o)
        yield from _residual(f"blocks.{block}", i, middle, o)
        for norm, c in (("norm0", i), ("norm1", middle), *([("norm_shortcut", i)] if i != o else [])):
            name = f"blocks.{block}.{norm}"
            yield f"{name}.norm.running_mean", (c,)
            yield f"{name}.norm.running_var", (c,)
            if not tsit:
                yield from _conv(f"{name}.shared", a["classes"], SPADE_HIDDEN, 3)
            for part in ("gamma", "beta"):
                yield from _conv(f"{name}.{part}", i if tsit else SPADE_HIDDEN, c, 3)
    yield from _conv("to_rgb", channels[-1], 3, 3)


def _discriminator_shapes(a: Mapping) -> Iterator[tuple[str, Shape]]:
    channels = [a["channels"], *(min(a["width"] * 2**i, MOST_DISCRIMINATOR_CHANNELS) for i in range(a["layers"])), 1]
    for scale in range(a["scales"]):
        for stage, (i, o) in enumerate(itertools.pairwise(channels)):
            normed = 0 < stage < a["layers"]
            yield from _conv(f"scales.{scale}.stages.{stage}", i, o, 4, bias=not normed, normed=normed)


def _encoder_shapes(a: Mapping) -> Iterator[tuple[str, Shape]]:
    channels = [3, *(a["width"] * k for k in ENCODER)]
    for layer, (i, o) in enumerate(itertools.pairwise(channels)):
        yield from _conv(f"convs.{layer}", i, o, 3, bias=False, normed=True)
    for head in ("mu", "logvar"):
        yield from _linear(head, channels[-1] * 4 * 4, 256)


_ARCHITECTURES = {"generator": _generator, "discriminator": _discriminator, "encoder": _encoder}
_SHAPES = {"generator": _generator_shapes, "discriminator": _discriminator_shapes, "encoder": _encoder_shapes}


# --- spectral norms that PyTorch and its port kept differently ---


def _one_iteration(weight: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One power iteration (arXiv 1802.05957, algorithm 1) -> u, v. W is the weight as an (out, in*k*k) matrix."""
    matrix = weight.reshape(len(weight), -1)
    v = _unit(matrix.T @ u)
    return _unit(matrix @ v), v


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(np.linalg.norm(vector), np.float32(NORMALISE_EPS))


def _solved_v(weight: np.ndarray, derived: np.ndarray, u: np.ndarray) -> np.ndarray:
    """v for a file of an old PyTorch, which kept W / sigma instead: along W^T u, as long as makes u^T W v = sigma.

    Its length matters in evaluation alone: training works out v anew.
    """
    if derived.shape != weight.shape:
        raise WeightsError(
            f"has a weight of shape {derived.shape} beside its weight_orig of {weight.shape}. Fetch it again."
        )
    sigma = np.sum(np.square(weight, dtype=np.float64)) / np.sum(np.multiply(weight, derived, dtype=np.float64))
    back = weight.reshape(len(weight), -1).T @ u
    return (back * (sigma / max(np.sum(np.square(back)), NORMALISE_EPS))).astype(np.float32)
