"""The rules of Jenkins' schema of JUnit XML (junit-10.xsd of its xunit plugin), as own code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")  # SUREFIRE_TIME
RESULT = ({"type", "message"}, set[str](), set[str](), True)
# element -> attributes, those required, children, whether it has text
RULES: dict[str, tuple[set[str], set[str], set[str], bool]] = {
    "testsuites": (
        {"name", "time", "tests", "failures", "errors"},
        set(),
        {"testsuite"},
        False,
    ),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"}
        | {"hostname", "id", "package", "file", "log", "url"},
        {"name", "tests", "failures", "errors"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        False,
    ),
    "testcase": (
        {"name", "time", "classname", "group"},
        {"name"},
        {"skipped", "error", "failure", "system-out", "system-err"},
        False,
    ),
    "failure": RESULT,
    "error": RESULT,
    "skipped": RESULT,
    "system-out": (set(), set(), set(), True),
    "system-err": (set(), set(), set(), True),
}


def faults(text: bytes) -> list[str]:
    """What in a document is against the schema, and counts that do not add up."""
    root = ElementTree.fromstring(text)
    start = [] if root.tag in ("testsuites", "testsuite") else [f"the root is {root.tag}"]
    return [*start, *_element(root), *_counts(root)]


def _element(node: ElementTree.Element) -> Iterator[str]:
    if node.tag not in RULES:
        yield f"{node.tag} is no element"
        return
    known, required, children, text = RULES[node.tag]
    yield from (f"{node.tag} has {name}" for name in node.attrib.keys() - known)
    yield from (f"{node.tag} lacks {name}" for name in required - node.attrib.keys())
    if not TIME.fullmatch(node.get("time", "0")):
        yield f"{node.tag}: time {node.get('time')}"
    if not text and (node.text or "").strip():
        yield f"{node.tag} has text"
    for child in node:
        if child.tag not in children:
            yield f"{node.tag} contains {child.tag}"
        yield from _element(child)


def _counts(root: ElementTree.Element) -> Iterator[str]:
    """Not in the schema, but what readers show."""
    for node in root.iter():
        if node.tag not in ("testsuites", "testsuite"):
            continue
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            count = sum(1 for _ in node.iter(tag))
            if node.get(name) is not None and int(node.attrib[name]) != count:
                yield f"{node.tag} says {name}={node.get(name)}, there are {count}"
