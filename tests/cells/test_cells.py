"""Every cell, over its options, three sizes and three regimes of saturation.

Claims:
- `step` is the equation that the docstring states: a scalar loop of our own gives the same state.
- `jacobian` is the derivative of `step`: complex step, all columns.
- `vjp` is the transpose of `jacobian`: the adjoint identity.
- The shares, summed into tensors, are the gradients of the parameters; so is dL/dx through them.
- `step` is analytic: complex step and central difference agree.
- A block of steps gives the bits of its single steps, with the same weights at every step and with
  weights of its own at each.
- What a cell says of itself (GATES, STATE, KEEPS, shapes, SOURCE, EQUATIONS) is consistent.
- The checks find what they are for: a jacobian 0.1 % off, one term of a vjp 0.1 % off.
- Every cell has a scalar loop, and reference gradients or a closed form.
- A cell has as many parameters as its paper's equations.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.cells.interface import Cell, Factor, Paths
from tests.cells.closed_forms import CLOSED_FORMS
from tests.cells.derivatives import (
    REGIMES,
    SIZES,
    VARIANTS,
    adjoint_error,
    analyticity_error,
    described,
    jacobian_error,
    largest,
    parameter_error,
    point,
    variants,
)
from tests.cells.reference_gradients import AUTOGRAD, BETWEEN, REFERENCE
from tests.cells.scalar_loops import SCALAR_LOOPS

every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_regime = pytest.mark.parametrize("regime", REGIMES)
every_cell = pytest.mark.parametrize("name", CELLS)


@every_variant
@every_size
@every_regime
def test_step_is_the_equation(variant: str, size: tuple[int, int, int], regime: str) -> None:
    at = point(variant, size, regime)
    s = at.step()
    loop = SCALAR_LOOPS[variant.split("-")[0]]
    for r in range(s.shape[0]):
        tensors = {name: tensor[r].tolist() for name, tensor in at.tensors.items()}
        for b in range(s.shape[-1]):
            h, x = at.s_prev[r, :, b].tolist(), at.x[r, :, b].tolist()
            expected = np.array(loop(tensors, h, x, at.options))
            # a pre-activation is a sum of at most 12 terms of the size of the regime, so it is off
            # by at most 12 eps times that, and no phi has a slope above 1
            tolerance = 12 * 2.2e-16 * max(1.0, 4 * REGIMES[regime]) * 4
            assert largest(s[r, :, b] - expected) < tolerance


@every_variant
@every_size
@every_regime
def test_jacobian_is_the_derivative_of_step(
    variant: str, size: tuple[int, int, int], regime: str
) -> None:
    # both sides are a few products of factors right to 4 eps; 1e-13 leaves a factor of 100
    assert jacobian_error(point(variant, size, regime)) < 1e-13


@every_variant
@every_size
@every_regime
def test_vjp_is_the_transpose_of_jacobian(
    variant: str, size: tuple[int, int, int], regime: str
) -> None:
    # sums of up to R B D^2 = 400 terms, errors relative to the sum of their sizes
    assert adjoint_error(point(variant, size, regime)) < 1e-13


@every_variant
@every_size
@every_regime
def test_parameters_and_inputs_have_their_gradients(
    variant: str, size: tuple[int, int, int], regime: str
) -> None:
    # some hundred terms, and the rounding of a pre-activation of size 60 in the exponent of a slope
    assert parameter_error(point(variant, size, regime)) < 1e-12


@every_variant
@every_size
@pytest.mark.parametrize("regime", ["near_zero", "typical"])
def test_step_is_analytic(variant: str, size: tuple[int, int, int], regime: str) -> None:
    # truncation and rounding of a central difference are each about 1e-10 here; in saturation the
    # derivative lies below the rounding of the difference, so there it can judge nothing
    assert analyticity_error(point(variant, size, regime)) < 1e-8


@every_variant
@pytest.mark.parametrize("regime", REGIMES)
def test_a_complex_step_keeps_the_real_part(variant: str, regime: str) -> None:
    at = point(variant, (5, 3, 2), regime)
    real, moved = at.step(), at.step(at.s_prev + 1e-100j)
    # the complex functions of the C library round differently: a few eps of values up to 1 or |a|
    assert largest(moved.real - real) < 1e-14 * max(1.0, largest(real))


@every_variant
@every_size
@pytest.mark.parametrize("own", [False, True], ids=["one set of weights", "weights of each step"])
def test_a_block_has_the_bits_of_its_steps(
    variant: str, size: tuple[int, int, int], own: bool
) -> None:
    at = point(variant, size, "typical")
    cell, n = at.cell, 5
    random = np.random.default_rng(4)
    x = random.standard_normal((n, *at.x.shape))
    weights = {
        name: tensor * random.uniform(0.5, 2, (n, *tensor.shape)) if own else tensor
        for name, tensor in at.tensors.items()
    }
    p = cell.init(weights, at.options)
    at_step = [
        cell.init({k: t[step] if own else t for k, t in weights.items()}, at.options)
        for step in range(n)
    ]
    states, activations = [at.s_prev], []
    drives = cell.drive(p, x)
    for k in range(n):
        assert np.array_equal(drives[k], cell.drive(at_step[k], x[k]))
        s, a = cell.step(at_step[k], states[-1], drives[k])
        states.append(s)
        activations.append(a)
    s, a = np.stack(states), np.stack(activations)
    g = random.standard_normal((n, *at.s_prev.shape))
    block = cell.linearize(p, s[:-1], a, s[1:])
    pulled, cotangents = cell.vjp(p, block, g)
    jacobians, totals = cell.jacobian(p, block), cell.totals(p, block, g, cotangents)
    inputs = cell.pull(p, block, cotangents)
    shares, readings = cell.shares(cotangents, a, s[:-1], x), cell.readings(block)
    before = random.standard_normal((n, *at.s_prev.shape[:1], size[0], size[2]))  # for paths
    for k, p_k in enumerate(at_step):
        single = cell.linearize(p_k, s[k], a[k], s[k + 1])
        for whole, part in zip(block, single, strict=True):
            assert np.array_equal(whole[k], part)
        one, cot = cell.vjp(p_k, single, g[k])
        assert np.array_equal(pulled[k], one) and np.array_equal(cotangents[k], cot)
        assert np.array_equal(jacobians[k], cell.jacobian(p_k, single))
        assert np.array_equal(inputs[k], cell.pull(p_k, single, cot))
        if isinstance(cell, Paths):
            assert np.array_equal(cell.outlet(block)[k], cell.outlet(single))
            whole, part = cell.paths(p, block, before), cell.paths(p_k, single, before[k])
            assert np.array_equal(whole[k], part)
        if isinstance(cell, Factor):
            assert np.array_equal(cell.factor(p, block)[k], cell.factor(p_k, single))
        for name, total in cell.totals(p_k, single, g[k], cot).items():
            assert np.array_equal(totals[name][k], total)
        for whole_share, share in zip(shares, cell.shares(cot, a[k], s[k], x[k]), strict=True):
            assert (whole_share.tensor, whole_share.row) == (share.tensor, share.row)
            assert np.array_equal(whole_share.left[k], share.left)
            assert (share.right is None) == (whole_share.right is None)
            assert share.right is None or np.array_equal(whole_share.right[k], share.right)
        for name, reading in cell.readings(single).items():
            assert np.array_equal(readings[name].value[k], reading.value)
            assert np.array_equal(readings[name].slope[k], reading.slope)


@every_variant
def test_float32_stays_float32(variant: str) -> None:
    at = point(variant, (5, 3, 2), "typical")
    at = at._replace(
        tensors={k: a.astype(np.float32) for k, a in at.tensors.items()},
        s_prev=at.s_prev.astype(np.float32),
        x=at.x.astype(np.float32),
    )
    s, a = at.both()
    local = at.local
    pulled, cotangents = at.cell.vjp(at.p, local, np.ones_like(s))
    found = [s, a, pulled, cotangents, at.cell.jacobian(at.p, local), *local]
    found += [share.left for share in at.cell.shares(cotangents, a, at.s_prev, at.x)]
    found += at.cell.totals(at.p, local, np.ones_like(s), cotangents).values()
    found.append(at.cell.pull(at.p, local, cotangents))
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


@every_variant
@every_size
def test_shapes_gates_and_state_agree(variant: str, size: tuple[int, int, int]) -> None:
    at = point(variant, size, "typical")
    cell, (R, I, B), H = at.cell, at.x.shape, size[0]
    D, G = len(cell.STATE) * H, len(cell.GATES) * H
    shapes = cell.shapes(H, I, cell.BIASES, at.options)
    if cell.GATES:
        assert shapes["weight_hh"] == (G, H)
        assert next(iter(shapes)) == "weight_hh"  # drawn first
    else:
        assert "weight_hh" not in shapes and "bias_hh" not in cell.shapes(H, I, 2, at.options)
    assert shapes["weight_ih"] == (len(cell.PACKED) * H, I)
    assert shapes["bias_ih"] == (len(cell.PACKED) * H,)
    assert cell.KEEPS is None or cell.KEEPS in cell.PACKED
    assert len(set(cell.STATE)) == len(cell.STATE) and cell.STATE[0] == "h"
    s, _ = at.both()
    local = at.local
    assert s.shape == (R, D, B)
    pulled, cotangents = cell.vjp(at.p, local, s)
    assert pulled.shape == (R, D, B)
    assert cell.pull(at.p, local, cotangents).shape == at.x.shape
    assert cell.jacobian(at.p, local).shape == (R, B, D, D)
    for field in local:
        assert field.shape[0] == R and field.shape[2] == B
    for name in cell.totals(at.p, local, s, cotangents):
        assert name.removesuffix("_total") in cell.STATE
    assert cell.GATES in (cell.PACKED, ())
    assert tuple(cell.readings(local)) == cell.PACKED
    for reading in cell.readings(local).values():
        assert reading.value.shape == reading.slope.shape == (R, H, B)
        # a slope over its largest value; 4 eps is what the slopes are right to
        assert reading.slope.min() >= 0 and reading.slope.max() <= 1 + 1e-15


@every_variant
def test_every_tensor_has_a_share_and_every_share_a_tensor(variant: str) -> None:
    at = point(variant, (5, 3, 2), "typical")
    shapes = {name: tensor.shape[1:] for name, tensor in at.tensors.items()}
    # what the cell has with all its options: a share may be of what this network does not have
    known = {n for o in variants(at.cell) for n in at.cell.shapes(5, at.x.shape[1], 2, o)}
    s, a = at.both()
    cotangents = at.cell.vjp(at.p, at.local, np.ones_like(s))[1]
    rows: dict[str, list[int]] = {name: [] for name in shapes}
    for share in at.cell.shares(cotangents, a, at.s_prev, at.x):
        assert share.tensor in known
        if share.tensor not in shapes:
            continue
        rows[share.tensor] += range(share.row, share.row + share.left.shape[-2])
        columns = () if share.right is None else (share.right.shape[-2],)
        assert columns == shapes[share.tensor][1:]
    for name, found in rows.items():
        assert sorted(found) == list(range(shapes[name][0]))  # all of them, none twice


@every_variant
@pytest.mark.parametrize("biases", [0, 1, 2])
def test_a_bias_that_is_not_there_is_zero(variant: str, biases: int) -> None:
    at = point(variant, (5, 3, 2), "typical")
    H, I = 5, at.x.shape[1]
    kept = {name: at.tensors[name] for name in at.cell.shapes(H, I, biases, at.options)}
    gone = set(("bias_ih", "bias_hh")[biases:]) & set(at.tensors)
    silenced = {k: a if k in kept else np.zeros_like(a) for k, a in at.tensors.items()}
    assert set(kept) == set(at.tensors) - gone
    assert ("bias_hh" in at.tensors) == bool(at.cell.GATES)
    assert np.array_equal(at.step(tensors=kept), at.step(tensors=silenced))


@every_cell
def test_a_cell_names_its_source(name: str) -> None:
    cell = CELLS[name]
    assert cell.SOURCE.strip() and cell.EQUATIONS.strip() and (cell.__doc__ or "").strip()


@every_variant
def test_max_slope_bounds_the_step(variant: str) -> None:
    at = point(variant, (5, 3, 2), "near_zero")
    bound = at.cell.max_slope(at.options)
    if bound is None:
        # a gated cell is not one nonlinearity around a product, and without W_hh there is none
        assert len(at.cell.GATES) != 1
        return
    J = at.cell.jacobian(at.p, at.local)
    stretch = np.linalg.norm(J, 2, axis=(-1, -2)).max(axis=-1)
    sigma = np.linalg.norm(at.tensors["weight_hh"], 2, axis=(-1, -2))
    # the theorem sigma_max(J) <= max|phi'| sigma_max(W), up to rounding
    assert (stretch <= bound * sigma * (1 + 1e-12)).all()
    # and the bound is attained at zero (a ReLU: where units are on)
    assert (stretch > 0.3 * bound * sigma).any()


# --- the checks find what they are for -----------------------------------------------------------


@every_variant
@every_regime
def test_a_jacobian_off_by_a_thousandth_is_found(variant: str, regime: str) -> None:
    at = point(variant, (5, 3, 2), regime)

    def planted(p: Any, local: Any) -> Any:
        return at.cell.jacobian(p, local) * 1.001

    assert jacobian_error(at, planted) > 9e-4


def fields_that_matter(cell: Cell, options: Any) -> list[str]:
    """The local derivatives, one by one; values kept only for `readings` play no part in a vjp."""
    at = point(described(cell_name(cell), options), (5, 3, 2), "typical")
    g = np.ones_like(at.s_prev)
    local, found = at.local, []
    for field in local._fields:
        changed = local._replace(**{field: getattr(local, field) * 2})
        if not np.array_equal(at.cell.vjp(at.p, changed, g)[0], at.cell.vjp(at.p, local, g)[0]):
            found.append(field)
    return found


def cell_name(cell: Cell) -> str:
    return next(name for name, known in CELLS.items() if known is cell)


TERMS = [
    (variant, field) for variant, pair in VARIANTS.items() for field in fields_that_matter(*pair)
]


@pytest.mark.parametrize(("variant", "field"), TERMS, ids=[f"{v}-{f}" for v, f in TERMS])
def test_a_vjp_with_one_term_off_by_a_thousandth_is_found(variant: str, field: str) -> None:
    at = point(variant, (5, 3, 2), "typical")

    def planted(p: Any, local: Any, g: Any) -> Any:
        return at.cell.vjp(p, local._replace(**{field: getattr(local, field) * 1.001}), g)

    # a term is at least some 0.1 % of the whole: its thousandth stands out over 1e-13 by far
    assert adjoint_error(at, planted) > 1e-9


@every_variant
def test_cotangents_off_by_a_thousandth_are_found(variant: str) -> None:
    at = point(variant, (5, 3, 2), "typical")

    def planted(p: Any, local: Any, g: Any) -> Any:
        pulled, cotangents = at.cell.vjp(p, local, g)
        cotangents = cotangents.copy()
        cotangents[:, 0] *= 1.001  # one unit of the first gate
        return pulled, cotangents

    assert parameter_error(at, planted) > 1e-9


# --- completeness ---------------------------------------------------------------------------------


@every_cell
def test_every_cell_has_a_scalar_loop(name: str) -> None:
    assert name in SCALAR_LOOPS, f"write {name} in tests/cells/scalar_loops.py, from its paper"


@every_variant
def test_every_cell_has_reference_gradients(variant: str) -> None:
    if variant in CLOSED_FORMS or variant in BETWEEN:
        assert variant not in AUTOGRAD
        return
    assert variant in AUTOGRAD, f"name the reference gradients of {variant} in AUTOGRAD"
    assert (REFERENCE / AUTOGRAD[variant]).is_file()


# --- numbers of parameters ------------------------------------------------------------------------

PARAMETERS = [  # cell, bias vectors, at I = H = 100: gates x 100 (100 + 100 + biases)
    ("rnn", 1, 20_100),
    ("lstm", 1, 80_400),
    ("lstm", 2, 80_800),
    ("lstm_peephole", 1, 80_700),  # three peepholes of 100
    ("lstm_coupled", 1, 60_300),
    ("gru", 1, 60_300),
    ("gru", 2, 60_600),
    ("gru_2014", 1, 60_300),
    ("gru_minimal", 1, 40_200),
    ("lstm_simple", 1, 20_200),  # two gates, of the input alone
    ("lstm_simple", 2, 20_200),
    ("accumulator", 1, 10_100),
    ("accumulator", 2, 10_100),
]


@pytest.mark.parametrize(("name", "biases", "expected"), PARAMETERS)
def test_number_of_parameters(name: str, biases: int, expected: int) -> None:
    shapes = CELLS[name].shapes(100, 100, biases, CELLS[name].Options())
    assert sum(prod(shape) for shape in shapes.values()) == expected


@pytest.mark.parametrize("chosen", [(), ("o",), ("o", "i"), ("f", "i", "o")], ids=str)
def test_only_the_chosen_peepholes_are_there(chosen: tuple[Any, ...]) -> None:
    cell = CELLS["lstm_peephole"]
    names = list(cell.shapes(4, 3, 1, cell.Options(chosen)))
    peepholes = [f"peephole_{gate}" for gate in "ifo" if gate in chosen]
    assert names == ["weight_hh", "weight_ih", *peepholes, "bias_ih"]


def test_without_peepholes_it_is_the_lstm() -> None:
    at = point("lstm_peephole-none", (5, 3, 2), "typical")
    plain = at._replace(cell=CELLS["lstm"], options=CELLS["lstm"].Options())
    assert set(at.tensors) == set(plain.cell.shapes(5, 3, 2, plain.options))
    assert np.array_equal(at.step(), plain.step())
    assert np.array_equal(
        at.cell.jacobian(at.p, at.local), plain.cell.jacobian(plain.p, plain.local)
    )


def test_a_coupled_gate_is_an_lstm_with_i_that_shuts_as_f_opens() -> None:
    """Rows of the LSTM: a_i = -a_f, to the rounding of a sum in another order."""
    at = point("lstm_coupled", (5, 3, 2), "typical")

    def uncoupled(packed: Any) -> Any:
        f, g, o = np.split(packed, 3, axis=1)
        return np.concatenate((-f, f, g, o), axis=1)

    lstm = at._replace(
        cell=CELLS["lstm"],
        options=CELLS["lstm"].Options(),
        tensors={name: uncoupled(tensor) for name, tensor in at.tensors.items()},
    )
    assert largest(at.step() - lstm.step()) < 1e-15
    J = lstm.cell.jacobian(lstm.p, lstm.local)
    assert largest(at.cell.jacobian(at.p, at.local) - J) < 1e-14


def test_the_factor_is_the_diagonal_of_the_jacobian() -> None:
    having = {name for name, cell in CELLS.items() if isinstance(cell, Factor)}
    assert having == {"lstm_simple"}
    at = point("lstm_simple", (5, 5, 2), "typical")
    assert isinstance(at.cell, Factor)
    J = at.cell.jacobian(at.p, at.local)
    factor = at.cell.factor(at.p, at.local).swapaxes(-1, -2)
    assert np.array_equal(np.diagonal(J, axis1=-2, axis2=-1), factor)
    assert np.count_nonzero(J) == factor.size


def test_inputs_that_cannot_be_added_to_the_state_are_refused() -> None:
    cell = CELLS["lstm_simple"]
    for size in [(1, 1), (100, 100)]:
        cell.shapes(*size, 1, cell.Options())
    with pytest.raises(ValueError, match="input_size must equal hidden_size: x_t is added"):
        cell.shapes(5, 3, 1, cell.Options())
