"""A user's `step` as a cell: derivatives by complex step between its products, and by the chain
rule across them.

    z_k = W_k v_k,   v_k = v_k(s_{t-1}, x_t, b, z_1 .. z_{k-1}),   s_t = s_t(s_{t-1}, x_t, b, z)

With the partial derivatives of the v and of s_t known (`partials`), the cotangents come in reverse,

    z_k: sum over targets of (d target / d z_k)^T (its cotangent),   v_k: W_k^T (that of z_k)

and dL/dW_k is the outer product of z_k's cotangent with v_k. The activations of a step are x and
the v, its cotangents those of the z, of the vectors, and g itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.cells.own.chain import disjoint, pulled, pushed, rows_of, split, widened
from gradlab.cells.own.definition import Definition
from gradlab.cells.own.faults import OwnCellError
from gradlab.cells.own.folding import Folding, folding
from gradlab.cells.own.partials import Layout, Pattern, Values, all_partials, layout
from gradlab.cells.own.products import Parameters, Tape, guard, noted
from gradlab.nonlinearity import Array


@dataclass(frozen=True)
class Options:
    """An own cell has no options."""


class Local(NamedTuple):
    """What a step's derivative needs."""

    s_prev: Array  # (..., D, B)
    x: Array  # (..., I, B)
    partials: Array  # (..., P, B) as the layout has them


