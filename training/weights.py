"""The weights of a network as named NumPy arrays: fresh ones, out of it, and into it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training import runtime
from training.layers import BatchNorm, Conv, Linear
from training.runtime import jt

GAIN = 0.02  # of xavier's normal, as SPADE and TSIT start
POWER_ITERATIONS = 5  # that a fresh spectral norm has behind it, so that evaluation is sane from the first step


class WeightsMismatch(ValueError):
    """Arrays that do not fit a network; names the first of them."""


def initialise(network: jt.nn.Module, rng: np.random.Generator) -> None:
    """Xavier normal with gain 0.02 for all convolutions and linear maps, biases 0, u a random unit vector; the same on every machine."""
    for module in network.modules():
        if isinstance(module, (Conv, Linear)):
            shape = module.weight.shape
            receptive = int(np.prod(shape[2:]))
            deviation = GAIN * np.sqrt(2 / ((shape[0] + shape[1]) * receptive))
            weight = rng.standard_normal(tuple(shape), np.float32) * np.float32(deviation)
            module.weight.update(jt.array(weight))
            if isinstance(module, Conv) and module.spectral:
                u, v = _power_iterations(weight.reshape(shape[0], -1), rng.standard_normal(shape[0], np.float32))
                module.u.update(jt.array(u))
                module.v.update(jt.array(v))
    jt.sync_all(True)  # also keeps arrays of one element from being fused into kernels, where Jittor writes wrong C++
    if runtime.world() > 1:
        network.mpi_param_broadcast(0)


def _power_iterations(matrix: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(POWER_ITERATIONS):
        v = matrix.T @ u
        v /= max(np.linalg.norm(v), 1e-12)
        u = matrix @ v
        u /= max(np.linalg.norm(u), 1e-12)
    return u, v


def named(network: jt.nn.Module) -> dict[str, jt.Var]:
    """Every Var of the network by its name: weights, and what training carries along (u, v, running statistics)."""
    return {name: var for name, var in network.named_parameters()}


def trainable(network: jt.nn.Module) -> dict[str, jt.Var]:
    """The Vars that an optimiser changes, by name."""
    carried = {f"{name}.{part}" if name else part for name, part in _carried(network)}
    return {name: var for name, var in named(network).items() if name not in carried}


def _carried(network: jt.nn.Module) -> list[tuple[str, str]]:
    found = []
    for name, module in network.named_modules():
        if isinstance(module, BatchNorm):
            found += [(name, "running_mean"), (name, "running_var")]
        if isinstance(module, Conv) and module.spectral:
            found += [(name, "u"), (name, "v")]
    return found


def arrays(network: jt.nn.Module) -> dict[str, np.ndarray]:
    """A copy of every Var of the network, float32."""
    return {name: np.array(var.numpy(), np.float32) for name, var in named(network).items()}


def load(network: jt.nn.Module, given: Mapping[str, np.ndarray], what: str) -> None:
    """Put arrays into the network. WeightsMismatch, naming `what`, unless every name and shape fits: Jittor itself skips what does not."""
    ours = named(network)
    missing, strange = sorted(ours.keys() - given.keys()), sorted(given.keys() - ours.keys())
    wrong = [n for n in sorted(ours.keys() & given.keys()) if tuple(ours[n].shape) != given[n].shape]
    if missing or strange or wrong:
        parts = [f"{len(missing)} missing ({', '.join(missing[:3])})"] if missing else []
        parts += [f"{len(strange)} too many ({', '.join(strange[:3])})"] if strange else []
        parts += [f"{n} is {given[n].shape}, the network has {tuple(ours[n].shape)}" for n in wrong[:3]]
        raise WeightsMismatch(f"{what} is of another model: {'; '.join(parts)}")
    for name, var in ours.items():
        var.update(jt.array(np.ascontiguousarray(given[name], np.float32)))
    jt.sync_all(True)  # see initialise
