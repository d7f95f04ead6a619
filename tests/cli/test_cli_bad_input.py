"""Bad input and interruptions: one clear line each, the right exit code, nothing half-written.

Claims:
- each bad config, file or place is answered by lines that begin with `gradlab: `, no traceback,
  exit code 2, and nothing is left behind;
- Ctrl-C and SIGTERM in the middle of a run: one line, exit 130 and 143, nothing half-written;
- a reader that closes the pipe early is no failure.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
)


def gradlab(*arguments: object, cwd: Path, **more: object) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gradlab", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **more,  # type: ignore[call-overload]
    )


def environment(**more: str) -> dict[str, str]:
    """The checkout in front, whether gradlab is installed or not."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, lines of ours on stderr with these words, nothing on stdout, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("gradlab: ")
    assert all(word in done.stderr for word in words), done.stderr


CONFIGS = {
    "misspelt key": ("cell: rnn\nseqlen: 3\n", "c.yaml:2:1", "did you mean 'seq_len'"),
    "wrong type": ("cell: rnn\nweight_scale: large\n", "c.yaml:2:1", "weight_scale", "'large'"),
    "unknown cell": ("cell: lsmt\n", "c.yaml:1:1", "did you mean 'lstm'"),
    "negative size": ("cell: rnn\nhidden_size: -4\n", "c.yaml:2:1", "-4"),
    "not a number": ("cell: rnn\nweight_scale: .nan\n", "c.yaml:2:1", "nan"),
    "empty file": ("", "empty"),
    "a list": ("- cell\n- rnn\n", "c.yaml"),
    "alias bomb": (BOMB, "c.yaml"),
    "two mistakes": ("cell: rnn\nseqlen: 3\nhidden_size: x\n", "c.yaml:2:1", "c.yaml:3:1"),
    "no such weights": ("cell: lstm\ninit: {file: no.safetensors}\n", "c.yaml:2", "no.safetensors"),
    "no such inputs": ("cell: rnn\ninputs: {type: file, path: no.npy}\n", "c.yaml:2", "no.npy"),
    "no gate to keep": ("cell: rnn\ninit: {forget_bias: 1}\n", "c.yaml:2", "forget_bias"),
    "a sweep": ("cell: rnn\nsweep: {weight_scale: [1, 2]}\n", "gradlab sweep"),
}


@pytest.mark.fault(
    "config: bad ones on the command line", "exit 2, nothing on stdout, nothing left behind"
)
@pytest.mark.parametrize("name", CONFIGS)
def test_bad_configs(name: str, tmp_path: Path) -> None:
    text, *words = CONFIGS[name]
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    refused(gradlab("run", "c.yaml", cwd=tmp_path), *words)
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def lstm(H: int, I: int) -> dict[str, np.ndarray]:
    """The tensors of an LSTM without biases."""
    return {"weight_hh": np.ones((4 * H, H)), "weight_ih": np.ones((4 * H, I))}


def truncated(path: Path) -> None:
    save_file(lstm(3, 3), path)
    path.write_bytes(path.read_bytes()[:-40])


def pickled(path: Path) -> None:
    np.savez(path, weight_hh=np.array([{"a": 1}], dtype=object))


WEIGHTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "misshapen": (
        "w.safetensors",
        lambda p: save_file({**lstm(3, 3), "weight_ih": np.ones((5, 3))}, p),
        "shape (5, 3)",
    ),
    "not finite": (
        "w.safetensors",
        lambda p: save_file({**lstm(2, 2), "weight_ih": np.full((8, 2), np.nan)}, p),
        "NaN",
    ),
    "other names": ("w.safetensors", lambda p: save_file({"w": np.ones(2)}, p), "weight_hh"),
    "truncated": ("w.safetensors", truncated, "not a readable safetensors"),
    "no safetensors": (
        "w.safetensors",
        lambda p: p.write_bytes(b"hello") and None,
        "not a readable",
    ),
    "pickled objects": ("w.npz", pickled, "holds Python objects"),
    "unknown format": (
        "w.pkl",
        lambda p: p.write_bytes(b"\x80\x02}q\x00.") and None,
        "known formats",
    ),
}


@pytest.mark.fault(
    "weights: misshapen, not finite, torn, pickled, of an unknown format",
    "exit 2 at the key's line; nothing left behind",
)
@pytest.mark.parametrize("name", WEIGHTS)
def test_bad_weights(name: str, tmp_path: Path) -> None:
    file, make, word = WEIGHTS[name]
    make(tmp_path / file)
    (tmp_path / "c.yaml").write_text(f"cell: lstm\ninit: {{file: {file}}}\n", encoding="utf-8")
    refused(gradlab("run", "c.yaml", cwd=tmp_path), "c.yaml:2", word)
    assert not (tmp_path / "results").exists()


@pytest.mark.fault(
    "run: no such config; results in a file, under a file, in a folder of others",
    "exit 2 before computing",
)
def test_a_missing_config_and_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    refused(gradlab("run", "no.yaml", cwd=tmp_path), "no.yaml")
    (tmp_path / "c.yaml").write_text("cell: rnn\nseq_len: 2\n", encoding="utf-8")
    # a file where a folder should be: root may write anywhere else
    refused(gradlab("run", "c.yaml", "--out", "c.yaml/x", cwd=tmp_path), "c.yaml/x")
    refused(gradlab("run", "c.yaml", "--out", "c.yaml", cwd=tmp_path), "is a file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary", encoding="utf-8")
    refused(gradlab("run", "c.yaml", "--out", "mine", cwd=tmp_path), "did not write")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.fault(
    "run: Ctrl-C, SIGTERM while computing", "one line; exit 130, 143; nothing half-written"
)
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_leaves_nothing_half_written(
    number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    long = "cell: lstm\nseq_len: 1000000\nspectrum: none\nseeds: 1\n"
    (tmp_path / "c.yaml").write_text(long, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "run", "c.yaml"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60  # the staging folder is there before anything is computed
    while not list(tmp_path.glob("results/.gradlab-staging-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert err == f"gradlab: {word}; nothing was written\n"
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.fault("run: kill -9", "no half folder; the next run cleans up")
def test_a_killed_run_leaves_no_half_folder_and_is_cleaned_up_after(tmp_path: Path) -> None:
    long = "cell: lstm\nseq_len: 1000000\nspectrum: none\nseeds: 1\n"
    (tmp_path / "c.yaml").write_text(long, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "run", "c.yaml"], cwd=tmp_path, env=environment()
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("results/.gradlab-staging-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait(timeout=60)
    assert not (tmp_path / "results" / "c").exists()
    done = gradlab("run", "c.yaml", "seq_len=3", "--no-figures", "--quiet", cwd=tmp_path)
    assert done.returncode == 0
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["c-seq_len=3"]


@pytest.mark.fault("run: stdout closed early (`| head`)", "exit 0, quiet")
def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gradlab", "schema"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0
    process.stderr.close()
