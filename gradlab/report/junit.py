"""Checks as JUnit XML, in the dialect that Jenkins' schema (junit-10.xsd) defines and that other CI
systems read: a test suite for each config, a test case for each expectation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gradlab.expectations.checked import Checked
from gradlab.report.checks import sentence, title

# what XML 1.0 cannot hold, not even as an entity
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(every: Sequence[Checked]) -> bytes:
    """The document, in UTF-8."""
    root = Element("testsuites", {"name": "gradlab check", **_counts(every)})
    for checked in every:
        suite = SubElement(
            root, "testsuite", {"name": _legal(checked.config), **_counts([checked])}
        )
        _cases(suite, checked)
        if checked.story:
            SubElement(suite, "system-out").text = _legal("\n".join(checked.story))
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _cases(suite: Element, checked: Checked) -> None:
    shared = {"classname": _legal(checked.config)}
    if checked.error:
        case = SubElement(suite, "testcase", {"name": "it runs", **shared, **_time([checked])})
        error = SubElement(case, "error", {"type": "error", "message": _legal(checked.error)})
        error.text = _legal(checked.error)
    for k, finding in enumerate(checked.findings):
        time = _time([checked] if k == 0 else [])  # one run has them all
        named = {"name": _legal(title(finding)), **shared, **time}
        case = SubElement(suite, "testcase", named)
        if not finding.passed:
            told = {"type": "expectation", "message": _legal(sentence(finding))}
            lines = (f"{checked.config}:{checked.lines[k]}", sentence(finding), *checked.story)
            SubElement(case, "failure", told).text = _legal("\n".join(lines))


def _counts(every: Sequence[Checked]) -> dict[str, str]:
    failures = sum(not finding.passed for checked in every for finding in checked.findings)
    return {
        "tests": str(sum(len(checked.findings) or 1 for checked in every)),
        "failures": str(failures),
        "errors": str(sum(bool(checked.error) for checked in every)),
        **_time(every),
    }


def _time(every: Sequence[Checked]) -> dict[str, str]:
    return {"time": f"{sum(checked.seconds for checked in every):.3f}"}


def _legal(text: str) -> str:
    """The text with what XML cannot hold as an escape: \\x1b."""
    return _FORBIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
