"""What the engine asks of a kernel. Letters and axes are those of gradlab.cells.interface."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from gradlab.nonlinearity import Array


class Rows(NamedTuple):
    """How many rows a step has of the activations, and of the memory that the local derivatives are
    in and that `backward` works in.
    """

    activations: int
    local: int
    work: int


class Kernel(Protocol):
    """The interface of a module in gradlab.kernels.

    A kernel keeps nothing between calls, so several threads may call it at once.
    """

    def rows(self, p: Any) -> Rows:
        """Of a step."""

    def forward(self, p: Any, x: Array, states: Array, activations: Array) -> None:
        """n steps of `drive` and `step`: fills states[1:] and activations from states[0] and x.

        x (n, R, I, B), states (n + 1, R, D, B), activations (n, R, A, B).
        """

    def linearize(self, p: Any, states: Array, activations: Array, memory: Array) -> Any:
        """`linearize` of n steps, in memory (n, R, rows, B) where there are rows for it.

        states (n + 1, R, D, B), activations (n, R, A, B).
        """

    def backward(self, p: Any, local: Any, delta: Array, work: Array) -> None:
        """n steps of `vjp`: fills delta[:-1] from delta[-1], and `work`.

        local: what `linearize` gave, arrays (n, R, rows, B); delta (n + 1, R, D, B), work
        (n, R, rows, B).
        """

    def cotangents(self, work: Array) -> Array:
        """Where in `work` the cotangents of the pre-activations are: (n, R, A', B)."""
