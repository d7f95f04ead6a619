"""Networks written out as loops over steps and layers, for the complex step to differentiate.

Only `step` and `drive` of the bare cell are used (the table of the cells holds them against scalar
loops); how layers, skips, directions, phases and losses fit together is written here once more, in
another form than in gradlab: no joint state, no schedule, no vjp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import find
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member
from gradlab.engine.loss import upstream
from gradlab.plan import settle

Array = NDArray[Any]
TINY = 1e-100

Nudge = tuple[str, int, int]  # direction, step of its own time, layer


@dataclass(frozen=True)
class Unrolled:
    """One seed of one config."""

    config: Mapping[str, Any]

    @cached_property
    def spec(self) -> Any:
        return settle(from_mapping({**self.config, "seeds": [0]}).config)[1]

    @cached_property
    def drawn(self) -> dict[str, Any]:
        """All that is random, drawn as a run draws it."""
        spec = self.spec
        drawing = Drawing([Member(0, spec, 0)])
        directions = list(spec.entries)
        weights = [drawing.weights(k) for k in range(len(directions))]
        starts = [drawing.start(k)[0] for k in range(len(directions))]
        found: dict[str, Any] = {
            "weights": {
                d: {n: a[:, 0] for n, a in w.items()}
                for d, w in zip(directions, weights, strict=True)
            },
            "start": dict(zip(directions, starts, strict=True)),
            "x": drawing.segment(0, spec.T)[:, 0],
        }
        if spec.loss == "upstream":
            found["dh"] = upstream(drawing.streams[0], spec.loss_value, spec.H, spec.B)
        else:
            found["out"] = {n: a[0] for n, a in drawing.output(spec.H * len(directions)).items()}
            found["y"] = drawing.targets(spec.loss_steps)[:, 0]
        return found

    def outputs(
        self,
        direction: str,
        weights: Any = None,
        state_nudge: tuple[int, Array] | None = None,
        output_nudge: tuple[int, int, Array] | None = None,
    ) -> list[Array]:
        """The network's output at every step of the direction's own time, 1 .. T in blocks.

        weights: t -> tensors, in place of the drawn ones. state_nudge: (t, what is added to the
        whole state after step t). output_nudge: (t, layer, what is added to the layer's h before
        the layers above see it).
        """
        spec, shape = self.spec, self.spec.topology
        cell = find(spec.cell)
        options, parts = cell.Options(**spec.options), len(cell.STATE)
        x = self.drawn["x"] if direction == "forward" else self.drawn["x"][::-1]
        state = self.drawn["start"][direction].astype(complex)
        found = []
        for t in range(spec.steps + 1):
            if t:
                own = weights(t) if weights else self.tensors(direction, t)
                state, out = self._step(cell, options, own, state, x, t, output_nudge)
                found.append(out)
            if state_nudge and state_nudge[0] == t:
                state = state + state_nudge[1]
                if t:  # the output is a function of the state
                    h = np.split(state, parts * shape.layers)[: shape.layers]
                    found[-1] = sum(h) if shape.residual and shape.layers > 1 else h[-1]
        return found

    def tensors(self, direction: str, t: int) -> dict[str, Array]:
        """What step t of the network uses, names with the suffixes of layers."""
        shape = self.spec.topology
        which = 0
        if not shape.tied:
            which = t - 1
        elif shape.phases:
            which = int(t > shape.phases[0])
        return {n: a[which] for n, a in self.drawn["weights"][direction].items()}

    def _step(
        self, cell: Any, options: Any, own: Any, state: Array, x: Array, t: int, nudge: Any
    ) -> tuple[Array, Array]:
        shape = self.spec.topology

        def params(end: str) -> Any:
            chosen = {
                n.removesuffix(end): a[None] for n, a in own.items() if n.endswith(end) or not end
            }
            return cell.init(chosen, options)

        if shape.block:
            skip = h = state[None]
            for k in range(shape.block):
                p = params("" if shape.tied else f"_b{k}")
                u = cell.drive(p, x[(t - 1) * shape.block + k][None].astype(complex))
                h = cell.step(p, h, u + skip if k == shape.block - 1 else u)[0]
            return h[0], h[0]
        n, parts = shape.layers, len(cell.STATE)
        rows = np.split(state, n * parts)
        out, states = x[t - 1].astype(complex), []
        for k in range(n):
            p = params(f"_l{k}" if n > 1 else "")
            before = np.concatenate(rows[k::n])
            after = cell.step(p, before[None], cell.drive(p, out[None]))[0][0]
            h = np.split(after, parts)
            if shape.residual and n == 1:
                h[0] = h[0] + rows[0]
            seen = h[0]
            if nudge and nudge[:2] == (t, k):
                seen = h[0] = h[0] + nudge[2]
            out = seen + out if shape.residual and k else seen
            states.append(h)
        return np.concatenate([states[k][q] for q in range(parts) for k in range(n)]), out

    def loss_terms(self, by_direction: Mapping[str, list[Array]]) -> Array:
        """One term for each step with a loss; their sum is L."""
        spec = self.spec
        if spec.loss == "upstream":
            each = [
                [(self.drawn["dh"] * by_direction[d][t - 1]).sum() for t in spec.entries[d]]
                for d in by_direction
            ]
            return np.concatenate([np.array(one) for one in each])
        back = by_direction.get("backward")
        terms = []
        for k, t in enumerate(spec.loss_steps):
            h = by_direction["forward"][t - 1]
            if back is not None:
                own = spec.entries["backward"][::-1][k]
                h = np.concatenate((h, back[own - 1]))
            z = self.drawn["out"]["weight_out"] @ h + self.drawn["out"]["bias_out"][:, None]
            y, B = self.drawn["y"][k], spec.B
            if spec.loss == "mse":
                terms.append(((z - y) ** 2).sum() / (len(spec.loss_steps) * z.size))
            else:
                total = np.log(np.exp(z).sum(axis=0))
                terms.append((total - (z * y).sum(axis=0)).sum() / (len(spec.loss_steps) * B))
        return np.array(terms)

    def loss(self, changed: str = "forward", **change: Any) -> complex:
        """L, with the direction `changed` run in another way."""
        runs = {d: self.outputs(d, **(change if d == changed else {})) for d in self.spec.entries}
        return complex(self.loss_terms(runs).sum())

    def state_adjoint(self, direction: str, t: int) -> Array:
        """dL/ds_t, the rest of s_t held fixed: (D, B)."""
        D, B = self.drawn["start"][direction].shape
        return self._entries((D, B), lambda e: self.loss(direction, state_nudge=(t, e)))

    def layer_adjoint(self, direction: str, t: int, layer: int) -> Array:
        """dL/dh of a layer with every path: (H, B)."""
        shape = (self.spec.H, self.spec.B)
        return self._entries(shape, lambda e: self.loss(direction, output_nudge=(t, layer, e)))

    def weight_gradients(self, direction: str, name: str) -> Array:
        """dL/d(tensor) of every set that it has: (sets, ...)."""
        drawn = self.drawn["weights"][direction][name]

        def loss(nudge: Array) -> complex:
            def weights(t: int) -> dict[str, Array]:
                own = self.tensors(direction, t)
                index = self.spec.sets[t - 1]
                return own | {name: own[name] + nudge[index]}

            return self.loss(direction, weights=weights)

        return self._entries(drawn.shape, loss)

    def terms_by_step(self, name: str) -> Array:
        """G (terms, T, ...): each loss term's gradient by the tensor as one step uses it."""
        shape = self.tensors("forward", 1)[name].shape
        found = np.zeros((len(self.spec.loss_steps), self.spec.steps, *shape))
        for k in range(self.spec.steps):
            for at in np.ndindex(*shape):
                nudge = np.zeros(shape, complex)
                nudge[at] = 1j * TINY

                def weights(t: int, k: int = k, nudge: Array = nudge) -> dict[str, Array]:
                    own = self.tensors("forward", t)
                    return own | {name: own[name] + nudge} if t == k + 1 else own

                terms = self.loss_terms({"forward": self.outputs("forward", weights=weights)})
                found[(slice(None), k, *at)] = terms.imag / TINY
        return found

    @staticmethod
    def _entries(shape: tuple[int, ...], loss: Any) -> Array:
        """The gradient by an array, one complex step for each of its entries."""
        found = np.zeros(shape)
        for at in np.ndindex(*shape):
            nudge = np.zeros(shape, complex)
            nudge[at] = 1j * TINY
            found[at] = loss(nudge).imag / TINY
        return found
