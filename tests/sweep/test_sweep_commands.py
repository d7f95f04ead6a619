"""`gradlab sweep`, and the other commands on a sweep's folder, as a user meets them.

- a dry run says how many points and tasks, what is done already, what it would cost; writes nothing
- --json is one document on stdout, --quiet the folder alone; progress goes to stderr, one line a
  task when it is piped
- `gradlab ls` shows a sweep as done/all, `gradlab show` one of its points
- what would be invalid is shown with the point's values before anything runs; what is given twice
  is computed once and said
- `gradlab run` on a sweep, and a sweep of nothing, name the right command
- the Python calls: gradlab.sweep and gradlab.load
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweeping import (
    TINY,
    cleaned,
    command,
    environment,
    files,
    perform,
    planned,
    scales,
    start_python,
    table,
    wayward,
)

import gradlab
from gradlab.errors import GradlabError
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.store import SweepFolder

CONFIG = """\
cell: rnn
hidden_size: 3
seq_len: 6
batch_size: 2
spectrum: none
sweep:
  weight_scale: [0.5, 1.0, 1.5]
  cell: [rnn, lstm]
"""
LINE = re.compile(
    r"gradlab: \[ *(\d+)/6\] (\d+) failed, \d\d:\d\d:\d\d elapsed(, \d\d:\d\d:\d\d left)?"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with run.yaml, a sweep of six points."""
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path


