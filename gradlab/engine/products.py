"""Product singular values: of P_t = J_T ... J_{t+1}, all of them, at any distance.

A product that is multiplied out has lost all but its largest values within ten steps: they differ
by more than a double has digits, soon by more than its range. The running state is instead

    P_t^T = X 2^e Z^T,      X (n, r) nearly orthonormal, e integers, Z orthogonal and not kept.

One step with P_{t-1}^T = J_t^T P_t^T is, with `factor` and `turn` of gradlab.engine.graded,

    J_t^T X 2^e = Q 2^e' T,     2^e' T = L 2^e'' Z'^T,     X <- Q L.

Every rounding error is then a factor 1 + E on the product, |E| about eps times the condition of one
J_t, and enters each singular value relative to its own size. Errors of ln sigma measured against
900-digit arithmetic: 1e-14 to 2e-11, about (1 .. 100) eps kappa(J_t). Where J_t = D W is given as
two factors, `push(by D, by W^T)`, the condition of D does not count: saturated layers with slopes
down to 1e-170 are harmless. (Each factor costs a QR; so where D is a `Diagonal` whose entries are
within JOIN of each other, the two are multiplied out, and its condition counts as that of any J_t.)
What does count is a factor that kills just the direction that had been largest: X has absolute
accuracy eps, and where a step leaves 2^-k of a column, k bits are gone.

The method is that of the stable matrix products of determinant Monte Carlo (Loh et al. 1992, Bai et
al. 2011), with a second QR so that all scales stay in integers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import NONE, Exponents, factor, take_rows, turn
from gradlab.engine.product_values import Held, Spectrum, spectrum, values
from gradlab.nonlinearity import Array

Pull = Callable[[Array], Array]  # X (M, n, r) -> A^T X (M, n, r), a vjp on r columns of each member

BITS = 30  # below the last value that is wanted: coupling enters squared, so 1e-18 is lost
GRAIN = 4  # ranks are rounded up to multiples: fewer shapes, larger stacks
JOIN = 2.0**7  # a diagonal that spreads no further is multiplied out with what comes after it


class Diagonal:
    """The pull by D(d), d (M, n)."""

    def __init__(self, d: Array) -> None:
        self._d = d[:, :, None]

    def __call__(self, X: Array) -> Array:
        return self._d * X

    def moderate(self) -> NDArray[np.bool_]:
        """(M,): which members' entries are within JOIN of each other; none is zero."""
        size = np.abs(self._d[:, :, 0])
        return np.asarray((size.min(axis=1) * JOIN >= size.max(axis=1)) & (size.min(axis=1) > 0))


