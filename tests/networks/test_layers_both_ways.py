"""Bidirectional networks of several layers: what only they have. (`test_topologies` has the rest.)

Claims:
- the norms of every part of the state, in every layer, direction and step, are those of the complex
  step through the network written out as loops; so are the shares of the steps in dL/dW_hh;
- left out of the hand-down, a direction is missed;
- singular values are those of the last layer's own step;
- adjoints of a linear network of one unit are the exact rational numbers, also hundreds of decades
  outside the float range;
- a step clip is of every chain; an overflow is told where it begins;
- what is not told by layer is the last layer's; steps.csv has a row for each layer and direction;
- there is a rate below the last layer only where both directions' gradient sets out at one step;
- what has no meaning is refused in one line; the memory plan counts all chains.
"""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.chains import run_chains
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member
from gradlab.engine.loss import Loss
from gradlab.engine.scaled import Scaled
from gradlab.errors import GradlabError
from gradlab.memory import MEMORY, memory_plan
from gradlab.plan import settle
from tests.networks.chained import Chained

SIZES: dict[str, Any] = {
    "hidden_size": 3,
    "input_size": 2,
    "batch_size": 2,
    "seq_len": 5,
    "seeds": [0],
    "weight_scale": 1.3,
    "initial_state": "normal",
    "init": {"bias": 0.2},
    "bidirectional": True,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "rnn last": {"cell": "rnn", "layers": 3},
    "lstm from 2": {"cell": "lstm", "layers": 2, "loss": {"at": [2]}},
    "gru residual": {"cell": "gru", "layers": 3, "residual": True, "loss": {"at": "all"}},
    "lstm residual mse": {"cell": "lstm", "layers": 3, "residual": True, "loss": "mse"},
}
every_network = pytest.mark.parametrize("name", NETWORKS)
PREFIX = {"forward": "", "backward": "backward_"}

# a few hundred products and sums of numbers near 1, both ways: some 1e-15, times a margin
CLOSE = {"rtol": 1e-12, "atol": 1e-15}


@cache
def record(name: str) -> Any:
    return gradlab.run({**SIZES, **NETWORKS[name]})


@cache
def model(name: str) -> Chained:
    return Chained({**SIZES, **NETWORKS[name]})


def norm(a: Any) -> float:
    return float(np.sqrt((np.asarray(a) ** 2).sum()))


@every_network
def test_every_part_of_every_layer_direction_and_step(name: str) -> None:
    found, written = record(name), model(name)
    parts = [part for part in found.names["parts"] if not part.endswith("_total")]
    for place in written.places():
        direction, layer, t = place
        for part, own in zip(parts, np.split(written.adjoint(place), len(parts)), strict=True):
            norms = found[f"{PREFIX[direction]}layer_grad_norm_{part}"][0, t, layer]
            np.testing.assert_allclose(norms, norm(own), **CLOSE, err_msg=f"{part} {place}")


@every_network
def test_the_share_of_every_step_layer_and_direction(name: str) -> None:
    found, written = record(name), model(name)
    for direction, layer, t in written.places():
        if t:
            whole = norm(written.share(direction, f"weight_hh_l{layer}", t))
            norms = found[f"{PREFIX[direction]}layer_weight_grad_norm"][0, t, layer]
            np.testing.assert_allclose(norms, whole, **CLOSE)


