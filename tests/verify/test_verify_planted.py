"""Each check of gradlab verify can fail.

Claims:
- for every check something that it is there to find is planted, and it is found: a derivative or a
  singular value that is slightly off, an exponent or a digit lost, another draw, a wrong theory;
- the cases are shortened for it, and pass so when nothing is planted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradlab.analysis import random_matrix
from gradlab.cells import CELLS, gru, linear, lstm, rnn
from gradlab.engine import (
    backward,
    collect,
    forward,
    lyapunov,
    product_spectrum,
    product_values,
    pulls,
    step_spectra,
)
from gradlab.engine.product_values import Held
from gradlab.engine.window import State
from gradlab.initial import INITS
from gradlab.kernels import rnn as rnn_kernel
from gradlab.verify import CHECKS, norms, spectra, textbook, theory, verify

Patch = pytest.MonkeyPatch


def scaled(module: Any, name: str, factor: float) -> Callable[[Patch], None]:
    """A function whose result, or the first of its results, is multiplied by the factor."""

    def plant(patch: Patch) -> None:
        right = getattr(module, name)

        def wrong(*arguments: Any, **more: Any) -> Any:
            found = right(*arguments, **more)
            if isinstance(found, tuple):
                return (found[0] * factor, *found[1:])
            return found * factor

        patch.setattr(module, name, wrong)

    return plant


def imaginary_part_off(patch: Patch) -> None:
    """What a `step` does that is not analytic."""
    right = rnn.step

    def wrong(p: Any, s: Any, u: Any) -> Any:
        h, a = right(p, s, u)
        return (h + 1e-3j * h.imag, a) if np.iscomplexobj(h) else (h, a)

    patch.setattr(rnn, "step", wrong)


def a_share_off(patch: Patch) -> None:
    right = gru.shares

    def wrong(*arguments: Any) -> Any:
        first, *others = right(*arguments)
        return (first._replace(left=first.left * (1 + 1e-9)), *others)

    patch.setattr(gru, "shares", wrong)


def a_block_forgotten(patch: Patch) -> None:
    """The gradient of the parameters without the first block of steps."""
    right = collect.block_shares

    def wrong(cell: Any, block: Any) -> Any:
        factor = float(block.t0 > 0)
        return tuple(s._replace(left=s.left * factor) for s in right(cell, block))

    patch.setattr(collect, "block_shares", wrong)


def no_injection_below(patch: Patch) -> None:
    """A loss that looks at the last step alone."""
    right = backward.inject

    def wrong(state: State, dh: Any) -> State:
        return state if state.delta.any() else right(state, dh)

    patch.setattr(backward, "inject", wrong)


def pivots_off(patch: Patch) -> None:
    right = lyapunov.pivots_of

    def wrong(B: Any) -> Any:
        Q, log_pivots = right(B)
        return Q, log_pivots + 1e-9

    patch.setattr(lyapunov, "pivots_of", wrong)


def a_product_off(patch: Patch) -> None:
    """The smallest value by 1e-6 of itself."""
    right = product_values.values

    def wrong(held: Held, count: int) -> Any:
        found = right(held, count)
        found[..., -1] += 1e-6
        return found

    patch.setattr(product_values, "values", wrong)


def multiplied_out(patch: Patch) -> None:
    """The product as it stands, and its SVD: the values that differ too much are noise."""

    class Naive:
        def __init__(self, members: int, n: int, keep: int | None = None) -> None:
            self.n, self.keep = n, keep
            self.P = np.tile(np.eye(n), (members, 1, 1))

        def push(self, *pulls: Any) -> None:
            for pull in pulls:
                self.P = pull(self.P)

        def held(self) -> Held:
            M, none = len(self.P), np.zeros(len(self.P), np.int64)
            e = np.zeros((M, self.n), np.int64)
            return Held(none + self.n, self.P, e, none > 0, none > 0, none)

    patch.setattr(product_spectrum, "ProductState", Naive)


def one_factor(patch: Patch) -> None:
    """J_t as one matrix: the condition of a saturated layer spoils it."""

    def wrong(cell: Any, p: Any, local: Any, sequences: int) -> Any:
        own = type(local)(*(pulls._sequence_first(field, sequences) for field in local))
        return (pulls._vjp(cell, p, own, sequences),)

    patch.setattr(pulls, "step_pulls", wrong)


def an_exponent_lost(patch: Patch) -> None:
    right = backward.within_window

    def wrong(state: State) -> State:
        found = right(state)
        return State(found.delta, found.exponent - (found.exponent != state.exponent))

    patch.setattr(backward, "within_window", wrong)


def a_bit_lost(patch: Patch) -> None:
    """Rescaling by what is not a power of two."""
    right = backward.within_window

    def wrong(state: State) -> State:
        found = right(state)
        moved = (found.exponent != state.exponent)[:, None, None]
        return State(np.where(moved, found.delta * (1 + 2**-52), found.delta), found.exponent)

    patch.setattr(backward, "within_window", wrong)


def a_digit_off(patch: Patch) -> None:
    norms_of_one = textbook.NORMS[1.0]
    wrong = (*norms_of_one[:-1], norms_of_one[-1] + 1e-9)
    patch.setitem(textbook.NORMS, 1.0, wrong)


def rows_for_columns(patch: Patch) -> None:
    """The textbook's matrix untransposed."""
    right = INITS["randn"]
    patch.setitem(INITS, "randn", lambda random, rows, columns: right(random, rows, columns).T)


