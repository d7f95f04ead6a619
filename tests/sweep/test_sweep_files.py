"""Disks that fill up, files that are not what they should be, folders that cannot be written.

- a write that fails at any point: a clear message, exit code 1, nothing torn and no temporary file;
  when there is room again, the same command goes on
- the same on a real small disk, where one can be mounted
- a torn, truncated, empty, foreign, renamed or newer task file is named, set aside as *.bad, and
  computed again; the table is right
- no byte of a task file can be changed in a way that reading it does more than say so
- a folder that cannot be written is told before anything is computed, with exit code 2
"""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import disks
import numpy as np
import pytest
from sweeping import (
    check_whole,
    command,
    files,
    perform,
    planned,
    scales,
    table,
    temporary,
)

from gradlab import files as disk
from gradlab.errors import GradlabError
from gradlab.record import SCHEMA
from gradlab.sweeps.execute import Processes
from gradlab.sweeps.planned import Planned
from gradlab.sweeps.result import SweepResult
from gradlab.sweeps.store import SweepFolder
from gradlab.sweeps.taskfile import TaskFile, TaskPoints

WRITES = 2 + 6 + 4  # sweep.json and .yaml; six tasks; table, provenance, report, summary


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Six tasks of one point each."""
    monkeypatch.setattr("gradlab.sweeps.points.MOST_POINTS", 1)
    return planned(scales(6))


@pytest.fixture
def expected(plan: Planned, tmp_path: Path) -> bytes:
    """The table when nothing goes wrong."""
    perform(plan, tmp_path / "expected")
    return table(tmp_path / "expected")


@pytest.mark.fault("sweep: a write that fails", "exit 1; nothing torn; goes on when asked again")
@pytest.mark.parametrize("part", [0, 40], ids=["nothing", "a part"])
@pytest.mark.parametrize("which", range(WRITES))
def test_a_write_that_fails_leaves_nothing_torn(
    which: int,
    part: int,
    plan: Planned,
    expected: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is full from the n-th write on, which still takes a part of the data."""
    out, written = tmp_path / "out", 0

    def put(path: Path, content: str | bytes) -> None:
        nonlocal written
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data[:part] if written >= which else data)
        if written >= which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written += 1

    with monkeypatch.context() as patch:
        patch.setattr(disk, "put", put)
        with pytest.raises(GradlabError, match="no space left on device") as caught:
            perform(plan, out)
    assert caught.value.exit_code == 1
    assert "cannot write" in str(caught.value)
    assert temporary(out) == []
    kept = files(out)
    assert len(kept) == max(0, min(6, which - 2))
    for name in kept:
        TaskFile(out / "tasks" / name)
    progress, said = perform(plan, out)
    assert (progress.before, progress.done, said) == (len(kept), 6, [])
    assert {name: files(out)[name] for name in kept} == kept
    check_whole(plan, out, expected)


