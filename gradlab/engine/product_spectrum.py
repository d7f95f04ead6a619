"""Product singular values of a run, from the steps of its backward pass.

Row t holds ln of the singular values of P_t = J_T ... J_{t+1}, of the whole state ((h, c) jointly
where a cell has both), in nats; at t = T they are 0. Divided by the lag T - t they are the
finite-time Lyapunov exponents (`finite_time_exponents` in gradlab.analysis.exponents).

The products are those of the recurrence: a step clip or a truncation does not enter them.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.product_values import Held, joined, spectrum
from gradlab.engine.products import ProductState, Pull
from gradlab.team import Begun, begin

# values that LAPACK is asked for together: a long call is worth handing to another thread, and in
# one that yields up to 500 numbers numpy would keep Python to itself
TOGETHER = 2048
MOST = 2  # such calls that wait for another thread


class ProductSpectrum:
    """The `values` largest product singular values (None: all D) at the recorded steps.

    rows: steps within 0 .. T, ascending; every step costs a push, a recorded one also its singular
    values. Memory is what is recorded and one running state of M D^2, M = sequences times R.

    log_sigma: (N, R, sequences, K), descending; -inf is a zero, NaN unknown (`ProductState`).
    effective_rank, log10_condition: (N, R, sequences), of all values (`Spectrum`).
    unresolved: (N, R, sequences) how many zeros are only below rounding.
    They are there once it is `complete`: products of several steps are looked at together, while
    the next ones are made where there are other threads.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        R: int,
        D: int,
        sequences: int = 1,
        values: int | None = None,
    ) -> None:
        self.rows = rows
        self._state = ProductState(sequences * R, D, values)
        K = D if values is None else min(values, D)
        self.log_sigma = np.full((len(rows), R, sequences, K), np.nan)
        self.effective_rank = np.full((len(rows), R, sequences), np.nan)
        self.log10_condition = self.effective_rank.copy()
        self.unresolved = np.zeros((len(rows), R, sequences), np.int64)
        self._started = False
        self._waiting: list[tuple[int, Held]] = []
        self._begun: list[Begun[None]] = []

    def push(self, t: int, *pulls: Pull) -> None:
        """Take step t, the next below the one before; the first is T."""
        if not self._started:
            self._started = True
            self._record(t)
        self._state.push(*pulls)
        self._record(t - 1)

    def _record(self, t: int) -> None:
        row = int(np.searchsorted(self.rows, t))
        if row == len(self.rows) or self.rows[row] != t:
            return
        held = self._state.held()
        if self._waiting and self._waiting[0][1].L.shape != held.L.shape:
            self._look()
        self._waiting.append((row, held))
        if len(self._waiting) * held.e.size >= TOGETHER:
            self._look()

    def complete(self) -> None:
        """Look at what is left, after the last step."""
        self._look()
        while self._begun:
            self._begun.pop().results()

    def _look(self) -> None:
        """At the products that wait."""
        if len(self._begun) == MOST:
            self._begun.pop().results()  # the last: nobody else may have come to it yet
        if self._waiting:
            rows, held = zip(*self._waiting, strict=True)
            self._waiting = []
            self._begun.append(begin([partial(self._find, list(rows), joined(held))]))

    def _find(self, rows: list[int], held: Held) -> None:
        """Fill these rows."""
        _, R, sequences, K = self.log_sigma.shape
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found = spectrum(held, self._state.n, self._state.keep)
        shape = (len(rows), sequences, R)
        self.log_sigma[rows] = found.log_sigma.reshape(*shape, K).swapaxes(1, 2)
        self.effective_rank[rows] = found.effective_rank.reshape(shape).swapaxes(1, 2)
        self.log10_condition[rows] = found.log10_condition.reshape(shape).swapaxes(1, 2)
        self.unresolved[rows] = held.unresolved.reshape(shape).swapaxes(1, 2)
