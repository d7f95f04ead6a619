"""What a user's `step` gets as p: vectors as columns, and matrices that note what they multiply.

A matrix may only be multiplied from the left, whole or by rows. So a step is known to be

    z_k = W_k v_k,    v_k = function of s, x, the vectors and the earlier z;    s_t likewise

and once the z are given from outside, nothing in it costs more than an elementwise function: that
is what makes its derivatives by complex step cheap (see `partials`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.cells.own.faults import MisuseError
from gradlab.nonlinearity import Array


class Product(NamedTuple):
    """One product W v of a step: which rows of which tensor."""

    tensor: str
    row: int
    rows: int
    columns: int


class Tape:
    """The products of one evaluation of a step, in their order.

    given: their results from outside; None computes them. operands (..., columns, B) and results
    (..., rows, B) are filled as the step goes on.
    """

    def __init__(self, given: Sequence[Array] | None = None) -> None:
        self.given = given
        self.products: list[Product] = []
        self.operands: list[Array] = []
        self.results: list[Array] = []

    def multiply(self, tensor: str, row: int, W: Array, v: Any) -> Array:
        """W v, noted."""
        if not isinstance(v, np.ndarray) or v.shape[-2:-1] != W.shape[-1:]:
            what = f"shape {v.shape}" if isinstance(v, np.ndarray) else type(v).__name__
            raise MisuseError(f"{tensor} has {W.shape[-1]} columns, and is multiplied by {what}")
        k = len(self.operands)
        self.products.append(Product(tensor, row, W.shape[-2], W.shape[-1]))
        self.operands.append(v)
        if self.given is not None and k >= len(self.given):
            raise MisuseError("the number of products depends on the sizes or on the values")
        self.results.append(W @ v if self.given is None else self.given[k])
        return self.results[-1]


class Matrix:
    """W (..., rows, columns) that can be multiplied with, `W @ v`, and cut by rows."""

    def __init__(self, tensor: str, W: Array, tape: Tape, row: int = 0) -> None:
        self._tensor, self._W, self._tape, self._row = tensor, W, tape, row

    @property
    def shape(self) -> Shape:
        """As of the array."""
        return self._W.shape

    @property
    def ndim(self) -> int:
        """As of the array."""
        return self._W.ndim

    def __matmul__(self, v: Any) -> Array:
        return self._tape.multiply(self._tensor, self._row, self._W, v)

    def __getitem__(self, key: Any) -> Matrix:
        rows = self._rows(key)
        cut = self._W[..., rows, :]
        return Matrix(self._tensor, cut, self._tape, self._row + rows.start)

    def _rows(self, key: Any) -> slice:
        """The slice of rows in [..., a:b, :], [:, a:b] or [:, a:b, :]."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if len(parts) > 1 and (parts[0] is Ellipsis or parts[0] == slice(None)):
            inner = parts[1:] if parts[0] is not Ellipsis or len(parts) == 3 else []
            whole = [part for part in inner[1:] if part != slice(None)]
            if inner and isinstance(inner[0], slice) and not whole:
                start, stop, step = inner[0].indices(self._W.shape[-2])
                if step == 1 and start < stop:
                    return slice(start, stop)
        return self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        name = self._tensor
        raise MisuseError(
            f"a matrix is used as {name} @ v only, whole or by rows {name}[..., a:b, :]"
        )

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    def __array_ufunc__(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python and numpy ask for protocols
            raise AttributeError(name)
        self._refuse()

    __rmatmul__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _refuse
    __iter__ = __len__ = __float__ = __bool__ = _refuse


class Parameters:
    """p: each tensor of the cell as an attribute."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self.__dict__.update(tensors)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"p has no {name!r}; it has {', '.join(self.__dict__)}")


def noted(tensors: Mapping[str, Array], shapes: Mapping[str, Shape], tape: Tape) -> Parameters:
    """p for a step whose products go on the tape; vectors are arrays (R, n, 1)."""
    return Parameters(
        {
            name: Matrix(name, tensors[name], tape) if len(shape) == 2 else guard(tensors[name])
            for name, shape in shapes.items()
        }
    )


def guard(a: Array) -> Array:
    """A view that cannot be written to: s and p are not the step's to change."""
    view = a.view()
    view.flags.writeable = False
    return view