def test_an_interrupted_write_leaves_no_temporary_file(
    plan: Planned, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shard nobody would ever remove it: other shards may be writing beside it."""
    out = tmp_path / "out"

    def put(path: Path, content: str | bytes) -> NoReturn:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    perform(plan, out, shard=(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(disk, "put", put)
        with pytest.raises(KeyboardInterrupt):
            perform(plan, out, shard=(2, 2))
    assert temporary(out) == []
    perform(plan, out, shard=(2, 2))
    check_whole(plan, out, expected)


def test_with_workers_a_full_disk_ends_the_sweep_too(
    plan: Planned, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = disk.put

    def put(path: Path, content: str | bytes) -> None:
        if len(files(tmp_path / "out")) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sound(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "put", put)
        with pytest.raises(GradlabError, match="no space left on device"):
            perform(plan, tmp_path / "out", Processes(2))
    assert temporary(tmp_path / "out") == []
    perform(plan, tmp_path / "out", Processes(2))
    check_whole(plan, tmp_path / "out", expected)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A real file system of 256 KiB."""
    with disks.disk("256k") as path:
        yield path


@pytest.mark.fault(
    "sweep: a full disk (tmpfs)", "exit 1; what is there is whole; goes on with more room"
)
def test_a_real_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Four tasks of about 100 KiB do not fit; with more room the same command goes on."""
    config = tmp_path / "run.yaml"
    config.write_text(
        "cell: rnn\nhidden_size: 4\nseeds: 4\nspectrum: none\n"
        "sweep: {seq_len: [100, 101, 102, 103], weight_scale: [0.5, 1.0, 1.5]}\n"
    )
    out = small_disk / "out"
    arguments = ["sweep", config, "--out", out, "-j", "1", "--no-figures"]
    full = command(*arguments)
    assert full.returncode == 1, full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith("gradlab: cannot write ")
    assert last.endswith("no space left on device")
    assert temporary(out) == []
    kept = files(out)
    assert 0 < len(kept) < 4
    for name in kept:
        TaskFile(out / "tasks" / name)
    disks.remount(small_disk, "size=16m")
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert {name: files(out)[name] for name in kept} == kept
    elsewhere = command("sweep", config, "--out", tmp_path / "out", "-j", "1", "--no-figures")
    assert elsewhere.returncode == 0
    assert table(out) == table(tmp_path / "out")


@pytest.mark.fault("sweep: a read-only disk", "exit 2 before computing")
def test_a_real_read_only_disk(small_disk: Path, tmp_path: Path, plan: Planned) -> None:
    """Empty, or holding a part of the sweep: said before any computation."""
    begun = small_disk / "begun"
    perform(plan, begun)
    SweepFolder(begun).task(plan.tasks[2].id).unlink()
    (small_disk / "empty").mkdir()
    disks.remount(small_disk, "ro")
    for path in (begun, small_disk / "empty", small_disk / "new"):
        refused_without_computing(plan, path, "read-only file system")


def npz(**arrays: Any) -> bytes:
    """An npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def with_metadata(data: bytes, **changes: Any) -> bytes:
    """A task file with changes to its metadata; a key with None is removed."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    metadata = {**json.loads(str(arrays.pop("metadata"))), **changes}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    return npz(metadata=np.array(json.dumps(metadata)), **arrays)


class Evil:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch was-run",)


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "with a flipped bit": lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"hello\n",
    "another npz": lambda data: npz(a=np.zeros(3)),
    "a pickle inside": lambda data: npz(metadata=np.array([Evil()], dtype=object)),
    "metadata that is no JSON": lambda data: npz(metadata=np.array("{")),
    "metadata that is a list": lambda data: npz(metadata=np.array("[]")),
    "no points": lambda data: with_metadata(data, points=None),
    "points that are none": lambda data: with_metadata(data, points=[1, 2]),
    "a newer schema": lambda data: with_metadata(data, schema=SCHEMA + 1),
    "a schema that is none": lambda data: with_metadata(data, schema="new"),
    "the name of another task": lambda data: with_metadata(data, task="0" * 20),
    "the points of another task": lambda data: with_metadata(
        data, points=[{"index": 0, "identity": "0" * 64, "failed": "why"}]
    ),
    "fewer points": lambda data: with_metadata(data, points=[]),
}


@pytest.mark.fault(
    "sweep: torn, empty, foreign, pickled or newer task files", "named, set aside, computed again"
)
@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_task_file_is_named_set_aside_and_computed_again(
    kind: str, plan: Planned, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    perform(plan, out)
    path = SweepFolder(out).task(plan.tasks[3].id)
    spoiled = SPOILED[kind](path.read_bytes())
    path.write_bytes(spoiled)
    before = files(out)
    progress, said = perform(plan, out)
    assert (progress.before, progress.done, progress.failed) == (5, 6, 0)
    assert len(said) == 1
    assert str(path) in said[0]
    assert said[0].endswith("it is set aside and computed again")
    assert path.with_name(path.name + ".bad").read_bytes() == spoiled
    assert [name for name in before if files(out)[name] != before[name]] == [path.name]
    check_whole(plan, out, expected)
    assert not (tmp_path / "was-run").exists()


def test_a_newer_schema_is_named(plan: Planned, tmp_path: Path) -> None:
    perform(plan, tmp_path)
    path = SweepFolder(tmp_path).task(plan.tasks[0].id)
    path.write_bytes(with_metadata(path.read_bytes(), schema=SCHEMA + 1))
    with pytest.raises(GradlabError, match=f"has schema {SCHEMA + 1}, this gradlab knows up to"):
        TaskFile(path)


def test_what_is_said_of_the_points_needs_no_arrays(plan: Planned, tmp_path: Path) -> None:
    """They may be gigabytes, and a table is made of the rest."""
    perform(plan, tmp_path)
    path = SweepFolder(tmp_path).task(plan.tasks[0].id)
    points = TaskFile(path).points
    data = bytearray(path.read_bytes())
    data[data.index(b"log10_grad_norm_h.npy") + 300] ^= 0xFF  # behind numpy's header
    path.write_bytes(data)
    with pytest.raises(GradlabError, match="is torn"):
        TaskFile(path)
    assert TaskPoints(path).points == points


def test_a_task_file_under_another_name_is_not_taken_for_that_task(
    plan: Planned, expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    perform(plan, out)
    first, second = (SweepFolder(out).task(task.id) for task in plan.tasks[:2])
    shutil.copy(first, second)
    _, said = perform(plan, out)
    assert len(said) == 1
    assert f"{second} holds another task" in said[0]
    check_whole(plan, out, expected)


def test_a_folder_in_the_place_of_a_task_file_is_set_aside(
    plan: Planned, expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    perform(plan, out)
    path = SweepFolder(out).task(plan.tasks[1].id)
    path.unlink()
    path.mkdir()
    _, said = perform(plan, out)
    assert len(said) == 1
    check_whole(plan, out, expected)


def test_files_that_are_no_tasks_do_not_matter(
    plan: Planned, expected: bytes, tmp_path: Path
) -> None:
    """Notes of the user, and a task of some other sweep."""
    out = tmp_path / "out"
    perform(plan, out)
    (out / "notes.txt").write_text("mine")
    (out / "tasks" / f"{'0' * 20}.npz").write_bytes(b"?")
    (out / "table.csv").unlink()
    progress, said = perform(plan, out)
    assert (progress.before, said) == (6, [])
    assert table(out) == expected
    assert (out / "notes.txt").read_text() == "mine"
    assert SweepResult(out).done == 6


@pytest.mark.slow
def test_reading_survives_any_changed_byte(tmp_path: Path) -> None:
    """Every byte of the zip's headers, and many inside, changed in two ways; every tenth cut."""
    plan = planned(scales(1))
    perform(plan, tmp_path)
    path = SweepFolder(tmp_path).task(plan.tasks[0].id)
    data = path.read_bytes()
    rng = random.Random(7)
    tail = len(data) - data.rindex(b"PK\x01\x02") + 2000  # the directory at the end
    places = {*range(400), *range(len(data) - tail, len(data)), *rng.sample(range(len(data)), 300)}
    sound = refused = 0
    for place in sorted(places):
        for flip in (0x01, 0xFF):
            changed = bytearray(data)
            changed[place] ^= flip
            path.write_bytes(changed)
            try:
                TaskFile(path)
                sound += 1  # a time stamp, say
            except GradlabError as error:
                refused += str(path) in str(error)
    for length in range(0, len(data), len(data) // 200):
        path.write_bytes(data[:length])
        with pytest.raises(GradlabError):
            TaskFile(path)
    assert sound + refused == 2 * len(places)
    assert refused > sound


def test_a_result_with_a_spoiled_task_is_read_without_it(plan: Planned, tmp_path: Path) -> None:
    perform(plan, tmp_path)
    for kind in ("empty", "truncated", "with a flipped bit", "text", "metadata that is a list"):
        path = SweepFolder(tmp_path).task(plan.tasks[3].id)
        data = path.read_bytes()
        path.write_bytes(SPOILED[kind](data))
        result = SweepResult(tmp_path)
        if kind != "with a flipped bit":  # found only when the arrays are read
            assert result.done == 5
            assert [index for index, _ in result.records()] == [0, 1, 2, 4, 5]
        with pytest.raises(GradlabError):
            result.record(weight_scale=0.4)
        path.write_bytes(data)


def refused_without_computing(plan: Planned, path: Path, why: str) -> None:
    """A sweep into this folder must be refused, with exit code 2, before any task is handed out."""

    class NoExecutors:
        window = 1

        def current(self) -> NoReturn:
            raise AssertionError("something is computed")

        def stop(self) -> None: ...

        def check(self) -> None: ...

        def how_a_worker_ended(self) -> str:
            return ""

    with pytest.raises(GradlabError) as caught:
        perform(plan, path, NoExecutors())  # type: ignore[arg-type]
    message = str(caught.value)
    assert caught.value.exit_code == 2, message
    assert str(path) in message
    assert why in message.lower()


def test_a_file_in_place_of_the_folder_is_told_first(plan: Planned, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused_without_computing(plan, tmp_path / "file", "file exists")
    refused_without_computing(plan, tmp_path / "file" / "below", "not a directory")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_place_of_the_lock_is_told_first(plan: Planned, tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    refused_without_computing(plan, tmp_path, "is a directory")


@pytest.fixture
def nobody() -> Iterator[None]:
    """A user who may not write everywhere: root becomes one for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder that everybody can look into and nobody can write to."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o555)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def test_a_folder_without_permission_is_told_first(
    plan: Planned, forbidden: Path, nobody: None
) -> None:
    refused_without_computing(plan, forbidden, "permission denied")
    refused_without_computing(plan, forbidden / "new", "permission denied")
    assert list(forbidden.iterdir()) == []


def test_the_table_tells_what_is_in_the_files(plan: Planned, tmp_path: Path) -> None:
    """A resumed sweep and an undisturbed one read the same bytes."""
    perform(plan, tmp_path)
    before = table(tmp_path).splitlines()
    path = SweepFolder(tmp_path).task(plan.tasks[2].id)
    with np.load(path) as file:
        points = json.loads(str(file["metadata"]))["points"]
    points[0]["summary"]["outcome"] = "changed"
    path.write_bytes(with_metadata(path.read_bytes(), points=points))
    perform(plan, tmp_path)
    after = table(tmp_path).splitlines()
    assert [k for k in range(7) if after[k] != before[k]] == [3]
    assert after[3] == before[3].replace(b",ok,", b",changed,")
