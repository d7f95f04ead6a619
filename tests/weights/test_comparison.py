"""Trained weights beside ones drawn anew, and the weight_scale at the edge.

Claims:
- the twin's blocks (a gate of a layer and direction) have the mean square of the file's, times
  weight_scale where they are recurrent, and mean 0; no two are the same; biases are the file's;
- a file that is itself a Gaussian draw has the twin's growth rate, within the spread of draws; one
  of rank one, at the same scale, is ln(H)/2 above it: the structure shows, the scale does not;
- W = g Q with orthogonal Q: the edge is at 1/g, with an interval of no width;
- a member's twin is the same whatever other seeds there are and whatever else is computed, and the
  run's own arrays are the same bits with the comparison as without;
- where there is no edge, the reason; where nothing may be compared, one line;
- points of a sweep are not compared.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab.cells import CELLS
from gradlab.comparison import CURVE, EDGE_SEEDS, EDGE_TOLERANCE, run, twin
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member
from gradlab.errors import GradlabError
from gradlab.initial import root_mean_square
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.spec import Spec
from tests.weights.state_dicts import BLOCKS, Arrays, Made

H = 32


def planned(file: Path, arrays: Arrays, alone: bool = True, **config: Any) -> Spec:
    np.savez(file, **arrays)
    init = {"file": str(file), **config.pop("init", {})}
    data = {"seq_len": 20, "batch_size": 2, "spectrum": "none", "init": init, **config}
    return settle(from_mapping(data).config, alone)[1]


def plain(W: np.ndarray) -> Arrays:
    """A layer without nonlinearity, once the config says so."""
    return {"weight_hh": W, "weight_ih": np.eye(len(W))}


def compared(file: Path, W: np.ndarray, **config: Any) -> Record:
    return run(planned(file, plain(W), **{"cell": "linear", "inputs": "zeros", **config}))


NETWORKS = [
    Made("rnn", 8, 6),
    Made("lstm", 8, 5, layers=2),
    Made("gru", 8, 4, both=True, biases=("bias_ih",)),
    Made("gru_minimal", 8, 8, layers=2, both=True),
    Made("lstm_peephole", 16, 3, peepholes="io"),
]


@pytest.mark.parametrize("made", NETWORKS, ids=str)
@pytest.mark.parametrize("generator", ["pcg64", "mt19937"])
def test_blocks_are_drawn_at_the_files_scale(made: Made, generator: str, tmp_path: Path) -> None:
    arrays, seeds, g = made.arrays(), 200, 0.5
    for k, array in enumerate(arrays.values()):  # scales that are all different
        for row, block in enumerate(np.split(array, len(array) // made.hidden)):
            block *= 3.0 ** (row - k % 3)
    spec = twin(planned(tmp_path / "w.npz", arrays, seeds=seeds, weight_scale=g,
                        generator=generator))  # fmt: skip
    drawing = Drawing([Member(0, spec, seed) for seed in spec.seeds])
    seen: list[float] = []
    for direction, end in zip(range(len(spec.entries)), ("", "_reverse"), strict=False):
        for name, drawn in drawing.weights(direction).items():
            given = arrays[f"{name}{'' if made.layers > 1 else '_l0'}{end}"]
            if name.startswith("bias"):
                assert (drawn[0] == given).all()
                continue
            scale = 1.0 if name.startswith("weight_ih") else g
            parts = len(given) // made.hidden
            for own, wanted in zip(
                np.split(drawn[0], parts, axis=1), np.split(given, parts), strict=True
            ):
                s = scale * math.sqrt(np.mean(wanted**2))
                n = own.size
                # n mean(w^2)/s^2 is chi-square with n degrees of freedom: std sqrt(2/n) of 1
                assert abs(np.mean(own**2) / s**2 - 1) < 5 * math.sqrt(2 / n)
                assert abs(own.mean()) < 5 * s / math.sqrt(n)
                seen += (own.reshape(seeds, -1)[:, 0] / s).tolist()
    # first entries of all blocks of all seeds: each a draw of its own
    assert len({round(x, 9) for x in seen}) == len(seen)


def test_the_scale_of_anything() -> None:
    """Squares beyond float range, and nothing at all."""
    assert root_mean_square(np.full((2, 3), -1e300)) == pytest.approx(1e300, rel=1e-15)
    assert root_mean_square(np.array([3e-200, 4e-200])) == pytest.approx(
        5e-200 / math.sqrt(2), rel=1e-15
    )
    assert root_mean_square(np.zeros((2, 2))) == 0


@pytest.mark.parametrize("cell", ["linear", "rnn"])
def test_a_file_that_is_a_draw_is_as_its_twin(cell: str, tmp_path: Path) -> None:
    W = np.random.default_rng(5).standard_normal((H, H)) * 0.7 / math.sqrt(H)
    record = compared(tmp_path / "w.npz", W, cell=cell, seq_len=60, seeds=24)
    own = record.summary["growth_rate"]["mean"]
    fresh = record.summary["trained"]["fresh"]["growth_rate"]
    # the file is one more draw: it lies where the 24 do, give or take four standard deviations
    assert abs(own - fresh["mean"]) < 4 * fresh["std"] * math.sqrt(1 + 1 / 24)
    assert fresh["std"] < 0.2  # else that would say nothing


def test_structure_is_what_differs(tmp_path: Path) -> None:
    """W = a u u^T: ||dh|| changes by a a step. Its rms is a/H, so that of the twin, a Ginibre
    matrix of spectral radius a/sqrt(H), changes by about that.
    """
    u = np.random.default_rng(1).standard_normal(H)
    W = 2.0 * np.outer(u, u) / (u @ u)
    record = compared(tmp_path / "w.npz", W, seq_len=100, seeds=16)
    own, told = record.summary["growth_rate"]["mean"], record.summary["trained"]
    # from the first step on exactly; the last step, from dh to u, is one of a hundred
    assert own == pytest.approx(math.log(2), abs=0.05)
    # spectral radii at H = 32 lie within some 15 % of the circle's
    assert own - told["fresh"]["growth_rate"]["mean"] == pytest.approx(math.log(H) / 2, abs=0.2)
    # growth is ln(2 w), so the edge is at 1/2, but for the last step again
    assert told["edge"]["weight_scale"] == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(("g", "start"), [(0.3, 1.0), (0.8, 1.0), (1.0, 1.0), (5.0, 1.0), (2, 3)])
def test_the_edge_of_an_orthogonal_matrix(g: float, start: float, tmp_path: Path) -> None:
    Q = np.linalg.qr(np.random.default_rng(2).standard_normal((H, H)))[0]
    record = compared(tmp_path / "w.npz", g * Q, weight_scale=start, seeds=EDGE_SEEDS + 2)
    edge = record.summary["trained"]["edge"]
    assert edge["weight_scale"] == pytest.approx(1 / g, rel=EDGE_TOLERANCE)
    assert edge["high"] - edge["low"] < 1e-9  # every seed has the same rate
    assert edge["seeds"] == EDGE_SEEDS
    assert record.summary["trained"]["edge_reason"] is None


def test_the_edge_is_that_of_the_scaled_file(tmp_path: Path) -> None:
    """A file whose recurrent weights are multiplied by the edge is at its own edge."""
    made = Made("lstm", 12, 5)
    arrays = made.arrays()
    told = run(planned(tmp_path / "a.npz", arrays, seeds=3)).summary["trained"]["edge"]
    arrays["weight_hh_l0"] *= told["weight_scale"]
    record = run(planned(tmp_path / "b.npz", arrays, seeds=3))
    # the growth rate at a root known to 1e-3 of its value
    assert abs(record.summary["growth_rate"]["mean"]) < 2 * EDGE_TOLERANCE
    again = record.summary["trained"]["edge"]["weight_scale"]
    assert again == pytest.approx(1.0, rel=2 * EDGE_TOLERANCE)


@pytest.mark.parametrize("made", [NETWORKS[1], NETWORKS[3]], ids=str)
def test_the_members_bits(made: Made, tmp_path: Path) -> None:
    arrays, file = made.arrays(), tmp_path / "w.npz"
    several = run(planned(file, arrays, seeds=[4, 7, 9]))
    alone = run(planned(file, arrays, seeds=[7], lag_split="none", clip=1.0))
    np.testing.assert_array_equal(several[f"fresh_{CURVE}"][[1]], alone[f"fresh_{CURVE}"])
    assert not (several[f"fresh_{CURVE}"][0] == several[f"fresh_{CURVE}"][1]).all()
    without = run(planned(file, arrays, seeds=[4, 7, 9], init={"compare": False}))
    assert set(several.arrays) - set(without.arrays) == {f"fresh_{CURVE}"}
    for name, array in without.arrays.items():
        np.testing.assert_array_equal(array, several[name])
    assert "trained" not in without.summary
    assert several.to_bytes() == run(planned(file, arrays, seeds=[4, 7, 9])).to_bytes()


def test_a_clip_of_every_step_is_the_twins_too(tmp_path: Path) -> None:
    """It shapes the curves; every other clip does not."""
    spec = planned(tmp_path / "w.npz", Made().arrays(), clip=1e-3)
    assert spec.norms_only().clip is None
    spec = planned(tmp_path / "w.npz", Made().arrays(), clip={"threshold": 1e-3, "by": "step_norm"})
    assert spec.norms_only().clip == (1e-3, "step_norm")


def test_the_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    run(planned(tmp_path / "w.npz", Made().arrays()), told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_no_edge_has_a_reason(tmp_path: Path) -> None:
    def reason(record: Record) -> str:
        assert record.summary["trained"]["edge"] is None
        return str(record.summary["trained"]["edge_reason"])

    dead = compared(tmp_path / "w.npz", np.zeros((4, 4)))
    # 5 steps outwards: 2^(5 6/4) = 181
    wanted = "the growth rate stays below 0 from weight_scale 0.00552427 to 181.019"
    assert reason(dead) == wanted
    several = compared(tmp_path / "w.npz", np.eye(4), loss={"at": "all"})
    assert "several steps" in reason(several)
    far = compared(tmp_path / "w.npz", np.eye(4) * 0.5, weight_scale=1e308)
    assert "weight_scale goes beyond the range of float64" in reason(far)
    accumulator = CELLS["accumulator"]
    shapes = accumulator.shapes(3, 2, 1, accumulator.Options())
    arrays = {name: np.ones(shape) for name, shape in shapes.items()}
    assert "no recurrent weights" in reason(
        run(planned(tmp_path / "w.npz", arrays, cell="accumulator"))
    )


def test_what_may_be_compared(tmp_path: Path) -> None:
    """Weights of a file, in a run."""
    with pytest.raises(GradlabError, match=r"is about weights of init\.file, which is not given"):
        from_mapping({"cell": "rnn", "init": {"compare": True}})
    arrays, file = Made().arrays(), tmp_path / "w.npz"
    assert planned(file, arrays).compare
    assert not planned(file, arrays, alone=False).compare
    assert not planned(file, arrays, alone=False, init={"compare": False}).compare
    with pytest.raises(GradlabError, match="for a run, not for the points of a sweep"):
        planned(file, arrays, alone=False, init={"compare": True})
    drawn = settle(from_mapping({"cell": "rnn"}).config)[1]
    assert not drawn.compare
    assert "compare" not in drawn.config["init"]  # so that results of drawn weights stay theirs


def test_the_resolved_config_says_so_and_is_the_same_experiment(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **Made().arrays())
    base = {"seq_len": 5, "spectrum": "none", "seeds": 2}
    config = {**base, "init": {"file": str(tmp_path / "w.npz")}}
    record = gradlab.run(config, out=tmp_path / "one")
    text = (tmp_path / "one" / "config.yaml").read_text(encoding="utf-8")
    assert "compare: true" in text
    again = gradlab.run(tmp_path / "one" / "config.yaml")
    assert again.identity == record.identity
    assert again.summary == record.summary
    config["init"] = {**config["init"], "compare": False}  # type: ignore[dict-item]
    assert gradlab.run(config).identity != record.identity


def test_every_kind_of_block_is_known() -> None:
    """The cases above are of every number of blocks that files have."""
    assert {BLOCKS[made.kind] for made in NETWORKS} == set(BLOCKS.values())
