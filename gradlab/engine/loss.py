"""Where the gradient enters the recurrence, and with what value.

`upstream` injects dL/dh_t itself, as the texts do with `dh`: no output layer, no targets. The other
losses read h_t through an output layer

    z_t = V h_t + c                                     V (O, H), c (O)
    mse            L = mean over steps, sequences and outputs of (z_t - y_t)^2
    cross_entropy  L = mean over steps and sequences of -ln softmax(z_t)[y_t]

and inject dL/dh_t = V^T dL/dz_t at their steps. dL/dV is a sum over the steps of dL/dz_t h_t^T:
each term comes from its own step, there is no product of Jacobians in it. Where there are two
directions, V has a block of H columns for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gradlab.draws import Streams
from gradlab.engine.scaled import Scaled, renormalize
from gradlab.nonlinearity import Array

UPSTREAM = ("ones", "normal", "unit")


def upstream(streams: Streams, value: str, H: int, B: int) -> Array:
    """dh (H, B) of one member: all ones; `normal`: N(0, 1); `unit`: those, scaled to norm 1."""
    if value == "ones":
        return np.ones((H, B))
    dh = streams.of("upstream").standard_normal((H, B))
    return dh / np.sqrt(np.vdot(dh, dh)) if value == "unit" else dh


class Found(NamedTuple):
    """A loss and its derivative by the outputs z (m, R, O, B)."""

    value: Array  # (R,)
    dz: Array  # (m, R, O, B)


def mse(z: Array, y: Array) -> Found:
    """Mean of squares; y (m, R, O, B)."""
    m, _, O, B = z.shape
    error = z - y
    return Found(_of_members(error * error) / (m * O * B), error * (2 / (m * O * B)))


def cross_entropy(z: Array, y: Array) -> Found:
    """Mean of -ln softmax(z)[y]; y (m, R, O, B) is one-hot."""
    m, _, _, B = z.shape
    shifted = z - z.max(axis=-2, keepdims=True)
    total = np.exp(shifted).sum(axis=-2, keepdims=True)
    value = -_of_members((shifted - np.log(total)) * y) / (m * B)
    return Found(value, (np.exp(shifted) / total - y) / np.asarray(m * B, z.dtype))


def _of_members(a: Array) -> Array:
    """Sum of (m, R, O, B) for each member, its numbers side by side: the same bits for any R."""
    return np.stack([np.ascontiguousarray(own).sum() for own in a.swapaxes(0, 1)])


OUTPUT_LOSSES: dict[str, Callable[[Array, Array], Found]] = {
    "mse": mse,
    "cross_entropy": cross_entropy,
}
LOSSES: dict[str, Callable[..., Any]] = {"upstream": upstream, **OUTPUT_LOSSES}


class Read(NamedTuple):
    """What an output loss yielded."""

    value: Array  # (R,)
    dh: Array  # (m, R, H, B) dL/dh_t at the steps of the loss
    gradients: dict[str, Scaled]  # of weight_out (R, O, H) and bias_out (R, O), if wanted


def read_out(loss: str, h: Array, V: Array, c: Array, y: Array, wanted: bool = True) -> Read:
    """The loss of outputs V h + c at its m steps: h (m, R, H, B), V (R, O, H), c (R, O). wanted:
    whether the gradients of V and c are.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        value, dz = OUTPUT_LOSSES[loss](V @ h + c[..., None], y)
        dh = V.swapaxes(-1, -2) @ dz
        gradients = _output_gradients(dz, h) if wanted else {}
    return Read(value, dh, gradients)


def _output_gradients(dz: Array, h: Array) -> dict[str, Scaled]:
    """dL/dV and dL/dc: sums over steps and sequences; states may be near the end of float range."""
    left, e = renormalize(_side_by_side(dz), np.zeros(dz.shape[1], np.int64))
    right, f = renormalize(_side_by_side(h), np.zeros(dz.shape[1], np.int64))
    return {
        "weight_out": Scaled(left @ right.swapaxes(-1, -2), e + f),
        "bias_out": Scaled((left @ np.ones((left.shape[-1], 1), left.dtype))[..., 0], e),
    }


def _side_by_side(a: Array) -> Array:
    """(m, R, rows, B) with steps and sequences as columns: (R, rows, m B)."""
    m, R, rows, B = a.shape
    return a.transpose(1, 2, 0, 3).copy().reshape(R, rows, m * B)


class Loss(Protocol):
    """What the engine asks: where the gradient enters, and with what value."""

    @property
    def steps(self) -> Collection[int]:
        """At which it looks."""

    def at(self, t: int) -> Array | Scaled | None:
        """dL_t/ds_t, the rows that have one (the first), or None where the loss does not look.

        Scaled, (R, rows, B) with exponents (R,), where it has gone through Jacobians already.
        """


@dataclass(frozen=True)
class Injection:
    """The same dh (R, H, B) at every step of `steps` (1 .. T).

    It enters the first rows of the state; the others get none.
    """

    dh: Array
    steps: frozenset[int] | range

    def at(self, t: int) -> Array | None:
        """dL_t/ds_t, the rows that have one, or None where the loss does not look."""
        return self.dh if t in self.steps else None


class Injections:
    """A dh of its own for every step of `steps`: (m, R, H, B)."""

    def __init__(self, dh: Array, steps: NDArray[np.int64]) -> None:
        self.dh = dh
        self._row = {int(t): k for k, t in enumerate(steps)}
        self.steps: Collection[int] = self._row.keys()

    def at(self, t: int) -> Array | None:
        """dL_t/ds_t, the rows that have one, or None where the loss does not look."""
        row = self._row.get(t)
        return None if row is None else self.dh[row]
