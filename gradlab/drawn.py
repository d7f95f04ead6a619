"""What the members of an ensemble draw: weights, initial states, the gradient, targets, inputs.

Every set of weights (a layer, a direction, a step's own) has its own streams, in the order
direction, set, part of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from gradlab.draws import Streams
from gradlab.engine.loss import Read, read_out
from gradlab.engine.schedule import Schedule, Scheduled, Shared
from gradlab.errors import GradlabError
from gradlab.initial import Loaded, member
from gradlab.inputs import Inputs
from gradlab.nonlinearity import Array
from gradlab.spec import Spec, Start

Tensors = dict[str, Array]

# the key that makes a drawn array too large
CAUSES = {
    "weight_hh": "weight_scale",
    **dict.fromkeys(("peephole_i", "peephole_f", "peephole_o"), "weight_scale"),
    "weight_ih": "init.input_scale",
    "bias_ih": "init.bias",
    "bias_hh": "init.bias",
}


@dataclass(frozen=True)
class Member:
    """One seed of one experiment; `index` tells which experiment."""

    index: int
    spec: Spec
    seed: int


class Drawing:
    """The draws of some members of one shape. With mt19937, ask in the order of the methods."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members, self.spec = members, members[0].spec  # whatever is the same for all
        self.streams = [Streams(m.seed, m.spec.generator) for m in members]

    def weights(self, direction: int) -> Tensors:
        """The tensors of one direction: (sets, R, rows[, columns])."""
        each = [
            self._of_member(m, own, direction)
            for m, own in zip(self.members, self.streams, strict=True)
        ]
        return {name: _stacked([t[name] for t in each], axis=1) for name in each[0]}

    def _of_member(self, m: Member, streams: Streams, direction: int) -> Tensors:
        spec, cell = m.spec, m.spec.base
        options = cell.Options(**spec.options)
        sets, copy, found = int(spec.sets.max()) + 1, 0, []
        parts = [
            (end, spec.handed if k and spec.topology.layers > 1 else spec.I)
            for k, end in enumerate(spec.suffixes)
        ]
        for index in range(sets):
            one: Tensors = {}
            for k, (end, I) in enumerate(parts):
                init = spec.init
                if isinstance(init, Loaded):
                    init = init.part(end, direction)
                copy = (direction * sets + index) * len(parts) + k
                with np.errstate(over="ignore", invalid="ignore"):  # also 0 times an infinity
                    own = member(cell, options, init, spec.H, I, spec.weight_scale, streams, copy)
                one |= {
                    name + end: within_range(a, spec.dtype, CAUSES.get(name, "init"))
                    for name, a in own.items()
                }
            found.append(one)
        return {name: _stacked([one[name] for one in found], axis=0) for name in found[0]}

    def start(self, direction: int) -> Array:
        """Initial states (R, D, B)."""
        spec = self.spec
        shape = (len(spec.base.STATE), spec.topology.layers, spec.H, spec.B)
        with np.errstate(over="ignore"):
            each = [
                _start(m.spec.start, shape, own, direction)
                for m, own in zip(self.members, self.streams, strict=True)
            ]
        return np.stack([within_range(s, spec.dtype, "initial_state") for s in each])

    def output(self, width: int) -> Tensors:
        """The output layer: weight_out (R, O, width) with std 1/sqrt(width), bias_out (R, O)."""
        spec = self.spec
        each = [
            own.of("output").standard_normal((spec.outputs, width)) / np.sqrt(width)
            for own in self.streams
        ]
        zeros = np.zeros((len(each), spec.outputs), spec.dtype)
        return {"weight_out": np.stack(each).astype(spec.dtype), "bias_out": zeros}

    def read(self, h: Array) -> Read:
        """The loss of the states h (m, R, width, B) at its steps, through the output layer."""
        layer, y = self.output(h.shape[-2]), self.targets(self.spec.loss_steps)
        V, c, wanted = layer["weight_out"], layer["bias_out"], self.spec.weight_gradients
        return read_out(self.spec.loss, h, V, c, y, wanted)

    def targets(self, steps: Sequence[int]) -> Array:
        """y at some steps (m, R, O, B): classes one-hot for cross_entropy, else numbers."""
        spec = self.spec
        if spec.targets == "shifted" and spec.loss == "cross_entropy":
            return _onehot(self._symbols(steps), spec)
        if spec.targets == "shifted":
            return np.concatenate([self.segment(t, 1) for t in steps])
        shape = (len(steps), spec.outputs, spec.B)
        each = [_targets(own, shape, spec.loss) for own in self.streams]
        y = np.stack(each, axis=1)
        return _onehot(y, spec) if spec.loss == "cross_entropy" else y.astype(spec.dtype)

    def segment(self, t0: int, n: int) -> Array:
        """x_{t0+1} .. x_{t0+n} of the sequence: (n, R, I, B), drawn experiment by experiment."""
        segments = []
        for inputs, own in self._experiments():
            with np.errstate(over="ignore"):
                drawn = inputs.segment(own, t0, n, self.spec.dtype)
            segments.append(within_range(drawn, self.spec.dtype, "inputs"))
        return segments[0] if len(segments) == 1 else np.concatenate(segments, axis=1)

    def _symbols(self, steps: Sequence[int]) -> Array:
        """The class of the input after each of some steps: (m, R, B)."""
        each = [inputs.symbols(own, steps, self.spec.dtype) for inputs, own in self._experiments()]
        return np.concatenate(each, axis=1)

    def _experiments(self) -> Iterator[tuple[Inputs, list[Streams]]]:
        """The inputs of each experiment, and the streams of its members."""
        for _, group in groupby(range(len(self.members)), key=lambda r: self.members[r].index):
            rows = list(group)
            yield self.members[rows[0]].spec.inputs, [self.streams[r] for r in rows]

    def inputs(self, direction: int, tick: Callable[[], None]) -> Callable[[int, int], Array]:
        """The engine's x(t0, n), for steps of the network."""
        stride, T = self.spec.topology.stride, self.spec.T

        def x(t0: int, n: int) -> Array:
            tick()
            if direction == 1:
                return np.ascontiguousarray(self.segment(T - t0 - n, n)[::-1])
            steps = self.segment(t0 * stride, n * stride)
            if stride == 1:
                return steps
            _, R, I, B = steps.shape
            return steps.reshape(n, stride, R, I, B).swapaxes(1, 2).reshape(n, R, stride * I, B)

        return x


