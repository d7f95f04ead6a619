"""gradlab check: configs against what they expect.

Claims:
- exit code 0 where all holds, 1 where something is off or a config cannot be run, 2 where a config
  is bad, and then none is run; through processes of their own;
- what is stored is not run again, the files are those of `gradlab run`; a torn record is computed
  again; --force runs it again; overrides hold for all configs;
- a change that kills the gradient turns it red, and the reason is told: an initialiser, a bias, a
  cell's own file;
- one process or several, the same table; one that dies or cannot be run does not stop the others;
- at 80 columns; --json is one document; JUnit XML is as the schema says, whatever the text;
- annotations for GitHub are at the expectation's own line, escaped, and only where it is seen;
- Ctrl-C says how far it came, and leaves nothing half-written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import QUIET, TINY, command, environment, process, refused
from junit_rules import faults

from gradlab.initial import INITS

HOLDS = "expect: {outcome: ok, distance: 4}\n"
FAILS = "expect:\n  outcome: ok\n  distance: 5\n"
EXACT = """cell: linear
init: orthogonal
inputs: zeros
weight_scale: 2.0
hidden_size: 4
seq_len: 8
batch_size: 3
seeds: 2
figures: none
"""


def put(folder: Path, **configs: str) -> list[str]:
    """Configs of that name and text; their files."""
    for name, text in configs.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [f"{name}.yaml" for name in configs]


def files(folder: Path) -> dict[str, bytes]:
    found = {p.name: p.read_bytes() for p in folder.iterdir()}
    return {name: data for name, data in found.items() if name != "provenance.json"}


# ---------------------------------------------------------------- exit codes


def test_the_exit_codes_of_processes(folder: Path) -> None:
    put(folder, good=TINY + QUIET + HOLDS, bad=TINY + QUIET + FAILS, wrong=TINY + "expect: 3\n")
    done = process("check", "good.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("2 expectations in 1 config: all hold\n")
    done = process("check", "good.yaml", "bad.yaml", "--jobs", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("4 expectations in 2 configs: 1 FAILED\n")
    refused(process("check", "good.yaml", "wrong.yaml", cwd=folder), "wrong.yaml:6:1: expect must")


def test_bad_configs_are_all_told_and_none_is_run(folder: Path) -> None:
    sweep = TINY + HOLDS + "sweep: {weight_scale: [1, 2]}\n"
    put(folder, good=TINY + HOLDS, none=TINY, name=TINY + "expect: {verdit: 3}\n", sweep=sweep)
    done = command("check", "good.yaml", "none.yaml", "name.yaml", "sweep.yaml", "gone.yaml", "-")
    refused(
        done,
        "none.yaml: there is no 'expect:' in it, so nothing to check; add it, or use `gradlab run`",
        "name.yaml:6:10: expect: this run has no 'verdit' (did you mean 'verdict'?)",
        "sweep.yaml: is a sweep, and check is for single experiments",
        "gone.yaml: there is no such file",
        "check reads files",
    )
    assert len(done.stderr.splitlines()) == 5
    assert not (folder / "results").exists()


def test_run_asks_for_the_form_alone(folder: Path) -> None:
    """An override may take away what is expected; that is for a check to tell."""
    put(folder, c=TINY + QUIET + "clip: 5\nexpect: {clip.acted: 0}\n", form=TINY + "expect: [1]\n")
    assert command("run", "c.yaml", "clip=none").exit_code == 0
    refused(command("check", "c.yaml", "clip=none"), "no 'clip.acted': it has no clip")
    refused(command("run", "form.yaml"), "form.yaml:6:1: expect must be a mapping")


def test_two_configs_with_one_folder_are_refused(folder: Path) -> None:
    for where in ("a", "b"):
        (folder / where).mkdir()
        (folder / where / "c.yaml").write_text(TINY + HOLDS, encoding="utf-8")
    refused(command("check", "a/c.yaml", "b/c.yaml"), "b/c.yaml: leaves its results in results/c")
    done = command("check", "a/c.yaml", "a/c.yaml", "./a/c.yaml", "--json")  # one, thrice
    assert len(json.loads(done.stdout)["configs"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["weight_scale=2"], "give at least one CONFIG"),
        (["good.yaml", "--junit", "no/j.xml"], "there is no folder 'no'"),
        (["good.yaml", "--junit", "."], "is a folder; it takes a file"),
        (["good.yaml", "seqlen=3"], "unknown key 'seqlen' (did you mean 'seq_len'?)"),
        (["good.yaml", "seq_len=5", "expect.grad_norm_h={lag: 6, min: 0}"], "lag is 6, but"),
    ],
)
def test_bad_usage(arguments: list[str], words: str, folder: Path) -> None:
    put(folder, good=TINY + HOLDS)
    refused(command("check", *arguments), words)
    assert not (folder / "results").exists()


# ---------------------------------------------------------------- what is run


def test_what_is_stored_is_not_run_again(folder: Path) -> None:
    put(folder, c=TINY + QUIET + HOLDS, plain=TINY + QUIET)
    first = json.loads(command("check", "c.yaml", "--json").stdout)
    before = files(folder / "results" / "c")
    again = json.loads(command("check", "c.yaml", "--json").stdout)
    assert [first["configs"][0]["computed"], again["configs"][0]["computed"]] == [True, False]
    assert files(folder / "results" / "c") == before
    forced = json.loads(command("check", "c.yaml", "--json", "--force").stdout)
    assert forced["configs"][0]["computed"] and files(folder / "results" / "c") == before
    assert command("run", "plain.yaml", "--out", "run", "name=c").exit_code == 0
    same = files(folder / "run")
    assert same.pop("config.yaml") != before.pop("config.yaml")  # it has what is expected
    assert same == before  # what is expected changes no number
    put(folder, c=TINY + QUIET + FAILS)  # another expectation needs no new run
    other = command("check", "c.yaml", "--json")
    assert other.exit_code == 1 and not json.loads(other.stdout)["configs"][0]["computed"]


def test_a_torn_record_is_computed_again(folder: Path) -> None:
    put(folder, c=TINY + QUIET + HOLDS)
    assert command("check", "c.yaml").exit_code == 0
    record = folder / "results" / "c" / "record.npz"
    whole = record.read_bytes()
    record.write_bytes(whole[:100])
    done = command("check", "c.yaml")
    assert done.exit_code == 0 and "torn" in done.stderr and "computing again" in done.stderr
    assert record.read_bytes() == whole


def test_overrides_hold_for_all(folder: Path) -> None:
    put(folder, a=EXACT + "expect: {sigma_max: {near: 3}}\n", b=EXACT + "expect: {distance: 8}\n")
    done = command("check", "a.yaml", "b.yaml", "weight_scale=3")
    assert done.exit_code == 0, done.stdout
    assert (folder / "results" / "a-weight_scale=3" / "summary.json").is_file()
    assert (folder / "results" / "b-weight_scale=3" / "summary.json").is_file()
    assert command("check", "b.yaml", "expect.distance=7").exit_code == 1


def test_figures_are_drawn_as_by_run(folder: Path) -> None:
    put(folder, c=TINY + HOLDS)
    assert command("check", "c.yaml", "--no-figures").exit_code == 0
    assert not list((folder / "results" / "c").glob("*.png"))
    assert command("check", "c.yaml", "--force").exit_code == 0
    assert (folder / "results" / "c" / "gradient_norms.png").is_file()


# ---------------------------------------------------------------- it turns red, and says why


def test_a_wrong_initialiser_turns_it_red(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect = "expect: {verdict: exploding, growth_rate: {near: 0.6931, rel: 1e-3}}\n"
    put(folder, c=EXACT + expect)  # ln 2 = 0.69315
    assert command("check", "c.yaml").exit_code == 0
    right = INITS["orthogonal"]
    monkeypatch.setitem(INITS, "orthogonal", lambda *size: 0.25 * right(*size))
    done = command("check", "c.yaml", "--force")
    assert done.exit_code == 1
    assert "verdict exploding" in done.stdout and "FAILED" in done.stdout
    assert "vanishing: the gradient halves every 1 steps" in done.stdout  # 2 / 4 a step
    assert "W_hh: sigma_max 0.5, spectral radius 0.5." in done.stdout


def test_a_closed_forget_gate_turns_it_red(folder: Path) -> None:
    text = "cell: lstm\nhidden_size: 8\nseq_len: 40\nbatch_size: 4\nfigures: none\n"
    text += "init: {forget_bias: 4.0}\n"
    text += "expect: {log10_remaining: {min: -1}, gates.f.mean: {min: 0.95}}\n"
    put(folder, c=text)
    assert command("check", "c.yaml").exit_code == 0
    done = command("check", "c.yaml", "init.forget_bias=0")
    assert done.exit_code == 1 and done.stdout.count("FAILED") == 3
    assert "Gates: mean values i 0.50, f 0.50, g" in done.stdout.replace("\n", " ")


def test_a_wrong_cell_turns_it_red(folder: Path) -> None:
    step = "def step(p, s, x):\n    return {} * s + x.sum(axis=-2, keepdims=True)\n"
    (folder / "own.py").write_text(step.format(0.9), encoding="utf-8")
    put(
        folder,
        c=TINY.replace("rnn", "own.py") + QUIET + "expect: {grad_norm_h: {lag: 4, min: 0.9}}",
    )
    assert command("check", "c.yaml").exit_code == 0  # 0.9^4 sqrt(2) = 0.93
    (folder / "own.py").write_text(step.format(0.5), encoding="utf-8")
    done = command("check", "c.yaml")
    assert done.exit_code == 1 and "0.08839" in done.stdout  # 0.5^4 sqrt(2)


# ---------------------------------------------------------------- several


def test_several_processes_give_the_same_table(folder: Path) -> None:
    put(folder, a=TINY + QUIET + HOLDS, b=EXACT + FAILS, c=EXACT + "expect: {verdict: exploding}\n")
    configs = ["b.yaml", "c.yaml", "a.yaml"]
    serial = process("check", *configs, "--results", "one", "--jobs", "1", cwd=folder)
    both = process("check", *configs, "--results", "two", "--jobs", "2", cwd=folder)
    assert (serial.returncode, both.returncode) == (1, 1)
    assert serial.stdout == both.stdout
    titles = [line for line in both.stdout.splitlines() if line.endswith(".yaml")]
    assert titles == configs  # as they were given
    for name in "abc":
        assert files(folder / "one" / name) == files(folder / "two" / name)


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_that_cannot_be_run_does_not_stop_the_others(jobs: int, folder: Path) -> None:
    put(folder, a=TINY + QUIET + HOLDS, b=TINY + QUIET + HOLDS)
    (folder / "results" / "a").mkdir(parents=True)
    (folder / "results" / "a" / "mine.txt").write_text("mine", encoding="utf-8")
    done = process("check", "a.yaml", "b.yaml", "-j", jobs, "--junit", "j.xml", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    text = " ".join(done.stdout.split())
    assert "it runs" in text and "holds files that gradlab did not write" in text
    assert done.stdout.endswith("3 expectations in 2 configs: 1 FAILED\n")
    xml = (folder / "j.xml").read_bytes()
    assert faults(xml) == []
    assert ElementTree.fromstring(xml).attrib["errors"] == "1"
    assert (folder / "results" / "a" / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_one_whose_worker_dies_does_not_stop_the_others(folder: Path) -> None:
    deadly = "import multiprocessing, os\nif multiprocessing.parent_process():\n    os._exit(9)\n"
    deadly += "def step(p, s, x):\n    return 0.5 * s + x.sum(axis=-2, keepdims=True)\n"
    (folder / "own.py").write_text(deadly, encoding="utf-8")
    own = TINY.replace("rnn", "own.py")
    put(folder, a=TINY + QUIET + HOLDS, b=own + QUIET + HOLDS, c=EXACT + "expect: {distance: 8}\n")
    done = process("check", "a.yaml", "b.yaml", "c.yaml", "-j", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "its worker process died (exit code 9)" in done.stdout
    assert done.stdout.endswith("4 expectations in 3 configs: 1 FAILED\n")


# ---------------------------------------------------------------- what is printed


def test_the_table_fits_into_eighty_columns(folder: Path) -> None:
    long = "expect:\n  theory.random_matrix.spectral_radius.high: {near: 123.456789, abs: 1e-12}\n"
    long += "  log10_product_sigma_1: {lag: 3, min: -1e-300, max: 1e300, of: interval}\n"
    name = "a_config_with_quite_a_long_name_in_a_folder_of_its_own"
    put(folder, **{name: TINY + QUIET + long})
    done = process("check", f"{name}.yaml", cwd=folder)
    assert done.returncode == 1
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    assert "expected got worst seed" in text and "FAILED" in text and "95 %" in text


def test_quiet_tells_what_failed_only(folder: Path) -> None:
    put(folder, a=TINY + QUIET + HOLDS, b=TINY + QUIET + FAILS)
    assert command("check", "a.yaml", "-q").stdout == ""
    done = command("check", "a.yaml", "b.yaml", "-q", "-j", "1")
    assert done.stdout.startswith("b.yaml\n") and "a.yaml" not in done.stdout


def test_json_is_one_document(folder: Path) -> None:
    put(folder, b=EXACT + "expect:\n  distance: 5\n  growth_rate: {min: 0.5}\n  half_life: none\n")
    done = command("check", "b.yaml", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    (config,) = found["configs"]
    assert (found["passed"], config["passed"], config["error"]) == (False, False, None)
    assert (config["config"], config["folder"]) == ("b.yaml", "results/b")
    one, rate, none = config["expectations"]
    assert (one["name"], one["expected"], one["got"], one["line"]) == ("distance", 5, 8, 11)
    assert (one["passed"], one["of"], one["worst_seed"]) == (False, "summary", None)
    assert rate["got"].keys() == {"mean", "low", "high"} and rate["passed"]
    assert (none["expected"], none["got"], none["passed"]) == ("none", None, True)


GITHUB = {"GITHUB_ACTIONS": "true"}


def test_annotations_are_at_the_expectations_own_line(folder: Path) -> None:
    (folder / "a,b").mkdir()
    put(folder / "a,b", c=EXACT + "expect:\n  distance: 8\n  growth_rate: {max: 0.5}\n")
    plain = process("check", "a,b/c.yaml", "--json", cwd=folder)
    assert (plain.returncode, plain.stderr) == (1, "")
    seen = process("check", "a,b/c.yaml", "--json", cwd=folder, env=environment(**GITHUB))
    assert json.loads(seen.stdout)["passed"] is False
    (line,) = seen.stderr.splitlines()
    head = (
        "::error file=a%2Cb/c.yaml,line=12,title=growth_rate::expected growth_rate <= 0.5, 95 %25"
    )
    assert line.startswith(head)
    assert "%0Aexploding: the gradient doubles every 1 steps" in line


def test_bad_configs_are_annotated_too(folder: Path) -> None:
    put(folder, c=TINY + "expect: {verdit: 3}\n")
    done = process("check", "c.yaml", "gone.yaml", cwd=folder, env=environment(**GITHUB))
    assert (done.returncode, done.stdout) == (2, "")
    first, second, *ours = done.stderr.splitlines()
    assert first.startswith("::error file=c.yaml,line=6,title=bad config::expect: this run has no")
    assert second.startswith("::error file=gone.yaml,title=bad config::there is no such file")
    assert len(ours) == 2 and all(line.startswith("gradlab: ") for line in ours)


def test_annotations_name_the_file_in_the_workspace(folder: Path) -> None:
    put(folder, c=EXACT + "expect: {distance: 5}\n")
    env = environment(**GITHUB, GITHUB_WORKSPACE=str(folder.parent))
    done = process("check", str(folder / "c.yaml"), cwd=folder, env=env)
    assert f"file={folder.name}/c.yaml,line=10," in done.stderr


def test_junit_is_as_the_schema_says(folder: Path) -> None:
    put(folder, a=TINY + QUIET + HOLDS, b=TINY + QUIET + FAILS)
    done = command("check", "a.yaml", "b.yaml", "-j", "1", "--junit", "j.xml")
    assert done.exit_code == 1
    text = (folder / "j.xml").read_bytes()
    assert faults(text) == []
    root = ElementTree.fromstring(text)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "0"]
    assert [suite.get("name") for suite in root] == ["a.yaml", "b.yaml"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "expected distance 5, got 4"
    assert failure.text is not None and failure.text.startswith("b.yaml:9\n")
    times = [float(case.attrib["time"]) for case in root.iter("testcase")]
    assert sum(times) == pytest.approx(float(root.attrib["time"]), abs=0.005)  # three decimals each


@pytest.mark.parametrize("name", ["<&>\"'", "grün 实验", "\x1b[31m", "tab\there", "]]>"])
def test_junit_holds_any_text(name: str, folder: Path) -> None:
    path = folder / f"{name}.yaml"
    path.write_text(TINY + QUIET + FAILS, encoding="utf-8")
    assert command("check", str(path), "--junit", "j.xml").exit_code == 1
    text = (folder / "j.xml").read_bytes()
    assert faults(text) == []
    (suite,) = ElementTree.fromstring(text)
    assert suite.attrib["name"].endswith(f"{name}.yaml".replace("\x1b", "\\x1b"))


def test_the_rules_of_the_schema_find_what_is_wrong() -> None:
    head = '<testsuites><testsuite name="a" tests="1" failures="0" errors="0"'
    case = '<testcase name="t"/></testsuite></testsuites>'
    assert faults(f"{head}>{case}".encode()) == []
    for wrong, words in (
        (f'{head} colour="red">{case}', "has colour"),
        (f'{head} time="1.2.3">{case}', "time 1.2.3"),
        (f"{head}>text{case}", "has text"),
        (f"{head}>{case}".replace('errors="0"', ""), "lacks errors"),
        (f"{head}>{case}".replace('tests="1"', 'tests="2"'), "says tests=2, there are 1"),
        (f"{head}>{case}".replace('<testcase name="t"/>', "<case/>"), "contains case"),
        (f"{head}>{case}".replace('name="t"', 'line="3"'), "testcase has line"),
    ):
        assert any(words in fault for fault in faults(wrong.encode())), words


# ---------------------------------------------------------------- interrupted


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_far_it_came(
    number: signal.Signals, code: int, jobs: str, folder: Path
) -> None:
    long = TINY.replace("seq_len: 4", "seq_len: 300000") + QUIET + "expect: {outcome: ok}\n"
    put(folder, a=TINY + QUIET + HOLDS, b=long, c=long + "weight_scale: 2\n")
    assert command("check", "a.yaml").exit_code == 0
    running = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "check", "a.yaml", "b.yaml", "c.yaml", "-j", jobs],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not list((folder / "results").glob(".gradlab-staging-*")):
        assert running.poll() is None and time.monotonic() < end, running.communicate()
        time.sleep(0.05)
    os.kill(running.pid, number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (code, ""), err
    assert err.startswith("gradlab: interrupted: ") and "of 3 configs are checked" in err
    assert command("check", "a.yaml").exit_code == 0  # removes what a killed worker has left
    assert not (folder / "results" / "b").exists()


# ---------------------------------------------------------------- run --fail-on


def run_on(*arguments: str, folder: Path) -> Any:
    return process("run", *arguments, "--quiet", cwd=folder)


def test_fail_on_what_the_result_is(folder: Path) -> None:
    put(folder, up=EXACT, down=EXACT.replace("2.0", "0.5"), over=EXACT.replace("2.0", "1e200"))
    for name, what in (("up", "exploding"), ("down", "vanishing")):
        other = {"exploding": "vanishing", "vanishing": "exploding"}[what]
        done = run_on(f"{name}.yaml", "--fail-on", what, folder=folder)
        assert (done.returncode, done.stdout) == (1, f"results/{name}\n")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"gradlab: --fail-on {what}: {what}: the gradient ")
        assert (folder / "results" / name / "summary.json").is_file()  # it is stored
        done = run_on(f"{name}.yaml", "--fail-on", other, "--fail-on", "nonfinite", folder=folder)
        assert done.returncode == 0
        both = run_on(f"{name}.yaml", "--fail-on", other, "--fail-on", what, folder=folder)
        assert both.returncode == 1  # also of a result that is there already
    drawn = ("over.yaml", "inputs=normal")
    done = run_on(*drawn, "--fail-on", "nonfinite", folder=folder)
    assert done.returncode == 1 and "OVERFLOW at t=" in done.stderr
    assert run_on(*drawn, folder=folder).returncode == 0


def test_fail_on_something_else_is_bad_usage(folder: Path) -> None:
    done = command("run", "c.yaml", "--fail-on", "explodes")
    refused(done, "unknown --fail-on 'explodes' (did you mean 'exploding'?); known: vanishing")
    assert not (folder / "results").exists()


def test_fail_on_leaves_json_alone(folder: Path) -> None:
    put(folder, up=EXACT)
    done = command("run", "up.yaml", "--json", "--fail-on", "exploding")
    assert done.exit_code == 1 and json.loads(done.stdout)["verdict"] == "exploding"
