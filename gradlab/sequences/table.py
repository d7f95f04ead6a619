"""csv: one step a line, one input a column, numbers with a point, commas between them.

The first line may have the columns' names: it has, where none of its cells is a number. Lines are
read one by one, so a file that is too large is given up early.
"""

from __future__ import annotations

import csv
import math
from array import array
from pathlib import Path

import numpy as np

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array
from gradlab.sequences.decoding import numbered_lines

LONGEST = 2**20  # characters of a line
MOST = 2**27  # numbers of a file: 1 GiB
LARGEST = 2**32  # bytes of a file: so many numbers with all their digits
INSTEAD = "save it as .npy, which is not read whole"
SHOWN = 30  # characters of a bad cell


def read(path: Path) -> Array:
    """The numbers (T, I) of a csv file.

    Raises GradlabError, with the line, for what is not a finite number, for lines of different
    length, and for a file that is empty or too large.
    """
    numbers, width, blank, names = array("d"), 0, 0, 0
    for line, text in numbered_lines(path, LONGEST):
        if not text.strip():
            blank = blank or line
            continue
        where = f"{path.name}:{line}"
        if blank:  # a gap; at the end of the file there may be some
            raise GradlabError(f"{path.name}:{blank}: this line is empty; remove it")
        cells = _cells(text, where)
        if line == 1 and not any(_is_number(cell) for cell in cells):
            names = width = len(cells)
            continue
        row = _numbers(cells, where)
        if width and len(row) != width:
            before = "the names in line 1" if names else "the lines before"
            raise GradlabError(f"{where}: {len(row)} numbers, but {width} in {before}")
        width = len(row)
        numbers.extend(row)
        if len(numbers) > MOST:
            raise GradlabError(f"{path.name} has more than {MOST} numbers; {INSTEAD}")
    if not numbers:
        raise GradlabError(f"{path.name} has no numbers")
    return np.frombuffer(numbers, np.float64).reshape(-1, width)


def refuse_too_large(path: Path) -> None:
    """Raises GradlabError for a file that is larger than any that could be held."""
    if path.is_file() and path.stat().st_size > LARGEST:
        raise GradlabError(f"{path.name} is larger than {LARGEST // 2**30} GiB; {INSTEAD}")


def _cells(text: str, where: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise GradlabError(f"{where}: the quotation marks do not match ({error})") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(cells: list[str], where: str) -> list[float]:
    try:
        row = [float(cell) for cell in cells]
    except ValueError:
        row = []
    if row and all(map(math.isfinite, row)) and not any("_" in cell for cell in cells):
        return row
    k = next(k for k, cell in enumerate(cells) if not _is_finite(cell))
    raise GradlabError(f"{where}: cell {k + 1} {_flaw(cells[k])}")


def _is_finite(cell: str) -> bool:
    return _is_number(cell) and math.isfinite(float(cell)) and "_" not in cell


def _flaw(cell: str) -> str:
    if not cell.strip():
        return "is empty; every step needs a number for every input"
    shown = repr(cell if len(cell) <= SHOWN else f"{cell[:SHOWN]} ...")
    if _is_number(cell) and "_" not in cell:
        return f"is {shown}; NaN, infinity and numbers beyond float range are refused"
    if ";" in cell or "\t" in cell:
        return f"is {shown}, not a number; put commas between the numbers"
    return f"is {shown}, not a number"
