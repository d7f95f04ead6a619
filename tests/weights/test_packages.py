"""Networks that were really trained, in packages that ship them, where such a package is installed.

None is needed, none is fetched and none is imported: only its files are read. All three are free to
use (g2p_en and Resemblyzer: Apache 2.0; silero-vad: MIT).
Claims:
- g2p_en 2.1, English spelling to sounds, GRU encoder and decoder under names of its own: under
  PyTorch's names they are recognised as the cells that they are, and gradlab's steps with these
  weights pronounce ten words as the CMU dictionary does;
- silero-vad 6, speech or not, an LSTM: its ONNX and its safetensors model have the same gates in
  the same order;
- Resemblyzer 0.1, whose voice it is, an LSTM of 3 layers in a PyTorch checkpoint: recognised;
- each runs, with the comparison, to a verdict whose numbers fit each other.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gradlab
from gradlab.nonlinearity import Array
from gradlab.record import Record
from gradlab.weights import layers
from gradlab.weights.layer import RecurrentLayer
from tests.weights.running import outputs

LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
START, END = 2, 3  # among the sounds
VOWELS = ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]
CONSONANTS = ["B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S",
              "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"]  # fmt: skip
STRESSED = [f"{vowel}{stress}" for vowel in VOWELS for stress in range(3)]
SOUNDS = ["<pad>", "<unk>", "<s>", "</s>", *sorted([*CONSONANTS, *STRESSED, "UW"])]
WORDS = {  # CMU Pronouncing Dictionary
    "doctor": "D AA1 K T ER0",
    "garden": "G AA1 R D AH0 N",
    "happy": "HH AE1 P IY0",
    "kitchen": "K IH1 CH AH0 N",
    "music": "M Y UW1 Z IH0 K",
    "planet": "P L AE1 N AH0 T",
    "seven": "S EH1 V AH0 N",
    "table": "T EY1 B AH0 L",
    "window": "W IH1 N D OW0",
    "yellow": "Y EH1 L OW0",
}


def shipped(package: str, file: str, needs: str = "numpy") -> Path:
    """A file of an installed package; else the test is skipped."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    pytest.importorskip(needs, reason=f"{file} needs {needs} to read")
    path = Path(spec.origin).parent / file
    assert path.is_file(), f"{package} without {file}: another version"
    return path


@pytest.fixture
def speller(tmp_path: Path) -> Path:
    """The encoder and the decoder of g2p_en under PyTorch's names."""
    names = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    with np.load(shipped("g2p_en", "checkpoint20.npz")) as found:
        arrays = {
            f"{part}.{new}_l0": found[f"{part}_{old}"]
            for part in ("enc", "dec")
            for old, new in names.items()
        }
        others = {name: found[name] for name in ("enc_emb", "dec_emb", "fc_w", "fc_b")}
    np.savez(tmp_path / "speller.npz", **arrays, **others)
    return tmp_path / "speller.npz"


def checked(record: Record) -> None:
    """What holds for any run, on weights that nobody made up for a test."""
    found = record.summary
    trained = found["trained"]
    assert found["outcome"] == trained["fresh"]["outcome"] == "ok"
    assert found["verdict"] in {"vanishing", "preserved", "exploding", "undecided"}
    rate = found["growth_rate"]["mean"]
    if found["half_life"] is not None:
        # ln 2 over the rate: the same float64 numbers once more
        assert found["half_life"] == pytest.approx(-math.log(2) / rate, rel=1e-12)
    # a gradient that shrinks is brought to the edge by larger weights, one that grows by smaller
    edge = trained["edge"]
    assert edge is None or (edge["weight_scale"] > 1) == (rate < 0)


def pronounced(word: str, encoder: RecurrentLayer, decoder: RecurrentLayer, own: Array) -> str:
    """Greedy: the last state of the encoder starts the decoder, each sound is its next input."""
    letters = [LETTERS.index(letter) for letter in word] + [LETTERS.index("</s>")]
    h = outputs(encoder, own["enc_emb"][letters][:, None])[-1]
    sounds: list[int] = [START]
    while sounds[-1] != END and len(sounds) < 20:
        h = outputs(decoder, own["dec_emb"][[sounds[-1]]][:, None], h)[-1]
        sounds.append(int(np.argmax(own["fc_w"] @ h[0] + own["fc_b"])))
    return " ".join(SOUNDS[k] for k in sounds[1:-1])


def test_a_trained_gru_pronounces_words(speller: Path) -> None:
    by_prefix = {layer.prefix: layer for layer in layers(speller)}
    assert set(by_prefix) == {"enc.", "dec."}
    for layer in by_prefix.values():
        assert (layer.cell, layer.hidden_size, layer.input_size) == ("gru", 256, 256)
    with np.load(speller) as own:
        said = {word: pronounced(word, by_prefix["enc."], by_prefix["dec."], own) for word in WORDS}
    assert said == WORDS


@pytest.mark.parametrize("part", ["enc.", "dec."])
def test_a_trained_gru_runs(part: str, speller: Path) -> None:
    config = {"init": {"file": str(speller), "prefix": part}, "seq_len": 20, "seeds": 2}
    checked(gradlab.run({**config, "batch_size": 2, "spectrum": "none"}))


def test_two_formats_of_a_trained_lstm() -> None:
    """ONNX packs the gates as i o f c, PyTorch as i f g o. The two files are not one training, but
    the one went on from the other: each gate is much like itself and like no other gate.
    """
    (one,) = layers(shipped("silero_vad", "data/silero_vad_16k_sequence.onnx", "onnx"))
    (two,) = layers(shipped("silero_vad", "data/silero_vad_16k.safetensors"))
    assert (one.cell, one.hidden_size, one.input_size) == ("lstm", 128, 128)
    assert {name: a.shape for name, a in one.tensors.items()} == {
        name: a.shape for name, a in two.tensors.items()
    }
    for name in ("weight_hh_l0", "weight_ih_l0"):
        gates = [
            block.ravel() for layer in (one, two) for block in np.split(layer.tensors[name], 4)
        ]
        alike = np.corrcoef(gates)[:4, 4:]
        # of 128 x 128 entries without relation: 0 +- 0.008; rows of gates do have a little
        assert np.diag(alike).min() > 0.9
        assert np.abs(alike - np.diag(np.diag(alike))).max() < 0.3


@pytest.mark.long
def test_a_trained_lstm_of_three_layers_runs() -> None:
    path = shipped("resemblyzer", "pretrained.pt", "torch")
    (layer,) = layers(path)
    sizes = (layer.cell, layer.layers, layer.hidden_size, layer.input_size)
    assert sizes == ("lstm", 3, 256, 40)  # 40 mel bands, as its hparams.py says
    config = {"init": {"file": str(path)}, "seq_len": 10, "seeds": 1, "batch_size": 1}
    checked(gradlab.run({**config, "spectrum": "none", "lag_split": "none"}))
