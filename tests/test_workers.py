"""Threads that share pieces of work look like a plain loop.

Claims, for one worker, two, three and more than there are pieces:
- every piece is worked on once, and the results are in the order of the pieces;
- so many at a time as there are workers, and not more;
- the exception of the first piece that fails arrives, also where a later one fails earlier, with
  where it was raised; workers stop within what they are doing, and nothing is printed;
- notes arrive in the caller's thread, all of them;
- numpy's settings are those of the caller, and what a piece sets reaches nobody else;
- Ctrl-C while the caller waits ends all workers before it is raised;
- no thread is left, whatever happened.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradlab.workers import Note, each

ROOT = Path(__file__).resolve().parents[1]
SOON = 20.0  # seconds that something near-instant may take on a busy machine
WORKERS = [1, 2, 3, 50]

every_number = pytest.mark.parametrize("workers", WORKERS)
several = pytest.mark.parametrize("workers", WORKERS[1:])
pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def nothing() -> None:
    """Nobody is told of progress."""


class TroubleError(Exception):
    """What only these tests raise."""


@every_number
def test_results_are_in_the_order_of_the_pieces(workers: int) -> None:
    worked: list[int] = []

    def work(piece: int, note: Note) -> int:
        time.sleep(0.002 * (piece % 3))  # they do not end in the order in which they begin
        worked.append(piece)
        return piece**2

    assert each(work, range(20), workers, nothing) == [k**2 for k in range(20)]
    assert sorted(worked) == list(range(20))


@every_number
def test_nothing_to_do_is_nothing(workers: int) -> None:
    assert each(lambda piece, note: piece, [], workers, nothing) == []


@pytest.mark.parametrize("workers", [2, 3])
def test_as_many_at_a_time_as_there_are_workers(workers: int) -> None:
    # a barrier lets nobody pass until so many are there at the same time
    barrier = threading.Barrier(workers)
    now, most, lock = [0], [0], threading.Lock()

    def work(piece: int, note: Note) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        barrier.wait(SOON)
        with lock:
            now[0] -= 1
        barrier.wait(SOON)

    each(work, range(4 * workers), workers, nothing)
    assert most == [workers]


@every_number
def test_the_first_piece_that_fails_is_told(workers: int) -> None:
    late = threading.Event()

    def work(piece: int, note: Note) -> None:
        if piece == 1:
            if workers > 1:
                assert late.wait(SOON)
            raise TroubleError("of piece 1")
        if piece == 2:
            late.set()
            raise TroubleError("of piece 2")

    with pytest.raises(TroubleError, match="of piece 1") as raised:
        each(work, range(10), workers, nothing)
    assert raised.traceback[-1].name == "work"


@several
def test_the_others_end_within_what_they_do(workers: int) -> None:
    begun = threading.Event()
    cleaned: list[int] = []

    def work(piece: int, note: Note) -> None:
        if piece == 0:
            assert begun.wait(SOON)
            raise TroubleError
        try:
            begun.set()
            end = time.monotonic() + 10 * SOON
            while time.monotonic() < end:  # many short calls, as a run's
                time.sleep(0.001)
        finally:
            cleaned.append(piece)

    start = time.monotonic()
    with pytest.raises(TroubleError):
        each(work, range(1000), workers, nothing)
    assert time.monotonic() - start < SOON
    assert cleaned and len(cleaned) < 1000


@every_number
def test_notes_arrive_in_the_callers_thread(workers: int) -> None:
    heard: list[threading.Thread] = []

    def work(piece: int, note: Note) -> None:
        for _ in range(piece):
            note()

    each(work, range(8), workers, lambda: heard.append(threading.current_thread()))
    assert heard == [threading.current_thread()] * sum(range(8))


@every_number
def test_what_is_raised_by_a_note_arrives(workers: int) -> None:
    def refuse() -> None:
        raise TroubleError("enough")

    def work(piece: int, note: Note) -> None:
        note()

    with pytest.raises(TroubleError, match="enough"):
        each(work, range(8), workers, refuse)


@every_number
@pytest.mark.parametrize("setting", ["raise", "ignore"])
def test_numpys_settings_are_the_callers(workers: int, setting: str) -> None:
    def work(piece: int, note: Note) -> dict[str, str]:
        found = dict(np.geterr())
        np.seterr(over="print", divide="print")  # of its own context: nobody else sees it
        return found

    with np.errstate(over=setting, divide="ignore"):
        found = each(work, range(6), workers, nothing)
        if workers > 1:
            assert np.geterr()["over"] == setting
    assert found[0] == {**np.geterr(), "over": setting, "divide": "ignore"}


@several
def test_an_error_of_numpy_is_raised_where_the_caller_wants_it(workers: int) -> None:
    def work(piece: int, note: Note) -> float:
        return float(np.float64(1e300) * np.array([1e300])[0])

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        each(work, range(6), workers, nothing)
    with np.errstate(over="ignore"):
        assert each(work, range(6), workers, nothing) == [np.inf] * 6


INTERRUPTED = """
import signal, sys, threading, time
from gradlab.workers import each
workers, running = int(sys.argv[1]), set()
main = threading.main_thread().ident
begun = threading.Barrier(workers, lambda: signal.pthread_kill(main, signal.SIGINT))
def work(piece, note):
    running.add(piece)
    try:
        begun.wait()
        end = time.monotonic() + 100
        while time.monotonic() < end:
            time.sleep(0.001)
    finally:
        running.discard(piece)
try:
    each(work, range(4), workers, lambda: None)
except KeyboardInterrupt:
    print("interrupted", running)
"""


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_ctrl_c_ends_the_workers_first(workers: int) -> None:
    """In a process of its own: a Ctrl-C that came late would end all tests. Work takes 100 s."""
    command = [sys.executable, "-c", INTERRUPTED, f"{workers}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("interrupted set()\n", "")
