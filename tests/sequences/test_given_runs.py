"""Runs with inputs from files.

Claims:
- a run on a text is the run on one-hot sequences that hold the pieces of the text, bit by bit, and
  so is a run with the identity matrix as embedding; the targets are the next symbols;
- a seed is the same in any company, with any checkpoints, in a sweep, in another process, and
  whether the file is mapped or not; both directions read the same piece;
- a file whose sizes are taken as they are is used as it is; what is not given is settled by it;
- a file is known by its contents: neither its name nor its folder; vocabulary and embedding too;
- the resolved config runs again; the example data are what their page says.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradlab
from gradlab import memory
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member
from gradlab.plan import settle
from gradlab.record import Record
from gradlab.sequences import arrays
from gradlab.spec import Spec

ROOT = Path(__file__).resolve().parents[2]
RIVER = ROOT / "configs/data/river.txt"
STORY = RIVER.read_text("utf-8")
SHIFTED = {"type": "cross_entropy", "at": "all", "targets": "shifted"}
SMALL: dict[str, Any] = {"cell": "lstm", "hidden_size": 5, "batch_size": 3, "seq_len": 40}
TEXT: dict[str, Any] = {**SMALL, "loss": SHIFTED, "inputs": {"type": "text", "path": str(RIVER)}}


def planned(config: dict[str, Any]) -> Spec:
    return settle(from_mapping(config).config)[1]


def drawing(spec: Spec) -> Drawing:
    return Drawing([Member(0, spec, seed) for seed in spec.seeds])


def equal(a: Record, b: Record, rows: Any = slice(None)) -> None:
    """The same arrays, b's being those of some members of a."""
    assert a.arrays.keys() == b.arrays.keys()
    for name, array in a.arrays.items():
        own = array if name in {"t", "backward_t", "lag_split_lag"} else array[rows]
        np.testing.assert_array_equal(own, b[name], err_msg=name)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """600 steps of two inputs."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((600, 2)))
    return tmp_path / "x.npy"


def test_a_text_is_the_run_on_its_one_hot_pieces(tmp_path: Path) -> None:
    seed = 4
    spec = planned({**TEXT, "seeds": [seed]})
    x = drawing(spec).segment(0, 41)[:, 0]  # with the last target
    letters = sorted(set(STORY), key=lambda c: (-STORY.count(c), c))
    texts = ["".join(letters[k] for k in column) for column in x.argmax(axis=1).T]
    assert all(piece in STORY for piece in texts) and len(set(texts)) == 3
    np.save(tmp_path / "pieces.npy", x.transpose(2, 0, 1))
    given = {**TEXT, "inputs": {"type": "file", "path": str(tmp_path / "pieces.npy")}}
    equal(gradlab.run({**given, "seeds": [seed]}), gradlab.run({**TEXT, "seeds": [seed]}))


def test_the_identity_as_embedding_is_one_hot(tmp_path: Path) -> None:
    path, V = tmp_path / "e.npz", len(set(STORY))
    np.savez(path, rows=np.eye(V))
    through = {**TEXT["inputs"], "embedding": {"file": str(path), "name": "rows"}}
    plain = gradlab.run({**TEXT, "seeds": 2})
    equal(gradlab.run({**TEXT, "seeds": 2, "inputs": through}), plain)
    np.savez(path, rows=np.random.default_rng(0).standard_normal((V, 3)))
    spec = planned({**TEXT, "inputs": through})
    assert (spec.I, spec.outputs) == (3, V)  # the next symbol has as many classes as before
    for loss in ({"type": "mse", "targets": "shifted"}, {"type": "mse"}):
        assert planned({**TEXT, "inputs": through, "loss": loss}).outputs == 3


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_targets_are_the_next_symbols(level: str) -> None:
    config = {**TEXT, "inputs": {**TEXT["inputs"], "level": level}, "seeds": [3, 1]}
    spec = planned(config)
    draw = drawing(spec)
    x = draw.segment(0, 41)
    assert spec.loss_steps == tuple(range(1, 41))
    assert np.array_equal(draw.targets(spec.loss_steps), x[1:])
    last = planned({**config, "loss": {**SHIFTED, "at": [7, 40]}})
    assert np.array_equal(drawing(last).targets((7, 40)), x[[7, 40]])


def test_the_targets_of_a_recording_are_its_next_steps(recording: Path) -> None:
    inputs = {"type": "file", "path": str(recording)}
    for seq_len in (40, 599):
        config = {**SMALL, "batch_size": 1, "seq_len": seq_len, "inputs": inputs, "seeds": 2}
        spec = planned({**config, "loss": {"type": "mse", "at": "all", "targets": "shifted"}})
        draw = drawing(spec)
        x = draw.segment(0, seq_len + 1)
        assert np.array_equal(draw.targets(spec.loss_steps), x[1:])
    assert np.array_equal(x[:, 0, :, 0], np.load(recording))


def sources(recording: Path) -> dict[str, dict[str, Any]]:
    np.save(recording.with_name("b.npy"), np.load(recording).reshape(4, 150, 2)[:, :, ::-1])
    batch = {"type": "file", "path": str(recording.with_name("b.npy"))}
    return {
        "text": TEXT,
        "words": {**TEXT, "inputs": {**TEXT["inputs"], "level": "word", "max_words": 30}},
        "recording": {**SMALL, "inputs": {"type": "file", "path": str(recording)}},
        "batch": {**SMALL, "inputs": batch},
        "pieces of a batch": {**SMALL, "inputs": {**batch, "cut": "random"}},
        "both directions": {**TEXT, "bidirectional": True},
        "legacy": {**TEXT, "generator": "mt19937"},
    }


NAMES = ["text", "words", "recording", "batch", "pieces of a batch", "both directions", "legacy"]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_the_same_in_any_company(
    name: str, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = sources(recording)[name]
    whole = gradlab.run({**config, "seeds": [0, 1, 2]})
    equal(whole, gradlab.run({**config, "seeds": [2, 0]}), [2, 0])
    equal(whole, gradlab.run({**config, "seeds": [1]}), [1])
    equal(whole, gradlab.run({**config, "seeds": [0, 1, 2], "checkpoint": 16}))
    monkeypatch.setattr(memory, "MEMORY", 1)
    equal(whole, gradlab.run({**config, "seeds": [0, 1, 2], "checkpoint": "none"}))


def test_seeds_differ_only_where_the_file_is_cut(recording: Path) -> None:
    x = {name: drawing(planned(c)).segment(0, 40) for name, c in sources(recording).items()}
    for name, segment in x.items():
        same = np.array_equal(segment[:, 0], segment[:, 1])
        assert same == (name == "batch")
    # the same weights and the same dh for both seeds: what differs is the piece alone
    same_weights = {"seeds": 2, "cell": "rnn", "loss": {"value": "ones"}}
    same_weights["init"] = {"recurrent": "identity", "input": "identity"}
    norms = gradlab.run({**TEXT, **same_weights})["grad_norm_h"]
    assert norms[0, -1] == norms[1, -1] and norms[0, 0] != norms[1, 0]
    norms = gradlab.run({**sources(recording)["batch"], **same_weights})["grad_norm_h"]
    assert np.array_equal(norms[0], norms[1])


def test_both_directions_read_the_same_piece(recording: Path) -> None:
    config = sources(recording)["both directions"]
    draw = drawing(planned(config))
    forward, backward = (draw.inputs(k, lambda: None)(0, 40) for k in range(2))
    assert np.array_equal(forward, backward[::-1])


def test_a_sweep_over_lengths_and_kinds_of_inputs(recording: Path, tmp_path: Path) -> None:
    V = len(set(STORY))
    norms = {"spectrum": "none", "gate_histogram": False}  # as of a sweep's points
    base = {**SMALL, "seeds": 2, "loss": SHIFTED, "input_size": V, **norms}
    text, other = TEXT["inputs"], recording.with_name("reversed.txt")
    other.write_text(STORY[::-1], encoding="utf-8")  # the same letters, so the same vocabulary
    kinds = [text, "onehot", {"type": "text", "path": str(other)}]
    swept = {"inputs": kinds, "seq_len": [20, 40]}
    sweep = gradlab.sweep({**base, "sweep": swept}, out=tmp_path / "s", jobs=2)
    points = [(inputs, seq_len) for inputs in kinds for seq_len in (20, 40)]  # the last is fastest
    found = dict(sweep.records())
    assert len(found) == len(points)
    for k, (inputs, seq_len) in enumerate(points):
        equal(gradlab.run({**base, "inputs": inputs, "seq_len": seq_len}), found[k])


def test_a_longer_piece_begins_where_a_shorter_one_does(recording: Path) -> None:
    inputs = {"type": "file", "path": str(recording)}
    x = {
        T: drawing(planned({**SMALL, "seq_len": T, "inputs": inputs})).segment(0, T)
        for T in (10, 40)
    }
    same = (x[10] == x[40][:10]).all(axis=(0, 2))  # (members, sequences)
    assert same.mean() > 0.8  # 30 of 591 places are lost, so one in 20 differs


@pytest.mark.parametrize("cut", ["start", "random"])
def test_mapped_files_in_other_processes(
    cut: str, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(recording)
    inputs = {"type": "file", "path": str(recording.with_name("b.npy")), "cut": cut}
    spectrum = {"product": True, "lyapunov": False}  # by default of a run, not of a sweep's points
    wanted = {"spectrum": spectrum, "gate_histogram": False}  # so is this
    base = {**SMALL, "inputs": inputs, "seeds": 2, **wanted}
    held = gradlab.run(base)
    monkeypatch.setattr(arrays, "MAPPED", 1)
    arrays._held.cache_clear()
    spec = planned(base)
    assert spec.inputs.given is not None
    assert isinstance(spec.inputs.given.held.array, np.memmap)  # type: ignore[union-attr]
    equal(gradlab.run(base), held)
    sweep = gradlab.sweep({**base, "sweep": {"weight_scale": [1.0]}}, out=tmp_path / "s", jobs=2)
    equal(dict(sweep.records())[0], held)
    arrays._held.cache_clear()


SIZES = [
    # given by the config; shifted targets; what is settled: seq_len, batch_size
    ("x.npy", {}, False, (600, 1)),
    ("x.npy", {}, True, (599, 1)),
    ("x.npy", {"seq_len": 50}, False, (50, 16)),
    ("x.npy", {"seq_len": 595}, False, (595, 6)),
    ("x.npy", {"seq_len": 595}, True, (595, 5)),
    ("x.npy", {"seq_len": 50, "batch_size": 2}, False, (50, 2)),
    ("b.npy", {}, False, (150, 4)),
    ("b.npy", {"seq_len": 50, "batch_size": 3}, False, (50, 3)),
    ("b.npy", {"seq_len": 150, "cut": "random"}, False, (150, 4)),
    ("b.npy", {"batch_size": 4, "cut": "random"}, True, (149, 4)),
    ("b.npy", {"seq_len": 50, "batch_size": 20, "cut": "random"}, False, (50, 20)),
]


@pytest.mark.parametrize(("name", "keys", "shifted", "sizes"), SIZES)
def test_sizes_that_are_not_given(
    name: str, keys: dict[str, Any], shifted: bool, sizes: tuple[int, int], recording: Path
) -> None:
    sources(recording)
    inputs = {"type": "file", "path": str(recording.with_name(name))}
    rest = {key: value for key, value in keys.items() if key != "cut"}
    inputs |= {"cut": keys["cut"]} if "cut" in keys else {}
    config: dict[str, Any] = {"cell": "rnn", "hidden_size": 3, "inputs": inputs, **rest}
    config |= {"loss": {"type": "mse", "targets": "shifted"}} if shifted else {}
    spec = planned(config)
    assert sizes == (spec.T, spec.B) and spec.I == 2
    cut = keys.get("cut", "random" if name == "x.npy" else "start")
    assert spec.config["inputs"]["cut"] == cut


def test_a_file_without_sizes_is_used_as_it_is(recording: Path) -> None:
    sources(recording)
    for name, whole in (("x.npy", np.load(recording)[None]), ("b.npy", None)):
        path = recording.with_name(name)
        spec = planned({"cell": "rnn", "inputs": {"type": "file", "path": str(path)}, "seeds": 2})
        wanted = np.load(path) if whole is None else whole
        for r in range(2):
            x = drawing(spec).segment(0, spec.T)[:, r]
            assert np.array_equal(x, wanted.transpose(1, 2, 0))


def test_a_file_is_known_by_its_contents(tmp_path: Path) -> None:
    vocabulary = "\n".join("\\n" if c == "\n" else c for c in sorted(set(STORY)))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.txt").write_text(STORY, encoding="utf-8")
        (tmp_path / folder / "v.txt").write_text(vocabulary, encoding="utf-8")
        np.savez(tmp_path / folder / "e.npz", rows=np.ones((len(set(STORY)), 2)))

    def identity(folder: Path, text: str = "t.txt", **more: Any) -> str:
        inputs = {
            "type": "text",
            "path": str(folder / text),
            "vocabulary": str(folder / "v.txt"),
            "embedding": {"file": str(folder / "e.npz"), "name": "rows"},
        }
        return planned({**SMALL, "inputs": inputs | more}).identity

    first = identity(tmp_path / "a")
    (tmp_path / "b" / "t.txt").rename(tmp_path / "b" / "other.txt")
    assert identity(tmp_path / "b", "other.txt") == first
    (tmp_path / "b" / "other.txt").write_text(STORY + STORY[0], encoding="utf-8")
    changed = {identity(tmp_path / "b", "other.txt")}
    lines = vocabulary.split("\n")
    (tmp_path / "a" / "v.txt").write_text("\n".join(lines[::-1]), encoding="utf-8")
    changed.add(identity(tmp_path / "a"))
    (tmp_path / "a" / "v.txt").write_text(vocabulary, encoding="utf-8")
    assert identity(tmp_path / "a") == first
    np.savez(tmp_path / "a" / "e.npz", rows=np.zeros((len(set(STORY)), 2)))
    changed.add(identity(tmp_path / "a"))
    assert len(changed | {first}) == 4


def test_the_default_cut_is_the_same_experiment_when_written(recording: Path) -> None:
    config = {**SMALL, "inputs": {"type": "file", "path": str(recording)}}
    spelt = {**SMALL, "inputs": {"type": "file", "path": str(recording), "cut": "random"}}
    start = {**SMALL, "batch_size": 1, "inputs": {**spelt["inputs"], "cut": "start"}}
    assert planned(config).identity == planned(spelt).identity != planned(start).identity


def test_the_resolved_config_runs_again_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(
        tmp_path / "e.npz", rows=np.random.default_rng(0).standard_normal((len(set(STORY)), 4))
    )
    (tmp_path / "t.txt").write_text(STORY, encoding="utf-8")
    config = "cell: rnn\nseeds: 2\nseq_len: 20\nhidden_size: 4\nfigures: none\ninputs:\n"
    config += "  {type: text, path: t.txt, embedding: {file: e.npz, name: rows}}\n"
    (tmp_path / "c.yaml").write_text(config, encoding="utf-8")
    first = gradlab.run(tmp_path / "c.yaml", "name=same", out=tmp_path / "deep" / "a")
    monkeypatch.chdir(tmp_path / "deep")
    again = gradlab.run("a/config.yaml", "name=same", out=tmp_path / "deep" / "b")
    assert again.identity == first.identity
    for path in (tmp_path / "deep" / "a").iterdir():
        if path.name != "provenance.json":
            assert path.read_bytes() == (tmp_path / "deep" / "b" / path.name).read_bytes()
    assert "../../t.txt" in (tmp_path / "deep" / "a" / "config.yaml").read_text("utf-8")


def test_many_symbols_behind_a_narrow_embedding_fit_the_memory(tmp_path: Path) -> None:
    words, seq_len, B = 5000, 200, 4
    text = " ".join(f"w{k}" for k in range(words))
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    np.savez(tmp_path / "e.npz", rows=np.ones((words, 2)))
    rows = {"file": str(tmp_path / "e.npz"), "name": "rows"}
    inputs = {"type": "text", "path": str(tmp_path / "t.txt"), "level": "word", "embedding": rows}
    config = {"cell": "rnn", "hidden_size": 2, "inputs": inputs, "loss": SHIFTED}
    spec = planned({**config, "seq_len": seq_len, "batch_size": B})
    members, _ = memory.memory_plan(spec, 100)
    outputs = 8 * words * seq_len * B  # bytes of V h_t for one member: 32 MB
    assert members * outputs <= memory.MEMORY
    assert memory.memory_plan(planned({**config, "loss": "upstream", "seq_len": 200}), 100)[0] > 8


@pytest.mark.parametrize("name", ["text_model", "sensors"])
def test_the_examples(name: str) -> None:
    found = gradlab.run(ROOT / f"configs/{name}.yaml", "seeds=2", "spectrum=none")
    assert found.summary["outcome"] == "ok" and np.isfinite(found["loss"]).all()


def test_the_sensors_are_what_their_page_says() -> None:
    numbers = arrays.read(ROOT / "configs/data/sensors.csv").array[0]
    t, z = np.arange(1, 601), 0.3
    slow, fast = np.sin(2 * np.pi * t / 96), np.sin(2 * np.pi * t / 7)
    chaotic = []
    for _ in t:
        chaotic.append(2 * z - 1)
        z = 3.9 * z * (1 - z)
    wanted = np.stack([slow, fast * (1 + np.sin(2 * np.pi * t / 240)) / 2, chaotic], axis=1)
    assert math.isclose(float(np.abs(numbers - wanted).max()), 5e-7, rel_tol=0.1)  # six decimals
