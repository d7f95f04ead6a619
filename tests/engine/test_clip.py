"""Gradient clipping.

Claims:
- By global norm: rate = threshold / (norm + 1e-6), as PyTorch has it; two cases with known numbers.
- Idempotent, keeps the direction, leaves what is below the threshold alone to the last bit.
- Right where the norm is beyond float range, on either side; each member by its own norm.
- By value: entries are clamped. By step norm: no delta above the threshold is sent on, and the
  scale is recorded.
- What is not finite raises nothing and touches no other member.
"""

from __future__ import annotations

from dataclasses import replace
from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.engine.clip import StepClip, clip_by_global_norm, clip_by_value, global_norm
from gradlab.engine.scaled import Scaled
from tests.cells.derivatives import VARIANTS
from tests.engine.ensembles import Array, canonical, drawn, linear, value


def one(*arrays: Array, exponent: int = 0) -> dict[str, Scaled]:
    """Gradients of one member."""
    return {
        f"tensor {k}": Scaled(np.asarray(a, float)[None], np.array([exponent]))
        for k, a in enumerate(arrays)
    }


def test_norm_10_threshold_5() -> None:
    found = clip_by_global_norm(one([6.0], [[8.0]]), 5.0)
    assert value(found.norm)[0] == 10
    assert found.rate[0] == pytest.approx(5 / (10 + 1e-6), rel=4e-16)  # two roundings
    assert value(found.gradients["tensor 0"])[0, 0] == pytest.approx(30 / (10 + 1e-6), rel=1e-15)
    assert value(found.clipped_norm)[0] == pytest.approx(50 / (10 + 1e-6), rel=1e-15)


def test_the_text_s_example() -> None:
    # numpy's legacy seed 1324; the numbers are the text's
    random = np.random.RandomState(1324)
    gradients = [random.rand(2, 5) * 10, random.rand(3, 4) * 5]
    found = clip_by_global_norm(one(*gradients), 5.0)
    # 22 squares summed in another order: some eps
    assert value(found.norm)[0] == pytest.approx(22.020818928154966, rel=1e-15)
    clipped = np.concatenate([value(g).ravel() for g in found.gradients.values()])
    largest = max(g.max() for g in gradients)
    assert largest == 9.932045233468367  # one product of one draw
    assert clipped.max() == pytest.approx(2.2551488241293045, rel=1e-15)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.floats(1e-3, 1e3),
)
def test_keeps_the_direction_and_the_threshold(entries: list[float], threshold: float) -> None:
    g = np.array(entries)
    found = clip_by_global_norm(one(g), threshold)
    clipped = value(found.gradients["tensor 0"])[0]
    norm = float(np.linalg.norm(g))
    if norm + 1e-6 < threshold * (1 - 1e-12):
        assert np.array_equal(clipped, g)
    elif norm + 1e-6 > threshold * (1 + 1e-12):
        # one multiplication an entry; the factor is right to a few eps
        assert np.allclose(clipped, g * (threshold / (norm + 1e-6)), rtol=2e-15, atol=1e-300)
        assert value(found.clipped_norm)[0] <= threshold * (1 + 1e-15)
    again = value(clip_by_global_norm(found.gradients, threshold).gradients["tensor 0"])[0]
    # not exactly: the 1e-6 counts again, and a norm of just the threshold is then above it
    assert np.allclose(again, clipped, rtol=1.1e-6 / threshold, atol=1e-300)


def test_clipped_twice_is_clipped_once() -> None:
    g = one(np.random.default_rng(0).standard_normal((4, 5)) * 100)
    once = clip_by_global_norm(g, 5.0)
    twice = clip_by_global_norm(once.gradients, 5.0)
    # after the first the norm is 5 / (1 + 1e-6 / norm) < 5 - 1e-9, so with 1e-6 more it is above 5:
    # PyTorch's constant makes the second rate 1 - 2e-7 at most, never less
    assert twice.rate[0] > 1 - 2.1e-7
    assert value(twice.clipped_norm)[0] == pytest.approx(5, rel=1e-6)


def test_below_the_threshold_nothing_changes() -> None:
    g = one([0.1, -0.7], [[1e-300, 2.0]])
    found = clip_by_global_norm(g, 5.0)
    for name, scaled in g.items():
        assert np.array_equal(found.gradients[name].mantissa, scaled.mantissa)
        assert np.array_equal(found.gradients[name].exponent, scaled.exponent)
    assert found.rate[0] > 1
    assert np.array_equal(canonical(found.norm), canonical(found.clipped_norm))


