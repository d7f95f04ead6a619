"""Lyapunov exponents by repeated QR (Benettin et al. 1980).

    Q_t R_t = A_t Q_{t-1},     lambda_i = mean over t of ln |(R_t)_ii|         nats per step

Forward in time A_t = J_t, and the columns of Q turn towards the directions that have grown most up
to t. The backward pass of gradlab meets the steps from T to 1 and applies J_t^T: the same method on
the adjoint sequence J_T^T, ..., J_1^T. Both factor the same product, P = J_T ... J_1 or P^T, whose
singular values they read off triangular factors, so both tend to the same exponents as T grows; at
finite T they differ from each other, and from ln sigma_i(P) / T, by terms of order 1 / T. The order
of the transposes is the trap: J_t^T applied forward in time, or J_t backward, is the spectrum of a
product that does not occur. Q is square, so for every T and either direction

    sum_i lambda_i = mean over t of ln |det J_t|.

J_t is that of the whole state. For an LSTM the block dh_t/dh_{t-1} at fixed c_t has other
exponents, even of the other sign.
"""

from __future__ import annotations

import numpy as np

from gradlab.engine.graded import pivots_of
from gradlab.engine.products import Pull
from gradlab.nonlinearity import Array


class QRExponents:
    """The running frame of M members, n wide, with the first `count` directions (None: all).

    start: Q (M, n, n), orthonormal; None is the identity. A start that is not special is safer: an
    identity stays in the blocks of a block-diagonal J and then does not order the exponents.
    """

    def __init__(
        self, members: int, n: int, count: int | None = None, start: Array | None = None
    ) -> None:
        Q = np.tile(np.eye(n), (members, 1, 1)) if start is None else start
        self._Q: Array = np.array(Q[:, :, : n if count is None else count], np.float64)
        self._total = np.zeros((members, self._Q.shape[2]))
        self.steps = 0

    def push(self, *factors: Pull, count: bool = True) -> None:
        """One step, its factors in the order in which they act: X (M, n, r) -> A X. count=False
        turns the frame and counts nothing: a burn-in.
        """
        growth = np.zeros_like(self._total)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for act in factors:
                self._Q, log_pivots = pivots_of(np.asarray(act(self._Q), np.float64))
                growth += log_pivots
        if count:
            self._total += growth
            self.steps += 1

    def exponents(self) -> Array:
        """(M, count) in nats per step, in the order of the frame: descending only as T grows.

        -inf: a direction that some step maps to zero, exactly or to within rounding. NaN: a factor
        that was not finite, or no step counted.
        """
        if self.steps == 0:
            return np.full_like(self._total, np.nan)
        return self._total / self.steps


class LyapunovExponents:
    """Exponents of the adjoint sequence, from the steps of a backward pass (`StepPulls`).

    burn_in: so many steps below T turn the frame and are not counted. A frame starts at random
    (the same for all members), by a stream that depends on D alone.
    """

    def __init__(self, R: int, D: int, sequences: int = 1, burn_in: int = 0) -> None:
        Q = np.linalg.qr(np.random.default_rng(D).standard_normal((D, D)))[0]
        self._frame = QRExponents(sequences * R, D, start=np.tile(Q, (sequences * R, 1, 1)))
        self._shape = sequences, R, D
        self._burn_in, self._met = burn_in, 0

    def push(self, t: int, *pulls: Pull) -> None:
        """Take step t, the next below the one before."""
        self._frame.push(*pulls, count=self._met >= self._burn_in)
        self._met += 1

    def exponents(self) -> Array:
        """(R, sequences, D) in nats per step."""
        return self._frame.exponents().reshape(self._shape).swapaxes(0, 1)
