"""The house: who may import whom.

Claims:
- every module of gradlab belongs to a layer; a new one fails until it is given one here;
- a folder belongs to one layer as a whole, or its modules are given theirs one by one;
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
    (
        "errors",
        "nonlinearity",
        "draws",
        "digest",
        "dotted",
        "machine",
        "archive",
        "threads",
        "alone",
        "workers",
        "team",
        "large",
    ),
    (
        *("cells", "networks", "initial", "inputs", "given", "weights", "sequences"),
        *("tasks", "lessons.optimizers"),
    ),
    ("kernels",),
    ("engine",),
    ("analysis",),
    ("config", "record"),
    (
        *("spec", "sources", "fitting", "identity", "trained", "plan", "sweeps.points"),
        *("lessons.lesson", "lessons.settling", "lessons.rows"),
    ),
    (
        *(
            "runner",
            "precision",
            "drawn",
            "chains",
            "ensemble",
            "recorded",
            "trial",
            "memory",
            "split",
            "spectral_bytes",
            "stages",
            "lasting",
            "footprint",
        ),
        *("setting", "predicted"),
        *("sweeps.work", "sweeps.forecast", "expectations.names", "expectations.judge"),
        *("expectations.possible", "expectations.checked"),
        *("training.gradient", "training.clipping", "training.state", "training.update"),
        *("training.snapshot", "training.course", "learned"),
    ),
    (
        "files",
        "theory_cache",
        "store",
        "rename",
        "provenance",
        "gradcheck",
        "critical",
        "comparison",
        "predicted_edge",
        "verify",
        "sweeps.execute",
        "sweeps.cluster",
        "sweeps.coordinate",
        "sweeps.store",
        "sweeps.taskfile",
        "sweeps.result",
        "training.kept",
    ),
    ("report",),
    (
        *("job", "sweeps.planned", "sweeps.collect", "sweeps.job", "sweeps.again", "checking"),
        *("owned", "stale", "cli", "api", "__main__"),
    ),
)
LAYER = {name: depth for depth, names in enumerate(LAYERS) for name in names}
REPORT = LAYER["report"]
NAMELESS = {"utils", "helpers", "common", "misc", "core"}


def layer(name: str) -> int | None:
    """The layer of a module: its own, or its folder's; None where it has none.

    A folder whose modules are given theirs one by one has an `__init__` that imports nothing.
    """
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        known = LAYER.get(".".join(parts[:depth]))
        if known is not None:
            return known
    return 0 if any(other.startswith(f"{name}.") for other in LAYER) else None


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
        if name == "":
            continue  # the package: its lazy imports are the public calls
        top, own = name.split(".")[0], layer(name)
        if own is None:
            found.append(f"{name} belongs to no layer")
            continue
        for target in imported(path):
            first, _, rest = target.partition(".")
            if first in ("matplotlib", "typer", "rich") and own < REPORT:
                found.append(f"{name} imports {target}")
            if first != "gradlab" or rest not in known or rest == "":
                continue
            other = layer(rest)
            if other is not None and other > own:
                found.append(f"{name} imports {target}")
            if top == "report" and rest.split(".")[0] == "engine":
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


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("points", "from gradlab.plan import settle", 0),
        ("points", "from gradlab.sweeps import work", 1),
        ("points", "from gradlab.sweeps.work import work", 1),
        ("points", "def f():\n    import gradlab.sweeps.work", 1),
        ("work", "from gradlab.sweeps.points import Task", 0),
        ("__init__", "from gradlab.sweeps.work import work", 1),
        ("planted", "", 1),
    ],
)
def test_a_folder_of_several_layers_has_them_by_module(
    name: str, line: str, found: int, tmp_path: Path
) -> None:
    (tmp_path / "sweeps").mkdir()
    for other in ("plan", "sweeps/__init__", "sweeps/points", "sweeps/work"):
        (tmp_path / f"{other}.py").write_text("", encoding="utf-8")
    (tmp_path / "sweeps" / f"{name}.py").write_text(line, encoding="utf-8")
    assert len(set(violations(tmp_path))) == found
