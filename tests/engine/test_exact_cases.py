"""Cases whose answer is known in closed form.

Claims:
- Linear cell, W = g Q with Q orthogonal: the norm at t is g^(T-t) times that at T, every singular
  value of every step is g.
- The textbook's lists (numpy's legacy seed 3, ones((2, 3))), twenty steps and 5000.
- Singular values and spectral radius of that matrix.
- A Jordan block with eigenvalue 0.99: growth by 10^9 before the decay that the eigenvalue promises.
- The forward pass overflows at the step where it must, only in the member where it must.
- A cell with a closed form follows it in every state and gradient: the accumulator's gradient is
  constant to the bit.
- Without weights a cell state forgets by its bias alone: sigmoid(b)^T.
- A dead ReLU has a gradient of exactly zero: log10 is -inf, which no underflow ever gives.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction
from math import comb, cos, exp, log10, sin, sqrt

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.draws import Streams
from gradlab.engine.spectrum import weight_eigenvalues, weight_spectrum
from gradlab.initial import Drawn, member
from tests.cells.closed_forms import CLOSED_FORMS
from tests.cells.reference_gradients import load
from tests.engine.ensembles import (
    Array,
    Ensemble,
    assert_same_bits,
    drawn,
    everything,
    linear,
    value,
)

TEXTBOOK = load("textbook_norms.json")["cases"]


def rotation(H: int, seed: int) -> Array:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((H, H)))[0]


@pytest.mark.parametrize("g", [0.3, 0.9, 1.0, 1.7])
@pytest.mark.parametrize("T", [1, 16, 50, 200])
def test_scaled_rotation(g: float, T: int) -> None:
    H, B = 6, 3
    dh = np.random.default_rng(0).standard_normal((1, H, B))
    found = linear((g * rotation(H, 1))[None], dh, T).gradients(sequences=B)
    lags = T - np.arange(T + 1)
    expected = log10(np.linalg.norm(dh)) + lags * log10(g)
    # the relative error of a norm grows by about eps a step, 4e-14 at T = 200; ln 10 of it in log10
    assert np.abs(found.norms["h"].log10()[:, 0] - expected).max() < 1e-12
    assert found.step_singular_values is not None
    # right to a few eps, as an SVD of an orthogonal matrix is
    assert np.abs(found.step_singular_values[1:] - g).max() < 1e-14 * max(1, g)
    assert np.isnan(found.step_singular_values[0]).all()  # J_0 does not exist


def textbook(scale: float, T: int) -> Array:
    """log10 of norm / batch at lag 0 .. T, through the weights as a run draws them."""
    H, N = 3, 2
    init = Drawn(recurrent="randn", input="zeros")
    tensors = member(
        CELLS["linear"], CELLS["linear"].Options(), init, H, H, scale, Streams(3, "mt19937")
    )
    found = linear(tensors["weight_hh"][None], np.ones((1, H, N)), T).gradients()
    return found.norms["h"].log10()[::-1, 0] - log10(N)


@pytest.mark.parametrize("case", TEXTBOOK, ids=lambda case: f"scale {case['scale']}")
def test_textbook_lists(case: dict) -> None:
    norms = 10 ** textbook(case["scale"], case["T"])[1:]
    # 20 steps at eps each, in 3 x 3; log10 and back costs another 1e-15
    assert np.allclose(norms, case["norms"], rtol=1e-12, atol=0)
    assert np.allclose(norms, [float(s) for s in case["norms_mpmath"]], rtol=1e-12, atol=0)


def test_textbook_weights_are_drawn_transposed() -> None:
    for case in TEXTBOOK:
        init = Drawn(recurrent="randn", input="zeros")
        tensors = member(
            CELLS["linear"],
            CELLS["linear"].Options(),
            init,
            3,
            3,
            case["scale"],
            Streams(3, "mt19937"),
        )
        assert np.array_equal(tensors["weight_hh"].T, case["Wh"])
        assert not tensors["weight_ih"].any()


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 493.970757579), (0.5, -1011.179220741)])
def test_textbook_pair_at_5000_steps(scale: float, expected: float) -> None:
    # far outside float range; the number is given to nine digits after the point
    assert abs(textbook(scale, 5000)[-1] - expected) < 1e-8


def exact_textbook_log10(scale: float, T: int) -> float:
    """The same by powers of the matrix in whole numbers: every float is a fraction."""
    W = [[Fraction(w) for w in row] for row in TEXTBOOK[0 if scale == 1 else 1]["Wh"]]
    unit = 2**60
    whole = [[int(w * unit) for w in row] for row in W]
    assert all(
        Fraction(n, unit) == w
        for a, b in zip(whole, W, strict=True)
        for n, w in zip(a, b, strict=True)
    )
    d = [1, 1, 1]
    for _ in range(T):
        d = [sum(w * v for w, v in zip(row, d, strict=True)) for row in whole]
    square = 2 * sum(v * v for v in d)  # two equal sequences; in units of 2^(-120 T)
    shift = max(square.bit_length() - 64, 0)
    return (log10(square >> shift) + (shift - 120 * T) * log10(2)) / 2 - log10(2)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_textbook_in_whole_numbers(scale: float) -> None:
    # T eps / ln 10 = 2e-13 from rounding, and log10 of 10^500 carries eps of 500
    assert abs(textbook(scale, 1000)[-1] - exact_textbook_log10(scale, 1000)) < 1e-11


def test_textbook_spectrum() -> None:
    for case in TEXTBOOK:
        W = np.array(case["Wh"]).T
        sigma, radius = weight_spectrum(1, W[None])
        assert sigma.shape == (1, 1, 3) and radius.shape == (1, 1)
        assert np.allclose(sigma[0, 0], case["sigma"], rtol=1e-13, atol=0)  # condition 15
        assert np.isclose(radius[0, 0], case["abs_eig_max"], rtol=1e-13, atol=0)
    assert (
        np.abs(
            weight_spectrum(1, np.array(TEXTBOOK[0]["Wh"])[None])[0]
            - [2.65942893, 0.61006697, 0.17776304]
        ).max()
        < 5e-9
    )  # the text prints 8 digits


def test_spectrum_of_packed_gates_is_gate_by_gate() -> None:
    Q = [g * rotation(4, seed) for seed, g in enumerate((0.5, 1.0, 2.0, 3.0))]
    sigma, radius = weight_spectrum(4, np.concatenate(Q)[None])
    # all singular values and all |eigenvalues| of g Q are g
    assert np.allclose(sigma[0], np.array([0.5, 1, 2, 3])[:, None], rtol=1e-14, atol=0)
    assert np.allclose(radius[0], [0.5, 1, 2, 3], rtol=1e-14, atol=0)


def test_spectrum_of_members_with_the_same_weights() -> None:
    """Diagonal blocks, whose values and radii are read off; each kind of member is there twice."""
    scales = np.array([3.0, 0.5, 3.0, 2.0, 0.5])
    W = scales[:, None, None] * np.diag([1.0, -2.0, 4.0])
    sigma, radius = weight_spectrum(1, W)
    # products by powers of two and by 3 are exact, and a diagonal matrix needs no arithmetic
    assert np.array_equal(sigma[:, 0], scales[:, None] * [4, 2, 1])
    assert np.array_equal(radius[:, 0], 4 * scales)


def test_eigenvalues_of_turns_and_stretches_are_read_off() -> None:
    """A block of turns by an angle, each stretched, has the eigenvalues r exp(+-i angle); one that
    is triangular has its diagonal. The largest come first, of a pair the one above the real axis.
    """
    turns = np.zeros((4, 4))
    for k, (r, angle) in enumerate(((0.5, 1.0), (2.0, 2.5))):
        part = slice(2 * k, 2 * k + 2)
        turns[part, part] = r * np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    triangle = np.triu(np.ones((4, 4)), 1) + np.diag([1.0, -4.0, 0.25, 3.0])
    found = weight_eigenvalues(2, np.concatenate((turns, triangle))[None])
    assert found.shape == (1, 2, 4)
    up = [2 * np.exp(2.5j), 2 * np.exp(-2.5j), 0.5 * np.exp(1j), 0.5 * np.exp(-1j)]
    # a few eps of the largest: both matrices are far from defective
    assert np.allclose(found[0, 0], up, rtol=0, atol=1e-14)
    assert np.allclose(found[0, 1], [-4, 3, 1, 0.25], rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_eigenvalues_have_the_traces_of_the_powers(dtype: type) -> None:
    """sum lambda = tr W, sum lambda^2 = tr W^2: no eigenvalue is lost, doubled or misplaced."""
    W = np.random.default_rng(4).standard_normal((3, 2 * 16, 16)).astype(dtype)
    found = weight_eigenvalues(2, W)
    assert (np.diff(np.abs(found), axis=-1) <= 0).all()
    blocks = W.reshape(3, 2, 16, 16).astype(float)
    # eigenvalues of a matrix of norm 8 are right to some eps of it; 16 of them, squared, are added
    size = 1e3 * np.finfo(dtype).eps
    first, second = np.einsum("rgii->rg", blocks), np.einsum("rgij,rgji->rg", blocks, blocks)
    assert np.abs(found.sum(axis=-1) - first).max() < size
    assert np.abs((found**2).sum(axis=-1) - second).max() < 10 * size


def jordan_norm(eigenvalue: float, H: int, k: int) -> float:
    """||(J^T)^k ones||: entry i is the sum over j <= i of C(k, j) eigenvalue^(k-j), exactly."""
    e = Fraction(eigenvalue)
    terms = [comb(k, j) * e ** (k - j) if j <= k else Fraction(0) for j in range(H)]
    entries = [sum(terms[: i + 1], Fraction(0)) for i in range(H)]
    square = sum((entry * entry for entry in entries), Fraction(0))
    return sqrt(square.numerator / square.denominator)  # Python divides whole numbers correctly


def test_jordan_block_grows_before_it_decays() -> None:
    H, T = 6, 1500
    W = 0.99 * np.eye(H) + np.eye(H, k=1)
    found = value(linear(W[None], np.ones((1, H, 1)), T).gradients().norms["h"])[::-1, 0]
    for k in (0, 1, 2, 10, 100, 300):
        # all terms are positive, so rounding is at most a few eps a step: 300 * 3 eps = 2e-13
        assert abs(found[k] - jordan_norm(0.99, H, k)) < 1e-12 * found[k]
    radius = weight_spectrum(1, W[None])[1]
    # the eigenvalue says decay; an eigenvalue of multiplicity 6 is only right to eps^(1/6)
    assert abs(radius.item() - 0.99) < 0.01
    peak = int(found.argmax())
    assert found[peak] > 1e8 * found[0]  # C(k, 5) 0.99^k peaks near k = 5 / -ln 0.99 = 500
    assert 400 < peak < 600
    assert found[1500] < 0.05 * found[peak]


def test_overflow_of_the_forward_pass_has_its_step() -> None:
    # h_t = 1e100^t: 1e300 at t = 3, beyond 1.8e308 at t = 4
    W, one = np.full((1, 1, 1), 1e100), np.ones((1, 1, 1))
    assert linear(W, one, 10, h0=one).forward().overflow.tolist() == [4]
    assert linear(W, one, 3, h0=one).forward().overflow.tolist() == [0]
    assert replace(linear(W, one, 40, h0=one), every=16).forward().overflow.tolist() == [4]


def test_overflow_is_seen_though_the_state_comes_back() -> None:
    # ReLU of -inf is 0: the last state is finite again
    ensemble = drawn("rnn-relu", [0], H=1, B=1, T=6, I=1)
    big = np.finfo(float).max
    tensors = {name: np.zeros_like(tensor) for name, tensor in ensemble.tensors.items()}
    tensors["weight_ih"][:], tensors["weight_hh"][:] = 2.0, -1.0
    x = np.zeros_like(ensemble.x)
    x[2] = big  # h_3 = 2 big = inf, h_4 = relu(-inf) = 0
    trajectory = replace(ensemble, tensors=tensors, x=x).forward()
    assert trajectory.overflow.tolist() == [3]
    assert np.isfinite(trajectory.last.states[-1]).all()


@pytest.mark.parametrize("every", [None, 16])
def test_only_the_member_that_overflows_overflows(every: int | None) -> None:
    H, B, T = 5, 3, 40
    random = np.random.default_rng(2)
    W = np.stack([rotation(H, 1), 1e100 * rotation(H, 2), 0.9 * rotation(H, 3)])
    dh, h0 = random.standard_normal((2, 3, H, B))
    ensemble = replace(linear(W, dh, T, h0=h0), every=every)
    overflow = ensemble.forward().overflow
    assert overflow[0] == overflow[2] == 0 and overflow[1] == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = everything(ensemble.gradients())
    alone = everything(ensemble.members([0, 2]).gradients())
    assert_same_bits(together, alone, of=[0, 2], to=[0, 1])


@pytest.mark.parametrize("variant", ["rnn-relu", "rnn-tanh", "lstm", "gru", "linear"])
def test_an_overflowing_neighbour_changes_no_bit(variant: str) -> None:
    # inputs of 1e308 in one member: its pre-activations are infinite or NaN
    ensemble = drawn(variant, [0, 1, 2], T=40)
    x = ensemble.x.copy()
    x[5:, 1] = np.copysign(1e308, x[5:, 1])
    ensemble = replace(ensemble, x=x)
    together = everything(ensemble.gradients())
    alone = everything(ensemble.members([0, 2]).gradients())
    assert_same_bits(together, alone, of=[0, 2], to=[0, 1])


@pytest.mark.parametrize("T", [1, 16, 50])
@pytest.mark.parametrize("variant", CLOSED_FORMS)
def test_a_cell_with_a_closed_form(variant: str, T: int) -> None:
    ensemble = drawn(variant, [0, 1], T=T)
    states, deltas = CLOSED_FORMS[variant](ensemble.tensors, ensemble.s0, ensemble.x, ensemble.dh)
    found = ensemble.forward().last.states
    # sums of up to 50 values of size one, in the same order; tanh's argument is a sum of five
    assert np.abs(found - states).max() < 1e-14 * T
    assert np.abs(value(ensemble.deltas()) - deltas).max() < 1e-14 * T


@pytest.mark.parametrize("T", [16, 50, 1000])
def test_the_gradient_of_an_accumulator_is_constant(T: int) -> None:
    ensemble = drawn("accumulator", [0, 1], T=T)
    deltas = value(ensemble.deltas())
    assert np.array_equal(deltas, np.broadcast_to(ensemble.dh, deltas.shape))
    gradients = ensemble.gradients(sequences=3)
    norms = value(gradients.norms["h"])
    assert (norms == norms[-1]).all()
    assert gradients.step_singular_values is not None
    assert (gradients.step_singular_values[1:] == 1).all()


# sigmoid(b)^20, to five digits or six
FORGOTTEN = {0: 9.5367e-7, 1: 1.9013e-3, 2: 7.8980e-2, 3: 0.378421, 5: 0.874322}


@pytest.mark.parametrize("b", FORGOTTEN)
@pytest.mark.parametrize("name", ["lstm", "lstm_coupled", "lstm_peephole"])
def test_a_cell_state_without_weights_forgets_by_its_bias(name: str, b: int) -> None:
    T, H, B = 20, 6, 3
    cell = CELLS[name]
    init = Drawn("zeros", "zeros", forget_bias=b, biases=cell.BIASES)
    one = member(cell, cell.Options(), init, H, H, 1.0, Streams(0, "pcg64"))
    random = np.random.default_rng(1)
    ensemble = Ensemble(
        cell,
        cell.Options(),
        {key: tensor[None] for key, tensor in one.items()},
        random.standard_normal((T, 1, H, B)),
        np.zeros((1, 2 * H, B)),
        random.standard_normal((1, H, B)),
        (T,),
    )
    norms = {key: value(a)[:, 0] for key, a in ensemble.gradients().norms.items()}
    # what enters c at T is dh/dc = o tanh'(0) = 1/2; from there it is f a step
    left = norms["c"][0] / norms["c_total"][T]
    assert norms["c_total"][T] == pytest.approx(np.linalg.norm(ensemble.dh) / 2, rel=1e-14)
    assert left == pytest.approx((1 + exp(-b)) ** -T, rel=1e-13)  # 20 roundings
    assert left == pytest.approx(FORGOTTEN[b], rel=5e-5)  # five digits


def test_a_dead_relu_has_a_gradient_of_exactly_zero() -> None:
    ensemble = drawn("rnn-relu", [0, 1], T=30)
    tensors = {name: tensor.copy() for name, tensor in ensemble.tensors.items()}
    tensors["bias_ih"][0] = -1e6  # no unit is ever on
    tensors["bias_ih"][1] += 3  # some always are
    found = replace(ensemble, tensors=tensors).gradients()
    log = found.norms["h"].log10()
    assert np.isneginf(log[:-1, 0]).all() and np.isfinite(log[:, 1]).all()
    assert (found.norms["h"].plain()[:-1, 0] == 0).all()
    assert np.isneginf(found.weight_norm.log10()[1:, 0]).all()
    assert (found.gate_saturation[1:, 0] == 1).all()
    assert np.isfinite(log[-1, 0])  # what was injected


def test_a_vanished_gradient_is_not_zero() -> None:
    # 1e-400 has no float; its logarithm has
    found = linear(np.full((1, 1, 1), 0.01), np.ones((1, 1, 1)), 200).gradients().norms["h"]
    assert abs(found.log10()[0, 0] + 400) < 1e-11  # eps of 400, and 200 roundings of 0.01
    assert np.isnan(found.plain()[0, 0])  # no float: a plain column stays empty
    assert found.plain()[100, 0] == pytest.approx(1e-200, rel=1e-12)
