"""From a folder of label maps to a folder of pictures, with a run's generator or one of another program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.classes import TrainingClasses, first_classes
from training.config import TrainConfig

SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")
SHOWN = 8  # label maps in the grid


class GenerationError(ValueError):
    """Nothing can be drawn; says why and what to do."""


@dataclass(frozen=True)
class Painter:
    """A generator and what it needs to know: its classes, the size (width, height) of its pictures, and the encoder, if it has one."""

    generator: object
    encoder: object | None
    classes: TrainingClasses
    size: tuple[int, int]
    config: TrainConfig


def generate(
    checkpoint: Path,
    labels: Path,
    out: Path,
    style: Path | None = None,
    seed: int = 0,
    count: int = 1,
    grid: Path | None = None,
    size: str = "",
    label_space: str = "",
    upsampling: str = "",
    device: str = "auto",
    quiet: bool = False,
) -> int:
    """Draw `count` pictures for each label map; returns how many label maps could not be read.

    Raises:
        GenerationError, CheckpointError, WeightsError, RunError: see their texts.
    """
    files = _files(labels)
    from training import runtime

    runtime.start(device)
    painter = _painter(checkpoint, size, label_space, upsampling)
    if count > 1 and not (painter.config.vae or painter.config.noise_start):
        raise GenerationError(f"{checkpoint} starts from the label map, so there is one picture of each; leave out --n")
    if style and not (painter.config.vae or painter.config.style_stream):
        raise GenerationError(
            f"{checkpoint} takes no style: it was trained without VAE and style stream; leave out --style"
        )
    if style and painter.config.vae and painter.encoder is None:
        raise GenerationError(f"{checkpoint} has no encoder beside it (*_net_E.pth), which reads --style")
    photo = _photo(style, painter.size) if style else None
    if painter.config.style_stream and photo is None:
        raise GenerationError(f"{checkpoint} has a style stream; give --style PHOTO")
    failed, shown = 0, []
    for number, path in enumerate(_counted(files, quiet)):
        try:
            channels_map = _label(path, painter)
        except ValueError as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed += 1
            continue
        drawn = _draw(painter, channels_map, photo, seed + number, count)
        _write(out, path.stem, drawn)
        if len(shown) < SHOWN:
            shown.append((channels_map, drawn))
    if grid and shown:
        _write_grid(grid, painter.classes, shown)
    if not quiet:
        print(f"{len(files) - failed} label maps drawn into {out}", file=sys.stderr)
    return failed


def _files(labels: Path) -> list[Path]:
    if not labels.exists():
        raise GenerationError(f"{labels} does not exist; give --labels with a folder of label maps")
    files = [labels] if labels.is_file() else sorted(p for p in labels.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise GenerationError(f"{labels} holds no label map ({', '.join(SUFFIXES)})")
    stems: dict[str, Path] = {}
    for path in files:
        if path.stem in stems:
            raise GenerationError(f"{path} and {stems[path.stem]} would both become {path.stem}.png; rename one")
        stems[path.stem] = path
    return files


def _counted(files: list[Path], quiet: bool) -> Iterator[Path]:
    if quiet or not sys.stderr.isatty():
        yield from files
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(files, "drawing", console=Console(stderr=True))


def _label(path: Path, painter: Painter) -> np.ndarray:
    from curation.decode import label_at

    ids, _ = label_at(path, painter.classes.space, *painter.size)
    return painter.classes.of(ids)


def _photo(path: Path, size: tuple[int, int]) -> np.ndarray:
    from curation.decode import PairError, photo_at

    try:
        return photo_at(path, *size)[0]
    except PairError as error:
        raise GenerationError(f"{path}: {error}") from None


def _draw(painter: Painter, channels_map: np.ndarray, photo: np.ndarray | None, seed: int, count: int) -> np.ndarray:
    """(count, h, w, 3) uint8. With a style photo, z is its mean, and noise of half its spread makes the further pictures differ."""
    from training import pictures, sampling

    maps = np.repeat(channels_map[None], count, axis=0)
    start = sampling.sample_start(painter.config, channels_map.shape, count, seed)
    if painter.config.vae and photo is not None:
        start[0] = 0
        start = sampling.encode_style(painter.encoder, photo[None]) + start * 0.5
    styles = np.repeat(photo[None], count, axis=0) if painter.config.style_stream else None
    return pictures.photo_of(sampling.draw(painter.generator, maps, painter.classes.channels, start, styles))


def _write(out: Path, stem: str, drawn: np.ndarray) -> None:
    from training import pictures

    for number, picture in enumerate(drawn, 1):
        pictures.save(out / (f"{stem}.png" if len(drawn) == 1 else f"{stem}_{number}.png"), picture)


def _write_grid(path: Path, classes: TrainingClasses, shown: list[tuple[np.ndarray, np.ndarray]]) -> None:
    from training import pictures

    maps = np.stack([channels_map for channels_map, _ in shown])
    columns = [("label map", pictures.label_picture(maps, classes.colours))]
    count = len(shown[0][1])
    for i in range(count):
        columns.append(
            ("generated" if count == 1 else f"generated {i + 1}", np.stack([drawn[i] for _, drawn in shown]))
        )
    pictures.save(path, pictures.grid_with_legend(columns, maps, classes.channel_names, classes.colours))


def _painter(checkpoint: Path, size: str, label_space: str, upsampling: str) -> Painter:
    """The generator of a run, of one checkpoint of a run, or of another program's file."""
    if checkpoint.is_file():
        return _foreign(checkpoint, size, label_space, upsampling)
    from training import checkpoint as checkpoints
    from training import models, run_folder, weights

    if (checkpoint / checkpoints.STATE).exists():
        run, folder = checkpoint.parent.parent, checkpoint
    else:
        run, folder = checkpoint, checkpoints.best(checkpoint) or checkpoints.latest(checkpoint)
    started = run_folder.read(run)
    if folder is None:
        raise GenerationError(f"{run} has no checkpoint yet; train on with `train --resume {run}`")
    saved = checkpoints.read(folder)
    config, classes = started.config, started.classes
    generator = models.generator(config, classes.channels, config.phases[-1].size)
    name = "generator_ema" if config.ema else "generator"
    weights.load(generator, saved.network(name), f"{folder}/{name}.safetensors")
    encoder = models.encoder(config)
    if encoder is not None:
        weights.load(encoder, saved.network("encoder"), f"{folder}/encoder.safetensors")
    return Painter(generator, encoder, classes, config.phases[-1].size, config)