def test_a_direction_left_out_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-down without the backward chain's pull is another network's."""
    import gradlab.ensemble as ensemble

    whole = ensemble.hand_down

    def planted(pulled: list[Scaled], losses: list[Loss], residual: bool) -> list[Loss]:
        nothing = Scaled(np.zeros_like(pulled[1].mantissa), pulled[1].exponent)
        return whole([pulled[0], nothing], losses, residual)

    monkeypatch.setattr(ensemble, "hand_down", planted)
    wrong = gradlab.run({**SIZES, **NETWORKS["rnn last"]})
    right = record("rnn last")
    for layer, same in ((0, False), (1, False), (2, True)):
        mine = wrong["layer_grad_norm_h"][0, 1:, layer]
        assert np.allclose(mine, right["layer_grad_norm_h"][0, 1:, layer], rtol=1e-3) is same


@every_network
def test_singular_values_are_of_the_last_layer(name: str) -> None:
    found = gradlab.run({**SIZES, **NETWORKS[name], "spectrum": {"values": "all", "sequences": 2}})
    for direction, prefix in PREFIX.items():
        for t in range(1, SIZES["seq_len"] + 1):
            J = model(name).jacobian(direction, t)
            # those of matrices that agree to some eps of the largest, which is near 1
            np.testing.assert_allclose(
                found[f"{prefix}step_singular_values"][0, t],
                np.linalg.svd(J, compute_uv=False),
                rtol=1e-12,
                atol=1e-14,
            )


@every_network
def test_what_is_not_told_by_layer_is_of_the_last(name: str) -> None:
    found = record(name)
    names = [n for n in found.arrays if "layer_" in n]
    assert len(names) >= 2 * 4
    for layered in names:
        np.testing.assert_array_equal(
            found[layered.replace("layer_", "")], found[layered][..., -1], err_msg=layered
        )


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(
    ("scale", "dtype", "close"),
    # rounding of some hundred products, in decades: a few hundred eps / ln 10
    [(1e-5, "float64", 1e-12), (1e5, "float64", 1e-12), (0.02, "float32", 1e-4)],
)
def test_beyond_the_float_range(scale: float, dtype: str, close: float, residual: bool) -> None:
    """One linear unit a chain, in rational numbers."""
    T, layers = 200, 3
    config = {"cell": "linear", "hidden_size": 1, "batch_size": 1, "inputs": "zeros", "seq_len": T}
    config |= {"layers": layers, "bidirectional": True, "residual": residual, "dtype": dtype}
    settings = {**config, "weight_scale": scale, "seeds": [4], "spectrum": "none"}
    found = gradlab.run(settings)
    deltas = exact(drawn_numbers(settings, 4), layers, T, residual)
    whole = {place: log10(delta) for place, delta in deltas.items()}
    for (direction, layer, own), expected in whole.items():
        mine = found[f"{PREFIX[direction]}layer_log10_grad_norm_h"][0, own, layer]
        assert mine == pytest.approx(expected, rel=1e-14, abs=close), (direction, layer, own)
    reach = math.log10(np.finfo(dtype).max)
    assert max(abs(size) for (_, layer, _), size in whole.items() if layer == 0) > 1.2 * reach


def drawn_numbers(settings: dict[str, Any], seed: int) -> dict[str, dict[str, list[Fraction]]]:
    spec = settle(from_mapping(settings).config)[1]
    drawing = Drawing([Member(0, spec, seed)])
    return {
        direction: {
            name: [Fraction(float(v)) for v in a.ravel()] for name, a in drawing.weights(k).items()
        }
        for k, direction in enumerate(spec.entries)
    }


def exact(
    weights: Any, layers: int, T: int, residual: bool, scale: Any = lambda delta: 1
) -> dict[Any, Fraction]:
    """dL/dh of every chain at every step of its own time, for dh = 1 at each direction's end.

    go: what comes from above to both halves of a layer's output, by steps of the sequence. scale:
    the factor of a step clip, for what goes on from a step.
    """
    found: dict[Any, Fraction] = {}
    go = {t: [Fraction(t == T), Fraction(t == 1)] for t in range(1, T + 1)}
    for layer in reversed(range(layers)):
        pulled = {t: [Fraction(0)] * 2 for t in go}
        for half, (direction, tensors) in enumerate(weights.items()):
            (a,), u = tensors[f"weight_hh_l{layer}"], tensors[f"weight_ih_l{layer}"]
            delta = Fraction(0)
            for own in range(T, -1, -1):
                t = own if direction == "forward" else T + 1 - own
                delta = a * delta + (go[t][half] if own else 0)
                found[direction, layer, own] = delta
                delta *= scale(delta)
                if own and layer:
                    pulled[t] = [pulled[t][k] + u[k] * delta for k in range(2)]
        go = {t: [pulled[t][k] + (go[t][k] if residual else 0) for k in range(2)] for t in go}
    return found


def log10(a: Fraction) -> float:
    """Of the size, whatever it is; a power of two is taken out first."""
    bits = a.numerator.bit_length() - a.denominator.bit_length()
    return math.log10(abs(a / Fraction(2) ** bits)) + bits * math.log10(2)


@pytest.mark.parametrize("residual", [False, True])
def test_a_step_clip_is_of_every_chain(residual: bool) -> None:
    T, layers, threshold = 12, 3, 0.4
    config = {"cell": "linear", "hidden_size": 1, "batch_size": 1, "seq_len": T, "seeds": [2]}
    config |= {"layers": layers, "bidirectional": True, "residual": residual}
    settings = {**config, "clip": {"threshold": threshold, "by": "step_norm"}}
    found = gradlab.run(settings)

    def scale(delta: Fraction) -> Fraction:
        return min(Fraction(1), Fraction(threshold) / (abs(delta) + Fraction(1e-6)))

    deltas = exact(drawn_numbers(settings, 2), layers, T, residual, scale)
    acted = 0
    for (direction, layer, own), delta in deltas.items():
        norms = found[f"{PREFIX[direction]}layer_grad_norm_h"][0, own, layer]
        assert norms == pytest.approx(float(abs(delta)), rel=1e-12)
        acted += scale(delta) < 1
    assert acted > 4
    for direction, prefix in PREFIX.items():
        for own in range(1, T + 1):  # delta_0 goes no further
            least = min(scale(deltas[direction, layer, own]) for layer in range(layers))
            clipped = found[f"{prefix}clip_scale"][0, own]
            assert clipped == pytest.approx(float(least), rel=1e-12)


def test_overflow_is_told_of_the_first_layer() -> None:
    """h_t = 1e10 h_{t-1} + 1 is beyond 1.8e308 from t = 32 on; above, all but nothing is finite."""
    config = {"cell": "linear", "layers": 2, "bidirectional": True, "hidden_size": 1, "seq_len": 40}
    settings = {**config, "init": {"recurrent": "identity", "input": "identity"}, "seeds": 1}
    found = gradlab.run({**settings, "inputs": {"type": "constant"}, "weight_scale": 1e10})
    assert found["overflow_step"].tolist() == [32]
    assert found.summary["outcome"] == "overflow"
    assert np.isnan(found["backward_layer_log10_grad_norm_h"]).all()


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_steps_csv_has_a_row_for_each_layer_and_direction(cell: str) -> None:
    found = gradlab.run({**SIZES, "cell": cell, "layers": 3, "seeds": [0, 5], "seq_len": 7})
    header, rows = found.rows()
    assert len(rows) == 2 * 2 * 3 * 8
    assert {"seed", "t", "lag", "direction", "layer", "grad_norm_h", "sigma_max"} <= set(header)
    for row in rows:
        told = dict(zip(header, row, strict=True))
        backward = told["direction"] == "backward"
        own = 8 - told["t"] if backward else told["t"]
        # the lag is from the end of the direction, where the gradient enters
        assert told["lag"] == 7 - own
        at = (found["seeds"].tolist().index(told["seed"]), own, told["layer"] - 1)
        prefix = "backward_" if backward else ""
        for name in (n for n in header if "norm" in n):
            assert same(told[name], found[f"{prefix}layer_{name}"][at])
        last = told["layer"] == 3 and own > 0
        assert (told["sigma_max"] is not None) is last
        if last:
            sigma = found[f"{prefix}step_singular_values"][(*at[:2], 0, 0)]
            assert told["sigma_max"] == sigma
        assert (told["saturation"] is not None) is (own > 0)


def same(cell: float | None, value: float) -> bool:
    """An empty field is a NaN."""
    return bool(np.isnan(value)) if cell is None else cell == value


def test_a_rate_below_the_last_layer_needs_one_place_to_set_out_from() -> None:
    base = {"cell": "linear", "layers": 2, "bidirectional": True, "hidden_size": 1}
    config = {**base, "batch_size": 1, "seq_len": 60, "weight_scale": 0.5, "seeds": [0, 1, 2]}
    for at, there in (("last", False), ([60], True), ([30], True), ([30, 31], False)):
        found = gradlab.run({**config, "loss": {"at": at}}).summary
        for key in ("layers_rates", "backward_layers_rates"):
            assert list(found[key]) == ["1", "2"]
            assert found[key]["2"]["growth_rate"] is not None or at == [60]
            if key == "layers_rates":
                assert (found[key]["1"]["growth_rate"] is not None) is there, at
            if not there:
                assert found[key]["1"]["verdict"] == "undecided"
        assert list(found["directions"]) == ["forward", "backward"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lag_split": "all"}, "lag_split: all is not for layers with bidirectional"),
        ({"truncate": 3}, "no meaning where the sequence is read from both ends"),
        (
            {"cell": "lstm_simple", "input_size": 3},
            "inputs of 2 hidden_size for the second layer, but .* remove layers or bidirectional",
        ),
        ({"tied": False}, "remove"),
        ({"residual": True, "block": 2}, "remove"),
        ({"encoder_decoder": {"encoder": 2, "decoder": 3}}, "remove"),
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(GradlabError, match=message) as caught:
        gradlab.run({**SIZES, "cell": "rnn", "layers": 2, **change})
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("checkpoint", ["none", 16])
@pytest.mark.parametrize(
    "change",
    [{"layers": 1}, {"layers": 3}, {"layers": 3, "residual": True, "cell": "gru"}],
    ids=str,
)
def test_the_memory_plan_counts_all_chains(
    change: dict[str, Any], checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradlab.memory.CACHE", 2**40)  # so that memory alone sets the size
    config = {"cell": "lstm", "hidden_size": 16, "batch_size": 8, "seq_len": 480, "seeds": [0]}
    config |= {"bidirectional": True, "spectrum": "none", "checkpoint": checkpoint, **change}
    spec = settle(from_mapping(config).config)[1]
    at_once, every = memory_plan(spec, 10**6)
    tracemalloc.start()
    drawing = Drawing([Member(0, spec, 0)])
    weights = [drawing.weights(k) for k in range(len(spec.entries))]
    kept = run_chains(drawing, weights, every, lambda: None)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept[0]) == len(spec.chains)
    # the weights and one block of drawn inputs are not counted; the gradients to come are
    assert held - 2**19 <= MEMORY / at_once
    assert MEMORY / at_once < 4 * held + 2**19
