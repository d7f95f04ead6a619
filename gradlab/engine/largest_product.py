"""The largest product singular value alone, of P_t = J_T ... J_{t+1}, at about the cost of a
product multiplied out.

The running product is multiplied out, P_{t-1} = P_t J_t, with its exponent apart. Its small
singular values are soon noise; of the largest one the rounding of step s takes

    u^T P_s,   u the left singular vector of P_t,

by a relative part n eps |J_s| |P_s| / |u^T P_s| off its way. That is as if J_s had been changed by
such a part: what any method does, with the condition of J_s in the place of |P_s| / |u^T P_s|
(gradlab.engine.products). So the quotient is what can be trusted or not, and it is looked at for
every t and every s > t: a value at t counts if none is above TRUST, and if it is proved to be the
largest of the product as it stands (gradlab.engine.largest). All others come from `ProductState`,
which goes the whole way again with the members that need it.

The vectors hardly change from one product to the next, so those of the last step of a block of
BLOCK are the start for the whole of the block below it: by the step alone, and not by how many
products are looked at together, so a member has the bits that it has alone. A start is a guess;
what is found from it is proved as if it had come from nowhere.

What the check costs grows with T^2, though with a small factor: beyond LONGEST it is not made, and
`ProductState` does everything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import Exponents, binary, power
from gradlab.engine.largest import WIDEST, Start, largest_singular_values
from gradlab.engine.products import ProductState, Pull
from gradlab.engine.scaled import squares
from gradlab.nonlinearity import Array

TRUST = 2.0**10  # with n eps |J| for n = 32: rounding as of a step of condition 1e3, or 7e-12
LONGEST = 4096  # steps
NEAR = 2.0**64  # |P|_F^2 beyond it, or its inverse, gets a scale
LEAST = 2.0**-800  # |P|_F^2 below it, or above its inverse, after a step: it may have lost some
BATCH = 192  # matrices that are looked at together, of the steps of a block
BLOCK = 8  # steps whose vectors are sought from those of the last step before them
NARROW = 0.1  # what may be missed of |P|_F^2 by two vectors from which others are sought
AT_ONCE = 16  # steps whose vectors are held against those before


def fits(D: int, steps: int) -> bool:
    """Whether the largest value alone is found in this way: for what it is faster."""
    return 2 <= D <= WIDEST and steps <= LONGEST


class LargestProducts:
    """The largest product singular value at the recorded steps; rows as in `ProductSpectrum`.

    Memory: what is recorded, a running product of each member and BATCH more, and for every step
    three vectors a member and the factors of J_t.
    """

    def __init__(self, rows: NDArray[np.int64], R: int, D: int, sequences: int, steps: int) -> None:
        M = sequences * R
        self.rows, self._shape = rows, (R, sequences)
        self._X = np.tile(np.eye(D), (M, 1, 1))  # P^T, |P|_F^2 within NEAR of 1, times 2^-e
        self._e: Exponents = np.zeros(M, np.int64)
        self._lost = np.zeros(M, bool)  # from here on: zero, not finite, or out of range
        self._steps: list[tuple[Pull, ...]] = []  # from T down
        self._waiting: list[tuple[Array, Exponents]] = []
        self._log_sigma, self._doubt = np.zeros((steps, M)), np.zeros((steps, M), bool)
        self._u, self._seen = np.zeros((M, steps, D)), np.zeros((M, steps, 2, D))
        self._known = 0  # steps that have been looked at
        self._start: Start | None = None  # of each member, for the steps of this block
        self.unresolved = np.zeros((len(rows), R, sequences), np.int64)
        self.log_sigma = np.full((len(rows), R, sequences, 1), np.nan)

    def push(self, t: int, *pulls: Pull) -> None:
        """Take step t, the next below the one before; the first is T."""
        X = self._X
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for pull in pulls:
                X = np.asarray(pull(X), np.float64)
        with np.errstate(over="ignore", under="ignore"):
            size = squares(X)
        # within: nothing that counts has left the range of a double, here or between the factors
        self._lost |= ~((size > LEAST) & (size < 1 / LEAST))
        far = ~((size > 1 / NEAR) & (size < NEAR))
        if far.any():
            shift = binary(np.where(self._lost | ~far, 1.0, size)) // 2
            X = X * power(-shift)[:, None, None]
            X[self._lost] = 0
            self._e = self._e + shift
        self._X = X
        self._doubt[len(self._steps)] = self._lost
        self._steps.append(pulls)
        self._waiting.append((self._X, self._e))
        if len(self._waiting) * len(X) >= BATCH or len(self._steps) % BLOCK == 0:
            self._look()

    def complete(self) -> None:
        """After the last step: the rows, each from where it can be trusted."""
        self._look()
        doubt = self._doubt | self._astray()
        log_sigma, unresolved = self._again(doubt)
        log_sigma = np.where(doubt, log_sigma, self._log_sigma)
        R, sequences = self._shape
        for row, t in enumerate(self.rows.tolist()):
            k = len(self._steps) - 1 - t
            if k < 0:  # t = T, the empty product
                self.log_sigma[row] = 0
                continue
            self.log_sigma[row] = log_sigma[k].reshape(sequences, R).T[..., None]
            self.unresolved[row] = unresolved[k].reshape(sequences, R).T

    def _look(self) -> None:
        """At the products that wait."""
        if not self._waiting:
            return
        new = slice(self._known, self._known + len(self._waiting))
        X, e = (np.stack(each) for each in zip(*self._waiting, strict=True))
        self._waiting, self._known = [], new.stop
        steps, M, D = X.shape[:3]
        start = self._start
        if start is not None:
            start = Start(*(np.concatenate([each] * steps) for each in start))
        found = largest_singular_values(X.reshape(-1, D, D), start)
        with np.errstate(divide="ignore"):
            log_sigma = np.log(found.sigma).reshape(steps, M)
        self._log_sigma[new] = log_sigma + e * np.log(2.0)
        U, missed = found.U.reshape(steps, M, 2, D), found.missed.reshape(steps, M)
        self._u[:, new] = U[:, :, 0].swapaxes(0, 1)
        self._seen[:, new] = found.seen.reshape(steps, M, 2, D).swapaxes(0, 1)
        if self._known % BLOCK == 0:
            self._start = Start(U[-1], missed[-1] < NARROW)

    def _astray(self) -> NDArray[np.bool_]:
        """(steps, M): where |u^T P_s| is below |P_s| / TRUST for some s before.

        Of P_s two vectors are known, so |u^T P_s| may be underestimated, never overestimated.
        """
        M, steps, D = self._u.shape
        astray = np.zeros((steps, M), bool)
        for start in range(0, steps, AT_ONCE):
            stop = min(start + AT_ONCE, steps)
            before = self._seen[:, :stop].reshape(M, -1, D)
            parts = before @ self._u[:, start:stop].swapaxes(1, 2)
            square = (parts * parts).reshape(M, stop, 2, -1).sum(axis=2)
            earlier = np.arange(stop)[:, None] < np.arange(start, stop)
            astray[start:stop] = (earlier & ~(square >= TRUST**-2)).any(axis=1).T
        return astray

    def _again(self, doubt: NDArray[np.bool_]) -> tuple[Array, NDArray[np.int64]]:
        """ln sigma and unresolved directions (steps, M) by `ProductState`, where there is doubt."""
        steps, M = doubt.shape
        log_sigma, unresolved = np.full((steps, M), np.nan), np.zeros((steps, M), np.int64)
        last = int(np.flatnonzero(doubt.any(axis=1)).max(initial=-1))
        state = ProductState(M, self._X.shape[1], 1, only=np.asarray(doubt.any(axis=0)))
        for k, pulls in enumerate(self._steps[: last + 1]):
            state.push(*pulls)
            if doubt[k].any():
                log_sigma[k] = state.log_sigma()[:, 0]
                unresolved[k] = state.unresolved
        return log_sigma, unresolved
