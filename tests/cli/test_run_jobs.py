"""gradlab run --jobs: threads that share a run, and what a user sees of them.

Claims:
- the option, the environment and a project's settings say how many; what is no number is refused;
- all files have the same bytes with one job and several; provenance.json has the command;
- Ctrl-C and SIGTERM end a run in threads at once, with 130 and 143, and leave the earlier result;
- an error within a thread is one line and the same exit code, and nothing is left behind;
- a run in threads is silent, warnings being errors, also where numbers overflow;
- `gradlab check` has processes for its configs, and one thread for each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import QUIET, TINY, command, environment, process, refused

SOON = 20.0  # seconds that something near-instant may take on a busy machine
ALWAYS = """
import sys
from gradlab import split
split.BUSY = float("inf")  # threads also where they are no gain: small runs are quick to test
split.FOR_PRODUCTS = 1
"""
RUN = """
from gradlab.cli import main
sys.argv = {arguments!r}
main()
"""


def planted(*arguments: str, before: str = "") -> list[str]:
    """A command that takes threads whatever its size, with more that is changed before."""
    program = ALWAYS + before + RUN.format(arguments=["gradlab", *arguments])
    return [sys.executable, "-W", "error", "-c", program]


def run(
    *arguments: str, cwd: Path, before: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        planted(*arguments, before=before),
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


COUNT = """
from gradlab import runner
sound = runner.each
def each(work, pieces, workers, note):
    print("workers", workers, file=sys.stderr)
    return sound(work, pieces, workers, note)
runner.each = each
"""


@pytest.mark.parametrize("given", ["command line", "environment", "project file"])
def test_the_jobs_of_a_run(given: str, folder: Path) -> None:
    arguments = ["run", "c.yaml", "-q", *(["--jobs", "2"] if given == "command line" else [])]
    more = {"GRADLAB_JOBS": "2"} if given == "environment" else {}
    if given == "project file":
        (folder / "gradlab.toml").write_text("jobs = 2\n", encoding="utf-8")
    done = run(*arguments, cwd=folder, before=COUNT, **more)
    assert (done.returncode, done.stderr) == (0, "workers 2\n")
    alone = run(*arguments, "seq_len=5", "--jobs", "1", cwd=folder, before=COUNT, **more)
    assert (alone.returncode, alone.stderr) == (0, "workers 1\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("jobs", ["-1", "two", "1.5"])
def test_jobs_that_are_none_are_refused(jobs: str) -> None:
    done = command("run", "c.yaml", "--jobs", jobs)
    assert done.exit_code == 2
    assert "--jobs" in done.stderr
    assert not Path("results").exists()


def test_all_files_have_the_same_bytes(folder: Path) -> None:
    found: list[dict[str, bytes]] = []
    for jobs in ("1", "2", "3"):
        done = run("run", "c.yaml", "seeds=5", "-q", "-j", jobs, "-o", jobs, cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        found.append({path.name: path.read_bytes() for path in (folder / jobs).iterdir()})
        assert b'"-j"' in found[-1].pop("provenance.json")
    assert "record.npz" in found[0]
    assert found[0] == found[1] == found[2]


def test_a_run_in_threads_is_silent_where_numbers_overflow(folder: Path) -> None:
    for cell, scale in (("linear", "1e150"), ("rnn", "1e-150"), ("gru", "1e150")):
        spectra = "spectrum={product: true, lyapunov: true}"
        arguments = (f"cell={cell}", f"weight_scale={scale}", spectra, "seq_len=40", "seeds=5")
        done = run("run", "c.yaml", *arguments, "-q", "-j", "3", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")


LONG = "cell: rnn\nhidden_size: 48\nseq_len: 30000\nbatch_size: 2\nseeds: 8\nname: c\n" + (
    "theory: none\nspectrum: {product: true, lyapunov: true}\n" + QUIET
)  # minutes
SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


@pytest.mark.fault(
    "run: Ctrl-C, SIGTERM while threads compute", "at once; the earlier result stays"
)
@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_run_in_threads_at_once(number: signal.Signals, folder: Path) -> None:
    assert process("run", "c.yaml", cwd=folder).returncode == 0
    before = {p.name: p.read_bytes() for p in (folder / "results" / "c").iterdir()}
    (folder / "long.yaml").write_text(LONG, encoding="utf-8")
    running = subprocess.Popen(
        planted("run", "long.yaml", "--jobs", "3"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(os.listdir(f"/proc/{running.pid}/task")) < 4:  # the main thread, and three
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)  # they are at it
    sent = time.monotonic()
    running.send_signal(number)
    out, err = running.communicate(timeout=120)
    code, word = SIGNALS[number]
    assert time.monotonic() - sent < SOON
    assert (running.returncode, out) == (code, "")
    assert err == f"gradlab: {word}; nothing was written\n"
    assert {p.name: p.read_bytes() for p in (folder / "results" / "c").iterdir()} == before
    assert [p.name for p in (folder / "results").iterdir()] == ["c"]


FAILING = """
from gradlab import runner
sound = runner.compute
def compute(members, every, tick):
    if members[0].seed > 1:
        raise {error}
    return sound(members, every, tick)
runner.compute = compute
"""


@pytest.mark.fault("run: an error in one of several threads", "as without threads; nothing is left")
@pytest.mark.parametrize("jobs", ["1", "3"])
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        ("MemoryError('so much')", 1, "not enough memory (so much); use a smaller"),
        ("KeyboardInterrupt", 130, "interrupted; nothing was written"),
        ("ZeroDivisionError('odd')", 2, "internal error, please report it: ZeroDivisionError: odd"),
    ],
)
def test_an_error_in_a_thread_is_told_as_without(
    error: str, code: int, line: str, jobs: str, folder: Path
) -> None:
    before = "from gradlab import memory\nmemory.CACHE = 1\n" + FAILING.format(error=error)
    done = run("run", "c.yaml", "seeds=6", "--jobs", jobs, cwd=folder, before=before)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"gradlab: {line}") and len(done.stderr.splitlines()) == 1
    assert not (folder / "results").exists() or not list((folder / "results").iterdir())


def test_what_a_member_cannot_have_is_refused_in_one_line(folder: Path) -> None:
    arguments = ("dtype=float32", "weight_scale=1e39", "seeds=6", "--jobs", "3")
    refused(run("run", "c.yaml", *arguments, cwd=folder), "weight_scale")


def test_a_check_has_one_thread_for_each_config(folder: Path) -> None:
    (folder / "e.yaml").write_text(TINY + QUIET + "expect: {outcome: ok}\n", encoding="utf-8")
    done = run("check", "e.yaml", "--jobs", "3", "-q", cwd=folder, before=COUNT)
    assert (done.returncode, done.stderr) == (0, "workers 1\n")
