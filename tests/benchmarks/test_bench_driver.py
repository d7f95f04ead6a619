"""The driver of the benchmarks.

Claims:
- the small benchmark runs, times every program that is there, and writes its page;
- a program that disagrees, or dies, ends it with exit code 1, and says which;
- bad input is one line and exit code 2;
- floors are the flops of the matrix products over their rate, counted one by one here;
- peak memory is the process's own, not that of the one that started it;
- foreign load is what others took: none is made of one's own work;
- a working tree is compiled once, as what is installed is, also where the environment says no.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import foreign, measure, worker
from benchmarks.__main__ import main
from benchmarks.measure import Outcome, Timed
from benchmarks.page import best
from benchmarks.programs import NO_BYTE_CODE, PROGRAMS, ROOT, environment
from benchmarks.running import Order, Process
from benchmarks.workloads import GATES, WORKLOADS, Workload, small

SMALL = ["--small", "--rounds", "1", "--fewest", "1"]
PLAIN = {"": sys.executable}  # no torch, no jax


@pytest.mark.slow
def test_the_small_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "page.md"
    assert main(["W1", "W2", "W5", *SMALL, "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert capsys.readouterr().out == text + "\n"
    for word in ("## W1", "## W2", "## W5", "textbook NumPy", "reference", "small sizes", "Floor"):
        assert word in text
    assert "nan" not in text


def test_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["W9"]) == 2
    assert capsys.readouterr().err == (
        f"there is no workload 'W9'; there are: {', '.join(WORKLOADS)}\n"
    )
    assert main(["W2", "--torch-python", "/no/such/python"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "/no/such/python" in said
    with pytest.raises(SystemExit, match="2"):
        main(["--rounds", "0"])


def test_a_program_that_disagrees(tmp_path: Path) -> None:
    for name, norms in (("textbook", [1.0, 2.0]), ("gradlab", [1.0, 2.1])):
        np.savez(tmp_path / f"{name}.npz", dh=np.array(norms))
    with pytest.raises(measure.DisagreementError, match="gradlab does not agree with textbook"):
        measure.agreed(["textbook", "gradlab"], tmp_path)


def test_a_program_that_dies(tmp_path: Path) -> None:
    """There is no material in its folder."""
    process = Process("textbook", small(WORKLOADS["W2"]), tmp_path, Order(PLAIN, small=True))
    try:
        with pytest.raises(RuntimeError, match=r"(?s)textbook ended before .*material\.npz"):
            process.begin()
    finally:
        process.end()


def flops_by_hand(w: Workload) -> int:
    """Every product of a step, as rows x columns x width."""
    G = GATES[w.cell] * w.H
    products = [(G, w.B, w.H), (w.H, w.B, G)]  # W h, W^T delta
    if w.cell != "linear":
        products.append((G, w.B, w.H))  # U x
    if "parameters" in w.wanted:
        products += [(G, w.H, w.B), (G, w.H, w.B)]  # delta h^T, delta x^T
    if "products" in w.wanted:
        products.append((w.H, w.H, w.H))  # P J
    return w.R * w.T * sum(2 * m * n * k for m, n, k in products)


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=list(WORKLOADS))
def test_floors(w: Workload) -> None:
    o = Outcome(w, {}, {}, gemm=1e9, svd=1e-3, normal=1e-8, foreign=0.0)
    matrices = {"W4": 2 * 4 * 100, "W4s": 4 * 100}.get(w.name, 0)
    assert o.floor == pytest.approx(flops_by_hand(w) / 1e9 + matrices * 1e-3, rel=1e-12)


def test_the_best_of_a_kind() -> None:
    timed = {"gradlab": Timed([1.0]), "textbook": Timed([3.0]), "jax-vjp": Timed([9.0, 1.0, 2.0])}
    assert best(timed, frozenset({"idiomatic"})) == "jax-vjp"  # the median, 2
    assert best(timed, frozenset({"manual"})) is None


MEMORY = """
import json, subprocess, sys
large = bytearray(300 * 2**20)
done = subprocess.run([sys.executable, "-c", {program!r}], capture_output=True, text=True)
print(done.stdout, done.stderr)
"""


@pytest.mark.parametrize("held", [0, 100])
def test_peak_memory_is_its_own(held: int) -> None:
    """The one that starts it has 300 MiB; it has what it takes itself, and Python's 10 or so."""
    program = (
        f"from benchmarks.worker import peak\nlarge = bytearray({held} * 2**20)\nprint(peak(1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", MEMORY.format(program=program)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = float(done.stdout)
    assert held <= found < held + 60


def test_cold_processes() -> None:
    """Memory of a process started by a small one, and the seconds it sleeps."""
    commands = [
        [sys.executable, "-S", "-c", "import time; time.sleep(0.3)"],
        [sys.executable, "-S", "-c", "large = bytearray(100 * 2**20)"],
    ]
    runs = cold(commands)
    for seconds, processor, _ in runs[0]:
        assert seconds >= 0.3
        assert processor < 0.3  # it slept
    for _, _, peak in runs[1]:
        assert 100 <= peak < 160
    assert [len(r) for r in runs] == [2, 2]


def test_a_cold_process_that_fails() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cold([[sys.executable, "-S", "-c", "raise SystemExit(3)"]])
    assert "ended with 3" in caught.value.stderr


def cold(commands: list[list[str]]) -> list[list[tuple[float, float, float]]]:
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(ROOT / "benchmarks" / "cold.py"), "2"],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_foreign_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds in which the machine was busy for three, one of them ours: one core of others."""
    clock = iter([10.0, 12.0])
    used = iter([100.0, 103.0])
    monkeypatch.setattr(foreign.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(foreign, "busy", lambda: next(used))
    load = foreign.Load()
    assert load.cores == 0
    load.begin()
    load.end(own=1.0)
    assert load.cores == 1.0


def test_the_system_counts_work() -> None:
    """Half a second of work of this process is seen in what all processes took."""
    before, own = foreign.busy(), worker._processor()
    while worker._processor() - own < 0.5:
        sum(range(1000))
    assert foreign.busy() - before >= 0.45  # counted in hundredths, per core


def test_a_worker_answers(capsys: pytest.CaptureFixture[str]) -> None:
    call: Callable[[], object] = lambda: sum(range(10))  # noqa: E731
    worker.answer(call, 1)
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"seconds", "processor", "peak"}
    assert told["seconds"] > 0


def test_every_program_is_told_apart() -> None:
    titles = [program.title for program in PROGRAMS.values()]
    assert len(set(titles)) == len(titles)
    assert {program.kind for program in PROGRAMS.values()} == {"gradlab", "idiomatic", "manual"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")
def test_a_program_keeps_to_its_cores() -> None:
    """Also where its libraries would start more threads; what it starts itself keeps to them."""
    program = (
        "import os, subprocess, sys\nfrom benchmarks.worker import keep_to\nkeep_to(1)\n"
        "child = [sys.executable, '-c', 'import os; print(len(os.sched_getaffinity(0)))']\n"
        "print(len(os.sched_getaffinity(0)), flush=True)\nsubprocess.run(child, check=True)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["1", "1"]


def test_programs_keep_their_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def says_no(env: dict[str, str]) -> str:
        command = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
        return subprocess.run(command, env=env, capture_output=True, text=True).stdout.strip()

    monkeypatch.setenv(NO_BYTE_CODE, "1")
    assert (says_no(dict(os.environ)), says_no(environment(1))) == ("True", "False")
