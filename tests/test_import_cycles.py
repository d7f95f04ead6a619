"""Imports go round nowhere: beside the layers, no module waits for itself.

Claims:
- the imports at the top of the modules form no cycle, and neither do those of the packages;
- a cycle that is planted is found, with its modules named.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "gradlab"

Graph = dict[str, set[str]]


def at_the_top(tree: ast.Module) -> Iterator[ast.stmt]:
    """What runs when a module is imported; not what only a type checker sees."""
    for node in tree.body:
        if isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from (*node.body, *node.orelse)
        elif isinstance(node, ast.Try):
            yield from (*node.body, *node.orelse, *node.finalbody)
        else:
            yield node


def imports(root: Path) -> Graph:
    """Module -> modules of the package that it imports when it is imported."""
    files = {}
    for path in root.rglob("*.py"):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        files[".".join(part for part in parts if part != "__init__")] = path
    graph: Graph = {}
    for name, path in files.items():
        graph[name] = set()
        for node in at_the_top(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & files.keys()
            elif isinstance(node, ast.ImportFrom) and node.module in files:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                whole = {node.module} if inner - files.keys() else set()
                graph[name] |= (inner & files.keys()) | whole
        graph[name].discard(name)
    return graph


def by_package(graph: Graph) -> Graph:
    """The same among what lies directly in the package."""
    top: Graph = {}
    for name, targets in graph.items():
        if name.count("."):
            others = {".".join(t.split(".")[:2]) for t in targets if t.count(".")}
            own = ".".join(name.split(".")[:2])
            top.setdefault(own, set()).update(others - {own})
    return top


def cycle(graph: Graph) -> list[str]:
    """The modules of a cycle, or nothing: modules that import nothing left are taken away."""
    left = {name: set(targets) for name, targets in graph.items()}
    while done := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in done:
            del left[name]
    return sorted(left)


def test_no_module_waits_for_itself() -> None:
    graph = imports(ROOT)
    assert len(graph) > 50 and sum(map(len, graph.values())) > 100
    assert cycle(graph) == []


def test_no_package_waits_for_itself() -> None:
    assert cycle(by_package(imports(ROOT))) == []


def test_a_planted_cycle_is_found(tmp_path: Path) -> None:
    root = tmp_path / "gradlab"
    root.mkdir()
    for name, text in {
        "__init__": "",
        "a": "from gradlab import b",
        "b": "from gradlab.c import f",
        "c": "",
        "d": "import gradlab.a",
    }.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    assert cycle(imports(root)) == []
    (root / "c.py").write_text("if True:\n    import gradlab.a", encoding="utf-8")
    assert cycle(imports(root)) == ["gradlab.a", "gradlab.b", "gradlab.c", "gradlab.d"]
    (root / "c.py").write_text("def f():\n    import gradlab.a", encoding="utf-8")
    assert cycle(imports(root)) == []  # later is early enough
