"""What PyTorch computes for single layers, losses and Adam, as a file of arrays to hold ours against.

    python -m benchmarks.make_layer_arrays --out tests/training/files/layers.npz.xz

Run by a Python that has PyTorch, from the root of this repository. Everything is computed in float64 from float32 inputs, and stored as float32.

Keys: `CASE/in/NAME` what goes in, `CASE/out` what comes out, `CASE/d/NAME` the gradient of sum(out * CASE/in/g) by an input. Where there is more to a case,
its lines below say so.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.make_parity_arrays import write

rng = np.random.default_rng(11)


def drawn(*shape: int) -> np.ndarray:
    """Normal numbers in steps of 1/8, which compress."""
    return np.round(rng.standard_normal(shape, np.float32) * 8) / 8


def gone_through(case: str, function: Callable[..., Tensor], **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of one case."""
    tensors = {name: torch.from_numpy(value).double().requires_grad_() for name, value in inputs.items()}
    out = function(**tensors)
    g = drawn(*out.shape)
    gradients = torch.autograd.grad((out * torch.from_numpy(g)).sum(), list(tensors.values()))
    found = {f"{case}/in/{name}": value for name, value in {**inputs, "g": g}.items()} | {
        f"{case}/out": out.detach().numpy()
    }
    return found | {f"{case}/d/{name}": value.numpy() for name, value in zip(tensors, gradients, strict=True)}


def plain_layers() -> dict[str, np.ndarray]:
    """Convolutions `conv KERNEL STRIDE PADDING`; `pool HxW`; `bilinear` and `nearest` `HxW to HxW`; `instance norm`."""
    found = {}
    for kernel, stride, padding in ((3, 1, 1), (3, 2, 1), (4, 2, 2), (4, 1, 2), (1, 1, 0)):
        found |= gone_through(
            f"conv {kernel} {stride} {padding}",
            lambda x, weight, bias, s=stride, p=padding: F.conv2d(x, weight, bias, s, p),
            x=drawn(2, 3, 5, 6), weight=drawn(2, 3, kernel, kernel), bias=drawn(2),
        )  # fmt: skip
    for h, w in ((6, 8), (7, 5), (4, 7), (5, 4)):
        found |= gone_through(
            f"pool {h}x{w}", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), x=drawn(2, 2, h, w)
        )
    for old, new in (((5, 7), (8, 8)), ((12, 9), (4, 5)), ((4, 6), (2, 3)), ((3, 8), (7, 2))):
        for mode in ("bilinear", "nearest"):
            aligned = {"align_corners": False} if mode == "bilinear" else {}
            name = f"{mode} {old[0]}x{old[1]} to {new[0]}x{new[1]}"
            found |= gone_through(
                name, lambda x, n=new, m=mode, a=aligned: F.interpolate(x, n, mode=m, **a), x=drawn(1, 2, *old)
            )
    return found | gone_through("instance norm", lambda x: F.instance_norm(x), x=drawn(2, 3, 5, 4) * 3 + 2)


def remembering_layers() -> dict[str, np.ndarray]:
    """Three training passes and one in evaluation of `spectral norm` and `batch norm`: `CASE/in/x` and `/in/g` have all four; `/out`, `/d/x` and what is
    remembered (`/u`, `/v`, `/mean`, `/var`) have one entry a pass. `spectral norm/d/weight`, of each pass. `fade` and `spade`, after one such
    training pass on `/in/before`: in training (`fade`) and in evaluation (`fade eval`)."""
    found = {}
    conv = nn.utils.spectral_norm(nn.Conv2d(3, 4, 3, padding=1, bias=False)).double()
    with torch.no_grad():
        conv.weight_orig.copy_(torch.from_numpy(drawn(4, 3, 3, 3)))
    for key in ("weight_orig", "weight_u", "weight_v"):
        found[f"spectral norm/in/{key[7:]}"] = getattr(conv, key).detach().numpy().astype(np.float32)
        getattr(conv, key).data.copy_(torch.from_numpy(found[f"spectral norm/in/{key[7:]}"]))
    found |= passes("spectral norm", conv, {"u": "weight_u", "v": "weight_v"}, conv.weight_orig, (2, 3, 4, 5), 1.0, 0.0)
    found |= passes(
        "batch norm",
        nn.BatchNorm2d(3, affine=False).double(),
        {"mean": "running_mean", "var": "running_var"},
        None,
        (2, 3, 3, 4),
        2.0,
        1.0,
    )
    for case, channels_of_map, hidden in (("fade", 4, 0), ("spade", 3, 5)):
        norm = nn.BatchNorm2d(4, affine=False).double()
        before = drawn(2, 4, 6, 4) * 2 + 1
        norm(torch.from_numpy(before).double())
        mean, var = norm.running_mean.clone(), norm.running_var.clone()

        def modulated(z, m, gamma, gamma_bias, beta, beta_bias, shared=None, shared_bias=None, norm=norm):
            e = (
                m
                if shared is None
                else F.relu(F.conv2d(F.interpolate(m, z.shape[2:], mode="nearest"), shared, shared_bias, padding=1))
            )
            return norm(z) * (1 + F.conv2d(e, gamma, gamma_bias, padding=1)) + F.conv2d(e, beta, beta_bias, padding=1)

        width = hidden or channels_of_map
        inputs = {
            "z": drawn(2, 4, 6, 4),
            "m": drawn(2, channels_of_map, 6, 4) if not hidden else drawn(2, channels_of_map, 12, 8),
        }
        inputs |= {
            "gamma": drawn(4, width, 3, 3),
            "gamma_bias": drawn(4),
            "beta": drawn(4, width, 3, 3),
            "beta_bias": drawn(4),
        }
        inputs |= (
            {"shared": drawn(hidden, channels_of_map, 3, 3), "shared_bias": drawn(hidden) + np.float32(0.01)}
            if hidden
            else {}
        )
        found[f"{case}/before"] = before
        found |= gone_through(case, modulated, **inputs)
        norm.eval()
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)
        found |= gone_through(f"{case} eval", modulated, **inputs)
    return found