def gradlab_in(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of gradlab in a working directory."""
    done = command(*arguments, cwd=folder, env=environment(**variables))
    return done.returncode, done.stdout, done.stderr


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(folder: Path) -> None:
    code, out, err = gradlab_in(folder, "sweep", "run.yaml", "--dry-run", "-j", "2")
    assert (code, err) == (0, "")
    assert "6 points" in out
    assert "2 tasks" in out
    assert re.search(r"done already in results/run: 0\b", out)
    assert re.search(r"about \d+ s with 2 workers, up to \d+ MiB each", out)
    assert [p.name for p in folder.iterdir()] == ["run.yaml"]
    code, out, _ = gradlab_in(folder, "sweep", "run.yaml", "-n", "--json")
    found = json.loads(out)
    assert (found["points"], found["tasks"], found["done"]) == (6, 2, 0)
    assert found["folder"] == "results/run"
    assert found["seconds"] >= 0
    assert found["memory_mib_per_worker"] > 0
    assert [p.name for p in folder.iterdir()] == ["run.yaml"]


def test_a_dry_run_counts_what_is_done(folder: Path) -> None:
    options = ("sweep", "run.yaml", "-q", "-j", "1", "--no-figures")
    assert gradlab_in(folder, *options, "--shard", "1/2")[0] == 0
    before = files(folder / "results" / "run")
    _, out, _ = gradlab_in(folder, "sweep", "run.yaml", "-n", "--json")
    assert json.loads(out)["done"] == 3
    assert files(folder / "results" / "run") == before


def test_results_go_to_stdout_and_progress_to_stderr_a_line_a_task(folder: Path) -> None:
    done = wayward({"most": 1}, "sweep", folder / "run.yaml", "-o", folder / "out", "--no-figures")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    assert [match[1] for match in found if match] == [str(k) for k in range(7)]
    assert {match[2] for match in found if match} == {"0"}
    assert str(folder / "out" / "table.csv") in done.stdout.splitlines()
    assert "[" not in done.stdout


def test_json_is_one_document(folder: Path) -> None:
    code, out, err = gradlab_in(
        folder, "sweep", "run.yaml", "--json", "-j", "1", "--no-figures", "--results", "r"
    )
    assert code == 0
    found = json.loads(out)
    assert (found["points"], found["done"], found["failed"], found["outcome"]) == (6, 6, 0, "ok")
    assert found["folder"] == "r/run"
    assert sum(found["verdicts"].values()) == 6
    assert found["schema"] == 1
    assert all(LINE.fullmatch(line) for line in err.splitlines())
    again = gradlab_in(
        folder, "sweep", "run.yaml", "--json", "-q", "--no-figures", "--results", "r"
    )
    assert (again[0], json.loads(again[1]), again[2]) == (0, found, "")


def test_json_of_a_shard_is_one_document_too(folder: Path) -> None:
    options = ("sweep", "run.yaml", "--json", "-q", "-j", "1", "--no-figures")
    code, out, err = gradlab_in(folder, *options, "--shard", "2/2")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"done": 3, "failed": 0, "folder": "results/run"}


def test_quiet_prints_the_folder_alone(folder: Path) -> None:
    options = ("sweep", "run.yaml", "-q", "--no-figures")
    assert gradlab_in(folder, *options, GRADLAB_JOBS="1") == (0, "results/run\n", "")
    assert gradlab_in(folder, *options, GRADLAB_JOBS="2") == (0, "results/run\n", "")


def test_axes_on_the_command_line_make_a_sweep_with_a_name_of_its_own(folder: Path) -> None:
    (folder / "one.yaml").write_text(CONFIG.partition("sweep:")[0])
    options = ("-q", "-j", "1", "--no-figures")
    code, out, _ = gradlab_in(folder, "sweep", "one.yaml", "weight_scale=0.5:1.5:3", *options)
    assert code == 0
    rows = table(folder / out.strip()).decode().splitlines()
    assert rows[0].startswith("weight_scale,verdict,growth_rate_mean,")
    assert [row.partition(",")[0] for row in rows[1:]] == ["0.5", "1", "1.5"]
    code, _, err = gradlab_in(folder, "sweep", "one.yaml")
    assert code == 2
    assert "a single experiment is for `gradlab run`" in err


def test_ls_shows_how_much_of_a_sweep_is_done(folder: Path) -> None:
    options = ("sweep", "run.yaml", "-q", "-j", "1", "--no-figures")
    gradlab_in(folder, *options, "--shard", "2/2")
    code, out, _ = gradlab_in(folder, "ls")
    assert code == 0
    assert re.search(r"\brun\b.*\bsweep\b.*\b3/6\b", out)
    gradlab_in(folder, *options)
    assert re.search(r"\b6/6\b", gradlab_in(folder, "ls")[1])
    code, out, err = gradlab_in(folder, "ls", "--json")
    (found,) = json.loads(out)
    assert (found["name"], found["done"], found["points"], err) == ("run", 6, 6, "")


def test_ls_survives_a_sweep_that_is_spoiled(folder: Path) -> None:
    gradlab_in(folder, "sweep", "run.yaml", "-q", "-j", "1", "--no-figures")
    for path in (folder / "results" / "run" / "tasks").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
        break
    code, out, _ = gradlab_in(folder, "ls")
    assert code == 0
    assert "3/6" in out
    (folder / "results" / "run" / "sweep.json").write_text("{")
    code, out, err = gradlab_in(folder, "ls")
    assert code == 0
    assert "sweep.json" in err
    assert "Traceback" not in err


def test_show_tells_one_point_of_a_sweep(folder: Path) -> None:
    gradlab_in(folder, "sweep", "run.yaml", "-q", "-j", "1", "--no-figures")
    point = "weight_scale=1.5,cell=lstm"
    code, out, err = gradlab_in(folder, "show", "results/run", "--point", point, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["config"]["weight_scale"] == 1.5
    assert found["config"]["cell"]["type"] == "lstm"
    record = gradlab.load(folder / "results" / "run").record(weight_scale=1.5, cell="lstm")
    assert found["growth_rate"] == record.summary["growth_rate"]
    code, out, _ = gradlab_in(folder, "show", "results/run", "--point", point)
    assert code == 0
    assert "lstm" in out
    code, out, _ = gradlab_in(folder, "show", "results/run")
    assert code == 0
    assert "6 of 6 points" in out


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("weight_scale=9", "no point has weight_scale=9; weight_scale is one of: 0.5; 1.0; 1.5"),
        ("weight_scale=1.5", "2 points have weight_scale=1.5"),
        ("seq_len=6", "'seq_len' is not swept; swept are: weight_scale, cell"),
        ("x", "x"),
        ("", ""),
    ],
)
def test_show_of_a_point_that_is_none(point: str, said: str, folder: Path) -> None:
    perform(
        planned({**TINY, "sweep": {"weight_scale": [0.5, 1.0, 1.5], "cell": ["rnn", "lstm"]}}),
        folder / "run",
    )
    code, out, err = gradlab_in(folder, "show", "run", "--point", point)
    assert (code, out) == (2, "")
    assert said in err
    assert "internal error" not in err


@pytest.mark.fault("sweep: a point fails, --fail-fast", "ends at the first; goes on without it")
def test_fail_fast_ends_at_the_first_failure(folder: Path) -> None:
    out = ["-o", folder / "out", "-j", "2", "--no-figures"]
    options = {"killed": [1.0], "most": 1}
    done = wayward(options, "sweep", folder / "run.yaml", "cell=rnn", *out, "--fail-fast")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("gradlab: a point failed, and --fail-fast ends the sweep: its worker")
    assert not (folder / "out" / "table.csv").exists()
    done = wayward(options, "sweep", folder / "run.yaml", "cell=rnn", *out)
    assert done.returncode == 1
    assert (folder / "out" / "table.csv").read_text(encoding="utf-8").count("failed") == 1


def test_show_of_a_point_that_failed_or_is_missing(folder: Path) -> None:
    out = ["-o", folder / "out", "-j", "2", "--no-figures"]
    done = wayward({"killed": [1.0], "most": 1}, "sweep", folder / "run.yaml", "cell=rnn", *out)
    assert done.returncode == 1
    code, _, err = gradlab_in(folder, "show", "out", "--point", "weight_scale=1.0")
    assert code != 0
    assert "this point failed: its worker process died (signal 9, SIGKILL)" in err
    next((folder / "out" / "tasks").iterdir()).unlink()
    spoken = [
        gradlab_in(folder, "show", "out", "--point", f"weight_scale={scale}")[2]
        for scale in (0.5, 1.0, 1.5)
    ]
    assert sum("this point is not computed yet" in text for text in spoken) == 1


def test_an_invalid_point_is_shown_with_its_values_before_anything_runs(folder: Path) -> None:
    axes = ("weight_scale=0.5,1.0", "cell=rnn,lstm", "init.forget_bias=0,1")
    code, out, err = gradlab_in(folder, "sweep", "run.yaml", *axes)
    assert (code, out) == (2, "")
    assert "forget_bias" in err
    assert "cell=rnn" in err
    assert "init.forget_bias=1" in err
    code, _, err = gradlab_in(folder, "sweep", "run.yaml", "clip.threshold=1,-1")
    assert code == 2
    assert "clip.threshold=-1: clip.threshold must be more than 0, not -1" in err
    assert not (folder / "results").exists()


def test_what_is_given_twice_is_computed_once_and_said(folder: Path) -> None:
    axes = ("weight_scale=0.5,1,1.0", "cell=rnn")
    code, out, err = gradlab_in(
        folder, "sweep", "run.yaml", *axes, "--json", "-j", "1", "--no-figures"
    )
    assert code == 0
    assert json.loads(out)["points"] == 2
    assert "given more than once, computed once" in err.splitlines()[0]


def test_run_on_a_sweep_names_the_right_command(folder: Path) -> None:
    code, out, err = gradlab_in(folder, "run", "run.yaml")
    assert (code, out) == (2, "")
    assert "gradlab sweep" in err
    assert not (folder / "results").exists()


def test_too_many_points_are_refused_with_their_number(folder: Path) -> None:
    axis = "weight_scale=0.1:3.0:2000000"
    code, _, err = gradlab_in(folder, "sweep", "run.yaml", axis, "cell=rnn", "--dry-run")
    assert code == 2
    assert "2000000 points" in err
    assert "--max-points" in err
    code, _, err = gradlab_in(folder, "sweep", "run.yaml", "--max-points", "5")
    assert code == 2
    assert "6 points" in err


@pytest.mark.parametrize("executor", ["threads", "dask", "dask:/x", ""])
def test_an_executor_that_is_none_is_refused(executor: str, folder: Path) -> None:
    code, _, err = gradlab_in(folder, "sweep", "run.yaml", "--executor", executor)
    assert code == 2
    assert f"unknown executor {executor!r}; known: serial, processes, dask://HOST:PORT" in err
    assert not (folder / "results").exists()


def test_dask_without_the_extra_says_what_to_install(folder: Path) -> None:
    """Also where Dask is installed: it is hidden from the process."""
    program = "import sys; sys.modules['distributed'] = None; from gradlab.cli import main; main()"
    arguments = ["sweep", "run.yaml", "--executor", "dask://127.0.0.1:9"]
    with cleaned(start_python("-c", program, *arguments, cwd=folder)) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "pip install 'gradlab-rnn[dask]'" in err
    assert not (folder / "results").exists()


def test_a_sweep_from_standard_input_and_its_stored_config_are_the_same(folder: Path) -> None:
    """sweep.yaml in the results folder runs again, and is the same sweep."""
    options = ("-q", "-j", "1", "--no-figures")
    gradlab_in(folder, "sweep", "run.yaml", "-o", "out", *options)
    there = files(folder / "out")
    code, _, err = gradlab_in(folder, "sweep", "out/sweep.yaml", "-o", "out", *options)
    assert (code, err) == (0, "")
    assert files(folder / "out") == there


def test_the_python_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = {**TINY, "cell": "rnn", "name": "mine"}
    result = gradlab.sweep(base, "weight_scale=0.5,1.0", "seq_len=4,6")
    assert isinstance(result, SweepResult)
    assert result.folder.path == Path("results/mine")
    assert (result.size, result.done) == (4, 4)
    assert result.axes == {("weight_scale",): [(0.5,), (1.0,)], ("seq_len",): [(4,), (6,)]}
    assert list(result.values())[2] == {"weight_scale": 1.0, "seq_len": 4}
    record = result.record(weight_scale=1.0, seq_len=4)
    assert np.array_equal(record["t"], np.arange(5))
    assert repr(result) == (
        "<SweepResult results/mine: 4 of 4 points over weight_scale (2), seq_len (2)>"
    )
    there = files(Path("results/mine"))
    again = gradlab.sweep(base, "weight_scale=0.5,1.0", "seq_len=4,6", jobs=2)
    assert files(Path("results/mine")) == there
    assert again.done == 4
    with pytest.raises(GradlabError, match="holds another sweep"):
        gradlab.sweep(base, "weight_scale=0.5,2.0")
    assert gradlab.sweep(base, "weight_scale=0.5,2.0", force=True).size == 2
    loaded = gradlab.load("results/mine")
    assert isinstance(loaded, SweepResult)
    assert loaded.size == 2


def test_load_tells_a_sweep_from_a_run(tmp_path: Path) -> None:
    gradlab.run({**TINY, "cell": "rnn"}, out=tmp_path / "run")
    assert not isinstance(gradlab.load(tmp_path / "run"), SweepResult)
    with pytest.raises(GradlabError, match="there is no results folder"):
        gradlab.load(tmp_path / "nothing")
    with pytest.raises(GradlabError, match="holds no sweep"):
        SweepResult(tmp_path / "run")


def test_a_failed_point_is_left_out_of_the_records(tmp_path: Path, monkeypatch: Any) -> None:
    from gradlab.sweeps import work

    sound = work.run_many

    def run_many(specs: Any) -> Any:
        if any(spec.weight_scale == 0.2 for spec in specs):
            raise ValueError("no such thing")
        return sound(specs)

    monkeypatch.setattr(work, "run_many", run_many)
    perform(planned(scales(3)), tmp_path)
    result = SweepResult(tmp_path)
    assert [index for index, _ in result.records()] == [0, 2]
    assert result.done == 3
    with pytest.raises(GradlabError, match="this point failed: ValueError: no such thing"):
        result.record(weight_scale=0.2)
    assert json.loads(SweepFolder(tmp_path).summary.read_text())["outcome"] == "failed"