def company_counts(patch: Patch) -> None:
    """A last bit that hangs on how many members there are."""
    right = rnn_kernel.forward

    def wrong(p: Any, u: Any, states: Any, activations: Any) -> None:
        right(p, u, states, activations)
        states[1:] *= 1 + states.shape[1] * 2**-52

    patch.setattr(rnn_kernel, "forward", wrong)


def recomputed_otherwise(patch: Patch) -> None:
    """A last bit that hangs on where a segment begins."""
    right = forward.Trajectory._again

    def wrong(way: forward.Trajectory, index: int) -> forward.Segment:
        return right(replace(way, marks=way.marks * (1 + 2**-52)), index)

    patch.setattr(forward.Trajectory, "_again", wrong)


def wider_draws(factor: float) -> Callable[[Patch], None]:
    """Gaussian weights of another variance."""

    def plant(patch: Patch) -> None:
        right = INITS["normal"]
        patch.setitem(INITS, "normal", lambda *sizes: factor * right(*sizes))

    return plant


def no_finite_width(patch: Patch) -> None:
    """sigma_max at H -> infinity: 2 g."""
    patch.setattr(theory, "sigma_max", lambda g, H: random_matrix.Scatter(2 * g, 0.0))


def another_chi(patch: Patch) -> None:
    """The theory of s2 = 0."""
    right = theory.mean_field
    patch.setattr(theory, "mean_field", lambda activation, g, s2: right(activation, g, 0.0))


def exponents_shifted(patch: Patch) -> None:
    """psi((H - i) / 2) for psi((H - i + 1) / 2)."""
    right = random_matrix.digamma_half
    patch.setattr(random_matrix, "digamma_half", lambda n: right(n + 1))


PLANTED: list[tuple[str, Callable[[Patch], None]]] = [
    ("step", imaginary_part_off),
    ("jacobian", scaled(rnn, "jacobian", 1.001)),
    ("jacobian", scaled(CELLS["gru_minimal"], "jacobian", 1.001)),
    ("vjp", scaled(lstm, "vjp", 1.001)),
    ("parameters", a_share_off),
    ("parameters", scaled(linear, "pull", 1 + 1e-9)),
    ("bptt", a_block_forgotten),
    ("bptt", no_injection_below),
    ("determinant", scaled(step_spectra, "step_singular_values", 1 + 1e-9)),
    ("lyapunov", pivots_off),
    ("lyapunov", scaled(CELLS["lstm"], "jacobian", 1 + 1e-9)),
    ("rotation", a_product_off),
    ("rotation", scaled(step_spectra, "step_singular_values", 1 + 1e-11)),
    ("rotation", pivots_off),
    ("products", a_product_off),
    ("products", multiplied_out),
    ("products", scaled(lstm, "vjp", 1 + 1e-9)),
    ("saturated", a_product_off),
    ("saturated", one_factor),
    ("far", an_exponent_lost),
    ("plain", an_exponent_lost),
    ("plain", a_bit_lost),
    ("textbook", a_digit_off),
    ("textbook", rows_for_columns),
    ("members", company_counts),
    ("checkpoints", recomputed_otherwise),
    ("mean_field", wider_draws(1.05)),
    ("mean_field", another_chi),
    ("sigma_max", wider_draws(1.02)),
    ("sigma_max", no_finite_width),
    ("untied", wider_draws(1.1)),
    ("untied", exponents_shifted),
]


def test_something_is_planted_for_every_check() -> None:
    assert {name for name, _ in PLANTED} == set(CHECKS)


@pytest.mark.parametrize(("name", "plant"), PLANTED)
def test_what_is_planted_is_found(
    name: str, plant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    shortened(monkeypatch)
    plant(monkeypatch)
    assert not next(verify([name])).passed


def shortened(monkeypatch: Patch) -> None:
    """The same cases, in less time."""
    monkeypatch.setattr(norms, "FAR", 2000)
    monkeypatch.setitem(spectra.WIDE, "seq_len", 40)
    monkeypatch.setattr(theory, "WIDTH", 128)
    monkeypatch.setattr(theory, "FRESH", 50)


@pytest.mark.parametrize("name", ["far", "products", "mean_field", "untied"])
def test_it_is_not_the_shorter_case_that_fails(name: str, monkeypatch: Patch) -> None:
    shortened(monkeypatch)
    assert next(verify([name])).passed
