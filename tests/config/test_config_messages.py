"""What is wrong in a config, in our words.

- each line says what was given, what is allowed and what to do, at the place in the file
- all problems of a file come at once, sorted by line
- what was not read is not also found wrong
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradlab.cells import CELLS
from gradlab.config import Config

Refusal = Callable[..., list[str]]

KEYS = ", ".join(Config.model_fields)
WHOLE = "seq_len must be a whole number"

# what stands below `cell: rnn` -> the lines about it, without "run.yaml:"
BELOW_CELL = [
    ("seqlen: 3", ["2:1: unknown key 'seqlen' (did you mean 'seq_len'?)"]),
    ("lrr: 3", [f"2:1: unknown key 'lrr'; known here: {KEYS}"]),
    ("expect: {}", ["2:1: expect is empty: give names and what is expected of them"]),
    ("<<: {a: 1}", [f"2:1: unknown key '<<'; known here: {KEYS}"]),
    (
        "sweep: {}",
        ["2:1: this config has a 'sweep' section: use `gradlab sweep`"],
    ),
    (
        "train: {}",
        ["2:1: train.task is missing; give one of adding, temporal_order, copy, ..."],
    ),
    ("train: 5", ["2:1: train must be a mapping with a task, not 5"]),
    ("train: {task: addng}", ["2:9: unknown task 'addng' (did you mean 'adding'?); known: ..."]),
    (
        "train: {task: {type: copy, lenght: 3}}",
        ["2:28: unknown key 'train.task.lenght' (did you mean 'length'?)"],
    ),
    (
        "train: {task: {type: copy, order: 3}}",
        ["2:28: unknown key 'train.task.order': copy has no such option, temporal_order has"],
    ),
    (
        "train: {task: adding, lr: 0.1}",
        ["2:23: unknown key 'train.lr'; known here: task, updates, optimizer, ..."],
    ),
    (
        "train: {task: adding, learning_rate: 0}",
        ["2:23: train.learning_rate must be more than 0, not 0"],
    ),
    (
        "train: {task: adding, optimizer: {type: adam, beta1: 1}}",
        ["2:47: train.optimizer.beta1 must be less than 1.0, not 1"],
    ),
    (
        "train: {task: adding, stop_when: {over: 3}}",
        ["2:23: train.stop_when says nothing: give loss, or accuracy"],
    ),
    ("train: {task: language_model}", ["2:9: train.task.path is missing"]),
    (
        "train: {task: {type: language_model, path: x, max_words: 3}}",
        ["2:47: train.task.max_words is about words, and level is char; remove it"],
    ),
    ("seq_len: 0", ["2:1: seq_len must be at least 1, not 0"]),
    ("seq_len: -5", ["2:1: seq_len must be at least 1, not -5"]),
    ("seq_len: 1.5", [f"2:1: {WHOLE}, not 1.5"]),
    ("seq_len: true", [f"2:1: {WHOLE}, not true"]),
    ("seq_len: '5'", [f"2:1: {WHOLE}, not the text '5'"]),
    ("seq_len: 1_000", [f"2:1: {WHOLE}, not the text '1_000'"]),
    ("seq_len: 12:30:00", [f"2:1: {WHOLE}, not the text '12:30:00'"]),
    ("seq_len: 2024-01-01", [f"2:1: {WHOLE}, not the text '2024-01-01'"]),
    ("seq_len: yes", [f"2:1: {WHOLE}, not the text 'yes'"]),
    ("seq_len: .nan", [f"2:1: {WHOLE}, not nan"]),
    ("seq_len: {a: 1}", [f"2:1: {WHOLE}, not a mapping"]),
    ("seq_len:", ["2:1: seq_len has no value; it must be a whole number"]),
    ("seq_len: 2147483648", ["2:1: seq_len must be at most 2147483647, not 2147483648"]),
    (
        f"seq_len: {'9' * 90}",
        [f"2:1: seq_len must be at most 2147483647, not {'9' * 36} ..."],
    ),
    ("weight_scale: .nan", ["2:1: weight_scale must be a finite number, not nan"]),
    ("weight_scale: -.inf", ["2:1: weight_scale must be a finite number, not -inf"]),
    ("weight_scale: 1e999", ["2:1: weight_scale must be a finite number, not inf"]),
    ("weight_scale: nan", ["2:1: weight_scale must be a number, not the text 'nan'"]),
    ("weight_scale: -1e-3", ["2:1: weight_scale must be at least 0, not -0.001"]),
    ("init: orthogonl", ["2:1: unknown init 'orthogonl' (did you mean 'orthogonal'?); known: ..."]),
    ("init: {input: 3}", ["2:8: unknown init 3; known: ..."]),
    ("init: {bais: 2}", ["2:8: unknown key 'init.bais' (did you mean 'bias'?)"]),
    ("init: {biases: 3}", ["2:8: init.biases must be at most 2, not 3"]),
    ("init: [a]", ["2:1: init must be a name or a mapping, not ['a']"]),
    ("init: {file: ''}", ["2:8: init.file must be the path of a file, not ''"]),
    (
        "init: {file: a.npz, bias: 1, recurrent: normal}",
        [
            (
                "2:21: init.bias cannot be given with init.file, which has the weights; "
                "remove bias, recurrent"
            )
        ],
    ),
    (
        "init: {prefix: a.}",
        ["2:8: init.prefix is about names in init.file, which is not given; remove it"],
    ),
    (
        "inputs: words",
        ["2:1: unknown inputs 'words'; known: normal, zeros, constant, onehot, file, text"],
    ),
    ("inputs: text", ["2:1: inputs.path is missing"]),
    ("inputs: {std: -1}", ["2:10: inputs.std must be at least 0, not -1"]),
    ("inputs: {type: file}", ["2:1: inputs.path is missing"]),
    (
        "inputs: {path: a.npy}",
        ["2:10: unknown key 'inputs.path': normal has no such option, file and text have"],
    ),
    (
        "inputs: {type: file, path: a.npy, cut: end}",
        ["2:35: inputs.cut must be random or start, not 'end'"],
    ),
    (
        "inputs: {type: text, path: a, level: line}",
        ["2:31: inputs.level must be char or word, not 'line'"],
    ),
    (
        "inputs: {type: text, path: a, max_words: 5}",
        ["2:31: inputs.max_words is about words, and level is char; remove it"],
    ),
    (
        "inputs: {type: text, path: a, level: word, vocabulary: v, max_words: 5}",
        ["2:59: inputs.max_words cannot be given with a vocabulary, which says them all"],
    ),
    (
        "inputs: {type: text, path: a, embedding: e.npz}",
        ["2:31: inputs.embedding must be a mapping with file and name, not 'e.npz'"],
    ),
    (
        "inputs: {type: text, path: a, embedding: {name: w}}",
        ["2:31: inputs.embedding.file is missing"],
    ),
    (
        "inputs: {type: text, path: a, embedding: {file: e.npz, nome: w}}",
        ["2:56: unknown key 'inputs.embedding.nome' (did you mean 'name'?)"],
    ),
    ("inputs:", ["2:1: inputs has no value; it must be a name or a mapping"]),
    (
        "initial_state: onehot",
        ["2:1: unknown initial_state 'onehot'; known: zeros, normal, file"],
    ),
    (
        "initial_state: {type: normal, std: .inf}",
        ["2:31: initial_state.std must be a finite number, not inf"],
    ),
    ("loss: mes", ["2:1: unknown loss 'mes' (did you mean 'mse'?); known: ..."]),
    ("loss: {value: one}", ["2:8: loss.value must be ones, normal or unit, not 'one'"]),
    ("loss: {at: [1, 101]}", ["2:8: loss.at has step 101, but the last step (seq_len) is 100"]),
    ("loss: {at: [1, 1]}", ["2:8: loss.at holds 1 more than once; remove the repetition"]),
    (
        "loss: {at: [0]}",
        ["2:8: loss.at must be last, all or a list of distinct steps from 1 on, not [0]"],
    ),
    (
        "loss: {at: 5}",
        ["2:8: loss.at must be last, all or a list of distinct steps from 1 on, not 5"],
    ),
    ("clip: 0", ["2:1: clip.threshold must be more than 0, not 0"]),
    ("clip: .inf", ["2:1: clip.threshold must be a finite number, not inf"]),
    ("clip: {by: value}", ["2:1: clip.threshold is missing"]),
    (
        "clip: {threshold: 5, by: norm}",
        ["2:22: clip.by must be global_norm, value or step_norm, not 'norm'"],
    ),
    (
        "checkpoint: sqrt",
        ["2:1: checkpoint must be auto, none or a whole number of at least 1, not 'sqrt'"],
    ),
    (
        "record_every: 0",
        ["2:1: record_every must be auto or a whole number of at least 1, not 0"],
    ),
    ("spectrum: all", ["2:1: spectrum must be a mapping or none, not 'all'"]),
    ("spectrum: {step: yes}", ["2:12: spectrum.step must be largest, true or false, not 'yes'"]),
    (
        "spectrum: {values: 0}",
        ["2:12: spectrum.values must be all or a whole number of at least 1, not 0"],
    ),
    (
        "spectrum: {sequences: 17}",
        ["2:12: spectrum.sequences is 17, but there are 16 sequences (batch_size)"],
    ),
    (
        "spectrum: {poduct: true}",
        ["2:12: unknown key 'spectrum.poduct' (did you mean 'product'?)"],
    ),
    ("seeds: 0", ["2:1: seeds must be a count from 1 to 1000000, or a list of seeds, not 0"]),
    (
        "seeds: []",
        ["2:1: seeds must be a list of distinct seeds from 0 to 4294967295, not []"],
    ),
    ("seeds: [1, 1.0]", ["2:1: seeds holds 1 more than once; remove the repetition"]),
    (
        "seeds: [1, -1]",
        ["2:1: seeds must be a list of distinct seeds from 0 to 4294967295, not [1, -1]"],
    ),
    ("dtype: float16", ["2:1: dtype must be float64 or float32, not 'float16'"]),
    ("generator: 3", ["2:1: generator must be pcg64 or mt19937, not 3"]),
    ("figures: {formats: png}", ["2:11: figures.formats must be a list, not 'png'"]),
    (
        "figures: {formats: [png, jpg], dpi: 601}",
        [
            "2:26: figures.formats[1] must be png, svg or pdf, not 'jpg'",
            "2:32: figures.dpi must be at most 600, not 601",
        ],
    ),
    ("name: 5", ["2:1: name must be text in quotes, not 5"]),
    ("name: ''", ["2:1: name must be a name that does not begin or end ..."]),
    ("name: a.", ["2:1: name must be a name that does not begin or end ..."]),
    ("name: a/b", ["2:1: name must be a name and not a path: no '/', '\\' or '..', not 'a/b'"]),
    ("name: a..b", ["2:1: name must be a name and not a path: no '/', '\\' or '..', not 'a..b'"]),
    ("name: -a", ["2:1: name must be a name that does not begin with '-' or '.', not '-a'"]),
    ("name: Con.txt", ["2:1: name must be a name that Windows does not reserve, not 'Con.txt'"]),
    ('name: "a\\0b"', ["2:1: name must be text without control characters, not 'a\\x00b'"]),
    (
        f"name: {'é' * 101}",
        [f"2:1: name must be at most 100 characters (200 bytes) long, not '{'é' * 35} ..."],
    ),
]

WRONG_CELLS = [
    ("seq_len: 5", ["run.yaml: cell is missing; give one of ..."]),
    ("cell: lsmt", ["run.yaml:1:1: unknown cell 'lsmt' (did you mean 'lstm'?); known: ..."]),
    ("cell: no", ["run.yaml:1:1: unknown cell 'no'; known: ..."]),
    ("cell: 5", ["run.yaml:1:1: unknown cell 5; known: ..."]),
    ("cell:", ["run.yaml:1:1: cell has no value; it must be a name or a mapping"]),
    ("cell: [rnn]", ["run.yaml:1:1: cell must be a name or a mapping, not ['rnn']"]),
    ("cell: {activation: relu}", ["run.yaml:1:1: cell has no type; give one of ..."]),
    (
        "cell: {type: rnn, activaton: relu}",
        ["run.yaml:1:19: unknown key 'cell.activaton' (did you mean 'activation'?)"],
    ),
    (
        "cell: {type: lstm, activation: relu}",
        ["run.yaml:1:20: unknown key 'cell.activation': lstm has no such option, rnn ..."],
    ),
    (
        "cell: {type: rnn, activation: elu}",
        ["run.yaml:1:19: cell.activation must be tanh, relu or sigmoid, not 'elu'"],
    ),
    (
        "cell: {type: lstm_peephole, peepholes: [i, g]}",
        ["run.yaml:1:44: cell.peepholes[1] must be i, f or o, not 'g'"],
    ),
    (
        "cell: {type: lstm_peephole, peepholes: [i, o, i]}",
        ["run.yaml:1:29: cell.peepholes holds i more than once; remove the repetition"],
    ),
    (
        "cell: {type: lstm_peephole, peepholes: i}",
        ["run.yaml:1:29: cell.peepholes must be a list, not 'i'"],
    ),
    (
        "cell: {type: lstm, peepholes: [i]}",
        ["run.yaml:1:20: unknown key 'cell.peepholes': lstm has no such option, lstm_peephole has"],
    ),
]


def matches(lines: list[str], wanted: list[str]) -> bool:
    """Equal line by line; a wanted line that ends in "..." needs only its beginning."""
    return len(lines) == len(wanted) and all(
        line.startswith(want[:-3]) if want.endswith("...") else line == want
        for line, want in zip(lines, wanted, strict=True)
    )


@pytest.mark.fault(
    "config: unknown key, wrong type, NaN, infinity, too large, zero, names with "
    "`/`, `..`, NUL, 300 characters, leading `-`, reserved on Windows",
    "exit 2; what was given, what is allowed; did-you-mean at any depth",
)
@pytest.mark.parametrize(("setting", "lines"), BELOW_CELL)
def test_each_setting_is_refused_in_our_words(
    setting: str, lines: list[str], refusal: Refusal
) -> None:
    """One wrong setting below `cell: rnn`."""
    got = refusal(f"cell: rnn\n{setting}\n")
    assert matches(got, [f"run.yaml:{line}" for line in lines]), got


@pytest.mark.parametrize(("text", "lines"), WRONG_CELLS)
def test_cells_are_refused_in_our_words(text: str, lines: list[str], refusal: Refusal) -> None:
    """Unknown cells, options of other cells, no cell at all."""
    got = refusal(text)
    assert matches(got, lines), got


@pytest.mark.fault("config: many mistakes in one file", "all of them, sorted by line")
def test_all_problems_come_at_once_sorted_by_line(refusal: Refusal) -> None:
    """Faults of reading and of meaning together, and those of the command line last."""
    text = (
        "seqlen: 3\nweight_scale: .nan\nseq_len: 010\nclip: !x 5\ndtype: half\nloss: {at: [0]}\n"
        "dtype: float32\nbatch_size: 0\n"
    )
    assert refusal(text, "seeds=0", "cell", "inputs=tex") == [
        f"run.yaml: cell is missing; give one of {', '.join(CELLS)}",
        "run.yaml:1:1: unknown key 'seqlen' (did you mean 'seq_len'?)",
        "run.yaml:2:1: weight_scale must be a finite number, not nan",
        "run.yaml:3:10: 010 is ambiguous: write 10 (decimal), 0o10 (octal) or '010' (text)",
        "run.yaml:4:7: the tag '!x' is not allowed; a config is plain data",
        "run.yaml:6:8: loss.at must be last, all or a list of distinct steps from 1 on, not [0]",
        "run.yaml:7:1: 'dtype' is given twice, first in line 5; remove one",
        "run.yaml:8:1: batch_size must be at least 1, not 0",
        "command line, seeds=0: seeds must be a count from 1 to 1000000, or a list of seeds, not 0",
        "command line, cell: an override is key=value, for example seq_len=50; there is no '='",
        (
            "command line, inputs=tex: unknown inputs 'tex' (did you mean 'text'?); "
            "known: normal, zeros, constant, onehot, file, text"
        ),
    ]


def test_an_alias_repeats_no_problem(refusal: Refusal) -> None:
    """A fault in an anchored value is one problem, however often it is referred to."""
    lines = refusal("cell: rnn\nloss: &a {at: !x 1}\ninit: *a\n")
    assert lines == ["run.yaml:2:15: the tag '!x' is not allowed; a config is plain data"]
