"""Kernels against the pure functions that define the cells.

Claims:
- states and activations of a block are those of `drive` and `step`, local derivatives those of
  `linearize`, in the memory that is given, deltas and cotangents those of `vjp`, for one member and
  several, one sequence and several, one unit, one step, float32, states that are saturated, inputs
  that all members share;
- of one sequence so are the states of the recurrence that makes states alone, and the activations
  that are made from states; both have the same bits in any company, and a state keeps its digits
  where a gate is nearly shut;
- a run by kernels records what a run by steps records, also where a loss enters at every step or
  a gradient is cut, and where blocks are long;
- growth and decay that leave the float range within a long block change no digit;
- an overflow comes at the step at which the pure steps have it, and nothing warns;
- the digits of several threads at once are those of one after the other;
- a kernel is used where it may be and nowhere else: not with weights that change, nor for complex
  numbers, nor for a cell that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.engine import forward as forward_pass
from gradlab.engine.backward import sweep
from gradlab.engine.forward import BLOCK, LONGEST, SHORTEST, block_steps, forward, kernel_for
from gradlab.engine.schedule import Scheduled, Shared
from gradlab.kernels import KERNELS, kernel_of
from gradlab.networks import network
from tests.cells.derivatives import VARIANTS
from tests.engine.ensembles import (
    Array,
    Ensemble,
    assert_same_bits,
    canonical,
    drawn,
    everything,
    linear,
)

KERNELLED = [name for name, (cell, _) in VARIANTS.items() if kernel_of(cell) is not None]
# (members, H, B, steps)
SHAPES = [(1, 5, 3, 7), (3, 5, 3, 7), (1, 6, 1, 5), (3, 6, 1, 5), (2, 1, 1, 3), (1, 1, 4, 1)]
# A step's two products have H and I terms each, summed in another order: some eps, which a few
# steps do not enlarge
TOLERANCE = {np.float64: 1e-13, np.float32: 1e-5}

every_kernel = pytest.mark.parametrize("variant", KERNELLED)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
every_scale = pytest.mark.parametrize("g", [0.5, 2.0, 60.0], ids=["quiet", "loud", "saturated"])


def by_kernel(e: Ensemble) -> tuple[Array, Array]:
    """States and activations of all steps."""
    kernel, p = kernel_of(e.cell), e.cell.init(e.tensors, e.options)
    assert kernel is not None
    R, _, B = e.s0.shape
    states = np.full((e.T + 1, *e.s0.shape), np.nan, e.s0.dtype)
    states[0] = e.s0
    activations = np.full((e.T, R, kernel.rows(p).activations, B), np.nan, e.s0.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        kernel.forward(p, kernel.drive(p, e.x)(), states, activations)
    return states, activations


def by_steps(e: Ensemble) -> tuple[Array, Array]:
    """The same by the cell's pure functions."""
    p, states, activations = e.cell.init(e.tensors, e.options), [e.s0], []
    with np.errstate(over="ignore", invalid="ignore"):
        for x in e.x:
            s, a = e.cell.step(p, states[-1], e.cell.drive(p, x))
            states.append(s)
            activations.append(a)
    return np.stack(states), np.stack(activations)


def close(found: Array, expected: Array, tolerance: float) -> bool:
    """Beside the largest number: what cancels to little has the error of what it is made of."""
    return bool(np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1))


@every_kernel
@every_shape
@every_dtype
def test_forward_is_drive_and_step(variant: str, shape: tuple, dtype: Any) -> None:
    R, H, B, T = shape
    e = drawn(variant, range(R), H=H, B=B, T=T, dtype=dtype)
    for found, expected in zip(by_kernel(e), by_steps(e), strict=True):
        assert found.dtype == dtype
        assert close(found, expected, TOLERANCE[dtype])


