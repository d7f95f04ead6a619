"""Singular values of products that are held in the form 2^e'' L, each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.engine.graded import Exponents, log_singular_values
from gradlab.engine.spectrum import effective_rank, log10_condition
from gradlab.nonlinearity import Array


class Held(NamedTuple):
    """Products of M members (`ProductState`): L 2^e of rank `rank`; which have forgotten directions
    (cut), which are lost, and how many directions of each are below rounding.
    """

    rank: NDArray[np.int64]  # (M,)
    L: Array  # (M, r, r)
    e: Exponents  # (M, r)
    cut: NDArray[np.bool_]  # (M,)
    lost: NDArray[np.bool_]  # (M,)
    unresolved: NDArray[np.int64]  # (M,)


def joined(each: Sequence[Held]) -> Held:
    """Several of one width r as one, one after the other."""
    return Held(*(np.concatenate(fields) for fields in zip(*each, strict=True)))


class Spectrum(NamedTuple):
    """What the singular values of M products are.

    effective_rank counts all directions, not only the K largest. With `keep` those that were
    forgotten are missing in it: each has a share below 2^-bits of the last one wanted, so it is
    too small by a part of at most about n 2^-bits (1 + bits ln 2): 1e-6 at n = 64. A direction
    that is only below rounding has a share of 1e-13.

    log10_condition: the largest value over the smallest, in decades; inf where the smallest is an
    exact zero. NaN where it is not known: only some of the values are kept, or every zero is only
    below rounding (`unresolved` counts them). Both are NaN for a product that is zero or lost.
    """

    log_sigma: Array  # (M, K)
    effective_rank: Array  # (M,)
    log10_condition: Array  # (M,)


def values(held: Held, count: int) -> Array:
    """ln of the `count` largest, (M, count): see `ProductState.log_sigma`."""
    out = np.full((len(held.rank), count), -np.inf)
    out[held.cut] = np.nan
    for r in set(held.rank.tolist()) - {0}:
        members, K = held.rank == r, min(r, count)
        L, e = held.L[:, :r, :r], held.e[:, :r]
        if not members.all():
            L, e = L[members], e[members]
        with np.errstate(under="ignore", divide="ignore"):
            out[members, :K] = log_singular_values(L, e, K)
    out[held.lost] = np.nan
    return out


def spectrum(held: Held, n: int, keep: int | None) -> Spectrum:
    """The `keep` largest values, or all n, and what all the values together say."""
    count = n if keep is None else keep
    own = values(held, n)  # all: the bits of a sum depend on its length
    small = np.nan_to_num(own[:, count:], nan=-np.inf, neginf=-np.inf)  # forgotten: nothing
    rank = effective_rank(np.concatenate((own[:, :count], small), axis=1))
    condition = np.full(len(own), np.nan)
    if count == n:
        hidden = (held.unresolved > 0) & (held.rank + held.unresolved == n)
        condition = np.where(hidden, np.nan, log10_condition(own))
    return Spectrum(own[:, :count], rank, condition)
