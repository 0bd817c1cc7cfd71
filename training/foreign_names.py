"""The names of the tensors of TSIT and SPADE: ours, and those of the PyTorch programs. One table, read in both directions.

Enters: tensor names of a "generator", "discriminator" or "encoder". Leaves: the same in the other program's words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import cache

from curation.network.sealed import WeightsError

# Words that stand for each other, ours and theirs, and the names they form. A word may be read in both directions.
BLOCKS = ("head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3", "up_4")
WORDS = {
    "stream": {"content": "content_stream", "style": "style_stream"},
    "level": {str(i): str(i) for i in range(8)},
    "block": {str(i): name for i, name in enumerate(BLOCKS)},
    "conv": {"conv0": "conv_0", "conv1": "conv_1", "shortcut": "conv_s"},
    "norm": {"norm0": "norm_0", "norm1": "norm_1", "norm_shortcut": "norm_s"},
    "part": {"gamma": "mlp_gamma", "beta": "mlp_beta", "shared": "mlp_shared.0"},
    "scale": {str(i): str(i) for i in range(10)},
    "stage": {str(i): str(i) for i in range(10)},
    "layer": {str(i): str(i + 1) for i in range(6)},
    "plain": {name: name for name in ("weight", "bias")},
    "normed": {"weight": "weight_orig", "u": "weight_u", "v": "weight_v", "bias": "bias"},  # spectral norm
    "running": {name: name for name in ("running_mean", "running_var")},
}
NAMES = {
    "generator": {
        "{stream}.levels.{level}.{conv}.{normed}": "{stream}.res_{level}.{conv}.{normed}",
        "start.{plain}": "fc.{plain}",
        "blocks.{block}.{conv}.{normed}": "{block}.{conv}.{normed}",
        "blocks.{block}.{norm}.norm.{running}": "{block}.{norm}.param_free_norm.{running}",
        "blocks.{block}.{norm}.{part}.{plain}": "{block}.{norm}.{part}.{plain}",
        "to_rgb.{plain}": "conv_img.{plain}",
    },
    "discriminator": {  # what is followed by a norm sits one level deeper
        "scales.{scale}.stages.{stage}.{plain}": "discriminator_{scale}.model{stage}.0.{plain}",
        "scales.{scale}.stages.{stage}.{normed}": "discriminator_{scale}.model{stage}.0.0.{normed}",
    },
    "encoder": {
        "convs.{layer}.{normed}": "layer{layer}.0.{normed}",
        "mu.{plain}": "fc_mu.{plain}",
        "logvar.{plain}": "fc_var.{plain}",
    },
}


def official_names(network: str, names: Iterable[str]) -> dict[str, str]:
    """Our name -> PyTorch name, for all `names` of a "generator", "discriminator" or "encoder"; the way back of `import_weights`.

    Where a convolution has its `u` among the names, its weight is `weight_orig`. Raises WeightsError for a name that is none of ours.
    """
    names = list(names)
    present = set(names)
    theirs = {}
    for name in names:
        layer = name.rpartition(".")[0]
        theirs[name] = _their_names(network).get((name, f"{layer}.u" in present))
        if theirs[name] is None:
            raise WeightsError(f"{name} is no tensor of a {network} that TSIT or SPADE have. Export only those.")
    return theirs


@cache
def _pairs(network: str) -> list[tuple[str, str, bool]]:
    """(our name, their name, whether of a layer with spectral norm): every choice of words in every name."""
    pairs = []
    for ours, theirs in NAMES[network].items():
        fields = re.findall(r"{(\w+)}", ours)
        for words in itertools.product(*(WORDS[field].items() for field in fields)):
            our_words = dict(zip(fields, (our for our, _ in words), strict=True))
            their_words = dict(zip(fields, (their for _, their in words), strict=True))
            pairs.append((ours.format(**our_words), theirs.format(**their_words), "normed" in fields))
    return pairs


@cache
def our_names(network: str) -> dict[str, str]:
    """PyTorch name -> our name, for all tensors that such a network may have."""
    return {theirs: ours for ours, theirs, _ in _pairs(network)}


@cache
def _their_names(network: str) -> dict[tuple[str, bool], str]:
    return {(ours, normed): theirs for ours, theirs, normed in _pairs(network)}
