"""Topologies whose gradient is known in closed form.

Claims:
- residual net of linear layers h + W h with fresh W_ij ~ N(0, s^2/N): E||dh||^2 grows by (1 + s^2)
  a layer; without the skip, by s^2;
- fresh ReLU layers with W_ij ~ N(0, g^2/N): E||dh||^2 changes by g^2 / 2 a layer;
- a block of n linear layers with a skip, W = a times identity: the gradient changes by a^n + 1;
- one weight more or less in the exponent: an encoder a I and a decoder b I leave a^T1 b^T2;
- a stack of linear layers, W = a I within a layer and from layer to layer: what a path of lag k
  between layers m apart carries is binomial(k + m, m) a^k;
- both directions of one matrix a Q lose a per step of distance, from where the gradient enters;
- the accumulated sum of steps: dL/dV has no long dependency, its norm is that of its own steps.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab

QUIET: dict[str, Any] = {"inputs": "zeros", "spectrum": "none", "init": {"biases": 0}}
DEEP: dict[str, Any] = {
    **QUIET,
    "tied": False,
    "initial_state": "normal",
    "hidden_size": 20,
    "batch_size": 1,
    "seq_len": 20,
    "seeds": 400,
    "loss": {"value": "unit"},
}


def left(record: Any) -> Any:
    """||dh_0||^2 of each seed, where ||dh_T|| = 1."""
    return record["grad_norm_h"][:, 0] ** 2


def within_three_errors(squares: Any, expected: float) -> None:
    error = squares.std(ddof=1) / math.sqrt(len(squares))
    assert abs(squares.mean() - expected) < 3 * error
    assert error < 0.2 * expected  # a test that could fail


def test_residual_linear_layers_grow_by_one_plus_s_squared() -> None:
    s2 = 0.05
    record = gradlab.run(
        {**DEEP, "cell": "linear", "weight_scale": math.sqrt(s2), "residual": True}
    )
    assert (1 + s2) ** 20 == pytest.approx(2.6533, abs=5e-5)
    within_three_errors(left(record), (1 + s2) ** 20)


def test_without_the_skip_they_lose_all_but_s_squared() -> None:
    record = gradlab.run({**DEEP, "cell": "linear", "weight_scale": 0.9, "seq_len": 5})
    within_three_errors(left(record), 0.9**10)


@pytest.mark.parametrize("g2", [1.0, 2.0, 3.0])
def test_relu_layers_change_by_half_of_the_variance(g2: float) -> None:
    relu = {"type": "rnn", "activation": "relu"}
    record = gradlab.run({**DEEP, "cell": relu, "weight_scale": math.sqrt(g2), "seq_len": 6})
    within_three_errors(left(record), (g2 / 2) ** 6)


SMALL: dict[str, Any] = {
    "cell": "linear",
    "hidden_size": 2,
    "batch_size": 1,
    "seeds": 1,
    "inputs": "zeros",
    "init": {"recurrent": "identity", "biases": 0},
    "loss": {"value": "unit"},
}
# products of at most 20 numbers
EXACT = {"rel": 1e-13}


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("tied", [True, False])
def test_a_block_of_linear_layers(block: int, tied: bool) -> None:
    record = gradlab.run(
        {
            **SMALL,
            "seq_len": 8,
            "weight_scale": 0.5,
            "residual": True,
            "block": block,
            "tied": tied,
            "initial_state": "normal",
        }
    )
    assert record["t"].tolist() == list(range(0, 9, block))
    assert record["grad_norm_h"][0, 0] == pytest.approx((0.5**block + 1) ** (8 // block), **EXACT)
    values = record["step_singular_values"][0, 1:, 0]
    assert values == pytest.approx(np.full_like(values, 0.5**block + 1), **EXACT)


def test_an_encoder_and_a_decoder(tmp_path: Path) -> None:
    """Random matrices of one scale: what is left is the product of the two parts' own."""
    chain = {"encoder_decoder": {"encoder": 3, "decoder": 5}, "weight_scale": 0.5}
    record = gradlab.run({**SMALL, **chain})
    assert record["grad_norm_h"][0, 0] == pytest.approx(0.5**8, **EXACT)
    orthogonal = {"recurrent": "orthogonal", "biases": 0}
    settings = {**SMALL, "hidden_size": 5, "init": orthogonal, "initial_state": "normal"}
    record = gradlab.run({**settings, **chain})
    assert record["grad_norm_h"][0, 0] == pytest.approx(0.5**8, **EXACT)
    # two sets were drawn: the gradients by them are different numbers
    norms = dict(zip(record.names["tensors"], record["log10_parameter_grad_norm"][0], strict=True))
    assert norms["encoder.weight_hh"] != norms["decoder.weight_hh"]
    assert len(record.names["recurrent"]) == 2


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_stack_of_linear_layers_counts_paths(layers: int) -> None:
    """h^l_t = a h^l_{t-1} + h^{l-1}_t: a path goes down m layers and back k steps in
    binomial(k + m - 1, m - 1) ... ways; summed over the step at which it changes layers."""
    a, T = 0.5, 6
    record = gradlab.run(
        {
            **SMALL,
            "seq_len": T,
            "weight_scale": a,
            "layers": layers,
            "init": {"recurrent": "identity", "input": "identity", "biases": 0},
        }
    )
    if layers == 1:
        assert record["grad_norm_h"][0, 0] == pytest.approx(a**T, **EXACT)
        return
    for layer in range(layers):
        m = layers - 1 - layer  # layers between this one and the loss
        for t in range(1, T + 1):
            k = T - t
            paths = math.comb(k + m, m)
            norms = record["layer_grad_norm_h"][0, t, layer]
            assert norms == pytest.approx(paths * a**k, **EXACT)


