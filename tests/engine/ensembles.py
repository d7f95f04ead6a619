"""What the tests of the engine run: small ensembles, and every number that comes out of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.cells.interface import Cell
from gradlab.draws import Streams
from gradlab.engine.backward import sweep
from gradlab.engine.clip import StepClip
from gradlab.engine.collect import backpropagate
from gradlab.engine.forward import Trajectory, forward
from gradlab.engine.loss import Injection
from gradlab.engine.recording import Gradients, Wanted
from gradlab.engine.scaled import Scaled
from gradlab.engine.schedule import Shared
from gradlab.initial import Drawn, member
from tests.cells.derivatives import VARIANTS, fits

Array = NDArray[Any]


@dataclass(frozen=True)
class Given:
    """A loss whose gradient dL_t/dh_t differs from step to step: t -> (R, H, B)."""

    dh: Mapping[int, Array]

    @property
    def steps(self) -> Collection[int]:
        return self.dh.keys()

    def at(self, t: int) -> Array | None:
        return self.dh.get(t)


@dataclass(frozen=True)
class Ensemble:
    """R members of one cell with all that a run needs."""

    cell: Cell
    options: Any
    tensors: dict[str, Array]  # (R, rows[, columns])
    x: Array  # (T, R, I, B)
    s0: Array  # (R, D, B)
    dh: Array  # (R, H, B)
    loss_at: Sequence[int]
    every: int | None = None
    clip: StepClip | None = None
    loss: Any = field(default=None)  # an Injection-like of the test's own

    @property
    def T(self) -> int:
        return len(self.x)

    def segment(self, t0: int, n: int) -> Array:
        return self.x[t0 : t0 + n]

    def forward(self) -> Trajectory:
        weights = Shared(self.cell.init(self.tensors, self.options))
        return forward(self.cell, weights, self.segment, self.s0, self.T, self.every)

    @property
    def injection(self) -> Any:
        return self.loss or Injection(self.dh, frozenset(self.loss_at))

    def gradients(self, sequences: int = 1) -> Gradients:
        shapes = {name: tensor.shape[1:] for name, tensor in self.tensors.items()}
        wanted = Wanted(np.arange(self.T + 1), sequences)
        return backpropagate(self.forward(), self.injection, shapes, wanted, self.clip)

    def deltas(self) -> Scaled:
        """delta_0 .. delta_T: mantissa (T + 1, R, D, B), exponent (T + 1, R)."""
        trajectory = self.forward()
        R, D, B = self.s0.shape
        found = Scaled(np.full((self.T + 1, R, D, B), np.nan), np.zeros((self.T + 1, R), np.int64))
        for block in sweep(trajectory, self.injection, self.clip):
            n = len(block.delta.mantissa)
            found.mantissa[block.t0 : block.t0 + n] = block.delta.mantissa
            found.exponent[block.t0 : block.t0 + n] = block.delta.exponent
        return found

    def members(self, chosen: Sequence[int]) -> Ensemble:
        """The same members in another company."""
        r = list(chosen)
        return replace(
            self,
            tensors={name: tensor[r] for name, tensor in self.tensors.items()},
            x=self.x[:, r],
            s0=self.s0[r],
            dh=self.dh[r],
        )


def drawn(
    variant: str,
    seeds: Sequence[int],
    H: int = 5,
    B: int = 3,
    T: int = 40,
    I: int = 4,
    g: float | Sequence[float] = 1.5,
    dtype: Any = np.float64,
    loss_at: Sequence[int] = (),
    x_std: float = 0.5,
) -> Ensemble:
    """Members drawn as a run draws them, with random biases on top; g for all or for each.

    I = H for a cell that wants it so.
    """
    cell, options = VARIANTS[variant]
    I = I if fits(variant, (H, I)) else H
    scales = [g] * len(seeds) if isinstance(g, float | int) else list(g)
    tensors: dict[str, list[Array]] = {}
    xs, states, upstreams = [], [], []
    for seed, scale in zip(seeds, scales, strict=True):
        one = member(cell, options, Drawn(), H, I, scale, Streams(seed, "pcg64"))
        random = np.random.default_rng([seed, 77])
        for name, tensor in one.items():
            noise = 0.3 * random.standard_normal(tensor.shape) if tensor.ndim == 1 else 0
            tensors.setdefault(name, []).append((tensor + noise).astype(dtype))
        xs.append(x_std * random.standard_normal((T, I, B)))
        states.append(0.5 * random.standard_normal((len(cell.STATE) * H, B)))
        upstreams.append(random.standard_normal((H, B)))
    return Ensemble(
        cell,
        options,
        {name: np.stack(parts) for name, parts in tensors.items()},
        np.stack(xs, axis=1).astype(dtype),
        np.stack(states).astype(dtype),
        np.stack(upstreams).astype(dtype),
        tuple(loss_at) or (T,),
    )


def linear(
    W: Array, dh: Array, T: int, h0: Array | None = None, loss_at: Sequence[int] = ()
) -> Ensemble:
    """The bare linear recurrence h_t = W h_{t-1}: W (R, H, H), dh (R, H, B), no input, no bias."""
    cell, options = VARIANTS["linear"]
    R, H, B = dh.shape
    tensors = {"weight_hh": W, "weight_ih": np.zeros((R, H, 1))}
    start = np.zeros((R, H, B)) if h0 is None else h0
    return Ensemble(
        cell, options, tensors, np.zeros((T, R, 1, B)), start, dh, tuple(loss_at) or (T,)
    )


def value(a: Scaled) -> Array:
    """mantissa times 2**exponent as plain floats."""
    tail = (1,) * (a.mantissa.ndim - a.exponent.ndim)
    return np.ldexp(a.mantissa, a.exponent.astype(int).reshape(a.exponent.shape + tail))


def canonical(a: Scaled) -> Array:
    """The value as (mantissa in [1/2, 1), exponent): one pair for one value, in any frame."""
    tail = (1,) * (a.mantissa.ndim - a.exponent.ndim)
    m, e = np.frexp(a.mantissa)
    whole = e + a.exponent.reshape(a.exponent.shape + tail)
    usual = np.isfinite(m) & (m != 0)
    return np.stack([m.astype(float), np.where(usual, whole, 0).astype(float)])


def everything(found: Gradients) -> dict[str, Array]:
    """All that a backward pass records, by name; `member_axis` says where the members are."""
    out = {f"norm {name}": canonical(a) for name, a in found.norms.items()}
    out["weight norm"] = canonical(found.weight_norm)
    out |= {f"d {name}": canonical(a) for name, a in found.parameters.items()}
    out["clip scale"] = found.clip_scale
    for name in ("gate_mean", "gate_slope", "gate_saturation", "step_singular_values"):
        out[name] = getattr(found, name)
    if found.path_norms is not None:
        out["gate paths"] = found.path_norms
    return out


def member_axis(name: str) -> int:
    """Which axis of an array of `everything` is the member's."""
    if name.startswith("d "):
        return 1
    return 2 if "norm" in name else 1


def assert_same_bits(
    a: Mapping[str, Array], b: Mapping[str, Array], of: Sequence[int], to: Sequence[int]
) -> None:
    """Members `of` in a are members `to` in b, to the last bit (NaN equal to NaN)."""
    assert a.keys() == b.keys()
    for name in a:
        axis = member_axis(name)
        left, right = a[name].take(of, axis), b[name].take(to, axis)
        assert np.array_equal(left, right, equal_nan=True), name
