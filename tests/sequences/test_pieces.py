"""Where pieces of a file begin.

Claims:
- every piece lies within the file, and all pieces are equally likely, also those that hardly fit;
- a member's places are its own: others, the weights' draws and the order of asking do not matter;
- a larger batch begins with the sequences of a smaller one;
- a longer piece begins where a shorter one does, unless it would not fit there;
- the places are apart from every other stream of the same seed.
"""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.draws import GeneratorName, Streams
from gradlab.sequences.pieces import Pieces

every_generator = pytest.mark.parametrize("generator", ["pcg64", "mt19937"])


@every_generator
@pytest.mark.parametrize(
    ("sequences", "steps", "length"),
    [(1, 40, 1), (1, 40, 10), (1, 40, 39), (1, 1000, 990), (5, 12, 4), (3, 7, 7)],
)
def test_all_pieces_are_equally_likely(
    sequences: int, steps: int, length: int, generator: GeneratorName
) -> None:
    pieces, B, seeds = Pieces(sequences, steps, length), 40, 200
    assert pieces.count == sequences * (steps - length + 1)
    counts = np.zeros((sequences, pieces.places), int)
    for seed in range(seeds):
        which, first = pieces.of(Streams(seed, generator), B)
        assert (first >= 0).all() and (first + length <= steps).all()
        np.add.at(counts, (which, first), 1)
    expected, freedom = B * seeds / pieces.count, pieces.count - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    # chi-square with `freedom` degrees of freedom has that mean and variance 2 freedom; at least
    # 170 draws are expected in a cell. Five standard deviations, and no less than for freedom 1.
    assert abs(statistic - freedom) <= 5 * np.sqrt(2 * max(freedom, 1))


@every_generator
def test_a_member_s_places_are_its_own(generator: GeneratorName) -> None:
    pieces = Pieces(3, 100, 20)
    once = [pieces.of(Streams(seed, generator), 8) for seed in range(4)]
    used = Streams(2, generator)
    used.of("recurrent").standard_normal(10)
    used.inputs(0).standard_normal(10)
    for again in (pieces.of(used, 8), pieces.of(used, 8)):
        assert np.array_equal(again, once[2])
    assert len({first.tobytes() for _, first in once}) == 4


@every_generator
def test_a_larger_batch_begins_with_a_smaller_one(generator: GeneratorName) -> None:
    pieces = Pieces(3, 100, 20)
    small, large = (pieces.of(Streams(1, generator), B) for B in (5, 16))
    assert np.array_equal(small, np.array(large)[:, :5])


@every_generator
def test_a_longer_piece_begins_where_a_shorter_one_does(generator: GeneratorName) -> None:
    lengths = [1, 10, 50, 100]  # of 1000: that none of 8 places fits has probability 1e-8 at most
    which, first = np.array(
        [
            np.concatenate(
                [Pieces(2, 1000, n).of(Streams(s, generator), 8) for s in range(30)], axis=1
            )
            for n in lengths
        ]
    ).swapaxes(0, 1)
    assert (which == which[0]).all()
    for k, longer in enumerate(lengths[1:], 1):
        same = first[k - 1] == first[k]
        assert (same | (first[k - 1] > 1000 - longer)).all()
        assert same.mean() > 0.8  # a tenth of the places is lost at most


@every_generator
def test_the_places_are_apart_from_other_streams(generator: GeneratorName) -> None:
    streams = Streams(7, generator)
    others = [streams.inputs(block).random(4) for block in range(3)]
    if generator == "pcg64":
        others += [streams.of(p).random(4) for p in ("recurrent", "input", "state", "targets")]
    else:
        others.append(np.random.RandomState(7).random(4))
    own = streams.cuts().random(4)
    assert not any(np.array_equal(own, other) for other in others)
