"""Many pieces of work at a time, in threads of this process.

numpy and LAPACK let other threads run while they compute. So threads keep several cores busy where
a call takes longer than what Python does between two calls, and unlike processes they need not be
started, sent their work or asked for its results.

Who calls sees what a plain loop would show: the results in order, the exception of the first piece
that fails, progress in his own thread, numpy's settings (`np.errstate`) in force, and a Ctrl-C that
ends it at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Generic, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Note = Callable[[], None]
Work = Callable[[Piece, Note], Result]

AGAIN = 0.1  # seconds until a worker that has not ended is told again
# held by who starts a thread, and by who ends a worker: until a thread runs, Python takes it for
# the one that starts it, and would end it instead; that one would wait for it for ever
STARTING = threading.Lock()


def each(
    work: Work[Piece, Result], pieces: Sequence[Piece], workers: int, note: Note
) -> list[Result]:
    """work(piece, note) of every piece, by at most so many workers at a time.

    note is called in the caller's thread, as often as the work calls what it is given for it.
    """
    if min(workers, len(pieces)) <= 1:
        return [work(piece, note) for piece in pieces]
    crew = _Crew(work, pieces)
    try:
        crew.start(min(workers, len(pieces)))
        return crew.results(note)
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.join()


class _Crew(Generic[Piece, Result]):
    """Threads that take piece after piece, and what they have said."""

    def __init__(self, work: Work[Piece, Result], pieces: Sequence[Piece]) -> None:
        import queue  # needless where nothing is split

        self._work, self._count = work, len(pieces)
        self._left = deque(enumerate(pieces))
        self._said: queue.SimpleQueue[Ended[Result] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, workers: int) -> None:
        for _ in range(workers):
            # a thread would begin with numpy's defaults: the caller's settings are in his context
            thread = threading.Thread(target=copy_context().run, args=(self._serve,))
            self._threads.append(thread)
            thread.start()

    def results(self, note: Note) -> list[Result]:
        """In the order of the pieces. Raises what the first one that fails has raised."""
        ended: dict[int, Ended[Result]] = {}
        found: list[Result] = []
        while len(found) < self._count:
            said = self._said.get()
            if said is None:
                note()
                continue
            ended[said.index] = said
            while len(found) in ended:
                found.append(ended.pop(len(found)).result())
        return found

    def stop(self) -> None:
        """Raise SystemExit, which ends a thread silently, wherever the workers are.

        A piece may take minutes, and what it calls knows nothing of workers. A call of numpy is
        finished first, as it is where Ctrl-C comes without threads.
        """
        import ctypes

        self._left.clear()
        end = ctypes.py_object(SystemExit)
        for thread in self._threads:
            while thread.is_alive() and thread.ident is not None:
                with STARTING:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), end)
                thread.join(AGAIN)

    def join(self) -> None:
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join()

    def _serve(self) -> None:
        while True:
            try:
                index, piece = self._left.popleft()
            except IndexError:
                return
            try:
                ended = Ended(index, [self._work(piece, self._note)])
            except BaseException as error:  # whatever it is: the caller raises it
                ended = Ended(index, [], error)
            self._said.put(ended)

    def _note(self) -> None:
        self._said.put(None)


class Ended(Generic[Result]):
    """How a piece has ended: with a result, or an exception."""

    def __init__(self, index: int, found: list[Result], error: BaseException | None = None) -> None:
        self.index, self._found, self._error = index, found, error

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._found[0]
