"""What a process may spare that is gradlab's own: the command, not a program that imports gradlab.

Nobody asks there for the help texts of a library, and what was loaded lives until the end: a search
for garbage in it takes a tenth of a run with figures, and finds nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# objects made before the first search for garbage: about as many as loading makes, where there is
# none. At python's 700 loading means hundreds of searches
OBJECTS = 100_000

_usual: tuple[int, int, int] | None = None  # python's own pace; None: the process is not ours


def begin() -> None:
    """Called by the command, before anything else is loaded: no search for garbage before so many
    objects were made; from the first one on python's own pace.
    """
    global _usual
    _usual = gc.get_threshold()
    gc.callbacks.append(_back)
    gc.set_threshold(OBJECTS)


def is_so() -> bool:
    """Whether the process is gradlab's own."""
    return _usual is not None


@contextmanager
def loading() -> Iterator[None]:
    """For what is loaded late, and large: no search for garbage meanwhile, and from then on, at
    python's own pace, in what is made later. Elsewhere than in the command: nothing.

    Figures are garbage when they are drawn, each as large as its picture.
    """
    if _usual is None:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(*_usual)


def _back(phase: str, info: dict[str, int]) -> None:
    """At the first search: python's own pace."""
    assert _usual is not None
    gc.set_threshold(*_usual)
    gc.callbacks.remove(_back)
