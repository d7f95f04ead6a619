"""A curve in one line of text."""

from __future__ import annotations

import numpy as np

from gradlab.nonlinearity import Array

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-:=+*#"
GAP = " "


def sparkline(
    curve: Array, width: int, unicode: bool = True, limits: tuple[float, float] | None = None
) -> str:
    """The curve's values as at most `width` characters of eight heights; gaps where it is not
    finite. limits: the values of the lowest and the highest character, by default the curve's own.
    """
    marks = BLOCKS if unicode else ASCII
    chosen = curve[np.unique(np.linspace(0, len(curve) - 1, min(width, len(curve))).astype(int))]
    finite = np.isfinite(chosen)
    if not finite.any():
        return GAP * len(chosen)
    low, high = limits or (chosen[finite].min(), chosen[finite].max())
    span = high - low
    heights = (chosen - low) / span * (len(marks) - 1) if span > 0 else np.full(len(chosen), 3.0)
    return "".join(marks[round(h)] if ok else GAP for h, ok in zip(heights, finite, strict=True))
