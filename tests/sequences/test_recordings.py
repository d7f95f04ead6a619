"""Recordings from npy, npz and csv.

Claims:
- a csv of repr floats comes back to the last bit; names, byte order mark, CRLF, quotes and blank
  lines at the end change nothing; so do npy and npz, in any number type that they are given in;
- a segment holds the file's own steps at the member's places, any segment the same steps;
- `start` is the first sequences from their beginning, for every member;
- a mapped file gives the same, is not copied, and is sent to a worker as a path;
- what is wrong is told with its line or step, and a file that is too large is given up early.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.draws import Streams
from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.sequences import arrays, decoding, table
from gradlab.sequences.recording import Recording

FLOAT = np.dtype(float)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def written(path: Path, rows: Array) -> Path:
    """The rows as csv, every number with the digits that tell it."""
    lines = [",".join(repr(float(x)) for x in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(FINITE, min_size=n, max_size=n))))
def test_a_csv_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]
) -> None:
    wanted = np.array(rows or [[0.1]])
    path = written(tmp_path_factory.getbasetemp() / "x.csv", wanted)
    assert arrays.read(path).array[0].tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    "text",
    [
        b"1,-2.5e-3\n+3,4\n",
        b"\xef\xbb\xbf1,-2.5e-3\r\n3,4\r\n",
        b"a,b\n1,-.0025\n3,4",
        b'"a, or so",b\n"1",-2.5E-3\n 3 , 4 \n\n\n',
        b"# a,b\r1,-0.0025\r3,4\r",
    ],
)
@pytest.mark.parametrize("chunk", [3, 4, 2**20])
def test_forms_of_the_same_csv(
    text: bytes, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "CHUNK", chunk)  # a byte order mark has three bytes
    (tmp_path / "x.csv").write_bytes(text)
    assert np.array_equal(arrays.read(tmp_path / "x.csv").array, [[[1, -0.0025], [3, 4]]])


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", "i4", "u1"])
def test_npy_and_npz_in_any_type(dtype: str, tmp_path: Path) -> None:
    numbers = (np.arange(24).reshape(2, 4, 3) * 5).astype(dtype)
    np.save(tmp_path / "x.npy", np.asfortranarray(numbers))
    np.savez(tmp_path / "x.npz", numbers)
    np.save(tmp_path / "one.npy", numbers[0])
    for name in ("x.npy", "x.npz"):
        held = arrays.read(tmp_path / name)
        assert held.batch and np.array_equal(held.array, numbers.astype(float))
        assert held.array.dtype == float and not held.array.flags.writeable
    held = arrays.read(tmp_path / "one.npy")
    assert not held.batch and np.array_equal(held.array, numbers[:1].astype(float))


def recording(path: Path, cut: str, B: int = 4, length: int = 60) -> Recording:
    return Recording(arrays.read(path), B, length, cut)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three sequences of 90 steps of two inputs, all numbers different."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((3, 90, 2)))
    return tmp_path / "x.npy"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_segments_are_the_file_s_steps(file: Path, dtype: str) -> None:
    source, members = recording(file, "random"), [Streams(seed, "pcg64") for seed in (3, 1)]
    numbers = np.load(file)
    whole = source.segment(members, 0, 60, np.dtype(dtype))
    assert whole.shape == (60, 2, 2, 4) and whole.dtype == dtype
    for r, member in enumerate(members):
        for b, (k, start) in enumerate(zip(*source.pieces.of(member, 4), strict=True)):
            piece = numbers[k, start : start + 60].astype(dtype)
            assert np.array_equal(whole[:, r, :, b], piece)
    for t0, n in ((0, 1), (16, 16), (59, 1), (10, 50)):
        part = source.segment(members, t0, n, np.dtype(dtype))
        assert np.array_equal(part, whole[t0 : t0 + n])


def test_a_member_alone_has_the_same_pieces(file: Path) -> None:
    source = recording(file, "random")
    together = source.segment([Streams(seed, "mt19937") for seed in (4, 5, 6)], 0, 60, FLOAT)
    for r, seed in enumerate((4, 5, 6)):
        alone = source.segment([Streams(seed, "mt19937")], 0, 60, FLOAT)
        assert np.array_equal(together[:, r], alone[:, 0])


def test_start_is_the_beginning_of_the_first_sequences(file: Path) -> None:
    source = recording(file, "start", B=2)
    segment = source.segment([Streams(0, "pcg64"), Streams(1, "pcg64")], 16, 10, FLOAT)
    assert segment.shape == (10, 2, 2, 2)
    for r in range(2):
        assert np.array_equal(segment[:, r], np.load(file)[:2, 16:26].transpose(1, 2, 0))


def test_the_next_class_is_that_of_the_largest_input(file: Path) -> None:
    for cut in ("start", "random"):
        source, members = recording(file, cut, B=3), [Streams(0, "pcg64"), Streams(1, "pcg64")]
        x = source.segment(members, 0, 60, FLOAT)
        assert np.array_equal(source.symbols(members, [1, 7, 59], FLOAT), x.argmax(2)[[1, 7, 59]])


def test_a_mapped_file_gives_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [Streams(0, "pcg64"), Streams(1, "pcg64")]
    held = {c: recording(file, c, B=3).segment(members, 5, 20, FLOAT) for c in ("start", "random")}
    monkeypatch.setattr(arrays, "MAPPED", 1)
    copy = file.with_name("y.npy")
    copy.write_bytes(file.read_bytes())
    source = arrays.read(copy)
    assert isinstance(source.array, np.memmap)
    sent = pickle.dumps(source)
    assert len(sent) < 1000 < copy.stat().st_size  # a path and a digest
    for cut, expected in held.items():
        mapped = Recording(pickle.loads(sent), 3, 60, cut)  # type: ignore[arg-type]
        assert np.array_equal(mapped.segment(members, 5, 20, FLOAT), expected)
    arrays._unchanged.cache_clear()  # as a fresh worker
    np.save(copy, np.zeros((1, 2, 1)))
    with pytest.raises(GradlabError, match=r"y\.npy has changed since"):
        pickle.loads(sent)


def test_a_held_file_is_read_once_and_sent_whole(file: Path) -> None:
    source = arrays.read(file)
    assert arrays.read(file) is source
    assert np.array_equal(pickle.loads(pickle.dumps(source)).array, source.array)


TABLES = {
    "a word": ("1,2\n3,x\n", "x.csv:2: cell 2 is 'x', not a number"),
    "an empty cell": ("1,2\n3,\n", "x.csv:2: cell 2 is empty"),
    "NaN": ("a\n1\nnan\n", "x.csv:3: cell 1 is 'nan'; NaN, infinity"),
    "beyond floats": ("1\n1e999\n", "x.csv:2: cell 1 is '1e999'; NaN, infinity"),
    "not as floats are written": ("1\n1_000\n", "x.csv:2: cell 1 is '1_000', not a number"),
    "half a header": ("a,1\n2,3\n", "x.csv:1: cell 1 is 'a', not a number"),
    "two headers": ("a,b\nc,d\n", "x.csv:2: cell 1 is 'c', not a number"),
    "ragged": ("1,2\n3,4,5\n", "x.csv:2: 3 numbers, but 2 in the lines before"),
    "fewer names": ("a\n1,2\n", "x.csv:2: 2 numbers, but 1 in the names in line 1"),
    "semicolons": ("1,5\n1,5;2,5\n", "x.csv:2: cell 2 is '5;2', not a number; put commas"),
    "a gap": ("1\n\n2\n", "x.csv:2: this line is empty; remove it"),
    "quotes": ('1,"2\n', "x.csv:1: the quotation marks do not match"),
    "nothing": ("", "x.csv has no numbers"),
    "names alone": ("a,b\n", "x.csv has no numbers"),
    "a long cell": (f"1\n{'y' * 500}\n", "x.csv:2: cell 1 is 'yyy"),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_wrong_in_a_csv(name: str, tmp_path: Path) -> None:
    text, message = TABLES[name]
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(GradlabError) as raised:
        arrays.read(tmp_path / "x.csv")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 200


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(GradlabError, match="0xf6 at offset 2 is not UTF-8"):
        arrays.read(tmp_path / "x.csv")


def test_a_csv_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room, and would take a minute to look at
    with pytest.raises(GradlabError, match=r"larger than 4 GiB; save it as \.npy"):
        arrays.read(huge)
    monkeypatch.setattr(table, "MOST", 5)
    with pytest.raises(GradlabError, match="more than 5 numbers"):
        arrays.read(written(tmp_path / "x.csv", np.ones((3, 2))))
    monkeypatch.setattr(table, "LONGEST", 10)
    monkeypatch.setattr(decoding, "CHUNK", 16)
    (tmp_path / "y.csv").write_text("1\n" + "2," * 1000, encoding="utf-8")
    with pytest.raises(GradlabError, match=r"y\.csv:2: this line has more than 10 characters"):
        arrays.read(tmp_path / "y.csv")


ARRAYS = {
    "four axes": (np.ones((2, 2, 2, 2)), r"shape \(2, 2, 2, 2\)"),
    "one axis": (np.ones(5), r"shape \(5,\)"),
    "no steps": (np.ones((0, 3)), "is empty"),
    "words": (np.array([["a"]]), "not real numbers"),
    "complex": (np.ones((2, 2)) * 1j, "not real numbers"),
    "infinity": (np.array([[0.0], [np.inf]]), r"infinity \(first in step 2\)"),
    "NaN": (np.array([[[0.0]], [[np.nan]]]), r"NaN or infinity \(first in step 1 of sequence 2\)"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_wrong_in_an_npy(name: str, tmp_path: Path) -> None:
    array, message = ARRAYS[name]
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(GradlabError, match=message):
        arrays.read(tmp_path / "x.npy")


def test_what_is_no_recording(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", np.ones((2, 2)), np.ones((2, 2)))
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY\x01")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUM")
    claims = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1), }\n"
    head = b"\x93NUMPY\x01\x00" + len(claims).to_bytes(2, "little")
    (tmp_path / "huge.npy").write_bytes(head + claims + bytes(80))
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    (tmp_path / "folder.csv").mkdir()
    for name, message in {
        "two.npz": "holds 2 arrays",
        "objects.npy": "not a readable npy",
        "torn.npy": "not a readable npy",
        "cut.npy": "is no npy file",
        "huge.npy": "not a readable npy file: mmap length is greater than file size",
        "x.wav": r"known formats are \.npy, \.npz, \.csv",
        "folder.csv": "is a folder or a device; name a file",
        "no.csv": "there is no file",
    }.items():
        with pytest.raises(GradlabError, match=message):
            arrays.read(tmp_path / name)