@pytest.mark.parametrize("p", [1, 4, 10])
def test_both_directions_lose_the_same_by_distance(p: int) -> None:
    record = gradlab.run(
        {
            **SMALL,
            "hidden_size": 5,
            "init": {"recurrent": "orthogonal", "biases": 0},
            "weight_scale": 0.8,
            "seq_len": 10,
            "bidirectional": True,
            "loss": {"value": "unit", "at": [p]},
        }
    )
    for name, steps in (
        ("grad_norm_h", record["t"]),
        ("backward_grad_norm_h", record["backward_t"]),
    ):
        travelled = steps <= p if name == "grad_norm_h" else steps >= p
        distance = np.abs(steps - p)
        expected = np.where(travelled, 0.8 ** distance.astype(float), 0.0)
        assert record[name][0] == pytest.approx(expected, **EXACT)


def test_many_to_one_and_many_to_many() -> None:
    """One loss at the end, or one at each step: the second is the sum of the first's shifts."""
    W = {**SMALL, "weight_scale": 0.5, "seq_len": 6}
    everywhere = gradlab.run({**W, "loss": {"value": "unit", "at": "all"}})
    expected = [sum(0.5**k for k in range(6 - t + 1)) - (t == 0) * 1.0 for t in range(7)]
    assert everywhere["grad_norm_h"][0] == pytest.approx(expected, **EXACT)


def test_the_loss_before_learning_is_chance() -> None:
    """Softmax over O classes of small logits: ln O, and the mean of squares of N(0, 1): 1."""
    settings = {
        "cell": "rnn",
        "hidden_size": 50,
        "seq_len": 30,
        "seeds": 20,
        "spectrum": "none",
        "inputs": {"type": "normal", "std": 1e-3},
    }
    classes = gradlab.run(
        {**settings, "loss": {"type": "cross_entropy", "at": "all", "outputs": 7}}
    )
    # logits of the size of h, 1e-3, move the mean by their mean: less than 1e-3
    assert classes["loss"] == pytest.approx(np.full(20, math.log(7)), abs=1e-3)
    numbers = gradlab.run({**settings, "loss": {"type": "mse", "at": "all", "outputs": 7}})
    squares = numbers["loss"]
    # mean of 30 * 16 * 7 squares of variance 2
    assert np.abs(squares - 1).max() < 5 * math.sqrt(2 / (30 * 16 * 7)) + 1e-3
