"""Cross-entropy over many classes: the loss, its gradients and the share of right answers.

The same loss as `gradlab.engine.loss` has for targets that are one-hot; here they are the numbers
of the classes, so that a vocabulary of 10,000 words costs its products and little else. All steps
and sequences lie side by side, as rows. With e = exp(z - max z) of a row, its sum s and n rows,

    dL/dz = (e - s 1[y]) / (n s)          1[y]: one at the class, zero elsewhere

The array of all outputs holds e - s 1[y]. What a row is divided by goes into its state, or into
its dL/dh, which have as many numbers as there are units, and not as there are classes.

Outputs are made and become e a few rows at a time, so that these stay close to the core, and no
array holds more than a part of them. These pieces write to rows of their own, those of dL/dV to
classes of their own; they are cut by sizes alone, so whoever shares them among threads has the
same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.scaled import Scaled
from gradlab.nonlinearity import Array

PIECE = 2**25  # bytes of outputs that are held
CLOSE = 2**24  # bytes of them that are worked on at a time: rows enough for a product at full speed
LEAST = 8  # rows of either: fewer make thin products
CLASSES = 2048  # whose dL/dV is one product


class Classified(NamedTuple):
    """What the outputs came to."""

    value: Array  # (R,) mean of -ln softmax(z)[y], nats
    right: Array  # (R,) the share of outputs whose largest is the class
    dh: Array  # (m, R, H, B) dL/dh_t at the steps of the loss
    gradients: dict[str, Scaled]  # of weight_out (R, O, H) and bias_out (R, O)


class Layer(NamedTuple):
    """The output layer of one member, and where its gradients go."""

    weight: Array  # (O, H)
    bias: Array  # (O,)
    d_weight: Array  # (O, H)
    d_bias: Array  # (O,)


def classify(h: Array, V: Array, c: Array, y: NDArray[np.integer]) -> Classified:
    """The loss of outputs V h + c at its m steps: h (m, R, H, B), V (R, O, H), c (R, O), and the
    classes y (m, R, B).
    """
    m, R, _, B = h.shape
    value, right = np.zeros(R), np.zeros(R)
    dh, dV, dc = np.empty_like(h), np.empty_like(V), np.empty_like(c)
    exponent = np.zeros(R, np.int64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for r in range(R):  # each member with the same shapes as alone: the same bits
            rows = np.ascontiguousarray(h[:, r].swapaxes(-1, -2)).reshape(m * B, -1)
            found = _member(rows, Layer(V[r], c[r], dV[r], dc[r]), y[:, r].ravel())
            value[r], right[r] = found[0] / (m * B), found[1] / (m * B)
            dh[:, r] = found[2].reshape(m, B, -1).swapaxes(-1, -2)
    found_gradients = {"weight_out": Scaled(dV, exponent), "bias_out": Scaled(dc, exponent.copy())}
    return Classified(value, right, dh, found_gradients)


def _member(h: Array, layer: Layer, y: NDArray[np.integer]) -> tuple[float, int, Array]:
    """Sum of the losses, number of right answers and dL/dh (n, H) of one member: h (n, H), y (n,).

    Fills the gradients of the layer.
    """
    n, O = len(h), len(layer.weight)
    dh, factor = np.empty_like(h), np.empty((n, 1), h.dtype)
    loss, right = 0.0, 0
    held, close = (max(LEAST, size // (O * h.itemsize)) for size in (PIECE, CLOSE))
    parts = list(_even(n, held))
    e = np.empty((parts[0].stop, O), h.dtype)
    for part in parts:
        own = e[: part.stop - part.start]
        for some in _even(len(own), close):
            at = slice(part.start + some.start, part.start + some.stop)
            found = _rows(h[at], layer, y[at], own[some], dh[at], factor[at])
            loss, right = loss + found[0], right + found[1]
        factor[part] /= n
        dh[part] *= factor[part]
        weighted = h[part] * factor[part]
        for classes in _even(O, CLASSES):
            _classes(own[:, classes], weighted, factor[part, 0], layer, classes, part.start == 0)
    return loss, right, dh


def _rows(
    h: Array, layer: Layer, y: NDArray[np.integer], e: Array, dh: Array, factor: Array
) -> tuple[float, int]:
    """Some rows: fills e (rows, O), less the sum at the class, dh = e V, and factor with one over
    the sum. Returns the sum of the losses and the number of right answers.
    """
    k = np.arange(len(e))
    np.matmul(h, layer.weight.T, out=e)
    e += layer.bias
    best = e.argmax(axis=1)
    e -= e[k, best][:, None]
    at_class = e[k, y].astype(float)
    np.exp(e, out=e)
    total = e @ np.ones(e.shape[1], e.dtype)  # in half the time of `sum`
    e[k, y] -= total
    np.matmul(e, layer.weight, out=dh)
    np.divide(1, total, out=factor[:, 0])
    loss = float((np.log(total.astype(float)) - at_class).sum())
    return loss, int((best == y).sum())


def _classes(
    e: Array, weighted: Array, factor: Array, layer: Layer, classes: slice, first: bool
) -> None:
    """The gradients of some classes, of the rows of e (n, classes); added unless they are the first
    rows. weighted (n, H) is h times factor (n,).
    """
    if first:
        np.matmul(e.T, weighted, out=layer.d_weight[classes])
        np.matmul(factor, e, out=layer.d_bias[classes])
    else:
        layer.d_weight[classes] += e.T @ weighted
        layer.d_bias[classes] += factor @ e


def _even(n: int, most: int) -> Iterator[slice]:
    """0 .. n in parts of at most so many, and about as many each; the first is a longest one."""
    each = -(-n // -(-n // most))
    for start in range(0, n, each):
        yield slice(start, min(start + each, n))
