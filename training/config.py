"""Every knob of a training run, with its default and the reason; presets and curricula (TOML) hold only what differs.

Enters: the name of a preset, a curriculum, what the command line sets. Leaves: one TrainConfig, checked, which is saved with the run as config.json.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
PRESETS = ("landscape512", "landscape256", "small", "tiny")
MULTIPLE = 128  # TSIT halves a picture seven times
CHOICES = {
    "model": ("tsit", "spade"),
    "gan": ("hinge", "ls", "original", "wasserstein"),
    "perceptual": ("auto", "vgg19", "efficientnet-lite0", "none"),
    "perceptual_distance": ("l1", "cosine"),
    "upsampling": ("normal", "more", "most"),
    "downsample": ("nearest", "bilinear"),
}


class ConfigError(ValueError):
    """A setting that cannot be; says which, where, and what to write instead."""


@dataclass(frozen=True)
class Phase:
    """One stretch of training. Give `epochs` or `steps`; `manifest` is a path, or the name of one given on the command line."""

    name: str = "train"
    manifest: str = ""
    epochs: int = 0
    steps: int = 0
    decay_epochs: int = 0  # the last so many epochs the learning rate falls linearly to 0, as published
    batch_size: int = 1  # over all processes
    micro_batch: int = 0  # pictures a process holds at once, gradients accumulate; 0 = its whole share of the batch
    learning_rate: float = 2e-4  # of Adam; the generator gets half and the discriminator twice of it (TTUR)
    size: tuple[int, int] = (256, 256)  # width, height of what the generator draws
    load_size: tuple[int, int] = (0, 0)  # width, height before a random crop to `size`; 0, 0 = no crop


@dataclass(frozen=True)
class TrainConfig:
    """See the module; the defaults are the published TSIT for label maps."""

    preset: str = ""
    model: str = "tsit"
    width: int = 64  # channels of the finest level of generator and encoder; memory and time grow with its square
    discriminator_width: int = 64
    scales: int = 2  # patch discriminators: 2 in the published code, 3 in the paper
    layers: int = 4  # stages of each; 4 for label maps
    vae: bool = True  # start from z; without it from the label map, and there is one picture a map
    noise_start: bool = False  # tsit without vae: start from noise, as published between photos
    style_stream: bool = False  # tsit: a second stream reads a style photo; published between photos
    alpha: float = 1.0  # of FAdaIN, with the style stream
    upsampling: str = "normal"  # SPADE only
    downsample: str = "nearest"  # TSIT's streams; "bilinear" is what an older Jittor port does
    gan: str = "hinge"
    feature_matching: float = 10.0
    perceptual: str = "auto"  # vgg19 where its weights are found, else efficientnet-lite0
    perceptual_weights: str = ""  # file of vgg19's weights
    perceptual_distance: str = "l1"
    perceptual_weight: float = 20.0  # as the published scripts for label maps
    kl: float = 0.05
    ttur: bool = True
    fresh_fake: bool = True  # the discriminator's fake is drawn after the generator's update, as published
    ema: float = 0.999  # of the generator's weights, for pictures; 0 = off
    flip: bool = True  # mirror every second picture
    seed: int = 0
    validation: int = 32  # pairs kept out of training, to score checkpoints by
    pictures: int = 6  # of these, how many are drawn
    sample_every: int = 500  # steps between picture grids and scores
    checkpoint_every: int = 500  # steps between checkpoints
    keep_every: int = 5000  # of these, which stay for good; 0 = only last and best
    most_bad: float = 0.01  # share of pairs that may be skipped as missing, changed or broken
    phases: tuple[Phase, ...] = field(default_factory=lambda: (Phase(epochs=200, decay_epochs=100),))

    def __post_init__(self) -> None:
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @staticmethod
    def from_dict(found: Mapping[str, Any], where: str = "config.json") -> TrainConfig:
        """A config from what to_dict gave. ConfigError names an unknown key and the nearest known one."""
        rest = dict(found)
        if "phases" in rest:
            rest["phases"] = _phases(rest["phases"], where)
        return _made(TrainConfig, rest, where)


def preset(name: str) -> TrainConfig:
    """A preset by name. ConfigError for another name."""
    if name not in PRESETS:
        raise ConfigError(f'no preset "{name}"{_near(name, PRESETS)} Presets are {", ".join(PRESETS)}.')
    return TrainConfig.from_dict({"preset": name, **_read(FOLDER / "presets" / f"{name}.toml")}, f"preset {name}")


def fitting(kind: str, memory: int) -> tuple[str, str]:
    """The preset for a device ("cpu" or "cuda") with so many bytes of memory, and why."""
    if kind == "cpu":
        return "small", "on processors a larger one would take weeks"
    have = f"the device has {memory / 1e9:.0f} GB"
    if memory >= 22e9:
        return "landscape512", have
    if memory >= 8e9:
        return "landscape256", f"{have}; landscape512 needs about 22"
    return "small", f"{have}; landscape256 needs about 8"


def multiple_of(model: str, upsampling: str) -> int:
    """What both sides of a picture must be multiples of."""
    return MULTIPLE if model == "tsit" else {"normal": 32, "more": 64, "most": 128}[upsampling]


def curricula() -> list[str]:
    """Names of the curricula that come with the program."""
    return sorted(path.stem for path in (FOLDER / "curricula").glob("*.toml"))


def curriculum(name: str) -> tuple[Phase, ...]:
    """The phases of a curriculum: the name of one that comes with the program, or a TOML file with [[phases]]."""
    path = FOLDER / "curricula" / f"{name}.toml" if name in curricula() else Path(name)
    if not path.exists():
        raise ConfigError(
            f'no curriculum "{name}"{_near(name, curricula())} Give {", ".join(curricula())} or a TOML file.'
        )
    found = _read(path)
    refuse_unknown(found, ["phases"], str(path))
    if not found.get("phases"):
        raise ConfigError(f"{path} has no [[phases]]; docs/training.md shows one")
    return _phases(found["phases"], str(path))


def changed(config: TrainConfig, settings: Mapping[str, Any]) -> TrainConfig:
    """The config with some settings changed: its own keys; keys of Phase change every phase."""
    own = {f.name for f in dataclasses.fields(TrainConfig)} - {"phases"}
    of_phase = {f.name for f in dataclasses.fields(Phase)} - {"name"}
    refuse_unknown(settings, sorted(own | of_phase), "the settings")
    phases = {key: value for key, value in settings.items() if key in of_phase}
    if "steps" in phases:  # one of the two counts
        phases.setdefault("epochs", 0)
    if "epochs" in phases:
        phases.setdefault("steps", 0)
    new_phases = []
    for phase in config.phases:
        given = {**dataclasses.asdict(phase), **phases}
        if given["epochs"] < given["decay_epochs"] and "decay_epochs" not in phases:
            given["decay_epochs"] = given["epochs"] // 2
        new_phases.append(_made(Phase, given, f"phase {phase.name}"))
    rest = {key: value for key, value in settings.items() if key in own}
    current = {f.name: getattr(config, f.name) for f in dataclasses.fields(TrainConfig)}
    return _made(TrainConfig, {**current, **rest, "phases": tuple(new_phases)}, "the settings")


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` as a person writes it -> key and value (TOML value, or else the text itself)."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f'"{text}" is no setting; write key=value, e.g. feature_matching=5')
    try:
        return key.strip(), tomllib.loads(f"x = {value.strip()}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def parse_size(text: str) -> tuple[int, int]:
    """`512x384` -> (512, 384). ConfigError for anything else."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise ConfigError(f'"{text}" is no size; write WIDTHxHEIGHT, e.g. 512x384')
    return int(width), int(height)


