"""Initial weights: what is drawn, in which order, and what an option must not change.

Claims:
- Every kind has the spread that it promises; orthogonal blocks are orthogonal, gate by gate.
- `randn` with mt19937 is the transpose of numpy's legacy draw: recurrent weights first.
- weight_scale multiplies the recurrent weights, input_scale the input weights, and nothing else.
- No option changes what another draws; a member is the same whoever else is drawn.
- forget_bias lands on the gate that keeps the state, and the pair of biases adds up to what was
  asked.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.cells import CELLS
from gradlab.draws import PURPOSES, Streams
from gradlab.initial import INITS, Drawn, Loaded, member
from gradlab.nonlinearity import Array

H, I = 64, 48
GENERATORS = ["pcg64", "mt19937"]


def fitting(cell: str, size: tuple[int, int]) -> tuple[int, int]:
    """H and I; I = H for a cell that wants it so."""
    try:
        CELLS[cell].shapes(*size, 1, CELLS[cell].Options())
    except ValueError:
        return size[0], size[0]
    return size


def one(
    cell: str = "lstm",
    seed: int = 0,
    generator: str = "pcg64",
    g: float = 1.0,
    size: tuple[int, int] = (H, I),
    own: object = None,
    **options: object,
) -> dict[str, Array]:
    """The tensors of a member; own: the cell's Options."""
    streams = Streams(seed, generator)  # type: ignore[arg-type]
    own, sizes = own or CELLS[cell].Options(), fitting(cell, size)
    return member(CELLS[cell], own, Drawn(**options), *sizes, g, streams)  # type: ignore[arg-type]


SPREADS = {  # the standard deviation of an entry of the (H, n) block of a gate
    "normal": lambda n: 1 / np.sqrt(n),
    "randn": lambda n: 1.0,
    "uniform": lambda n: 1 / np.sqrt(3 * H),
    "xavier_uniform": lambda n: np.sqrt(2 / (H + n)),
    "xavier_normal": lambda n: np.sqrt(2 / (H + n)),
    "orthogonal": lambda n: 1 / np.sqrt(max(H, n)),
}


@pytest.mark.parametrize("g", [1.0, 2.5])
@pytest.mark.parametrize("kind", SPREADS)
def test_spread(kind: str, g: float) -> None:
    tensors = one(g=g, recurrent=kind, input=kind)
    for name, scale in (("weight_hh", g), ("weight_ih", 1.0)):
        entries = tensors[name].ravel() / SPREADS[kind](tensors[name].shape[1]) / scale
        # the standard error of a variance from n normal entries is sqrt(2 / n), of a mean
        # 1/sqrt(n); n is 16384 and 12288 here: 0.013 and 0.009. Five of them
        assert abs((entries**2).mean() - 1) < 5 * np.sqrt(2 / entries.size)
        assert abs(entries.mean()) < 5 / np.sqrt(entries.size)


@pytest.mark.parametrize(("kind", "bound"), [("uniform", H**-0.5), ("xavier_uniform", None)])
def test_bounds(kind: str, bound: float | None) -> None:
    for name, tensor in one(recurrent=kind, input=kind).items():
        if name.startswith("weight"):
            limit = bound or np.sqrt(6 / (H + tensor.shape[1]))
            # 12288 draws come within a thousandth of the ends but for a chance of e^-12
            assert 0.999 * limit < np.abs(tensor).max() <= limit


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("size", [(6, 6), (6, 3), (3, 7), (1, 1)])
def test_orthogonal_gate_by_gate(cell: str, size: tuple[int, int]) -> None:
    g = 1.7
    h, i = fitting(cell, size)
    tensors = one(cell, g=g, size=size, recurrent="orthogonal", input="orthogonal")
    if CELLS[cell].GATES:
        for block in np.split(tensors["weight_hh"], len(CELLS[cell].GATES)):
            # a QR is orthogonal to some eps
            assert np.abs(block.T @ block - g * g * np.eye(h)).max() < 1e-12
    for block in np.split(tensors["weight_ih"], len(CELLS[cell].PACKED)):
        gram = block.T @ block if h >= i else block @ block.T
        assert np.abs(gram - np.eye(min(h, i))).max() < 1e-12


def test_orthogonal_is_not_biased_by_the_signs_of_the_factorisation() -> None:
    # Haar: the first entry is as often positive as negative; QR alone makes it negative always.
    # 200 draws: 100 +- 7; five standard errors
    positive = sum(
        one("rnn", seed, size=(3, 3), recurrent="orthogonal")["weight_hh"][0, 0] > 0
        for seed in range(200)
    )
    assert abs(positive - 100) < 36


def test_identity_and_zeros() -> None:
    tensors = one("gru", g=0.9, size=(4, 6), recurrent="identity", input="zeros")
    assert np.array_equal(tensors["weight_hh"], np.tile(0.9 * np.eye(4), (3, 1)))
    assert not tensors["weight_ih"].any()


