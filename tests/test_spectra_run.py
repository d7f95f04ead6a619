"""Product singular values and Lyapunov exponents through a whole run.

Claims:
- W = g Q: every singular value of P_t is g^(T - t), every exponent ln g;
- for any network, the values of short products are those of the product that is formed, which is
  right while it is well conditioned; the sum of the exponents is the mean of ln|det J_t|;
- the largest exponent is near the growth rate of the gradient of a long run;
- products at every m-th step are the same numbers; the columns are in steps.csv, t = T has none;
- of a block of layers exponents are per layer;
- the largest values alone are those of all, for any network, precision and width, and with
  checkpoints to the bit; what is said of all values is then not there;
- by default it is computed where that is cheap, and not for the points of a sweep.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.config import from_mapping
from gradlab.plan import settle

SPECTRA = {"product": True, "lyapunov": True, "values": "all"}
SMALL: dict[str, Any] = {"hidden_size": 4, "batch_size": 2, "seq_len": 30, "seeds": 2}
NETWORKS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "layers": {"cell": "rnn", "layers": 2},
    "untied": {"cell": "rnn", "tied": False},
    "residual": {"cell": "gru", "residual": True},
    "phases": {"cell": "rnn", "encoder_decoder": {"encoder": 10, "decoder": 20}},
}


@pytest.mark.parametrize("g", [0.5, 1.0, 2.0])
def test_an_orthogonal_matrix_times_g(g: float) -> None:
    config = {"cell": "linear", "init": "orthogonal", "weight_scale": g, "inputs": "zeros"}
    record = gradlab.run({**SMALL, **config, "spectrum": SPECTRA})
    values = record["log10_product_singular_values"]
    expected = np.broadcast_to((30 - record["t"][:-1])[None, :, None] * math.log10(g), (2, 30, 4))
    np.testing.assert_allclose(values[:, :-1, 0], expected, atol=1e-12)  # 30 products of 4 x 4
    assert np.isnan(values[:, -1]).all()
    np.testing.assert_allclose(record["lyapunov_exponents"], math.log(g), atol=1e-13)
    # no scale enters: every direction counts the same
    np.testing.assert_allclose(record["product_effective_rank"][:, :-1], 4, rtol=1e-11)
    np.testing.assert_allclose(record["log10_product_condition"][:, :-1], 0, atol=1e-11)
    assert np.isnan(record["product_effective_rank"][:, -1]).all()
    assert np.isnan(record["log10_product_condition"][:, -1]).all()
    assert record.summary["lyapunov_max"] == pytest.approx(math.log(g), abs=1e-13)


LARGEST = {"step": "largest", "product": "largest", "lyapunov": False, "sequences": 2}


@pytest.mark.parametrize("hidden", [1, 2, 12, 70])  # one value; too wide: LAPACK does it
@pytest.mark.parametrize("name", NETWORKS)
def test_the_largest_values_alone(name: str, hidden: int) -> None:
    config = {**SMALL, **NETWORKS[name], "hidden_size": hidden, "theory": "none"}
    config |= {"lag_split": "none", "seeds": 1 if hidden == 70 else 2}
    record = gradlab.run({**config, "spectrum": LARGEST})
    exact = gradlab.run({**config, "spectrum": {**LARGEST, "step": True, "product": True}})
    steps, products = "step_singular_values", "log10_product_singular_values"
    assert record[steps].shape[-1] == record[products].shape[-1] == 1
    # 5e-13 by its proof, and rounding of 64 sums for LAPACK
    np.testing.assert_allclose(record[steps], exact[steps][..., :1], rtol=1e-12)
    # thirty steps of condition 1e5 at most
    np.testing.assert_allclose(record[products], exact[products][..., :1], rtol=0, atol=1e-9)
    lacks = {"step_sigma_min", "product_effective_rank", "log10_product_condition"}
    assert exact.arrays.keys() - record.arrays.keys() == lacks
    header, _ = record.rows()
    assert {"sigma_max", "log10_product_sigma_1"} < set(header)
    assert not {"sigma_min", "log10_product_sigma_2", *lacks} & set(header)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_largest_values_with_checkpoints_and_alone(name: str) -> None:
    """Blocks, and with them what is looked at together, end elsewhere."""
    config = {**SMALL, **NETWORKS[name], "hidden_size": 9, "theory": "none", "lag_split": "none"}
    config |= {"spectrum": LARGEST, "seeds": [3, 1, 2]}
    whole = gradlab.run({**config, "checkpoint": "none"})
    marked = gradlab.run({**config, "checkpoint": 7})
    single = gradlab.run({**config, "seeds": [1]})
    for array in ("step_singular_values", "log10_product_singular_values"):
        assert np.array_equal(whole[array], marked[array], equal_nan=True)
        assert np.array_equal(whole[array][1:2], single[array], equal_nan=True)


def test_the_largest_values_in_single_precision() -> None:
    config = {**SMALL, "cell": "lstm", "dtype": "float32", "lag_split": "none", "theory": "none"}
    record = gradlab.run({**config, "spectrum": LARGEST})
    exact = gradlab.run({**config, "spectrum": {**LARGEST, "step": True}})
    # LAPACK's own rounding in single precision: a few of its eps
    values = "step_singular_values"
    np.testing.assert_allclose(record[values], exact[values][..., :1], rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_short_products_and_the_sum_of_the_exponents(name: str) -> None:
    spectrum = {**SPECTRA, "sequences": 2}
    record = gradlab.run({**SMALL, **NETWORKS[name], "spectrum": spectrum})
    values = record["log10_product_singular_values"]
    steps = np.log10(record["step_singular_values"])
    # P_{T-1} is J_T itself
    np.testing.assert_allclose(values[:, -2], steps[:, -1], atol=1e-11)
    # from the values themselves
    decades = values[:, :-1, :, 0] - values[:, :-1, :, -1]
    np.testing.assert_allclose(record["log10_product_condition"][:, :-1], decades, atol=1e-9)
    share = 10 ** (values[:, :-1] - values[:, :-1, :, :1])
    share /= share.sum(axis=-1, keepdims=True)
    entropy = -(share * np.log(np.maximum(share, 1e-300))).sum(axis=-1)
    np.testing.assert_allclose(record["product_effective_rank"][:, :-1], np.exp(entropy), 1e-9)
    # |det| of a product is the product of the |det|: at every t, sums of logarithms
    dets = steps[:, 1:].sum(axis=-1)
    tails = dets[:, ::-1].cumsum(axis=1)[:, ::-1]
    np.testing.assert_allclose(values[:, :-1].sum(axis=-1), tails, rtol=1e-9, atol=1e-9)
    exponents = record["lyapunov_exponents"].sum(axis=-1) / math.log(10)
    np.testing.assert_allclose(exponents, dets.mean(axis=1), rtol=1e-9)
    # sigma_1 of a product is at most the product of the sigma_1
    bound = steps[:, 1:, :, 0][:, ::-1].cumsum(axis=1)[:, ::-1]
    assert (values[:, :-1, :, 0] <= bound + 1e-9).all()


def test_the_largest_exponent_is_the_growth_rate_of_a_long_run() -> None:
    config = {"cell": "rnn", "weight_scale": 0.9, "hidden_size": 8, "seq_len": 1500, "seeds": 3}
    record = gradlab.run(
        {**config, "spectrum": {"step": False, "product": False, "lyapunov": True, "values": 1}}
    )
    rate = record.summary["growth_rate"]["mean"]
    # both are averages over 1500 steps whose ends differ by O(1) nats; one sequence against all
    assert record.summary["lyapunov_max"] == pytest.approx(rate, abs=0.02)


def test_every_mth_step_and_the_columns(tmp_path: Path) -> None:
    base = {**SMALL, "cell": "gru", "figures": "none"}
    whole = gradlab.run({**base, "spectrum": {**SPECTRA, "values": 2}})
    thin = gradlab.run(
        {**base, "spectrum": {**SPECTRA, "values": 2, "every": 7}}, out=tmp_path / "x"
    )
    there = ~np.isnan(thin["log10_product_singular_values"]).all(axis=(0, 2, 3))
    assert thin["t"][there].tolist() == [2, 9, 16, 23]
    np.testing.assert_array_equal(
        thin["log10_product_singular_values"][:, there],
        whole["log10_product_singular_values"][:, there],
    )
    with (tmp_path / "x" / "steps.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [n for n in rows[0] if "product" in n] == [
        "log10_product_sigma_1",
        "log10_product_sigma_2",
        "product_effective_rank",
        "log10_product_condition",
    ]
    assert rows[2]["product_effective_rank"] and not rows[3]["product_effective_rank"]
    assert not rows[30]["product_effective_rank"]  # t = T: no product
    assert rows[2]["log10_product_sigma_1"] and not rows[3]["log10_product_sigma_1"]


def test_exponents_of_blocks_are_per_layer() -> None:
    config = {"cell": "linear", "init": "identity", "weight_scale": 0.5, "inputs": "zeros"}
    block = {"residual": True, "block": 2, "initial_state": "normal"}
    record = gradlab.run({**SMALL, **config, **block, "spectrum": SPECTRA})
    assert record.summary["lyapunov_max"] == pytest.approx(math.log(1.25) / 2, rel=1e-12)


BOTH = {"log10_product_singular_values", "lyapunov_exponents"}


def test_auto_is_all_of_it_where_it_is_cheap() -> None:
    record = gradlab.run({**SMALL, "cell": "rnn"})
    assert record.arrays.keys() >= BOTH
    assert record.config["spectrum"]["product"] is record.config["spectrum"]["lyapunov"] is True


def test_nothing_of_it_where_it_was_not_asked_for() -> None:
    record = gradlab.run({**SMALL, "cell": "rnn", "spectrum": "none"})
    assert not BOTH & record.arrays.keys()
    assert record.summary["lyapunov_max"] is None


@pytest.mark.parametrize(
    ("keys", "cheap"),
    [
        ({"cell": "rnn", "seq_len": 1000, "seeds": 12, "hidden_size": 64}, True),  # 3.7e9
        ({"cell": "rnn", "seq_len": 1000, "seeds": 13, "hidden_size": 64}, False),  # 4.1e9
        ({"cell": "rnn", "seq_len": 79_000, "seeds": 1, "hidden_size": 4}, True),  # 3.96e9
        ({"cell": "rnn", "seq_len": 80_000, "seeds": 1, "hidden_size": 4}, False),  # 4.01e9
        ({"cell": "lstm", "seq_len": 1000, "seeds": 2, "hidden_size": 64}, False),  # (h, c): 8 x
        ({"cell": "rnn", "bidirectional": True, "seq_len": 1000, "seeds": 8}, False),  # twice
        ({"cell": "rnn", "spectrum": {"sequences": 16}, "seq_len": 1000, "seeds": 1}, False),
    ],
)
def test_auto_counts_the_work(keys: dict[str, Any], cheap: bool) -> None:
    # members times sequences times directions times steps times (D^3 + 50000) against 4e9
    config, spec = settle(from_mapping(keys, folder=".").config)
    assert config.spectrum.product is config.spectrum.lyapunov is cheap
    assert ({"product", "lyapunov"} <= spec.spectra) is cheap
    alone, _ = settle(config, alone=False)  # what was settled stays as it is
    assert alone.spectrum == config.spectrum


def test_a_point_of_a_sweep_keeps_its_numbers_alone() -> None:
    config, spec = settle(from_mapping({**SMALL, "cell": "rnn"}, folder=".").config, alone=False)
    assert config.spectrum.product is config.spectrum.lyapunov is False
    assert spec.spectra == {"step"}