def _stacked(arrays: Sequence[Array], axis: int) -> Array:
    """`np.stack`; of one array no copy."""
    return np.expand_dims(arrays[0], axis) if len(arrays) == 1 else np.stack(arrays, axis)


def schedule(spec: Spec, tensors: Tensors) -> Schedule:
    """Which of the sets of weights (sets, R, ...) each step of the network has."""
    cell = spec.network
    options = spec.base.Options(**spec.options)
    if len(next(iter(tensors.values()))) == 1:
        return Shared(cell.init({name: a[0] for name, a in tensors.items()}, options))
    return Scheduled(cell, options, tensors, spec.sets)


def within_range(array: Array, dtype: np.dtype[Any], key: str) -> Array:
    """The array in the run's precision. Raises GradlabError where that cannot hold it."""
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    # what members share, by a stride of 0, is looked at once
    each = cast[tuple(slice(None if stride else 1) for stride in cast.strides)]
    if not np.isfinite(each).all():
        raise GradlabError(f"{key} goes beyond the range of {dtype.name}; use a smaller value")
    return cast


def _start(
    start: Start, shape: tuple[int, int, int, int], streams: Streams, direction: int
) -> Array:
    """s_0 of one member: (D, B), the parts of the state one below the other, each with all layers;
    a given state is that of every layer. shape: parts, layers, H, B.
    """
    parts, layers, H, B = shape
    if start.given is not None:
        return np.repeat(start.given.reshape(parts, H, B), layers, axis=0).reshape(-1, B)
    D = parts * layers * H
    if start.kind == "normal":
        return streams.of("state", direction).standard_normal((D, B)) * start.std
    return np.zeros((D, B))


def _targets(streams: Streams, shape: tuple[int, int, int], loss: str) -> Array:
    m, O, B = shape
    random = streams.of("targets")
    if loss == "mse":
        return random.standard_normal(shape)
    draw = random.integers if isinstance(random, np.random.Generator) else random.randint
    return draw(0, O, size=(m, B))


def _onehot(classes: Array, spec: Spec) -> Array:
    """(m, R, O, B) from class numbers (m, R, B)."""
    return (np.arange(spec.outputs)[:, None] == classes[:, :, None, :]).astype(spec.dtype)
