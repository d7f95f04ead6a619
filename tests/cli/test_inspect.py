"""gradlab inspect: which recurrent layers a file of trained weights has.

Claims:
- of a trained LSTM it tells sizes, and for every block sigma_max (numpy's SVD), spectral radius
  (numpy's eigenvalues) and the forget gate's bias, to all digits with --json, and in the table as
  far as printed;
- every kind, in layers and directions, has its blocks under their names, and a gate that keeps the
  state its bias;
- the lines it ends with are a config that runs, from the path that was given;
- a layer that cannot be run is told beside the others; a file without layers exits 1 and tells
  what it holds, bad files exit 2;
- 80 columns are enough, whatever the names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import ROOT, command, refused
from safetensors.numpy import load_file

from gradlab.cells import CELLS
from tests.weights.state_dicts import Arrays, Made

SILERO = ROOT / "configs" / "data" / "silero_vad_lstm.safetensors"


def inspected(arrays: Arrays) -> list[dict[str, Any]]:
    """The layers of a file in the working folder, as --json has them."""
    np.savez("w.npz", **arrays)
    done = command("inspect", "w.npz", "--json")
    assert done.exit_code == 0, done.stderr
    return list(json.loads(done.stdout)["layers"])


def radius(W: Any) -> float:
    return float(np.abs(np.linalg.eigvals(W)).max())


def test_the_numbers_of_a_trained_lstm(folder: Path) -> None:
    (layer,) = json.loads(command("inspect", SILERO, "--json").stdout)["layers"]
    sizes = {"prefix": "lstm_cell.", "cell": "lstm", "hidden_size": 128, "input_size": 128}
    sizes |= {"layers": 1, "bidirectional": False, "note": "", "options": {}}
    assert layer.items() >= sizes.items()
    arrays = {n.removeprefix("lstm_cell."): a.astype(float) for n, a in load_file(SILERO).items()}
    assert layer["parameters"] == 2 * 512 * 128 + 2 * 512 == sum(a.size for a in arrays.values())
    assert [block["name"] for block in layer["blocks"]] == ["i", "f", "g", "o"]
    for k, block in enumerate(layer["blocks"]):
        W = arrays["weight_hh"][128 * k : 128 * (k + 1)]
        # the same matrices in the same precision; another order of operations at most
        assert block["sigma_max"] == pytest.approx(np.linalg.norm(W, 2), rel=1e-13)
        assert block["spectral_radius"] == pytest.approx(radius(W), rel=1e-10)
    forget = (arrays["bias_ih"] + arrays["bias_hh"])[128:256]
    wanted = {"mean": forget.mean(), "least": forget.min(), "most": forget.max()}
    assert layer["blocks"][1]["bias"] == pytest.approx(wanted, rel=1e-12)
    assert [block["bias"] is None for block in layer["blocks"]] == [True, False, True, True]


def test_the_table_has_the_same_numbers(folder: Path) -> None:
    done = command("inspect", SILERO)
    assert (done.exit_code, done.stderr) == (0, "")
    (layer,) = json.loads(command("inspect", SILERO, "--json").stdout)["layers"]
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["lstm_cell."] == ["lstm", "128", "128", "1", "1", "132,096"]
    for block in layer["blocks"]:
        bias = [f"{b:.3g}" for b in block["bias"].values()] if block["bias"] else ["-"] * 3
        told = [f"{block['sigma_max']:.3g}", f"{block['spectral_radius']:.3g}", *bias]
        assert rows[block["name"]] == told


@pytest.mark.parametrize("kind", ["rnn", "gru_minimal", "gru", "lstm", "lstm_peephole"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
def test_every_block_of_every_kind(kind: str, layers: int, both: bool, folder: Path) -> None:
    peepholes = "io" if kind == "lstm_peephole" else ""
    arrays = Made(kind, 3, 2, layers, both, peepholes=peepholes).arrays()
    (layer,) = inspected(arrays)
    cell = CELLS[kind]
    ends = [f"_l{k}{end}" for k in range(layers) for end in ("", "_reverse")[: 1 + both]]
    shown = ends if len(ends) > 1 else [""]
    assert [b["name"] for b in layer["blocks"]] == [g + end for end in shown for g in cell.GATES]
    found = iter(layer["blocks"])
    for end in ends:
        bias = arrays[f"bias_ih{end}"] + arrays[f"bias_hh{end}"]
        for k, gate in enumerate(cell.GATES):
            block, rows = next(found), slice(3 * k, 3 * k + 3)
            sigma = np.linalg.svd(arrays[f"weight_hh{end}"][rows], compute_uv=False)
            assert block["sigma_max"] == pytest.approx(sigma[0], rel=1e-13)
            assert (block["bias"] is None) == (gate != cell.KEEPS)
            if block["bias"]:
                assert block["bias"]["mean"] == pytest.approx(bias[rows].mean(), rel=1e-12)


def test_biases_that_are_not_there_are_zero(folder: Path) -> None:
    (layer,) = inspected(Made("gru", biases=()).arrays())
    (block,) = [block for block in layer["blocks"] if block["bias"]]
    assert block["bias"] == {"mean": 0.0, "least": 0.0, "most": 0.0}
    (layer,) = inspected(Made("lstm", biases=("bias_hh",)).arrays())
    own = Made("lstm", biases=("bias_hh",)).arrays()["bias_hh_l0"][3:6]
    assert layer["blocks"][1]["bias"]["most"] == own.max()


def config_of(stdout: str) -> str:
    """The lines that the output ends with, from the first comment on."""
    lines = stdout.splitlines()
    return "\n".join(lines[next(k for k, line in enumerate(lines) if line.startswith("# ")) :])


FILES: dict[str, Arrays] = {
    "w.npz": Made(prefix="lstm.").arrays(),
    "sub folder/w.npz": Made("gru", layers=2).arrays(),
    "rnn.npz": Made("rnn", both=True, prefix="x.").arrays(),
    "two: #1.npz": {**Made(prefix="b.").arrays(), **Made("gru", prefix="a.").arrays()},
    "~w.npz": Made("lstm_peephole", peepholes="f").arrays(),
}


@pytest.mark.parametrize("name", FILES)
def test_it_ends_with_a_config_that_runs(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    np.savez(folder / name, **FILES[name])
    text = config_of(command("inspect", name).stdout)
    assert name in yaml.safe_load(text)["init"]["file"]
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    done = command("run", "mine.yaml", "--no-figures", "--quiet", "seq_len=3", "seeds=1")
    assert (done.exit_code, done.stderr) == (0, "")
    others = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# init")]
    for line in others:
        (folder / "mine.yaml").write_text(line, encoding="utf-8")
        assert command("run", "mine.yaml", "--no-figures", "--quiet", "seq_len=3").exit_code == 0
    assert len(others) == name.count("two")


def test_the_json_has_configs_that_run(folder: Path) -> None:
    for layer in inspected(FILES["two: #1.npz"]):
        (folder / "mine.yaml").write_text(yaml.safe_dump(layer["config"]), encoding="utf-8")
        done = command("run", "mine.yaml", "--no-figures", "--quiet", "seq_len=3", "seeds=1")
        assert done.exit_code == 0, done.stderr


def test_what_had_to_be_supposed_is_in_the_config(folder: Path) -> None:
    np.savez("w.npz", **Made("rnn").arrays())
    done = command("inspect", "w.npz")
    assert "note: the file does not tell the activation; tanh is supposed" in done.stdout
    assert yaml.safe_load(config_of(done.stdout))["cell"] == "rnn"


def test_a_layer_that_cannot_be_run_is_told_beside_the_others(folder: Path) -> None:
    arrays = {**FILES["two: #1.npz"], "a.weight_hr_l0": np.ones((2, 3))}
    np.savez("w.npz", **arrays)
    done = command("inspect", "w.npz")
    assert done.exit_code == 0
    assert "a.weight_hr_l0 projects h" in done.stdout
    (other,) = json.loads(command("inspect", "w.npz", "--json").stdout)["others"]
    assert other["prefix"] == "a."


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"conv.weight": np.ones((4, 2))}, ["no recurrent layer", "conv.weight (4, 2)"]),
        ({}, ["no recurrent layer", "no arrays"]),
        ({"x.weight_hh_l0": np.ones((3, 3), int)}, ["no x.weight_ih_l0"]),
    ],
)
def test_a_file_without_layers(arrays: Arrays, words: list[str], folder: Path) -> None:
    np.savez("w.npz", **arrays)
    for flag in ([], ["--json"]):
        done = command("inspect", "w.npz", *flag)
        assert done.exit_code == 1
        assert (json.loads(done.stdout)["layers"] == []) if flag else (done.stdout == "")
        assert all(word in done.stderr for word in ["gradlab: w.npz", *words])
        assert len(done.stderr.splitlines()) == 1


def test_bad_files(folder: Path) -> None:
    (folder / "w.npz").write_bytes(b"hello")
    refused(command("inspect", "w.npz"), "w.npz is not a readable npz file")
    refused(command("inspect", "none.npz"), "there is no file 'none.npz'")
    refused(command("inspect", "c.yaml"), "c.yaml", "known formats are .safetensors")


def test_80_columns(folder: Path) -> None:
    long = "a_model_with_a_name.that_goes_on.and_on.for_so_long.that_no_terminal.has_it_in_a_line."
    arrays = {**Made(prefix=long, both=True).arrays(), **Made("gru", 2, prefix="b.").arrays()}
    arrays |= {f"c.{n}": a for n, a in Made("lstm_peephole", peepholes="ifo").arrays().items()}
    np.savez("w.npz", **arrays)
    lines = command("inspect", "w.npz").stdout.splitlines()
    last = next(k for k, line in enumerate(lines) if line.startswith("# "))  # the config is YAML
    assert max(map(len, lines[:last])) <= 80
    assert "lstm" in "".join(lines)
