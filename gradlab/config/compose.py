"""YAML text to a tree of nodes, bounded before anything is expanded.

An alias stands for a whole subtree, and a few hundred bytes of nested aliases for 10^8 leaves. The
size and height of what an alias stands for are known when it is met, so it is counted, not copied.
"""

from __future__ import annotations

from typing import Any

import yaml

from gradlab.config.scalars import CORE
from gradlab.errors import GradlabError, Problem

MAX_DEPTH = 50
MAX_NODES = 10_000


class _Refused(yaml.MarkedYAMLError):
    """Well-formed YAML that a config must not hold."""


class _Composer(yaml.SafeLoader):
    """Composes nodes with the core schema's tags; raises _Refused beyond the bounds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0  # in the expanded tree, so far
        self._depth = 0  # of the node being composed
        self._deepest = 0  # reached since the innermost node that is still open began
        self._extent: dict[yaml.Node, tuple[int, int]] = {}  # finished node -> (nodes, height)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node; overrides the step that PyYAML's composer recurses through."""
        events: Any = self  # the method has no types in PyYAML's stubs
        mark = events.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if node not in self._extent:
                raise _Refused(problem="an alias refers to what contains it", problem_mark=mark)
            self._count(*self._extent[node], mark)
            return node
        before, deepest = self._nodes, self._deepest
        self._count(1, 1, mark)
        self._deepest = self._depth = self._depth + 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        assert node is not None
        self._extent[node] = (self._nodes - before, self._deepest - self._depth)
        self._deepest = max(deepest, self._deepest)
        return node

    def _count(self, nodes: int, height: int, mark: yaml.Mark) -> None:
        self._nodes += nodes
        self._deepest = max(self._deepest, self._depth + height)
        if self._depth + height > MAX_DEPTH:
            text = f"nested more than {MAX_DEPTH} levels deep; a config needs about three"
            raise _Refused(problem=text, problem_mark=mark)
        if self._nodes > MAX_NODES:
            text = f"more than {MAX_NODES} values, aliases expanded; a config needs about a hundred"
            raise _Refused(problem=text, problem_mark=mark)


_Composer.yaml_implicit_resolvers = {}  # none of YAML 1.1
for _tag, _pattern in CORE.items():
    _Composer.add_implicit_resolver(_tag, _pattern, None)


def compose(text: str, name: str) -> yaml.Node | None:
    """The root node of the one document in `text`, None where there is nothing in it.

    Raises GradlabError, placed in `name`, where the text is no YAML or beyond the bounds.
    """
    line, column = 1, 1
    try:
        return _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        message = _message(fault)
    except yaml.reader.ReaderError as fault:
        line, column = _line_and_column(text, fault.position)
        message = f"the character {text[fault.position]!r} is not allowed in YAML; remove it"
    except (ValueError, OverflowError):  # from int() or chr() inside PyYAML: no place is known
        message = 'not valid YAML: a number or an escape (such as "\\U...") is out of range'
    raise GradlabError(Problem(message, (), f"{name}:{line}:{column}", (line, column))) from None


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


def _message(fault: yaml.MarkedYAMLError) -> str:
    """One line, and below it the line of the file with a caret where that helps."""
    problem, mark = fault.problem or "no YAML", fault.problem_mark
    if isinstance(fault, _Refused):
        return problem
    if problem == "but found another document":
        return "a second document starts here; a config is one document: remove the line ---"
    start, context = fault.context_mark, ""
    if fault.context is not None and start is not None:
        context = f" {fault.context} that begins in line {start.line + 1}"
    snippet = mark.get_snippet(max_length=80) if mark is not None else None
    if snippet is None:
        return f"not valid YAML: {problem}{context}"
    if "\t" in snippet.split("\n")[0][4:].partition("#")[0]:
        snippet = snippet.replace("\t", " ")
        problem = "a tab; indent and separate with spaces"
    return f"not valid YAML: {problem}{context}\n{snippet}"
