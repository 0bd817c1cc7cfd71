"""Outputs, losses and gradients of the published PyTorch code of TSIT or SPADE with random weights, as a file of arrays to hold ours against.

    python -m benchmarks.make_parity_arrays --checkout TSIT --out tests/training/files/tsit_tiny.npz.xz --vae --seed 3
    python -m benchmarks.make_parity_arrays --checkout TSIT --out tests/training/files/two_stream_tiny.npz.xz --two-stream --seed 3
    python -m benchmarks.make_parity_arrays --checkout SPADE --out tests/training/files/spade_tiny.npz.xz --seed 2

Run by a Python that has PyTorch, from the root of this repository. A name that ends in .xz gives an .npz inside xz, which is half as large. Weights and pictures are drawn from a few values each, so that the file
compresses; they are no worse for a comparison. Everything is computed in float64 and stored as float32. Printed at the end: how far the same
in float32 is from it, the least that another float32 program can be expected to differ.

Keys: `G/NAME`, `D/NAME`, `E/NAME` the state dicts before the training pass, with PyTorch's names. `in/ids` (N, H, W) uint8 or `in/content`, `in/photo` in [-1, 1],
`in/z`, `in/eps`, `in/noise`. `eval/generated`, `eval/D{i}_logits` of [fakes, photos], `eval/D{i}_feature_means`, `eval/mu`, `eval/logvar`: in evaluation mode, z
from `in/z`. `train/...`: one pass in training mode, z = mu + eps exp(logvar / 2); `train/losses` = [GAN, feature matching x 10, KL x 0.05, discriminator's fake + real], hinge;
`train/grad_norm/G/NAME` and `E/` of the generator's losses, `D/` of the discriminator's; `train/grad/G/NAME` of
its first and last layer whole, where they are small. A bias before a norm has a gradient of rounding noise, so biases are left out. Of generated pictures every
`--every`-th row and column is kept.
"""

from __future__ import annotations

import argparse
import lzma
import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from benchmarks import official

Arrays = dict[str, np.ndarray]
BATCH = 2
WHOLE = (
    "conv_img.weight",
    "fc.weight",
)  # gradients of the generator that are kept whole: its last layer and its first ...
SMALL = 5000  # ... unless they have more numbers than this


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "--checkout", type=Path, required=True, help="folder of a clone of EndlessSora/TSIT or NVlabs/SPADE"
    )
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--vae", action="store_true", help="start from z, with the encoder")
    asked.add_argument(
        "--two-stream",
        action="store_true",
        help="TSIT between photos: style stream, FAdaIN with alpha 0.7, start from noise",
    )
    asked.add_argument("--classes", type=int, default=3)
    asked.add_argument("--size", default="256x128", help="WIDTHxHEIGHT; more than 128x128 for TSIT")
    asked.add_argument("--ngf", type=int, default=1)
    asked.add_argument("--ndf", type=int, default=2)
    asked.add_argument("--every", type=int, default=32)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    width, height = map(int, given.size.split("x"))
    more = (
        {"task": "AST", "no_ss": False, "alpha": 0.7, "n_layers_D": 3, "label_nc": 3, "semantic_nc": 3}
        if given.two_stream
        else {}
    )
    opt = official.options(
        given.checkout,
        classes=given.classes,
        width=width,
        height=height,
        ngf=given.ngf,
        ndf=given.ndf,
        vae=given.vae,
        **more,
    )
    torch.manual_seed(given.seed)
    net = official.model(given.checkout, opt)
    inputs = draw_inputs(opt, width, height, np.random.default_rng(given.seed))
    draw_weights(net, inputs, opt, np.random.default_rng(given.seed + 1))
    state = {
        f"{name}/{key}": value.numpy().copy() for name, part in parts(net) for key, value in part.state_dict().items()
    }
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    rough = outcome(net, state, inputs, opt, torch.float32)
    found = outcome(net, state, inputs, opt, torch.float64)
    for key in ("eval/generated", "train/generated"):
        rough[key], found[key] = (side[key][..., :: given.every, :: given.every] for side in (rough, found))
    if not all(np.isfinite(value).all() for value in found.values()):
        raise SystemExit("a network came out without numbers (a layer of zeros); try another --seed")
    write(given.out, {**state, **inputs, **{key: value.astype(np.float32) for key, value in found.items()}})
    print(
        f"{given.out}: {given.out.stat().st_size / 1e3:.0f} kB, {len(state)} weights, {sum(v.size for v in state.values())} numbers"
    )
    report_rounding(rough, found)


