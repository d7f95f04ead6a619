"""Random recurrent matrices: what their largest singular value and spectral radius are to be.

W is H x H with independent entries of variance g^2 / H (Gaussian where a fluctuation is given).
As H -> infinity sigma_max -> 2 g (Geman 1980), the spectral radius -> g (Girko 1984), and the
singular values have the quarter-circle density (Marchenko, Pastur 1967): so sigma_max > 1, the
textbooks' sign of explosion, holds from g = 1/2 on, the spectral radius is above 1 from g = 1 on.
An orthogonal W has all singular values and |eigenvalues| equal to g instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.nonlinearity import Array

TRACY_WIDOM = (-1.2065335745820, 1.6077810345810)  # mean and variance of TW_1 (Bornemann 2010)
EULER = 0.57721566490153286

# the draws with independent entries: the laws of this module hold. Not orthogonal, identity, zeros.
INDEPENDENT = ("normal", "randn", "uniform", "xavier_uniform", "xavier_normal")


@dataclass(frozen=True)
class Scatter:
    """Mean over draws of W, and standard deviation from draw to draw."""

    mean: float
    std: float


def sigma_max(g: float, H: int) -> Scatter:
    """Largest singular value of a Gaussian W: about 2 g - 0.76 g / H^(2/3), +- 0.8 g / H^(2/3).

    (H / g^2) sigma_max^2 = mu + s X, X Tracy-Widom, mu = (sqrt(H - 1) + sqrt(H))^2 and
    s = (sqrt(H - 1) + sqrt(H)) (1 / sqrt(H - 1) + 1 / sqrt(H))^(1/3) (Johnstone 2001, theorem 1.1).
    Mean within 0.005 g from H = 8 on, std within a tenth. Other entries of that variance have the
    same limit. H = 1 is |N(0, g^2)|.
    """
    if H == 1:
        return Scatter(g * math.sqrt(2 / math.pi), g * math.sqrt(1 - 2 / math.pi))
    a, b = math.sqrt(H - 1), math.sqrt(H)
    mu, s = (a + b) ** 2, (a + b) * (1 / a + 1 / b) ** (1 / 3)
    mean, variance = TRACY_WIDOM
    spread = s * math.sqrt(variance) / (2 * math.sqrt(mu * H))
    return Scatter(g * math.sqrt((mu + s * mean) / H), g * spread)


def spectral_radius(g: float, H: int) -> tuple[float, float]:
    """Between which two values the mean spectral radius of a Gaussian W lies.

    Of a complex Gaussian matrix the squared |eigenvalues|, times H / g^2, are distributed like
    independent Gamma(k), k = 1 .. H (Kostlan 1992): that mean is the upper value. A real matrix has
    conjugate pairs, at the edge half as many independent ones (Rider, Sinclair 2014): that is the
    lower one, too low because it leaves out the real eigenvalues. Measured: H = 16 1.068 in
    (1.035, 1.091), 64 1.063 in (1.044, 1.068), 256 1.036 in (1.034, 1.044), g = 1. It falls slowly,
    like sqrt(ln(H) / H); the asymptotic formula for that is of no use below H of many thousands.
    """
    width = min(6 / math.sqrt(H), 0.9)
    r = np.linspace(1 - width, 1 + 2 * width, 1201)
    inside = _log_all_inside(H * r * r, H)
    step = r[1] - r[0]
    low, high = (float(r[0] + np.sum(1 - np.exp(p * inside)) * step) for p in (0.5, 1.0))
    return g * low, g * high


def _log_all_inside(x: Array, H: int) -> Array:
    """ln prod_k P(Gamma(k) < x), k = 1 .. H: P(Gamma(k) > x) is the Poisson sum of e^-x x^j / j!,
    j < k.
    """
    total, term_log = np.zeros_like(x), -x
    tail = np.zeros_like(x)
    for j in range(H):
        tail += np.exp(term_log)
        total += np.log1p(-np.minimum(tail, 1 - 1e-15))
        term_log = term_log + np.log(x) - math.log(j + 1)
    return total


def quarter_circle(sigma: Array, g: float) -> Array:
    """Density of the singular values of W at sigma, H -> infinity: sqrt(4 g^2 - sigma^2) /
    (pi g^2) on [0, 2 g], else 0.
    """
    with np.errstate(over="ignore"):  # by g first: the square of either may be no float
        inside = np.clip(4 - np.clip(sigma / g, 0, 2) ** 2, 0, None)
    return np.where(sigma >= 0, np.sqrt(inside) / math.pi / g, 0.0)


def equivalent_gain(init: str, H: int) -> float | None:
    """g of an H x H matrix drawn with that init at scale 1: sqrt(H times the variance of an entry).

    uniform, U(+-1/sqrt(H)), PyTorch's default, has 1/sqrt(3). For orthogonal it is 1, which serves
    the mean field (same q and chi); its singular values are all 1. None where the units are no
    random sample (identity) or the draw is not known (a file).
    """
    if init == "identity":
        return None
    variance = entry_variance(init, H, H)
    return None if variance is None else math.sqrt(H * variance)


def entry_variance(init: str, rows: int, columns: int) -> float | None:
    """Variance of an entry of a rows x columns block drawn with that init; None if not known."""
    variances = {
        "normal": 1 / columns,
        "randn": 1.0,
        "uniform": 1 / (3 * rows),
        "xavier_uniform": 2 / (rows + columns),
        "xavier_normal": 2 / (rows + columns),
        "orthogonal": 1 / max(rows, columns),
        "zeros": 0.0,
        "identity": None,
    }
    return variances.get(init)


def input_variance(
    inputs: str, parameter: float, init: str, H: int, I: int, scale: float = 1.0
) -> float | None:
    """s2: variance over units of U x_t, U (H, I) drawn with `init` and multiplied by `scale`.

    inputs: normal (parameter: std), zeros, constant (parameter: value), onehot. None for others.
    What the number hides: with few inputs (I below about 10, normal) the units differ, a mixture of
    Gaussians; constant inputs are the same at every step, one-hot ones come again with probability
    1 / I, which does not matter to `meanfield`'s chi but does to `dmft`. With init identity, every
    unit must have its own input (I >= H, normal inputs).
    """
    if inputs == "zeros" or init == "zeros":
        return 0.0
    if init == "identity":
        return (parameter * scale) ** 2 if inputs == "normal" and I >= H else None
    size = {"normal": I * parameter**2, "constant": I * parameter**2, "onehot": 1.0}.get(inputs)
    variance = entry_variance(init, H, I)
    return None if size is None or variance is None else size * variance * scale**2


def untied_exponents(g: float, H: int) -> Array:
    """Lyapunov exponents (H,) of a product of fresh Gaussian matrices, nats per step, descending:

    lambda_i = ln g + [ln(2 / H) + psi((H - i + 1) / 2)] / 2, i = 1 .. H (Newman 1986), exact at any
    H. The first is ln g - 1 / (2 H) about, the last ln g - ln(H) / 2 - 0.64.
    """
    psi = np.array([digamma_half(n) for n in range(H, 0, -1)])
    return math.log(g) + 0.5 * (math.log(2 / H) + psi)


def digamma_half(n: int) -> float:
    """psi(n / 2) for n >= 1, from psi(1/2) or psi(1) by psi(x + 1) = psi(x) + 1 / x."""
    start = -EULER - 2 * math.log(2) if n % 2 else -EULER
    return start + math.fsum(2 / k for k in range(2 - n % 2, n, 2))
