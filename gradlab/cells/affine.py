"""What the cells share whose pre-activations are W_hh h + b_hh + W_ih x + b_ih: PyTorch's packing.

Tensors (with the member axis R in front): weight_hh (G, H), weight_ih (G, I), bias_ih (G,),
bias_hh (G,), where G = H times the number of gates. biases=1 leaves out bias_hh, 0 both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradlab.cells.interface import Reading, Shape, Share, Tensors
from gradlab.nonlinearity import Array


class Affine(NamedTuple):
    """The weights of one packed affine map, as columns want them."""

    W: Array  # (R, G, H) recurrent
    U: Array  # (R, G, I) input
    b_ih: Array  # (R, G, 1)
    b_hh: Array  # (R, G, 1)

    @property
    def Wt(self) -> Array:
        """W transposed, a view: (R, H, G)."""
        return self.W.swapaxes(-1, -2)

    @property
    def Ut(self) -> Array:
        """U transposed, a view: (R, I, G)."""
        return self.U.swapaxes(-1, -2)


def shapes(gates: int, H: int, I: int, biases: int) -> dict[str, Shape]:
    """Names and shapes of the tensors, recurrent weights first."""
    G = gates * H
    bias_names = ("bias_ih", "bias_hh")[:biases]
    return {"weight_hh": (G, H), "weight_ih": (G, I)} | dict.fromkeys(bias_names, (G,))


def affine(tensors: Tensors) -> Affine:
    """Affine from tensors; a bias that is not there is zero."""
    W, U = tensors["weight_hh"], tensors["weight_ih"]
    none = np.zeros(W.shape[:-1], W.dtype)
    b_ih, b_hh = (tensors.get(name, none)[..., None] for name in ("bias_ih", "bias_hh"))
    return Affine(W, U, b_ih, b_hh)


def affine_shares(du: Array, dv: Array, h: Array, x: Array) -> tuple[Share, ...]:
    """Gradients of the four tensors from the cotangents of W_ih x + b_ih and W_hh h + b_hh."""
    return (
        Share("weight_hh", dv, h),
        Share("weight_ih", du, x),
        Share("bias_ih", du, None),
        Share("bias_hh", dv, None),
    )


def no_bound(options: object) -> None:
    """max_slope of a gated cell: its Jacobian is no phi' times a matrix, there is no gamma."""


def nothing_more(p: object, loc: object, g: Array, cot: Array) -> dict[str, Array]:
    """totals of a cell without paths between the parts of its state."""
    return {}


def with_outlet(k: Array, g: Array) -> dict[str, Array]:
    """totals of an LSTM: the adjoint of c with the path c_t -> h_t, k = dh_t / dc_t."""
    g_h, g_c = blocks(g, 2)
    return {"c_total": g_c + g_h * k}


def gate_readings(
    gates: Sequence[str], values: Sequence[Array], slopes: Array
) -> dict[str, Reading]:
    """readings of packed gates: their values, and the slopes (..., G, B) over their largest."""
    own = blocks(slopes, len(gates))
    return {g: Reading(*pair) for g, pair in zip(gates, zip(values, own, strict=True), strict=True)}


def blocks(a: Array, n: int) -> tuple[Array, ...]:
    """The n row blocks of a (..., n H, B), as views."""
    H = a.shape[-2] // n
    return tuple(a[..., k : k + H, :] for k in range(0, n * H, H))


def times_rows(d: Array, W: Array) -> Array:
    """D(d_b) W for every sequence b: (..., B, H, n) from d (..., H, B) and W (..., H, n)."""
    return d.swapaxes(-1, -2)[..., None] * W[..., None, :, :]


def diagonal(d: Array) -> Array:
    """D(d_b) for every sequence b: (..., B, H, H) from d (..., H, B)."""
    return d.swapaxes(-1, -2)[..., None] * np.eye(d.shape[-2], dtype=d.dtype)


def path_norms(direct: Array, gates: tuple[tuple[Array, Array], ...], k_prev: Array) -> Array:
    """||D(direct)||_F^2, and ||D(d) W D(k_prev)||_F^2 for each (d, W) of gates: (..., terms, B).

    The latter is (d^2)^T (W * W) (k_prev^2), so no matrix is formed. In float64 whatever comes in:
    the squares of float32 would leave its range.
    """

    def square(a: Array) -> Array:
        return np.square(a, dtype=np.float64)

    k_squared, terms = square(k_prev), [square(direct).sum(axis=-2)]
    for d, W in gates:
        term = square(W) @ k_squared
        term *= d
        term *= d
        terms.append(term.sum(axis=-2))
    return np.stack(terms, axis=-2)
