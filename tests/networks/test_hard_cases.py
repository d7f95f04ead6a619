"""Where networks, losses and truncation meet the ends of the float range, and one another.

Claims:
- a window as long as the sequence changes nothing, also where the gradient shrinks or grows by
  hundreds of decades within a few steps, in float64 and float32;
- the parts by lag of one loss term are the shares of the steps, there too;
- the gradient of an output layer has its norm where states are beyond 1e154, and clipping acts;
- a seed has the same bits alone and with others, whatever the network;
- what differs only in where the backward direction starts is not computed together;
- the step where the gradient enters is recorded, however thin the record;
- a loss without a gradient is told as that; a cut is no finding about the cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.config import from_mapping
from gradlab.errors import GradlabError
from gradlab.plan import settle
from gradlab.report.words import headline
from gradlab.runner import run, run_many

STEEP: dict[str, Any] = {"cell": "rnn", "init": "randn", "seq_len": 20, "hidden_size": 16}


@pytest.mark.parametrize(("scale", "dtype"), [(60.0, "float64"), (10.0, "float32")])
@pytest.mark.parametrize("at", ["last", [19, 20], "all"])
def test_a_window_as_long_as_the_sequence_changes_nothing(
    scale: float, dtype: str, at: object
) -> None:
    config = {**STEEP, "weight_scale": scale, "dtype": dtype, "loss": {"at": at}}
    whole = gradlab.run(config)
    found = gradlab.run({**config, "truncate": 20})
    # sums of the loss terms in another order: some eps of the precision, in decades
    close = {"float64": 1e-12, "float32": 1e-4}[dtype]
    for name in ("log10_grad_norm_h", "log10_weight_grad_norm", "log10_lag_norm"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-13, atol=close, err_msg=name)
    assert np.isfinite(whole["log10_grad_norm_h"]).all()


@pytest.mark.parametrize(("scale", "dtype"), [(300.0, "float64"), (30.0, "float32")])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_parts_by_lag_of_one_term_are_the_shares_of_the_steps(
    scale: float, dtype: str, cell: str
) -> None:
    record = gradlab.run({**STEEP, "cell": cell, "weight_scale": scale, "dtype": dtype})
    shares = record["log10_weight_grad_norm"][:, :0:-1]
    np.testing.assert_allclose(record["log10_lag_norm"], shares, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("T", [100, 120, 190])
def test_an_output_layer_on_states_near_the_end_of_the_range(T: int) -> None:
    config = {"cell": "linear", "weight_scale": 30, "seeds": 2, "seq_len": T, "hidden_size": 16}
    record = gradlab.run({**config, "loss": "mse", "clip": 1.0})
    norms = record["log10_parameter_grad_norm"]
    assert np.isfinite(norms[:, record.names["tensors"].index("weight_out")]).all()
    assert record.summary["clip"]["acted"] == 1.0
    # dL/dV = dz h^T with dz about V h: its size is that of the squared state, 10^(2 * T * 1.5)
    out = norms[:, record.names["tensors"].index("weight_out")]
    assert out == pytest.approx(2 * T * np.log10(30), rel=0.1)
    if T == 190:
        assert record.summary["loss"] is None
        assert "beyond float range" in record.summary["reasons"]["loss"]


ALONE: list[dict[str, Any]] = [
    {"cell": "lstm", "layers": 2, "hidden_size": 4, "batch_size": 3},
    {"cell": "lstm", "layers": 3, "residual": True, "hidden_size": 4, "batch_size": 3},
    {"cell": "rnn", "hidden_size": 1, "batch_size": 1, "loss": {"type": "mse", "at": "all"}},
    {"cell": "gru", "hidden_size": 1, "loss": {"type": "cross_entropy", "at": "all"}},
    {"cell": "rnn", "hidden_size": 3, "bidirectional": True, "loss": "mse"},
    {"cell": "lstm", "hidden_size": 3, "bidirectional": True, "layers": 2, "loss": "mse"},
    {"cell": "gru", "hidden_size": 4, "bidirectional": True, "layers": 3, "residual": True},
    {"cell": "rnn", "hidden_size": 1, "batch_size": 1, "bidirectional": True, "layers": 2},
    {"cell": "lstm", "hidden_size": 1, "batch_size": 1, "layers": 2},  # one row or column
    {"cell": "rnn", "hidden_size": 3, "tied": False, "residual": True, "block": 2},
    {"cell": "gru", "hidden_size": 3, "encoder_decoder": {"encoder": 5, "decoder": 7}},
    {"cell": "rnn", "hidden_size": 5, "truncate": 4, "loss": {"at": "all"}},
]


@pytest.mark.parametrize("config", ALONE, ids=str)
def test_a_seed_alone_has_the_bits_that_it_has_with_others(config: dict[str, Any]) -> None:
    length = {} if "encoder_decoder" in config else {"seq_len": 12}
    both = gradlab.run({**config, **length, "seeds": [7, 99]})
    alone = gradlab.run({**config, **length, "seeds": [7]})
    for name, array in alone.arrays.items():
        if len(array) == 1:
            np.testing.assert_array_equal(array[0], both[name][0], err_msg=name)


def test_two_starts_of_the_backward_direction_are_two_shapes() -> None:
    base = {"cell": "rnn", "hidden_size": 4, "seq_len": 12, "seeds": 2, "bidirectional": True}
    specs = [settle(from_mapping({**base, "loss": {"at": at}}).config)[1] for at in ("last", [12])]
    assert specs[0].shape != specs[1].shape
    same = [settle(from_mapping({**base, "weight_scale": g}).config)[1] for g in (0.5, 1.0)]
    for record, spec in zip(run_many(same), same, strict=True):
        for name, array in run(spec).arrays.items():
            np.testing.assert_array_equal(record[name], array, err_msg=name)


@pytest.mark.parametrize("both", [False, True])
def test_where_the_gradient_enters_is_recorded(both: bool) -> None:
    config = {"cell": "rnn", "seq_len": 97, "loss": {"at": [53]}, "bidirectional": both}
    record = gradlab.run({**config, "record_every": 40})
    assert 53 in record["t"]
    assert "after 53 steps" in headline(record)
    if both:
        assert 53 in record["backward_t"]
        first = record["backward_t"] == 53
        assert record["backward_grad_norm_h"][:, first] == pytest.approx(32.0)  # ones, 64 x 16


def test_a_loss_without_a_gradient_is_told_as_that() -> None:
    """One class only: softmax is 1 whatever the state."""
    loss = {"type": "cross_entropy", "outputs": 1}
    record = gradlab.run({"cell": "rnn", "hidden_size": 4, "seq_len": 10, "loss": loss})
    assert record.summary["verdict"] == "undecided"
    assert "no gradient enters" in record.summary["reasons"]["growth_rate"]
    assert not any("exactly zero" in caveat for caveat in record.summary["caveats"])


@pytest.mark.parametrize(
    ("truncate", "at"),
    [
        (5, [90, 100]),
        ({"steps": 5, "mode": "chunked"}, [20, 40]),
        (10, "last"),
        ({"steps": 30, "mode": "chunked"}, "last"),
    ],
)
def test_a_cut_is_no_finding_about_the_cell(truncate: Any, at: Any) -> None:
    config = {"cell": "rnn", "weight_scale": 0.5, "seq_len": 100, "loss": {"at": at}}
    found = gradlab.run({**config, "truncate": truncate}).summary
    assert found["growth_rate"] is not None
    assert not any("exactly zero" in caveat for caveat in found["caveats"])
    if at == "last":
        whole = gradlab.run({**config, "seq_len": found["distance"] or 1}).summary
        # the same recurrence over as many steps; other draws of the inputs move it a little
        assert found["growth_rate"]["mean"] == pytest.approx(whole["growth_rate"]["mean"], rel=0.2)
        assert found["distance"] == {10: 9}.get(truncate if isinstance(truncate, int) else 0, 9)


def test_the_words_of_a_cut_tell_the_steps_that_were_travelled() -> None:
    record = gradlab.run({"cell": "rnn", "weight_scale": 0.5, "truncate": 10, "seeds": 4})
    assert "after 9 steps" in headline(record)


def test_a_cut_after_one_step_leaves_no_rate() -> None:
    found = gradlab.run({"cell": "rnn", "truncate": 1, "seq_len": 20}).summary
    assert found["growth_rate"] is None
    assert "cut" in found["reasons"]["growth_rate"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": {"at": [50]}}, "loss.at has step 50, but the last step"),
        ({"spectrum": {"sequences": 4}}, "there are 3 sequences"),
        ({"residual": True, "block": 2}, "no multiple of block"),
        ({"loss": {"type": "mse", "at": [7], "targets": "shifted"}}, "the last step"),
    ],
    ids=str,
)
def test_sizes_from_a_file_are_held_against_the_config(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 7, 4)))
    inputs = {"type": "file", "path": str(tmp_path / "x.npy")}
    with pytest.raises(GradlabError, match=message):
        gradlab.run({"cell": "rnn", "hidden_size": 4, "inputs": inputs, **change})


def test_truncation_within_a_block_is_refused() -> None:
    config = {"cell": "rnn", "residual": True, "block": 4, "truncate": 6}
    with pytest.raises(GradlabError, match="no multiple of block"):
        gradlab.run(config)
