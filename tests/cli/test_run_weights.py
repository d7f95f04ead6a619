"""gradlab run --weights: a file of trained weights without a config.

Claims:
- every recurrent layer is run once, with the file's network and defaults otherwise, into a folder
  named after the file, and after the prefix where there are several; overrides hold for all;
- the result is that of a config that names the file and the prefix;
- --prefix chooses one; a typo tells what there is; what cannot be run is passed over and told;
- --json is one list; --quiet the folders; what does not go together is told in a line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import command, refused

import gradlab
from tests.weights.state_dicts import Made

FAST = ("seq_len=3", "batch_size=1", "seeds=1", "--no-figures")
TWO = {**Made(prefix="enc.rnn.").arrays(), **Made("gru", 4, layers=2, prefix="dec.").arrays(1)}


@pytest.fixture
def two(folder: Path) -> str:
    """A file with two recurrent layers, in the working folder."""
    (folder / "sub").mkdir()
    np.savez("sub/net.npz", **TWO)
    return "sub/net.npz"


def test_each_layer_has_a_folder(two: str, folder: Path) -> None:
    done = command("run", "--weights", two, *FAST, "-q")
    assert done.exit_code == 0, done.stderr
    ends = "-seq_len=3-batch_size=1-seeds=1"
    assert done.stdout.split() == [f"results/net-dec{ends}", f"results/net-enc.rnn{ends}"]
    for name, cell, layers in (("dec", "gru", 2), ("enc.rnn", "lstm", 1)):
        record = gradlab.load(f"results/net-{name}{ends}")
        assert record.config["cell"]["type"] == cell
        assert (record.config["layers"], record.config["seq_len"]) == (layers, 3)
        config = {"init": {"file": two, "prefix": f"{name}."}, "seq_len": 3, "batch_size": 1}
        again = gradlab.run({**config, "seeds": 1})
        assert again.identity == record.identity
        assert np.array_equal(again["grad_norm_h"], record["grad_norm_h"])


def test_the_only_layer_has_the_files_name_and_the_defaults(folder: Path) -> None:
    np.savez("net.npz", **Made(prefix="lstm.").arrays())
    done = command("run", "--weights", "net.npz", "--no-figures")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("lstm, H=3 I=2 B=16 T=100, weight_scale=1, 8 seeds\n")
    assert done.stdout.endswith("\nresults/net/report.md\nresults/net/steps.csv\n")
    done = command("run", "--weights", "net.npz", "--prefix", "lstm.", "--no-figures", "-q")
    assert (done.exit_code, done.stdout) == (0, "results/net\n")


def test_a_prefix_chooses(two: str, folder: Path) -> None:
    done = command("run", "--weights", two, "--prefix", "dec.", *FAST, "-q", "--out", "here")
    assert (done.exit_code, done.stdout) == (0, "here\n")
    assert gradlab.load("here").config["cell"]["type"] == "gru"
    done = command("run", "--weights", two, "--prefix", "dec", *FAST)
    refused(done, "no recurrent layer of the prefix 'dec' (did you mean 'dec.'?)", "'enc.rnn.'")
    done = command("run", "--weights", two, "--prefix", "dec.", *FAST, "name=mine", "-q")
    assert done.stdout == "results/mine\n"


def test_prefixes_that_make_one_name_have_two_folders(folder: Path) -> None:
    np.savez("net.npz", **Made(prefix="a/b.").arrays(), **Made(prefix="a_b.").arrays(1))
    done = command("run", "--weights", "net.npz", *FAST, "-q")
    assert len(set(done.stdout.split())) == 2
    assert sorted(gradlab.load(f).config["init"]["prefix"] for f in done.stdout.split()) == [
        "a/b.",
        "a_b.",
    ]


def test_what_cannot_be_run_is_passed_over(folder: Path) -> None:
    np.savez("net.npz", **{**TWO, "dec.weight_hr_l0": np.ones((2, 4))})
    done = command("run", "--weights", "net.npz", *FAST)
    assert done.exit_code == 0
    assert "dec.weight_hr_l0 projects h (proj_size of nn.LSTM)" in done.stderr
    assert "passed over" in done.stderr
    assert len(list(Path("results").iterdir())) == 1
    alone = {name: array for name, array in TWO.items() if name.startswith("dec.")}
    np.savez("net.npz", **{**alone, "dec.weight_hr_l0": np.ones((2, 4))})
    refused(command("run", "--weights", "net.npz", *FAST), "dec.weight_hr_l0 projects h")


def test_json_is_one_list(two: str, folder: Path) -> None:
    for computed in (True, False):
        done = command("run", "--weights", two, *FAST, "--json")
        document = json.loads(done.stdout)
        assert [Path(one["folder"]).name[:7] for one in document] == ["net-dec", "net-enc"]
        assert all(one["computed"] is computed for one in document)


WRONG: dict[str, tuple[list[str], str]] = {
    "neither": ([], "give a CONFIG, or --weights MODEL_FILE"),
    "both": (["c.yaml", "--weights", "sub/net.npz"], "'c.yaml' and --weights: give one"),
    "prefix of a config": (["c.yaml", "--prefix", "a."], "in a config it is init.prefix"),
    "one folder for two": (["--weights", "sub/net.npz", "--out", "x"], "choose with --prefix"),
    "one name for two": (["--weights", "sub/net.npz", "name=x"], "choose it with --prefix"),
    "no such file": (["--weights", "no.npz"], "there is no file 'no.npz'"),
    "a key that is wrong": (["--weights", "sub/net.npz", "seqlen=3"], "did you mean 'seq_len'"),
    "a size that is wrong": (
        ["--weights", "sub/net.npz", "layers=3"],
        "but the weights file has 2",
    ),
    "a size of the first": (["--weights", "sub/net.npz", "hidden_size=4"], "weights file has 3"),
    "no format": (["--weights", "c.yaml"], "known formats"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage(name: str, two: str, folder: Path) -> None:
    arguments, words = WRONG[name]
    refused(command("run", *arguments), words)
    assert not (folder / "results").exists()


def test_no_recurrent_layer(folder: Path) -> None:
    arrays: dict[str, Any] = {"conv": np.ones((2, 2))}
    np.savez("net.npz", **arrays)
    refused(command("run", "--weights", "net.npz"), "net.npz has no recurrent layer", "conv (2, 2)")
