"""Report and figures again, from what a folder holds; nothing is computed again.

Every file appears whole. A figure of a format that is not wanted now is left as it is: it shows the
same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gradlab.config import from_mapping
from gradlab.config.dump import to_yaml
from gradlab.config.sections import Figures
from gradlab.config.source import Source, read
from gradlab.errors import GradlabError
from gradlab.files import ResultFiles, reason, write_whole
from gradlab.record import Record
from gradlab.report import figures, markdown
from gradlab.report.page import of_run
from gradlab.report.page.elements import Drawing
from gradlab.store import Folder, load

Say = Callable[[str], None]
PAGE = "report.html"


@dataclass(frozen=True)
class Wanted:
    """What is to be written beside report.md."""

    formats: Sequence[str] | None = None  # of figures; None: those of the config
    html: bool = False


@dataclass(frozen=True)
class Setup:
    """What the config in a results folder says of its report."""

    name: str
    formats: Sequence[str]
    dpi: int
    text: str | None  # of the file; None where it cannot be read

    def drawn(self, wanted: Wanted) -> list[str]:
        """The formats to draw: those of the files, and what the page has in it."""
        page = ["svg"] if wanted.html and "svg" not in self.formats else []
        return [*self.formats, *page]


class Entry(Protocol):
    """What is said of a figure, whether of a run or of a sweep."""

    @property
    def alt(self) -> str:
        """One line, for those who do not see it."""

    @property
    def caption(self) -> str:
        """What it shows and how to read it."""


def again(path: Path, wanted: Wanted, say: Say) -> list[Path]:
    """Write the report of a run; the paths that were written, the pages last.

    say is told what a user should know, a line at a time. Raises GradlabError where there is no
    run, its record is torn, a format is unknown, or a file cannot be written.
    """
    folder = Folder(path)
    record = load(path)
    setup = read_setup(folder.config, path, wanted, say)
    drawn = figures.rendered(record, setup.drawn(wanted), setup.dpi)
    written, drawings = write_figures(path, drawn, figures.FIGURES, setup)
    write_whole(folder.report, markdown.report(record, setup.name, figures.titled(written)))
    written.append(folder.report)
    if wanted.html:
        config = setup.text if setup.text is not None else _config_of(record)
        origin = read_provenance(folder, say)
        write_whole(path / PAGE, of_run.page(record, setup.name, config, origin, drawings))
        written.append(path / PAGE)
    return written


def write_figures(
    folder: Path,
    drawn: Iterable[tuple[str, str, bytes]],
    entries: Mapping[str, Entry],
    setup: Setup,
) -> tuple[list[Path], list[Drawing]]:
    """Write the figures (name, format, bytes) of the formats that are kept as files; their paths,
    and those for the page.
    """
    written: list[Path] = []
    drawings: list[Drawing] = []
    for name, form, data in drawn:
        if form in setup.formats:
            written.append(folder / f"{name}.{form}")
            write_whole(written[-1], data)
        if form == "svg":
            drawings.append(Drawing(name, data, entries[name].alt, entries[name].caption))
    return written, drawings


def read_setup(config: Path, folder: Path, wanted: Wanted, say: Say) -> Setup:
    """What the config says of the report, or the defaults where it cannot be read, which is said.

    wanted.formats go before those of the config.
    """
    name, text = folder.resolve().name, None
    said = Figures()
    try:
        source = read(config)
        text = config.read_text(encoding="utf-8")
        if isinstance(source.data.get("name"), str):
            name = source.data["name"]
        said = _figures(source)
    except GradlabError as error:
        why = "; ".join(map(str, error.problems))
        say(f"{why}; its figures are drawn in the usual way")
    formats = said.formats if wanted.formats is None else wanted.formats
    return Setup(name, formats, said.dpi, text)


def _figures(source: Source) -> Figures:
    """What a config says of figures, whatever else is in it. Raises GradlabError."""
    if "figures" not in source.data:
        return Figures()
    try:
        return from_mapping({"cell": "linear", "figures": source.data["figures"]}).config.figures
    except GradlabError as error:
        raise error.located(source.locate) from error


def read_provenance(folder: ResultFiles, say: Say) -> dict[str, Any]:
    """What provenance.json says, without the place of the config on the disk; {} for none.

    The page may be sent to others: the relative path says enough.
    """
    try:
        found = json.loads(folder.provenance.read_text(encoding="utf-8"))
    except OSError as error:
        say(f"{folder.provenance} cannot be read: {reason(error)}")
        return {}
    except (ValueError, RecursionError):
        say(f"{folder.provenance} is no JSON")
        return {}
    if not isinstance(found, dict):
        say(f"{folder.provenance} holds no mapping")
        return {}
    if isinstance(found.get("config"), dict):
        found["config"] = found["config"].get("relative")
    return found


def _config_of(record: Record) -> str:
    return "# of the record: config.yaml cannot be read\n" + to_yaml(record.config)
