"""How a colour looks to others: in grey, to readers who lack a kind of cones, and how far two
colours are apart to the eye.

The matrices are those of Machado, Oliveira, Fernandes (2009), "A physiologically-based model for
simulation of color vision deficiency", table 1, of severity 1.0: dichromats. They act on linear
RGB. Distances are Euclidean in CIE L*a*b* (1976) under D65: 2.3 is just noticeable side by side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VISIONS: dict[str, Array] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(  # of linear sRGB, IEC 61966-2-1
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
WHITE = XYZ.sum(axis=1)


def of_hex(colour: str) -> Array:
    """sRGB in 0 .. 1, (3,)."""
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])


def linear(srgb: Array) -> Array:
    """Linear light of sRGB (..., 3)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def encoded(light: Array) -> Array:
    """sRGB of linear light, what is out of range at its border."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def seen(srgb: Array, vision: str) -> Array:
    """sRGB (..., 3) as that vision has it."""
    return encoded(linear(srgb) @ VISIONS[vision].T)


def grey(srgb: Array) -> Array:
    """sRGB (..., 3) in a print without colours: of the same luminance."""
    return np.repeat(encoded(linear(srgb) @ XYZ[1])[..., None], 3, axis=-1)


def lab(srgb: Array) -> Array:
    """CIE L*, a*, b* of sRGB (..., 3)."""
    t = linear(srgb) @ XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def apart(one: str, other: str, vision: str = "normal") -> float:
    """How far two colours are apart, to that vision."""
    a, b = (lab(seen(of_hex(colour), vision)) for colour in (one, other))
    return float(np.linalg.norm(a - b))
