"""Inputs from files on the command line: one line each, with the place in the config.

Claims:
- a file that is missing, broken or does not fit is one line with the key's place and what there is
  and what to do, exit code 2, and nothing is left behind;
- a language model on a text, and a run on a csv, go from the config to a result.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import command, refused

import gradlab

HEAD = "cell: rnn\nseeds: 2\nfigures: none\nspectrum: none\n"
SHIFTED = "loss: {type: cross_entropy, at: all, targets: shifted}\n"


@pytest.fixture
def files(folder: Path) -> Path:
    """A text of 44 characters (29 different ones), recordings, a vocabulary, an embedding."""
    (folder / "t.txt").write_text("The quick brown fox jumps over the lazy dog.", encoding="utf-8")
    (folder / "latin.txt").write_bytes("ein Fl\u00fcgel".encode("latin-1"))
    (folder / "empty.txt").write_bytes(b"")
    (folder / "v.txt").write_text("T\nh\ne\n", encoding="utf-8")
    (folder / "twice.txt").write_text("T\nT\n", encoding="utf-8")
    (folder / "x.csv").write_text("a,b\n" + "0.5,1\n" * 40, encoding="utf-8")
    (folder / "bad.csv").write_text("a,b\n0.5,1\n0.5,one\n", encoding="utf-8")
    (folder / "one.csv").write_text("1,2\n", encoding="utf-8")
    np.save(folder / "b.npy", np.ones((3, 40, 2)))
    np.savez(folder / "e.npz", rows=np.ones((5, 2)))
    np.savez(folder / "w.npz", weight_hh=np.ones((3, 3)), weight_ih=np.ones((3, 4)))
    return folder


def text(options: str) -> str:
    return f"inputs: {{type: text, path: {options}}}\n"


def file(options: str) -> str:
    return f"inputs: {{type: file, path: {options}}}\n"


BAD = {
    "no such text": (text("no.txt"), "5:22", "there is no file", "no.txt"),
    "Latin-1": (text("latin.txt"), "5:", "byte 0xfc at offset 6 is not UTF-8", "save the file"),
    "empty text": (text("empty.txt"), "5:", "empty.txt is empty: it has no chars"),
    "short text": (
        text("t.txt") + "seq_len: 44\n",
        "6:1",
        "seq_len is 44, which takes 45 symbols with the last target, but the text has 44",
    ),
    "short text, seq_len not given": (text("t.txt"), "seq_len is 100", "the text has 44"),
    "few words": (text("t.txt, level: word") + "seq_len: 10\n", "6:1", "the text has 10"),
    "few pieces": (
        text("t.txt") + "seq_len: 40\nbatch_size: 5\n",
        "7:1",
        "batch_size is 5, but the file has 4 different pieces of this length; a smaller seq_len",
    ),
    "unknown symbol": (
        text("t.txt, vocabulary: v.txt") + "seq_len: 5\n",
        "5:",
        "t.txt: ' ' (symbol 4 of the text) is not in the vocabulary; add it, or an entry <unk>",
    ),
    "broken vocabulary": (
        text("t.txt, vocabulary: twice.txt"),
        "5:",
        "twice.txt:2: 'T' is in line",
    ),
    "no vocabulary": (text("t.txt, vocabulary: none.txt"), "5:", "there is no file", "none.txt"),
    "embedding of another size": (
        text("t.txt, embedding: {file: e.npz, name: rows}") + "seq_len: 5\n",
        "5:",
        "rows has 5 rows, but the vocabulary has 29 entries",
    ),
    "no such matrix": (
        text("t.txt, embedding: {file: e.npz}") + "seq_len: 5\n",
        "5:",
        "e.npz has no 'embedding.weight'; it has: rows",
    ),
    "another width": (
        text("t.txt") + "seq_len: 5\ninput_size: 7\n",
        "7:1",
        "input_size is 7, but the text has 29; remove it",
    ),
    "weights of another vocabulary": (
        text("t.txt") + "seq_len: 5\n" + "init: {file: w.npz}\n",
        "5:",
        "the weights file wants 4 inputs, but the text has 29; give the vocabulary",
    ),
    "a device": (text("/dev/zero"), "5:", "'/dev/zero' is a folder or a device; name a file"),
    "outputs": (
        text("t.txt") + "seq_len: 5\n" + SHIFTED.replace("}", ", outputs: 4}"),
        "7:",
        "loss.outputs is 4, but shifted targets are",
        "29; remove it",
    ),
    "a bad cell": (file("bad.csv"), "5:", "bad.csv:3: cell 2 is 'one', not a number"),
    "a longer sequence": (file("x.csv") + "seq_len: 41\n", "6:1", "inputs file has 40 steps"),
    "no place for the target": (
        file("x.csv") + "seq_len: 40\nloss: {type: mse, targets: shifted}\n",
        "6:1",
        "seq_len is 40, but the inputs file has 39 steps and the last target",
    ),
    "nothing but the target": (
        file("one.csv") + "loss: {type: mse, targets: shifted}\n",
        "5:",
        "the inputs file has one step, which would be the last target",
    ),
    "a larger batch": (
        file("b.npy") + "batch_size: 4\n",
        "6:1",
        "batch_size is 4, but the inputs file has 3 sequences; inputs.cut: random draws from them",
    ),
    "copies of one piece": (
        file("x.csv") + "batch_size: 2\n",
        "6:1",
        "the file has 1 different piece of this",
    ),
    "another size": (file("x.csv") + "input_size: 3\n", "6:1", "the inputs file has 2; remove it"),
    "a loss beyond the file": (file("x.csv") + "loss: {at: [41]}\n", "6:", "the last step", "40"),
    "another format": (file("t.txt"), "5:", "known formats are .npy, .npz, .csv"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit(name: str, files: Path) -> None:
    config, *words = BAD[name]
    before = sorted(files.iterdir())
    (files / "c.yaml").write_text(HEAD + config, encoding="utf-8")
    done = command("run", "c.yaml")
    refused(done, "c.yaml", *words)
    assert len(done.stderr.splitlines()) == 1
    assert sorted(files.iterdir()) == before


def test_a_language_model_on_a_text(files: Path) -> None:
    (files / "c.yaml").write_text(
        HEAD + text("t.txt") + "seq_len: 20\n" + SHIFTED, encoding="utf-8"
    )
    done = command("run", "c.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    inputs = gradlab.load("results/c").config["inputs"]  # type: ignore[union-attr]
    assert inputs["path"] == "t.txt" and len(inputs["sha256"]) == 64
    again = command("run", "c.yaml")
    assert again.exit_code == 0 and "is there already" in again.stderr
    (files / "t.txt").write_text("the quick brown fox jumps over the lazy dog!", encoding="utf-8")
    other = command("run", "c.yaml")
    assert other.exit_code == 0 and "the earlier result is kept" in other.stderr


def test_a_csv_and_its_sweep(files: Path) -> None:
    (files / "c.yaml").write_text(HEAD + file("x.csv"), encoding="utf-8")
    assert command("run", "c.yaml", "inputs.cut=start", "seq_len=10").exit_code == 0
    done = command("sweep", "c.yaml", "seq_len=10,20", "inputs.cut=start,random", "batch_size=1")
    assert done.exit_code == 0, done.stderr
    done = command("sweep", "c.yaml", "seq_len=10,50", "--out", "s")
    assert done.exit_code == 2 and "the inputs file has 40 steps" in done.stderr