def write(path: Path, arrays: Arrays) -> None:
    """An .npz, or one inside xz; atomically, and by hand: a Python with PyTorch may lack what `curation.workspace` imports."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    packed = path.suffix == ".xz"
    with lzma.open(temporary, "wb", preset=9) if packed else temporary.open("wb") as file:
        (np.savez if packed else np.savez_compressed)(file, **arrays)
    os.replace(temporary, path)


def parts(net) -> list[tuple[str, torch.nn.Module]]:
    """The networks by their letters."""
    return [(name, part) for name, part in (("G", net.netG), ("D", net.netD), ("E", net.netE)) if part is not None]


def draw_inputs(opt: Namespace, width: int, height: int, rng: np.random.Generator) -> Arrays:
    """Pictures of coarse blocks and few values; label maps of blocks with single pixels of other classes."""

    def picture() -> np.ndarray:
        coarse = rng.integers(-4, 5, (BATCH, 3, height // 4, width // 4))
        return (coarse.repeat(4, 2).repeat(4, 3) / 4).astype(np.float32)

    inputs = {"in/photo": picture()}
    if opt.task == "SIS":
        ids = rng.integers(0, opt.label_nc, (BATCH, height // 8, width // 8)).repeat(8, 1).repeat(8, 2)
        single = rng.random(ids.shape) < 0.03
        inputs["in/ids"] = np.where(single, rng.integers(0, opt.label_nc, ids.shape), ids).astype(np.uint8)
    else:
        inputs["in/content"] = picture()
    if opt.use_vae:
        inputs |= {f"in/{name}": rng.standard_normal((BATCH, 256), np.float32) for name in ("z", "eps")}
    elif opt.task != "SIS":
        inputs["in/noise"] = rng.standard_normal((BATCH, 3, height // 128, width // 128), np.float32)
    return inputs


def draw_weights(net, inputs: Arrays, opt: Namespace, rng: np.random.Generator) -> None:
    """Weights in whole steps of a power of two, near xavier's deviation; large ones mostly zeros. A few training passes give sane u, v and running statistics."""
    with torch.no_grad():
        for _, part in parts(net):
            for name, value in part.named_parameters():
                if value.ndim == 1:
                    drawn, deviation = rng.integers(-3, 4, value.shape), 0.05
                else:
                    full = min(1.0, 250 / value.numel())
                    drawn = rng.integers(-3, 4, value.shape) * (rng.random(value.shape) < full)
                    fan = (value.shape[0] + value.shape[1]) * value[0, 0].numel()
                    deviation = np.sqrt(2 / fan / full)
                    if name.startswith("fc_var"):
                        deviation /= 4  # exp of it follows
                value.copy_(torch.from_numpy(drawn * 2.0 ** np.round(np.log2(deviation / 2))))
        net.train()
        for _ in range(4):
            run(net, inputs, opt, torch.float32)


def run(net, inputs: Arrays, opt: Namespace, kind: torch.dtype, z: torch.Tensor | None = None):
    """One pass: (fake, mu, logvar, outputs of the discriminator for fakes and photos, condition and photo); without z, it is drawn with in/eps."""
    given = {key: torch.from_numpy(value).to(torch.long if key == "in/ids" else kind) for key, value in inputs.items()}
    photo, mu, logvar = given["in/photo"], None, None
    if opt.task == "SIS":
        condition = torch.nn.functional.one_hot(given["in/ids"], opt.label_nc).permute(0, 3, 1, 2).to(kind)
    else:
        condition = given["in/content"]
    if opt.use_vae:
        mu, logvar = net.netE(photo)
        z = mu + given["in/eps"] * torch.exp(logvar / 2) if z is None else z.to(kind)
    drawing, torch.randn = torch.randn, lambda *a, **k: given["in/noise"]  # the generator draws its noise itself
    try:
        fake = net.netG(condition, photo, z=z) if hasattr(net.netG, "content_stream") else net.netG(condition, z=z)
    finally:
        torch.randn = drawing
    if opt.task != "SIS":
        judged = net.discriminate(fake, photo)
    elif hasattr(net.netG, "content_stream"):
        judged = net.discriminate(fake, photo, condition)
    else:  # SPADE has the condition first
        judged = net.discriminate(condition, fake, photo)
    return fake, mu, logvar, judged


