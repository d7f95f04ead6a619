"""A page as one HTML file: it opens from disk, asks the network for nothing, and runs no script but
those that it names by their hash.

What it shows is text from configs, files and their names: every piece of it goes through
`elements.text`. Should something slip through all the same, the page's own policy (its
Content-Security-Policy) lets no other script run and nothing load. Nothing in it depends on the
time: the same folder gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from gradlab import __version__
from gradlab.report.page.elements import text
from gradlab.report.page.sheet import sheet

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_DOCUMENT = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="gradlab $version">
<title>$title</title>
<style>
$sheet</style>
</head>
<body>
<a class="skip" href="#main">Skip to the result</a>
<header>
<p class="kind">gradlab: $kind</p>
<h1>$title</h1>
<p class="what">$what</p>
<nav aria-label="Parts of this page">
<ul>
$links
</ul>
</nav>
</header>
<main id="main">
$sections
</main>
<footer>
<p>$foot</p>
</footer>
$scripts</body>
</html>
""")


@dataclass(frozen=True)
class Section:
    """A part of a page. key: its id; title: plain text; body: HTML."""

    key: str
    title: str
    body: str


@dataclass(frozen=True)
class Page:
    """A page but for its looks; all but the sections' bodies is plain text."""

    kind: str
    title: str
    what: str
    sections: Sequence[Section]
    foot: str
    scripts: Sequence[str] = ()  # JavaScript, run in this order when all of the page is there


def document(page: Page) -> str:
    """The HTML of a whole page; sections without a body are left out."""
    sections = [section for section in page.sections if section.body]
    return _DOCUMENT.substitute(
        policy=_policy(page.scripts),
        version=text(__version__),
        sheet=sheet(),
        kind=text(page.kind),
        title=text(page.title),
        what=text(page.what),
        links="\n".join(
            f'<li><a href="#{section.key}">{text(section.title)}</a></li>' for section in sections
        ),
        sections="\n".join(map(_section, sections)),
        foot=text(page.foot),
        scripts="".join(f"<script>{script}</script>\n" for script in page.scripts),
    )


def _policy(scripts: Sequence[str]) -> str:
    """Nothing from anywhere, and of scripts these alone."""
    hashes = (base64.b64encode(hashlib.sha256(one.encode()).digest()) for one in scripts)
    allowed = " ".join(f"'sha256-{found.decode()}'" for found in hashes)
    return f"{POLICY}; script-src {allowed}" if scripts else POLICY


def _section(section: Section) -> str:
    key = section.key
    head = f'<h2 id="{key}-title">{text(section.title)}</h2>'
    return f'<section id="{key}" aria-labelledby="{key}-title">\n{head}\n{section.body}\n</section>'
