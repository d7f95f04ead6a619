"""A member's bits depend on nothing but the member.

Claims, by exact equality of everything that a backward pass records:
- Members computed together, alone, and in another order are the same.
- So they are beside members that explode or vanish, which make the engine rescale at every step.
- A checkpointed run is the run that keeps all states, for every distance of the marks.
- Inputs drawn by segments give the run that has them whole.

Norms and gradients are compared as values: the exponent may be another where the mantissa makes up
for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradlab.draws import Streams
from gradlab.engine.collect import backpropagate
from gradlab.engine.forward import forward
from gradlab.engine.recording import Wanted
from gradlab.engine.schedule import Shared
from gradlab.inputs import BLOCK, Inputs
from tests.cells.derivatives import VARIANTS
from tests.engine.ensembles import Ensemble, assert_same_bits, drawn, everything

SEEDS = list(range(8))
SHAPES = [(5, 3), (16, 1), (33, 7)]  # (H, B)
DTYPES = [np.float64, np.float32]

every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def ensemble(variant: str, shape: tuple[int, int], dtype: Any, **others: Any) -> Ensemble:
    H, B = shape
    T = 37 if H < 33 else 21  # neither a multiple of the block of 16
    return drawn(variant, SEEDS, H=H, B=B, T=T, dtype=dtype, **others)


@every_variant
@every_shape
@every_dtype
def test_together_alone_and_in_another_order(variant: str, shape: tuple, dtype: Any) -> None:
    whole = ensemble(variant, shape, dtype)
    together = everything(whole.gradients())
    for r in SEEDS if shape[0] < 33 else (0, 7):
        assert_same_bits(together, everything(whole.members([r]).gradients()), of=[r], to=[0])
    order = [3, 7, 0, 5, 1]
    shuffled = everything(whole.members(order).gradients())
    assert_same_bits(together, shuffled, of=order, to=range(len(order)))


def with_extremes(quiet: Ensemble, variant: str, shape: tuple[int, int], dtype: Any) -> Ensemble:
    """Three members more: exploding from a state of zero, saturated by huge weights, vanishing."""
    H, B = shape
    scales = [1e30, 1e30, 1e-30]
    loud = drawn(
        variant, [100, 101, 102], H=H, B=B, T=quiet.T, g=scales, dtype=dtype, loss_at=quiet.loss_at
    )
    for name, tensor in loud.tensors.items():
        if name.startswith("bias"):
            tensor[[0, 2]] = 0
    loud.x[:, 0], loud.s0[0] = 0, 0
    loud.x[:, 0] = 1e-30 if variant == "rnn-relu" else 0  # a ReLU is off at zero
    loud.dh[0] *= 1e30 if dtype == np.float32 else 1e300  # a sigmoid explodes from nothing less

    def joined(a: Any, b: Any, axis: int = 0) -> Any:
        return np.concatenate((a, b), axis)

    return replace(
        quiet,
        tensors={k: joined(a, loud.tensors[k]) for k, a in quiet.tensors.items()},
        x=joined(quiet.x, loud.x, 1),
        s0=joined(quiet.s0, loud.s0),
        dh=joined(quiet.dh, loud.dh),
    )


@every_variant
@every_shape
@every_dtype
@pytest.mark.parametrize("loss", ["last", "all"])
def test_beside_members_that_explode_or_vanish(
    variant: str, shape: tuple, dtype: Any, loss: str
) -> None:
    T = 37 if shape[0] < 33 else 21
    quiet = ensemble(variant, shape, dtype, loss_at=range(1, T + 1) if loss == "all" else (T,))
    mixed = with_extremes(quiet, variant, shape, dtype)
    log = mixed.gradients().norms["h"].log10()[:, len(SEEDS) :]
    # a delta whose square is no float is one that the engine must rescale at every step
    assert np.abs(log[np.isfinite(log)]).max() > np.log10(np.finfo(dtype).max) / 2
    assert_same_bits(
        everything(mixed.gradients()), everything(quiet.gradients()), of=SEEDS, to=SEEDS
    )


@pytest.mark.parametrize("g", [5.0, 50.0, 1000.0])
@every_variant
def test_saturated_float32_beside_members_that_explode(variant: str, g: float) -> None:
    # Slopes of saturated units (1e-30 and less) times a delta of 2^-50 are below the normal range
    # of float32, while the same delta rescaled keeps their digits: a member has to take its own
    # path, not that of the ensemble.
    shape, T = (16, 3), 37
    quiet = drawn(variant, SEEDS, H=16, B=3, T=T, g=g, dtype=np.float32, x_std=1.0)
    mixed = with_extremes(quiet, variant, shape, np.float32)
    assert_same_bits(
        everything(mixed.gradients()), everything(quiet.gradients()), of=SEEDS, to=SEEDS
    )


@every_variant
@every_dtype
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]], ids=["one", "three"])
@pytest.mark.parametrize("g", [0.3, 1.5, 1e30], ids=str)
def test_checkpointed_is_whole(variant: str, dtype: Any, seeds: Sequence[int], g: float) -> None:
    T = 57
    whole = drawn(variant, seeds, T=T, g=g, dtype=dtype, loss_at=range(1, T + 1))
    expected = everything(whole.gradients())
    everyone = range(len(seeds))
    for every in (16, 32, 48, 64):
        found = everything(replace(whole, every=every).gradients())
        assert_same_bits(found, expected, of=everyone, to=everyone)


@pytest.mark.parametrize("variant", ["rnn-tanh", "lstm"])
@pytest.mark.parametrize("every", [16, 48, 256, 272])
def test_drawn_inputs_longer_than_a_block(variant: str, every: int) -> None:
    T = 2 * BLOCK + 77
    base = drawn(variant, [0, 1], H=3, B=2, T=T, loss_at=(T, 300, 5))
    streams = [Streams(seed, "pcg64") for seed in (0, 1)]
    inputs = Inputs("normal", I=4, B=2, T=T, parameter=0.5)

    def segment(t0: int, n: int) -> Any:
        return inputs.segment(streams, t0, n, np.dtype(np.float64))

    expected = everything(replace(base, x=segment(0, T)).gradients())
    p = base.cell.init(base.tensors, base.options)
    trajectory = forward(base.cell, Shared(p), segment, base.s0, T, every)
    shapes = {name: tensor.shape[1:] for name, tensor in base.tensors.items()}
    found = backpropagate(trajectory, base.injection, shapes, Wanted(np.arange(T + 1)))
    assert_same_bits(everything(found), expected, of=[0, 1], to=[0, 1])


@every_variant
def test_fewer_rows_are_the_same_rows(variant: str) -> None:
    whole = drawn(variant, [0, 1], T=37)
    found = everything(whole.gradients())
    rows = np.array([0, 1, 15, 16, 17, 31, 32, 36, 37])
    shapes = {name: tensor.shape[1:] for name, tensor in whole.tensors.items()}
    thin = everything(backpropagate(whole.forward(), whole.injection, shapes, Wanted(rows)))
    for name in found:
        picked = found[name]
        if not name.startswith("d "):
            picked = picked[:, rows] if "norm" in name else picked[rows]
        assert np.array_equal(picked, thin[name], equal_nan=True), name
