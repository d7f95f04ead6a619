"""Networks within one step, as cells: the same table of derivatives that every cell passes.

Claims, for every cell in a stack, with residual connections, around a step and around a block:
- the Jacobian is the complex step's, all columns; vjp is its transpose;
- parameters and inputs along one random direction;
- a block of steps has the bits of its single steps, also with weights of each step's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gradlab.networks import network
from tests.cells import derivatives
from tests.cells.derivatives import VARIANTS, Point

H, I, B, R = 4, 4, 2, 2
SHAPES: dict[str, dict[str, Any]] = {
    "two layers": {"layers": 2},
    "three residual layers": {"layers": 3, "residual": True},
    "skip": {"residual": True},
    "block of two": {"residual": True, "block": 2},
    "tied block of three": {"residual": True, "block": 3, "tied": True},
}
PLAIN = {"layers": 1, "residual": False, "block": None, "tied": False}


def cases() -> Iterator[tuple[str, str]]:
    for variant, (cell, options) in VARIANTS.items():
        for shape, settings in SHAPES.items():
            if "block" not in settings or cell.max_slope(options) is not None:
                yield variant, shape


every_case = pytest.mark.parametrize(("variant", "shape"), list(cases()))


def point(variant: str, shape: str, lead: tuple[int, ...] = (R,)) -> Point:
    """A random step of a network; `lead` are the leading axes of everything."""
    cell, options = VARIANTS[variant]
    settings = {**PLAIN, **SHAPES[shape]}
    net = network(cell, **settings, H=H)
    random = np.random.default_rng(len(variant) + 7 * len(shape))
    tensors = {
        name: random.standard_normal((*lead, *size)) / np.sqrt(size[-1] if size[1:] else 1)
        for name, size in net.shapes(H, I, cell.BIASES, options).items()
    }
    D = len(cell.STATE) * H * settings["layers"]
    s = random.standard_normal((*lead, D, B))
    x = random.standard_normal((*lead, I * (settings["block"] or 1), B))
    return Point(net, options, tensors, s, x)


@every_case
def test_jacobian_is_the_derivative_of_step(variant: str, shape: str) -> None:
    # a few products more than in a cell, each right to some eps
    assert derivatives.jacobian_error(point(variant, shape)) < 1e-13


@every_case
def test_vjp_is_the_transpose_of_jacobian(variant: str, shape: str) -> None:
    assert derivatives.adjoint_error(point(variant, shape)) < 1e-13


@every_case
def test_parameters_and_inputs_have_their_gradients(variant: str, shape: str) -> None:
    assert derivatives.parameter_error(point(variant, shape)) < 1e-12


@every_case
def test_a_block_of_steps_with_weights_of_their_own_has_the_bits_of_its_steps(
    variant: str, shape: str
) -> None:
    many = point(variant, shape, (3, R))
    whole = everything(many)
    for k in range(3):
        one = Point(
            many.cell,
            many.options,
            {name: a[k] for name, a in many.tensors.items()},
            many.s_prev[k],
            many.x[k],
        )
        for name, array in everything(one).items():
            assert np.array_equal(whole[name][k], array), name


def everything(at: Point) -> dict[str, Any]:
    cell, p, (s, a) = at.cell, at.p, at.both()
    local = cell.linearize(p, at.s_prev, a, s)
    pulled, cot = cell.vjp(p, local, np.cos(s))
    found = {"s": s, "a": a, "pulled": pulled, "cot": cot, "x": cell.pull(p, local, cot)}
    found |= {f"total {n}": t for n, t in cell.totals(p, local, np.cos(s), cot).items()}
    for index, share in enumerate(cell.shares(cot, a, at.s_prev, at.x)):
        found[f"left {index}"] = share.left
    return found


def test_a_planted_error_is_found() -> None:
    """The skip left out of the vjp, a layer's inputs left out of the Jacobian."""
    at = point("rnn-tanh", "skip")
    assert derivatives.adjoint_error(at, at.cell.cell.vjp) > 1e-3
    at = point("rnn-tanh", "two layers")
    p, local = at.p, at.local
    J = at.cell.jacobian(p, local)
    J[..., H:, :H] = 0
    assert derivatives.jacobian_error(at, lambda p, local: J) > 1e-3
