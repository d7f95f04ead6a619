"""The paths on which a cell state travels from step to step.

    dc_t/dc_{t-1} = B_t + sum over gates of D(dc_t/da_k) W_k K_{t-1},   K = D(dh/dc)

Claims:
- The LSTMs have paths, no other cell has; `outlet` is dh_t/dc_t.
- `paths` are the squared Frobenius norms of the terms, formed explicitly as matrices.
- The explicit terms add up to the complex step of c_t with respect to c_{t-1}, through h_{t-1},
  with what o_{t-1} has from h_{t-2} and x_{t-1} held fixed.
- They are a decomposition of single steps: the product of their sums over eight steps is not
  dc_T/dc_k, which the Jacobian of the whole state gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.cells.interface import Paths
from tests.cells.derivatives import REGIMES, SIZES, TINY, VARIANTS, Array, largest, point

LSTMS = [v for v, (cell, _) in VARIANTS.items() if isinstance(cell, Paths)]
each_lstm = pytest.mark.parametrize("variant", LSTMS)
each_size = pytest.mark.parametrize("size", SIZES, ids=str)
each_regime = pytest.mark.parametrize("regime", REGIMES)

# the packed block that each path through h_{t-1} enters
BLOCK = {"forget": "f", "input": "i", "candidate": "g"}


def test_the_lstms_have_paths() -> None:
    having = {name for name, cell in CELLS.items() if isinstance(cell, Paths)}
    assert having == {"lstm", "lstm_peephole", "lstm_coupled"}
    for name in having:
        paths = CELLS[name].PATHS  # type: ignore[attr-defined]
        assert paths == ("direct", *(n for n in BLOCK if BLOCK[n] in CELLS[name].GATES))


class TwoSteps:
    """s_{t-2} -> s_{t-1} -> s_t of one cell, and h_{t-1} as a function of c_{t-1} alone."""

    def __init__(self, variant: str, size: tuple[int, int, int], regime: str) -> None:
        self.at = at = point(variant, size, regime)
        self.cell: Any = at.cell
        self.H = size[0]
        random = np.random.default_rng(8)
        self.s, self.a = at.both()  # s_{t-1}
        self.loc_prev = at.local
        self.x = random.standard_normal(at.x.shape)
        self.next, a = self.cell.step(at.p, self.s, self.cell.drive(at.p, self.x))
        self.loc = self.cell.linearize(at.p, self.s, a, self.next)
        self.k_prev = self.cell.outlet(self.loc_prev)

    def outlet_of(self, c: Array) -> Array:
        """h_{t-1} for another c_{t-1}, what its gate has from h_{t-2} and x_{t-1} held fixed."""
        a_o = self.a[..., -self.H :, :]
        p_o = self.at.tensors.get("peephole_o")
        if p_o is not None:
            a_o = a_o + p_o[..., None] * (c - self.s[:, self.H :])
        return np.tanh(c) / (1 + np.exp(-a_o))

    def judge(self) -> Array:
        """dc_t / dc_{t-1} by complex step: (R, B, H, H)."""
        columns = []
        for j in range(self.H):
            c = self.s[:, self.H :].astype(complex)
            c[:, j] += 1j * TINY
            s = np.concatenate((self.outlet_of(c), c), axis=1)
            u = self.cell.drive(self.at.p, self.x)
            moved = self.cell.step(self.at.p, s, u)[0][:, self.H :]
            columns.append(moved.imag.swapaxes(-1, -2) / TINY)
        return np.stack(columns, axis=-1)

    def terms(self) -> dict[str, Array]:
        """Each term as a matrix (R, B, H, H), from local derivatives and W by their definitions."""
        direct = self.loc.b if hasattr(self.loc, "b") else self.loc.f
        found = {"direct": np.stack([np.stack([np.diag(d) for d in m.T]) for m in direct])}
        for name in self.cell.PATHS[1:]:
            gate = BLOCK[name]
            row = self.cell.GATES.index(gate) * self.H
            W = self.at.tensors["weight_hh"][:, row : row + self.H]
            slope = getattr(self.loc, f"c_{gate}")
            found[name] = np.einsum("rib,rij,rjb->rbij", slope, W, self.k_prev)
        return found


@each_lstm
@each_size
@each_regime
def test_norms_are_those_of_the_explicit_terms(variant: str, size: Any, regime: str) -> None:
    two = TwoSteps(variant, size, regime)
    found = two.cell.paths(two.at.p, two.loc, two.k_prev)
    explicit = two.terms()
    assert found.dtype == np.float64 and found.shape == (2, len(two.cell.PATHS), size[2])
    for index, name in enumerate(two.cell.PATHS):
        norms = (explicit[name] ** 2).sum(axis=(-1, -2))
        # sums of up to 25 positive products
        assert np.allclose(found[:, index], norms, rtol=1e-13, atol=0)


@each_lstm
@each_size
@each_regime
def test_the_terms_add_up_to_the_complex_step(variant: str, size: Any, regime: str) -> None:
    two = TwoSteps(variant, size, regime)
    total, judge = sum(two.terms().values()), two.judge()
    assert largest(total - judge) < 1e-13 * largest(judge)


@each_lstm
def test_outlet_is_dh_over_dc(variant: str) -> None:
    two = TwoSteps(variant, (5, 3, 2), "typical")
    c = two.s[:, two.H :] + 1j * TINY  # a diagonal: all units at once
    assert largest(two.outlet_of(c).imag / TINY - two.k_prev) < 1e-14


@each_lstm
def test_the_terms_in_float32(variant: str) -> None:
    # slopes of 1e-25 are floats, their squares are none in float32
    two = TwoSteps(variant, (5, 3, 2), "typical")
    local = type(two.loc)(*((f * 1e-25).astype(np.float32) for f in two.loc))
    small = two.cell.paths(two.at.p, local, two.k_prev)
    # eps of float32, squared: some 2e-7
    assert np.allclose(small * 1e50, two.cell.paths(two.at.p, two.loc, two.k_prev), rtol=1e-6)


@pytest.mark.parametrize("variant", ["lstm", "lstm_peephole-ifo", "lstm_coupled"])
def test_the_product_of_the_steps_is_not_the_whole(variant: str) -> None:
    """H = 5, weights N(0, 1.5^2 / H), eight steps: dc_8/dc_0 once by the products of the sums of
    the terms, once by the joint Jacobians. They are 5, 9 and 19 % apart.
    """
    cell, options = VARIANTS[variant]
    assert isinstance(cell, Paths)
    H, n = 5, 8
    random = np.random.default_rng(0)
    tensors = {
        name: 1.5 / np.sqrt(H) * random.standard_normal((1, *shape))
        for name, shape in cell.shapes(H, H, 1, options).items()
    }
    p = cell.init(tensors, options)
    s = np.zeros((1, 2 * H, 1))
    steps = []
    for _ in range(n + 1):  # the first one only leads to s_0, whose outlet is needed
        new, a = cell.step(p, s, cell.drive(p, random.standard_normal((1, H, 1))))
        steps.append(cell.linearize(p, s, a, new))
        s = new
    outlets = [np.diag(cell.outlet(loc)[0, :, 0]) for loc in steps]
    jacobians = [cell.jacobian(p, loc)[0, 0] for loc in steps]
    product, joint = np.eye(H), np.eye(2 * H)
    for k in range(1, n + 1):
        through_h, direct = jacobians[k][H:, :H], jacobians[k][H:, H:]
        product = (direct + through_h @ outlets[k - 1]) @ product
        joint = jacobians[k] @ joint
        whole = joint[H:, H:] + joint[H:, :H] @ outlets[0]
        if k == 1:  # one step is the same either way
            assert largest(product - whole) < 1e-15
    off = np.linalg.norm(product - whole) / np.linalg.norm(whole)
    assert off > 0.01
