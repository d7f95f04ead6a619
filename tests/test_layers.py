"""The house: who may import whom.

Claims:
- every module of gradlab belongs to a layer; a new one fails until it is given one here;
- a module imports only from its own layer and from layers above it, also inside functions;
- matplotlib, typer and rich appear only in the report and the command line;
- the report never imports the engine;
- no module bears a name that says nothing;
- the checker finds an upward import that is planted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "gradlab"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "nonlinearity", "draws"),
    ("cells", "networks", "initial", "inputs", "given", "weights"),
    ("engine",),
    ("analysis",),
    ("config", "record"),
    ("spec", "plan", "points"),
    ("runner", "drawn", "ensemble", "recorded", "memory", "work"),
    (
        "store",
        "rename",
        "provenance",
        "execute",
        "cluster",
        "coordinate",
        "sweepstore",
        "sweepresult",
        "gradcheck",
    ),
    ("report",),
    ("job", "sweepjob", "cli", "api", "__main__"),
)
LAYER = {name: depth for depth, names in enumerate(LAYERS) for name in names}
REPORT = LAYER["report"]
NAMELESS = {"utils", "helpers", "common", "misc", "core"}


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Dotted names within the package, and files; the package itself is ''."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(p for p in parts if p != "__init__"), path


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(root: Path) -> list[str]:
    """What goes against the table, in words."""
    known = {name for name, _ in modules(root)}
    found = []
    for name, path in modules(root):
        top = name.split(".")[0]
        if top == "":
            continue  # the package: its lazy imports are the public calls
        if top not in LAYER:
            found.append(f"{name} belongs to no layer")
            continue
        for target in imported(path):
            first, _, rest = target.partition(".")
            if first in ("matplotlib", "typer", "rich") and LAYER[top] < REPORT:
                found.append(f"{name} imports {target}")
            if first != "gradlab" or rest not in known or rest == "":
                continue
            other = rest.split(".")[0]
            if other in LAYER and LAYER[other] > LAYER[top]:
                found.append(f"{name} imports {target}")
            if top == "report" and other == "engine":
                found.append(f"{name} imports {target}")
    return found


def test_no_module_imports_from_a_layer_below() -> None:
    assert violations(ROOT) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {part for name, _ in modules(ROOT) for part in name.split(".")}
    assert names.isdisjoint(NAMELESS)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("cells", "from gradlab.runner import run"),
        ("engine", "def f():\n    import matplotlib"),
        ("report", "from gradlab.engine import forward"),
    ],
)
def test_a_planted_upward_import_is_found(where: str, line: str, tmp_path: Path) -> None:
    for name in (where, "runner", "engine"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    assert violations(tmp_path) == []
    (tmp_path / where / "planted.py").write_text(line, encoding="utf-8")
    assert len(set(violations(tmp_path))) == 1
