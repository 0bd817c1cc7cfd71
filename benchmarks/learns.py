"""Does it learn? A fixed simple segmenter judges whether a run's pictures show what their label maps say.

    python -m benchmarks.learns --run RUN [--data FOLDER] [--cache DIR] [--latest] [--grid FILE --maps 8]

The judge sees what is around a pixel (colour, contrast, edges by direction), never where in the picture the pixel is:
a generator that colours areas without meaning gains nothing by layout. It is fitted on real photos and label maps of the pairs that the
run trains on, with classes as frequent as they are, not balanced, and then classifies pixels of the held-out pairs: of their photos
(the ceiling), of what the trained generator draws for their label maps, of what the same generator drew before its first step.

Printed: pixel accuracy, the share of known pixels that are found to be what the label map says, with a 95 % interval from resampling the
held-out pictures; the ratio trained / untrained; accuracy of always answering the class most frequent in training; of the trained pictures
against the label map of another pair, which is what a picture gets for looking like a landscape at all; recall by class. An untrained
generator draws next to nothing but grey, and its accuracy is the share of whatever class grey looks like; its mean recall over the classes
is about chance, so the means tell more than the ratio. The same checkpoint gives the same figures. Leaves FILE, a PNG, when asked to.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.measured import machine
from curation.engine.local import progress

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

    from training.batches import Batch
    from training.plan import Plan
    from training.run_folder import Started

SCALES = (2, 4, 8)  # pixels: Gaussian sigma of what is seen around a pixel
EDGE_SCALES = (1, 2, 4)  # pixels: of the edges; their energy is pooled over twice that
DIRECTIONS = 4  # of edges, in half a turn
FITTED = 100_000  # pixels, over all photos alike
JUDGED = 64 * 64  # pixels of a picture at most, on a regular grid: neighbours tell the same
RESAMPLED = 2000  # draws of the bootstrap
SEED = 0  # of the judge, z and the bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument("--data", type=Path, help="the data set; default: where the run found it")
    parser.add_argument("--cache", type=Path, help="folder of packed sets; default: .packed beside the run")
    parser.add_argument("--latest", action="store_true", help="the last checkpoint, not that of the best validation")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--grid", type=Path, help="PNG to write: label map, generated, photo")
    parser.add_argument(
        "--without-photos", action="store_true", help="leave the photos out of it, where they may not be shown"
    )
    parser.add_argument("--maps", type=int, default=8, help="held-out pairs in it: the first, in the order of the run")
    given = parser.parse_args()
    if given.maps < 1:
        parser.error(f"--maps {given.maps} must be at least 1")

    from training import run_folder, runtime

    runtime.own_stdout()
    started = run_folder.read(given.run)
    plan = _plan(given, started)
    held_out = plan.validation
    checkpoint, trained, untrained = _drawn(given, started, held_out)
    names, (width, height) = started.classes.names, started.config.phases[0].size

    began = time.perf_counter()
    train_pairs = int((plan.sets[0].weights > 0).sum())
    judge, commonest = fitted(_training_pairs(plan), train_pairs, len(names))
    seconds = time.perf_counter() - began
    truth = on_grid(held_out.ids)
    found = {
        "real photos (ceiling)": judged(judge, held_out.photos),
        "trained": judged(judge, trained),
        "untrained": judged(judge, untrained),
    }

    print(f"{machine()}; {datetime.date.today()}")
    print(f"{given.run}, {checkpoint}: {started.config.model}, preset {started.config.preset}, {width}x{height}")
    print(f"judge: fitted in {seconds:.0f} s on {train_pairs} training pairs; {len(truth)} held-out pairs")
    _print_accuracy(found, truth, names, commonest)
    _print_recall(found, truth, names)
    if given.grid:
        _write_grid(given.grid, started, held_out, trained, min(given.maps, len(truth)), not given.without_photos)


def _plan(given: argparse.Namespace, started: Started) -> Plan:
    """The run's own plan, with the pairs that it held out. SystemExit when it held none out."""
    from training import run_folder
    from training.cli import PACKED
    from training.plan import prepare

    if not started.about["held_out"]:
        raise SystemExit(f"{given.run} held no pairs out; train with validation above 0 and at least ten pairs")
    plan = prepare(
        started.config,
        {name: Path(source["path"]) for name, source in started.sources.items()},
        given.cache or given.run.parent / PACKED,
        data=given.data or (Path(started.data) if started.data else None),
        on_skip=lambda fault: print(f"left out: {fault}", file=sys.stderr),
    )
    run_folder.check_plan(started, plan)
    return plan


