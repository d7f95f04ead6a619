"""Files that are broken, foreign or made to do harm, in every format.

Claims:
- a file that is cut off anywhere, or has a byte changed, is read or refused in one line;
- nothing in a file is run, and nothing is written;
- what a file claims is held against its size before memory is taken;
- names are unique and can be printed; sixteen-bit floats become float32, exactly;
- what is no regular file, or may not be read, is told.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from gradlab.cells import CELLS
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.weights import FORMATS, LAYERED, layers, packing, raw, read
from gradlab.weights.layer import RecurrentLayer
from gradlab.weights.sound import sound

EXTRAS = {".pt": "torch", ".pth": "torch", ".onnx": "onnx", ".keras": "h5py", ".h5": "h5py"}
NAMES = {"torch": "torch", "onnx": "onnx", "h5py": "keras"}  # package -> gradlab's extra


def tensors() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_torch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array) for name, array in tensors().items()}, path)


def write_onnx(path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    held = [onnx.numpy_helper.from_array(a[None], name) for name, a in tensors().items()][:2]
    node = onnx.helper.make_node("LSTM", ["x", "weight_ih_l0", "weight_hh_l0"], ["y"], "net")
    value = onnx.helper.make_tensor_value_info
    ends = [value("x", 1, [5, 1, 2])], [value("y", 1, [5, 1, 1, 3])]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", *ends, held))
    path.write_bytes(model.SerializeToString())


def write_h5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for k, array in enumerate(tensors().values()):
            file[f"layers/lstm/cell/vars/{k}"] = array.T


def write_keras(path: Path) -> None:
    write_h5(path.with_suffix(".inner"))
    own = {"name": "net", "units": 3}
    config = {"config": {"layers": [{"class_name": "LSTM", "config": own}]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.write(path.with_suffix(".inner"), "model.weights.h5")


WRITERS: dict[str, Callable[[Path], None]] = {
    ".safetensors": lambda path: save_file(tensors(), path),
    ".npz": lambda path: np.savez(path, **tensors()),
    ".pt": write_torch,
    ".onnx": write_onnx,
    ".keras": write_keras,
    ".h5": write_h5,
}


def taken(path: Path) -> object:
    return layers(path) if path.suffix in LAYERED else read(path)


def one_line(path: Path) -> bool:
    """Whether the file was refused, and in one line; anything but GradlabError comes through."""
    refusal: GradlabError | None = None
    try:
        taken(path)
    except GradlabError as error:
        refusal = error
    if refusal is not None:
        assert "\n" not in str(refusal) and str(refusal).strip()
        assert len(refusal.problems) == 1 and refusal.exit_code == 2
    return refusal is not None


def test_every_format_has_a_writer_here() -> None:
    assert set(WRITERS) | {".pth"} == set(FORMATS) | set(LAYERED)


@pytest.mark.fault("weights: cut off anywhere, in each format", "one line")
@pytest.mark.parametrize("suffix", WRITERS)
def test_cut_off_anywhere(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    WRITERS[suffix](path)
    assert not one_line(path)
    whole = path.read_bytes()
    cuts = sorted({*range(1, 16), *range(16, len(whole), max(len(whole) // 60, 1)), len(whole) - 1})
    for cut in cuts:
        path.write_bytes(whole[:cut])
        # a protobuf message may end after any field: a model without its tail is refused for that
        assert one_line(path) or suffix == ".onnx", cut


@pytest.mark.fault("weights: a byte changed, in each format", "read, or refused in one line")
@pytest.mark.filterwarnings("ignore")  # zipfile warns of a name that comes twice before we refuse
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_byte_changed_anywhere(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    WRITERS[suffix](path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for where in rng.integers(len(whole), size=250):
        changed = bytearray(whole)
        changed[where] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        refused += one_line(path)
    assert refused > 0


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(
    "content", [b"\0", b"not weights\n", bytes(100), b"PK\x03\x04" + bytes(40)]
)
def test_foreign_content(content: bytes, suffix: str, tmp_path: Path) -> None:
    if suffix in EXTRAS:
        pytest.importorskip(EXTRAS[suffix])
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    assert one_line(path)


class Touch:
    """A pickle of this makes a file when it is loaded without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.fault("weights: a pickle under any suffix", "nothing in it is run")
