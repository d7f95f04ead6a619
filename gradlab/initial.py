"""Initial weights: how each block of a weight matrix is drawn, and the tensors of a member from it.

A packed matrix is drawn gate by gate (an orthogonal LSTM has four orthogonal blocks; the packed
matrix as a whole would not do), in packed order, recurrent weights before input weights. The
recurrent blocks are multiplied by the weight scale g, the input blocks by `input_scale`. Peepholes
are recurrent weights too, N(0, g^2 / H) whatever the kind, which is about matrices; that of a gate
is the same whichever other gates have one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.draws import Random, Streams
from gradlab.nonlinearity import Array

PEEPHOLE = "peephole_"  # what the names of such tensors begin with; the gate's name follows
Draw = Callable[[Random, int, int], Array]  # (random, rows = H, columns) -> (rows, columns)


def normal(random: Random, rows: int, columns: int) -> Array:
    """std 1/sqrt(columns): the convention of the theory, with spectral radius about 1."""
    drawn = random.standard_normal((rows, columns))
    drawn /= np.sqrt(columns)
    return drawn


def randn(random: Random, rows: int, columns: int) -> Array:
    """std 1: the textbook's. The texts write rows, h W_h, so what is drawn is the transpose."""
    return random.standard_normal((columns, rows)).T


def uniform(random: Random, rows: int, columns: int) -> Array:
    """U(-1/sqrt(H), 1/sqrt(H)): PyTorch's default for recurrent layers."""
    bound = 1 / np.sqrt(rows)
    return random.uniform(-bound, bound, (rows, columns))


def xavier_uniform(random: Random, rows: int, columns: int) -> Array:
    """U(-b, b), b = sqrt(6 / (rows + columns)) (Glorot, Bengio 2010)."""
    bound = np.sqrt(6 / (rows + columns))
    return random.uniform(-bound, bound, (rows, columns))


def xavier_normal(random: Random, rows: int, columns: int) -> Array:
    """std sqrt(2 / (rows + columns)) (Glorot, Bengio 2010)."""
    return random.standard_normal((rows, columns)) * np.sqrt(2 / (rows + columns))


def orthogonal(random: Random, rows: int, columns: int) -> Array:
    """Haar-distributed orthonormal rows or columns (Saxe et al. 2014): QR with the signs of R
    put back.
    """
    gaussian = random.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(gaussian)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def identity(random: Random, rows: int, columns: int) -> Array:
    """Ones on the diagonal (Le, Jaitly, Hinton 2015)."""
    return np.eye(rows, columns)


def zeros(random: Random, rows: int, columns: int) -> Array:
    """All zero."""
    return np.zeros((rows, columns))


INITS: dict[str, Draw] = {
    "normal": normal,
    "randn": randn,
    "uniform": uniform,
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "orthogonal": orthogonal,
    "identity": identity,
    "zeros": zeros,
}


@dataclass(frozen=True)
class Drawn:
    """Weights to be drawn. `bias` is the value of every bias_ih, `forget_bias` is added on the
    gate that keeps the state; bias_hh starts at zero, so that the sum of the pair is what was
    asked for.
    """

    recurrent: str = "normal"
    input: str = "normal"
    bias: float = 0.0
    forget_bias: float = 0.0
    input_scale: float = 1.0
    biases: int = 2


@dataclass(frozen=True)
class Loaded:
    """Weights from a file, the same for every member: the network's names of tensors -> arrays.
    `reverse` is the second direction's.
    """

    tensors: dict[str, Array]
    reverse: dict[str, Array] = field(default_factory=dict)

    def part(self, end: str, direction: int) -> Loaded:
        """One part of the network, whose names end so, under the names of its cell."""
        own = self.reverse if direction else self.tensors
        return Loaded({name.removesuffix(end): a for name, a in own.items() if name.endswith(end)})


@dataclass(frozen=True)
class Matched(Loaded):
    """Weights drawn anew at the scale of those of a file: every entry N(0, s^2), with s the root
    mean square of its block of the file's tensor: a gate's H rows of a matrix, a gate's peephole.
    Biases, and what else is no matrix, are the file's: so a forget gate starts where it was.
    """

    def part(self, end: str, direction: int) -> Matched:
        """As of `Loaded`."""
        return Matched(super().part(end, direction).tensors)


