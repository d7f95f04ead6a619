"""Theory against simulation: both sides are gradlab's, and they have nothing in common."""

from __future__ import annotations

import numpy as np

from gradlab.analysis.meanfield import mean_field
from gradlab.analysis.random_matrix import sigma_max, untied_exponents
from gradlab.runner import run
from gradlab.verify.runs import planned

POINTS = ((1.5, 0.25), (3.0, 1.0))  # g and s2 of tanh: one vanishes, one explodes
WIDTH = 256
FRESH = 200  # steps with weights of their own


def mean_field_rate() -> float:
    """|growth rate, mean over seeds, - theory at this width|, the larger of POINTS, in nats."""
    errors = []
    for g, s2 in POINTS:
        found = run(
            planned(
                cell="rnn",
                hidden_size=WIDTH,
                batch_size=2,
                seq_len=150,
                weight_scale=g,
                init={"input_scale": s2**0.5},
                loss={"value": "normal"},
                lag_split="none",
                spectrum="none",
                seeds=12,
            )
        )
        theory = mean_field("tanh", g, s2).growth_rate_at(WIDTH)
        errors.append(np.nan if theory is None else abs(found["growth_rate"].mean() - theory))
    return float(np.max(errors))


def largest_singular_value() -> float:
    """|mean sigma_max of 200 Gaussian matrices - that of Tracy and Widom|, at H = 64, g = 1."""
    H = 64
    found = run(
        planned(
            cell="linear",
            hidden_size=H,
            batch_size=1,
            seq_len=1,
            inputs="zeros",
            spectrum="none",
            seeds=200,
        )
    )
    return float(abs(found["weight_singular_values"][:, 0, 0].mean() - sigma_max(1.0, H).mean))


def untied() -> float:
    """Exponents of fresh Gaussian matrices against Newman's, in standard errors over the seeds."""
    H, seeds = 8, 50
    found = run(
        planned(
            cell="linear",
            hidden_size=H,
            batch_size=1,
            seq_len=FRESH,
            tied=False,
            inputs="zeros",
            init={"input": "zeros"},
            spectrum={"step": False, "lyapunov": True},
            seeds=seeds,
        )
    )["lyapunov_exponents"][:, 0]
    error = found.std(axis=0, ddof=1) / seeds**0.5
    return float(np.abs((found.mean(axis=0) - untied_exponents(1.0, H)) / error).max())
