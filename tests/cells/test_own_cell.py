"""A user's own cell, from a file with a `step`.

Claims:
- a cell of gradlab written again as a file gives the record that it gives itself;
- every derivative passes the checks that the cells of gradlab pass, over sizes and regimes, also of
  cells whose units act on one another;
- a block of steps, tied or untied, has the derivatives of its single steps; float32 stays float32;
- `jacobian` and `vjp` of the file are used where they are there, and the cell says which;
- a file with the whole interface is used as it is;
- the record and its identity tell the content of the file, not its place; changed content is found;
- resolved configs name the file relative to themselves; sweeps and their workers take files;
- what is wrong with a file is one line with the line of the file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import gradlab
from gradlab.cells import CELLS, find
from gradlab.cells.interface import Cell
from gradlab.config import dump, from_mapping
from gradlab.errors import GradlabError
from gradlab.gradcheck import gradcheck
from gradlab.gradcheck.harness import gradients, random_point
from gradlab.plan import settle
from tests.cells.own_files import FILES, JACOBIAN, LSTM, LSTM_WHOLE, RNN, VJP, WHOLE
from tests.cli.commands import command, process, refused

SMALL = {"hidden_size": 6, "input_size": 4, "seq_len": 30, "batch_size": 3, "seeds": 2}


def written(folder: Path, text: str, name: str = "my_cell.py") -> str:
    """The path of a file with that text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def own(folder: Path, text: str) -> Cell:
    return find(written(folder, text))


@pytest.mark.parametrize(("name", "text"), [("rnn", RNN), ("lstm", LSTM), ("lstm", LSTM_WHOLE)])
def test_a_cell_written_again_has_the_same_record(name: str, text: str, tmp_path: Path) -> None:
    config = {**SMALL, "weight_scale": 1.5, "clip": 1.0, "loss": {"value": "normal", "at": "all"}}
    expected = gradlab.run({**config, "cell": name})
    record = gradlab.run({**config, "cell": written(tmp_path, text)})
    compared = [
        *(f"grad_norm_{part}" for part in CELLS[name].STATE),
        *("weight_grad_norm", "clip_norm", "growth_rate", "step_singular_values"),
        "log10_parameter_grad_norm",
    ]
    for array in compared:
        # both are sums of products of the same factors, each right to some eps, over 30 steps
        np.testing.assert_allclose(record[array], expected[array], rtol=1e-12, atol=1e-12)
    for key in ("verdict", "outcome", "caveats", "sigma_max"):
        assert record.summary[key] == expected.summary[key]


@pytest.mark.parametrize("name", FILES)
def test_derivatives_pass_the_checks(name: str, tmp_path: Path) -> None:
    for result in gradcheck(name, own(tmp_path, FILES[name])):
        assert result.passed, result


@pytest.mark.parametrize("name", FILES)
def test_parameters_have_their_gradients_one_by_one(name: str, tmp_path: Path) -> None:
    cell = own(tmp_path, FILES[name])
    at = random_point(cell, cell.Options(), (3, 3, 2), "typical")
    g = np.random.default_rng(0).standard_normal(at.s_prev.shape)
    total, _ = gradients(at, g)
    for tensor, found in total.items():
        for index in np.ndindex(found.shape):
            moved = {k: a.astype(complex) for k, a in at.tensors.items()}
            moved[tensor][index] += 1e-100j
            judge = (g * at.step(tensors=moved).imag).sum() / 1e-100
            # a dozen terms of size 1, each right to some eps
            assert abs(found[index] - judge) < 1e-13


@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_a_block_has_the_derivatives_of_its_steps(name: str, untied: bool, tmp_path: Path) -> None:
    cell, n = own(tmp_path, FILES[name]), 4
    points = [random_point(cell, cell.Options(), (3, 3, 2), "typical") for _ in range(n)]
    random = np.random.default_rng(5)
    s, x = (
        random.standard_normal((n, *points[0].s_prev.shape)),
        random.standard_normal((n, 2, 3, 2)),
    )
    tensors = [points[0].tensors] * n
    if untied:
        tensors = [{k: a * (1 + i) for k, a in points[0].tensors.items()} for i in range(n)]
    steps = [cell.step(cell.init(t, None), a, b) for t, a, b in zip(tensors, s, x, strict=True)]
    g = random.standard_normal(s.shape)
    together = {k: np.stack([t[k] for t in tensors]) for k in tensors[0]} if untied else tensors[0]
    news, acts = (np.stack(arrays) for arrays in zip(*steps, strict=True))
    block = everything(cell, cell.init(together, None), s, acts, news, x, g)
    for k in range(n):
        single = everything(cell, cell.init(tensors[k], None), s[k], acts[k], news[k], x[k], g[k])
        for whole, part in zip(block, single, strict=True):
            np.testing.assert_allclose(whole[k], part, rtol=1e-13, atol=1e-14)