class ProductState:
    """The running product of M members.

    only: (M,) the members that are wanted; of the others nothing is computed. None: all.
    keep: how many of the largest values are wanted; None for all n. With `keep` directions more
    than `bits` binary digits below the last one wanted are forgotten, which is right unless later
    factors amplify them by more than that over the others.

    lost: (M,) members with a factor that was not finite; the others go on.
    unresolved: (M,) how many directions were taken for zero because rounding hides them: they are
    zero, or below about 1e-13 of what their factor leaves of the others. Zeros of its own rows and
    columns are exact and not counted.
    """

    def __init__(
        self,
        members: int,
        n: int,
        keep: int | None = None,
        bits: int = BITS,
        only: NDArray[np.bool_] | None = None,
    ) -> None:
        self.n, self.bits = n, bits
        self.keep = None if keep is None else min(keep, n)
        self.rank = np.full(members, n)
        self.lost = np.zeros(members, bool)
        self.unresolved = np.zeros(members, np.int64)
        self._cut = np.zeros(members, bool)  # some direction was forgotten
        # columns from a member's rank on are zero, with exponent NONE
        self._X = np.tile(np.eye(n), (members, 1, 1))
        self._L = self._X.copy()
        self._e: Exponents = np.zeros((members, n), np.int64)
        if only is not None:
            self.rank[~only], self._X[~only], self._L[~only], self._e[~only] = 0, 0, 0, NONE

    def push(self, *pulls: Pull) -> None:
        """Multiply by one more step, J_t = A_1 ... A_m: the pulls by A_1, ..., A_m in this order.

        Members of one rank are worked on together. A pull is always given all members, with zeros
        for those that are not meant, once for each group.
        """
        groups = self._groups(pulls)
        width = max((r for r, _, _ in groups), default=0)
        X, L, e = self._X[:, :, :width], self._L[:, :width, :width], self._e[:, :width]
        if len(groups) > 1 or not all(members.all() for _, members, _ in groups):
            X, L, e = np.zeros_like(X), np.zeros_like(L), np.full_like(e, NONE)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for r, members, factors in groups:
                own = self._step(factors, members, r)
                if members.all():
                    X, L, e = own
                else:
                    X[members, :, :r], L[members, :r, :r], e[members, :r] = own
        self._X, self._L, self._e = X, L, e
        self.rank = (e > NONE).sum(axis=-1)
        self._forget()

    def held(self) -> Held:
        """What it is now; later steps do not change it."""
        cut, lost, unresolved = self._cut.copy(), self.lost.copy(), self.unresolved.copy()
        return Held(self.rank, self._L, self._e, cut, lost, unresolved)

    def log_sigma(self) -> Array:
        """ln sigma (M, K), descending; K = keep or n.

        -inf: zero, exactly or to within rounding (see `unresolved`). NaN: unknown, in members that
        are lost, and where directions were forgotten that would have come next.
        """
        return values(self.held(), self.n if self.keep is None else self.keep)

    def spectrum(self) -> Spectrum:
        """`log_sigma`, and what all the values together say."""
        return spectrum(self.held(), self.n, self.keep)

    def _groups(
        self, pulls: tuple[Pull, ...]
    ) -> list[tuple[int, NDArray[np.bool_], tuple[Pull, ...]]]:
        """Rank, members and factors of what is worked on together; no member of rank 0."""
        ways = [(np.ones(len(self.rank), bool), pulls)]
        if len(pulls) > 1 and isinstance(pulls[0], Diagonal):
            joined = pulls[0].moderate()
            ways = [(joined, (_product(*pulls[:2]), *pulls[2:])), (~joined, pulls)]
        found = []
        for r in sorted(set(self.rank.tolist()) - {0}):
            for members, factors in ways:
                own = members & (self.rank == r)
                if own.any():
                    found.append((int(r), own, factors))
        return found

    def _step(
        self, pulls: tuple[Pull, ...], members: NDArray[np.bool_], r: int
    ) -> tuple[Array, Array, Exponents]:
        """X, L, e of the members of rank r after a step."""
        Q: Array = np.ascontiguousarray(self._X[members, :, :r])
        e = self._e[members, :r]
        right: Array | None = None  # the triangular factors so far, between 2^e and Z
        for pull in pulls:
            B = _pulled(pull, members, Q)
            if not np.isfinite(B.sum()):  # rare, so it is looked at afterwards
                finite = np.asarray(np.isfinite(B).all(axis=(1, 2)))
                B = np.where(finite[:, None, None], B, 0)
                self.lost[np.flatnonzero(members)[~finite]] = True
            Q, T, e, columns, dependent = factor(B, e)
            self.unresolved[members] += dependent
            right = T if right is None else T @ take_rows(right, columns)
        if right is None:
            return Q, self._L[members, :r, :r], e
        L, e = turn(right, e)
        return Q @ L, L, e

    def _forget(self) -> None:
        """Directions too far below the last wanted value, and the room of those that are gone."""
        if self.keep is not None and self._e.shape[1] > self.keep:
            floor = self._e[:, self.keep - 1 : self.keep] - self.bits
            wanted = np.maximum((self._e >= floor).sum(axis=-1), self.keep)
            wanted += -wanted % GRAIN
            beyond = np.arange(self._e.shape[1]) >= wanted[:, None]
            self._cut |= self.rank > wanted
            self._e[beyond] = NONE
            self.rank = np.minimum(self.rank, wanted)
        width = int(self.rank.max(initial=0))
        if width < self._e.shape[1]:
            self._X, self._e = self._X[:, :, :width], self._e[:, :width]
            self._L = self._L[:, :width, :width]
        if (self.rank < width).any():
            gone = self._e == NONE
            self._X = np.where(gone[:, None, :], 0, self._X)
            self._L = np.where(gone[:, None, :] | gone[:, :, None], 0, self._L)


def _product(first: Pull, second: Pull) -> Pull:
    """The one, then the other."""
    return lambda X: second(first(X))


def _pulled(pull: Pull, members: NDArray[np.bool_], X: Array) -> Array:
    """The pull of some members' X (m, n, r), asked of all."""
    if members.all():
        return np.asarray(pull(X), np.float64)
    every = np.zeros((len(members), *X.shape[1:]))
    every[members] = X
    return np.asarray(pull(every), np.float64)[members]
