"""The commands: what each prints where, and what it leaves.

Claims:
- results go to stdout, everything else to stderr; --quiet prints the folder alone; --json is one
  JSON document and nothing else, for run, show and ls;
- a finished result is not computed again, and says so; --force computes; an edited config replaces
  it and says where the earlier one is; what does not change the numbers is the same experiment;
- names and places of results: overrides, name=, --out, --results, GRADLAB_RESULTS;
- a starter config of every cell runs from standard input; the schema accepts every example;
- list tells of every kind; ls names what it cannot read and lists the rest; show is what run said;
- wrong usage exits 2 with nothing on stdout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from commands import QUIET, ROOT, TINY, command, refused

from gradlab import job
from gradlab.cells import CELLS
from gradlab.engine.loss import LOSSES
from gradlab.initial import INITS
from gradlab.inputs import INPUTS
from gradlab.record import SCHEMA
from gradlab.tasks import TASKS

# ---------------------------------------------------------------- run


def test_a_run_prints_its_summary_and_the_paths(folder: Path) -> None:
    done = command("run", "c.yaml")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert done.stdout.startswith("tanh rnn, H=2 I=2 B=1 T=4, weight_scale=1, 2 seeds\n")
    assert done.stdout.endswith("\nresults/c/report.md\nresults/c/steps.csv\n")
    assert (folder / "results" / "c" / "summary.json").is_file()


def test_figures_are_named_where_they_lie(folder: Path) -> None:
    (folder / "d.yaml").write_text(TINY + "figures: {dpi: 50}\n", encoding="utf-8")
    done = command("run", "d.yaml")
    names = [line for line in done.stdout.splitlines() if line.endswith(".png")]
    assert names == [
        f"results/d/{name}.png"
        for name in (
            "gradient_norms",
            "singular_values",
            "product_singular_values",
            "lyapunov_spectrum",
            "jacobian_spectrum",  # two units: all their singular values are kept
            "weight_spectrum",
            "weight_eigenvalues",
            "weight_gradient",
            "lag_split",
            "gate_histograms",
        )
    ]
    assert all((folder / name).is_file() for name in names)


def test_quiet_prints_the_folder_alone(folder: Path) -> None:
    for _ in range(2):  # also when it is there already
        done = command("run", "c.yaml", "--quiet")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "results/c\n", "")


def test_json_is_one_document(folder: Path) -> None:
    for computed in (True, False):
        done = command("run", "c.yaml", "--json")
        document = json.loads(done.stdout)
        stored = json.loads((folder / "results/c/summary.json").read_text(encoding="utf-8"))
        assert document.items() >= stored.items()
        assert document["computed"] is computed
        assert document["folder"] == "results/c"


def test_verbose_tells_where_the_time_went(folder: Path) -> None:
    done = command("run", "c.yaml", "--quiet", "-v")
    times = done.stderr.splitlines()[-1]
    assert re.fullmatch(r"gradlab: \S+ s .*peak memory \S+ MiB; numpy .*", times)


def test_a_finished_result_is_not_computed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("run", "c.yaml")
    summary = folder / "results" / "c" / "summary.json"
    written = summary.stat().st_mtime_ns
    first = {path.name: path.read_bytes() for path in summary.parent.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(job, "run", lambda *_: pytest.fail("it was computed again"))
        done = command("run", "c.yaml")
    assert done.exit_code == 0
    assert done.stderr == (
        "gradlab: results/c is there already, from the same config; --force runs it again\n"
    )
    assert {path.name: path.read_bytes() for path in summary.parent.iterdir()} == first
    assert summary.stat().st_mtime_ns > written  # Make sees that it was looked at


SAME = {
    "comments": "# a comment\n" + TINY,
    "order of keys": "".join(reversed(TINY.splitlines(keepends=True))),
    "1 for 1.0": TINY + "weight_scale: 1\n",
    "a default written out": TINY + "dtype: float64\nclip: none\n",
    "figures": TINY + "figures: {dpi: 50, formats: []}\n",
    "name": TINY + "name: c\n",
    "checkpoints": TINY + "checkpoint: 16\n",
    "seeds one by one": TINY.replace("seeds: 2", "seeds: [0, 1]"),
    "the long form": TINY.replace("cell: rnn", "cell: {type: rnn, activation: tanh}"),
}


@pytest.mark.fault(
    "run: 1 for 1.0, another order of keys, a comment, a figure",
    "the same experiment: not computed again",
)
@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_number_is_the_same_experiment(change: str, folder: Path) -> None:
    command("run", "c.yaml", "--quiet")
    (folder / "c.yaml").write_text(SAME[change], encoding="utf-8")
    assert "is there already" in command("run", "c.yaml").stderr


def test_force_computes_again(folder: Path) -> None:
    command("run", "c.yaml", "--quiet")
    done = command("run", "c.yaml", "--force", "--json")
    assert json.loads(done.stdout)["computed"] is True


def test_an_edited_config_replaces_the_result_and_says_where_the_earlier_one_is(
    folder: Path,
) -> None:
    command("run", "c.yaml", "--quiet")
    (folder / "c.yaml").write_text(TINY.replace("4", "5") + QUIET, encoding="utf-8")
    done = command("run", "c.yaml")
    assert done.stderr == "gradlab: the earlier result is kept in results/.previous/c\n"
    lengths = {
        path: yaml.safe_load((folder / path / "config.yaml").read_text(encoding="utf-8"))["seq_len"]
        for path in ("results/c", "results/.previous/c")
    }
    assert lengths == {"results/c": 5, "results/.previous/c": 4}


@pytest.mark.fault("run: a result of another version", "computed again, and said")
def test_another_minor_version_is_stale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("run", "c.yaml", "--quiet")
    monkeypatch.setattr(job, "__version__", "999.0.0")
    done = command("run", "c.yaml")
    assert re.match(
        r"gradlab: results/c was computed by gradlab \S+, this is 999\.0\.0", done.stderr
    )


PLACES: dict[str, tuple[tuple[str, ...], str]] = {
    "its stem": ((), "results/c"),
    "overrides": (("weight_scale=0.5", "cell=lstm"), "results/c-weight_scale=0.5-cell=lstm"),
    "name": (("name=mine", "seq_len=3"), "results/mine"),
    "--results": (("--results", "elsewhere"), "elsewhere/c"),
    "--out": (("--out", "deep/down"), "deep/down"),
    "--out before --results": (("--out", "there", "--results", "elsewhere"), "there"),
    "brackets in an override": (("init.recurrent=zeros", "loss={at: [1, 2]}"), ""),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_results_go(case: str, folder: Path) -> None:
    arguments, place = PLACES[case]
    done = command("run", "c.yaml", "--quiet", *arguments)
    assert done.exit_code == 0
    assert done.stdout == f"{place}\n" or place == ""
    found = list(folder.rglob("summary.json"))
    assert [str(path.parent.relative_to(folder)) for path in found] == [done.stdout.strip()]


def test_the_environment_sets_where_results_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADLAB_RESULTS", "from_env")
    assert command("run", "c.yaml", "--quiet").stdout == "from_env/c\n"
    assert "rnn" in command("ls").stdout
    assert command("run", "c.yaml", "--quiet", "--results", "r").stdout == "r/c\n"


@pytest.mark.usefixtures("folder")
def test_the_resolved_config_is_the_same_experiment() -> None:
    command("run", "c.yaml", "--quiet")
    again = command("run", "results/c/config.yaml", "--out", "again", "--json")
    first = json.loads(command("run", "c.yaml", "--json").stdout)
    assert json.loads(again.stdout)["identity"] == first["identity"]


# ---------------------------------------------------------------- new, schema, list


@pytest.mark.parametrize("cell", CELLS)
def test_a_starter_of_every_cell_runs_from_standard_input(cell: str, folder: Path) -> None:
    starter = command("new", cell)
    assert (starter.exit_code, starter.stderr) == (0, "")
    assert starter.stdout.startswith("#") and "?" in starter.stdout.splitlines()[0]
    small = ("hidden_size=2", "seq_len=3", "seeds=1", "name=n", "figures=none")
    done = command("run", "-", *small, input=starter.stdout)
    assert done.exit_code == 0, done.stderr
    assert (folder / "results" / "n" / "summary.json").is_file()


@pytest.mark.parametrize("cell", CELLS)
def test_every_comment_of_a_starter_is_a_key_that_may_be_used(cell: str, folder: Path) -> None:
    """Uncommented, the defaults change nothing."""
    lines = command("new", cell).stdout.splitlines()
    keys = [line for line in lines if re.match(r"# (\w+): ", line)]
    assert len(keys) > 10
    small = "\nfigures: none\n"
    plain = "\n".join(line for line in lines if not line.startswith("#"))
    drop = ("# name", "# figures", "# cell")
    full = plain + "\n" + "\n".join(k[2:] for k in keys if not k.startswith(drop))
    identities = []
    for name, text in (("plain", plain), ("full", full)):
        (folder / f"{name}.yaml").write_text(text + small, encoding="utf-8")
        done = command("run", f"{name}.yaml", "--json")
        assert done.exit_code == 0, done.stderr
        identities.append(json.loads(done.stdout)["identity"])
    assert identities[0] == identities[1]


def test_an_unknown_cell_has_no_starter() -> None:
    refused(command("new", "lsmt"), "did you mean 'lstm'", "linear, rnn, lstm, gru")


def test_the_schema_names_every_key() -> None:
    schema = json.loads(command("schema").stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    keys = set(re.findall(r"^# (\w+):|^(\w+):", command("new", "rnn").stdout, re.MULTILINE))
    assert {a or b for a, b in keys} <= set(schema["properties"])
    for path in (ROOT / "configs").glob("*.yaml"):
        assert set(yaml.safe_load(path.read_text("utf-8"))) <= set(schema["properties"])


def test_the_schema_goes_to_a_file_whole(folder: Path) -> None:
    done = command("schema", "--out", "s.json")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "s.json\n", "")
    assert (folder / "s.json").read_text(encoding="utf-8") == command("schema").stdout
    failed = command("schema", "-o", "nowhere/s.json")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr == "gradlab: cannot write 'nowhere/s.json': no such file or directory\n"


KINDS = {"cells": CELLS, "inits": INITS, "inputs": INPUTS, "losses": LOSSES, "tasks": TASKS}


@pytest.mark.parametrize("kind", KINDS)
def test_list_tells_of_every_kind(kind: str) -> None:
    done = command("list", kind)
    assert (done.exit_code, done.stderr) == (0, "")
    entries = re.findall(r"^(\w+)\n((?:    .+\n)+)", done.stdout, re.MULTILINE)
    assert [name for name, _ in entries] == list(KINDS[kind])
    assert all(len(text.strip()) > 8 for _, text in entries)


@pytest.mark.parametrize("cell", CELLS)
def test_list_cells_has_the_equations_and_their_source(cell: str) -> None:
    text = " ".join(command("list", "cells").stdout.split())
    assert " ".join(CELLS[cell].SOURCE.split()) in text
    for equation in CELLS[cell].EQUATIONS.split(";"):
        assert " ".join(equation.split()) in text


def test_list_cells_fits_80_columns_and_counts_parameters() -> None:
    text = command("list", "cells").stdout
    assert max(map(len, text.splitlines())) <= 80
    for equation in (e for cell in CELLS.values() for e in cell.EQUATIONS.split(";")):
        assert f"    {equation.strip()}\n" in text  # in one line
    entries = dict(re.findall(r"^(\w+)\n((?:    .+\n)+)", text, re.MULTILINE))
    assert "80,800 parameters at H = I = 100; 80,400 with init.biases: 1\n" in entries["lstm"]
    peephole = entries["lstm_peephole"]
    assert "80,700 parameters at H = I = 100; 81,100 with init.biases: 2\n" in peephole
    assert "option peepholes: default [i, f, o]\n" in peephole
    assert "10,100 parameters at H = I = 100\n" in entries["accumulator"]


# ---------------------------------------------------------------- show and ls


@pytest.mark.usefixtures("folder")
def test_show_is_what_run_said() -> None:
    said = command("run", "c.yaml").stdout.splitlines()
    shown = command("show", "results/c").stdout.splitlines()
    assert said[-2:] == ["results/c/report.md", "results/c/steps.csv"]
    (curve,) = [k for k, line in enumerate(said) if line.startswith("log |dL/dh_t|")]
    before, after = said[:curve], said[curve + 2 : -2]  # the curve has a line below it
    assert shown[: len(before)] == before
    assert shown[len(shown) - len(after) :] == after
    plots = shown[len(before) : len(shown) - len(after)]
    assert sum("|dL/dh_t| over t" in line for line in plots) == 1
    assert max(map(len, plots)) <= 80


@pytest.mark.usefixtures("folder")
def test_show_as_json() -> None:
    command("run", "c.yaml")
    document = json.loads(command("show", "results/c", "--json").stdout)
    assert document["verdict"] in {"vanishing", "exploding", "preserved", "undecided"}
    assert document["config"]["seq_len"] == 4


@pytest.mark.usefixtures("folder")
def test_show_without_a_result() -> None:
    refused(command("show", "nowhere"), "there is no results folder 'nowhere'", "gradlab ls")
    refused(command("show", "."), "holds no record.npz")
    command("run", "c.yaml")
    refused(command("show", "results/c", "--point", "a=1"), "holds no sweep")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def missing(path: Path) -> None:
    path.unlink()


def hollow(path: Path) -> None:
    """A record whose metadata are of the wrong kind throughout."""
    import numpy as np

    wrong = dict.fromkeys(("config", "summary", "names", "identity", "version"), 3)
    np.savez(path, metadata=np.array(json.dumps({"schema": SCHEMA, **wrong})))


@pytest.mark.fault(
    "record: torn, empty, missing, hollow, and `ls`", "named on stderr, the rest listed; exit 0"
)
@pytest.mark.parametrize("spoil", [torn, empty, missing, hollow])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_ls_names_what_it_cannot_read_and_lists_the_rest(
    spoil: Callable[[Path], None], form: tuple[str, ...], folder: Path
) -> None:
    for name in ("a", "b", "c"):
        command("run", "c.yaml", "--quiet", f"name={name}")
    spoil(folder / "results" / "b" / "record.npz")
    (folder / "results" / "unrelated").mkdir()
    (folder / "results" / "notes.txt").write_text("mine", encoding="utf-8")
    done = command("ls", *form)
    assert done.exit_code == 0
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("gradlab: ") and "results/b" in done.stderr
    if form:
        assert [row["name"] for row in json.loads(done.stdout)] == ["a", "c"]
    else:
        assert re.findall(r"^[abc]\b", done.stdout, re.MULTILINE) == ["a", "c"]


@pytest.mark.usefixtures("folder")
def test_ls_of_nothing() -> None:
    refused(command("ls"), "there is no folder 'results'", "gradlab run")
    refused(command("ls", "c.yaml"), "c.yaml")
    Path("results").mkdir()
    assert command("ls").exit_code == 0
    assert json.loads(command("ls", "--json").stdout) == []


def test_ls_does_not_show_what_was_replaced(folder: Path) -> None:
    command("run", "c.yaml", "--quiet")
    command("run", "c.yaml", "--quiet", "--out", "results/c", "seq_len=3")
    assert (folder / "results" / ".previous" / "c").is_dir()
    assert [row["name"] for row in json.loads(command("ls", "--json").stdout)] == ["c"]


# ---------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("rnu",), "rnu"),
        (("run",), "CONFIG"),
        (("run", "c.yaml", "--nosuch"), "--nosuch"),
        (("list", "nothing"), "losses"),
        (("list",), "KIND"),
        (("show",), "FOLDER"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_usage(arguments: tuple[str, ...], word: str) -> None:
    done = command(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert "--help" in done.stderr or "-h" in done.stderr


BAD: dict[str, tuple[str, ...]] = {
    "seq_len": ("command line, seq_len", "no '='"),
    "=3": ("command line, =3", "key is empty"),
    "seq_len=x": ("command line, seq_len=x", "'x'"),
    "seqlen=3": ("did you mean 'seq_len'",),
    "cell=lsmt": ("did you mean 'lstm'",),
    "cell.activation=relux": ("command line", "relux"),
    "weight_scale=nan": ("command line", "nan"),
    "weight_scale=.inf": ("command line", "inf"),
    "hidden_size=0": ("command line", "hidden_size", "0"),
    "seq_len=1:5:3": ("command line",),
    "name=../up": ("command line", "name"),
    "init.file=no.npz": ("command line", "no.npz"),
    "loss.at=[9]": ("the last step (seq_len) is 4",),
}


@pytest.mark.parametrize("override", BAD)
def test_a_bad_override_is_told_with_its_own_text(override: str, folder: Path) -> None:
    done = command("run", "c.yaml", override)
    refused(done, *BAD[override])
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in folder.iterdir()} == {"c.yaml"}


def test_all_mistakes_of_a_file_are_told_in_the_order_of_its_lines(folder: Path) -> None:
    text = "cell: lsmt\nseqlen: 3\nhidden_size: -1\nclip: {by: x}\nseeds: []\n"
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    done = command("run", "c.yaml", "batch_size=x")
    refused(done, "lsmt", "seqlen", "-1", "threshold", "seeds", "batch_size")
    lines = [int(n) for n in re.findall(r"c\.yaml:(\d+):", done.stderr)]
    assert lines == sorted(lines) and set(lines) == {1, 2, 3, 4, 5}
    assert "command line" in done.stderr.splitlines()[-1]


def test_a_prefix_that_does_not_fit_names_what_there_is(folder: Path) -> None:
    file = ROOT / "configs" / "data" / "silero_vad_lstm.safetensors"
    text = f"cell: lstm\ninit: {{file: {file}, prefix: nosuch.}}\n"
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    refused(command("run", "c.yaml"), "c.yaml:2", "prefix 'nosuch.'", "'lstm_cell.' (lstm, H=128)")
    assert not (folder / "results").exists()