def everything(cell: Cell, p: Any, s: Any, a: Any, new: Any, x: Any, g: Any) -> list[Any]:
    """All that the engine asks of a step or a block."""
    loc = cell.linearize(p, s, a, new)
    pulled, cot = cell.vjp(p, loc, g)
    shares = cell.shares(cot, a, s, x)
    arrays = [side for share in shares for side in share[1:3] if side is not None]
    return [*loc, pulled, cot, cell.jacobian(p, loc), cell.pull(p, loc, cot), *arrays]


@pytest.mark.parametrize("name", FILES)
def test_float32_stays_float32(name: str, tmp_path: Path) -> None:
    cell = own(tmp_path, FILES[name])
    at = random_point(cell, cell.Options(), (3, 3, 2), "typical")
    p = {k: a.astype(np.float32) for k, a in at.tensors.items()}
    s, x = at.s_prev.astype(np.float32), at.x.astype(np.float32)
    new, a = cell.step(p, s, x)
    found = [new, a, *everything(cell, p, s, a, new, x, np.ones_like(s))]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def test_what_the_file_gives_is_used_and_told(tmp_path: Path) -> None:
    plain: Any = own(tmp_path, RNN)
    assert set(plain.DERIVATIVES.values()) == {"complex step"}
    judges = {"jacobian": JACOBIAN, "vjp": VJP}
    for what, text in judges.items():
        cell: Any = own(tmp_path, RNN + text)
        assert plain.DERIVATIVES | {what: "given"} == cell.DERIVATIVES
        at = random_point(cell, cell.Options(), (5, 3, 2), "typical")
        doubled: Any = own(tmp_path, RNN + text.replace("return ", "return 2 * ", 1))
        mine = at._replace(cell=doubled)
        ones = np.ones_like(at.s_prev)
        pairs = {
            "jacobian": (doubled.jacobian(mine.p, mine.local), cell.jacobian(at.p, at.local)),
            "vjp": (doubled.vjp(mine.p, mine.local, ones)[0], cell.vjp(at.p, at.local, ones)[0]),
        }
        for kind, (found, expected) in pairs.items():
            np.testing.assert_allclose(found, (1 + (kind == what)) * expected, rtol=1e-13)


def test_given_derivatives_pass_the_checks_but_in_saturation(tmp_path: Path) -> None:
    """1 - h^2 is wrong there, and gradcheck says so: it is what gradlab is about."""
    results = gradcheck("rnn", own(tmp_path, RNN + JACOBIAN + VJP))
    assert all(r.regime == "saturated" for r in results if not r.passed)


def test_a_file_with_the_whole_interface_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the rnn by its functions, as the file: its kernel has slopes with other last digits
    monkeypatch.setattr("gradlab.engine.forward.kernel_of", lambda cell: None)
    path = written(tmp_path, WHOLE)
    assert find(path).linearize is CELLS["rnn"].linearize
    # of an own cell products only where asked for, and no gates, which it does not name
    wanted = {**SMALL, "spectrum": {"product": True, "lyapunov": True}, "gate_histogram": False}
    expected = gradlab.run({**wanted, "cell": "rnn"})
    record = gradlab.run({**wanted, "cell": path})
    assert record.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(record[name], array)


def test_the_identity_is_the_content(tmp_path: Path) -> None:
    def identity(path: str) -> tuple[str, dict[str, Any]]:
        _, spec = settle(from_mapping({**SMALL, "cell": path}).config)
        return spec.identity, spec.config["cell"]

    (tmp_path / "other").mkdir()
    first, cell = identity(written(tmp_path, RNN))
    assert cell["type"] == "my_cell.py" and re.fullmatch("[0-9a-f]{64}", cell["sha256"])
    assert identity(written(tmp_path / "other", RNN, "same.py"))[0] == first
    path = written(tmp_path, RNN + "# edited\n")
    assert identity(path)[0] != first
    with pytest.raises(GradlabError, match="has changed since"):
        find(path, cell["sha256"])