@pytest.mark.parametrize("suffix", [*FORMATS, *LAYERED, ".npy", ".pkl"])
@pytest.mark.parametrize("form", ["pickle", "npy", "npz"])
def test_no_pickle_is_loaded(form: str, suffix: str, tmp_path: Path) -> None:
    if suffix in EXTRAS:
        pytest.importorskip(EXTRAS[suffix])
    marker, path = tmp_path / "marker", tmp_path / f"m{suffix}"
    objects = np.empty(1, object)
    objects[0] = Touch(marker)
    with path.open("wb") as file:
        if form == "pickle":
            pickle.dump(objects[0], file)
        elif form == "npy":
            np.save(file, objects, allow_pickle=True)
        else:
            np.savez(file, weight_hh=objects)
    with pytest.raises(GradlabError) as caught:
        taken(path)
    assert "\n" not in str(caught.value) and not marker.exists()
    if (form, suffix) == ("npz", ".npz"):
        assert "holds Python objects, not numbers" in str(caught.value)
    pickle.loads(pickle.dumps(objects[0]))
    assert marker.exists()  # the test would see it


@pytest.mark.parametrize(("package", "extra"), NAMES.items())
def test_without_an_extra_it_is_named(
    package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for suffix in (suffix for suffix, needed in EXTRAS.items() if needed == package):
        path = tmp_path / f"m{suffix}"
        path.write_bytes(b"anything")
        with pytest.raises(GradlabError, match=rf"pip install 'gradlab-rnn\[{extra}\]'") as caught:
            taken(path)
        assert (package == "torch") == ("safetensors" in str(caught.value))


def header(entries: Any) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


def entry(shape: list[int], end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


TWICE = b'{"w": %s, "w": %s}' % ((json.dumps(entry([1], 4)).encode(),) * 2)
SAFETENSORS = {
    "more than there is": (header({"w": entry([10**12], 4 * 10**12)}) + bytes(4), "not a readable"),
    "shape and bytes": (header({"w": entry([10**12], 4)}) + bytes(4), "not a readable"),
    "overflowing": (header({"w": entry([2**62, 8], 4)}) + bytes(4), "not a readable"),
    "header too long": ((2**63).to_bytes(8, "little") + b"{}", "not a readable"),
    "nested": (header(b'{"w":' * 10**5), "not a readable"),
    "twice": (header(TWICE) + bytes(4), "holds 'w' twice"),
    "escape codes": (header({"w\x1b[2J": entry([1], 4)}) + bytes(4), "cannot be printed"),
    "eight bits": (
        header({"w": entry([4], 4, "F8_E4M3")}) + bytes(4),
        "of type F8_E4M3; known are",
    ),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors_that_claim_too_much(case: str, tmp_path: Path) -> None:
    content, told = SAFETENSORS[case]
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(GradlabError, match=told):
        read(path)
    assert one_line(path)


def test_types_of_safetensors(tmp_path: Path) -> None:
    """All 65,536 sixteen-bit patterns: float16 by numpy, bfloat16 by its definition."""
    path, bits = tmp_path / "m.safetensors", np.arange(2**16, dtype="<u2")
    for kind in ("F16", "BF16", "I16"):
        path.write_bytes(header({"w": entry([2**16], 2**17, kind)}) + bits.tobytes())
        found = read(path)["w"]
        if kind == "I16":
            assert np.array_equal(found, bits.view("<i2"))
            continue
        assert found.dtype == np.float32
        with np.errstate(all="ignore"):
            wanted = bits.view("<f2").astype(float) if kind == "F16" else bfloat16(bits)
            assert np.array_equal(found.astype(float), wanted, equal_nan=True)


def bfloat16(bits: Array) -> Array:
    """Sign, eight bits of exponent, seven of mantissa."""
    sign, exponent, mantissa = bits >> 15, (bits >> 7 & 255).astype(int), (bits & 127) / 128
    value = np.where(exponent == 0, mantissa * 2.0**-126, (1 + mantissa) * 2.0 ** (exponent - 127))
    value = np.where(exponent == 255, np.where(mantissa == 0, np.inf, np.nan), value)
    return np.where(sign == 1, -value, value)


@pytest.mark.parametrize("shape", [(3,), (-1, 2), (10**12,), (2**32, 2**32)])
def test_raw_bytes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(GradlabError, match="claims shape"):
        raw.array(bytes(8), "float32", shape, "w")


def npy(shape: str, content: bytes = b"", version: int = 1) -> bytes:
    """An .npy file that claims a shape of float64."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text + content


NPZ = {
    "claims more": ([("w.npy", npy("(1000000000000,)"))], "w claims 8000000000000 bytes and has 0"),
    "claims less": ([("w.npy", npy("(1,)", bytes(16)))], "w claims 8 bytes and has 16"),
    "version": ([("w.npy", npy("(1,)", bytes(8), 9))], r"npy version \(9, 0\); known are"),
    "no array": ([("w.npy", b"text")], "not a readable npz"),
    "twice": ([("w.npy", npy("(1,)", bytes(8)))] * 2, "holds 'w.npy' twice"),
    "one key": ([("w.npy", npy("(1,)", bytes(8))), ("w", npy("(1,)", bytes(8)))], "'w' twice"),
    "escape codes": ([("w\x1b[2J.npy", npy("(1,)", bytes(8)))], "cannot be printed"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of zipfile, as the test writes it
@pytest.mark.parametrize("case", NPZ)
def test_npz_members(case: str, tmp_path: Path) -> None:
    members, told = NPZ[case]
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    with pytest.raises(GradlabError, match=told):
        read(path)
    assert one_line(path)


@pytest.mark.fault("weights: a zip bomb", "refused before memory is taken")
@pytest.mark.parametrize("suffix", [".npz", ".keras", ".pt"])
def test_a_zip_that_unpacks_to_far_more(suffix: str, tmp_path: Path) -> None:
    """Half a gigabyte of zeros in half a megabyte: refused with hardly anything taken."""
    if suffix in EXTRAS:
        pytest.importorskip(EXTRAS[suffix])
    path = tmp_path / f"m{suffix}"
    zeros = npy("(65536000,)", bytes(8 * 65536000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", zeros)
    del zeros
    peak = Peak()
    with pytest.raises(GradlabError, match=r"claims to hold 52.* save it without compression"):
        taken(path)
    assert peak.bytes() < 2**20


class Peak:
    """The most memory that Python and numpy took since."""

    def __init__(self) -> None:
        tracemalloc.start()

    def bytes(self) -> int:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_large_file_takes_a_few_times_its_size(suffix: str, tmp_path: Path) -> None:
    path, w = tmp_path / f"m{suffix}", np.ones(2**20)  # eight megabytes
    if suffix == ".npz":
        np.savez(path, w=w)
    else:
        save_file({"w": w}, path)
    peak = Peak()
    assert np.array_equal(read(path)["w"], w)
    assert peak.bytes() < 4 * path.stat().st_size


def test_a_claim_of_onnx_takes_nothing(tmp_path: Path) -> None:
    """Eight terabytes in an initialiser of four bytes; the process does not grow by 64 MiB."""
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    write_onnx(path)
    model = onnx.load(path)
    model.graph.initializer[0].dims[:] = [1, 2 * 10**6, 10**6]
    path.write_bytes(model.SerializeToString())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(GradlabError, match=r"claims shape .* 8000000000000 bytes, and has 96"):
        layers(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert grown < 64 * 1024


def test_joining_constants_again_and_again_takes_nothing(tmp_path: Path) -> None:
    """Thirty Concat nodes that each double their input would make 96 GB of 96 bytes."""
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    write_onnx(path)
    model = onnx.load(path)
    last = model.graph.node.pop()
    for k in range(30):
        name = f"w{k - 1}" if k else "weight_ih_l0"
        model.graph.node.append(onnx.helper.make_node("Concat", [name] * 2, [f"w{k}"], axis=0))
    last.input[1] = "w29"
    model.graph.node.append(last)
    path.write_bytes(model.SerializeToString())
    peak = Peak()
    with pytest.raises(GradlabError, match="claims to hold"):
        layers(path)
    assert peak.bytes() < 2**28  # FLOOR is 2^26: once as the inputs, once as the result


def test_a_name_that_climbs_out_is_a_name(tmp_path: Path) -> None:
    """Nothing is unpacked to disk, so `../` leads nowhere."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "m.npz", "w") as archive:
        archive.writestr("../../w.npy", npy("(1,)", bytes(8)))
    assert list(read(folder / "m.npz")) == ["../../w"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "m.npz"]


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """protobuf hands such a name on as bytes."""
    pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    write_onnx(path)
    path.write_bytes(path.read_bytes().replace(b"net", b"n\xff\xfe"))
    [layer] = layers(path)
    assert layer.prefix == "n\ufffd\ufffd"


@pytest.mark.parametrize("suffix", [".npz", ".keras", ".pt"])
def test_a_zip_of_another_age(suffix: str, tmp_path: Path) -> None:
    """Its version is two bytes after the mark, the system and the version that wrote it."""
    path = tmp_path / f"m{suffix}"
    WRITERS[suffix](path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 255
    path.write_bytes(bytes(content))
    assert one_line(path)


def layer(**changes: Any) -> RecurrentLayer:
    own = {name: array.astype(np.float32) for name, array in tensors().items()} | changes
    kept = {name: array for name, array in own.items() if array is not None}
    return RecurrentLayer("lstm", "net", 3, 2, 1, False, kept)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weight_hh_l0": None}, "net: weight_hh_l0 is missing"),
        ({"weight_hh_l0": np.ones((12, 4))}, r"has shape \(12, 4\); lstm .* wants \(12, 3\)"),
        ({"weight_ih_l0": np.ones((12, 2), int)}, "is int64, not floating point"),
        ({"bias_ih_l0": np.full(12, np.nan)}, "bias_ih_l0 holds NaN or infinity"),
        ({"bias_ih_l0": np.full(12, np.inf)}, "bias_ih_l0 holds NaN or infinity"),
        ({"bias_ih_l0": np.ones(3)}, r"has shape \(3,\)"),
    ],
)
def test_a_layer_that_cannot_be_run_is_told(changes: dict[str, Any], told: str) -> None:
    assert {a.dtype.name for a in sound(layer(), "m").values()} == {"float64"}
    assert sound(layer(bias_ih_l0=None), "m").keys() == {"weight_ih_l0", "weight_hh_l0"}
    with pytest.raises(GradlabError, match=told):
        sound(layer(**changes), "m.onnx")


def test_an_encrypted_member_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, w=np.ones(1))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1  # the flag in both headers of the member
    path.write_bytes(bytes(content))
    with pytest.raises(GradlabError, match=r"not a readable npz file.*encrypted"):
        read(path)


@pytest.mark.parametrize("suffix", [*FORMATS, *LAYERED])
@pytest.mark.parametrize("kind", ["nothing", "empty", "folder", "pipe", "link"])
def test_what_is_no_regular_file(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    make = {
        "nothing": lambda: None,
        "empty": path.touch,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to(tmp_path / "gone"),
    }
    make[kind]()
    told = {
        "nothing": "there is no file",
        "empty": "is empty",
        "folder": "is a directory",
        "pipe": "is not a regular file",
        "link": "there is no file",
    }
    with pytest.raises(GradlabError, match=told[kind]):
        taken(path)


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that everybody may enter, without the rights of root, which ignores modes."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_that_may_not_be_read(suffix: str, nobody: Path) -> None:
    if os.geteuid() != 65534:
        pytest.skip("needs to begin as root, to make a file for somebody else")
    os.seteuid(0)
    path = nobody / f"m{suffix}"
    closed = nobody / "closed"
    closed.mkdir(mode=0o700)
    try:
        WRITERS[suffix](path)
        WRITERS[suffix](closed / path.name)
        path.chmod(0o600)
    finally:
        os.seteuid(65534)
    for each in (path, closed / path.name):
        with pytest.raises(
            GradlabError, match=r"cannot read .*: Permission denied; check the path"
        ):
            taken(each)


def test_an_unknown_suffix_names_the_formats(tmp_path: Path) -> None:
    for call in (read, layers):
        with pytest.raises(
            GradlabError, match=r"known formats are \.safetensors, \.npz, \.pt, .pth"
        ):
            call(tmp_path / "m.txt")


def test_the_table_of_orders_names_each_gate_once() -> None:
    for form, cells in packing.ORDERS.items():
        for name, order in cells.items():
            assert sorted(order) == sorted(CELLS[name].PACKED), (form, name)


@pytest.mark.parametrize("form", packing.ORDERS)
def test_blocks_are_moved_whole(form: str) -> None:
    """Rows that say which gate they are of come out in the cell's order."""
    for name, order in packing.ORDERS[form].items():
        marked = np.repeat([CELLS[name].PACKED.index(gate) for gate in order], 3)
        rows = np.stack([marked, np.arange(len(marked)) % 3], axis=1)
        found = packing.packed(form, name, rows)
        assert found[:, 0].tolist() == sorted(marked.tolist())
        assert found[:, 1].tolist() == [0, 1, 2] * len(order)
