"""Any cell's derivatives, held against its own `step`.

A `Point` is one step of one cell: weights, state and input. Each function below takes a point and
returns an error, already divided by the scale of what is compared, so that it only remains to state
the tolerance. `jacobian` and `vjp` can be passed in: so a planted error can be shown to be found.

The complex step: for analytic f, Im f(x + i h v) / h = f'(x) v up to h^2, without a difference of
nearly equal numbers. With h = 1e-100 the h^2 is gone and the result is as good as f itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from gradlab.cells.interface import Cell, Share
from gradlab.nonlinearity import Array

TINY = 1e-100  # the complex step: its square is below float range

R = 2  # members: every function of a cell works on an ensemble
SIZES = [(1, 1, 1), (5, 3, 2), (3, 7, 2)]  # (H, I, B); the last has inputs wider than the state
# standard deviation of the parts of a pre-activation: near zero every phi is linear; at 1 it bends;
# at 20 most units are saturated, |a| reaches 60 and slopes 1e-50
REGIMES = {"near_zero": 1e-3, "typical": 1.0, "saturated": 20.0}


class Point(NamedTuple):
    """One step of one cell."""

    cell: Cell
    options: Any
    tensors: dict[str, Array]  # (R, rows[, columns])
    s_prev: Array  # (R, D, B)
    x: Array  # (R, I, B)

    @property
    def p(self) -> Any:
        """The cell's Params."""
        return self.cell.init(self.tensors, self.options)

    def step(
        self, s_prev: Array | None = None, x: Array | None = None, tensors: Any = None
    ) -> Array:
        """s_t, with any of the three replaced (by complex values, or several states at once)."""
        return self.both(s_prev, x, tensors)[0]

    def both(
        self, s_prev: Array | None = None, x: Array | None = None, tensors: Any = None
    ) -> tuple[Array, Array]:
        """s_t and the activations a_t."""
        p = self.cell.init(self.tensors if tensors is None else tensors, self.options)
        u = self.cell.drive(p, self.x if x is None else x)
        return self.cell.step(p, self.s_prev if s_prev is None else s_prev, u)

    @property
    def local(self) -> Any:
        """The cell's local derivatives at this step."""
        s, a = self.both()
        return self.cell.linearize(self.p, self.s_prev, a, s)


def choices_of(hint: Any) -> list[Any]:
    """What is tried of an option: each of some names; or, of a list of names, all, none, the last
    alone and all but the last, so that each name is there and not there. [] for other options.
    """
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    if get_origin(hint) is tuple:
        names = get_args(get_args(hint)[0])
        return [names, (), names[-1:], names[:-1]]
    return []


def variants(cell: Cell) -> Iterator[Any]:
    """Every combination of the options that are a choice among names, the others by default."""
    hints = get_type_hints(cell.Options)
    fields = [f.name for f in dataclasses.fields(cell.Options)]
    choices = {name: tried for name in fields if (tried := choices_of(hints[name]))}
    for values in itertools.product(*choices.values()):
        yield cell.Options(**dict(zip(choices, values, strict=True)))


def described(name: str, options: Any) -> str:
    """rnn-relu, lstm_peephole-if: the cell with its choices, as a test's id."""

    def word(choice: Any) -> str:
        return ("".join(choice) or "none") if isinstance(choice, tuple) else str(choice)

    return "-".join([name, *(word(v) for v in dataclasses.asdict(options).values())])


def random_point(cell: Cell, options: Any, size: tuple[int, int, int], regime: str) -> Point:
    """A random step whose pre-activations have standard deviation about REGIMES[regime].

    It has every bias that the cell can have. Raises ValueError for a size that the cell cannot
    have.
    """
    H, I, B = size
    random = np.random.default_rng([H, I, B, sorted(REGIMES).index(regime)])
    scale = REGIMES[regime]
    tensors = {
        name: random.standard_normal((R, *shape)) * scale / np.sqrt(shape[-1] if shape[1:] else 1)
        for name, shape in cell.shapes(H, I, 2, options).items()
    }
    s_prev = random.standard_normal((R, len(cell.STATE) * H, B))
    return Point(cell, options, tensors, s_prev, random.standard_normal((R, I, B)))


def largest(*arrays: Array) -> float:
    """The largest absolute value."""
    return max(float(np.abs(a).max()) for a in arrays)


def _relative(error: float, scale: float) -> float:
    """error / scale; where nothing is of any size, an error of zero is none."""
    if scale == 0:
        return 0.0 if error == 0 else math.inf
    return error / scale


def jacobian_by_complex_step(at: Point) -> Array:
    """J (R, B, D, D), one column for each state entry of `s_prev`."""
    columns = []
    for j in range(at.s_prev.shape[-2]):
        s_prev = at.s_prev.astype(complex)
        s_prev[:, j] += 1j * TINY
        columns.append(at.step(s_prev).imag.swapaxes(-1, -2) / TINY)  # (R, B, D)
    return np.stack(columns, axis=-1)