def outcome(net, state: Arrays, inputs: Arrays, opt: Namespace, kind: torch.dtype) -> Arrays:
    """Everything under eval/ and train/, computed in `kind` from the same state."""
    net.to(kind)
    for name, part in parts(net):
        part.load_state_dict(
            {k[2:]: torch.from_numpy(v) for k, v in state.items() if k.startswith(f"{name}/")}, strict=False
        )
    tensors: dict[str, torch.Tensor] = {}
    net.eval()
    with torch.no_grad():
        z = torch.from_numpy(inputs["in/z"]) if opt.use_vae else None
        tensors["eval/generated"], mu, logvar, judged = run(net, inputs, opt, kind, z)
        for i, stages in enumerate(zip(*judged, strict=True)):
            both = [torch.cat(pair) for pair in zip(*stages, strict=True)]
            tensors[f"eval/D{i}_logits"] = both[-1]
            tensors[f"eval/D{i}_feature_means"] = torch.stack([stage.abs().mean() for stage in both])
    net.train()
    tensors["train/generated"], train_mu, train_logvar, judged = run(net, inputs, opt, kind)
    if opt.use_vae:
        tensors |= {"eval/mu": mu, "eval/logvar": logvar, "train/mu": train_mu, "train/logvar": train_logvar}
    losses = losses_of(net, judged, train_mu, train_logvar, opt)
    tensors["train/losses"] = torch.stack(losses)
    gradients = of_names([part for part in parts(net) if part[0] != "D"], sum(losses[:3]), keep=True)
    tensors |= {
        f"train/grad/G/{name}": gradients[f"G/{name}"] for name in WHOLE if gradients[f"G/{name}"].numel() <= SMALL
    }
    gradients |= of_names([("D", net.netD)], losses[3])
    tensors |= {
        f"train/grad_norm/{name}": value.norm() for name, value in gradients.items() if not name.endswith("bias")
    }
    return {key: value.detach().to(torch.float64).numpy() for key, value in tensors.items()}


def losses_of(net, judged, mu: torch.Tensor | None, logvar: torch.Tensor | None, opt: Namespace) -> list[torch.Tensor]:
    """GAN, feature matching and KL with their weights, and the discriminator's two as a sum; each by the checkout's own criterion."""
    fake, photo = judged
    gan = net.criterionGAN(fake, True, for_discriminator=False)
    pairs = [
        (f, p.detach())
        for fakes, photos in zip(fake, photo, strict=True)
        for f, p in zip(fakes[:-1], photos[:-1], strict=True)
    ]
    matching = sum(net.criterionFeat(f, p) for f, p in pairs) * opt.lambda_feat / len(fake)
    kl = net.KLDLoss(mu, logvar) * opt.lambda_kld if opt.use_vae else torch.zeros((), dtype=matching.dtype)
    hinge = net.criterionGAN(fake, False, for_discriminator=True) + net.criterionGAN(
        photo, True, for_discriminator=True
    )
    return [loss.reshape(()) for loss in (gan, matching, kl, hinge)]


def of_names(
    networks: list[tuple[str, torch.nn.Module]], loss: torch.Tensor, keep: bool = False
) -> dict[str, torch.Tensor]:
    """Gradients by letter and name."""
    named = {f"{letter}/{name}": value for letter, part in networks for name, value in part.named_parameters()}
    return dict(zip(named, torch.autograd.grad(loss, list(named.values()), retain_graph=keep), strict=True))


def report_rounding(rough: Arrays, found: Arrays) -> None:
    """Print the largest relative differences between float32 and float64."""

    def difference(key: str) -> float:
        return float(np.abs(rough[key] - found[key]).max() / max(np.abs(found[key]).max(), 1e-12))

    for kind in ("eval/", "train/generated", "train/losses", "train/grad/", "train/grad_norm/"):
        worst = sorted(((difference(key), key) for key in found if key.startswith(kind)), reverse=True)[:3]
        print(f"{kind:18}", ", ".join(f"{key.removeprefix(kind)} {much:.1e}" for much, key in worst))


if __name__ == "__main__":
    main()
