"""What docs/ci.md and the README's section on checks say is so.

Claims:
- every line of them that calls gradlab has a command, options and arguments that there are;
- the lines that check and run do what is said, with the examples;
- the expectations shown can be had by the run that they are about; the tables of `of` name what
  there is, and say what is done;
- the README's sample is what is printed;
- the jobs are YAML, the Slurm script is a shell's, the rules are Make's;
- make checks exactly the examples that expect something, and does not run twice what they are.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from commands import ROOT, command

from gradlab.cli import app
from gradlab.config import Expectation, from_mapping, load
from gradlab.config.expectation import OF
from gradlab.config.source import parse
from gradlab.expectations.judge import usual
from gradlab.expectations.names import names
from gradlab.expectations.possible import refuse_impossible
from gradlab.job import settled

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPECTING = [
    path
    for path in sorted((ROOT / "configs").glob("*.yaml"))
    if "expect" in yaml.safe_load(path.read_text(encoding="utf-8"))
]
LINES = re.findall(r"(?<![\w`])gradlab (?:check|run|sweep|show) [^\n`]+", PAGE)


def block(first: str, text: str = PAGE) -> str:
    """The indented block that begins with this line."""
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.strip() == first)
    own = []
    for line in lines[start:]:
        if line.strip() and not line.startswith("    "):
            break
        own.append(line[4:])
    return "\n".join(own).rstrip() + "\n"


@pytest.mark.parametrize("line", LINES)
def test_every_line_can_be_typed(line: str) -> None:
    name, *arguments = shlex.split(line.partition(" #")[0])[1:]
    arguments = [each.replace("$SLURM_ARRAY_TASK_ID", "1") for each in arguments]
    arguments = [each.replace("$SLURM_CPUS_PER_TASK", "4").replace("$<", "c") for each in arguments]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)  # raises where an option is unknown, or misspelt
    for each in arguments:
        assert (
            not each.startswith(("configs/", "results/p"))
            or (ROOT / each).exists()
            or (each == "results/phase_diagram")
        )


def test_there_are_lines() -> None:
    assert len(LINES) >= 9


@pytest.mark.parametrize("line", [line for line in LINES if "expect." in line or "fail-on" in line])
def test_the_short_lines_do_what_is_said(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    done = command(*shlex.split(line)[1:], "--no-figures")
    assert done.exit_code == 0, done.stdout + done.stderr


def test_the_expectations_shown_can_be_had() -> None:
    for text in (PAGE, README):
        section = parse(block("expect:", text), "page").data
        config = {"cell": "rnn", "weight_scale": 3.0, "clip": 5.0, "hidden_size": 3, **section}
        expected, spec = settled(from_mapping(config))
        refuse_impossible(expected.expect, spec)


def test_the_tables_of_of_are_complete() -> None:
    rows = PAGE[PAGE.index("| `of` |") :].split("\n\n")[0].splitlines()[2:]
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[1])} == set(OF)
    rows = PAGE[PAGE.index("| name | is about |") :].split("\n\n")[0].splitlines()[2:]
    told = {
        name: re.findall(r"`(\w+)`", row.split("|")[2])[0]
        for row in rows
        for name in re.findall(r"`([\w.]+)`", row.split("|")[1])
    }
    config = {"cell": "lstm", "clip": 1, "loss": {"type": "mse"}, "truncate": 3, "hidden_size": 2}
    there = names(settled(from_mapping(config))[1]).scalars
    plain = {name for name, of in told.items() if of == "summary"}
    assert plain <= set(there) and len(plain) == 14
    assert {usual(Expectation(name, near=1.0), interval=False) for name in plain} == {"summary"}
    assert told["growth_rate"] == usual(Expectation("growth_rate", min=1.0), interval=True)
    assert usual(Expectation("growth_rate", max=1.0), interval=True) == "interval"
    assert usual(Expectation("growth_rate", near=1.0), interval=True) == "mean"
    assert usual(Expectation("grad_norm_h", min=1.0, lag=3), interval=False) == "median"


def test_the_sample_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = block("$ gradlab check configs/lstm.yaml init.forget_bias=0", README).splitlines()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    done = command(*sample[0].split()[2:], "--no-figures", "-j", "1")
    assert done.exit_code == 1
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    shown = [line.rstrip() for line in sample[1:-1]]
    assert sample[-1] == "..." and printed[: len(shown)] == shown


def test_the_jobs_are_yaml() -> None:
    github = yaml.safe_load(block("name: gradients"))
    steps = github["jobs"]["check"]["steps"]
    assert any("--junit junit.xml" in step.get("run", "") for step in steps)
    gitlab = yaml.safe_load(block("gradients:"))["gradients"]
    assert gitlab["artifacts"]["reports"]["junit"] in gitlab["script"][-1]


def test_the_slurm_script_is_a_shells() -> None:
    script = block("#!/bin/bash")
    assert "--array=1-8" in script and "/8 " in script  # as many shards as jobs
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)


def make(*arguments: str, cwd: Path = ROOT) -> str:
    # these tests may be run by a make themselves, which tells what is below it of itself
    own = {
        key: v for key, v in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    done = subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env=own,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_the_rules_are_makes(tmp_path: Path) -> None:
    rules = block("results/%/summary.json: configs/%.yaml")
    (tmp_path / "Makefile").write_text(rules, encoding="utf-8")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "lstm.yaml").touch()
    assert make("-n", "check", cwd=tmp_path).splitlines() == [
        "gradlab run configs/lstm.yaml --results results",
        "gradlab check configs/lstm.yaml",
    ]


@needs_make
def test_make_checks_the_examples_that_expect_something() -> None:
    printed = make("-n", "-B", "check", "examples", "trainings").splitlines()
    (check,) = [line for line in printed if "gradlab check" in line]
    given = re.findall(r"configs/\S+\.yaml", check)
    assert sorted(given) == [f"configs/{path.name}" for path in EXPECTING]
    runs = [line for line in printed if re.search(r"gradlab (run|sweep|train) configs", line)]
    made = [re.findall(r"configs/(\w+)\.yaml", line)[0] for line in runs]
    assert len(made) == len(set(made)) == len(list((ROOT / "configs").glob("*.yaml")))
    assert printed.index(check) > max(k for k, line in enumerate(printed) if line in runs[:1])


@pytest.mark.parametrize("path", EXPECTING, ids=lambda path: path.stem)
def test_each_example_expects_what_its_run_can_have(path: Path) -> None:
    """Whether it is so, `make check` tells."""
    config, spec = settled(load(path))
    refuse_impossible(config.expect, spec)
    assert config.expect


def test_the_kinds_of_answers_are_checked() -> None:
    """At least one example for each: words, numbers at a lag, intervals, every seed."""
    every = [one for path in EXPECTING for one in load(path).config.expect]
    assert any(one.equals for one in every) and any(one.lag is not None for one in every)
    assert {"growth_rate", "verdict", "half_life"} <= {one.name for one in every}
    assert "every" in {one.of for one in every}
