"""Makes docs/gallery.md with its pictures from the results of the examples, and docs/figures.md:
`make gallery`.

Whatever the page says is from the files: the question opens the config, the sentence in words is
the result's verdict or a sweep's headline, what stands with a picture is the figure's own title.
Nothing is computed here, and nothing is written by hand. The README shows some of the pictures. How
to read a figure is what its module says of it, and the page of a report.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradlab.config.source import read
from gradlab.errors import GradlabError
from gradlab.record import Record
from gradlab.report import style, sweep_figures, training
from gradlab.report.figures import FIGURES, captions
from gradlab.report.markdown import escape
from gradlab.report.stored import Entry
from gradlab.report.sweep_figures import SWEEP_FIGURES
from gradlab.report.sweep_page import headline
from gradlab.store import load
from gradlab.sweeps.again import Points
from gradlab.sweeps.result import SweepResult

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parent / "configs"
IMAGES = "images/gallery"  # beside the page
DPI = 110  # 704 pixels wide
SHOWN = (  # a config and one of its figures
    ("rnn_exploding", "gradient_norms"),
    ("rnn_exploding", "singular_values"),
    ("rnn_exploding", "weight_eigenvalues"),
    ("rnn_exploding", "product_singular_values"),
    ("one_seed", "seed_spread"),
    ("spectra", "jacobian_spectrum"),
    ("spectra", "lyapunov_spectrum"),
    ("spectra", "weight_spectrum"),
    ("lstm", "gradient_norms"),
    ("lstm", "cell_paths"),
    ("lstm", "gate_histograms"),
    ("lstm", "weight_gradient"),
    ("lstm_simple", "factor_histogram"),
    ("language_model", "clipping"),
    ("truncated", "lag_split"),
    ("layers", "layer_heatmap"),
    ("bidirectional", "directions"),
    ("trained_lstm", "gradient_norms"),
    ("phase_diagram", "phase_diagram"),
    ("cells_sweep", "growth_rate"),
    ("init_sweep", "phase_diagram"),
    ("clipping", "curves"),
    ("accumulator", "categories"),
    ("train_clip", "training_loss"),
    ("train_clip", "training_clip"),
    ("train_clip", "snapshots"),
    ("train_adding", "final_loss"),
)
SWEPT = escape(next(iter(SWEEP_FIGURES)))  # the first of a sweep's
INTRODUCTION = """# Gallery

What the examples in [configs/](../configs) show. Each has its question, the command that answers
it, and what came out; [figures.md](figures.md) says how to read each figure. `make gallery` writes
this page and its pictures from the results."""
READING = f"""# How to read the figures

A run leaves those that apply to it, a sweep those from {SWEPT} on. Everywhere blue is
vanishing, green preserved, orange exploding and grey undecided; theory is a line, measurement has
markers and its spread over the seeds. The colours stay apart in grey and for colour-blind
readers, and no figure relies on them alone. [gallery.md](gallery.md) shows what the examples look
like."""


@dataclass(frozen=True)
class Picture:
    """A figure as it is on the page."""

    name: str  # of the figure
    png: bytes
    alt: str
    title: str


def page(configs: Path, results: Path, shown: tuple[tuple[str, str], ...]) -> dict[str, bytes]:
    """The files of the gallery, by their paths beside the page; gallery.md is one of them.

    Raises GradlabError where a result is missing, or has nothing to draw for a figure.
    """
    files: dict[str, bytes] = {}
    parts = [INTRODUCTION]
    for config, group in itertools.groupby(shown, key=lambda one: one[0]):
        source = configs / f"{config}.yaml"
        swept = "sweep" in read(source).data
        made = _of_sweep if swept else _of_run
        said, pictures = made(results / config, [figure for _, figure in group])
        trained = "train" in read(source).data
        word = "sweep" if swept else "train" if trained else "run"
        command = f"gradlab {word} configs/{config}.yaml"
        parts += [f"## {escape(config)}", escape(question(source)), f"    {command}"]
        parts += [escape(sentence) for sentence in said]
        for picture in pictures:
            path = f"{IMAGES}/{config}-{picture.name}.png"
            files[path] = picture.png
            parts.append(f"![{escape(picture.alt)}. {escape(picture.title)}]({path})")
            if picture.title:
                parts.append(f"*{escape(picture.title)}*")
    files["figures.md"] = reading(shown).encode()
    files["gallery.md"] = ("\n\n".join(parts) + "\n").encode()
    return files


def reading(shown: tuple[tuple[str, str], ...]) -> str:
    """The text of figures.md: every figure with its question, one picture, and how to read it."""
    parts = [READING]
    entries: dict[str, Entry] = {**FIGURES, **SWEEP_FIGURES}
    for name, entry in entries.items():
        asks, _, explains = entry.caption.partition("\n\n")
        parts += [f"## {escape(name)}", f"*{escape(asks)}*", escape(explains)]
        for config in [config for config, figure in shown if figure == name][:1]:
            parts.append(f"![{escape(entry.alt)}]({IMAGES}/{config}-{name}.png)")
    return "\n\n".join(parts) + "\n"


def question(config: Path) -> str:
    """The comment that opens a config, to its last question mark."""
    lines = itertools.takewhile(
        lambda line: line.startswith("#"), config.read_text(encoding="utf-8").splitlines()
    )
    text = " ".join(line.removeprefix("#").strip() for line in lines)
    return text[: text.rindex("?") + 1]


def _of_run(folder: Path, names: list[str]) -> tuple[list[str], list[Picture]]:
    """The verdict in words, and the pictures."""
    record = load(folder)
    return [training.headline(record)], [_picture(record, name) for name in names]


def _picture(record: Record, name: str) -> Picture:
    entry = FIGURES[name]
    if not entry.applies(record):
        raise GradlabError(f"the result has nothing to draw for {name}; choose another example")
    with style.applied():
        figure = style.new_figure(entry.size)
        ax = figure.add_subplot()
        entry.draw(ax, record)
        captions.make_room(figure, ax)
        title = ax.get_title(loc="left").replace("\n", " ")
        return Picture(name, style.rendered(figure, "png", DPI), entry.alt, title)


def _of_sweep(folder: Path, names: list[str]) -> tuple[list[str], list[Picture]]:
    """The headline of a sweep, and the pictures."""
    points = Points(SweepResult(folder), _refuse)
    if not points.whole:
        raise GradlabError(f"{str(folder)!r} is not finished: gradlab sweep goes on with it")
    drawn = sweep_figures.rendered(points.axes, points.rows, points.curves, ["png"], DPI)
    found = {name: data for name, _, data in drawn}
    missing = [name for name in names if name not in found]
    if missing:
        raise GradlabError(f"{str(folder)!r} has nothing to draw for {', '.join(missing)}")
    pictures = [Picture(name, found[name], SWEEP_FIGURES[name].alt, "") for name in names]
    return headline(points.axes, points.rows), pictures


def _refuse(problem: str) -> None:
    raise GradlabError(problem)


def write(files: dict[str, bytes], folder: Path) -> Iterator[Path]:
    """Write the files beside each other, and remove pictures that are no longer shown."""
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    for old in (folder / IMAGES).glob("*.png"):
        if f"{IMAGES}/{old.name}" not in files:
            old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        yield folder / name


def main() -> None:
    """The command line: --results, where the examples' results are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args()
    for path in write(page(CONFIGS, given.results, SHOWN), HERE):
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