def test_the_resolved_config_names_the_file_from_its_own_place(tmp_path: Path) -> None:
    config = from_mapping({"cell": "cells/my_cell.py"}, folder=tmp_path).config
    assert config.cell.type == str(tmp_path / "cells" / "my_cell.py")
    text = yaml.safe_load(dump(config, tmp_path / "results" / "a"))
    assert text["cell"] == {"type": str(Path("..", "..", "cells", "my_cell.py"))}
    again = from_mapping(text, folder=tmp_path / "results" / "a").config
    assert again.cell == config.cell


def test_a_run_leaves_a_folder_that_runs_again(tmp_path: Path) -> None:
    written(tmp_path, RNN)
    lines = [f"{key}: {value}" for key, value in {**SMALL, "cell": "my_cell.py"}.items()]
    (tmp_path / "c.yaml").write_text("\n".join(lines), encoding="utf-8")
    done = process("run", "c.yaml", cwd=tmp_path)  # figures too; warnings are errors
    assert done.returncode == 0 and "sha256" not in done.stdout, done.stderr
    assert re.match(r"my_cell.py, H=6", done.stdout)
    again = process("run", "results/c/config.yaml", "--out", "again", "-q", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    first, second = (Path(tmp_path, p, "steps.csv").read_bytes() for p in ("results/c", "again"))
    assert first == second


def test_a_sweep_takes_files_and_so_do_its_workers(tmp_path: Path) -> None:
    written(tmp_path, RNN)
    lines = [f"{key}: {value}" for key, value in SMALL.items()]
    lines += ["figures: none", "cell: rnn", "sweep: {cell: [rnn, my_cell.py], seq_len: [5, 6]}"]
    (tmp_path / "c.yaml").write_text("\n".join(lines), encoding="utf-8")
    done = process("sweep", "c.yaml", "--jobs", "2", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "results" / "c" / "table.csv").read_text(encoding="utf-8").splitlines()
    rates = [line.split(",")[table[0].split(",").index("growth_rate_mean")] for line in table[1:]]
    np.testing.assert_allclose([float(r) for r in rates[:2]], [float(r) for r in rates[2:]], 1e-12)
    resolved = yaml.safe_load((tmp_path / "results/c/sweep.yaml").read_text(encoding="utf-8"))
    assert resolved["sweep"]["cell"] == ["rnn", str(Path("..", "..", "my_cell.py"))]


STEP = "import numpy as np\n\ndef step(p, s, x):\n    return {}\n"
WRONG = [
    ("x = (\n", r"my_cell.py:1: the file is not valid Python: '\(' was never closed"),
    ("x = 1\ny = x / 0\n", "my_cell.py:2: the file raised ZeroDivisionError: division by zero"),
    ("raise SystemExit\n", "my_cell.py:1: the file raised SystemExit"),
    ("x = 1\n", r"my_cell.py defines no function step\(p, s, x\)"),
    ("step = 1\n", "defines no function step"),
    (STEP.format("foo(s)"), "my_cell.py:4: step raised NameError: name 'foo' is not defined"),
    (STEP.format("p.bias @ s"), "my_cell.py:4: .* no 'bias'; it has weight_hh, weight_ih, bias_ih"),
    (STEP.format("None"), "step returned NoneType where s is"),
    (STEP.format("s[:1]"), r"step returned shape \(1, 5, 3\) where s is \(2, 5, 3\)"),
    (STEP.format("s / 0"), "step gives NaN or infinity"),
    (STEP.format("np.random.rand(*s.shape)"), "another state for the same arguments"),
    (STEP.format("s.__iadd__(1)"), "my_cell.py:4: step raised ValueError: .*read-only"),
    (STEP.format("p.weight_hh @ s[:, 1:]"), "my_cell.py:4: .* weight_hh has 5 columns"),
    (STEP.format("p.weight_hh * 2"), "used as weight_hh @ v only"),
    (STEP.format("2 * p.weight_hh"), "used as weight_hh @ v only"),
    (STEP.format("np.tanh(p.weight_hh)"), "used as weight_hh @ v only"),
    (STEP.format("p.weight_hh.T @ s"), "used as weight_hh @ v only"),
    (STEP.format("p.weight_hh[0] @ s"), "used as weight_hh @ v only"),
    (STEP.format("p.weight_hh[:, :, 1:] @ s"), "used as weight_hh @ v only"),
    (STEP.format("np.einsum('rij,rjb->rib', p.weight_hh, s)"), "used as weight_hh @ v only"),
    (STEP.format("np.abs(s) + p.weight_hh @ s"), "step is not analytic.* Avoid abs"),
    (STEP.format("np.tanh((p.weight_hh @ s).astype(float))"), "step is not analytic"),
    (STEP.format("np.tanh((p.weight_hh @ s).real)"), "step is not analytic"),
    (STEP.format("s") + "STATE = ('c',)\n", "STATE names the parts of the state, 'h' first"),
    (STEP.format("s") + "def shapes(H, I):\n    return {'weight_hh': (3, H)}\n", "k H, H"),
    (STEP.format("s") + "def shapes(H, I):\n    return {'w': ()}\n", "shapes has w: "),
    (STEP.format("s") + "def shapes(H, I):\n    return {}\n", "names no tensor"),
    (STEP.format("s") + "def shapes(H, I):\n    return 1\n", "shapes raised AttributeError"),
    (STEP.format("s") + "def linearize():\n    pass\n", "has linearize, .* but no SOURCE"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[w[:40] for _, w in WRONG])
def test_what_is_wrong_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("seq_len: 5\ncell: my_cell.py\n", encoding="utf-8")
    written(tmp_path, text)
    done = command("run", config)
    refused(done)
    (line,) = done.stderr.splitlines()
    assert re.search(words, line), line
    assert line.startswith(f"gradlab: {config}:2:1: ")


def test_a_missing_file_and_one_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match=r"there is no file '.*nope.py'"):
        gradlab.run({"cell": "nope.py"})
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(GradlabError, match="cannot be read: is a directory"):
        gradlab.run({"cell": str(tmp_path / "folder.py")})


def test_a_given_derivative_of_the_wrong_shape_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, RNN + "def vjp(p, s, x, g):\n    return g[:1]\n")
    with pytest.raises(GradlabError, match=r"vjp returned shape \(1, 6, 3\), not \(2, 6, 3\)"):
        gradlab.run({**SMALL, "cell": path})