def member(
    cell: Cell,
    options: Any,
    init: Drawn | Loaded,
    H: int,
    I: int,
    weight_scale: float,
    streams: Streams,
    copy: int = 0,
) -> dict[str, Array]:
    """The tensors of one member, float64, recurrent weights times weight_scale.

    copy counts the sets of weights that a network has: each draws from its own streams.
    """
    if isinstance(init, Drawn):
        init = Loaded(_drawn(cell, options, init, H, I, streams, copy))
    elif isinstance(init, Matched):
        init = Loaded(_matched(cell, init, H, streams, copy))
    recurrent = ("weight_hh", PEEPHOLE)
    return {
        name: tensor * weight_scale if name.startswith(recurrent) else tensor
        for name, tensor in init.tensors.items()
    }


def _drawn(
    cell: Cell, options: Any, init: Drawn, H: int, I: int, streams: Streams, copy: int
) -> dict[str, Array]:
    kinds: dict[str, Any] = {
        "weight_hh": ("recurrent", init.recurrent, 1.0),
        "weight_ih": ("input", init.input, init.input_scale),
    }
    tensors: dict[str, Array] = {}
    randoms: dict[str, Random] = {}  # two matrices of one purpose are drawn one after the other
    peepholes: Array | None = None
    for name, shape in cell.shapes(H, I, init.biases, options).items():
        if len(shape) == 2:
            like = "weight_ih" if name.startswith("weight_ih") else "weight_hh"  # of an own cell
            purpose, kind, scale = kinds[name if name in kinds else like]
            random = randoms.setdefault(purpose, streams.of(purpose, copy))
            rows = H if shape[0] % H == 0 else shape[0]
            blocks = [INITS[kind](random, rows, shape[1]) for _ in range(shape[0] // rows)]
            tensors[name] = np.concatenate(blocks)
            tensors[name] *= scale
        elif name.startswith(PEEPHOLE):
            peepholes = _peepholes(cell, H, streams, copy) if peepholes is None else peepholes
            tensors[name] = peepholes[cell.PACKED.index(name.removeprefix(PEEPHOLE))]
        else:
            tensors[name] = np.zeros(shape)
    if "bias_ih" in tensors:
        tensors["bias_ih"] += init.bias
        if cell.KEEPS is not None:
            row = cell.PACKED.index(cell.KEEPS) * H
            tensors["bias_ih"][row : row + H] += init.forget_bias
    return tensors


def _peepholes(cell: Cell, H: int, streams: Streams, copy: int) -> Array:
    """One row for each gate, used or not: so a choice of gates changes no gate's own."""
    return streams.of("peephole", copy).standard_normal((len(cell.PACKED), H)) / np.sqrt(H)


def _matched(cell: Cell, init: Matched, H: int, streams: Streams, copy: int) -> dict[str, Array]:
    """The tensors of one part of the network, in the order in which `_drawn` has them."""
    tensors: dict[str, Array] = {}
    randoms: dict[str, Random] = {}
    peepholes: Array | None = None
    for name, given in init.tensors.items():
        if given.ndim == 2:
            purpose = "input" if name.startswith("weight_ih") else "recurrent"
            random = randoms.setdefault(purpose, streams.of(purpose, copy))
            rows = H if len(given) % H == 0 else len(given)
            blocks = np.split(given, len(given) // rows)
            tensors[name] = np.concatenate(
                [random.standard_normal(block.shape) * root_mean_square(block) for block in blocks]
            )
        elif name.startswith(PEEPHOLE):
            # of N(0, 1/H) until here
            peepholes = _peepholes(cell, H, streams, copy) if peepholes is None else peepholes
            row = peepholes[cell.PACKED.index(name.removeprefix(PEEPHOLE))]
            tensors[name] = row * np.sqrt(H) * root_mean_square(given)
        else:
            tensors[name] = given
    return tensors


def root_mean_square(block: Array) -> float:
    """Of all entries; their squares may leave float range."""
    largest = float(np.abs(block).max(initial=0.0))
    return largest * float(np.sqrt(np.mean((block / largest) ** 2))) if largest else 0.0