@pytest.mark.parametrize("threshold", [1.0, 5.0, 1e-3, 1e6])
@pytest.mark.parametrize("exponent", [0, 1100, 40000])
@pytest.mark.parametrize("size", [1e200, 1e300])
def test_beyond_float_range(size: float, exponent: int, threshold: float) -> None:
    # entries 1e200 alone already have a sum of squares of inf
    g = np.random.default_rng(1).standard_normal((3, 4))
    found = clip_by_global_norm(one(g * size, exponent=exponent), threshold)
    expected = threshold * g / np.linalg.norm(g)
    assert np.allclose(value(found.gradients["tensor 0"])[0], expected, rtol=1e-14, atol=0)
    assert value(found.clipped_norm)[0] == pytest.approx(threshold, rel=1e-14)
    log = log10(np.linalg.norm(g)) + log10(size) + exponent * log10(2)
    assert found.norm.log10()[0] == pytest.approx(log, rel=1e-14)
    assert found.rate[0] < 1


def test_40000_powers_of_two_for_a_clipped_norm_of_5() -> None:
    found = clip_by_global_norm(one([3.0, 4.0], exponent=40000), 5.0)
    assert found.norm.log10()[0] == pytest.approx(12041.2 + log10(5), abs=0.01)
    assert value(found.gradients["tensor 0"])[0] == pytest.approx([3.0, 4.0], rel=1e-15)


@pytest.mark.parametrize(
    "exponent", [-900, -1000, -1030, -1040, -1044, -1050, -1100, -5000, -40000]
)
def test_vanished_gradients_are_left_alone(exponent: int) -> None:
    # far below any threshold: clipping must not make them zero
    g = one([3.0, -4.0], exponent=exponent)
    found = clip_by_global_norm(g, 5.0)
    assert np.array_equal(canonical(found.gradients["tensor 0"]), canonical(g["tensor 0"]))
    assert np.array_equal(canonical(found.clipped_norm), canonical(found.norm))
    assert found.rate[0] == pytest.approx(5 / 1e-6, rel=1e-15)  # the norm is nothing beside 1e-6


def test_a_gradient_of_zero() -> None:
    found = clip_by_global_norm(one([0.0, 0.0]), 5.0)
    assert not found.gradients["tensor 0"].mantissa.any()
    assert found.norm.plain()[0] == 0 and found.rate[0] == pytest.approx(5 / 1e-6, rel=1e-15)


def test_each_member_by_its_own_norm() -> None:
    mantissa = np.array([[6.0, 8.0], [0.6, 0.8], [3.0, 4.0]])
    exponent = np.array([0, 0, 3000])
    found = clip_by_global_norm({"w": Scaled(mantissa, exponent)}, 5.0)
    clipped = value(found.gradients["w"])
    assert clipped[0] == pytest.approx([3.0, 4.0], rel=2e-7)  # the constant 1e-6
    assert np.array_equal(clipped[1], mantissa[1])
    assert clipped[2] == pytest.approx([3.0, 4.0], rel=1e-15)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_touches_no_other_member(bad: float) -> None:
    g = {"w": Scaled(np.array([[6.0, 8.0], [bad, 1.0]]), np.zeros(2, np.int64))}
    for clip in (clip_by_global_norm, clip_by_value):
        found = clip(g, 5.0)
        alone = clip(one([6.0, 8.0]), 5.0)
        assert np.array_equal(
            found.gradients["w"].mantissa[0], alone.gradients["tensor 0"].mantissa[0]
        )
        assert not np.isfinite(found.norm.log10()[1])


def test_by_value() -> None:
    g = one([[0.5, -7.0, 9.0]], [4.0])
    found = clip_by_value(g, 5.0)
    assert np.array_equal(value(found.gradients["tensor 0"])[0], [[0.5, -5.0, 5.0]])
    assert np.array_equal(value(found.gradients["tensor 1"])[0], [4.0])
    before, after = (0.25 + 49 + 81 + 16) ** 0.5, (0.25 + 25 + 25 + 16) ** 0.5
    assert value(found.norm)[0] == pytest.approx(before, rel=1e-15)
    assert value(found.clipped_norm)[0] == pytest.approx(after, rel=1e-15)
    assert found.rate[0] == pytest.approx(after / before, rel=1e-15)
    beyond = clip_by_value(one([3.0, -4.0, 0.0], exponent=9000), 5.0)
    assert np.array_equal(value(beyond.gradients["tensor 0"])[0], [5.0, -5.0, 0.0])