def test_randn_is_the_transposed_legacy_draw() -> None:
    tensors = one("linear", 3, "mt19937", size=(3, 2), recurrent="randn", input="randn")
    random = np.random.RandomState(3)
    assert np.array_equal(tensors["weight_hh"], random.randn(3, 3).T)  # the recurrent weights first
    assert np.array_equal(tensors["weight_ih"], random.randn(2, 3).T)
    # the text's W_h for seed 3, to the digits that it prints
    assert tensors["weight_hh"].T[0] == pytest.approx(
        [1.78862847, 0.43650985, 0.09649747], abs=5e-9
    )


def test_randn_of_packed_gates_is_drawn_gate_by_gate() -> None:
    tensors = one("lstm", 3, "mt19937", size=(3, 2), recurrent="randn")
    random = np.random.RandomState(3)
    for block in np.split(tensors["weight_hh"], 4):
        assert np.array_equal(block, random.randn(3, 3).T)


def test_normal_with_mt19937_is_the_legacy_draw_too() -> None:
    tensors = one("rnn", 5, "mt19937", size=(4, 3))
    random = np.random.RandomState(5)
    assert np.array_equal(tensors["weight_hh"], random.randn(4, 4) / np.sqrt(4))
    assert np.array_equal(tensors["weight_ih"], random.randn(4, 3) / np.sqrt(3))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("cell", CELLS)
def test_what_follows_does_not_change_what_came_before(cell: str, generator: str) -> None:
    base = one(cell, 7, generator)
    for options in (
        {"input": "orthogonal"},
        {"input": "zeros", "input_scale": 3.0},
        {"bias": 0.5, "forget_bias": 2.0},
        {"biases": 0},
        {"biases": 1},
    ):
        other = one(cell, 7, generator, **options)
        if CELLS[cell].GATES:
            assert np.array_equal(other["weight_hh"], base["weight_hh"])
        if "input" not in options:
            assert np.array_equal(other["weight_ih"], base["weight_ih"])
    if CELLS[cell].GATES:
        wider = one(cell, 7, generator, size=(H, I + 9))
        assert np.array_equal(wider["weight_hh"], base["weight_hh"])


@pytest.mark.parametrize("cell", CELLS)
def test_another_kind_of_recurrent_weights_leaves_the_input_weights(cell: str) -> None:
    base = one(cell, 7)["weight_ih"]
    for kind in INITS:
        assert np.array_equal(one(cell, 7, recurrent=kind)["weight_ih"], base)


@pytest.mark.parametrize("cell", CELLS)
def test_scales(cell: str) -> None:
    base, scaled = one(cell), one(cell, g=3.0, input_scale=0.25)
    assert ("weight_hh" in base) == bool(CELLS[cell].GATES)
    for name, tensor in base.items():
        assert tensor.any() != name.startswith("bias")
        g = 0.25 if name == "weight_ih" else 3.0
        assert np.array_equal(scaled[name], g * tensor)


@pytest.mark.parametrize("generator", GENERATORS)
def test_peepholes(generator: str) -> None:
    drawn = [one("lstm_peephole", seed, generator, g=2.5) for seed in range(40)]
    for gate in "ifo":
        entries = np.concatenate([d[f"peephole_{gate}"] for d in drawn]) * np.sqrt(H) / 2.5
        # 2560 entries: five standard errors, as in test_spread
        assert abs((entries**2).mean() - 1) < 5 * np.sqrt(2 / entries.size)
        assert abs(entries.mean()) < 5 / np.sqrt(entries.size)
    for a, b in (("i", "f"), ("f", "o"), ("i", "o")):
        rho = np.corrcoef(drawn[0][f"peephole_{a}"], drawn[0][f"peephole_{b}"])[0, 1]
        assert abs(rho) < 5 / np.sqrt(H)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("chosen", [(), ("i",), ("o",), ("f", "o")], ids=str)
def test_a_choice_of_peepholes_changes_no_other_weight(chosen: tuple, generator: str) -> None:
    whole = one("lstm_peephole", 7, generator)
    some = one("lstm_peephole", 7, generator, own=CELLS["lstm_peephole"].Options(chosen))
    assert {n for n in some if n.startswith("peephole")} == {f"peephole_{k}" for k in chosen}
    for name, tensor in some.items():
        assert np.array_equal(tensor, whole[name])
    plain = one("lstm", 7, generator)
    for name in ("weight_hh", "weight_ih"):
        assert np.array_equal(plain[name], whole[name])


@pytest.mark.parametrize(
    ("cell", "rows"),
    [
        ("lstm", slice(H, 2 * H)),
        ("gru", slice(H, 2 * H)),
        ("lstm_peephole", slice(H, 2 * H)),
        ("lstm_coupled", slice(0, H)),
        ("lstm_simple", slice(0, H)),
        ("gru_2014", slice(H, 2 * H)),
        ("gru_minimal", slice(0, H)),
    ],
)
def test_forget_bias_lands_on_the_gate_that_keeps_the_state(cell: str, rows: slice) -> None:
    # PyTorch's order: LSTM i, f, g, o; GRU r, z, n, with h_t = (1 - z) n + z h: z keeps
    tensors = one(cell, bias=0.5, forget_bias=2.0)
    total = tensors["bias_ih"] + tensors.get("bias_hh", 0)
    expected = np.full(total.shape, 0.5)
    expected[rows] = 2.5
    assert np.array_equal(total, expected)