def _drawn(given: argparse.Namespace, started: Started, held_out: Batch) -> tuple[str, np.ndarray, np.ndarray]:
    """The checkpoint's name; what its generator, averaged where the run averages, and the one it began as draw, (n, h, w, 3) uint8 each."""
    from training import checkpoint as checkpoints
    from training import models, runtime, weights

    best = None if given.latest else checkpoints.best(given.run)
    folder = best or checkpoints.latest(given.run)
    if folder is None:
        raise SystemExit(f"{given.run} has no checkpoint yet; train on with `train --resume {given.run}`")
    runtime.start(given.device)
    config = started.config
    generator = models.generator(config, started.classes.channels, config.phases[0].size)
    weights.initialise(generator, np.random.default_rng(config.seed))  # as the run did: the generator comes first
    untrained = _draw(generator, started, held_out, "draw untrained")
    name = "generator_ema" if config.ema else "generator"
    weights.load(generator, checkpoints.read(folder).networks[name], f"{folder}/{name}.safetensors")
    trained = _draw(generator, started, held_out, "draw trained")
    return f"{folder.name} ({'best' if best else 'latest'})", trained, untrained


def _draw(generator: object, started: Started, held_out: Batch, what: str) -> np.ndarray:
    from training import pictures, sampling

    n, config = len(held_out.ids), started.config
    z = sampling.sample_start(config, held_out.ids.shape[1:], n, SEED)
    style = np.roll(held_out.photos, 1, axis=0) if config.style_stream else None  # never a pair's own photo
    drawn = []
    with progress(what, n, False) as advance:
        for first in range(0, n, sampling.AT_ONCE):
            part = slice(first, first + sampling.AT_ONCE)
            own_z, own_style = (None if x is None else x[part] for x in (z, style))
            drawn.append(sampling.draw(generator, held_out.ids[part], started.classes.channels, own_z, own_style))
            advance(len(drawn[-1]))
    return pictures.photo_of(np.concatenate(drawn))


