"""Random-matrix laws against draws; what an init and an input amount to, against their draws.

Claims:
- sigma_max and the spectral radius of Gaussian matrices lie where they are said to;
- the quarter circle is a density, and that of a drawn matrix;
- exponents of a product of fresh Gaussian matrices are Newman's, also in a run of the engine;
- equivalent gain and input variance are those of the weights that gradlab draws, for every init.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.analysis.random_matrix import (
    INDEPENDENT,
    digamma_half,
    entry_variance,
    equivalent_gain,
    input_variance,
    quarter_circle,
    sigma_max,
    spectral_radius,
    untied_exponents,
)
from gradlab.initial import INITS
from gradlab.inputs import DRAWN, GIVEN, INPUTS
from gradlab.nonlinearity import Array


@pytest.mark.parametrize(
    ("H", "mean"), [(16, 1.844), (64, 1.944), (128, 1.966), (256, 1.979), (512, 1.987)]
)
def test_sigma_max_published(H: int, mean: float) -> None:
    assert sigma_max(1.0, H).mean == pytest.approx(mean, abs=6e-4)  # three decimals
    assert sigma_max(3.0, H).mean == pytest.approx(3 * sigma_max(1.0, H).mean, rel=1e-15)


@pytest.mark.parametrize("H", [1, 8, 32, 64])
def test_the_largest_singular_value_of_draws(H: int) -> None:
    W = np.random.default_rng(0).standard_normal((400, H, H)) / math.sqrt(H)
    drawn = np.linalg.svd(W, compute_uv=False)[:, 0]
    expected = sigma_max(1.0, H)
    # three standard errors of 400 draws, and .005 for the formula
    assert drawn.mean() == pytest.approx(expected.mean, abs=0.005 + 3 * expected.std / 20)
    # a standard deviation from 400 draws is good to 4 %; the formula to 10 %
    assert drawn.std() == pytest.approx(expected.std, rel=0.2)


@pytest.mark.parametrize(("H", "draws"), [(16, 800), (64, 150)])
def test_the_spectral_radius_of_draws(H: int, draws: int) -> None:
    W = np.random.default_rng(1).standard_normal((draws, H, H)) / math.sqrt(H)
    radius = np.abs(np.linalg.eigvals(W)).max(axis=1)
    low, high = spectral_radius(1.0, H)
    error = 3 * radius.std() / math.sqrt(draws)
    assert low - error < radius.mean() < high + error
    assert 1 < low < high < 1.1


def test_the_spectral_radius_published() -> None:
    # 1.052 at 64 and 1.034 at 256, from few draws: to .003
    for H, mean in ((64, 1.052), (256, 1.034)):
        low, high = spectral_radius(1.0, H)
        assert low - 0.003 < mean < high + 0.003
    assert spectral_radius(2.0, 64) == pytest.approx([2 * x for x in spectral_radius(1.0, 64)])


def squares_of_powers(draws: int, H: int, k: int) -> Array:
    """||W^k v||^2 of a unit v and Gaussian W, from the law of W in the basis of its Krylov space.

    There W is a Hessenberg matrix whose entries are independent: N(0, 1/H) on and above the
    diagonal, and below it the length of a Gaussian vector in the H - 1 - j dimensions left. Of
    H x H only the first k + 1 rows and columns matter.
    """
    random = np.random.default_rng(5)
    W = np.triu(random.standard_normal((draws, k + 1, k + 1)))
    for j in range(k):
        W[:, j + 1, j] = np.sqrt(random.chisquare(H - 1 - j, draws))
    v = np.zeros((draws, k + 1, 1))
    v[:, 0] = 1
    for _ in range(k):
        v = W @ v / math.sqrt(H)
    return np.asarray(np.vecdot(v[..., 0], v[..., 0]))


def test_a_power_of_one_matrix_has_no_typical_mean() -> None:
    spec: dict[str, Any] = {"seq_len": 20, "batch_size": 1, "inputs": "zeros", "seeds": 500}
    off = {"spectrum": "none", "lag_split": "none", "loss": {"value": "unit"}}
    record = gradlab.run({"cell": "linear", "hidden_size": 64, **spec, **off})
    run = 10 ** (2 * record["log10_grad_norm_h"][:, 0])
    law = squares_of_powers(40_000, 64, 20)
    # the median of n draws has the error sqrt(n)/2 in rank, here 11; three of them on either side
    ranks = np.sort(run)[[250 - 34, 250 + 34]]
    assert ranks[0] < np.median(law) < ranks[1]
    # what misleads: one seed is near the median, the mean is made by a few in a hundred
    assert law.mean() > 5 * np.median(law)
    assert np.sort(law)[-2000:].sum() > 0.6 * law.sum()  # the largest 5 %


def test_the_quarter_circle() -> None:
    g, H = 1.5, 400
    sigma = np.linspace(0, 2 * g, 30_001)
    density = quarter_circle(sigma, g)
    # trapezoid with a square-root edge: the step to the power 3/2
    assert np.trapezoid(density, sigma) == pytest.approx(1, abs=1e-5)
    assert np.trapezoid(density * sigma**2, sigma) == pytest.approx(g * g, abs=1e-5)
    np.testing.assert_array_equal(quarter_circle(np.array([-0.1, 3.1]), g), 0)
    W = np.random.default_rng(0).standard_normal((H, H)) * g / math.sqrt(H)
    share = np.mean(np.linalg.svd(W, compute_uv=False) < g)
    # singular values are rigid: their counting function is off by O(ln H / H)
    below = sigma <= g
    assert share == pytest.approx(np.trapezoid(density[below], sigma[below]), abs=0.02)


def test_exponents_of_fresh_matrices() -> None:
    exponents = untied_exponents(1.0, 8)
    assert exponents[[0, -1]] == pytest.approx([-0.065088, -1.674902], abs=6e-7)  # six decimals
    # W Q has the law of W: the exponents are the means of ln|R_ii| over independent W
    W = np.random.default_rng(0).standard_normal((20_000, 8, 8)) / math.sqrt(8)
    R = np.linalg.qr(W, mode="r")
    drawn = np.log(np.abs(np.diagonal(R, axis1=1, axis2=2))).mean(axis=0)
    # std of ln chi up to 1.1 over sqrt(20,000): .008
    np.testing.assert_allclose(drawn, exponents, atol=0.025)


def test_the_first_exponent_of_a_run() -> None:
    record = gradlab.run(
        {
            "cell": "linear",
            "tied": False,
            "hidden_size": 8,
            "batch_size": 1,
            "seq_len": 300,
            "seeds": 20,
            "inputs": "zeros",
            "spectrum": "none",
            "figures": "none",
        }
    )
    log10 = record["log10_grad_norm_h"]
    slope = math.log(10) * (log10[:, 0] - log10[:, -1]).mean() / 300
    # one step has a standard deviation of .27: .0035 after 6000 of them
    assert slope == pytest.approx(untied_exponents(1.0, 8)[0], abs=0.012)


def test_digamma() -> None:
    assert digamma_half(2) == pytest.approx(-0.5772156649015329, abs=1e-15)
    assert digamma_half(1) == pytest.approx(-1.9635100260214235, abs=1e-15)
    assert digamma_half(200) == pytest.approx(math.log(100) - 1 / 200 - 1 / 120_000, abs=1e-9)


@pytest.mark.parametrize("init", INITS)
def test_the_gain_of_every_init(init: str) -> None:
    H = 200
    W = INITS[init](np.random.default_rng(0), H, H)
    g = equivalent_gain(init, H)
    if g is None:
        assert init == "identity"
        return
    # 40,000 entries: 1 %
    assert math.sqrt(H) * W.std() == pytest.approx(g, rel=0.02)
    if init in INDEPENDENT:
        assert np.linalg.norm(W, 2) == pytest.approx(sigma_max(g, H).mean, rel=0.05)


@pytest.mark.parametrize(
    ("init", "g"),
    [
        ("normal", 1.0),
        ("uniform", 1 / math.sqrt(3)),
        ("xavier_normal", 1.0),
        ("orthogonal", 1.0),
        ("randn", 8.0),
        ("zeros", 0.0),
        ("identity", None),
        ("file", None),
    ],
)
def test_equivalent_gain(init: str, g: float | None) -> None:
    assert equivalent_gain(init, 64) == (None if g is None else pytest.approx(g, rel=1e-15))


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("I", [100, 300])
def test_the_input_variance_of_every_kind(init: str, inputs: str, I: int) -> None:
    H, B, scale, parameter = 200, 200, 1.5, 0.7
    s2 = input_variance(inputs, parameter, init, H, I, scale)
    if s2 is None:
        assert init == "identity" or inputs in GIVEN
        return
    random = np.random.default_rng(0)
    draw = DRAWN.get(inputs)
    x = draw(random, (1, I, B), parameter)[0] if draw else np.ones((I, B))  # given: zeros for init
    u = scale * INITS[init](random, H, I) @ x
    # constant inputs are the same for all sequences, so 200 values of u: 10 %, three times that
    assert np.mean(u**2) == pytest.approx(s2, rel=0.3 if inputs == "constant" else 0.06)


def test_an_unknown_init_has_no_variance() -> None:
    assert entry_variance("file", 4, 4) is None
    assert input_variance("normal", 1.0, "file", 4, 4) is None
    assert input_variance("file", 1.0, "normal", 4, 4) is None