@pytest.mark.parametrize(
    "cell", ["lstm", "gru", "lstm_peephole", "lstm_coupled", "gru_2014", "gru_minimal"]
)
def test_forget_bias_does_keep_the_state(cell: str) -> None:
    """What the name promises: with a bias of 40 and no weights, a step changes nothing."""
    tensors = one(cell, size=(4, 2), recurrent="zeros", input="zeros", forget_bias=40.0)
    module = CELLS[cell]
    p = module.init({name: tensor[None] for name, tensor in tensors.items()}, module.Options())
    s = np.random.default_rng(0).standard_normal((1, 4 * len(module.STATE), 3))
    new, _ = module.step(p, s, module.drive(p, np.zeros((1, 2, 3))))
    # sigmoid(-40) = 4e-18; the last part of the state is the one that is kept
    assert np.allclose(new[:, -4:], s[:, -4:], rtol=0, atol=1e-16)


@pytest.mark.parametrize("cell", ["linear", "rnn", "accumulator"])
def test_forget_bias_where_nothing_keeps_the_state(cell: str) -> None:
    tensors = one(cell, bias=0.5, forget_bias=2.0)
    assert np.array_equal(tensors["bias_ih"] + tensors.get("bias_hh", 0), np.full(H, 0.5))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("biases", [0, 1, 2])
def test_number_of_biases(cell: str, biases: int) -> None:
    tensors = one(cell, biases=biases, bias=0.3)
    names = [name for name in tensors if name.startswith("bias")]
    # without a recurrent matrix there is one at most
    assert names == ["bias_ih", "bias_hh"][: biases if CELLS[cell].GATES else min(biases, 1)]
    if biases:
        total = np.sum([tensors[name] for name in names], axis=0)
        assert (total == 0.3).all()  # for one vector and for the pair alike


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_member_is_its_seed_s(generator: str) -> None:
    alone = [one(seed=seed, generator=generator) for seed in range(4)]
    backwards = [one(seed=seed, generator=generator) for seed in (3, 2, 1, 0)][::-1]
    for a, b in zip(alone, backwards, strict=True):
        for name in a:
            assert np.array_equal(a[name], b[name])
    assert len({float(a["weight_hh"][0, 0]) for a in alone}) == 4


def test_pcg64_streams_are_seed_sequences_with_a_key_for_each_purpose() -> None:
    # written out: a result of a seed hangs on these numbers, so none may ever change
    keys = {"recurrent": 0, "input": 1, "state": 2, "upstream": 3}
    keys |= {"inputs": 4, "peephole": 5, "output": 6, "targets": 7, "cuts": 8}
    keys |= {"batch": 9, "embedding": 10}
    assert keys.keys() == set(PURPOSES)
    for purpose, k in keys.items():
        sequence = np.random.SeedSequence(9, spawn_key=(k,))
        expected = np.random.default_rng(sequence).standard_normal(5)
        assert np.array_equal(Streams(9, "pcg64").of(purpose).standard_normal(5), expected)
    inputs = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(4, 3)))
    found = Streams(9, "pcg64").inputs(3).standard_normal(5)
    assert np.array_equal(found, inputs.standard_normal(5))
    tensors = one("rnn", 9, size=(3, 2))
    random = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(0,)))
    assert np.array_equal(tensors["weight_hh"], random.standard_normal((3, 3)) / np.sqrt(3))


def test_mt19937_is_one_stream_but_for_the_inputs() -> None:
    streams, random = Streams(4, "mt19937"), np.random.RandomState(4)
    for purpose in PURPOSES:
        assert np.array_equal(streams.of(purpose).standard_normal(3), random.randn(3))
    before = Streams(4, "mt19937")
    before.inputs(0).standard_normal(100)  # inputs take nothing from it, nor do their places
    places = before.cuts().random(3)
    assert np.array_equal(places, np.random.RandomState([4, 0]).random(3))
    assert np.array_equal(
        before.of("recurrent").standard_normal(3), np.random.RandomState(4).randn(3)
    )


def test_loaded_weights_are_scaled_and_left_as_they_were() -> None:
    given = {"weight_hh": np.full((2, 2), 3.0), "weight_ih": np.full((2, 1), 5.0)}
    tensors = member(
        CELLS["rnn"], CELLS["rnn"].Options(), Loaded(given), 2, 1, 0.5, Streams(0, "pcg64")
    )
    assert (tensors["weight_hh"] == 1.5).all() and (tensors["weight_ih"] == 5).all()
    assert (given["weight_hh"] == 3).all()