def by_recurrence(e: Ensemble) -> tuple[Array, Array]:
    """States and activations of all steps of one sequence, the latter from the states."""
    kernel, p = kernel_of(e.cell), e.cell.init(e.tensors, e.options)
    assert kernel is not None
    states = np.full((e.T + 1, *e.s0.shape), np.nan, e.s0.dtype)
    states[0] = e.s0
    activations = np.full((e.T, len(e.s0), kernel.rows(p).activations, 1), np.nan, e.s0.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        kernel.recurrence(p, e.s0)(e.x, states)
        kernel.activations(p, e.x, states, activations)
    return states, activations


@every_kernel
@pytest.mark.parametrize("shape", [(1, 6, 7), (3, 6, 7), (2, 1, 3), (1, 5, 1)], ids=str)
@every_dtype
@every_scale
def test_one_sequence_is_drive_and_step(variant: str, shape: tuple, dtype: Any, g: float) -> None:
    R, H, T = shape
    e = drawn(variant, range(R), H=H, B=1, T=T, dtype=dtype, g=g)
    states, activations = by_recurrence(e)
    p = e.cell.init(e.tensors, e.options)
    assert states.dtype == activations.dtype == dtype
    for x, before, after, a in zip(e.x, states[:-1], states[1:], activations, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            # from the kernel's own state, so that every step is judged for itself
            s, expected = e.cell.step(p, before, e.cell.drive(p, x))
        assert close(a, expected, TOLERANCE[dtype])
        # an error of a pre-activation is beside its size: g = 60 makes it 60 times as large
        assert close(after, s, max(g, 1) * TOLERANCE[dtype])


@every_kernel
@pytest.mark.parametrize("T", [1, 2, 16, 256])
def test_one_sequence_has_the_same_bits_in_any_company(variant: str, T: int) -> None:
    e = drawn(variant, range(3), H=9, B=1, T=T)
    together, shared = by_recurrence(e), np.broadcast_to(e.x[:, :1], e.x.shape)
    of_shared = by_recurrence(replace(e, x=shared))
    for r in range(3):
        for own, all_own in zip(by_recurrence(e.members([r])), together, strict=True):
            assert np.array_equal(own[:, 0], all_own[:, r])
        own_shared = by_recurrence(replace(e.members([r]), x=e.x[:, :1]))
        for own, all_own in zip(own_shared, of_shared, strict=True):
            assert np.array_equal(own[:, 0], all_own[:, r])


@pytest.mark.parametrize("variant", ["lstm", "gru"])
@pytest.mark.parametrize("shut", [(1, 1), (1, -1), (-1, 1), (-1, -1)], ids=str)
def test_what_a_shut_gate_lets_through_keeps_its_digits(variant: str, shut: tuple) -> None:
    """Gates of 1e-26 and of 1 less 1e-26, by the biases of the first two: where nothing comes in,
    states that small have the relative accuracy of any other. A pre-activation of 60 with an error
    of an eps of its own gives the gate one of 60 eps; a sum of two terms may lose some digits more.
    """
    e = drawn(variant, range(2), H=5, B=1, T=6, g=0.5)
    b = e.tensors["bias_hh"]
    b[:, :10] = np.repeat(np.array(shut) * -60.0, 5)
    e.s0[...] *= 1e-30
    found, expected = by_recurrence(e)[0], by_steps(e)[0]
    shut_in = shut[0] == 1 if variant == "lstm" else shut[1] == -1
    assert (np.abs(expected).max() < 1e-20) == shut_in
    assert np.abs(found / expected - 1).max() < 1e-11


@every_kernel
@pytest.mark.parametrize("B", [1, 3])
def test_inputs_that_all_members_share(variant: str, B: int) -> None:
    e = drawn(variant, range(3), B=B, T=6)
    shared = np.broadcast_to(e.x[:, :1], e.x.shape)
    assert shared.strides[1] == 0
    found = by_kernel(replace(e, x=shared))
    for one, other in zip(found, by_kernel(replace(e, x=shared.copy())), strict=True):
        assert np.array_equal(one, other)


@every_kernel
@every_shape
@every_dtype
@every_scale
def test_linearize_is_that_of_the_cell(variant: str, shape: tuple, dtype: Any, g: float) -> None:
    R, H, B, T = shape
    e = drawn(variant, range(R), H=H, B=B, T=T, dtype=dtype, g=g)
    kernel, p = kernel_of(e.cell), e.cell.init(e.tensors, e.options)
    assert kernel is not None
    states, activations = by_steps(e)
    memory = np.full((T, R, kernel.rows(p).local, B), np.nan, dtype)
    expected = e.cell.linearize(p, states[:-1], activations, states[1:])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = kernel.linearize(p, states, activations, memory)
    assert type(found) is type(expected)
    for own, other in zip(found, expected, strict=True):
        assert own.dtype == dtype
        made = not np.shares_memory(own, states)  # the rnn's h is the state
        assert np.shares_memory(own, memory) == (made and memory.size > 0)
        # products of three factors, each with some eps of its own on either side; a slope may be 0
        # where the cell's is subnormal
        allowed = 32 * np.finfo(dtype).eps * np.abs(other) + np.finfo(dtype).tiny
        assert (np.abs(own - other) <= allowed).all()


@every_kernel
@every_shape
@every_dtype
@every_scale
def test_backward_is_vjp(variant: str, shape: tuple, dtype: Any, g: float) -> None:
    R, H, B, T = shape
    e = drawn(variant, range(R), H=H, B=B, T=T, dtype=dtype, g=g)
    kernel, p = kernel_of(e.cell), e.cell.init(e.tensors, e.options)
    assert kernel is not None
    states, activations = by_steps(e)
    local = e.cell.linearize(p, states[:-1], activations, states[1:])
    delta = np.full_like(states, np.nan)
    delta[-1] = np.random.default_rng(1).standard_normal(e.s0.shape)
    work = np.full((T, R, kernel.rows(p).work, B), np.nan, dtype)
    kernel.backward(p, local, delta, work)
    expected = delta[-1]
    for k in range(T - 1, -1, -1):
        at = type(local)(*(field[k] for field in local))
        # from the kernel's own delta, so that every step is judged for itself
        expected, cotangents = e.cell.vjp(p, at, delta[k + 1])
        # the same products of the same numbers; a library may sum those of B = 1 in another order
        size = np.abs(expected).max()
        assert np.abs(delta[k] - expected).max() <= 8 * np.finfo(dtype).eps * H * size
        assert np.array_equal(kernel.cotangents(work)[k], cotangents)
    assert np.isfinite(delta).all()


def without_kernels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forward_pass, "kernel_of", lambda cell: None)


def agree(found: dict[str, Array], expected: dict[str, Array], tolerance: float) -> None:
    """All that is recorded, norms and gradients as pairs (mantissa, exponent)."""
    assert found.keys() == expected.keys()
    for name, own in found.items():
        other, plain = expected[name], name.startswith(("gate", "clip", "step"))
        if not plain:  # the pair with the exponent of the other: a mantissa may be 1 or 1/2
            with np.errstate(under="ignore"):
                own = np.ldexp(own[0], (own[1] - other[1]).astype(int))
            other = other[0]
        there = ~np.isnan(other)
        assert np.array_equal(there, ~np.isnan(own)), name
        assert close(own[there], other[there], tolerance), name


@every_kernel
@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("loss", ["last", "some", "all"])
def test_a_run_is_that_of_the_pure_functions(
    variant: str, B: int, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    T = 2 * BLOCK + 5
    at = {"last": (T,), "some": (3, BLOCK, BLOCK + 1, T - 1), "all": tuple(range(1, T + 1))}
    e = drawn(variant, [0, 1], B=B, T=T, g=0.9, loss_at=at[loss])
    found = everything(e.gradients())
    without_kernels(monkeypatch)
    # g = 0.9 forgets an error as it forgets everything: some eps remain, a count of units none
    agree(found, everything(e.gradients()), 1e-11)


@every_kernel
def test_cuts_are_where_they_were(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    T, cuts = 40, {7, BLOCK, 33}
    e = drawn(variant, [0, 1], T=T, loss_at=range(1, T + 1))

    def deltas() -> list[Array]:
        blocks = sweep(e.forward(), e.injection, cuts=cuts)
        return [block.delta.mantissa.copy() for block in blocks]

    found = deltas()
    without_kernels(monkeypatch)
    for own, other in zip(found, deltas(), strict=True):
        assert close(own, other, 1e-11)
    # at a cut there is nothing but what enters there
    assert np.array_equal(found[-1][7][:, : e.dh.shape[1]], e.dh)


def test_blocks_are_longer_where_steps_are_many_and_small() -> None:
    assert block_steps(100, 128) == BLOCK
    assert block_steps(100_000, 128) == LONGEST
    assert block_steps(100_000, 2**12) == 2 * BLOCK
    assert block_steps(100, 2**11) == 2 * BLOCK
    assert block_steps(100, 2**11 - 1) == BLOCK
    assert block_steps(1024, 1) == 2 * BLOCK
    assert block_steps(100_000, 2**14) == BLOCK // 2
    assert block_steps(100, 2**30) == SHORTEST
    for T in (1, 15, 16, 1023, 2048, 5000, 10**6):  # each is a multiple of all that are shorter
        for numbers in (1, 9, 2**12, 2**15, 2**20):
            assert LONGEST % block_steps(T, numbers) == 0


@pytest.mark.parametrize("variant", ["rnn-tanh", "lstm", "gru"])
def test_long_blocks_record_what_short_ones_do(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    T = 1100  # no multiple of the 32 that a block has
    e = drawn(variant, [0, 1], H=4, B=1, T=T, g=0.9, loss_at=range(50, T, 50))
    assert e.forward().block == 2 * BLOCK
    found = everything(e.gradients())
    checkpointed = everything(replace(e, every=BLOCK).gradients())  # rounded up to whole blocks
    assert_same_bits(found, checkpointed, of=[0, 1], to=[0, 1])
    monkeypatch.setattr(forward_pass, "LONGEST", BLOCK)
    # sums of 1100 terms in another order: 1e3 eps
    agree(found, everything(e.gradients()), 1e-12)


@pytest.mark.parametrize("power", [1, -1, 4, -4, 100, -100])
def test_growth_that_a_long_block_cannot_hold(power: int) -> None:
    # 2^512 and more a block: rescaled in its midst, at every 128th or 16th step or at every one.
    # Powers of two are exact, so the digits are those of a rotation
    T, Q = 16384 + 40, np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    dh = np.random.default_rng(2).standard_normal((1, 3, 2))
    e = linear((2.0**power * Q)[None], dh, T)
    assert e.forward().block == LONGEST
    found, judge = e.gradients().norms["h"], linear(Q[None], dh, T).gradients().norms["h"]
    expected = canonical(judge)
    expected[1] += power * (T - np.arange(T + 1))[:, None]
    assert np.array_equal(canonical(found), expected)


@every_kernel
@pytest.mark.parametrize("B", [1, 3])
def test_an_overflow_is_where_the_pure_steps_have_it(
    variant: str, B: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    T = 20
    e = drawn(variant, [0, 1, 2], B=B, T=T, g=[0.5, 1e60, 1e300])
    found = e.forward().overflow  # warnings are errors here
    without_kernels(monkeypatch)
    assert np.array_equal(found, e.forward().overflow)
    if variant in ("linear", "rnn-relu"):
        assert found[0] == 0 and found[2] > 0


@every_kernel
@pytest.mark.parametrize("B", [1, 2])
def test_threads_do_not_disturb_each_other(variant: str, B: int) -> None:
    each = [drawn(variant, [seed], H=9, B=B, T=50) for seed in range(6)]
    alone = [everything(e.gradients()) for e in each]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda e: everything(e.gradients()), each))
    for one, other in zip(alone, together, strict=True):
        assert_same_bits(one, other, of=[0], to=[0])


def test_where_a_kernel_is_used() -> None:
    double, complexes = np.dtype(float), np.dtype(complex)
    kernelled = {id(cell) for cell, _ in KERNELS}
    for cell in CELLS.values():
        assert (kernel_of(cell) is not None) == (id(cell) in kernelled)
    e = drawn("lstm", [0])
    shared = Shared(e.cell.init(e.tensors, e.options))
    assert kernel_for(e.cell, shared, double) is not None
    assert kernel_for(e.cell, shared, complexes) is None
    tensors = {name: np.stack([a, a]) for name, a in e.tensors.items()}
    changing = Scheduled(e.cell, e.options, tensors, np.array([0, 1]))
    assert kernel_for(e.cell, changing, double) is None
    assert kernel_for(network(e.cell, 2, False, None, True, 5), shared, double) is None


FAULTS: list[Callable[[Array], None]] = [
    lambda a: np.multiply(a[1:], 1 + 1e-9, out=a[1:]),
    lambda a: a[-1:].fill(0),
]


@pytest.mark.parametrize("fault", FAULTS, ids=["off", "step"])
@every_kernel
def test_a_fault_of_a_kernel_is_seen(
    variant: str, fault: Callable[[Array], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    e = drawn(variant, [0, 1], T=6)
    kernel: Any = kernel_of(e.cell)
    right = kernel.forward

    def wrong(p: Any, u: Array, states: Array, activations: Array) -> None:
        right(p, u, states, activations)
        fault(states)

    monkeypatch.setattr(kernel, "forward", wrong)
    assert not close(by_kernel(e)[0], by_steps(e)[0], TOLERANCE[np.float64])
    way = forward(e.cell, Shared(e.cell.init(e.tensors, e.options)), e.segment, e.s0, e.T)
    assert not close(way.last.states, by_steps(e)[0], TOLERANCE[np.float64])
