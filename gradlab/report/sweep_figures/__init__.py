"""The figures of a sweep, one file each: SWEEP_FIGURES names them, `save` writes them.

A figure is a module with `draw(figure, grid)` and `applies(grid)`; its docstring says what it shows
and how to read it. As with the figures of a record, matplotlib is imported when something is drawn,
none of its global settings is changed, and the same sweep gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gradlab.files import write_whole
from gradlab.report import style
from gradlab.report.sweep_figures import (
    categories,
    curves,
    final_loss,
    growth_rate,
    phase_diagram,
)
from gradlab.report.sweep_figures.grid import AxisValues, Curves, Grid, grid
from gradlab.report.sweep_table import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SweepFigure:
    """One figure: how it is drawn, whether there is anything to draw, and what it shows."""

    draw: Callable[[Figure, Grid], None]
    applies: Callable[[Grid], bool]
    alt: str  # one line, for those who do not see it
    caption: str  # what it shows and how to read it


def _figure(module: ModuleType, alt: str) -> SweepFigure:
    return SweepFigure(module.draw, module.applies, alt, (module.__doc__ or "").strip())


SWEEP_FIGURES: dict[str, SweepFigure] = {
    "final_loss": _figure(
        final_loss, "Loss at the end of every training, with its interval, and the baseline"
    ),
    "phase_diagram": _figure(
        phase_diagram, "Growth rate in colours over two swept numbers, with the edge at zero"
    ),
    "growth_rate": _figure(growth_rate, "Growth rate along a swept number, with its interval"),
    "categories": _figure(categories, "Growth rate for every category, with its interval"),
    "curves": _figure(
        curves, "Norm of the gradient at every step for every point, on a logarithmic axis"
    ),
}


def save(
    axes: Sequence[AxisValues],
    rows: Sequence[Row],
    curves: Curves | None,
    folder: Path,
    formats: Sequence[str],
    dpi: int = style.DPI,
) -> list[Path]:
    """Write the figures that apply to folder/NAME.FORMAT; the paths, in the order of SWEEP_FIGURES.

    Each appears under its name whole. formats: png, svg, pdf. curves: t and the median of
    log10 ||dL/dh_t||, by a row's index; None leaves the figure of them out. Raises GradlabError for
    an unknown format, before anything is written, and where a file cannot be written.
    """
    paths = []
    for name, extension, data in rendered(axes, rows, curves, formats, dpi):
        paths.append(folder / f"{name}.{extension}")
        write_whole(paths[-1], data)
    return paths


def rendered(
    axes: Sequence[AxisValues],
    rows: Sequence[Row],
    curves: Curves | None,
    formats: Sequence[str],
    dpi: int = style.DPI,
) -> Iterator[tuple[str, str, bytes]]:
    """The figures that apply, one after the other: name, format, the file's bytes.

    Raises GradlabError for an unknown format, before anything is drawn.
    """
    formats = style.formats(formats)
    if not formats:
        return iter(())
    made = grid(axes, rows, curves)
    drawn = [name for name, entry in SWEEP_FIGURES.items() if entry.applies(made)]
    return (file for name in drawn for file in _rendered(name, made, formats, dpi))


def _rendered(
    name: str, made: Grid, formats: Sequence[str], dpi: int
) -> list[tuple[str, str, bytes]]:
    """One figure in all formats."""
    with style.applied():
        figure = style.new_figure()
        SWEEP_FIGURES[name].draw(figure, made)
        return [(name, form, style.rendered(figure, form, dpi)) for form in formats]
