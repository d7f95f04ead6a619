"""Threads that work on one member together look like one.

Claims, for one thread, two, three and more than there are pieces:
- every piece is done once; what pieces return is in their order;
- who waits for pieces does what is left himself; without other threads all is done at once, in
  order; what was begun is done meanwhile, by another thread;
- of what is wanted next (`ahead`) each is begun before the one before is handed out, where there is
  another thread for it, and one only; else when it is asked for;
- what the first piece that fails raises arrives where the pieces are asked for, and once more where
  they are asked for again; the other threads go on to the next work;
- numpy's settings are those of who began it, also where he asks for it under others;
- an exception that leaves `team`, a Ctrl-C among them, comes when no thread is at work any more,
  and what was left is left; no thread stays, and nothing is printed;
- a worker that is ended while it starts its team ends: nobody waits for a thread that never ran;
- pieces may be shared by what is a piece itself, and a team may be within a worker's thread;
- a process that is forked from within does its own work alone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gradlab.team import Begun, ahead, begin, share, team
from gradlab.workers import each

ROOT = Path(__file__).resolve().parents[1]
SOON = 20.0  # seconds that something near-instant may take on a busy machine
THREADS = [1, 2, 3, 20]

every_number = pytest.mark.parametrize("threads", THREADS)
several = pytest.mark.parametrize("threads", THREADS[1:])
pytestmark = pytest.mark.usefixtures("no_thread_is_left")


class TroubleError(Exception):
    """What only these tests raise."""


def fail(k: int) -> None:
    raise TroubleError(f"of piece {k}")


@every_number
def test_every_piece_is_done_once(threads: int) -> None:
    done: list[int] = []
    with team(threads):
        for start in range(0, 300, 10):
            share([partial(done.append, k) for k in range(start, start + 10)])
            assert sorted(done) == list(range(start + 10))


@every_number
def test_results_are_in_the_order_of_the_pieces(threads: int) -> None:
    def slow(k: int) -> int:
        time.sleep(0.002 * (k % 3))  # they do not end in the order in which they begin
        return k**2

    with team(threads):
        found = begin([partial(slow, k) for k in range(12)])
        assert found.results() == [k**2 for k in range(12)]
        assert found.results() == [k**2 for k in range(12)]
        assert begin([]).results() == []


def test_one_thread_does_all_at_once_and_in_order() -> None:
    done: list[int] = []
    begin([partial(done.append, k) for k in range(5)])
    assert done == list(range(5))
    with team(1):
        share([partial(done.append, k) for k in range(5, 9)])
    assert done == list(range(9))


@several
def test_what_was_begun_is_done_meanwhile(threads: int) -> None:
    done = threading.Event()
    with team(threads):
        begun = begin([done.set])
        assert done.wait(SOON)  # this thread does nothing for it
        begun.results()


@every_number
def test_what_is_wanted_next_is_begun_before(threads: int) -> None:
    begun: list[int] = []

    def start(k: int) -> Begun[int]:
        begun.append(k)
        return begin([partial(pow, k, 2)])

    with team(threads):
        results = ahead(partial(lambda k: start(k).results, k) for k in range(4))
        for k, found in enumerate(results):
            assert found == [k**2]
            assert begun == list(range(min(k + 1 + (threads > 1), 4)))
        assert list(ahead([])) == []


@several
def test_what_is_wanted_next_is_done_meanwhile(threads: int) -> None:
    done = [threading.Event() for _ in range(3)]
    with team(threads):
        results = ahead(partial(lambda event: begin([event.set]).results, d) for d in done)
        next(results)
        assert done[1].wait(SOON)  # this thread does nothing for it
        assert not done[2].is_set()
        assert len(list(results)) == 2


@every_number
def test_what_is_wanted_next_may_fail(threads: int) -> None:
    with team(threads):
        results = ahead(partial(lambda k: begin([partial(fail, k)]).results, k) for k in range(2))
        with pytest.raises(TroubleError, match="piece 0"):
            next(results)


@several
def test_who_waits_does_what_is_left(threads: int) -> None:
    """All others are held up, so that this thread alone can do the pieces."""
    there, go = threading.Barrier(threads), threading.Event()

    def hold() -> None:
        there.wait(SOON)
        assert go.wait(SOON)

    done: list[threading.Thread] = []
    with team(threads):
        held = begin([hold] * (threads - 1))
        there.wait(SOON)
        share([lambda: done.append(threading.current_thread())] * 5)
        assert done == [threading.current_thread()] * 5
        go.set()
        held.results()


@several
def test_as_many_at_a_time_as_there_are_threads(threads: int) -> None:
    there = threading.Barrier(threads)  # which nobody passes until all are there
    with team(threads):
        share([lambda: there.wait(SOON)] * threads)


@every_number
def test_the_first_piece_that_fails_is_told(threads: int) -> None:
    done: list[int] = []

    def shared() -> None:
        share([partial(done.append if k < 3 else fail, k) for k in range(6)])

    with team(threads):
        with pytest.raises(TroubleError, match="of piece 3"):
            shared()
        assert sorted(done) == [0, 1, 2]
        share([partial(done.append, k) for k in range(3, 50)])
    assert sorted(done) == list(range(50))


@several
def test_a_failure_is_told_whenever_it_is_asked_for(threads: int) -> None:
    with team(threads):
        begun = begin([partial(fail, k) for k in range(6)])
        for _ in range(2):
            with pytest.raises(TroubleError, match="of piece 0"):
                begun.results()


@every_number
def test_numpys_settings_are_those_of_who_began(threads: int) -> None:
    large = np.array([1e300])
    with team(threads):
        with np.errstate(over="ignore"):
            begun = begin([lambda: large * large] * 8)
        with np.errstate(over="raise"):
            assert begun.results() == [np.inf] * 8
            with pytest.raises(FloatingPointError):
                begin([lambda: large * large] * 8).results()
            with pytest.raises(FloatingPointError):
                share([lambda: large * large] * 8)


@several
def test_an_exception_ends_all_that_was_begun(threads: int) -> None:
    """A thousand pieces would take 50 s; each thread ends the one that it is in."""
    begun, at_work = threading.Event(), set[object]()

    def slow() -> None:
        own = object()
        at_work.add(own)
        begun.set()
        time.sleep(0.05)
        at_work.discard(own)

    def interrupted() -> None:
        with team(threads):
            begin([slow] * 1000)
            assert begun.wait(SOON)
            raise TroubleError

    start = time.monotonic()
    with pytest.raises(TroubleError):
        interrupted()
    assert at_work == set()
    assert time.monotonic() - start < SOON


@every_number
def test_a_piece_may_share_pieces(threads: int) -> None:
    done: list[tuple[int, int]] = []

    def outer(k: int) -> None:
        share([partial(done.append, (k, j)) for j in range(6)])

    with team(threads):
        for _ in range(20):
            done.clear()
            share([partial(outer, k) for k in range(6)])
            assert sorted(done) == [(k, j) for k in range(6) for j in range(6)]


@every_number
def test_each_worker_may_have_a_team_of_its_own(threads: int) -> None:
    def work(piece: int, note: object) -> int:
        with team(threads):
            return sum(begin([lambda k=k: k * piece for k in range(10)]).results())

    assert each(work, range(8), 3, lambda: None) == [45 * k for k in range(8)]


INTERRUPTED = """
import signal, sys, threading, time
from gradlab.team import begin, share, team
threads, running = int(sys.argv[1]), set()
main = threading.main_thread().ident
begun = threading.Barrier(threads, lambda: signal.pthread_kill(main, signal.SIGINT))
def piece(k):
    running.add(k)
    begun.wait()
    end = time.monotonic() + (100 if threading.current_thread().ident == main else 0.3)
    while time.monotonic() < end:
        time.sleep(0.001)
    running.discard(k)
