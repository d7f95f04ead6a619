"""What theory predicts, beside what was measured.

The textbook's bound (Bengio, Simard, Frasconi 1994; Pascanu, Mikolov, Bengio 2013): where a step is
one nonlinearity around W_hh h + ..., J_t = D(phi'(a_t)) W_hh, so with |phi'| <= gamma

    ||delta_{T-lag}|| <= (gamma sigma_max)^lag ||delta_T||.

gamma sigma_max < 1 is therefore sufficient for vanishing, and gamma sigma_max > 1 is necessary, but
not sufficient, for exploding. The bound is loose, often by tens of orders of magnitude over 100
steps. It says nothing about gated cells, whose Jacobian is no such product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradlab.nonlinearity import Array

SOURCE = "Bengio, Simard, Frasconi 1994; Pascanu, Mikolov, Bengio 2013"
LOOSE_LINEAR = (
    "The bound is loose, and the looser the more steps there are: no vector meets the largest "
    "singular value at every step."
)
LOOSE = LOOSE_LINEAR.removesuffix(".") + ", and phi' is below its maximum at most units."


@dataclass(frozen=True)
class Textbook:
    """gamma, the bound's factor per step, and in how many of the seeds each condition held."""

    gamma: float
    bound_per_step: float  # gamma sigma_max, the largest over seeds
    seeds: int
    sufficient_for_vanishing: int  # seeds with gamma sigma_max < 1
    necessary_for_exploding: int  # seeds with gamma sigma_max > 1


def textbook(gamma: float, sigma_max: Array) -> Textbook:
    """The two conditions for sigma_max (R,) of W_hh."""
    bound = gamma * sigma_max
    return Textbook(
        gamma=gamma,
        bound_per_step=float(bound.max()),
        seeds=len(bound),
        sufficient_for_vanishing=int(np.count_nonzero(bound < 1)),
        necessary_for_exploding=int(np.count_nonzero(bound > 1)),
    )
