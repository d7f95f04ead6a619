"""One update of R members: their batches, the gradient, clipping, the optimiser's step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradlab.drawn import Drawing, Member
from gradlab.draws import Streams
from gradlab.engine.spectrum import weight_eigenvalues
from gradlab.ensemble import step_clip
from gradlab.lessons.lesson import Training
from gradlab.memory import memory_plan
from gradlab.nonlinearity import Array
from gradlab.spec import Spec
from gradlab.training.clipping import Clipped, clipped
from gradlab.training.gradient import EMBEDDING, Found, gradient, stacked
from gradlab.training.state import CURVES, State, Tensors

Members = NDArray[np.int64]


class Trainer:
    """Members of one shape that learn side by side, each from weights and batches of its own."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members, self.spec = list(members), members[0].spec
        self.training = trained(self.spec)
        self.streams = [Streams(m.seed, m.spec.generator) for m in members]
        drawing = Drawing(members)
        weights = drawing.weights(0)
        self._first = {name: a[0] for name, a in weights.items()}
        self.start = drawing.start(0)  # (R, D, B) of a sequence that follows no other
        self._first |= self._output(drawing) | self._embedding()
        self.chunk, self.every = memory_plan(self.spec, len(members))
        self.rates = np.array([trained(m.spec).learning_rate for m in members])
        self.radius_every = _radius_every(self.spec)

    def begin(self) -> State:
        """Before the first update."""
        R, updates = len(self.members), self.training.updates
        return State(
            0,
            {name: a.copy() for name, a in self._first.items()},
            {
                slot: {name: np.zeros_like(a) for name, a in self._first.items()}
                for slot in self.training.optimizer.slots
            },
            np.zeros(R, np.int64),
            np.zeros(R, np.int64),
            self.start.copy(),
            {name: np.full((R, updates), np.nan) for name in CURVES},
        )

    def batch(self, update: int, r: Sequence[int] | Members) -> tuple[Array, Array]:
        """Inputs and targets of some members, side by side."""
        each = [
            trained(self.members[k].spec).task.batch(self.streams[k], update, self.spec.B)
            for k in r
        ]
        return stacked(each, self.spec.dtype)

    def update(self, state: State) -> None:
        """The next update of all members that have not stopped."""
        state.update += 1
        running = np.flatnonzero(state.stopped == 0)
        with np.errstate(all="ignore"):
            for start in range(0, len(running), self.chunk):
                self._some(state, running[start : start + self.chunk])
            for r in running:
                self._stop(state, int(r))

    def _some(self, state: State, r: Members) -> None:
        """The update of some members, by their places."""
        column, members = state.update - 1, [self.members[k] for k in r]
        tensors = {name: _part(a, r) for name, a in state.tensors.items()}
        radius = self._radius(tensors, column)
        x, y = self.batch(state.update, r)
        carried = self.training.task.carried(state.update)
        s0 = state.carried[r] if carried else self.start[r]
        found = gradient(self.spec, tensors, x, y, s0, self.every, step_clip(members))
        told = clipped(found, members)
        self._step(state, r, told)
        state.carried[r] = np.where(told.fit[:, None, None], found.last, self.start[r])
        self._note(state, r, column, found, told, radius)

    def _step(self, state: State, r: Members, told: Clipped) -> None:
        """Change the weights of those members whose gradient is fit to be used."""
        fit = np.flatnonzero(told.fit)
        at, optimizer = r[fit], self.training.optimizer
        state.taken[at] += 1
        rate, taken = self.rates[at], state.taken[at]
        dense = {name: _part(g, fit) for name, g in told.gradients.items()}
        if told.rows and optimizer.slots:
            dense[EMBEDDING] = _filled(state.tensors[EMBEDDING], told, fit)
        for name, g in dense.items():
            own = {slot: _part(tensors[name], at) for slot, tensors in state.slots.items()}
            new = _part(state.tensors[name], at)
            new -= optimizer.step(g, own, rate, taken)
            _put(state.tensors[name], at, new)
            for slot, a in own.items():
                _put(state.slots[slot][name], at, a)
        if told.rows and not optimizer.slots:  # nothing moves the rows that were not looked up
            for k, a in zip(fit, at, strict=True):
                index, values = told.rows[k]
                table = state.tensors[EMBEDDING][a]
                table[index] -= optimizer.step(values[None], {}, self.rates[[a]], taken[:1])[0]

    def _note(
        self, state: State, r: Members, column: int, found: Found, told: Clipped, radius: Array
    ) -> None:
        """What is recorded of an update."""
        lost = found.overflow > 0
        values = {
            "loss": np.where(lost, np.nan, found.loss),
            "right": np.where(lost, np.nan, found.right),
            "log10_norm": np.where(lost, np.nan, told.log10_norm),
            "log10_clipped_norm": np.where(lost, np.nan, told.log10_clipped),
            "clip_rate": np.where(told.fit, told.rate, np.nan),
            "spectral_radius": radius,
            "nonfinite": ~told.fit,
        }
        for name, value in values.items():
            state.curves[name][r, column] = value
        for k in r[~told.fit]:  # of side by side experiments each says for itself
            if trained(self.members[k].spec).nonfinite == "stop":
                state.stopped[k] = state.update

    def _stop(self, state: State, r: int) -> None:
        """End a member's training where its means over the last updates say so."""
        stop = trained(self.members[r].spec).stop
        if stop is None or state.update < stop.over:
            return
        last = slice(state.update - stop.over, state.update)
        mean = {name: float(state.curves[name][r, last].mean()) for name in ("loss", "right")}
        low = stop.loss is not None and mean["loss"] <= stop.loss
        if low or (stop.accuracy is not None and mean["right"] >= stop.accuracy):
            state.stopped[r] = state.update

    def _radius(self, tensors: Tensors, column: int) -> Array:
        """(R,) the spectral radius, the largest of the blocks; NaN where it is not told."""
        spec, R = self.spec, len(tensors["bias_out"])
        if not spec.radius or not spec.base.GATES or column % self.radius_every:
            return np.full(R, np.nan)
        names = [name for layer in spec.weights for name in layer]
        each = [weight_eigenvalues(len(spec.base.GATES), tensors[name]) for name in names]
        return np.asarray(np.abs(np.concatenate(each, axis=1)).max(axis=(1, 2)))

    def _output(self, drawing: Drawing) -> Tensors:
        """The output layer: that of a run, its weights times output_scale."""
        layer = drawing.output(self.spec.H)
        scale = np.array([trained(m.spec).output_scale for m in self.members])
        layer["weight_out"] *= scale.astype(self.spec.dtype)[:, None, None]
        return layer

    def _embedding(self) -> Tensors:
        """The vectors of the symbols, (R, V, I): N(0, 1); {} for a task without."""
        symbols = self.training.task.symbols
        if not symbols:
            return {}
        shape = (symbols, self.spec.I)
        each = [own.of("embedding").standard_normal(shape) for own in self.streams]
        return {EMBEDDING: np.stack(each).astype(self.spec.dtype)}


