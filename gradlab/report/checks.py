"""What came of checks: a table for each config, sentences, JSON, annotations for GitHub."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from gradlab.errors import Problem
from gradlab.expectations.checked import Checked
from gradlab.expectations.judge import Finding, Value
from gradlab.report.tables import Table

HEADER = ("expected", "got", "worst seed", "")
OF = {
    "summary": "",
    "every": "every seed",
    "median": "median",
    "mean": "mean",
    "low": "low end of 95 %",
    "high": "high end of 95 %",
    "interval": "95 % interval",
}


def table(checked: Checked) -> Table:
    """A row for each expectation; below it what the run found, where one failed."""
    rows = tuple(
        (
            title(finding),
            got(finding),
            "-" if finding.worst is None else f"{finding.worst[0]}: {_shown(finding.worst[1])}",
            "ok" if finding.passed else "FAILED",
        )
        for finding in checked.findings
    )
    if checked.error:
        rows = (("it runs", "it does not", "-", "FAILED"),)
    notes = () if checked.passed else (*checked.story, *checked.error.splitlines())
    whys = tuple(f"{one.expectation.label}: {one.why}" for one in checked.findings if one.why)
    return Table(checked.config, HEADER, rows, (*whys, *notes))


def total(every: Sequence[Checked]) -> str:
    """How many of all hold."""
    count = sum(max(len(checked.findings), 1) for checked in every)
    failed = sum(_failed(checked) for checked in every)
    what = (
        f"{count} expectation{'s' * (count != 1)} in {len(every)} config{'s' * (len(every) != 1)}"
    )
    return f"{what}: {failed} FAILED" if failed else f"{what}: all hold"


def _failed(checked: Checked) -> int:
    return 1 if checked.error else sum(not finding.passed for finding in checked.findings)


def _of(finding: Finding) -> str:
    return f", {OF[finding.of]}" if OF[finding.of] else ""


def title(finding: Finding) -> str:
    """What is expected: growth_rate >= 0.1, 95 % interval."""
    return f"{finding.expectation.label} {finding.expectation.condition}{_of(finding)}"


def got(finding: Finding) -> str:
    """The value that was found; of an interval the mean and both ends."""
    first, *ends = map(_shown, finding.got)
    return f"{first} ({' to '.join(ends)})" if ends else first


def _shown(value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.4g}"


def sentence(finding: Finding) -> str:
    """What was expected, what came, and the seed that is furthest off."""
    text = f"expected {title(finding)}, got {got(finding)}"
    if finding.why:
        text += f" ({finding.why})"
    if finding.worst is not None:
        text += f"; furthest off is seed {finding.worst[0]} with {_shown(finding.worst[1])}"
    return text


def as_json(every: Sequence[Checked]) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "passed": all(checked.passed for checked in every),
        "configs": [
            {
                "config": checked.config,
                "folder": checked.folder,
                "passed": checked.passed,
                "computed": checked.computed,
                "seconds": round(checked.seconds, 3),
                "error": checked.error or None,
                "story": list(checked.story),
                "expectations": [
                    _plain(finding, line)
                    for finding, line in zip(checked.findings, checked.lines, strict=True)
                ],
            }
            for checked in every
        ],
    }


def _plain(finding: Finding, line: int) -> dict[str, Any]:
    one = finding.expectation
    told = dict(zip(("mean", "low", "high"), map(_finite, finding.got), strict=False))
    return {
        "name": one.name,
        "expected": one.form(),
        "of": finding.of,
        "got": told if len(finding.got) > 1 else _finite(finding.got[0]),
        "worst_seed": None if finding.worst is None else finding.worst[0],
        "worst": None if finding.worst is None else _finite(finding.worst[1]),
        "passed": finding.passed,
        "why": finding.why or None,
        "line": line or None,
    }


def _finite(value: Value) -> Value:
    """JSON has no infinity: in words."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def github_lines(every: Sequence[Checked]) -> list[str]:
    """Workflow commands of GitHub: an error at the expectation's own line."""
    lines = []
    for checked in every:
        if checked.error:
            lines.append(_annotation(checked.config, 0, "cannot be run", checked.error))
        for finding, line in zip(checked.findings, checked.lines, strict=True):
            if not finding.passed:
                text = "\n".join((sentence(finding), *checked.story))
                lines.append(_annotation(checked.config, line, finding.expectation.name, text))
    return lines


def github_problems(problems: Sequence[Problem]) -> list[str]:
    """The same for what is wrong with configs."""
    lines = []
    for problem in problems:
        line = problem.order[0] if problem.place.count(":") > 1 else 0
        config = problem.place.rsplit(":", 2)[0] if line else problem.place
        lines.append(_annotation(config, line, "bad config", problem.message))
    return lines


def _annotation(config: str, line: int, title: str, text: str) -> str:
    root = os.environ.get("GITHUB_WORKSPACE")
    path = os.path.relpath(config, root) if root else config
    where = f"file={_property(path)}" + (f",line={line}" if line else "")
    return f"::error {where},title={_property(title)}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