def _foreign(path: Path, size: str, label_space: str, upsampling: str) -> Painter:
    from curation.label_space import ids_as_found
    from curation.label_space_files import resolve
    from training import config as configs
    from training import models, weights
    from training.foreign import import_weights

    found = import_weights(path)
    if found.network != "generator":
        raise GenerationError(f"{path} holds a {found.network}; give the generator (*_net_G.pth)")
    told = found.architecture
    if told["noise_start"]:
        raise GenerationError(
            f"{path} was trained between photos, not on label maps; only label maps can be drawn here"
        )
    space = resolve(label_space) if label_space else ids_as_found()
    classes = first_classes(space, told["classes"])
    pictured = configs.parse_size(size) if size else _size_of(told)
    depth = upsampling or told["upsampling"] or _depth(told, pictured)
    multiple = configs.multiple_of(found.model, depth)
    if told["vae"] and (pictured[0] // multiple) * (pictured[1] // multiple) != told["start_area"]:
        raise GenerationError(
            f"{path} starts from {told['start_area']} cells of {multiple}x{multiple} pixels; {pictured[0]}x{pictured[1]} has others. "
            "Give the --size it was trained at."
        )
    config = configs.TrainConfig(
        model=found.model, width=told["width"], vae=told["vae"], style_stream=told["style_stream"], downsample=told["downsample"],
        upsampling=depth if found.model == "spade" else "normal", ema=0.0, phases=(configs.Phase(steps=1, size=pictured),),
    )  # fmt: skip
    generator = models.generator(config, told["classes"], pictured)
    weights.load(generator, found.tensors, str(path))
    encoder = None
    beside = path.with_name(path.name.replace("_net_G", "_net_E"))
    if told["vae"] and beside != path and beside.exists():
        encoder = models.encoder(config)
        weights.load(encoder, import_weights(beside).tensors, str(beside))
    return Painter(generator, encoder, classes, pictured, config)


def _depth(told: dict, size: tuple[int, int]) -> str:
    """SPADE's depth where the weights do not name it: with the VAE the size of its start tells, else the published default is taken."""
    if told["vae"]:
        return "normal" if (size[0] // 32) * (size[1] // 32) == told["start_area"] else "more"
    print(
        'these weights fit upsampling "normal" and "more"; "normal" is taken, --upsampling says otherwise',
        file=sys.stderr,
    )
    return "normal"


def _size_of(told: dict) -> tuple[int, int]:
    """The size that a start of so many cells most likely had: 4:3 or square; 256x256 when the weights do not tell."""
    known = {4: (256, 256), 12: (512, 384), 64: (256, 256), 192: (512, 384), 16: (512, 512), 8: (512, 256)}
    return known.get(told["start_area"], (256, 256)) if told["vae"] else (256, 256)
