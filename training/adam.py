"""Adam (Kingma & Ba 2015, algorithm 1) with accumulation, the mean over processes, and an exact state; Jittor's own scales eps differently.

Enters: a scalar loss. Leaves: changed weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training import runtime
from training.runtime import jt

EPS = 1e-8


class Adam:
    """Adam over named Vars.

    Args:
        weights: name -> Var, changed in place.
        betas: decay of the first and of the second moment; with beta1 = 0 (as TTUR has it) no first moment is kept.
    """

    def __init__(self, weights: Mapping[str, jt.Var], betas: tuple[float, float]):
        self.weights, self.betas, self.steps = dict(weights), betas, 0
        self.first = {n: jt.zeros(w.shape).stop_grad() for n, w in self.weights.items()} if betas[0] else {}
        self.second = {n: jt.zeros(w.shape).stop_grad() for n, w in self.weights.items()}
        self._gradients: list[jt.Var] | None = None

    def accumulate(self, loss: jt.Var, share: float = 1.0) -> None:
        """Add `share` of the loss's gradients to those of the step to come."""
        gradients = [g * share if share != 1 else g for g in jt.grad(loss, list(self.weights.values()))]
        if self._gradients is not None:
            gradients = [a + g for a, g in zip(self._gradients, gradients, strict=True)]
        self._gradients = gradients

    def step(self, rate: float) -> None:
        """Use up the accumulated gradients: their mean over all processes moves the weights by the learning rate `rate`."""
        gradients, self._gradients = self._gradients, None
        if gradients is None:
            raise ValueError("no gradients: call accumulate before step")
        self.steps += 1
        beta1, beta2 = self.betas
        scale1, scale2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            gradient = runtime.mean_over_processes(gradient.detach())
            second = self.second[name]
            second.update(second * beta2 + gradient * gradient * (1 - beta2))
            if beta1:
                self.first[name].update(self.first[name] * beta1 + gradient * (1 - beta1))
                gradient = self.first[name]
            weight.update(weight.detach() - gradient * (rate / scale1) / (jt.sqrt(second / scale2) + EPS))

    def arrays(self) -> dict[str, np.ndarray]:
        """The moments as float32 arrays: `first/NAME`, `second/NAME`."""
        moments = {"first": self.first, "second": self.second}
        return {f"{kind}/{n}": np.array(v.numpy(), np.float32) for kind, vs in moments.items() for n, v in vs.items()}

    def load(self, arrays: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on from what `arrays` gave, after `steps` steps. KeyError or ValueError when they are of other weights."""
        wanted = {f"{kind}/{n}" for kind, vs in (("first", self.first), ("second", self.second)) for n in vs}
        if wanted != set(arrays):
            raise KeyError(f"the optimiser's state is of another model (first: {sorted(wanted ^ set(arrays))[0]})")
        for kind, moments in (("first", self.first), ("second", self.second)):
            for name, var in moments.items():
                given = arrays[f"{kind}/{name}"]
                if tuple(var.shape) != given.shape:
                    raise ValueError(
                        f"the optimiser's state of {name} is {given.shape}, the weight is {tuple(var.shape)}"
                    )
                var.update(jt.array(given))
        self.steps = steps
