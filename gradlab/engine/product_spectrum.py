"""Product singular values of a run, from the steps of its backward pass.

Row t holds ln of the singular values of P_t = J_T ... J_{t+1}, of the whole state ((h, c) jointly
where a cell has both), in nats; at t = T they are 0. Divided by the lag T - t they are the
finite-time Lyapunov exponents (`finite_time_exponents` in gradlab.analysis.exponents).

The products are those of the recurrence: a step clip or a truncation does not enter them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.products import ProductState, Pull


class ProductSpectrum:
    """The `values` largest product singular values (None: all D) at the recorded steps.

    rows: steps within 0 .. T, ascending; every step costs a push, a recorded one also its singular
    values. Memory is what is recorded and one running state of M D^2, M = sequences times R.

    log_sigma: (N, R, sequences, K), descending; -inf is a zero, NaN unknown (`ProductState`).
    effective_rank, log10_condition: (N, R, sequences), of all values (`Spectrum` in products).
    unresolved: (N, R, sequences) how many zeros are only below rounding.
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
        self._begun = False
        K = D if values is None else min(values, D)
        self.log_sigma = np.full((len(rows), R, sequences, K), np.nan)
        self.effective_rank = np.full((len(rows), R, sequences), np.nan)
        self.log10_condition = self.effective_rank.copy()
        self.unresolved = np.zeros((len(rows), R, sequences), np.int64)

    def push(self, t: int, *pulls: Pull) -> None:
        """Take step t, the next below the one before; the first is T."""
        if not self._begun:
            self._begun = True
            self._record(t)
        self._state.push(*pulls)
        self._record(t - 1)

    def _record(self, t: int) -> None:
        row = int(np.searchsorted(self.rows, t))
        if row == len(self.rows) or self.rows[row] != t:
            return
        _, R, sequences, K = self.log_sigma.shape
        found = self._state.spectrum()
        self.log_sigma[row] = found.log_sigma.reshape(sequences, R, K).swapaxes(0, 1)
        self.effective_rank[row] = found.effective_rank.reshape(sequences, R).T
        self.log10_condition[row] = found.log10_condition.reshape(sequences, R).T
        self.unresolved[row] = self._state.unresolved.reshape(sequences, R).T
