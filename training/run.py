"""A run: its networks, their optimisers, the averaged generator, and how far it is.

Enters: a Plan, or a checkpoint, or weights to start from. Leaves: what the trainer changes step by step, and checkpoints.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training import checkpoint, models, objective, perceptual, sampling, weights
from training.adam import Adam
from training.plan import Plan
from training.runtime import jt

VALIDATION = 2  # added to the seed, for the z of the validation pictures


@dataclass
class State:
    """How far a run is; with the seed it decides every batch and every random number to come."""

    phase: int = 0
    step_of_phase: int = 0
    step: int = 0


class Run:
    """The networks of a run with their optimisers, and how far it is."""

    def __init__(self, plan: Plan, folder: Path):
        config = plan.config
        self.plan, self.config, self.folder, self.state = plan, config, folder, State()
        channels, size = plan.sets[0].classes.channels, config.phases[0].size
        self.channels = channels
        rng = np.random.default_rng(config.seed)
        self.networks = objective.Networks(
            models.generator(config, channels, size), models.discriminator(config, channels), models.encoder(config)
        )
        for network in vars(self.networks).values():
            if network is not None:
                weights.initialise(network, rng)
        self.average = models.generator(config, channels, size) if config.ema else None
        if self.average is not None:
            weights.load(self.average, weights.arrays(self.networks.generator), "the average")
        betas = (0.0, 0.9) if config.ttur else (0.5, 0.999)
        painted = {f"generator.{n}": v for n, v in weights.trainable(self.networks.generator).items()}
        if self.networks.encoder is not None:
            painted |= {f"encoder.{n}": v for n, v in weights.trainable(self.networks.encoder).items()}
        self.optimisers = {
            "generator": Adam(painted, betas),
            "discriminator": Adam(weights.trainable(self.networks.discriminator), betas),
        }
        loss = perceptual.load(config.perceptual, config.perceptual_weights, config.perceptual_distance)
        self.perceptual = f"{loss.name}: {loss.reason}" if loss else "none"
        # what "auto" chose is what a resumed run must use
        self.config = dataclasses.replace(config, perceptual=loss.name if loss else "none")
        self.aims = objective.Objective(config.gan, config.feature_matching, config.perceptual_weight, config.kl, loss)

    def _kept(self) -> dict[str, jt.nn.Module]:
        """The networks that a checkpoint holds, by the name of their file."""
        named = {**vars(self.networks), "generator_ema": self.average}
        return {name: network for name, network in named.items() if network is not None}

    def save(self) -> Path:
        """Write a checkpoint of where the run stands."""
        networks = {name: weights.arrays(network) for name, network in self._kept().items()}
        moments = {f"{k}/{n}": a for k, o in self.optimisers.items() for n, a in o.arrays().items()}
        state = {
            **dataclasses.asdict(self.state),
            "optimiser_steps": {k: o.steps for k, o in self.optimisers.items()},
            "seed": self.config.seed,
        }
        return checkpoint.save(self.folder, networks, moments, state)

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Go on from a checkpoint. CheckpointError when it is of another model."""
        try:
            for name, network in self._kept().items():
                weights.load(network, saved.networks[name], f"{saved.folder}/{name}.safetensors")
            for name, optimiser in self.optimisers.items():
                own = {k.removeprefix(f"{name}/"): a for k, a in saved.optimisers.items() if k.startswith(f"{name}/")}
                optimiser.load(own, saved.state["optimiser_steps"][name])
            self.state = State(**{f.name: saved.state[f.name] for f in dataclasses.fields(State)})
        except (KeyError, ValueError) as error:
            raise checkpoint.CheckpointError(f"{saved.folder} does not fit this run: {error}") from None

    def start_from(self, path: Path) -> None:
        """Take over weights: all networks of a run, or the one network in a file of another program; optimisers start anew.

        Raises:
            WeightsMismatch, CheckpointError, WeightsError: they do not fit, or cannot be read.
        """
        if path.is_file():
            from training.foreign import import_weights

            found = import_weights(path)
            self._refuse_other(found.architecture, path)
            self._take(found.network, found.tensors, str(path))
            return
        folder = path if (path / checkpoint.STATE).exists() else checkpoint.latest(path)
        if folder is None:
            raise checkpoint.CheckpointError(f"{path} is neither a weights file nor a run with a checkpoint")
        saved = checkpoint.read(folder)
        for name in ("generator", "discriminator", "encoder"):
            if name in saved.networks:
                self._take(name, saved.networks[name], f"{folder}/{name}.safetensors")
        if self.average is not None and "generator_ema" in saved.networks:
            weights.load(self.average, saved.networks["generator_ema"], f"{folder}/generator_ema.safetensors")

    def _refuse_other(self, told: dict[str, object], path: Path) -> None:
        """WeightsMismatch where weights of the same shapes would compute something else in this run's networks."""
        for key in ("downsample", "upsampling", "noise_start"):
            mine = getattr(self.config, key)
            if self.config.model == "tsit" and key == "upsampling":
                continue
            if told.get(key) is not None and told[key] != mine:
                value = str(told[key]).lower()
                raise weights.WeightsMismatch(
                    f"{path} was trained with {key} = {value}, this run has {mine}; add --set {key}={value}"
                )

    def _take(self, name: str, arrays: dict[str, np.ndarray], what: str) -> None:
        network = getattr(self.networks, name)
        if network is None:
            raise weights.WeightsMismatch(f"{what} is an encoder; this run has vae = false")
        weights.load(network, arrays, what)
        if name == "generator" and self.average is not None:
            weights.load(self.average, arrays, what)

    def draw_validation(self) -> np.ndarray:
        """The validation pictures as the averaged generator draws them, (n, 3, H, W) in [-1, 1]."""
        shown = self.plan.validation
        generator = self.average if self.average is not None else self.networks.generator
        start = sampling.sample_start(self.config, shown.ids.shape[1:], len(shown.ids), self.config.seed + VALIDATION)
        style = np.roll(shown.photos, 1, axis=0) if self.config.style_stream else None  # never a pair's own photo
        drawn = sampling.draw(generator, shown.ids, self.channels, start, style)
        generator.train()
        return drawn
