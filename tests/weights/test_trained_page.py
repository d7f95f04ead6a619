"""What docs/trained.md says is so.

Claims:
- the sample of `gradlab inspect` is what it prints;
- the lines for Keras make files whose cells compute what Keras defines: LSTM (gates i, f, c, o, row
  vectors), GRU with reset_after (gates z, r, h, two rows of biases), both written here as Keras's
  documentation has them;
- each name in the table of names is recognised.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from gradlab.cells import CELLS
from gradlab.cli import app
from gradlab.config import from_mapping
from gradlab.trained import trained
from gradlab.weights.recognise import NAME

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "trained.md").read_text(encoding="utf-8")
H, I = 3, 2


def indented(first: str) -> str:
    """The indented block that begins with this line."""
    lines = PAGE.splitlines()
    start = next(k for k, line in enumerate(lines) if line.strip().startswith(first))
    block = []
    for line in lines[start:]:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:].rstrip())
    return "\n".join(block).rstrip()


def test_the_sample_of_inspect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sample = indented("$ gradlab inspect").splitlines()
    done = CliRunner().invoke(app, sample[0].split()[2:])
    assert [line.rstrip() for line in done.stdout.splitlines()] == sample[1:]


def sigma(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def lstm(k: Any, r: Any, b: Any, x: Any, h: Any, c: Any) -> Any:
    i, f, g, o = np.split(x @ k + h @ r + b, 4)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def gru(k: Any, r: Any, b: Any, x: Any, h: Any) -> Any:
    (xz, xr, xh), (hz, hr, hh) = np.split(x @ k + b[0], 3), np.split(h @ r + b[1], 3)
    z, reset = sigma(xz + hz), sigma(xr + hr)
    return z * h + (1 - z) * np.tanh(xh + reset * hh)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_the_lines_for_keras(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = 4 if kind == "lstm" else 3
    random = np.random.default_rng(2)
    shapes = [(I, blocks * H), (H, blocks * H), (4 * H,) if kind == "lstm" else (2, 3 * H)]
    weights = [random.standard_normal(shape) for shape in shapes]
    layer = SimpleNamespace(get_weights=lambda: weights)
    lines = indented("k, r, b = keras_lstm" if kind == "lstm" else "turn = lambda")
    exec(lines, {"numpy": np, f"keras_{kind}": layer})  # the page's own code

    config = from_mapping({"init": {"file": str(tmp_path / "model.npz")}}).config
    loaded, config = trained(config)
    assert (config.cell.type, config.hidden_size, config.input_size) == (kind, H, I)
    cell = CELLS[kind]
    p = cell.init({name: a[None] for name, a in loaded.tensors.items()}, cell.Options())
    x, h, c = random.standard_normal(I), random.standard_normal(H), random.standard_normal(H)
    state = np.concatenate((h, c)) if kind == "lstm" else h
    ours = cell.step(p, state[None, :, None], cell.drive(p, x[None, :, None]))[0][0, :, 0]
    theirs = np.concatenate(lstm(*weights, x, h, c)) if kind == "lstm" else gru(*weights, x, h)
    # one step of sums of five products: a few roundings of 1e-16
    assert np.abs(ours - theirs).max() < 1e-14


def test_every_name_of_the_table_is_recognised() -> None:
    rows = PAGE[PAGE.index("| names in the file") :].split("\n\n")[0].splitlines()[2:]
    names = [name for row in rows for name in re.findall(r"`([a-z_0-9.]+)`", row.split("|")[1])]
    names = [name.replace("...", "weight_hh") for name in names if name != "..."]
    assert {"weight_hh_l0", "bias_ih_l0", "weight_hh_l0_reverse", "peephole_o"} <= set(names)
    assert all(NAME.fullmatch(f"any.prefix.{name}") for name in names)