def trained(spec: Spec) -> Training:
    """The training of an experiment that has one."""
    assert spec.train is not None
    return spec.train


def _part(a: Array, r: Members) -> Array:
    """The members r of an array; the array itself, no copy, where that is all of them."""
    return a if len(r) == len(a) else a[r]


def _put(a: Array, r: Members, new: Array) -> None:
    """Put members back that `_part` may have copied."""
    if new is not a:
        a[r] = new


def _filled(table: Array, told: Clipped, fit: Members) -> Array:
    """The gradient of an embedding with all its rows, of some members."""
    whole = np.zeros((len(fit), *table.shape[1:]), table.dtype)
    for k, r in enumerate(fit):
        whole[k, told.rows[r].at] = told.rows[r].values
    return whole


# operations of products in float64; in float32, where these alone go faster, twice as many
OVERHEAD = 2e6  # in the time that a step takes beside its products, about
EIGENVALUES = 100  # in the time of eigenvalues, for H^3


def _radius_every(spec: Spec) -> int:
    """Updates between spectral radii: so many that they take a twentieth of the time, about."""
    H, gates, layers = spec.H, len(spec.base.GATES), spec.topology.layers
    faster = np.dtype(np.float64).itemsize // spec.dtype.itemsize
    radius = faster * EIGENVALUES * gates * layers * H**3
    products = 6 * layers * max(gates, 1) * H * (H + spec.I) * spec.B * spec.T
    outputs = 6 * spec.outputs * H * spec.B * len(spec.loss_steps)
    return max(1, math.ceil(20 * radius / (products + outputs + faster * OVERHEAD * spec.T)))
