"""docs/reliability.md from the tests that are marked as faults: `make reliability`, `make fuzz`.

python tests/reliability.py             run the marked tests, write their table
python tests/reliability.py --fuzz N    run the random tests with N times as many examples, write
                                        how many there were, how long it took, and what failed
"""

from __future__ import annotations

import ast
import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
FUZZ = "## Random tests\n"
HEAD = """# Reliability

What must not break, each with the test that tries it. Written by `make reliability` from the tests
that are marked `fault`; not by hand.

Exit codes: 0 done, 1 the experiment or a point failed, 2 bad usage or bad config, 130 interrupted,
143 terminated. Results go to stdout, everything else to stderr.
"""
NOTHING = "`make fuzz` has not been run yet.\n"
GROUPS = {
    "config": "Configs",
    "weights": "Weights files",
    "memory": "Memory",
    "run": "Runs",
    "surroundings": "Surroundings",
    "training": "Trainings",
    "record": "Records",
    "sweep": "Sweeps",
    "dask": "Dask",
    "random": "Anything at all",
}


@dataclass(frozen=True)
class Fault:
    """A row: what goes wrong, what is expected, the test that tries it (`file::function`)."""

    what: str
    expected: str
    test: str

    @property
    def group(self) -> str:
        """What it is about."""
        return self.what.partition(": ")[0]


@dataclass(eq=False)  # pytest hashes its plugins
class Collected:
    """A plugin of pytest: how each test ended, and how many examples the random ones tried."""

    outcomes: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, count in report.user_properties:
            if name.startswith("examples: ") and report.when == "teardown":
                self.counts[name.removeprefix("examples: ")] = int(str(count))
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "call" or not report.passed:
            test = report.nodeid.partition("[")[0]
            self.outcomes.setdefault(test, []).append(report.outcome)


def collected(*arguments: str) -> Collected:
    """How the tests end that pytest finds with these arguments."""
    plugin = Collected()
    pytest.main(["-q", "--rootdir", str(ROOT), *arguments], plugins=[plugin])
    return plugin


def marked(root: Path = ROOT / "tests") -> list[Fault]:
    """The faults that are marked, read from the files: also of tests that need an extra."""
    found = []
    for path in sorted(root.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "mark.fault" in text else ():
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    what, expected = (ast.literal_eval(word) for word in mark.args)
                    place = path.relative_to(root.parent)
                    found.append(Fault(what, expected, f"{place}::{node.name}"))
    return found


def result(outcomes: Iterable[str]) -> str:
    """In a word or two."""
    found = list(outcomes)
    counts = {name: found.count(name) for name in ("passed", "failed", "skipped")}
    if counts["failed"]:
        return f"**{counts['failed']} of {len(found)} fail**"
    if not counts["passed"]:
        return "not tried here"
    return f"passes ({counts['passed']})" if counts["passed"] > 1 else "passes"


def table(faults: Sequence[Fault], outcomes: Mapping[str, list[str]]) -> str:
    """All groups, a row a fault, in the order of their names."""
    unknown = {fault.group for fault in faults} - GROUPS.keys()
    if unknown:
        raise SystemExit(f"groups of faults that are none: {', '.join(sorted(unknown))}")
    parts = []
    for group, title in GROUPS.items():
        rows = sorted((f for f in faults if f.group == group), key=lambda f: (f.what, f.test))
        if rows:
            parts += [f"\n## {title}\n\n| what goes wrong | what is expected | test | result |\n"]
            parts += ["| --- | --- | --- | --- |\n"]
            parts += [f"{row(fault)} {result(outcomes.get(fault.test, []))} |\n" for fault in rows]
    return "".join(parts)


def row(fault: Fault) -> str:
    """The cells of a fault that do not depend on the run."""
    cells = (fault.what.partition(": ")[2], fault.expected, f"`{fault.test}`")
    return "".join(f"| {cell.replace('|', chr(92) + '|')} " for cell in cells) + "|"


def fuzzed(times: int) -> str:
    """The section on the random tests, after running them."""
    os.environ["GRADLAB_FUZZ"] = str(times)
    begun = time.monotonic()
    found = collected("-m", "fuzz", str(ROOT / "tests" / "faults"))
    seconds = time.monotonic() - begun
    how = f"`make fuzz`: {times} times the examples of an ordinary test run, drawn anew each time"
    where = f"Python {platform.python_version()}, {platform.machine()}, {seconds:.0f} s"
    lines = [f"{how} by hypothesis.\n{where}.\n\n| what | examples |\n| --- | --- |\n"]
    lines += [f"| {what} | {count:,} |\n" for what, count in sorted(found.counts.items())]
    failed = ", ".join(f"`{name}`" for name in found.failed)
    return "".join(lines) + f"\nFailures: {failed or 'none'}.\n"


def written() -> str:
    """The page as it is, read when the tests are done: both targets may run at a time."""
    return PAGE.read_text(encoding="utf-8") if PAGE.is_file() else HEAD


def section(page: str) -> str:
    """What the page says of the random tests."""
    return page.partition(FUZZ)[2].strip() + "\n" if FUZZ in page else NOTHING


def without_results(page: str) -> set[str]:
    """The rows of a page, without how the tests ended."""
    return set(re.findall(r"^\| .* `tests/\S+` \|(?= )", page, re.MULTILINE))


def main() -> int:
    """Write the page; 1 where a test failed."""
    os.chdir(ROOT)
    if sys.argv[1:2] == ["--fuzz"]:
        text = fuzzed(int(sys.argv[2]))
        PAGE.write_text(
            f"{written().partition(FUZZ)[0].rstrip()}\n\n{FUZZ}\n{text}", encoding="utf-8"
        )
        return int("Failures: none" not in text)
    faults = marked()
    files = sorted({fault.test.partition("::")[0] for fault in faults})
    found = collected("-m", "fault", *files)
    text = HEAD + table(faults, found.outcomes) + f"\n{FUZZ}\n{section(written())}"
    PAGE.write_text(text, encoding="utf-8")
    return int(bool(found.failed))


if __name__ == "__main__":
    raise SystemExit(main())