class OwnCell(Definition):
    """The cell of a file; see gradlab.cells.interface.Cell for every function."""

    KEEPS = None
    Options: Any = Options
    Local: Any = Local

    def __init__(self, module: ModuleType, path: Path) -> None:
        super().__init__(module, path)
        self.pattern: Pattern = ()  # these two are filled in by `check`
        self.multiplied: tuple[str, ...] = ()  # the tensor of each product
        self._layouts: dict[tuple[int, int], Layout] = {}

    def init(self, tensors: Tensors, options: Any) -> dict[str, Array]:
        """The tensors themselves."""
        return dict(tensors)

    def max_slope(self, options: Any) -> None:
        """Not known."""

    # --- the step -----------------------------------------------------------------------------

    def drive(self, p: dict[str, Array], x: Array) -> Array:
        """x: what a file does with it is its own business."""
        return x

    def step(self, p: dict[str, Array], s: Array, u: Array) -> tuple[Array, Array]:
        """s_t, and x with the operands of the products."""
        H, I = self._sizes(s, u)
        shapes = self.every(H, I)
        how = folding(p, shapes, s)
        tape = Tape()
        new = self.call(noted(how.tensors(p, shapes), shapes, tape), how.fold(s), how.fold(u))
        a = [u, *(how.unfold(widened(v, how.fold(s))) for v in tape.operands)]
        return how.unfold(new), np.concatenate(a, axis=-2)

    def _sizes(self, s: Array, x: Array) -> tuple[int, int]:
        return s.shape[-2] // len(self.STATE), x.shape[-2]

    # --- derivatives --------------------------------------------------------------------------

    def layout(self, H: int, I: int) -> Layout:
        """The products and partials at these sizes: from one evaluation of the step."""
        if (H, I) not in self._layouts:
            shapes, D, tape = self.every(H, I), len(self.STATE) * H, Tape()
            zeros = {name: np.zeros((1, *shape)) for name, shape in shapes.items()}
            s, x = np.zeros((1, D, 1)), np.zeros((1, I, 1))
            how = folding(zeros, shapes, s)
            self.call(noted(how.tensors(zeros, shapes), shapes, tape), s, x)
            vectors = {name: shape[0] for name, shape in shapes.items() if len(shape) == 1}
            products = tuple(tape.products)
            self._layouts[H, I] = layout(self.pattern, H, I, D, products, vectors)
        return self._layouts[H, I]

    def cut(
        self, tensors: dict[str, Array], shapes: dict[str, Shape], s: Array, x: Array
    ) -> tuple[Callable[[Values], Values], Values]:
        """The step with its products cut out, and the values of its sources at this point.

        All arrays folded: (R, rows, B).
        """
        tape = Tape()
        self.call(noted(tensors, shapes, tape), s, x)
        results = [widened(z, s) for z in tape.results]
        vectors = {name: tensors[name] for name, shape in shapes.items() if len(shape) == 1}
        here = {"s": s, "x": x, **vectors, **{f"z{k}": z for k, z in enumerate(results)}}

        def evaluate(values: Values) -> Values:
            own = Tape([values[f"z{k}"] for k in range(len(results))])
            p = noted({**tensors, **{n: values[n] for n in vectors}}, shapes, own)
            new = self.call(p, values["s"], values["x"])
            if own.products != tape.products:
                raise OwnCellError(f"{self.path.name}: step takes other products for other values")
            operands = {f"v{k}": widened(v, s) for k, v in enumerate(own.operands)}
            return {**operands, "new": new}

        return evaluate, here

    def linearize(self, p: dict[str, Array], s_prev: Array, a: Array, s: Array) -> Any:
        """The partial derivatives, in double precision (the complex step needs its range)."""
        plan, x = self._plan(p, s_prev, a)
        shapes = self.every(plan.H, plan.I)
        how = folding(p, shapes, s_prev)
        tensors = {k: t.astype(float) for k, t in how.tensors(p, shapes).items()}
        states, inputs = how.fold(s_prev).astype(float), how.fold(x).astype(float)
        evaluate, here = self.cut(tensors, shapes, states, inputs)
        with np.errstate(all="ignore"):
            found = how.unfold(all_partials(evaluate, here, plan)).astype(s.dtype)
        return Local(s_prev, x, found)

    def _plan(self, p: dict[str, Array], s_prev: Array, a: Array) -> tuple[Layout, Array]:
        """The layout and x, which is in front of the operands; their widths are the tensors'."""
        H = s_prev.shape[-2] // len(self.STATE)
        I = a.shape[-2] - sum(p[name].shape[-1] for name in self.multiplied)
        return self.layout(H, I), a[..., :I, :]

    def vjp(self, p: dict[str, Array], loc: Any, g: Array) -> tuple[Array, Array]:
        """J^T g, and the cotangents of products and vectors with g itself."""
        plan = self.layout(*self._sizes(loc.s_prev, loc.x))
        bars = self._bars(p, plan, loc, g)
        how, plain = self._plain(p, loc)
        s = how.fold(loc.s_prev)
        found = self.given("vjp", s.shape, plain, s, how.fold(loc.x), how.fold(g))
        if found is None:
            back = pulled(plan, "s", loc.partials, bars)
        else:
            back = how.unfold(found).astype(g.dtype, copy=False)
        vectors = [pulled(plan, name, loc.partials, bars) for name in plan.vectors]
        z = [bars[f"z{k}"] for k in range(len(plan.products))]
        return back, np.concatenate([*z, *vectors, g], axis=-2)

    def _bars(self, p: dict[str, Array], plan: Layout, loc: Any, g: Array) -> dict[str, Array]:
        """Cotangents of all z and v and of the new state, by name."""
        bars = {"new": g}
        for k in reversed(range(len(plan.products))):
            bars[f"z{k}"] = pulled(plan, f"z{k}", loc.partials, bars)
            bars[f"v{k}"] = rows_of(p, plan, k).swapaxes(-1, -2) @ bars[f"z{k}"]
        return bars

    def jacobian(self, p: dict[str, Array], loc: Any) -> Array:
        """The file's, or the chain rule forwards."""
        plan = self.layout(*self._sizes(loc.s_prev, loc.x))
        how, plain = self._plain(p, loc)
        s = how.fold(loc.s_prev)
        (R, D, B), dtype = s.shape, loc.partials.dtype
        found = self.given("jacobian", (R, B, D, D), plain, s, how.fold(loc.x))
        if found is not None:
            return how.unfold_squares(found).astype(dtype, copy=False)
        return pushed(p, plan, loc.partials, loc.s_prev.shape[-2])

    def pull(self, p: dict[str, Array], loc: Any, cot: Array) -> Array:
        """dL/dx from the cotangents of the products and g."""
        plan = self.layout(*self._sizes(loc.s_prev, loc.x))
        bars = dict(split(plan, cot, loc.s_prev.shape[-2]))
        for k in range(len(plan.products)):
            bars[f"v{k}"] = rows_of(p, plan, k).swapaxes(-1, -2) @ bars[f"z{k}"]
        return pulled(plan, "x", loc.partials, bars)

    def shares(self, cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
        """Products: cotangent and operand; vectors: cotangent."""
        plan = self.layout(*self._sizes(s_prev, x))
        bars = dict(split(plan, cot, s_prev.shape[-2]))
        terms, at = [], x.shape[-2]
        for k, product in enumerate(plan.products):
            v = a[..., at : at + product.columns, :]
            terms.append(Share(product.tensor, bars[f"z{k}"], v, product.row))
            at += product.columns
        every = self.every(plan.H, plan.I)
        return (
            *(share for name, shape in every.items() for share in disjoint(name, shape, terms)),
            *(Share(name, bars[name], None) for name in plan.vectors),
        )

    def totals(self, p: Any, loc: Any, g: Array, cot: Array) -> dict[str, Array]:
        """None are known."""
        return {}

    def readings(self, loc: Any) -> dict[str, Reading]:
        """None: which of its numbers are gates, the file does not say."""
        return {}

    def _plain(self, p: dict[str, Array], loc: Any) -> tuple[Folding, Parameters]:
        """How to fold, and p with plain arrays."""
        shapes = self.every(*self._sizes(loc.s_prev, loc.x))
        how = folding(p, shapes, loc.s_prev)
        tensors = how.tensors(p, shapes)
        return how, Parameters({name: guard(tensor) for name, tensor in tensors.items()})