def _training_pairs(plan: Plan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photo (h, w, 3) and channel indices (h, w) of each pair that the first phase trains on, as the held-out ones are cut."""
    rows = np.flatnonzero(plan.sets[0].weights > 0)  # what is held out weighs nothing
    with progress("look at training pairs", len(rows), False) as advance:
        for row in rows:
            pair = plan.batches[0].fixed([row], plan.config.phases[0].size)
            yield pair.photos[0], pair.ids[0]
            advance(1)


def appearance(photo: np.ndarray) -> np.ndarray:
    """What is around each pixel: (h, w, 3) uint8 RGB -> (h, w, 33) float32, the same for the same surroundings anywhere in any picture.

    CIE Lab of the pixel and its Gaussian means (12), its standard deviations (9), and the energy of the lightness gradient by direction
    (12): of the derivative along 0, 45, 90 and 135 degrees, squared and pooled. Nothing is normalised by the whole picture.
    """
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    means = [_blurred(lab, scale) for scale in SCALES]
    squares = [_blurred(lab * lab, scale) for scale in SCALES]
    spreads = [np.sqrt(np.maximum(s - mean * mean, 0)) for s, mean in zip(squares, means, strict=True)]
    light, energies = np.ascontiguousarray(lab[:, :, 0]), []
    for scale in EDGE_SCALES:
        smooth = _blurred(light, scale)
        dx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)  # lightness a pixel
        dy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
        for angle in np.pi * np.arange(DIRECTIONS) / DIRECTIONS:
            along = np.float32(np.cos(angle)) * dx + np.float32(np.sin(angle)) * dy
            energies.append(_blurred(along * along, 2 * scale))
    return np.dstack([lab, *means, *spreads, *energies])


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)  # no dark rim tells the border


def fitted(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], count: int, classes: int
) -> tuple[HistGradientBoostingClassifier, int]:
    """Fit the judge.

    Args:
        pairs: photo (h, w, 3) uint8 RGB and channel indices (h, w) uint8 of each; indices from `classes` on are unknown and left out.
        count: how many pairs there are.

    Returns:
        The judge, whose predict takes (m, 33) appearances and gives (m,) uint8 channels, and the channel most frequent in what it saw.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(SEED)
    seen, is_class = [], []
    for photo, ids in pairs:
        known = np.flatnonzero(ids.ravel() < classes)
        taken = rng.choice(known, min(max(1, FITTED // count), len(known)), replace=False)
        seen.append(appearance(photo).reshape(ids.size, -1)[taken])
        is_class.append(ids.ravel()[taken])
    judge = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.15, min_samples_leaf=50, early_stopping=False, random_state=SEED
    )
    every = np.concatenate(is_class)
    return judge.fit(np.concatenate(seen), every), int(np.bincount(every).argmax())


def on_grid(pictures: np.ndarray) -> np.ndarray:
    """The pixels that are judged: (n, h, w, ...) -> every k-th in both directions, k the least that leaves at most JUDGED a picture."""
    height, width = pictures.shape[1:3]
    step = next(k for k in itertools.count(1) if -(-height // k) * -(-width // k) <= JUDGED)
    return pictures[:, ::step, ::step]


def judged(judge: HistGradientBoostingClassifier, photos: np.ndarray) -> np.ndarray:
    """The channel that each judged pixel looks like: (n, h, w, 3) uint8 -> as on_grid has it, uint8."""
    found = []
    with progress("judge", len(photos), False) as advance:
        for photo in photos:
            looks = on_grid(appearance(photo)[None])[0]
            found.append(judge.predict(looks.reshape(-1, looks.shape[-1])).reshape(looks.shape[:2]))
            advance(1)
    return np.stack(found)


def counts(found: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Right and known pixels of each picture: (n, h, w) channels found and given -> (n, 2); given ones from `classes` on are unknown."""
    known = truth < classes
    return np.stack([((found == truth) & known).sum((1, 2)), known.sum((1, 2))], 1)


def _accuracy(right_and_known: np.ndarray) -> np.ndarray:
    return right_and_known[..., 0] / right_and_known[..., 1]


def _print_accuracy(found: dict[str, np.ndarray], truth: np.ndarray, names: Sequence[str], commonest: int) -> None:
    rows = {what: counts(channels, truth, len(names)) for what, channels in found.items()}
    rows[f'always "{names[commonest]}"'] = counts(np.full_like(truth, commonest), truth, len(names))
    rows["trained, other label map"] = counts(found["trained"], np.roll(truth, 1, axis=0), len(names))
    drawn = np.random.default_rng(SEED).integers(0, len(truth), (RESAMPLED, len(truth)))
    spread = {what: _accuracy(row[drawn].sum(1)) for what, row in rows.items()}  # all rows from the same draws
    print(f"{'':28}pixel accuracy    95 % over pictures")
    for what, row in rows.items():
        print(f"{what:28}{_accuracy(row.sum(0)):14.3f}{_interval(spread[what]):>22}")
    with np.errstate(divide="ignore", invalid="ignore"):  # an untrained generator may get nothing right
        ratio = _accuracy(rows["trained"].sum(0)) / _accuracy(rows["untrained"].sum(0))
        ratios = spread["trained"] / spread["untrained"]
    print(f"{'trained / untrained':28}{ratio:14.2f}{_interval(ratios, 2):>22}")


def _interval(values: np.ndarray, digits: int = 3) -> str:
    low, high = np.quantile(values, (0.025, 0.975), method="nearest")  # of inf too, which no mean can be taken with
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _print_recall(found: dict[str, np.ndarray], truth: np.ndarray, names: Sequence[str]) -> None:
    known, recalls = int((truth < len(names)).sum()), []
    print(f"{'recall by class':28}{'share':>8}{'real':>8}{'trained':>10}{'untrained':>11}")
    for channel, name in enumerate(names):
        here = truth == channel
        if not here.any():
            print(f"{name[:27]:28}{0:8.3f}{'-':>8}{'-':>10}{'-':>11}")
            continue
        recalls.append([float((channels[here] == channel).mean()) for channels in found.values()])
        print(_recall_line(name, here.sum() / known, recalls[-1]))
    print(_recall_line("mean of the classes", 1, np.mean(recalls, axis=0)))


def _recall_line(name: str, share: float, recalls: Sequence[float]) -> str:
    real, trained, untrained = recalls
    return f"{name[:27]:28}{share:8.3f}{real:8.3f}{trained:10.3f}{untrained:11.3f}"


def _write_grid(path: Path, started: Started, held_out: Batch, trained: np.ndarray, maps: int, photos: bool) -> None:
    """Label map, generated, photo of the first `maps` held-out pairs; an even number side by side in two halves."""
    from training import pictures

    classes, halves = started.classes, 2 - maps % 2
    columns = []
    for part in (slice(i * maps // halves, (i + 1) * maps // halves) for i in range(halves)):
        columns += [
            ("label map", pictures.label_picture(held_out.ids[part], classes.colours)),
            ("generated", trained[part]),
            *([("photo", held_out.photos[part])] if photos else []),
        ]
    sheet = pictures.grid_with_legend(columns, held_out.ids[:maps], classes.channel_names, classes.colours)
    pictures.save(path, sheet)


if __name__ == "__main__":
    main()