def refuse_unknown(found: Iterable[str], known: list[str], where: str) -> None:
    """ConfigError that names the nearest known key."""
    for key in found:
        if key not in known:
            raise ConfigError(f'{where}: no setting "{key}"{_near(key, known)}')


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'. Did you mean "{close[0]}"?' if close else "."


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _phases(found: Any, where: str) -> tuple[Phase, ...]:
    if not isinstance(found, list):
        raise ConfigError(f"{where}: phases is no list; write [[phases]], with two brackets, above each")
    return tuple(_made(Phase, phase, f"{where}, phase {i}") for i, phase in enumerate(found, 1))


def _made(kind: type, found: Mapping[str, Any], where: str):
    """A dataclass from a table, with every type checked."""
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where} is no table")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    refuse_unknown(found, list(fields), where)
    values = {}
    for key, value in found.items():
        default = fields[key].default
        if key in ("size", "load_size"):
            value = parse_size(value) if isinstance(value, str) else value
            if not (isinstance(value, list | tuple) and len(value) == 2 and all(type(v) is int for v in value)):
                raise ConfigError(f"{where}: {key} = {value!r} is no size; write [512, 384]")
            value = tuple(value)
        elif isinstance(default, float) and type(value) is int:
            value = float(value)
        elif key != "phases" and (
            type(value) is not type(default) or (type(value) is float and not math.isfinite(value))
        ):
            raise ConfigError(f"{where}: {key} = {value!r} is no {_WORDS[type(default)]}")
        values[key] = value
    return kind(**values)


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _check(config: TrainConfig) -> None:
    for key, choices in CHOICES.items():
        if getattr(config, key) not in choices:
            raise ConfigError(f'{key} = "{getattr(config, key)}" is none of {", ".join(choices)}')
    for key in ("width", "discriminator_width", "scales", "layers", "sample_every", "checkpoint_every"):
        if getattr(config, key) < 1:
            raise ConfigError(f"{key} = {getattr(config, key)} must be at least 1")
    for key in (
        "feature_matching",
        "perceptual_weight",
        "kl",
        "keep_every",
        "validation",
        "pictures",
        "most_bad",
        "seed",
    ):
        if getattr(config, key) < 0:
            raise ConfigError(f"{key} = {getattr(config, key)} must not be negative")
    if not 0 <= config.alpha <= 1 or not 0 <= config.ema < 1:
        raise ConfigError("alpha goes from 0 to 1, ema from 0 to below 1")
    if config.style_stream and config.model != "tsit":
        raise ConfigError("style_stream is a part of tsit; spade has none")
    if config.noise_start and (config.model != "tsit" or config.vae):
        raise ConfigError("noise_start is for tsit without the VAE; add --set vae=false, or leave it out")
    if config.upsampling == "most" and config.model == "spade" and config.width % 2:
        raise ConfigError(f'width = {config.width} must be even for upsampling = "most"')
    if not config.phases:
        raise ConfigError("there are no phases; give one at least")
    for phase in config.phases:
        _check_phase(phase, config)
    if len({phase.size for phase in config.phases}) > 1 and config.vae:
        raise ConfigError(
            "the phases have different sizes; z starts one size only: add --set vae=false, or give all phases one size"
        )


