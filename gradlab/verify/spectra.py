"""Singular values and exponents: identities, closed forms, and other algorithms."""

from __future__ import annotations

import numpy as np

from gradlab.cells.rnn import Local
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.runner import run
from gradlab.verify.decimals import decimal_log_sigma
from gradlab.verify.jacobi import jacobi_products
from gradlab.verify.runs import ALL_SPECTRA, jacobians, local_derivatives, planned, trajectory

LN10 = np.log(10.0)
GATED = ("rnn", "lstm", "gru")

# What is compared with Jacobi rotations. An orthogonal W keeps the condition of a step, and with it
# the error of the rotations, within bounds: |a_t| is below 3 (sqrt(8) + a few), slopes above 1e-8.
WIDE = {
    "cell": "rnn",
    "hidden_size": 8,
    "weight_scale": 3.0,
    "init": {"recurrent": "orthogonal"},
    "inputs": {"type": "normal", "std": 0.3},
    "seq_len": 800,
}
JOINT = {"cell": "lstm", "hidden_size": 4, "seq_len": 100}  # (h, c) together
SATURATED = {"cell": "rnn", "hidden_size": 4, "weight_scale": 20.0, "seq_len": 10}
DIGITS = 1200  # slopes of `SATURATED` are above 1e-50, ten steps span less than half of it


def determinants() -> float:
    """|sum_i ln sigma_i(J_t) - ln|det J_t||, the largest over steps, seeds and cells."""
    return float(np.max([_determinant_error(cell) for cell in GATED]))


def _determinant_error(cell: str) -> float:
    spec = planned(cell=cell, hidden_size=6, seq_len=30, seeds=2, spectrum=ALL_SPECTRA)
    total = np.log(run(spec)["step_singular_values"][:, 1:, 0]).sum(axis=-1)
    return float(np.abs(total - _log_det(jacobians(trajectory(spec)))).max())


def _log_det(J: Array) -> Array:
    """ln|det J_t| of the first sequence, (R, T), by LU."""
    return np.linalg.slogdet(J[:, :, 0])[1].T


def lyapunov_sum() -> float:
    """|sum_i lambda_i - mean of ln|det J_t||, the largest over seeds and cells."""
    errors = []
    for cell in GATED:
        spec = planned(cell=cell, hidden_size=6, seq_len=60, seeds=2, spectrum=ALL_SPECTRA)
        total = run(spec)["lyapunov_exponents"][:, 0].sum(axis=-1)
        mean = _log_det(jacobians(trajectory(spec))).mean(axis=-1)
        errors.append(np.abs(total - mean).max())
    return float(np.max(errors))


def rotations() -> float:
    """W = g Q, linear: singular values of a step g, of k steps g^k, exponents ln g, and norms too.

    The largest absolute error of a logarithm.
    """
    T, g = 200, 1.3
    orthogonal = {"recurrent": "orthogonal", "input": "zeros"}
    found = run(
        planned(
            cell="linear",
            hidden_size=8,
            weight_scale=g,
            seq_len=T,
            init=orthogonal,
            spectrum=ALL_SPECTRA,
            seeds=2,
        )
    )
    lag = found.lag[None, :-1, None]
    errors = (
        np.log(found["step_singular_values"][:, 1:, 0]) - np.log(g),
        found["log10_product_singular_values"][:, :-1, 0] * LN10 - lag * np.log(g),
        found["lyapunov_exponents"] - np.log(g),
        found["growth_rate"] - np.log(g),
    )
    return float(np.max([np.abs(error).max() for error in errors]))


def products() -> float:
    """Every product singular value at every step against Jacobi rotations: absolute error of ln."""
    errors = []
    for keys in (WIDE, JOINT):
        spec = planned(**keys, batch_size=1, seeds=1, spectrum=ALL_SPECTRA)
        J = jacobians(trajectory(spec))[::-1, 0, 0]
        judge = np.array(list(jacobi_products(J)))[::-1]
        errors.append(np.abs(_log_products(run(spec)) - judge).max())
    return float(np.max(errors))


def saturated() -> float:
    """The same where slopes are 1e-20 and less, against arithmetic with DIGITS digits."""
    spec = planned(**SATURATED, batch_size=1, seeds=2, spectrum=ALL_SPECTRA)
    way = trajectory(spec)
    local: Local = local_derivatives(way)
    found = _log_products(run(spec), seed=1)[0]
    W = way.weights.at(1).affine.W[1]
    factors = [A for slope in local.slope[::-1, 1, :, 0] for A in (slope, W)]
    return float(np.abs(found - decimal_log_sigma(factors, DIGITS)).max())


def _log_products(record: Record, seed: int = 0) -> Array:
    """ln sigma (T, D) of one seed at t = 0 .. T - 1."""
    return record["log10_product_singular_values"][seed, :-1, 0] * LN10
