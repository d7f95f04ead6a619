"""One palette, told apart by everyone.

Claims:
- the simulation keeps greys grey, and makes alike what differs in the missing direction alone;
- colours that stand beside each other are at least 15 apart in CIE L*a*b*, six times what is just
  noticeable, for trichromats, protanopes, deuteranopes and tritanopes; two that only their markers
  tell apart would fail;
- in a print in grey the verdicts keep one order, and neighbouring categories differ;
- growth and decay of the same size have different colours to everyone, darker the larger they are;
- no module of the figures has a colour of its own: all are in style.py.
"""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from colour_vision import VISIONS, apart, encoded, grey, lab, linear, of_hex, seen

import gradlab.report
from gradlab.report import style
from gradlab.report.figures import clipping
from gradlab.report.sweep_figures import phase_diagram

APART = 15.0
GROUPS: dict[str, tuple[str, ...]] = {
    "verdicts": tuple(style.VERDICT_COLOURS.values()),
    "parts": tuple(style.PART_COLOURS.values()),
    "paths": tuple(style.PATH_COLOURS.values()),
    "directions": tuple(style.DIRECTION_COLOURS.values()),
    "lags": (style.WHOLE, style.REST),
    "singular values": (style.LARGEST, style.SMALLEST),
    "clipping": (clipping.PASSED["facecolor"], clipping.CLIPPED["facecolor"]),
    "trained and fresh": (*style.PART_COLOURS.values(), style.FRESH),
    "categories": style.CATEGORIES,
}


@pytest.mark.parametrize("vision", VISIONS)
def test_greys_stay_grey(vision: str) -> None:
    # the rows of a matrix add up to 1, to the six digits of the table
    assert np.abs(VISIONS[vision].sum(axis=1) - 1).max() < 2e-6
    for level in (0.0, 0.2, 0.5, 1.0):
        assert np.abs(seen(np.full(3, level), vision) - level).max() < 1e-5


def test_lightness_of_black_grey_and_white() -> None:
    assert lab(np.zeros(3)) == pytest.approx([0, 0, 0], abs=1e-12)
    assert lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=1e-9)
    # CIE: L* = 116 cbrt(0.18) - 16 of a grey card of 18 %
    card = np.full(3, 1.055 * 0.18 ** (1 / 2.4) - 0.055)
    assert lab(card) == pytest.approx([116 * 0.18 ** (1 / 3) - 16, 0, 0], abs=1e-9)


@pytest.mark.parametrize("vision", ["protanopia", "deuteranopia"])
def test_dichromats_miss_one_direction_of_colours(vision: str) -> None:
    """Red against green: light that differs by it alone looks the same. The table is rounded to six
    digits. (That of tritanopia is an approximation, and has no such direction.)
    """
    direction = np.linalg.svd(VISIONS[vision])[2][-1]
    assert abs(direction[0]) > abs(direction[2]) < abs(direction[1])
    pair = [encoded(0.5 + sign * 0.3 * direction) for sign in (-1, 1)]
    assert np.linalg.norm(lab(pair[0]) - lab(pair[1])) > 40
    assert np.linalg.norm(lab(seen(pair[0], vision)) - lab(seen(pair[1], vision))) < 1e-3
    assert apart("#2244aa", "#ccbb33", vision) > 80  # blue and yellow are kept


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_colours_of_a_group_are_apart(group: str, vision: str) -> None:
    for one, other in combinations(GROUPS[group], 2):
        assert apart(one, other, vision) >= APART, (one, other)


def test_the_verdicts_have_one_order_in_grey() -> None:
    order = ("vanishing", "undecided", "exploding", "preserved")
    levels = [lab(grey(of_hex(style.VERDICT_COLOURS[name])))[0] for name in order]
    assert min(b - a for a, b in pairwise(levels)) > 6


def test_neighbouring_categories_differ_in_grey() -> None:
    levels = [float(lab(grey(of_hex(colour)))[0]) for colour in style.CATEGORIES]
    assert min(abs(b - a) for a, b in pairwise(levels)) > 10


@pytest.mark.parametrize("vision", VISIONS)
def test_growth_and_decay_of_one_size_are_apart(vision: str) -> None:
    """From a twentieth of the scale on; nearer to zero both are white, as they should be."""
    sizes = np.linspace(0.05, 1, 20)
    decay, growth = (
        np.asarray(phase_diagram.colours()(0.5 + sign * sizes / 2))[:, :3] for sign in (-1, 1)
    )
    distance = np.linalg.norm(lab(seen(decay, vision)) - lab(seen(growth, vision)), axis=1)
    assert distance.min() >= APART
    for side in (decay, growth):
        assert (np.diff(lab(side)[:, 0]) < 0).all()


def test_the_ink_is_read_on_its_ground() -> None:
    """Contrast of WCAG 2.1: 4.5 for text, 3 for lines."""
    for colour, ground, least in (
        (style.INK, "#ffffff", 4.5),
        (style.SOFT, "#ffffff", 4.5),
        (style.INK, style.HIGHLIGHT, 4.5),
        *((colour, "#ffffff", 2.8) for colour in style.CATEGORIES),
    ):
        light = [float(linear(of_hex(c)) @ (0.2126, 0.7152, 0.0722)) for c in (colour, ground)]
        assert (light[1] + 0.05) / (light[0] + 0.05) >= least, colour


def test_no_figure_has_colours_of_its_own() -> None:
    root = Path(gradlab.report.__file__).parent
    modules = [path for path in root.rglob("*.py") if path.parent.name != "page"]
    assert len(modules) > 40
    for path in modules:
        if path.name != "style.py":
            assert not re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8")), path
