"""Random bytes in the place of every file that gradlab reads.

Claims: a config, a weights file in each format, inputs, an initial state, a record, a task's file,
a sweep's description, whether random from the first byte or a sound file that was changed: what
comes out is what was asked for, or a GradlabError in one line.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyconfig import lay_out
from fuzzing import counted, fuzz
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

import gradlab
from gradlab.config import load, load_sweep
from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile
from gradlab.weights import FORMATS, LAYERED, layers, read

TINY: dict[str, Any] = {"cell": "lstm", "hidden_size": 2, "seq_len": 3, "batch_size": 1, "seeds": 1}
TINY |= {"figures": "none", "spectrum": "none"}
YAML = b"cell: {type: lstm}\nloss: {at: [1, 2]}\nclip: 5e-1\nname: 'x'\nseeds: [1, 2]\n"
SWEEP = YAML + b"sweep:\n  weight_scale: {linear: [0.1, 3], num: 4}\n  'init.bias': [0, 1]\n"


def sound_files(folder: Path) -> dict[str, bytes]:
    """A sound file of each kind."""
    lay_out(folder)
    gradlab.run(TINY, out=folder / "run")
    gradlab.sweep({**TINY, "sweep": {"weight_scale": [1, 2]}}, out=folder / "sweep")
    sweep = SweepFolder(folder / "sweep")
    (task,) = sweep.tasks.glob("*.npz")
    with np.load(folder / "lstm.npz") as file:
        tensors = {name: np.ascontiguousarray(file[name]) for name in file.files}
    found = {name: (folder / name).read_bytes() for name in ("lstm.npz", "x.npy", "x.csv")}
    return found | {
        "run.yaml": YAML,
        "sweep.yaml": SWEEP,
        "weights.safetensors": save(tensors),
        "state.npz": (folder / "state.npz").read_bytes(),
        "record.npz": (folder / "run" / "record.npz").read_bytes(),
        "task.npz": task.read_bytes(),
        "sweep.json": sweep.description.read_bytes(),
    }


class Sound(dict[str, bytes]):
    """Names and contents of sound files; not to be shown whole where a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} files>"


def weights(path: Path) -> object:
    return layers(path) if path.suffix in LAYERED else read(path)


def inputs(path: Path) -> object:
    return gradlab.run({**TINY, "inputs": {"type": "file", "path": str(path)}})


def state(path: Path) -> object:
    return gradlab.run({**TINY, "initial_state": {"type": "file", "path": str(path)}})


def description(path: Path) -> object:
    found = SweepResult(path.parent)
    return found.done, found.size, repr(found)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "config": ("run.yaml", load),
    "sweep": ("sweep.yaml", load_sweep),
    "record": ("record.npz", lambda path: Record.from_bytes(path.read_bytes())),
    "task": ("task.npz", TaskFile),
    "description": ("sweep.json", description),
    "inputs npy": ("x.npy", inputs),
    "inputs csv": ("x.csv", inputs),
    "state": ("state.npz", state),
    "weights npz": ("lstm.npz", weights),
    "weights safetensors": ("weights.safetensors", weights),
    **{f"weights {suffix}": (f"w{suffix}", weights) for suffix in sorted({*FORMATS, *LAYERED})},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytes")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return Sound(sound_files(tmp_path_factory.mktemp("sound")))


Change = tuple[float, int, bytes]  # where (a share of the file), bytes that go, bytes that come
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=9)), min_size=1, max_size=4
)


def changed(data: bytes, changes: list[Change]) -> bytes:
    for where, gone, come in changes:
        at = int(where * len(data))
        data = data[:at] + come + data[at + gone :]
    return data


def taken(reader: Callable[[Path], object], path: Path, data: bytes) -> bool:
    """Whether it was read; what is not is refused in lines of ours."""
    path.write_bytes(data)
    refusal: GradlabError | None = None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Duplicate name", UserWarning)  # zipfile's own
            reader(path)
    except GradlabError as error:
        refusal = error
    if refusal is None:
        return True
    assert refusal.problems
    # a fault of YAML has its line and a caret below it
    assert all(p.message.strip() for p in refusal.problems)
    assert path.suffix == ".yaml" or "\n" not in str(refusal)
    return False


@pytest.mark.fault("random: random bytes for each file that is read", "one line of ours")
@fuzz(10)
@given(data=st.binary(max_size=200))
@pytest.mark.parametrize("kind", READERS)
def test_random_bytes(kind: str, place: Path, data: bytes) -> None:
    counted(f"random bytes: {kind}")
    name, reader = READERS[kind]
    taken(reader, place / name, data)


@pytest.mark.fault(
    "random: sound files with bytes changed, left out, put in", "read, or one line of ours"
)
@fuzz(10)
@given(changes=CHANGES)
@pytest.mark.parametrize("kind", [k for k in READERS if not k.startswith("weights .")])
def test_changed_files(kind: str, place: Path, sound: Sound, changes: list[Change]) -> None:
    counted(f"changed files: {kind}")
    name, reader = READERS[kind]
    taken(reader, place / name, changed(sound[name], changes))


def test_sound_files_are_read(place: Path, sound: Sound) -> None:
    """The other tests can see something: unchanged, every file is taken."""
    for kind, (name, reader) in READERS.items():
        if name in sound and kind not in ("task", "state", "inputs npy"):
            assert taken(reader, place / name, sound[name]), kind


HEADERS = {
    "a bracket that is open": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3 }",
    "a bracket too many": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}}",
    "no literal": b"{'descr': f(), 'shape': (2, 3)",
    "text without an end": b"{'descr': '<f8, 'fortran_order': False",
    "a type that is none": b"{'descr': '<q9', 'fortran_order': False, 'shape': (2, 3)}",
    "a shape that is none": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, -3)}",
    "far too much": b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 3)}",
    "bytes that are no text": b"\xff\xfe{" * 8,
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_of_arrays(case: str, tmp_path: Path) -> None:
    """numpy reads a header as a Python literal: each way to be none is told."""
    text = HEADERS[case].ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(48)
    assert not taken(inputs, tmp_path / "x.npy", data)
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("weight_hh_l0.npy", data)
    assert not taken(weights, tmp_path / "w.npz", (tmp_path / "w.npz").read_bytes())
