"""What can be wrong with a user's file, said in one line with the line of the file."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gradlab.errors import GradlabError, Problem


class OwnCellError(GradlabError, ValueError):
    """A user's cell cannot be used; a ValueError too, as `Cell.shapes` raises for sizes."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem(message, ("cell", "type")))


class MisuseError(TypeError):
    """A matrix was used other than in a product."""


@contextmanager
def blamed(path: Path, what: str) -> Iterator[None]:
    """Whatever the user's code raises inside becomes one line: where in the file, and what.

    Numbers beyond float range are the engine's business, so numpy does not warn of them here.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except GradlabError:
        raise
    except (Exception, SystemExit) as error:
        raise OwnCellError(f"{_place(path, error)}: {what} {_raised(error)}") from error


def _place(path: Path, error: BaseException) -> str:
    """FILE:LINE, the innermost line of the file that the error passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"{path.name}:{lines[-1]}" if lines else path.name


def _raised(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"is not valid Python: {error.msg}"
    text = " ".join(str(error).split())
    if isinstance(error, MisuseError):
        return f"cannot be used: {text}"
    kind = type(error).__name__
    return f"raised {kind}: {text}" if text else f"raised {kind}"
