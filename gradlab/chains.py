"""The chains of a network, run forward.

A chain is a recurrence with a time of its own. One direction is one chain, whatever is stacked
within its steps; two directions are two, the second one's time running against the sequence. With
two directions and several layers each layer has two chains of its own, for the next layer reads
what both directions say of one step of the sequence:

    y^1_t = x_t,   y^{l+1}_t = [h^l_t forward, h^l_t backward]               plain
                   y^{l+1}_t = [h^l_t forward, h^l_t backward] + y^l_t       residual, from l = 2 on
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradlab.drawn import Drawing, Tensors, schedule
from gradlab.engine.forward import Segments, Trajectory, forward
from gradlab.networks import output
from gradlab.nonlinearity import Array
from gradlab.spec import Spec


@dataclass(frozen=True)
class Chain:
    """One direction of a layer, or of the whole network: its weights and its forward pass."""

    direction: str
    end: str  # what the network appends to the names of its tensors
    tensors: Tensors  # (sets, R, ...) under the names of the chain's cell
    trajectory: Trajectory
    entries: tuple[int, ...]  # where the gradient of the loss enters, in the chain's own time


def run_chains(
    drawing: Drawing, tensors: Sequence[Tensors], every: int | None, tick: Callable[[], None]
) -> tuple[list[tuple[Chain, ...]], list[Array]]:
    """Of each layer that has chains of its own (else of the network) its chains by direction, and
    what an output loss reads of each direction: (m, R, H, B), in its own time.

    tensors: the weights of each direction. Initial states are drawn first. every: steps between
    checkpoints.
    """
    spec = drawing.spec
    starts = [drawing.start(k) for k in range(len(spec.entries))]
    layers: list[tuple[Chain, ...]] = []
    read: list[Array] = []
    y: Array | None = None
    for depth, end in enumerate(spec.chains):
        last = depth == len(spec.chains) - 1
        chains, read = [], []
        for k, (name, at) in enumerate(spec.entries.items()):
            watch = np.array(at if last else range(1, spec.steps + 1))
            if last and spec.loss == "upstream":
                watch = watch[:0]
            own = {n.removesuffix(end): a for n, a in tensors[k].items() if n.endswith(end)}
            x = drawing.inputs(k, tick) if y is None else _reading(y, k, tick)
            s0 = _of_layer(starts[k], depth, spec)
            trajectory, h = _run(spec, own, x, s0, every, watch)
            if y is not None and spec.topology.residual:
                h = h + _half(y, k)[watch - 1]
            chains.append(Chain(name, end, own, trajectory, at))
            read.append(h)
        layers.append(tuple(chains))
        if not last:
            y = np.concatenate((read[0], read[1][::-1]), axis=-2)
    return layers, read


def _run(
    spec: Spec, own: Tensors, x: Segments, s0: Array, every: int | None, watch: NDArray[np.int64]
) -> tuple[Trajectory, Array]:
    """A chain run forward, and h at the steps of `watch`: only that is needed of these states."""
    trajectory = forward(spec.network, schedule(spec, own), x, s0, spec.steps, every, watch)
    nothing = np.empty((0, *s0.shape), s0.dtype)
    return replace(trajectory, watched=nothing), output(spec.network, trajectory.watched)


def _reading(y: Array, direction: int, tick: Callable[[], None]) -> Segments:
    """What a chain reads of the outputs y (T, R, 2H, B) of the layer below, in its own time."""
    own = y[::-1] if direction else y

    def x(t0: int, n: int) -> Array:
        tick()
        return np.ascontiguousarray(own[t0 : t0 + n])

    return x


def _half(y: Array, direction: int) -> Array:
    """The rows of y (T, R, 2H, B) that are of a direction, in its own time: (T, R, H, B)."""
    H = y.shape[-2] // 2
    return y[::-1, :, H:] if direction else y[:, :, :H]


def _of_layer(s0: Array, depth: int, spec: Spec) -> Array:
    """The state (R, D, B) of a chain's layer, of a state that has each part with all layers."""
    if not spec.topology.chained:
        return s0
    R, rows, B = s0.shape
    apart = s0.reshape(R, -1, spec.topology.layers, spec.H, B)
    return np.ascontiguousarray(apart[:, :, depth]).reshape(R, rows // spec.topology.layers, B)
