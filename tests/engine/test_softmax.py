"""The loss over many classes, whatever it is cut into.

Claims:
- loss and gradients are those of one-hot targets, for any size of the pieces that rows and classes
  are cut into;
- the gradient by the biases sums to zero over the classes: softmax does;
- a number that is added to all outputs changes nothing, also where exp of it would overflow;
- a class that is certain has no loss and no gradient, one that is certainly wrong its distance.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradlab.engine import softmax
from gradlab.engine.loss import read_out
from gradlab.engine.scaled import shift

SIZES = (6, 2, 5, 7, 50)  # m, R, H, B, O: 42 rows of 50 classes


def drawn(dtype: Any) -> tuple[Any, Any, Any, Any]:
    """States, weights, biases and classes."""
    m, R, H, B, O = SIZES
    rng = np.random.default_rng(2)
    h, V = rng.normal(size=(m, R, H, B)), rng.normal(size=(R, O, H))
    c, y = rng.normal(size=(R, O)), rng.integers(0, O, (m, R, B))
    return h.astype(dtype), V.astype(dtype), c.astype(dtype), y


# bytes that are held and worked on at a time, and classes: a row has 400 or 200 bytes
CUTS = {
    "nothing": (2**25, 2**24, 2048),
    "rows at work": (2**25, 4000, 2048),
    "rows held": (6000, 2**24, 2048),
    "classes": (2**25, 2**24, 7),
    "everything": (8000, 4000, 1),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cut", CUTS)
def test_it_is_that_of_one_hot_targets_however_it_is_cut(
    cut: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums of 50 and of 42 terms, in another order: a few dozen roundings."""
    for name, value in zip(("PIECE", "CLOSE", "CLASSES"), CUTS[cut], strict=True):
        monkeypatch.setattr(softmax, name, value)
    h, V, c, y = drawn(dtype)
    onehot = (np.arange(SIZES[-1])[:, None] == y[:, :, None, :]).astype(dtype)
    ours, expected = softmax.classify(h, V, c, y), read_out("cross_entropy", h, V, c, onehot)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(ours.value, expected.value, rtol=tolerance)
    np.testing.assert_allclose(ours.dh, expected.dh, atol=tolerance * np.abs(expected.dh).max())
    for name, g in expected.gradients.items():
        value = shift(g.mantissa, g.exponent)
        own, size = ours.gradients[name].mantissa, np.abs(value).max()
        np.testing.assert_allclose(own, value, atol=tolerance * size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_by_the_biases_sums_to_zero(dtype: Any) -> None:
    g = softmax.classify(*drawn(dtype)).gradients["bias_out"].mantissa
    assert np.abs(g).max() > 1e-3
    # the sum over 42 rows of 1 - 1, each a sum of 50 terms: some dozen roundings
    np.testing.assert_allclose(g.sum(axis=1), 0, atol=50 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("more", [-1000.0, 1000.0])
def test_what_all_outputs_have_in_common_changes_nothing(more: float, dtype: Any) -> None:
    """Outputs of 1000 have roundings of 1000 eps / 2, and so have their exponentials."""
    h, V, c, y = drawn(dtype)
    one, other = softmax.classify(h, V, c, y), softmax.classify(h, V, c + dtype(more), y)
    tolerance = 2000 * np.finfo(dtype).eps
    np.testing.assert_allclose(one.value, other.value, rtol=tolerance)
    np.testing.assert_allclose(one.dh, other.dh, atol=tolerance * np.abs(one.dh).max())
    for name, g in one.gradients.items():
        own, size = other.gradients[name].mantissa, np.abs(g.mantissa).max()
        np.testing.assert_allclose(own, g.mantissa, atol=tolerance * size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_certain_has_no_gradient_and_what_is_wrong_its_distance(dtype: Any) -> None:
    """Outputs 200 and 0, 0: e^-200 is nothing beside 1. No weights, so the biases say all."""
    h, V = np.ones((1, 2, 1, 1), dtype), np.zeros((2, 3, 1), dtype)
    c = np.array([[200, 0, 0], [200, 0, 0]], dtype)
    found = softmax.classify(h, V, c, np.array([[[0], [1]]]))
    assert found.value.tolist() == [0, 200]
    assert found.right.tolist() == [1, 0]
    small = 2 * math.exp(-200)  # 1e-87 in float64, 0 in float32
    g = found.gradients["bias_out"].mantissa
    np.testing.assert_allclose(g, [[0, 0, 0], [1, -1, 0]], atol=small)
