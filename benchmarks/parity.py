"""How far our networks are from the published PyTorch ones with the same weights: outputs, losses, gradients.

    python -m benchmarks.parity --arrays DIR
    python -m benchmarks.parity --checkout TSIT --torch-python PYTHON     # makes arrays with a clone, then compares, then times both

DIR holds .npz (or .npz.xz) files as benchmarks/make_parity_arrays.py describes them. Printed: the worst relative error for each file and
quantity; exit status 1 when one is above its bar (outputs in evaluation mode 1e-4, losses and gradients 1e-3).

Errors are max|ours - theirs| / max|theirs| of an array, |ours - theirs| / |theirs| of a gradient's norm. A bias before a norm has no gradient but rounding noise, so
norms below 1e-4 of their network's largest are left out.

Gradients jump where a leaky ReLU's input is near 0: on which side it falls is a matter of float32 rounding, which differs between two correct programs, and one
such element in a 2x2 map moves the gradient of all that lies before it by up to percents. So where a gradient is above its bar, the comparison is repeated with all weights
moved by some 1e-7 of themselves, the size of a rounding, up to TRIES times. A wrong formula stays wrong; a jump comes out right in some of them. Both figures are printed.
"""

from __future__ import annotations

import argparse
import io
import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BARS = {"eval": 1e-4, "train": 1e-3}
NOISE = 1e-4
TRIES = 12
JITTER = 1e-7
NETWORKS = {"G": "generator", "D": "discriminator", "E": "encoder"}

Arrays = dict[str, np.ndarray]
Errors = dict[str, float]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--arrays", type=Path, help="a folder of files, or one file")
    asked.add_argument("--checkout", type=Path, help="a clone of EndlessSora/TSIT or NVlabs/SPADE")
    asked.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch, for --checkout")
    asked.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = asked.parse_args()
    if (given.arrays is None) == (given.checkout is None):
        asked.error("give --arrays DIR or --checkout CLONE")
    if given.checkout:
        raise SystemExit(_live(given.checkout, given.torch_python, given.device))
    raise SystemExit(int(not compared(given.arrays, given.device)))


def compared(folder: Path, device: str = "cpu") -> bool:
    """Compare every file of a folder and print what was found; True when all are within the bars."""
    files = [folder] if folder.is_file() else sorted([*folder.glob("*.npz"), *folder.glob("*.npz.xz")])
    if not files:
        print(f"{folder} holds no .npz files")
        return False
    fine = True
    for path in files:
        print(path.name)
        arrays = read(path)
        first = errors(arrays, device)
        tries, found = 1, first
        while _jumps(found) and tries < TRIES:
            found = min(found, errors(arrays, device, jitter=tries), key=_worst_gradient)
            tries += 1
        for quantity, error in first.items():
            bar, least = BARS[quantity.split("/")[0]], found[quantity] if "gradient" in quantity else error
            moved = "" if least == error else f"   {least:.1e} with weights moved by a rounding"
            fine &= least <= bar
            print(f"  {quantity:32} {error:.1e}   bar {bar:.0e}{moved}{'' if least <= bar else '   ABOVE THE BAR'}")
    return fine


def _worst_gradient(found: Errors) -> float:
    return max((error for quantity, error in found.items() if "gradient" in quantity), default=0.0)


def _jumps(found: Errors) -> bool:
    return _worst_gradient(found) > BARS["train"]


def read(path: Path) -> Arrays:
    """The arrays of an .npz or .npz.xz file."""
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return {key: found[key] for key in found.files}


def errors(arrays: Arrays, device: str = "cpu", jitter: int = 0) -> Errors:
    """The worst relative error of each quantity; SPADE's depth, where the weights do not tell it, is the one that fits better.

    Args:
        jitter: not 0: the seed by which all weights are moved by about JITTER of themselves.
    """
    from training import runtime

    runtime.start(device)
    if jitter:
        rng = np.random.default_rng(jitter)
        arrays = {
            k: a * (1 + JITTER * rng.standard_normal(a.shape)).astype(np.float32)
            if ".weight" in k[2:] and k[:2] in ("G/", "D/", "E/")
            else a
            for k, a in arrays.items()
        }
    candidates = [_errors(arrays, upsampling) for upsampling in _depths(arrays)]
    return min(candidates, key=lambda found: found["eval/generated"])