def passes(
    case: str,
    layer: nn.Module,
    remembered: dict[str, str],
    weight: Tensor | None,
    shape: tuple[int, ...],
    scale: float,
    shift: float,
):
    """Four passes of a layer that remembers, the last in evaluation mode."""
    kept: dict[str, list] = {}
    for number in range(4):
        layer.train(number < 3)
        x = torch.from_numpy(drawn(*shape) * np.float32(scale) + np.float32(shift)).double().requires_grad_()
        out = layer(x)
        g = torch.from_numpy(drawn(*out.shape)).double()
        wanted = [x] if weight is None else [x, weight]
        gradients = torch.autograd.grad((out * g).sum(), wanted)
        now = {"in/x": x, "in/g": g, "out": out, **dict(zip(("d/x", "d/weight"), gradients, strict=False))}
        now |= {short: getattr(layer, name) for short, name in remembered.items()}
        for key, value in now.items():
            kept.setdefault(f"{case}/{key}", []).append(value.detach().numpy().copy())
    return {key: np.stack(values) for key, values in kept.items()}


def losses() -> dict[str, np.ndarray]:
    """`loss KIND`: logits of two scales `/in/fake0`, `/in/fake1`, `/in/real0`, `/in/real1`; `/out` = what the discriminator pays for fakes and photos, and the generator."""
    one, nought = torch.ones_like, torch.zeros_like
    kinds = {
        "hinge": (lambda r: F.relu(1 - r).mean(), lambda f: F.relu(1 + f).mean(), lambda f: -f.mean()),
        "ls": (lambda r: F.mse_loss(r, one(r)), lambda f: F.mse_loss(f, nought(f)), lambda f: F.mse_loss(f, one(f))),
        "original": tuple(lambda x, t=t: F.binary_cross_entropy_with_logits(x, t(x)) for t in (one, nought, one)),
        "wasserstein": (lambda r: -r.mean(), lambda f: f.mean(), lambda f: -f.mean()),
    }
    found = {}
    for kind, (on_real, on_fake, of_generator) in kinds.items():

        def paid(fake0, fake1, real0, real1, d=on_fake, r=on_real, g=of_generator):
            return torch.stack(
                [(loss(a) + loss(b)) / 2 for loss, a, b in ((d, fake0, fake1), (r, real0, real1), (g, fake0, fake1))]
            )

        big, small = (2, 1, 3, 4), (2, 1, 2, 2)
        logits = {
            "fake0": drawn(*big) * 3,
            "fake1": drawn(*small) * 3,
            "real0": drawn(*big) * 3,
            "real1": drawn(*small) * 3,
        }
        found |= gone_through(f"loss {kind}", paid, **logits)
    return found


def adam() -> dict[str, np.ndarray]:
    """`adam BETA1 BETA2`: `/in/w` before, `/in/g` the gradients of 20 steps, `/out` the weight after each; rate 0.01. Some gradients are
    as small as eps, where it matters how eps is added."""
    found = {}
    for betas in ((0.0, 0.9), (0.5, 0.999)):
        start = drawn(3, 4)
        gradients = drawn(20, 3, 4) * 10.0 ** np.arange(-8, 4, 3, dtype=np.float32)
        weight = torch.from_numpy(start).double().requires_grad_()
        optimiser = torch.optim.Adam([weight], lr=0.01, betas=betas)
        after = []
        for gradient in gradients:
            weight.grad = torch.from_numpy(gradient).double()
            optimiser.step()
            after.append(weight.detach().numpy().copy())
        case = f"adam {betas[0]} {betas[1]}"
        found |= {f"{case}/in/w": start, f"{case}/in/g": gradients, f"{case}/out": np.stack(after)}
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    torch.manual_seed(11)
    found = plain_layers() | remembering_layers() | losses() | adam()
    write(given.out, {key: value.astype(np.float32) for key, value in found.items()})
    print(f"{given.out}: {given.out.stat().st_size / 1e3:.0f} kB, {len(found)} arrays")


if __name__ == "__main__":
    main()
