"""Texts as symbols.

Claims:
- characters and words are those that a scanner finds which looks at one character after the other,
  however the file falls into pieces; line ends and a byte order mark do not show;
- the vocabulary has the most frequent symbol first, then the smaller code point; max_words keeps
  the first ones and puts <unk> behind them; a file's vocabulary is taken in its order;
- vectors are one-hot at the symbol of the text at the member's place, or the embedding's row; the
  next symbol is the one after it;
- numbers of symbols take no more bytes than they need;
- unknown symbols, bytes that are no UTF-8 and broken vocabularies are told with their place.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from gradlab.draws import Streams
from gradlab.errors import GradlabError
from gradlab.sequences import corpus, decoding, embedding, tokens, vocabulary
from gradlab.sequences.text import Text
from gradlab.sequences.tokens import Level

FLOAT = np.dtype(float)
STORY = (
    "It isn't a 'test', is it?\n<unk> costs 3.50 \u2014 na\u00efve caf\u00e9s\u2019 \U0001f600!\n"
    * 3
)


def scanned(text: str) -> list[str]:
    """The words of a text, one character after the other."""
    words: list[str] = []
    k = 0
    while k < len(text):
        if text.startswith("<unk>", k):
            words.append("<unk>")
            k += 5
        elif text[k].isspace():
            k += 1
        elif _in_word(text[k]):
            start = k
            while k < len(text) and (
                _in_word(text[k])
                or (text[k] in "'\u2019" and k + 1 < len(text) and _in_word(text[k + 1]))
            ):
                k += 1
            words.append(text[start:k])
        else:
            words.append(text[k])
            k += 1
    return words


def _in_word(c: str) -> bool:
    return c.isalnum() or c == "_"


def ordered(symbols: list[str]) -> list[str]:
    counts = Counter(symbols)
    return sorted(counts, key=lambda s: (-counts[s], s))


SYMBOLS = {"char": list, "word": scanned}


def said(read: corpus.Corpus) -> list[str]:
    return [read.vocabulary[k] for k in read.numbers]


LINES = st.text(
    st.sampled_from("ab \n\t'\u2019_-.<>unk\u00e9\U0001f600\u2028") | st.characters(), max_size=80
)


@settings(deadline=None, max_examples=150)
@given(LINES, st.sampled_from(["char", "word"]), st.integers(3, 9), st.booleans())
def test_symbols_are_those_of_a_scanner(
    tmp_path_factory: pytest.TempPathFactory, text: str, level: Level, chunk: int, bom: bool
) -> None:
    text = "x" + text.encode("utf-8", "ignore").decode()  # not empty, no lone surrogates
    path = tmp_path_factory.getbasetemp() / "hypothesis.txt"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
    wanted = SYMBOLS[level](text.replace("\r\n", "\n").replace("\r", "\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK", chunk)
        found = corpus.read(path, level, None, None)
    assert said(found) == wanted
    assert list(found.vocabulary) == ordered(wanted)


@pytest.fixture
def story(tmp_path: Path) -> Path:
    (tmp_path / "story.txt").write_text(STORY, encoding="utf-8")
    return tmp_path / "story.txt"


def test_line_ends_do_not_show(story: Path) -> None:
    windows = story.with_name("w.txt")
    windows.write_bytes(STORY.replace("\n", "\r\n").encode())
    for level in tokens.LEVELS:
        assert said(corpus.read(windows, level, None, None)) == SYMBOLS[level](STORY)


@pytest.mark.parametrize("most", [1, 4, 14, 15, 16, 1000])
def test_the_most_frequent_words_are_kept(story: Path, most: int) -> None:
    words = scanned(STORY)
    found = corpus.read(story, "word", None, most)
    order = ordered(words)
    if most >= len(order):
        assert list(found.vocabulary) == order
        return
    kept = [w for w in order if w != "<unk>"][:most]
    assert list(found.vocabulary) == [*kept, "<unk>"]
    assert said(found) == [w if w in kept else "<unk>" for w in words]


def test_a_vocabulary_from_a_file(story: Path) -> None:
    chars = sorted(set(STORY), reverse=True)
    file = story.with_name("v.txt")
    lines = [{"\n": "\\n", "\\": "\\\\"}.get(c, c) for c in chars]
    file.write_text("\n".join(lines), encoding="utf-8")
    entries = vocabulary.of_file(file, "char")
    assert list(entries) == chars
    assert said(corpus.read(story, "char", entries, None)) == list(STORY)
    file.write_text("it\nis\n<unk>\n  a  \n", encoding="utf-8")
    entries = vocabulary.of_file(file, "word")
    assert entries == ("it", "is", "<unk>", "a")
    wanted = [w if w in entries else "<unk>" for w in scanned(STORY)]
    assert said(corpus.read(story, "word", entries, None)) == wanted
    escaped = story.with_name("e.txt")
    escaped.write_text("\\n\n\\t\n\\\\\n\\r\n \n\\\n", encoding="utf-8")
    with pytest.raises(GradlabError, match=r"e\.txt:6: '\\\\' is in line 3 already"):
        vocabulary.of_file(escaped, "char")
    escaped.write_text("\\n\n\\t\n\\\\\n\\r\n \n", encoding="utf-8")
    assert vocabulary.of_file(escaped, "char") == ("\n", "\t", "\\", "\r", " ")


def test_an_unknown_character_is_the_entry_for_it(story: Path) -> None:
    found = corpus.read(story, "char", ("t", "<unk>", "i"), None)
    assert said(found) == [c if c in "ti" else "<unk>" for c in STORY]


@pytest.mark.parametrize(("count", "size"), [(2, 1), (256, 1), (257, 2), (65536, 2), (65537, 4)])
def test_numbers_take_no_more_bytes_than_they_need(count: int, size: int, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(" ".join(f"w{k}" for k in range(count)), encoding="utf-8")
    found = corpus.read(path, "word", None, None)
    assert len(found.vocabulary) == len(found.numbers) == count
    assert found.numbers.itemsize == size and not found.numbers.flags.writeable


def text(path: Path, level: Level, rows: int | None = None, B: int = 3, length: int = 21) -> Text:
    found = corpus.read(path, level, None, None)
    vectors = None
    if rows is not None:
        vectors = np.random.default_rng(0).standard_normal((len(found.vocabulary), rows))
    return Text(found.numbers, found.vocabulary, B, length, vectors)


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors_are_one_hot_at_the_text_s_symbols(story: Path, level: Level, dtype: str) -> None:
    source, members = text(story, level), [Streams(s, "pcg64") for s in (5, 2)]
    symbols = SYMBOLS[level](STORY)
    x = source.segment(members, 0, 20, np.dtype(dtype))
    assert x.shape == (20, 2, len(set(symbols)), 3) and x.dtype == dtype
    assert ((x == 0) | (x == 1)).all() and (x.sum(axis=2) == 1).all()
    for r, member in enumerate(members):
        for b, start in enumerate(source.pieces.of(member, 3)[1]):
            found = [source.vocabulary[k] for k in x[:, r, :, b].argmax(axis=1)]
            assert found == symbols[start : start + 20]
    assert np.array_equal(source.segment(members, 7, 5, np.dtype(dtype)), x[7:12])


@pytest.mark.parametrize("level", ["char", "word"])
def test_vectors_are_the_rows_of_an_embedding(story: Path, level: Level) -> None:
    source, members = text(story, level, rows=4), [Streams(s, "mt19937") for s in (5, 2)]
    x = source.segment(members, 3, 10, FLOAT)
    assert source.I == 4 and x.shape == (10, 2, 4, 3)
    symbols, number = SYMBOLS[level](STORY), {s: k for k, s in enumerate(source.vocabulary)}
    assert source.rows is not None
    for r, member in enumerate(members):
        for b, start in enumerate(source.pieces.of(member, 3)[1]):
            for k in range(10):
                row = source.rows[number[symbols[start + 3 + k]]]
                assert np.array_equal(x[k, r, :, b], row)


def test_the_next_symbol_is_the_one_after(story: Path) -> None:
    source, members = text(story, "char"), [Streams(s, "pcg64") for s in range(3)]
    after = source.symbols(members, [1, 2, 20], FLOAT)
    assert after.shape == (3, 3, 3)
    for r, member in enumerate(members):
        for b, start in enumerate(source.pieces.of(member, 3)[1]):
            found = "".join(source.vocabulary[k] for k in after[:, r, b])
            assert found == STORY[start + 1] + STORY[start + 2] + STORY[start + 20]


def test_what_is_unknown_is_told_first_of_all(story: Path) -> None:
    with pytest.raises(GradlabError, match=r"story\.txt: 's' \(symbol 5 of the text\) is not in"):
        corpus.read(story, "char", ("I", "t", " ", "i"), None)
    with pytest.raises(GradlabError, match=r"story\.txt: 'a' \(symbol 3 of the text\) is not in"):
        corpus.read(story, "word", ("It", "isn't", "is"), None)


BYTES = {
    "Latin-1": ("na\u00efve".encode("latin-1"), r"byte 0xef at offset 2 is not UTF-8 \(it may be"),
    "after a byte order mark": (b"\xef\xbb\xbfab\xff", "byte 0xff at offset 5 is"),
    "far on": (b"\xc3\xa9" * 50 + b"\xe9 ", "byte 0xe9 at offset 100 is"),
    "cut off": (b"ab\xe2\x82", "byte 0xe2 at offset 2 is"),
    "UTF-16": ("ab".encode("utf-16"), r"offset 0 is not UTF-8 \(it looks like UTF-16\); save"),
}


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("chunk", [3, 7, 2**20])
def test_bytes_that_are_not_utf_8(
    name: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "CHUNK", chunk)
    raw, message = BYTES[name]
    (tmp_path / "t.txt").write_bytes(raw)
    for level in tokens.LEVELS:
        with pytest.raises(GradlabError, match=message):
            corpus.read(tmp_path / "t.txt", level, None, None)


def test_texts_without_symbols(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"")
    (tmp_path / "blank.txt").write_bytes(b" \n\n")
    for name, level in (("t.txt", "char"), ("t.txt", "word"), ("blank.txt", "word")):
        with pytest.raises(GradlabError, match=rf"{name} is empty: it has no {level}s"):
            corpus.read(tmp_path / name, level, None, None)  # type: ignore[arg-type]


def test_texts_that_are_too_large(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 5)
    with pytest.raises(GradlabError, match="more than 5 different words; use level: char"):
        corpus.read(story, "word", None, None)
    monkeypatch.setattr(tokens, "LONGEST", 100)
    monkeypatch.setattr(decoding, "CHUNK", 64)
    long = story.with_name("long.txt")
    long.write_text("a b " + "c" * 300, encoding="utf-8")
    with pytest.raises(GradlabError, match="more than 100 characters without white space"):
        corpus.read(long, "word", None, None)


VOCABULARIES = {
    "empty": ("", "char", r"v\.txt has no entries"),
    "an empty line": ("a\n\nb\n", "char", r"v\.txt:2: this line is empty"),
    "twice": ("a\nb\na\n", "char", r"v\.txt:3: 'a' is in line 1 already; remove one"),
    "a word": ("a\nbc\n", "char", r"v\.txt:2: 'bc' is more than one character, and level is char"),
    "two words": ("a\nthe 0.1 0.2\n", "word", r"v\.txt:2: 'the 0.1 0.2' has white space in it"),
    "too long": ("a" * 1001, "word", r"v\.txt:1: this line has more than 1000 characters"),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_what_is_wrong_in_a_vocabulary(name: str, tmp_path: Path) -> None:
    lines, level, message = VOCABULARIES[name]
    (tmp_path / "v.txt").write_text(lines, encoding="utf-8")
    with pytest.raises(GradlabError, match=message):
        vocabulary.of_file(tmp_path / "v.txt", level)  # type: ignore[arg-type]


def test_embeddings(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    matrix = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    broken = np.full((5, 3), np.inf)
    save_file({"m": matrix, "v": np.ones(5), "n": np.ones((5, 2), np.int64), "i": broken}, path)
    rows = embedding.rows(path, "m", 5)
    assert rows.dtype == float and np.array_equal(rows, matrix)
    for name, entries, message in (
        ("x", 5, "has no 'x'; it has: i, m, n, v"),
        ("m", 6, "m has 5 rows, but the vocabulary has 6 entries; give the vocabulary"),
        ("v", 5, r"v is no matrix of numbers \(shape \(5,\)"),
        ("n", 5, "n is no matrix of numbers .*int64"),
        ("i", 5, "i holds NaN or infinity"),
    ):
        with pytest.raises(GradlabError, match=message):
            embedding.rows(path, name, entries)
