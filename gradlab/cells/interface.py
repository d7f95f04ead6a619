"""What the engine asks of a cell, and what the cells say in return.

A cell is a module of pure functions. Letters as everywhere: R members, B sequences (one column
each), H hidden units, I inputs, D state width, G rows of the recurrent weights, A rows of the
activations. Leading axes broadcast: where a signature says (..., H, B), the dots are R for one step
and (n, R) for a block of n steps.

One step is s_t = F(s_{t-1}, x_t). It is cut in three, because of what can be done for many steps at
once and what cannot:

    u_t = drive(p, x_t)                what does not depend on the state: a block in one product
    s_t, a_t = step(p, s_{t-1}, u_t)   the recurrence, step by step; a_t holds the pre-activations
    linearize(p, s_{t-1}, a_t, s_t)    the local derivatives at the pre-activation: a block again

`vjp` and `jacobian` are then two independent readings of the same linear map. All of them, and
`drive`, also take a block of steps with weights of its own for each step, p with axes (n, R).

What only some cells can say is in protocols of its own, `Paths`, `Factor` and `Factored`;
`isinstance` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from gradlab.nonlinearity import Array

Tensors = Mapping[str, Array]  # PyTorch's names without the layer suffix -> (R, rows[, columns])
Shape = tuple[int, ...]


class Share(NamedTuple):
    """A term of dL/d(tensor): the sum over sequences of left[:, b] times right[:, b], an outer
    product.

    right = None stands for ones: the gradient of a bias. `row` is the first row of the tensor that
    the term goes to; a tensor may get several terms, with disjoint rows.
    """

    tensor: str
    left: Array  # (..., m, B)
    right: Array | None  # (..., n, B)
    row: int = 0


class Reading(NamedTuple):
    """A gate, or the activation of a cell without gates, over a block of steps."""

    value: Array  # (..., H, B)
    slope: Array  # (..., H, B) the derivative at the pre-activation over its largest possible value


class Cell(Protocol):
    """The interface of a module in gradlab.cells.

    GATES names the blocks of H rows of `weight_hh`, in packed order; () says that there is no
    recurrent matrix, and then no `bias_hh`. PACKED names those of `weight_ih` and the biases.
    STATE names the parts of the state, each H wide, h first. KEEPS is the block of PACKED whose
    opening keeps the old state (`forget_bias` goes there), or None. SOURCE says where the equations
    are from.
    """

    SOURCE: str
    EQUATIONS: str
    GATES: tuple[str, ...]
    PACKED: tuple[str, ...]
    STATE: tuple[str, ...]
    KEEPS: str | None
    BIASES: int  # bias vectors by default: 2 is PyTorch's pair
    Options: Any  # a frozen dataclass: the cell's own keys in a config
    Local: Any  # the NamedTuple that `linearize` returns

    def shapes(self, H: int, I: int, biases: int, options: Any) -> dict[str, Shape]:
        """Tensor names and shapes, in the order in which they are drawn: recurrent first.

        Raises ValueError, saying what must hold, for sizes that the cell cannot have.
        """

    def init(self, tensors: Tensors, options: Any) -> Any:
        """The cell's Params from its tensors, each with leading axes: (R, ...) or (n, R, ...)."""

    def max_slope(self, options: Any) -> float | None:
        """The largest |phi'| where a step is one nonlinearity around the product, else None."""

    def drive(self, p: Any, x: Array) -> Array:
        """u (..., G, B) from x (..., I, B)."""

    def step(self, p: Any, s: Array, u: Array) -> tuple[Array, Array]:
        """s_t (R, D, B) and a_t (R, A, B) from s_{t-1} and u_t. Analytic: complex input works."""

    def linearize(self, p: Any, s_prev: Array, a: Array, s: Array) -> Any:
        """Local derivatives: a NamedTuple of arrays (..., rows, B)."""

    def vjp(self, p: Any, loc: Any, g: Array) -> tuple[Array, Array]:
        """J_t^T g (R, D, B), and the cotangents of the pre-activations (R, A', B), from g (R, D,
        B).
        """

    def jacobian(self, p: Any, loc: Any) -> Array:
        """J_t[i, j] = ds_t[i] / ds_{t-1}[j] for each sequence: (..., B, D, D)."""

    def pull(self, p: Any, loc: Any, cot: Array) -> Array:
        """dL/dx_t (..., I, B) from the cotangents that `vjp` gave."""

    def shares(self, cot: Array, a: Array, s_prev: Array, x: Array) -> tuple[Share, ...]:
        """The terms of the parameters' gradients, from the cotangents that `vjp` gave."""

    def totals(self, p: Any, loc: Any, g: Array, cot: Array) -> dict[str, Array]:
        """Adjoints of state parts that add their path through the rest of s_t, by name; {} for
        none. g and cot are what `vjp` got and gave.
        """

    def readings(self, loc: Any) -> dict[str, Reading]:
        """Gates, or the activation, for means and saturation."""


@runtime_checkable
class Paths(Protocol):
    """A cell with a second state c, on whose way from step to step there are several paths:

        dc_t/dc_{t-1} = B_t + sum over gates of D(dc_t/da_k) W_k K_{t-1},   K = D(dh/dc)

    the direct one, at fixed h_{t-1}, and one through h_{t-1} into each gate that makes c_t, h_{t-1}
    being taken as a function of c_{t-1} alone. This is a decomposition of a single step: the
    product of these sums over steps is not dc_T/dc_k, because h_{t-1} also depends on h_{t-2}.
    Totals come from the Jacobian of the whole state.
    """

    PATHS: tuple[str, ...]  # names of the terms, the direct one first

    def outlet(self, loc: Any) -> Array:
        """dh_t / dc_t, a diagonal: (..., H, B)."""

    def paths(self, p: Any, loc: Any, k_prev: Array) -> Array:
        """Squared Frobenius norm of each term, float64: (..., len(PATHS), B).

        k_prev is the outlet of the step before. An entry below 1e-162 has no square.
        """


@runtime_checkable
class Factor(Protocol):
    """A cell whose Jacobian is diagonal: each unit carries its own gradient."""

    def factor(self, p: Any, loc: Any) -> Array:
        """The diagonal of J_t: (..., H, B)."""


@runtime_checkable
class Factored(Protocol):
    """A cell that is one nonlinearity around a product: J_t = D(d) W, a diagonal times a matrix.

    Told apart, saturation does not spoil the product singular values: d may span any range.
    """

    def factors(self, p: Any, loc: Any) -> tuple[Array, Array]:
        """d (..., H, B) and W (..., H, H)."""
