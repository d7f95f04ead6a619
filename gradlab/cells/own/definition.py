"""What a user's file says of its cell: state, tensors, the step, derivatives that it has."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradlab.cells.interface import Shape
from gradlab.cells.own.faults import OwnCellError, blamed
from gradlab.cells.own.products import Parameters, guard
from gradlab.nonlinearity import Array

DRAWN = {"weight_hh": "H", "weight_ih": "I"}  # the tensors whose shape gradlab relies on
BIAS_NAMES = ("bias_ih", "bias_hh")  # `init.biases` counts these


class Definition:
    """The contents of a file, each use of them checked."""

    def __init__(self, module: ModuleType, path: Path) -> None:
        self.module, self.path = module, path
        self.__doc__ = module.__doc__
        self.STATE: tuple[str, ...] = tuple(getattr(module, "STATE", ("h",)))
        self.SOURCE = str(getattr(module, "SOURCE", path.name))
        self.EQUATIONS = str(getattr(module, "EQUATIONS", f"see {path.name}"))
        self.square = False  # inputs must be as wide as the state; `check` finds out

    @cached_property
    def GATES(self) -> tuple[str, ...]:
        """The blocks of H rows of weight_hh: h, or 0, 1, ..."""
        return self._blocks("weight_hh")

    @cached_property
    def PACKED(self) -> tuple[str, ...]:
        """Those of weight_ih."""
        return self._blocks("weight_ih")

    @cached_property
    def BIASES(self) -> int:
        """How many of bias_ih and bias_hh it has."""
        return sum(name in self.every(self.width, self.width) for name in BIAS_NAMES)

    @property
    def DERIVATIVES(self) -> dict[str, str]:
        """Where each derivative is from."""
        found = {name: "given" for name in ("jacobian", "vjp") if hasattr(self.module, name)}
        by_step = dict.fromkeys(("jacobian", "vjp", "parameters", "inputs"), "complex step")
        return by_step | found

    width = 5  # a size at which to ask the file for its shapes

    def _blocks(self, tensor: str) -> tuple[str, ...]:
        shape = self.every(self.width, self.width).get(tensor)
        count = shape[0] // self.width if shape else 0
        return ("h",) if count == 1 else tuple(map(str, range(count)))

    def every(self, H: int, I: int) -> dict[str, Shape]:
        """All tensors of the file. Raises OwnCellError, a ValueError, for sizes it cannot have."""
        if self.square and H != I:
            raise OwnCellError(
                f"{self.path.name}: input_size is {I}, this cell needs it to be hidden_size, {H}"
            )
        given = getattr(self.module, "shapes", None)
        if given is None:
            return {"weight_hh": (H, H), "weight_ih": (H, I), "bias_ih": (H,)}
        with blamed(self.path, "shapes"):
            found = {str(k): tuple(int(n) for n in shape) for k, shape in given(H, I).items()}
        self._check_shapes(found, H, I)
        return found

    def _check_shapes(self, found: dict[str, Shape], H: int, I: int) -> None:
        for name, shape in found.items():
            if len(shape) not in (1, 2) or min(shape) < 1 or not name.isidentifier():
                wanted = "(rows, columns) of a matrix or (rows,) of a vector"
                raise OwnCellError(f"{self.path.name}: shapes has {name}: {shape}, not {wanted}")
            columns = {"H": H, "I": I}.get(DRAWN.get(name, ""))
            if columns is not None and (len(shape) == 1 or shape[1] != columns or shape[0] % H):
                raise OwnCellError(
                    f"{self.path.name}: shapes has {name}: {shape}; with H = {H}, I = {I} it is "
                    f"(k H, {DRAWN[name]}), for a whole k; name another matrix otherwise"
                )
        if not found:
            raise OwnCellError(f"{self.path.name}: shapes names no tensor")

    def shapes(self, H: int, I: int, biases: int, options: Any) -> dict[str, Shape]:
        """All tensors but the last of the biases where fewer are wanted."""
        found = self.every(H, I)
        there = [name for name in BIAS_NAMES if name in found]
        return {k: shape for k, shape in found.items() if k not in there[biases:]}

    def call(self, p: Parameters, s: Array, x: Array) -> Array:
        """The file's step (R, D, B), with a checked shape."""
        with blamed(self.path, "step"):
            new = self.module.step(p, guard(s), guard(x))
        if not isinstance(new, np.ndarray) or new.shape != s.shape:
            what = f"shape {new.shape}" if isinstance(new, np.ndarray) else type(new).__name__
            raise OwnCellError(
                f"{self.path.name}: step returned {what} where s is {s.shape}: members, rows of "
                "the state, sequences"
            )
        return new

    def given(self, what: str, shape: Shape, p: Parameters, *arrays: Array) -> Array | None:
        """The file's `jacobian` or `vjp` of these arrays, None where it has none."""
        if not hasattr(self.module, what):
            return None
        with blamed(self.path, what):
            found: Any = getattr(self.module, what)(p, *map(guard, arrays))
        if not isinstance(found, np.ndarray) or found.shape != shape:
            got = f"shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise OwnCellError(f"{self.path.name}: {what} returned {got}, not {shape}")
        return found
