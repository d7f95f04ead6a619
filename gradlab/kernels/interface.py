"""What the engine asks of a kernel. Letters and axes are those of gradlab.cells.interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from gradlab.nonlinearity import Array


class Rows(NamedTuple):
    """How many rows a step has of the activations, and of the memory that the local derivatives are
    in and that `backward` works in.
    """

    activations: int
    local: int
    work: int


Advance = Callable[[Array, Array], None]  # of (x, states), as `forward` without activations


class Kernel(Protocol):
    """The interface of a module in gradlab.kernels.

    A kernel keeps nothing between calls, so several threads may call it at once.

    `recurrence` and `activations` are for one sequence, B = 1, where a step is all calls and no
    arithmetic: as few of them as there can be make the states alone, and the activations of many
    steps are made from these later, in a product that costs a tenth of what the steps did.
    """

    def rows(self, p: Any) -> Rows:
        """Of a step."""

    def drive(self, p: Any, x: Array) -> Callable[[], Array]:
        """`drive` of n steps x (n, R, I, B), begun: what waits for u (n, R, G, B)."""

    def forward(self, p: Any, u: Array, states: Array, activations: Array) -> None:
        """n steps of `step`: fills states[1:] and activations from states[0] and what drives them.

        u (n, R, G, B), states (n + 1, R, D, B), activations (n, R, A, B).
        """

    def linearize(self, p: Any, states: Array, activations: Array, memory: Array) -> Any:
        """`linearize` of n steps, in memory (n, R, rows, B) where there are rows for it.

        states (n + 1, R, D, B), activations (n, R, A, B).
        """

    def recurrence(self, p: Any, like: Array) -> Advance:
        """What goes forward by n steps of `drive` and `step`: it fills states[1:] from states[0]
        and x (n, R, I, 1). like (R, D, 1): a state. Memory of a step is made once, so each thread
        has one of its own.
        """

    def activations(self, p: Any, x: Array, states: Array, out: Array) -> None:
        """The activations `out` (n, R, A, 1) of n steps whose states (n + 1, R, D, 1) are there."""

    def backward(self, p: Any, local: Any, delta: Array, work: Array) -> None:
        """n steps of `vjp`: fills delta[:-1] from delta[-1], and `work`.

        local: what `linearize` gave, arrays (n, R, rows, B); delta (n + 1, R, D, B), work
        (n, R, rows, B).
        """

    def cotangents(self, work: Array) -> Array:
        """Where in `work` the cotangents of the pre-activations are: (n, R, A', B)."""