try:
    with team(threads):
        share([lambda k=k: piece(k) for k in range(2 * threads)])
except KeyboardInterrupt:
    print("interrupted", len(running), threading.active_count())
"""


@pytest.mark.parametrize("threads", [2, 3])
def test_ctrl_c_comes_when_the_others_have_ended_their_call(threads: int) -> None:
    """In a process of its own. One piece is left, the one that was interrupted."""
    command = [sys.executable, "-c", INTERRUPTED, f"{threads}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("interrupted 1 1\n", "")


ENDED = """
import time
from gradlab.team import share, team
from gradlab.workers import each

class Stop(Exception): pass

def work(piece, note):
    if piece == 0:
        time.sleep(0.0005)
        raise Stop
    with team(4):
        for _ in range(50):
            share([lambda: sum(range(300))] * 4)

for _ in range(150):
    try:
        each(work, [0, 1, 2], 3, lambda: None)
    except Stop:
        pass
"""


def test_a_worker_that_is_ended_while_it_starts_its_team_ends() -> None:
    """In a process of its own: a thread that waits for ever is ended by nothing else."""
    command = [sys.executable, "-c", ENDED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


FORKED = """
import os, sys, warnings
from gradlab.team import begin, share, team
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
with team(int(sys.argv[1])):
    share([lambda: None] * 50)
    child = os.fork()
    found = begin([lambda k=k: k for k in range(50)]).results()
    assert found == list(range(50))
    if not child:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("both")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_forked_process_works_alone(threads: int) -> None:
    command = [sys.executable, "-c", FORKED, f"{threads}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("both\n", "")
