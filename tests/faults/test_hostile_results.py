"""Results folders that are torn, foreign, hostile or of a newer gradlab, for every reader.

Claims:
- `ls` names each of them on stderr and lists the rest; `show` refuses in one line; `run` computes
  again what is torn, and never replaces what is newer;
- a zip bomb costs neither memory nor time, in a run's folder and in a sweep's.
"""

from __future__ import annotations

import io
import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surroundings import gradlab, told

import gradlab as package
from gradlab import archive
from gradlab.errors import GradlabError
from gradlab.machine import MIB
from gradlab.record import SCHEMA, Record
from gradlab.sweeps.store import SweepFolder

RUN: dict[str, Any] = {"cell": "rnn", "hidden_size": 2, "seq_len": 4, "batch_size": 1, "seeds": 2}
RUN |= {"figures": "none", "spectrum": "none"}


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def bomb(megabytes: int = 1200) -> bytes:
    """A zip file of about a thousandth of what it holds: one array of zeros."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("metadata.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(
            member, {"descr": "|u1", "fortran_order": False, "shape": (megabytes * MIB,)}
        )
        zeros = bytes(MIB)
        for _ in range(megabytes):
            member.write(zeros)
    return buffer.getvalue()


def newer(data: bytes) -> bytes:
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    metadata = json.loads(str(arrays.pop("metadata"))) | {"schema": SCHEMA + 1}
    return npz(metadata=np.array(json.dumps(metadata)), **arrays)


def lying(data: bytes) -> bytes:
    """A header that claims more than there is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, file.open("metadata.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
    return buffer.getvalue()


def deep(data: bytes) -> bytes:
    return npz(metadata=np.array("[" * 100_000))


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda data: data[:200],
    "empty": lambda data: b"",
    "foreign": lambda data: npz(a=np.ones(3)),
    "text": lambda data: b"dear diary\n",
    "newer": newer,
    "lying": lying,
    "deep": deep,
    "bomb": lambda data: bomb(),
}


@pytest.mark.fault(
    "record: torn, empty, foreign, newer, lying about its size, deeply nested, a zip bomb: `ls`",
    "each is named, the rest is listed; exit 0",
)
def test_ls_names_all_of_them_and_lists_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "results"
    package.run({**RUN, "name": "sound"}, out=root / "sound")
    data = (root / "sound" / "record.npz").read_bytes()
    for name, spoil in SPOILED.items():
        (root / name).mkdir()
        (root / name / "record.npz").write_bytes(spoil(data))
    package.sweep({**RUN, "sweep": {"weight_scale": [0.5, 1.0]}}, out=root / "swept")
    (root / "nothing").mkdir()
    listed = gradlab("ls", "--json", cwd=tmp_path)
    told(listed, 0, *(f"results/{name}/record.npz" for name in SPOILED))
    assert len(listed.stderr.splitlines()) == len(SPOILED)
    assert [row["name"] for row in json.loads(listed.stdout)] == ["sound", "swept"]
    for name in ("torn", "newer", "bomb"):
        told(gradlab("show", root / name, cwd=tmp_path), 2, "record.npz")


@pytest.mark.fault("record: spoiled in any way: `run`", "computed again; a newer one is kept")
@pytest.mark.parametrize("kind", sorted(SPOILED.keys() - {"bomb"}))
def test_run_computes_again_what_is_spoiled(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "x"
    package.run({**RUN, "name": "x"}, out=out)
    whole = (out / "record.npz").read_bytes()
    spoiled = SPOILED[kind](whole)
    (out / "record.npz").write_bytes(spoiled)
    if kind == "newer":
        with pytest.raises(GradlabError, match="use a newer gradlab"):
            package.run({**RUN, "name": "x"}, out=out)
    else:
        package.run({**RUN, "name": "x"}, out=out)
    assert (out / "record.npz").read_bytes() == (spoiled if kind == "newer" else whole)


@pytest.mark.fault("record: a zip bomb", "refused before anything is unpacked")
def test_a_zip_bomb_costs_nothing(tmp_path: Path) -> None:
    data = bomb()
    assert len(data) < 10 * MIB
    tracemalloc.start()
    begun = time.perf_counter()
    with pytest.raises(GradlabError, match=r"bytes that claim to hold 1\.2 GiB"):
        Record.from_bytes(data)
    assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    assert time.perf_counter() - begun < 5  # unpacking takes about a second
    tracemalloc.stop()


@pytest.mark.fault("record: larger than the free memory", "refused before anything is unpacked")
def test_what_does_not_fit_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = npz(a=np.zeros(10**6))
    monkeypatch.setattr(archive, "available", lambda: 10 * MIB)
    with archive.opened(io.BytesIO(data)) as file:
        assert file.files == ["a"]
    monkeypatch.setattr(archive, "available", lambda: 8 * MIB)
    with pytest.raises(ValueError, match=r"it holds 7\.6 MiB, and 8\.0 MiB of memory are free"):
        archive.opened(io.BytesIO(data))


@pytest.mark.fault("sweep: a zip bomb among the task files", "set aside and computed again")
def test_a_bomb_in_a_sweep_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**RUN, "sweep": {"weight_scale": [0.5, 1.0]}}
    package.sweep(config, out=tmp_path / "s")
    folder = SweepFolder(tmp_path / "s")
    (path,) = folder.tasks.glob("*.npz")
    whole = path.read_bytes()
    monkeypatch.setattr(archive, "FLOOR", MIB)
    path.write_bytes(bomb(2))
    assert package.sweep(config, out=tmp_path / "s").done == 2
    assert path.read_bytes() == whole
    assert path.with_name(path.name + ".bad").read_bytes() == bomb(2)
