"""A few threads that work on one member together.

A large product is cut into pieces of its rows, and whoever is free takes the next one (`share`).
What can wait, such as the gradients of the parameters, is begun and asked for later (`begin`), and
so is what will be wanted next, such as the input products of the next steps (`ahead`): threads that
have nothing else to do take its pieces meanwhile, and who asks for it does what is left. So nobody
waits for work that he could do himself. What the pieces are says the caller, by sizes alone:
without other threads the same pieces are done, one after the other, where they are begun.

The threads are there within `team`. Handing a piece over takes some 20 microseconds: a queue, and
a thread that sleeps until something is in it. A piece is run under the numpy settings
(`np.errstate`) of who began it, and what it raises is raised where it is asked for. A Ctrl-C, or
any exception that leaves `team`, is raised once every thread has ended the call that it is in; no
other piece is begun.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from gradlab.workers import STARTING, Ended

if TYPE_CHECKING:
    from queue import SimpleQueue

Result = TypeVar("Result")
Piece = Callable[[], Result]


@contextmanager
def team(threads: int) -> Iterator[None]:
    """Within, pieces are shared by so many threads, the caller's own being one of them."""
    if threads <= 1:
        yield
        return
    crew = _Crew()
    before = _CREW.set(crew)
    try:
        crew.start(threads - 1)
        yield
    finally:
        _CREW.reset(before)
        crew.end()


def share(pieces: Iterable[Piece[Any]]) -> None:
    """Do all pieces, and come back when all are done."""
    crew = _CREW.get()
    if crew is None:
        for piece in pieces:
            piece()
    else:
        crew.begin(pieces, keep=1).results()


def begin(pieces: Iterable[Piece[Result]]) -> Begun[Result]:
    """Have pieces done by whoever is free; at once, where there are no other threads."""
    crew = _CREW.get()
    return _Done([piece() for piece in pieces]) if crew is None else crew.begin(pieces)


def ahead(begins: Iterable[Callable[[], Callable[[], Result]]]) -> Iterator[Result]:
    """What is begun by each, one after the other: begins are called for what waits for the result.

    Where there are other threads, each is begun before the result of the one before is handed out;
    else when its result is asked for, as it would be in a plain loop.
    """
    waiting: deque[Callable[[], Result]] = deque()
    most = 0 if _CREW.get() is None else 1
    for begun in begins:
        waiting.append(begun())
        if len(waiting) > most:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


class Begun(Protocol[Result]):
    """Pieces of which some may be done, some are being worked on, and some are left."""

    def results(self) -> list[Result]:
        """What the pieces have returned, in their order; what is left is done now. Raises what the
        first piece that failed has raised.
        """


class _Shared(Generic[Result]):
    """Pieces that several threads take from."""

    def __init__(self, pieces: Iterable[Piece[Result]], told: SimpleQueue[None]) -> None:
        """told: where there is a word for each piece that another thread has ended."""
        self._left = deque(enumerate(pieces))
        self._ended: deque[Ended[Result]] = deque()
        self._count = self._awaited = len(self._left)
        self._told, self._context = told, copy_context()

    def __len__(self) -> int:
        return self._count

    def results(self) -> list[Result]:
        self._awaited -= self._context.run(self._rest)
        while self._awaited:
            self._told.get()
            self._awaited -= 1
        return [each.result() for each in sorted(self._ended, key=attrgetter("index"))]

    def context(self) -> Context:
        """That of who began it, numpy's settings among it; each thread needs one of its own."""
        return self._context.copy()

    def help(self, crew: _Crew) -> None:
        """Do pieces in another thread, as long as there are any."""
        for _ in self._work():
            self._told.put(None)
            if crew.over:
                return

    def _rest(self) -> int:
        """Do what is left; how many pieces that was."""
        return sum(1 for _ in self._work())

    def _work(self) -> Iterator[None]:
        """Piece after piece, each when the next one is asked for."""
        while True:
            try:
                index, piece = self._left.popleft()
            except IndexError:
                return
            try:
                ended = Ended(index, [piece()])
            except Exception as error:  # raised where the results are asked for
                ended = Ended(index, [], error)
            self._ended.append(ended)
            yield


class _Done(Generic[Result]):
    """Pieces that were done where they were begun."""

    def __init__(self, found: list[Result]) -> None:
        self._found = found

    def results(self) -> list[Result]:
        return self._found


class _Crew:
    """The other threads, and what they are told to help with."""

    def __init__(self) -> None:
        import queue  # needless where nothing is shared

        self.over = False
        self._queue = queue.SimpleQueue
        self._calls: SimpleQueue[_Shared[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, threads: int) -> None:
        with STARTING:
            for _ in range(threads):
                # a daemon: who is interrupted twice may not come to tell it that all is over
                self._threads.append(threading.Thread(target=self._serve, daemon=True))
                self._threads[-1].start()

    def begin(self, pieces: Iterable[Piece[Result]], keep: int = 0) -> Begun[Result]:
        """keep: pieces that the caller will do himself, at once."""
        begun = _Shared(pieces, self._queue())
        for _ in range(min(len(begun) - keep, len(self._threads))):
            self._calls.put(begun)
        return begun

    def end(self) -> None:
        """Nothing is left where all went well; else whatever is left is left undone."""
        self.over = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self.over:
                call.context().run(call.help, self)
            del call  # what is done is not kept until there is more to do


_CREW: ContextVar[_Crew | None] = ContextVar("crew", default=None)
