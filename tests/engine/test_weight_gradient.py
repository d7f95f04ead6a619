"""The gradient of the weights, and the share that every step has in it.

Claims:
- The norm of a step's share is that of the explicit outer product: where the product itself is
  formed (small H), where Gram matrices are used (H above B), and where those would cancel.
- The shares of all steps add up to the gradient.
- States of 1e+-200 and beyond give the shares and gradients that exact arithmetic gives; a member's
  large states do not touch its neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt, log10

import numpy as np
import pytest

from gradlab.cells.interface import Share
from gradlab.engine.backward import sweep
from gradlab.engine.gradients import block_shares, share_norms
from tests.cells.derivatives import VARIANTS
from tests.engine.ensembles import (
    Array,
    Ensemble,
    assert_same_bits,
    drawn,
    everything,
    linear,
    value,
)

SHAPES = [(2, 7), (5, 3), (20, 2), (33, 1)]  # (H, B): the product is formed in the first, then Gram


def outer_products(ensemble: Ensemble, tensor: str) -> Array:
    """The share of every step t = 1 .. T in the gradient of a tensor: (T, R, *shape)."""
    shape = ensemble.tensors[tensor].shape
    found = np.zeros((ensemble.T, *shape))
    for block in sweep(ensemble.forward(), ensemble.injection):
        for share in block_shares(ensemble.cell, block):
            if share.tensor != tensor:
                continue
            for k, frame in enumerate(block.cotangents.exponent):
                for r in range(len(frame)):
                    left = np.ldexp(share.left[k, r], frame[r])
                    product = left.sum(axis=-1)
                    if share.right is not None:
                        product = left @ share.right[k, r].T
                    rows = slice(share.row, share.row + len(left))
                    found[block.t0 + k, r, rows] += product
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("variant", [name for name, (cell, _) in VARIANTS.items() if cell.GATES])
def test_norm_of_a_share_is_that_of_its_outer_product(variant: str, shape: tuple) -> None:
    H, B = shape
    ensemble = drawn(variant, [0, 1], H=H, B=B, T=21, loss_at=(9, 21))
    explicit = outer_products(ensemble, "weight_hh")
    norms = np.sqrt((explicit**2).sum(axis=(-1, -2)))
    found = value(ensemble.gradients().weight_norm)[1:]
    # sums of up to 33 * 4 * 33 squares; the Gram path is held to 1e-12 by its own threshold
    assert np.allclose(found, norms, rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shares_add_up_to_the_gradient(variant: str, shape: tuple) -> None:
    H, B = shape
    ensemble = drawn(variant, [0, 1], H=H, B=B, T=21, loss_at=(9, 21))
    found = ensemble.gradients().parameters
    for name in ensemble.tensors:
        explicit = outer_products(ensemble, name)
        error = np.abs(value(found[name]) - explicit.sum(axis=0))
        # entry by entry, against the sum of the sizes of what is added
        assert (error <= 1e-12 * np.abs(explicit).sum(axis=0)).all()


def exact_norm(left: Array, right: Array) -> float:
    """||left right^T||_F in fractions: no rounding but the last."""
    a = [[Fraction(float(v)) for v in row] for row in left]
    c = [[Fraction(float(v)) for v in row] for row in right]
    square = sum(
        (sum((x * y for x, y in zip(u, v, strict=True)), Fraction(0)) ** 2 for u in a for v in c),
        Fraction(0),
    )
    scale = 2**400
    return isqrt(int(square * scale * scale)) / scale


@pytest.mark.parametrize("H", [2, 20])  # the product itself, Gram matrices
@pytest.mark.parametrize("epsilon", [1.0, 0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 1e-3])
def test_two_sequences_that_nearly_cancel(epsilon: float, H: int) -> None:
    # a c^T + (a + eps u)(-c + eps v)^T = eps (...): ||A C^T|| is about eps ||A|| ||C||
    random = np.random.default_rng(3)
    a, u, c, v = random.standard_normal((4, H))
    left = np.stack((a, a + epsilon * u), axis=-1)
    right = np.stack((c, -c + epsilon * v), axis=-1)
    share = Share("weight_hh", left[None, None], right[None, None])
    found = share_norms((share,), "weight_hh", np.zeros((1, 1), np.int64), np.array([0]))
    # products of floats are exact to eps ||A|| ||C||: relative eps / epsilon, 2e-13 at worst
    assert abs(value(found).item() / exact_norm(left, right) - 1) < 1e-12


def test_nearly_orthogonal_columns_do_not_cancel() -> None:
    # B = 3 orthonormal columns on either side: ||A C^T||^2 = 3, with Gram matrices that are nearly
    # I
    random = np.random.default_rng(4)
    left, right = (np.linalg.qr(random.standard_normal((20, 3)))[0] for _ in range(2))
    share = Share("weight_hh", left[None, None], right[None, None])
    found = share_norms((share,), "weight_hh", np.zeros((1, 1), np.int64), np.array([0]))
    assert abs(value(found).item() - 3**0.5) < 1e-14


def test_a_tensor_in_several_terms() -> None:
    # disjoint rows: the squares of the norms add; biases have none
    random = np.random.default_rng(5)
    one, two, right = random.standard_normal((3, 1, 1, 4, 2))
    shares = (
        Share("weight_hh", one, right),
        Share("weight_hh", two, right, row=4),
        Share("weight_ih", two, right),
        Share("bias_hh", two, None),
    )
    found = share_norms(shares, "weight_hh", np.full((1, 1), 7), np.array([0]))
    stacked = np.concatenate((one, two), axis=2)[0, 0] @ right[0, 0].T
    assert np.isclose(value(found).item(), 2.0**7 * np.linalg.norm(stacked), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("w", "T"), [(10.0, 250), (0.1, 250), (2.0, 1000), (0.5, 1000), (10.0, 150), (0.1, 150)]
)
def test_states_far_from_one(w: float, T: int) -> None:
    """h_t = w^t, delta_t = w^(T-t): every step has the share w^(T-1), and dL/dw = T w^(T-1)."""
    one = np.ones((1, 1, 1))
    found = linear(np.full((1, 1, 1), w), one, T, h0=one).gradients()
    power = (T - 1) * log10(w)
    # T roundings of eps, up to 1e-13 in the logarithm, and eps of a logarithm of 300
    assert np.abs(found.weight_norm.log10()[1:, 0] - power).max() < 1e-12
    total = found.parameters["weight_hh"]
    log = log10(abs(total.mantissa.item())) + int(total.exponent[0]) * log10(2)
    assert abs(log - (power + log10(T))) < 1e-12


@pytest.mark.parametrize("B", [1, 2])
@pytest.mark.parametrize("size", [1e200, 1e-200, 1e300])
def test_a_state_of_a_given_size(size: float, B: int) -> None:
    # many units (the Gram path), one step: dL/dW = dh h_0^T
    H = 12
    random = np.random.default_rng(6)
    dh, h0 = random.standard_normal((2, 1, H, B))
    W = np.zeros((1, H, H))
    found = linear(W, dh, 1, h0=size * h0).gradients()
    judge = dh[0] @ h0[0].T
    norm = found.weight_norm.log10()[1, 0]
    assert abs(norm - log10(np.linalg.norm(judge)) - log10(size)) < 1e-12  # eps of 300
    total = found.parameters["weight_hh"]
    unit = np.ldexp(total.mantissa[0] / size, total.exponent[0])
    assert np.abs(unit - judge).max() < 1e-14 * np.abs(judge).max()


def test_gradient_and_state_both_beyond_the_square_root_of_the_range() -> None:
    # dh 1e150 and h_0 1e200: the gradient 1e350 has no float
    H, B = 4, 2
    random = np.random.default_rng(7)
    dh, h0 = random.standard_normal((2, 1, H, B))
    found = linear(np.zeros((1, H, H)), 1e150 * dh, 1, h0=1e200 * h0).gradients()
    total = found.parameters["weight_hh"]
    judge = dh[0] @ h0[0].T
    log = np.log10(np.abs(total.mantissa[0])) + total.exponent[0] * log10(2)
    assert (
        np.abs(log - np.log10(np.abs(judge)) - 350).max() < 1e-12
    )  # eps of 350, condition of some
    assert abs(found.weight_norm.log10()[1, 0] - log10(np.linalg.norm(judge)) - 350) < 1e-12


def test_a_neighbour_with_large_states_changes_no_bit() -> None:
    ensemble = drawn("linear", [0, 1, 2], T=30)
    s0, dh = ensemble.s0.copy(), ensemble.dh.copy()
    s0[1] *= 1e200
    dh[1] *= 1e150
    ensemble = replace(ensemble, s0=s0, dh=dh)
    together = everything(ensemble.gradients())
    assert_same_bits(
        together, everything(ensemble.members([0, 2]).gradients()), of=[0, 2], to=[0, 1]
    )
    assert_same_bits(together, everything(ensemble.members([1]).gradients()), of=[1], to=[0])