def test_global_norm_is_that_of_all_tensors_together() -> None:
    parts = [np.random.default_rng(k).standard_normal((k + 1, 3)) for k in range(4)]
    whole = np.concatenate([a.ravel() for a in parts])
    assert value(global_norm(one(*parts)))[0] == pytest.approx(np.linalg.norm(whole), rel=1e-15)


# --- delta at every step --------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-40000, -1100, -1040, 0, 1100, 40000])
@pytest.mark.parametrize("threshold", [1e-3, 1.0, 7.0])
def test_step_clip(exponent: int, threshold: float) -> None:
    delta = np.random.default_rng(2).standard_normal((2, 3, 4))
    delta[1] *= 1e-3
    frame = np.array([exponent, 0])
    mantissa, moved, scale = StepClip(threshold)(delta, frame)
    clipped, before = Scaled(mantissa, moved), Scaled(delta, frame)
    logs = [log10(np.linalg.norm(delta[r])) + frame[r] * log10(2) for r in range(2)]
    for r, log in enumerate(logs):
        norm = np.linalg.norm(mantissa[r].ravel())
        if log > log10(threshold):
            assert norm * 2.0 ** moved[r] == pytest.approx(threshold, rel=2e-6 / threshold)
            assert norm * 2.0 ** moved[r] <= threshold * (1 + 1e-15)
            assert scale[r] < 1
        else:
            assert np.array_equal(canonical(clipped)[:, r], canonical(before)[:, r])
            assert scale[r] == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_recurrence_is_clipped_at_every_step(variant: str) -> None:
    threshold = 0.8
    ensemble = drawn(variant, [0, 1], T=37, g=4.0, loss_at=range(1, 38))
    found = replace(ensemble, clip=StepClip(threshold)).gradients()
    parts = [value(found.norms[name]) for name in ensemble.cell.STATE]
    norms = np.sqrt(sum(part**2 for part in parts))  # before the clip, over the whole state
    expected = np.where(norms[1:] > threshold, threshold / (norms[1:] + 1e-6), 1)
    # the norm here is rounded again: some eps
    assert np.allclose(found.clip_scale[1:], expected, rtol=1e-14, atol=0)
    assert (found.clip_scale[1:] * norms[1:] <= threshold * (1 + 1e-15)).all()
    assert (found.clip_scale < 1).any()


def test_clipped_linear_recurrence_in_closed_form() -> None:
    # h' = 2 h: every delta but the first is 2 * (clipped norm of the one above)
    T, threshold = 30, 5.0
    ensemble = linear(np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 3.0), T)
    norm = value(replace(ensemble, clip=StepClip(threshold)).gradients().norms["h"])[:, 0]
    d = 3.0
    for t in range(T, -1, -1):
        assert norm[t] == pytest.approx(d, rel=1e-13)  # a few eps a step
        d = 2 * (d * threshold / (d + 1e-6) if d + 1e-6 > threshold else d)


def test_a_clip_that_never_applies_changes_nothing() -> None:
    ensemble = drawn("lstm", [0, 1], T=37, g=0.3)
    plain, clipped = ensemble.deltas(), replace(ensemble, clip=StepClip(1e6)).deltas()
    assert np.array_equal(canonical(plain), canonical(clipped))


@pytest.mark.parametrize("variant", ["linear", "rnn-tanh"])
def test_a_step_clip_leaves_a_vanished_gradient_alone(variant: str) -> None:
    # 2^-1330 at the end: no float, but no zero
    ensemble = drawn(variant, [0], T=40, g=1e-10)
    plain = ensemble.gradients().norms["h"].log10()
    clipped = replace(ensemble, clip=StepClip(100.0)).gradients().norms["h"].log10()
    assert np.isfinite(plain).all() and plain[0, 0] < -330
    assert np.array_equal(plain, clipped)


def test_float32_stays_float32_under_a_step_clip() -> None:
    ensemble = drawn("rnn-tanh", [0, 1], T=20, g=4.0, dtype=np.float32)
    found = replace(ensemble, clip=StepClip(0.5)).gradients()
    for scaled in found.parameters.values():
        assert scaled.mantissa.dtype == np.float32
    mantissa = StepClip(0.5)(np.ones((2, 3, 4), np.float32), np.zeros(2, np.int64))[0]
    assert mantissa.dtype == np.float32