def jacobian_error(at: Point, jacobian: Callable[[Any, Any], Array] | None = None) -> float:
    """`jacobian` against the complex step of `step`, relative to the largest entry."""
    J = (jacobian or at.cell.jacobian)(at.p, at.local)
    judge = jacobian_by_complex_step(at)
    assert J.shape == judge.shape, f"jacobian has shape {J.shape}, not {judge.shape}"
    return _relative(largest(J - judge), largest(judge))


def adjoint_error(at: Point, vjp: Callable[..., tuple[Array, Array]] | None = None) -> float:
    """<g, J v> against <J^T g, v> for random g and v, relative to the sum of the absolute terms."""
    random = np.random.default_rng(1)
    g, v = random.standard_normal((2, *at.s_prev.shape))
    J = at.cell.jacobian(at.p, at.local)
    pulled = (vjp or at.cell.vjp)(at.p, at.local, g)[0]
    terms = g.swapaxes(-1, -2)[..., :, None] * J * v.swapaxes(-1, -2)[..., None, :]
    return _relative(abs(float(terms.sum() - (pulled * v).sum())), float(np.abs(terms).sum()))


def gradients(at: Point, g: Array) -> tuple[dict[str, Array], Array]:
    """dL/d(tensor) and dL/dx for dL/ds_t = g, summed from the cell's shares, and `pull`."""
    _, a = at.both()
    cotangents = at.cell.vjp(at.p, at.local, g)[1]
    shares = at.cell.shares(cotangents, a, at.s_prev, at.x)
    total = {name: np.zeros_like(tensor) for name, tensor in at.tensors.items()}
    for share in shares:
        if share.tensor not in total:
            continue  # a peephole that this network does not have
        total[share.tensor][:, share.row : share.row + share.left.shape[-2]] += outer(share)
    return total, at.cell.pull(at.p, at.local, cotangents)


def outer(share: Share) -> Array:
    """The term that a share stands for: (R, m, n), or (R, m) for a bias."""
    if share.right is None:
        return share.left.sum(axis=-1)
    return np.einsum("rmb,rnb->rmn", share.left, share.right)


def parameter_error(at: Point, vjp: Callable[..., tuple[Array, Array]] | None = None) -> float:
    """All tensors and x along one random direction: gradients against complex step.

    Relative to the sum of the absolute terms of the directional derivative.
    """
    if vjp is not None:
        at = at._replace(cell=with_vjp(at.cell, vjp))
    random = np.random.default_rng(2)
    g = random.standard_normal(at.s_prev.shape)
    toward = {k: random.standard_normal(a.shape) for k, a in at.tensors.items()}
    toward_x = random.standard_normal(at.x.shape)
    moved = {k: a + 1j * TINY * toward[k] for k, a in at.tensors.items()}
    judge = (g * at.step(x=at.x + 1j * TINY * toward_x, tensors=moved).imag).sum() / TINY
    total, dx = gradients(at, g)
    terms = [(total[k] * toward[k]).ravel() for k in total] + [(dx * toward_x).ravel()]
    flat = np.concatenate(terms)
    return _relative(abs(float(flat.sum() - judge)), float(np.abs(flat).sum()))


def with_vjp(cell: Cell, vjp: Callable[..., tuple[Array, Array]]) -> Any:
    """The cell with another `vjp`."""

    class Replaced:
        def __getattr__(self, name: str) -> Any:
            return vjp if name == "vjp" else getattr(cell, name)

    return Replaced()


def analyticity_error(at: Point) -> float:
    """Complex step against central difference, along one random direction of everything.

    Relative to the largest entry of the derivative. A `step` that drops an imaginary part (through
    abs, max, a comparison) gives a wrong complex step, and only a real difference can tell.
    """
    random = np.random.default_rng(3)
    v, v_x = random.standard_normal(at.s_prev.shape), random.standard_normal(at.x.shape)
    v_p = {k: random.standard_normal(a.shape) for k, a in at.tensors.items()}

    def moved(h: complex) -> Array:
        tensors = {k: a + h * v_p[k] for k, a in at.tensors.items()}
        return at.step(at.s_prev + h * v, at.x + h * v_x, tensors)

    def central(h: float) -> Array:
        return (moved(h) - moved(-h)) / (2 * h)

    # about the cube root of eps, where truncation h^2 and rounding eps / h are both 3e-11; what is
    # curved on a scale near h (a normalisation of small numbers) needs the next order taken out
    h = 5e-6
    plain, judge = central(h), moved(1j * TINY).imag / TINY
    refined = (4 * central(h / 2) - plain) / 3
    errors = [_relative(largest(one - judge), largest(judge)) for one in (plain, refined)]
    return min(errors)
