"""What a run would take is known before anything is allocated, and what does not fit is refused.

Claims:
- the estimate lies within 20 % of what a process takes at its peak beyond the loaded program, and
  a few MiB, for each thing that may take most: weights, states, checkpoints, spectra, outputs, the
  record and its files; in one thread, in two, and in two that share a member;
- no block of the backward pass and no segment is there while the next one is made, and no states
  while the gradients are clipped;
- for every cell the estimate is that of what Python and numpy hold, to the same 20 %;
- what `--dry-run` tells is that estimate, with the program;
- a size that no machine has is refused in one line, at once, whichever key it comes from; the line
  tells the estimate, what there is, and what to change;
- what there is: memory that is free, the limits of control groups of both kinds, those above them,
  and the limits of the process; the least of them counts, and GRADLAB_MEMORY instead of all;
- a run that fits is not refused, under a limit that is a little above what it takes;
- a plan asks the system once its lists take more than a little: a sweep has very many plans;
- workers that would fit one by one, and not together, are refused with --jobs named.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import ensemble, machine, memory
from gradlab.cells import CELLS, gru_2014
from gradlab.config import from_mapping, sweep_from_mapping
from gradlab.engine import forward
from gradlab.errors import GradlabError
from gradlab.footprint import ALWAYS, PROGRAM, check_room, footprint
from gradlab.machine import MIB, available, room, size
from gradlab.plan import settle
from gradlab.runner import run
from gradlab.spec import Spec
from gradlab.split import split
from gradlab.store import _csv
from gradlab.sweeps.forecast import forecast

ROOT = Path(gradlab.__file__).resolve().parents[1]
SMALL: dict[str, Any] = {"cell": "rnn", "hidden_size": 8, "seq_len": 20, "batch_size": 2}
SMALL |= {"seeds": 2, "lag_split": "none", "spectrum": "none", "theory": "none"}


def spec_of(**changes: Any) -> Spec:
    return settle(from_mapping({**SMALL, **changes}).config)[1]


LARGEST = {"step": False, "product": "largest", "lyapunov": False, "values": 1, "sequences": 1}

# what takes most -> a run of 30 to 150 MiB that takes a second
MEASURED: dict[str, dict[str, Any]] = {
    "weights": {"cell": "gru", "hidden_size": 700, "clip": 1.0, "seeds": 1},
    "weights without gradients": {"cell": "gru", "hidden_size": 900, "weight_gradients": "none"}
    | {"seeds": 1},
    "norms of many members": {"batch_size": 16, "seq_len": 200, "hidden_size": 64, "seeds": 32}
    | {"weight_gradients": "none"},
    "float32": {"cell": "lstm", "hidden_size": 600, "dtype": "float32", "seeds": 1},
    "the split by lag": {"cell": "gru", "hidden_size": 400, "lag_split": "auto"},
    "fresh weights": {"tied": False, "hidden_size": 150, "seq_len": 60},
    "two sets of weights": {"encoder_decoder": {"encoder": 10, "decoder": 10}, "hidden_size": 700},
    "two sets, every term apart": {"encoder_decoder": {"encoder": 10, "decoder": 10}}
    | {"loss": {"at": "all"}, "truncate": 5, "hidden_size": 250},
    "states of layers": {"cell": "lstm", "layers": 3, "hidden_size": 64, "batch_size": 32}
    | {"seq_len": 200},
    "states of both directions": {"layers": 2, "bidirectional": True, "cell": "gru"}
    | {"hidden_size": 64, "batch_size": 32, "seq_len": 150, "seeds": 1},
    "states of several members": {"batch_size": 16, "seq_len": 300, "hidden_size": 64, "seeds": 8},
    "checkpoints": {"cell": "lstm", "hidden_size": 64, "batch_size": 64, "checkpoint": 32}
    | {"seq_len": 500, "seeds": 1},
    "every term apart": {"loss": {"at": "all"}, "truncate": 20, "cell": "gru", "hidden_size": 64}
    | {"batch_size": 16, "seq_len": 200, "seeds": 1},
    "inputs": {"hidden_size": 4, "input_size": 2000, "batch_size": 32, "seq_len": 100},
    "outputs": {"loss": {"type": "mse", "at": "all"}, "hidden_size": 96, "batch_size": 32}
    | {"cell": "lstm", "seq_len": 300, "seeds": 1},
    "classes": {"loss": {"type": "cross_entropy", "at": "all", "outputs": 800}}
    | {"batch_size": 16, "seq_len": 120},
    "Jacobians": {"cell": "lstm", "hidden_size": 200, "seq_len": 3, "batch_size": 16, "seeds": 1}
    | {"spectrum": {"product": False, "lyapunov": False, "sequences": 16}},
    "products": {"hidden_size": 700, "seq_len": 2, "seeds": 1}
    | {"spectrum": {"step": False, "product": True, "lyapunov": True}},
    "a wide cell": {
        "cell": "gru",
        "hidden_size": 512,
        "batch_size": 32,
        "seq_len": 100,
        "clip": 1.0,
    }
    | {"seeds": 1},
    "long blocks": {"cell": "gru", "hidden_size": 64, "batch_size": 4, "seq_len": 6000}
    | {"seeds": 1, "record_every": 100},
    "states alone": {"cell": "lstm", "hidden_size": 128, "batch_size": 1, "seq_len": 30_000}
    | {"seeds": 1, "record_every": 100},
    "distant checkpoints": {"hidden_size": 32, "batch_size": 4, "seq_len": 20_000}
    | {"checkpoint": 4096, "record_every": 1000},
    "checkpoints of a wide cell": {"cell": "gru", "hidden_size": 384, "batch_size": 64}
    | {"seq_len": 120, "seeds": 1},
    "steps gone through again": {"cell": "lstm", "hidden_size": 512, "batch_size": 1, "seeds": 1}
    | {"seq_len": 64, "checkpoint": 16},
    "largest values": {"hidden_size": 64, "seq_len": 2000, "seeds": 8, "batch_size": 1}
    | {"record_every": 100, "spectrum": LARGEST},
    "largest values of gates": {"cell": "lstm", "hidden_size": 32, "seq_len": 1000, "seeds": 8}
    | {"batch_size": 1, "record_every": 100, "spectrum": LARGEST},
    "the record": {"cell": "lstm", "seq_len": 5000, "seeds": 16, "batch_size": 1, "hidden_size": 2},
}
# in two threads, each with several pieces
THREADED: dict[str, dict[str, Any]] = {
    "states": {"cell": "lstm", "hidden_size": 128, "batch_size": 16, "seq_len": 200, "seeds": 8},
    "many members": {"hidden_size": 64, "batch_size": 16, "seq_len": 200, "seeds": 32},
    "a wide cell": {"cell": "gru", "hidden_size": 300, "batch_size": 16, "seq_len": 60, "seeds": 8},
    "checkpoints": {"cell": "lstm", "hidden_size": 64, "batch_size": 64, "checkpoint": 32}
    | {"seq_len": 200, "seeds": 8},
}
SHARE = 0.2  # the promise
SLACK = 4  # MiB: pages of LAPACK and BLAS, and what the allocator keeps of what was freed

# the peak is the process's own: a process that is begun has that of the one that began it
MEASURE = """
import json, sys
from pathlib import Path
from gradlab.config import from_mapping, sweep_from_mapping
from gradlab.job import settled
from gradlab.comparison import run
from gradlab.footprint import ALWAYS, PROGRAM, check_room, footprint
from gradlab.store import Folder, write
import gradlab.cli

