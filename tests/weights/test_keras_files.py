"""Keras: what is read, held against Keras's equations and, where it is installed, Keras itself.

Claims:
- outputs of layers that were read are those of Keras's equations written from its documentation,
  in both layouts of HDF5, with and without a config;
- a file that Keras wrote gives the outputs that Keras has, layer by layer;
- what a file does not tell is said; what no cell here is, is refused in one line;
- numbers are taken from the file alone.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import layers
from gradlab.weights.sound import sound
from tests.weights.running import outputs

h5py = pytest.importorskip("h5py", reason="needs the extra [keras]")

T, B, I, H = 6, 2, 3, 4
DOUBLE = 1e-13  # six steps of sums of at most nine terms of order one, in float64
SINGLE = 2e-6  # the same in float32, in which Keras calculates
# class, settings -> the cell that it is
KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "rnn": ("SimpleRNN", {}, "rnn"),
    "relu": ("SimpleRNN", {"activation": "relu"}, "rnn"),
    "linear": ("SimpleRNN", {"activation": "linear"}, "linear"),
    "lstm": ("LSTM", {}, "lstm"),
    "gru": ("GRU", {"reset_after": True}, "gru"),
    "gru before": ("GRU", {"reset_after": False}, "gru_2014"),
}
BLOCKS = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def drawn(width: int = I) -> Array:
    return np.random.default_rng(1).normal(size=(T, B, width))


def weights(kind: str, bias: bool = True, width: int = I, seed: int = 0) -> list[Array]:
    """kernel, recurrent_kernel and bias as Keras has them, float64."""
    name, given, _ = KINDS[kind]
    rng, G = np.random.default_rng(seed), BLOCKS[name] * H
    shape = (2, G) if given.get("reset_after") else (G,)
    shapes = [(width, G), (H, G), shape][: 3 if bias else 2]
    return [rng.normal(0, 0.5, shape) for shape in shapes]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def equations(kind: str, own: list[Array], x: Array) -> Array:
    """h at every step, as keras.layers documents its cells: rows, gates i f c o and z r h."""
    name, given, _ = KINDS[kind]
    kernel, recurrent = own[:2]
    bias = np.zeros((2, kernel.shape[1]))
    if len(own) == 3:
        bias[: own[2].ndim] = own[2]  # one row, or both
    h, c, found = np.zeros((B, H)), np.zeros((B, H)), []
    for x_t in x:
        u, v = x_t @ kernel + bias[0], h @ recurrent + bias[1]
        if name == "SimpleRNN":
            phi = {"relu": lambda a: np.maximum(a, 0), "linear": lambda a: a}
            h = phi.get(given.get("activation", ""), np.tanh)(u + v)
        elif name == "LSTM":
            i, f, g, o = np.split(u + v, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            z, r = (sigmoid(a) for a in np.split((u + v)[:, : 2 * H], 2, axis=1))
            within = r * v[:, 2 * H :]
            if not given["reset_after"]:
                within = (r * h) @ recurrent[:, 2 * H :]
            h = z * h + (1 - z) * np.tanh(u[:, 2 * H :] + within)
        found.append(h)
    return np.stack(found)


def layer_config(kind: str, name: str = "net", **more: Any) -> dict[str, Any]:
    cls, given, _ = KINDS[kind]
    return {"class_name": cls, "config": {"name": name, "units": H, **given, **more}}


def model_config(*listed: dict[str, Any]) -> dict[str, Any]:
    first = {"class_name": "InputLayer", "config": {"name": "input"}}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *listed]}}


def written(path: Path, groups: dict[str, list[Array]], config: Any = None) -> Path:
    """A file of Keras 3: `.weights.h5`, or `.keras` with a config."""
    inner = path if path.suffix == ".h5" else path.with_suffix(".inner")
    with h5py.File(inner, "w") as file:
        for group, arrays in groups.items():
            for k, array in enumerate(arrays):
                file[f"{group}/vars/{k}"] = array
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", json.dumps(config))
            archive.write(inner, "model.weights.h5")
    return path


GROUPS = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}


def group(kind: str) -> str:
    return f"layers/{GROUPS[KINDS[kind][0]]}/cell"


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_equations(kind: str, bias: bool, tmp_path: Path) -> None:
    own = weights(kind, bias)
    path = tmp_path / "model.keras"
    [layer] = layers(written(path, {group(kind): own}, model_config(layer_config(kind))))
    assert sound(layer, path.name).keys() == layer.tensors.keys()
    assert (layer.cell, layer.prefix, layer.note) == (KINDS[kind][2], "net", "")
    assert (layer.hidden_size, layer.input_size, layer.layers) == (H, I, 1)
    assert np.abs(outputs(layer, drawn()) - equations(kind, own, drawn())).max() < DOUBLE


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "gru before"])
def test_without_a_config_the_shapes_tell(kind: str, tmp_path: Path) -> None:
    own = weights(kind)
    [layer] = layers(written(tmp_path / "m.weights.h5", {group(kind): own}))
    assert (layer.cell, layer.prefix) == (KINDS[kind][2], group(kind).removesuffix("/cell"))
    assert "does not tell activations" in layer.note
    assert np.abs(outputs(layer, drawn()) - equations(kind, own, drawn())).max() < DOUBLE


def test_what_shapes_do_not_tell_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "m.weights.h5", {group("gru"): weights("gru", bias=False)})
    [layer] = layers(path)
    assert layer.cell == "gru" and layer.note.endswith("nor reset_after; true is supposed")


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_the_layout_of_keras_2(kind: str, tmp_path: Path) -> None:
    own, path = weights(kind), tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model_config(layer_config(kind)))
        for name, array in zip(("kernel", "recurrent_kernel", "bias"), own, strict=True):
            file[f"model_weights/net/net/{kind}_cell/{name}:0"] = array
    [layer] = layers(path)
    assert (layer.cell, layer.prefix, layer.note) == (KINDS[kind][2], "net", "")
    assert np.abs(outputs(layer, drawn()) - equations(kind, own, drawn())).max() < DOUBLE


def test_both_directions_are_one_layer(tmp_path: Path) -> None:
    ahead, back = weights("gru", seed=1), weights("gru", seed=2)
    both = {"class_name": "Bidirectional", "config": {"name": "both", "merge_mode": "sum"}}
    both["config"]["layer"] = layer_config("gru", "forward_gru")
    both["config"]["backward_layer"] = layer_config("gru", "backward_gru", go_backwards=True)
    place = "layers/bidirectional"
    held = {f"{place}/backward_layer/cell": back, f"{place}/forward_layer/cell": ahead}
    [layer] = layers(written(tmp_path / "m.keras", held, model_config(both)))
    assert sound(layer, "m").keys() == layer.tensors.keys()
    assert (layer.prefix, layer.bidirectional) == ("both", True)
    assert layer.note == "merge_mode is 'sum'; here both are side by side"
    x = drawn()
    wanted = [equations("gru", ahead, x), equations("gru", back, x[::-1])[::-1]]
    assert np.abs(outputs(layer, x) - np.concatenate(wanted, axis=2)).max() < DOUBLE


def test_cells_of_one_layer_are_a_stack_in_their_order(tmp_path: Path) -> None:
    """Twelve, so that the order is not that of their names: lstm_cell_10 after lstm_cell_2."""
    cells = [weights("lstm", width=H if k else I, seed=k) for k in range(12)]
    names = ["lstm_cell", *(f"lstm_cell_{k}" for k in range(1, 12))]
    held = {f"layers/rnn/cell/cells/{n}": own for n, own in zip(names, cells, strict=True)}
    each = [layer_config("lstm") | {"class_name": "LSTMCell"} for _ in cells]
    stack = {"class_name": "StackedRNNCells", "config": {"cells": each}}
    config = model_config({"class_name": "RNN", "config": {"name": "deep", "cell": stack}})
    [layer] = layers(written(tmp_path / "m.keras", held, config))
    assert sound(layer, "m").keys() == layer.tensors.keys()
    assert (layer.prefix, layer.layers) == ("deep", 12)
    y = x = drawn()
    for own in cells:
        y = equations("lstm", own, y)
    # every layer passes on the last one's rounding, with a gain below one
    assert np.abs(outputs(layer, x) - y).max() < DOUBLE


def test_layers_keep_their_own_settings(tmp_path: Path) -> None:
    """Layers of one class are counted: the second SimpleRNN is the one with relu."""
    held = {
        "layers/simple_rnn/cell": weights("rnn", seed=1),
        "layers/simple_rnn_1/cell": weights("relu", width=H, seed=2),
        "layers/sequential/layers/gru/cell": weights("gru before", width=H, seed=3),
    }
    inner = {"class_name": "Sequential", "config": {"layers": [layer_config("gru before", "c")]}}
    listed = (layer_config("rnn", "a"), layer_config("relu", "b", go_backwards=True), inner)
    found = {
        x.prefix: x for x in layers(written(tmp_path / "m.keras", held, model_config(*listed)))
    }
    assert {name: layer.cell for name, layer in found.items()} == {
        "a": "rnn",
        "b": "rnn",
        "c": "gru_2014",
    }
    assert [found[name].options["activation"] for name in "ab"] == ["tanh", "relu"]
    assert "go_backwards" in found["b"].note and found["a"].note == ""


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("lstm", {"recurrent_activation": "hard_sigmoid"}, "tanh and hard_sigmoid for its gates"),
        ("gru", {"activation": "relu"}, "activation relu and sigmoid for its gates; known is tanh"),
        ("rnn", {"activation": "gelu"}, "activation gelu; known is tanh or relu or sigmoid"),
        (
            "rnn",
            {"activation": {"class_name": "Custom", "config": {"a": 1}}},
            "activation {'a': 1}; known is",
        ),
    ],
)
def test_what_no_cell_here_is_is_refused(
    kind: str, more: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = model_config(layer_config(kind, **more))
    path = written(tmp_path / "m.keras", {group(kind): weights(kind)}, config)
    with pytest.raises(GradlabError) as caught:
        layers(path)
    assert told in str(caught.value) and str(caught.value).startswith("m.keras: ")
    assert "\n" not in str(caught.value)


def test_a_config_that_does_not_fit_the_weights_is_told(tmp_path: Path) -> None:
    config = model_config(layer_config("gru before"))
    path = written(tmp_path / "m.keras", {group("gru"): weights("gru")}, config)
    with pytest.raises(GradlabError, match=r"has weights .*\(2, 12\); gru_2014 .* wants"):
        layers(path)


@pytest.mark.parametrize("config", ["[1", "[" * 10**5, '{"config": {"layers": 3}}', "[]", "{}"])
def test_a_strange_config_is_an_error_or_tells_nothing(config: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.keras", {group("lstm"): weights("lstm")}, {})
    with zipfile.ZipFile(path) as archive:
        inside = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", inside)
    if config.startswith(("[1", "[[")):
        with pytest.raises(GradlabError, match="its config is not readable JSON"):
            layers(path)
    else:
        [layer] = layers(path)
        assert layer.cell == "lstm" and "does not tell" in layer.note


def test_code_in_a_config_is_not_run(tmp_path: Path) -> None:
    """Keras's Lambda layers hold marshalled code, which Keras itself runs where it is allowed to.
    Here no layer is made of a config.
    """
    marker = tmp_path / "marker"
    code = {"class_name": "Lambda", "config": {"function": f"open({str(marker)!r}, 'w')"}}
    config = model_config(code, layer_config("lstm"))
    [layer] = layers(written(tmp_path / "m.keras", {group("lstm"): weights("lstm")}, config))
    assert layer.prefix == "net" and not marker.exists()


@pytest.mark.parametrize("how", ["external", "virtual", "linked", "soft"])
def test_numbers_of_other_files_are_not_read(how: str, tmp_path: Path) -> None:
    kernel, recurrent, bias = weights("lstm")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = kernel
    (tmp_path / "raw").write_bytes(kernel.tobytes())
    path, place = tmp_path / "m.weights.h5", group("lstm") + "/vars"
    with h5py.File(path, "w") as file:
        file[f"{place}/1"], file[f"{place}/2"] = recurrent, bias
        if how == "external":
            raw = [(str(tmp_path / "raw"), 0, kernel.nbytes)]
            file.create_dataset(f"{place}/0", kernel.shape, "f8", external=raw)
        elif how == "virtual":
            layout = h5py.VirtualLayout(kernel.shape, "f8")
            layout[:] = h5py.VirtualSource(str(other), "kernel", kernel.shape)
            file.create_virtual_dataset(f"{place}/0", layout)
        elif how == "linked":
            file[f"{place}/0"] = h5py.ExternalLink(str(other), "kernel")
        else:
            file["kept"] = kernel
            file[f"{place}/0"] = h5py.SoftLink("/kept")
    told = {"external": "in another file", "virtual": "in another file"}
    with pytest.raises(GradlabError, match=told.get(how, "has no weights of an LSTM")):
        layers(path)


@pytest.mark.parametrize(
    "stored", [{}, {"chunks": (1, 1)}, {"chunks": True, "compression": "gzip"}]
)
def test_an_array_that_is_claimed_and_not_there(stored: dict[str, Any], tmp_path: Path) -> None:
    """HDF5 keeps a dataset that was never written in a few bytes, whatever its shape."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        H = 10**5
        file.create_dataset(f"{group('lstm')}/vars/0", (3, 4 * H), "f4")
        file.create_dataset(f"{group('lstm')}/vars/1", (H, 4 * H), "f4", **stored)
    with pytest.raises(GradlabError, match=r"claims to hold 16\d{10}"):
        layers(path)


