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


def path_norms(direct: Array, slopes: Sequence[Array], W: Array, k_prev: Array) -> list[Array]:
    """||D(direct)||_F^2, and ||D(d) W_d D(k_prev)||_F^2 of each d of slopes, W_d being the first
    block of H rows of W, the second and so on: each (..., B).

    The latter is (d^2)^T (W_d * W_d) (k_prev^2), so no matrix is formed. In float64 whatever comes
    in: the squares of float32 would leave its range.
    """
    rows = len(slopes) * direct.shape[-2]
    spread = _times_steps(*(np.square(a, dtype=np.float64) for a in (W[..., :rows, :], k_prev)))
    direct, *own = (d.astype(np.float64, copy=False) for d in (direct, *slopes))
    each = zip(blocks(spread, len(slopes)), own, strict=True)
    return [
        np.einsum("...ib,...ib->...b", direct, direct),
        *(np.einsum("...ib,...ib,...ib->...b", term, d, d) for term, d in each),
    ]


def _times_steps(W: Array, h: Array) -> Array:
    """W h. Where all steps have the same W, as one product: of few columns it is slower."""
    if h.ndim == W.ndim:
        return W @ h
    n, R, H, B = h.shape
    wide = W @ h.transpose(1, 2, 0, 3).reshape(R, H, n * B)
    return wide.reshape(R, -1, n, B).transpose(2, 0, 1, 3)
