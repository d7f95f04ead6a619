"""Plain optimisers, with PyTorch's formulas: SGD, momentum, Adam.

g is the gradient after clipping, a the learning rate, t the number of steps taken so far, this one
included. All arrays are (R, ...), members in front; a and t are one number for each member.

    sgd        w -= a g
    momentum   v  = m v + g,   w -= a v                         (Polyak 1964; as in torch.optim.SGD)
    adam       u  = b1 u + (1 - b1) g,   v = b2 v + (1 - b2) g^2
               w -= a u / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e)             (Kingma, Ba 2015)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gradlab.nonlinearity import Array

Slots = dict[str, Array]  # what an optimiser keeps of a tensor, each of the tensor's shape


class Optimizer(Protocol):
    """One kind; its fields are its options."""

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of what is kept for each tensor; zeros at the start."""

    def step(self, g: Array, slots: Mapping[str, Array], rate: Array, t: Array) -> Array:
        """What is to be subtracted from the tensor, the slots being changed in place."""


@dataclass(frozen=True)
class Sgd:
    """Gradient descent."""

    slots: tuple[str, ...] = ()

    def step(self, g: Array, slots: Mapping[str, Array], rate: Array, t: Array) -> Array:
        return _of_members(rate, g) * g


@dataclass(frozen=True)
class Momentum:
    """momentum: what is kept of the velocity from step to step."""

    momentum: float = 0.9
    slots: tuple[str, ...] = ("velocity",)

    def step(self, g: Array, slots: Mapping[str, Array], rate: Array, t: Array) -> Array:
        v = slots["velocity"]
        v *= self.momentum
        v += g
        return _of_members(rate, g) * v


@dataclass(frozen=True)
class Adam:
    """beta1, beta2: of the means of g and g^2; epsilon: added to the root."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots: tuple[str, ...] = ("mean", "square")

    def step(self, g: Array, slots: Mapping[str, Array], rate: Array, t: Array) -> Array:
        mean, square = slots["mean"], slots["square"]
        mean *= self.beta1
        mean += (1 - self.beta1) * g
        square *= self.beta2
        square += (1 - self.beta2) * g * g
        root = np.sqrt(square)
        root /= _of_members(np.sqrt(1 - self.beta2**t), g)
        root += self.epsilon
        np.divide(mean, root, out=root)
        root *= _of_members(rate / (1 - self.beta1**t), g)
        return root


OPTIMIZERS: dict[str, type[Sgd | Momentum | Adam]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "adam": Adam,
}


def _of_members(a: Array, like: Array) -> Array:
    """One number for each member (R,), to multiply arrays (R, ...) of this precision."""
    return a.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