def _depths(arrays: Arrays) -> list[str]:
    told = _import(arrays, "G").architecture
    if told["model"] == "tsit" or told["upsampling"]:
        return [told["upsampling"]]
    if told["start_area"]:
        height, width = _size(arrays)
        return ["normal" if (height // 32) * (width // 32) == told["start_area"] else "more"]
    return ["normal", "more"]


def _import(arrays: Arrays, letter: str):
    from training.foreign import from_arrays

    return from_arrays({key[2:]: array for key, array in arrays.items() if key.startswith(f"{letter}/")})


def _size(arrays: Arrays) -> tuple[int, int]:
    return arrays["in/photo"].shape[2:]


def _errors(arrays: Arrays, upsampling: str) -> Errors:
    from training import losses
    from training.objective import generate, judge
    from training.runtime import jt
    from training.weights import trainable

    networks, example = _built(arrays, upsampling)
    parts = {
        k: n for k, n in zip("GDE", (networks.generator, networks.discriminator, networks.encoder), strict=True) if n
    }
    found: Errors = {}

    for network in parts.values():
        network.eval()
    with jt.no_grad():
        z = jt.array(arrays["in/z"]) if "in/z" in arrays else None
        fake = networks.generator(example.condition, example.photo, z, example.noise)
        on_fake, on_photo = judge(networks, example, fake, learn_from_photo=False)
        found["eval/generated"] = _apart(_thinned(fake.numpy(), arrays["eval/generated"]), arrays["eval/generated"])
        for i, (fakes, photos) in enumerate(zip(on_fake, on_photo, strict=True)):
            both = [np.concatenate([f.numpy(), p.numpy()]) for f, p in zip(fakes, photos, strict=True)]
            found[f"eval/D{i}_logits"] = _apart(both[-1], arrays[f"eval/D{i}_logits"])
            found[f"eval/D{i}_features"] = _apart(
                np.array([np.abs(b).mean() for b in both]), arrays[f"eval/D{i}_feature_means"]
            )
        if networks.encoder is not None:
            mu, logvar = networks.encoder(example.photo)
            found["eval/mu"], found["eval/logvar"] = (
                _apart(mu.numpy(), arrays["eval/mu"]),
                _apart(logvar.numpy(), arrays["eval/logvar"]),
            )

    for network in parts.values():
        network.train()
    fake, mu, logvar = generate(networks, example)
    on_fake, on_photo = judge(networks, example, fake, learn_from_photo=True)
    gan, matching = losses.generator_loss(on_fake), losses.feature_matching(on_fake, on_photo) * 10
    kl = losses.kl_divergence(mu, logvar) * 0.05 if mu is not None else jt.zeros((1,))
    judged = sum(losses.discriminator_loss(on_fake, on_photo))
    found["train/generated"] = _apart(_thinned(fake.numpy(), arrays["train/generated"]), arrays["train/generated"])
    ours = np.array([v.item() for v in (gan, matching, kl, judged)])
    found["train/losses"] = max(
        abs(a - b) / max(abs(b), 0.05) for a, b in zip(ours, arrays["train/losses"], strict=True)
    )

    total = gan + matching + (kl if mu is not None else 0)
    painted = {f"{k}/{n}": v for k in "GE" if k in parts for n, v in trainable(parts[k]).items()}
    of_total = dict(zip(painted, jt.grad(total, list(painted.values()), retain_graph=True), strict=True))
    weights = {f"D/{n}": v for n, v in trainable(networks.discriminator).items()}
    of_judged = dict(zip(weights, jt.grad(judged, list(weights.values()), retain_graph=True), strict=True))
    norms = {name: float(np.linalg.norm(g.numpy())) for name, g in {**of_total, **of_judged}.items()}
    found.update(_norm_errors(arrays, norms))

    for key, theirs in arrays.items():
        if key.startswith("train/grad/"):
            name = _ours(key.removeprefix("train/grad/"))
            gradient = of_total[name]
            alone = (
                abs(np.linalg.norm(theirs) / arrays["train/grad_norm/" + key.removeprefix("train/grad/")] - 1) < 1e-6
            )
            if not alone:  # some files hold whole gradients that were read after the discriminator's losses had reached the generator, too
                gradient = gradient + jt.grad(judged, [painted[name]], retain_graph=True)[0]
            found[f"train/gradient {name}"] = _apart(gradient.numpy(), theirs)
    return found


def _norm_errors(arrays: Arrays, norms: dict[str, float]) -> Errors:
    found: Errors = {}
    for letter in NETWORKS:
        stored = {k: float(v) for k, v in arrays.items() if k.startswith(f"train/grad_norm/{letter}/")}
        if stored:
            least = NOISE * max(stored.values())
            found[f"train/gradient norms {letter}"] = max(
                abs(norms[_ours(key.removeprefix("train/grad_norm/"))] / theirs - 1)
                for key, theirs in stored.items()
                if theirs > least
            )
    return found


def _ours(name: str) -> str:
    """`G/conv_img.weight` -> `G/to_rgb.weight`."""
    from training.foreign_names import our_names

    letter, _, theirs = name.partition("/")
    places = our_names(NETWORKS[letter])
    return f"{letter}/{places.get(theirs) or places[theirs + '_orig']}"


def _built(arrays: Arrays, upsampling: str):
    from training import weights
    from training.models.discriminator import Discriminator
    from training.models.encoder import Encoder
    from training.models.spade import HALVINGS, SpadeGenerator
    from training.models.tsit import MULTIPLE, TsitGenerator
    from training.objective import Example, Networks, one_hot
    from training.runtime import jt

    height, width = _size(arrays)
    generator, discriminator = _import(arrays, "G"), _import(arrays, "D")
    told = generator.architecture
    if told["model"] == "tsit":
        start = (height // MULTIPLE, width // MULTIPLE)
        alpha = float(arrays.get("in/alpha", 0.7)) if told["style_stream"] else 1.0
        painter = TsitGenerator(
            told["classes"],
            told["width"],
            start,
            vae=told["vae"],
            style_stream=told["style_stream"],
            alpha=alpha,
            noise_start=told["noise_start"],
        )
    else:
        start = (height >> HALVINGS[upsampling], width >> HALVINGS[upsampling])
        painter = SpadeGenerator(told["classes"], told["width"], start, vae=told["vae"], upsampling=upsampling)
    weights.load(painter, generator.tensors, "G")
    d = discriminator.architecture
    judge = Discriminator(d["channels"], d["width"], d["scales"], d["layers"])
    weights.load(judge, discriminator.tensors, "D")
    reader = None
    if told["vae"]:
        encoder = _import(arrays, "E")
        reader = Encoder(encoder.architecture["width"])
        weights.load(reader, encoder.tensors, "E")
    label = "in/ids" in arrays
    condition = one_hot(jt.array(arrays["in/ids"]), told["classes"]) if label else jt.array(arrays["in/content"])
    optional = {k: jt.array(arrays[f"in/{k}"]) if f"in/{k}" in arrays else None for k in ("eps", "noise")}
    return Networks(painter, judge, reader), Example(
        condition, jt.array(arrays["in/photo"]), judged_with=label, **optional
    )


def _thinned(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Every n-th row and column, where only those were kept."""
    every = ours.shape[2] // theirs.shape[2]
    return ours[:, :, ::every, ::every]


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours.astype(np.float64) - theirs).max() / max(np.abs(theirs).max(), 1e-12))


def _live(checkout: Path, python: str, device: str) -> int:
    """Make arrays with a clone, compare, and time a training step of both."""
    spade = not (checkout / "models" / "networks" / "stream.py").exists()
    kinds = {"vae": ["--vae"], "label_start": [], **({} if spade else {"two_stream": ["--two-stream"]})}
    with tempfile.TemporaryDirectory() as folder:
        for seed, (name, flags) in enumerate(kinds.items()):
            command = [
                python,
                "-m",
                "benchmarks.make_parity_arrays",
                "--checkout",
                str(checkout),
                "--out",
                f"{folder}/{name}.npz",
                "--size",
                "256x256",
            ]
            subprocess.run(
                [*command, "--ngf", "4", "--ndf", "8", "--classes", "8", "--every", "1", "--seed", str(seed), *flags],
                check=True,
            )
        fine = compared(Path(folder), device)
    if not spade:
        command = [
            sys.executable,
            "-m",
            "benchmarks.train_speed",
            "--checkout",
            str(checkout),
            "--torch-python",
            python,
            "--device",
            device,
        ]
        subprocess.run(command, check=True)
    return int(not fine)


if __name__ == "__main__":
    main()