def _check_phase(phase: Phase, config: TrainConfig) -> None:
    where = f'phase "{phase.name}"'
    multiple = multiple_of(config.model, config.upsampling)
    for key in ("size", "load_size"):
        width, height = getattr(phase, key)
        if key == "load_size" and (width, height) == (0, 0):
            continue
        if key == "size" and (width < multiple or height < multiple or width % multiple or height % multiple):
            near = [max(multiple, round(v / multiple) * multiple) for v in (width, height)]
            raise ConfigError(
                f"{where}: size {width}x{height}; {config.model} halves a picture until 1/{multiple} is left, so both sides "
                f"must be multiples of {multiple}, e.g. {near[0]}x{near[1]}"
            )
        if key == "load_size" and (width < phase.size[0] or height < phase.size[1]):
            raise ConfigError(
                f"{where}: load_size {width}x{height} is smaller than size {phase.size[0]}x{phase.size[1]}"
            )
    if config.style_stream and phase.size == (MULTIPLE, MULTIPLE):
        raise ConfigError(
            f"{where}: the style stream needs more than {MULTIPLE}x{MULTIPLE}: FAdaIN has no variance over one pixel"
        )
    if phase.batch_size < 1 or phase.micro_batch < 0:
        raise ConfigError(f"{where}: batch_size must be at least 1, micro_batch not negative")
    if bool(phase.epochs > 0) == bool(phase.steps > 0):
        raise ConfigError(f"{where}: give epochs or steps (one of them, at least 1)")
    if not 0 <= phase.decay_epochs <= max(phase.epochs, 0):
        raise ConfigError(f"{where}: decay_epochs = {phase.decay_epochs}, but there are {phase.epochs} epochs")
    if phase.learning_rate <= 0:
        raise ConfigError(f"{where}: learning_rate must be above 0")