def test_groups_that_go_round_in_circles(tmp_path: Path) -> None:
    path = written(tmp_path / "m.weights.h5", {group("lstm"): weights("lstm")})
    with h5py.File(path, "a") as file:
        file["layers/lstm/again"] = file["layers"]
    assert len(layers(path)) == 1


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keras on PyTorch, with its settings in a folder that goes away."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        if "KERAS_BACKEND" not in os.environ:
            patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore")  # Keras's own; what is tested here warns of nothing
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_files_that_keras_wrote(suffix: str, keras: Any, tmp_path: Path) -> None:
    own = keras.layers
    keras.utils.set_random_seed(0)
    given = {"return_sequences": True, "bias_initializer": "glorot_uniform"}
    cells = [own.LSTMCell(4), own.LSTMCell(4)]
    listed = [
        own.LSTM(4, name="first", **given),
        own.GRU(4, name="second", **given),
        own.GRU(4, reset_after=False, use_bias=True, name="third", return_sequences=True),
        own.Bidirectional(own.LSTM(4, **given), name="both"),
        own.RNN(cells, return_sequences=True, name="deep"),
        own.SimpleRNN(4, use_bias=False, return_sequences=True, name="last"),
    ]
    net = keras.Sequential([keras.Input((T, I)), *listed])
    path = tmp_path / f"model{suffix}"
    (net.save_weights if suffix == ".weights.h5" else net.save)(path)
    found = {layer.prefix: layer for layer in layers(path)}
    x = drawn().astype(np.float32)
    deep = [name for name in found if name.startswith("deep")]
    assert sorted(found) == sorted(["first", "second", "third", "both", "last", *deep])
    for layer in listed:
        y = np.asarray(keras.ops.convert_to_numpy(layer(x.swapaxes(0, 1)))).swapaxes(0, 1)
        z = outputs(found[layer.name], x)
        assert np.abs(z - y).max() < SINGLE, layer.name
        x = y


def test_bfloat16(tmp_path: Path) -> None:
    """Keras keeps bfloat16 as two bytes each that HDF5 has no name for. Quarters are exact."""
    kernel, recurrent, _ = (np.round(a * 4) / 4 for a in weights("lstm"))
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        for k, array in enumerate((kernel, recurrent)):
            bits = (array.astype("<f4").view("<u4") >> 16).astype("<u2")
            item = file.create_dataset(f"{group('lstm')}/vars/{k}", data=bits.view("V2"))
            item.attrs["dtype"] = "bfloat16"
    [layer] = layers(path)
    assert layer.tensors["weight_ih_l0"].dtype == np.float32
    assert np.array_equal(layer.tensors["weight_ih_l0"], kernel.T)  # i f c o is ours
    assert np.array_equal(layer.tensors["weight_hh_l0"], recurrent.T)
