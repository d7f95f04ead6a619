"""From the inputs of a config to the sequences in its files, and to the sizes that they settle."""

from __future__ import annotations

from pathlib import Path

from gradlab.config import Config
from gradlab.errors import about, at
from gradlab.sequences import arrays, corpus, embedding, vocabulary
from gradlab.sequences.pieces import Cut, Pieces
from gradlab.sequences.recording import Recording
from gradlab.sequences.text import Text


def given_inputs(config: Config) -> tuple[Recording | Text | None, Config]:
    """The sequences that a config gives in files, and the config with their sizes where none were
    given; None where its inputs are drawn.

    Raises GradlabError, with the config's key, for files and sizes that do not fit.
    """
    if config.inputs.type == "file":
        return _recording(config)
    return _text(config) if config.inputs.type == "text" else (None, config)


def _recording(config: Config) -> tuple[Recording, Config]:
    options = config.inputs.options()
    with about("inputs", "path"):
        held = arrays.read(Path(options["path"]))
    sequences, steps, I = held.array.shape
    more = int(config.loss.type != "upstream" and config.loss.targets == "shifted")
    if steps <= more:
        why = "the inputs file has one step, which would be the last target; give a longer one"
        raise at(("inputs", "path"), why)
    cut: Cut = options["cut"] or ("start" if held.batch else "random")
    inputs = config.inputs.model_copy(update={"cut": cut})
    T = _given(config, "seq_len", steps - more)
    _within("seq_len", T, steps - more, "steps" + " and the last target" * more)
    pieces = Pieces(sequences, steps, T + more)
    if cut == "start":
        B = _given(config, "batch_size", sequences)
        _within("batch_size", B, sequences, "sequences; inputs.cut: random draws from them")
    else:
        B = _batch(config, pieces)
    _width(config, I, "the inputs file has")
    sizes = {"seq_len": T, "batch_size": B, "input_size": I, "inputs": inputs}
    return Recording(held, B, pieces.length, cut), config.model_copy(update=sizes)


def _text(config: Config) -> tuple[Text, Config]:
    options = config.inputs.options()
    level, entries = options["level"], None
    if options["vocabulary"] is not None:
        with about("inputs", "vocabulary"):
            entries = vocabulary.of_file(Path(options["vocabulary"]), level)
    with about("inputs", "path"):
        found = corpus.read(Path(options["path"]), level, entries, options["max_words"])
    T, symbols = config.seq_len, len(found.numbers)
    if symbols <= T:
        why = f"seq_len is {T}, which takes {T + 1} symbols with the last target"
        raise at(("seq_len",), f"{why}, but the text has {symbols}")
    rows = None
    if options["embedding"] is not None:
        with about("inputs", "embedding"):
            file, name = Path(options["embedding"]["file"]), options["embedding"]["name"]
            rows = embedding.rows(file, name, len(found.vocabulary))
    B = _batch(config, Pieces(1, symbols, T + 1))
    text = Text(found.numbers, found.vocabulary, B, T + 1, rows)
    _width(config, text.I, "the text has" if rows is None else "the embedding has")
    return text, config.model_copy(update={"batch_size": B, "input_size": text.I})


def _given(config: Config, key: str, default: int) -> int:
    """A size that the config gives, or the one that the file has."""
    return int(getattr(config, key)) if key in config.model_fields_set else default


def _batch(config: Config, pieces: Pieces) -> int:
    """How many pieces a member has: not more than there are different ones."""
    B = config.batch_size
    if "batch_size" not in config.model_fields_set:
        return min(B, pieces.count)
    there = pieces.count
    if there < B:
        why = f"batch_size is {B}, but the file has {there} different piece{'s' * (there > 1)}"
        raise at(("batch_size",), f"{why} of this length; a smaller seq_len leaves more")
    return B


def _within(key: str, size: int, most: int, what: str) -> None:
    if size > most:
        raise at((key,), f"{key} is {size}, but the inputs file has {most} {what}")


def _width(config: Config, I: int, there: str) -> None:
    """input_size may come from a weights file, too."""
    if config.init.file is not None and config.input_size != I:
        why = f"the weights file wants {config.input_size} inputs, but {there} {I}"
        hint = "; are they what it was trained on?"
        if config.inputs.type == "text":
            hint = "; give the vocabulary that it was trained with (inputs.vocabulary)"
        raise at(("inputs",), why + hint)
    if config.input_size not in (None, I):
        raise at(("input_size",), f"input_size is {config.input_size}, but {there} {I}; remove it")
