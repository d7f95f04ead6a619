"""The one exception that reaches a user.

It carries one or more problems; each is a single line that says what was given, what is allowed and
what to do. It is caught in one place, `gradlab.cli.main`, which prints the lines and exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with its place where that is known."""

    message: str
    key: Key = ()  # where in the config, e.g. ("init", "file"); () is no key in particular
    place: str = ""  # "run.yaml:7:3" once it is known
    order: tuple[int, int] = (0, 0)  # line and column, to sort by

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class GradlabError(Exception):
    """What a user did cannot be done.

    exit_code is 2 for bad usage or a bad config, 1 where the experiment itself failed.
    """

    def __init__(self, *problems: Problem | str, exit_code: int = 2) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        self.exit_code = exit_code
        super().__init__("\n".join(str(p) for p in self.problems))

    def located(self, locate: Callable[[Problem], Problem]) -> GradlabError:
        """The same error with every problem's place filled in by `locate`, sorted by place."""
        placed = sorted((locate(p) for p in self.problems), key=lambda p: p.order)
        return GradlabError(*placed, exit_code=self.exit_code)


def at(key: Key, message: str) -> GradlabError:
    """A GradlabError about one key of the config."""
    return GradlabError(Problem(message, key))


@contextmanager
def about(*key: str | int) -> Iterator[None]:
    """Errors raised inside are about this key of the config."""
    try:
        yield
    except GradlabError as error:
        raise GradlabError(*(replace(p, key=key) for p in error.problems)) from error
