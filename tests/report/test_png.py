"""PNG files that gradlab writes itself.

Claims:
- an independent decoder reads the same pixels, of any size, and the resolution;
- the decoder finds every checksum right;
- what is not opaque is no part of it: red, green and blue alone are written;
- the same picture is the same bytes;
- the figures are no larger files, all together, than that decoder's own encoder writes.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradlab.report.png import encoded

FIGURES = Path(__file__).parent / "figures" / "baseline"


def noise(height: int, width: int, samples: int = 4) -> np.ndarray:
    """Pixels that no filter and no table makes smaller."""
    return np.random.default_rng(height * width).integers(
        0, 256, (height, width, samples), np.uint8
    )


def figure_like() -> np.ndarray:
    """White, with a grid, a dark frame and a curve a pixel wide."""
    pixels = np.full((400, 640, 4), 255, np.uint8)
    pixels[::50, :, :3] = 228
    pixels[:, [40, 600], :3] = 34
    across = np.arange(40, 600)
    pixels[(200 + 150 * np.sin(across / 60)).astype(int), across, :3] = (51, 34, 136)
    return pixels


def decoded(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (17, 23), (256, 257)])
@pytest.mark.parametrize("samples", [3, 4])
def test_it_is_read_as_it_was(size: tuple[int, int], samples: int) -> None:
    pixels = noise(*size, samples)
    assert np.array_equal(decoded(encoded(pixels, 100)), pixels[..., :3])


def test_a_view_of_a_larger_picture_is_written_as_it_is_seen() -> None:
    pixels = noise(40, 50)[::-2, 3:-3]
    assert np.array_equal(decoded(encoded(pixels, 100)), pixels[..., :3])


def test_checksums_are_right_and_a_wrong_one_is_noticed() -> None:
    data = encoded(figure_like(), 100)
    Image.open(io.BytesIO(data)).verify()
    at = data.index(b"IDAT") + 20
    broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises((SyntaxError, OSError)):
        Image.open(io.BytesIO(broken)).verify()


@pytest.mark.parametrize("dpi", [50, 150, 600])
def test_the_resolution_is_told_in_dots_per_metre(dpi: int) -> None:
    image = Image.open(io.BytesIO(encoded(noise(2, 2), dpi)))
    # a metre has whole dots: half a dot of it is 0.0127 dots of an inch
    assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.0128)


def test_the_same_picture_is_the_same_bytes() -> None:
    pixels = figure_like()
    assert encoded(pixels, 100) == encoded(pixels.copy(), 100)


def test_all_figures_together_are_no_larger_than_usual() -> None:
    ours = usual = 0
    for path in sorted(FIGURES.glob("*.png")):
        picture = Image.open(path).convert("RGBA")
        data = io.BytesIO()
        picture.save(data, "png")
        usual += len(data.getvalue())
        ours += len(encoded(np.asarray(picture), 100))
    assert 0 < ours <= usual
