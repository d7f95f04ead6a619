"""A figure's SVG file as a part of an HTML page.

Within a page there is one space of names for all figures: ids get the figure's name in front, and
those that nothing refers to go (matplotlib gives some of them twice). A style sheet in a figure
would hold for the whole page: what it says becomes attributes. Comments (matplotlib writes every
text into one) and metadata go.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
STYLE = "*{stroke-linejoin: round; stroke-linecap: butt}"  # all that matplotlib's sheet says


def inline(data: bytes, key: str, title: str, description: str = "") -> str:
    """The <svg> element of a file that gradlab drew, with its ids made `key-ID`.

    title, description: HTML text, for those who do not see it. The size is left to the page.
    """
    root = ElementTree.fromstring(data)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{SVG}metadata" or child.tag == f"{SVG}style":
                assert child.tag != f"{SVG}style" or (child.text or "").strip() == STYLE
                parent.remove(child)
    wanted = _referred(root)
    for element in root.iter():
        if element.get("id") not in wanted:
            element.attrib.pop("id", None)
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = {
            name.replace(HREF, "href"): _renamed(name, value, key)
            for name, value in element.attrib.items()
        }
        element.text = element.tail = None
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    told = f'<title id="{key}-title">{title}</title>'
    told += f'<desc id="{key}-what">{description}</desc>' if description else ""
    labels = f"{key}-title {key}-what" if description else f"{key}-title"
    box = root.attrib["viewBox"]
    look = 'stroke-linejoin="round" stroke-linecap="butt"'
    return f'<svg viewBox="{box}" role="img" aria-labelledby="{labels}" {look}>{told}{body}</svg>'


def _referred(root: ElementTree.Element) -> set[str]:
    """The ids that something in the figure refers to."""
    values = [value for element in root.iter() for value in element.attrib.values()]
    return {found for value in values for found in re.findall(r"(?:url\(|^)#([\w.-]+)", value)}


def _renamed(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name == HREF:
        return f"#{key}-{value[1:]}" if value.startswith("#") else value
    return re.sub(r"url\(#", f"url(#{key}-", " ".join(value.split()))
