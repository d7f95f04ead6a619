"""The figures of a record, one file each: FIGURES names them, `save` writes them.

A figure is a module with `draw(ax, record)` and `applies(record)`; its docstring says what it
shows and how to read it. matplotlib is imported when something is drawn, and no sooner; no window
system is touched and no global setting of matplotlib is changed. The same record gives the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.report import style
from gradlab.report.figures import (
    captions,
    cell_paths,
    clipping,
    directions,
    factor_histogram,
    gate_histograms,
    gradient_norms,
    jacobian_spectrum,
    lag_split,
    layer_heatmap,
    lyapunov_spectrum,
    product_singular_values,
    seed_spread,
    singular_values,
    snapshots,
    training_clip,
    training_loss,
    weight_eigenvalues,
    weight_gradient,
    weight_spectrum,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Figure:
    """One figure: how it is drawn, whether there is anything to draw, and what it shows."""

    draw: Callable[[Axes, Record], None]
    applies: Callable[[Record], bool]
    alt: str  # one line, for those who do not see it
    caption: str  # what it shows and how to read it
    size: tuple[float, float] = style.SIZE  # inches


def _figure(module: ModuleType, alt: str) -> Figure:
    return Figure(
        module.draw,
        module.applies,
        alt,
        (module.__doc__ or "").strip(),
        getattr(module, "SIZE", style.SIZE),
    )


FIGURES: dict[str, Figure] = {
    "training_loss": _figure(training_loss, "Loss at every update, on a logarithmic axis"),
    "training_clip": _figure(
        training_clip, "Norm of the gradient before and after clipping at every update"
    ),
    "snapshots": _figure(
        snapshots, "Norm of the gradient at every step, for successive snapshots of a training"
    ),
    "gradient_norms": _figure(
        gradient_norms, "Norm of the gradient at every step, on a logarithmic axis"
    ),
    "seed_spread": _figure(
        seed_spread, "What is left of the gradient in every seed, with the mean and the median"
    ),
    "singular_values": _figure(
        singular_values, "Singular values of the Jacobian of every step, on a logarithmic axis"
    ),
    "product_singular_values": _figure(
        product_singular_values,
        "Singular values of the products of Jacobians, on a logarithmic axis",
    ),
    "lyapunov_spectrum": _figure(
        lyapunov_spectrum, "All Lyapunov exponents, from the largest to the smallest"
    ),
    "jacobian_spectrum": _figure(
        jacobian_spectrum, "How often the Jacobian of a step has which singular value"
    ),
    "weight_spectrum": _figure(
        weight_spectrum, "How often the recurrent matrix has which singular value"
    ),
    "weight_eigenvalues": _figure(
        weight_eigenvalues, "Eigenvalues of the recurrent matrix and the unit circle"
    ),
    "weight_gradient": _figure(
        weight_gradient, "Norm of every step's term in the gradient of the recurrent weights"
    ),
    "lag_split": _figure(
        lag_split, "Norm of the part of the weights' gradient that comes from every lag"
    ),
    "layer_heatmap": _figure(
        layer_heatmap, "Norm of the gradient as a colour, for every step and every layer"
    ),
    "directions": _figure(
        directions, "Norm of the gradient of both directions against the distance that it travelled"
    ),
    "cell_paths": _figure(
        cell_paths, "Norm of every path from one cell state to the one before, at every step"
    ),
    "gate_histograms": _figure(
        gate_histograms, "How often each gate, or the activation, has which value"
    ),
    "clipping": _figure(
        clipping, "How often the gradient has which norm before clipping, and the threshold"
    ),
    "factor_histogram": _figure(
        factor_histogram, "How often the factor of a step has which value between 0 and 1"
    ),
}


def save(
    record: Record,
    folder: Path,
    formats: Sequence[str],
    dpi: int = style.DPI,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Write the figures that apply to folder/NAME.FORMAT; the paths, in the order of FIGURES.

    formats: png, svg, pdf. names: of the figures wanted, all by default. Raises GradlabError for a
    name or a format that there is not, before anything is written.
    """
    paths = []
    for name, extension, data in rendered(record, formats, dpi, names):
        paths.append(folder / f"{name}.{extension}")
        paths[-1].write_bytes(data)
    return paths


def titled(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Files of figures, each with its alt text."""
    return [(path, FIGURES[path.stem].alt) for path in paths]


def rendered(
    record: Record,
    formats: Sequence[str],
    dpi: int = style.DPI,
    names: Sequence[str] | None = None,
) -> Iterator[tuple[str, str, bytes]]:
    """The figures that apply, one after the other: name, format, the file's bytes.

    Raises GradlabError for a name or a format that there is not, before anything is drawn.
    """
    wanted = _known(FIGURES if names is None else names)
    formats = style.formats(formats)
    drawn = [name for name in wanted if formats and FIGURES[name].applies(record)]
    return (file for name in drawn for file in _rendered(name, record, formats, dpi))


def _known(names: Iterable[str]) -> list[str]:
    """Those names in the order of FIGURES."""
    given = list(names)
    for name in given:
        if name not in FIGURES:
            raise GradlabError(f"unknown figure {name!r}; known: {', '.join(FIGURES)}")
    return [name for name in FIGURES if name in given]


def _rendered(
    name: str, record: Record, formats: Sequence[str], dpi: int
) -> list[tuple[str, str, bytes]]:
    """One figure in all formats."""
    with style.applied():
        figure = style.new_figure(FIGURES[name].size)
        ax = figure.add_subplot()
        FIGURES[name].draw(ax, record)
        captions.make_room(figure, ax)
        return [(name, form, style.rendered(figure, form, dpi)) for form in formats]