def test_a_cell_that_needs_inputs_as_wide_as_its_state(tmp_path: Path) -> None:
    path = written(tmp_path, STEP.format("np.tanh(p.weight_hh @ s + x)"))
    assert gradlab.run({**SMALL, "input_size": 6, "cell": path}).summary["outcome"] == "ok"
    with pytest.raises(GradlabError, match="input_size is 4, this cell needs it to be hidden_size"):
        gradlab.run({**SMALL, "cell": path})


def test_a_cell_without_a_recurrent_matrix(tmp_path: Path) -> None:
    text = STEP.format("0.5 * s + np.tanh(p.weight_ih @ x)")
    text += "def shapes(H, I):\n    return {'weight_ih': (H, I)}\n"
    record = gradlab.run({**SMALL, "cell": written(tmp_path, text)})
    assert record.summary["sigma_max"] is None
    # J is half the identity: the gradient is halved at every step
    np.testing.assert_allclose(record["growth_rate"], -np.log(2), rtol=1e-12)


def test_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GradlabError, match=r"unknown key 'cell\.activation'"):
        gradlab.run({"cell": {"type": written(tmp_path, RNN), "activation": "relu"}})


def test_missing_biases_are_zero(tmp_path: Path) -> None:
    path = written(tmp_path, RNN)
    both, none = (gradlab.run({**SMALL, "cell": path, "init": {"biases": n}}) for n in (2, 0))
    assert none.names["tensors"] == ["weight_hh", "weight_ih"]
    np.testing.assert_array_equal(both["grad_norm_h"], none["grad_norm_h"])


def test_matrices_of_other_names_are_drawn_and_differ(tmp_path: Path) -> None:
    text = STEP.format("np.tanh(p.weight_hh @ s + p.other @ s + p.weight_ih_2 @ x)")
    shapes = "{'weight_hh': (H, H), 'other': (H, H), 'weight_ih_2': (H, I)}"
    path = written(tmp_path, text + f"def shapes(H, I):\n    return {shapes}\n")
    from gradlab.draws import Streams
    from gradlab.initial import Drawn, member

    tensors = member(find(path), None, Drawn(), 6, 4, 1.0, Streams(0, "pcg64"))
    assert all(tensor.any() for tensor in tensors.values())
    assert not np.array_equal(tensors["weight_hh"], tensors["other"])


def test_the_summary_is_json_without_gates(tmp_path: Path) -> None:
    record = gradlab.run({**SMALL, "cell": written(tmp_path, RNN)})
    assert json.loads(json.dumps(record.summary, allow_nan=False))["gates"] == {}
    header, rows = record.rows()
    assert all(row[header.index("saturation")] is None for row in rows)
