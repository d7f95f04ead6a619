"""Cross-entropy over many classes: the loss, its gradients and the share of right answers.

The same loss as `gradlab.engine.loss` has for targets that are one-hot; here they are the numbers
of the classes, so that a vocabulary of 10,000 words costs its products and little else. All steps
and sequences lie side by side. The outputs are made, turned into probabilities and used up a few
rows at a time, so that these stay close to the core, and no array holds more than a piece of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.scaled import Scaled
from gradlab.nonlinearity import Array

PIECE = 2**25  # bytes of outputs that are held
CLOSE = 2**22  # bytes of them that are worked on at a time
LEAST = 8  # rows of either: fewer make thin products


class Classified(NamedTuple):
    """What the outputs came to."""

    value: Array  # (R,) mean of -ln softmax(z)[y], nats
    right: Array  # (R,) the share of outputs whose largest is the class
    dh: Array  # (m, R, H, B) dL/dh_t at the steps of the loss
    gradients: dict[str, Scaled]  # of weight_out (R, O, H) and bias_out (R, O)


def classify(h: Array, V: Array, c: Array, y: NDArray[np.integer]) -> Classified:
    """The loss of outputs V h + c at its m steps: h (m, R, H, B), V (R, O, H), c (R, O), and the
    classes y (m, R, B).
    """
    m, R, _, B = h.shape
    value, right = np.zeros(R), np.zeros(R)
    dh, dV, dc = np.empty_like(h), np.zeros_like(V), np.zeros_like(c)
    exponent = np.zeros(R, np.int64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for r in range(R):  # each member with the same shapes as alone: the same bits
            rows = np.ascontiguousarray(h[:, r].swapaxes(-1, -2)).reshape(m * B, -1)
            found = _member(rows, V[r], c[r], y[:, r].ravel(), dV[r], dc[r])
            value[r], right[r] = found[0] / (m * B), found[1] / (m * B)
            dh[:, r] = found[2].reshape(m, B, -1).swapaxes(-1, -2)
    found_gradients = {"weight_out": Scaled(dV, exponent), "bias_out": Scaled(dc, exponent.copy())}
    return Classified(value, right, dh, found_gradients)


def _member(
    h: Array, V: Array, c: Array, y: NDArray[np.integer], dV: Array, dc: Array
) -> tuple[float, int, Array]:
    """Sum of the losses, number of right answers and dL/dh (n, H) of one member: h (n, H), y (n,).

    dL/dV and dL/dc are added to dV and dc.
    """
    n, O = len(h), len(V)
    dh = np.empty_like(h)
    loss, right, scale = 0.0, 0, np.asarray(1 / n, h.dtype)
    held, close = (max(LEAST, size // (O * h.itemsize)) for size in (PIECE, CLOSE))
    buffer = np.empty((min(held, n), O), h.dtype)
    for start in range(0, n, held):
        end = min(start + held, n)
        for k in range(start, end, close):
            some = slice(k, min(k + close, end))
            z = np.matmul(h[some], V.T, out=buffer[k - start : some.stop - start])
            z += c
            own = _softmax(z, y[some], scale)
            loss, right = loss + own[0], right + own[1]
            np.matmul(z, V, out=dh[some])
        dz = buffer[: end - start]
        dV += dz.T @ h[start:end]
        dc += dz.sum(axis=0)
    return loss, right, dh


def _softmax(z: Array, y: NDArray[np.integer], scale: Array) -> tuple[float, int]:
    """Outputs z (n, O) become dL/dz, in place; the sum of the losses, the number of right ones."""
    k = np.arange(len(z))
    best = z.argmax(axis=1)
    z -= z[k, best][:, None]
    at_target = z[k, y].astype(float)
    np.exp(z, out=z)
    total = z.sum(axis=1)
    z *= (scale / total)[:, None]
    z[k, y] -= scale
    loss = float((np.log(total.astype(float)) - at_target).sum())
    return loss, int((best == y).sum())