def told(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

_, spec = settled(from_mapping(json.loads(sys.argv[1])))
jobs = int(sys.argv[3])
estimate = footprint(spec, len(spec.seeds), jobs).bytes / 2**20
check_room([spec])
loaded = told("VmRSS")
write(Folder(Path(sys.argv[2])), run(spec, jobs=jobs), "", {})
print(json.dumps({"loaded": loaded, "peak": told("VmHWM"), "estimate": estimate}))
"""


def measured(changes: dict[str, Any], folder: Path, jobs: int = 1) -> dict[str, float]:
    """In MiB: a process with all that a run needs, its peak after the run, and the estimate."""
    given = json.dumps(SMALL | changes)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, given, str(folder), str(jobs)],
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.fault(
    "memory: the estimate against measured peaks of processes", "within 20 %, and 4 MiB"
)
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
@pytest.mark.parametrize("case", MEASURED)
def test_the_estimate_is_what_a_run_takes(case: str, tmp_path: Path) -> None:
    found = measured(MEASURED[case], tmp_path)
    taken = found["peak"] - found["loaded"]
    assert taken > 25, "too small to say anything"
    assert abs(found["estimate"] - taken) < SHARE * taken + SLACK, found


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
@pytest.mark.parametrize("case", THREADED)
def test_the_estimate_is_what_two_threads_take(case: str, tmp_path: Path) -> None:
    spec = spec_of(**THREADED[case])
    cut = split(spec, len(spec.seeds), 2)
    assert cut.workers == 2 and len(cut.pieces) > 2, "pieces follow one another in each thread"
    found = measured(THREADED[case], tmp_path, jobs=2)
    taken = found["peak"] - found["loaded"]
    assert taken > 25, "too small to say anything"
    assert abs(found["estimate"] - taken) < SHARE * taken + SLACK, found


BESIDE: dict[str, dict[str, Any]] = {
    "a wide member": {"hidden_size": 400, "seq_len": 30, "batch_size": 4, "seeds": 1},
    "two members": {"hidden_size": 256, "seq_len": 20, "batch_size": 4, "seeds": 2},
    "joint": {"cell": "lstm", "hidden_size": 160, "seq_len": 20, "batch_size": 4, "seeds": 4},
    "many members": {"hidden_size": 64, "seq_len": 60, "batch_size": 16, "seeds": 8},
}


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("case", BESIDE)
def test_the_estimate_is_what_products_and_their_values_take(
    case: str, jobs: int, tmp_path: Path
) -> None:
    given = {**BESIDE[case], "spectrum": {"product": True, "lyapunov": False}}
    spec = spec_of(**given)
    assert split(spec, len(spec.seeds), jobs)[2:] == (1, jobs)
    found = measured(given, tmp_path, jobs)
    taken = found["peak"] - found["loaded"]
    assert taken > 25, "too small to say anything"
    assert abs(found["estimate"] - taken) < SHARE * taken + SLACK, found


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
@pytest.mark.parametrize("case", ["a wide cell", "checkpoints of a wide cell"])
def test_the_estimate_is_what_two_threads_of_one_member_take(case: str, tmp_path: Path) -> None:
    assert split(spec_of(**MEASURED[case]), 1, 2).within == 2
    found = measured(MEASURED[case], tmp_path, jobs=2)
    taken = found["peak"] - found["loaded"]
    assert taken > 25, "too small to say anything"
    assert abs(found["estimate"] - taken) < SHARE * taken + SLACK, found


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
@pytest.mark.parametrize("jobs", [1, 2])
def test_inputs_that_members_share_count_once(jobs: int, tmp_path: Path) -> None:
    """As many units as inputs: without the inputs of each member a third is left out."""
    x = np.random.default_rng(1).standard_normal((16, 200, 64))
    np.save(tmp_path / "inputs.npy", x)
    given = {"type": "file", "path": str(tmp_path / "inputs.npy"), "cut": "start"}
    sizes = {"hidden_size": 64, "seq_len": 200, "batch_size": 16, "seeds": 32}
    found = measured({**sizes, "inputs": given}, tmp_path, jobs)
    taken = found["peak"] - found["loaded"]
    assert taken > 25, "too small to say anything"
    assert abs(found["estimate"] - taken) < SHARE * taken + SLACK, found


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in /proc")
def test_the_program_is_what_a_process_takes_that_computes_nothing(tmp_path: Path) -> None:
    """Libraries differ in size between versions: a fifth, as of the rest."""
    found = measured({}, tmp_path)
    assert found["peak"] - found["loaded"] < 4
    assert abs(found["loaded"] - PROGRAM / MIB) < SHARE * found["loaded"]


LASTING: dict[str, dict[str, Any]] = {
    "kept whole": {"cell": "gru_2014", "clip": 1.0, "lag_split": "auto", "seq_len": 50},
    "checkpoints": {"cell": "gru_2014", "clip": 1.0, "checkpoint": 16, "seq_len": 70},
    "truncated": {"cell": "gru_2014", "truncate": 5, "checkpoint": 16, "seq_len": 50},
    "both directions": {"cell": "gru_2014", "clip": 1.0, "bidirectional": True, "checkpoint": 16}
    | {"seq_len": 50},
}


@pytest.mark.parametrize("case", LASTING)
def test_what_is_done_is_gone_before_more_is_made(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of blocks none is left, of segments the last of each pass, and none where it is clipped."""
    spec = spec_of(seeds=1, **LASTING[case])
    blocks: list[weakref.ref[Any]] = []
    segments: list[weakref.ref[Any]] = []
    last: list[int] = []  # segments made so far that end a forward pass, which keeps them
    left: list[tuple[str, int]] = []

    def there(made: list[weakref.ref[Any]]) -> int:
        return sum(one() is not None for one in made)

    def linearize(p: Any, s_prev: Any, a: Any, s: Any) -> Any:
        left.append(("blocks", there(blocks)))
        local = original["linearize"](p, s_prev, a, s)
        blocks.extend(weakref.ref(field) for field in local)
        return local

    def segment(*given: Any) -> Any:
        left.append(("segments", there(segments) - len(last)))
        found = original["segment"](*given)
        last.extend([found.t0] * (found.t0 + len(found.x) == spec.T))
        segments.append(weakref.ref(found.activations))
        return found

    def clipped(*given: Any) -> Any:
        left.append(("states where gradients are clipped", there(segments)))
        return original["clipped"](*given)

    places = {
        "linearize": (gru_2014, "linearize", linearize),
        "segment": (forward, "_segment", segment),
        "clipped": (ensemble, "clipped", clipped),
    }
    original = {key: getattr(module, name) for key, (module, name, _) in places.items()}
    for module, name, instead in places.values():
        monkeypatch.setattr(module, name, instead)
    run(spec)
    assert {what for what, _ in left} == {
        "blocks",
        "segments",
        "states where gradients are clipped",
    }
    assert len(blocks) > 3 * 3, "several blocks, of three arrays each"
    assert all(count <= 0 for _, count in left), left


def traced(spec: Spec) -> int:
    """Bytes that a run and its files held at most, as Python and numpy tell them."""
    tracemalloc.start()
    record = run(spec)
    record.to_bytes()
    for _ in _csv(record):
        pass
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("cell", CELLS)
def test_the_estimate_is_what_a_run_of_each_cell_takes(cell: str) -> None:
    spec = spec_of(cell=cell, hidden_size=100, batch_size=64, seq_len=100, seeds=1)
    run(spec_of())
    estimate, taken = footprint(spec, 1).bytes - ALWAYS, traced(spec)
    assert abs(estimate - taken) < SHARE * taken


MOST = 2**31 - 1
TOO_LARGE: dict[str, tuple[dict[str, Any], str]] = {
    "hidden_size": ({"hidden_size": 100_000}, "a smaller hidden_size"),
    "largest hidden_size": ({"hidden_size": MOST}, "a smaller hidden_size"),
    "gates": ({"cell": "lstm", "hidden_size": 100_000, "dtype": "float32"}, "hidden_size"),
    "input_size": ({"input_size": MOST}, "input_size"),
    "batch_size": ({"batch_size": MOST}, "batch_size"),
    "seq_len": ({"seq_len": MOST}, "seq_len"),
    "nothing is computed again": ({"seq_len": 10**8, "checkpoint": "none"}, "checkpoint: auto"),
    "float32 too": ({"batch_size": 10**8, "dtype": "float32"}, "batch_size"),
    "loss": ({"seq_len": MOST, "loss": {"at": "all"}}, "loss.at"),
    "outputs": ({"loss": {"type": "mse", "outputs": MOST}}, "loss.outputs"),
    "record_every": ({"seq_len": MOST, "record_every": 1}, "record_every"),
    "seeds": ({"seeds": 10**5, "seq_len": 10**4}, "fewer seeds"),
    "layers": ({"layers": MOST}, "layers"),
    "block": ({"residual": True, "block": 10**9, "seq_len": 10**9}, "block"),
    "fresh weights": ({"tied": False, "seq_len": 10**9}, "hidden_size"),
    "sequences": (
        {"hidden_size": 2000, "batch_size": 10**5, "spectrum": {"sequences": 10**5}},
        "spectrum",
    ),
    "side by side": (
        {"seq_len": 10**6, "batch_size": 16, "loss": {"at": "all"}, "lag_split": "all"},
        "lag_split",
    ),
    "both directions": ({"hidden_size": 10**4, "layers": 2, "bidirectional": True}, "hidden_size"),
    "a cell with a diagonal": (
        {"cell": "lstm_simple", "hidden_size": 10**6, "input_size": 10**6},
        "hidden_size",
    ),
}


@pytest.mark.fault(
    "memory: H, T, B, seeds, outputs, layers, spectra beyond any memory",
    "exit 2 before allocation: the estimate, what is free, what to change",
)
@pytest.mark.parametrize("case", TOO_LARGE)
def test_what_no_machine_has_is_refused_at_once(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, change = TOO_LARGE[case]
    monkeypatch.setenv(machine.OVERRIDE, "8192")
    tracemalloc.start()
    begun = time.perf_counter()
    with pytest.raises(GradlabError) as refused:
        gradlab.run({**SMALL, **changes})
    seconds = time.perf_counter() - begun
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told = str(refused.value)
    assert refused.value.exit_code == 2 and "\n" not in told
    assert "would take about" in told and "8.0 GiB of memory are free" in told
    assert change in told.partition("free here; ")[2]
    assert held < 0.1 * 8192 * MIB  # a run of a network that fits well may be tried out
    assert seconds < 20  # it is far less than one, but the machine may be busy


@pytest.mark.parametrize(("seq_len", "asked"), [(100_000, False), (200_000, True)])
def test_a_plan_asks_the_system_about_more_than_a_little(
    seq_len: int, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of a record of so many steps takes 10 MB and 20 MB."""
    calls: list[None] = []
    monkeypatch.setattr(machine, "available", lambda: calls.append(None))
    settle(from_mapping({**SMALL, "seq_len": seq_len, "record_every": 1}).config)
    assert bool(calls) == asked


@pytest.mark.fault("memory: runs that fit", "not refused")
def test_what_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is as much as the estimate and the safety share; refused where less."""
    for changes in ({}, *MEASURED.values()):
        spec = spec_of(**changes)
        needed = footprint(spec, len(spec.seeds)).bytes
        with monkeypatch.context() as patch:
            patch.setattr(machine, "available", lambda n=needed: int(n / machine.SHARE) + 1)
            check_room([spec])
            patch.setattr(machine, "available", lambda n=needed: int(0.9 * n))
            with pytest.raises(GradlabError, match="would take about"):
                check_room([spec])


# ---------------------------------------------------------------- what there is


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc and a /sys/fs/cgroup of our own: 1000 MiB are free, no limits."""
    tree(
        tmp_path,
        {
            "proc/meminfo": "MemTotal: 4096000 kB\nMemAvailable: 1024000 kB\n",
            "proc/self/cgroup": "0::/job/step\n",
            "proc/self/statm": "100 50 10 1 0 40 0\n",
        },
    )
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    monkeypatch.delenv(machine.OVERRIDE, raising=False)
    return tmp_path


@pytest.mark.usefixtures("system")
def test_free_memory_is_what_there_is() -> None:
    assert available() == 1000 * MIB


def test_the_limit_of_a_group_counts_without_what_could_be_dropped(system: Path) -> None:
    tree(
        system,
        {
            "groups/job/step/memory.max": f"{600 * MIB}\n",
            "groups/job/step/memory.current": f"{200 * MIB}\n",
            "groups/job/step/memory.stat": f"anon 5\ninactive_file {50 * MIB}\n",
        },
    )
    assert available() == 450 * MIB


def test_so_does_the_limit_of_the_group_above(system: Path) -> None:
    tree(
        system,
        {
            "groups/job/step/memory.max": "max\n",
            "groups/job/step/memory.current": f"{200 * MIB}\n",
            "groups/job/memory.max": f"{300 * MIB}\n",
            "groups/job/memory.current": f"{250 * MIB}\n",
        },
    )
    assert available() == 50 * MIB


def test_groups_of_the_first_kind_count_too(system: Path) -> None:
    tree(
        system,
        {
            "proc/self/cgroup": "4:cpu,memory:/slurm\n3:cpuset:/\n",
            "groups/memory/slurm/memory.limit_in_bytes": f"{500 * MIB}\n",
            "groups/memory/slurm/memory.usage_in_bytes": f"{100 * MIB}\n",
            "groups/memory/slurm/memory.stat": f"total_inactive_file {10 * MIB}\n",
        },
    )
    assert available() == 410 * MIB


@pytest.mark.usefixtures("system")
def test_a_limit_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    soft = 200 * MIB

    def limits(which: int) -> tuple[int, int]:
        mine = soft if which == resource.RLIMIT_AS else resource.RLIM_INFINITY
        return mine, resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limits)
    assert available() == soft - 100 * resource.getpagesize()


@pytest.mark.usefixtures("system")
def test_what_is_set_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(machine.OVERRIDE, "123")
    assert available() == 123 * MIB
    for wrong in ("many", "-1", "0", "1.5", "4G"):
        monkeypatch.setenv(machine.OVERRIDE, wrong)
        with pytest.raises(GradlabError, match=f"GRADLAB_MEMORY is '{wrong}'; it is"):
            available()


def test_where_nothing_is_known_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available", lambda: None)
    room(1e30, "this", "use less")


def test_this_machine_tells_a_number() -> None:
    found = available()
    assert found is not None and 0 < found <= os.sysconf("SC_PHYS_PAGES") * os.sysconf(
        "SC_PAGE_SIZE"
    )


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "0.0 MiB"),
        (5.5 * MIB, "5.5 MiB"),
        (999 * MIB, "999 MiB"),
        (2048 * MIB, "2.0 GiB"),
        (3000 * 1024 * MIB, "2.9 TiB"),
        (1e20, "90,949,470 TiB"),  # 1e20 / 2^40
    ],
)
def test_bytes_in_words(number: float, words: str) -> None:
    assert size(number) == words


# ---------------------------------------------------------------- in a process of its own


def limited(config: str, limit: int, cwd: Path) -> subprocess.CompletedProcess[str]:
    """gradlab under `ulimit -v`."""
    (cwd / "c.yaml").write_text(config, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "gradlab", "run", "c.yaml", "--quiet", "--no-figures"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )


WIDE = "cell: rnn\nhidden_size: 1500\nseq_len: 2\nbatch_size: 2\nseeds: 1\nspectrum: none\n"


@pytest.mark.fault("memory: `ulimit -v`", "refused where it does not fit, done where it does")
@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is not kept elsewhere")
def test_under_a_real_limit_a_run_is_refused_or_done(tmp_path: Path) -> None:
    """The same config: refused where it would not fit, done where it does."""
    refused = limited(WIDE, 320 * MIB, tmp_path)
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.startswith("gradlab: this run (hidden_size 1500, seq_len 2, ")
    assert len(refused.stderr.splitlines()) == 1 and not (tmp_path / "results").exists()
    done = limited(WIDE, 4096 * MIB, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.fault("memory: workers that fit one by one, not together", "refused, `--jobs` named")
def test_workers_that_do_not_fit_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(hidden_size=500)
    needed = footprint(spec, len(spec.seeds)).bytes
    monkeypatch.setattr(machine, "available", lambda: int(3.5 * needed))
    check_room([spec], 3)
    with pytest.raises(GradlabError, match=r"^4 workers, each with .*use fewer --jobs"):
        check_room([spec], 4)


def test_a_dry_run_tells_the_estimate_with_the_program() -> None:
    config = {**SMALL, "hidden_size": 300, "sweep": {"seq_len": [10, 30]}}
    told = forecast(sweep_from_mapping(config, ()), jobs=1)["memory_mib_per_worker"]
    largest = footprint(spec_of(hidden_size=300, seq_len=30), 2).bytes
    assert told == round((PROGRAM + largest) / MIB)


def test_threads_take_as_much_each() -> None:
    """One member each: three threads hold three, one thread one."""
    spec = spec_of(hidden_size=300, batch_size=16, seeds=3)
    one, three = footprint(spec, 3), footprint(spec, 3, jobs=3)
    assert (split(spec, 3, 1).at_once, split(spec, 3, 3).at_once) == (1, 3)
    assert three.bytes - three.records == pytest.approx(3 * (one.bytes - one.records), rel=1e-3)
    assert three.records == one.records


def test_a_sweep_names_the_point_that_does_not_fit(tmp_path: Path) -> None:
    sizes = {"hidden_size": [2, 10**6]}
    with pytest.raises(GradlabError, match=r"hidden_size=1000000.* would take about"):
        gradlab.sweep({**SMALL, "sweep": sizes}, out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("inputs", [24, 40])
def test_a_large_network_is_judged_by_a_small_one(
    cell: str, inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows grow with the units and with the inputs: what is found is what trying it out finds."""
    width = 24 if cell == "lstm_simple" else inputs
    for shape in ({}, {"layers": 2}, {"residual": True}):
        spec = spec_of(cell=cell, hidden_size=24, input_size=width, **shape)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "PROBED", 0)
            judged = memory.bytes_per_step(spec)
        assert judged == memory.bytes_per_step(spec)
