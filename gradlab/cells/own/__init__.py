"""A user's own cell: a Python file whose `step` alone is enough.

`load` runs the file, so it must be one that the user names. What it must define is in
docs/own_cells.md; what becomes of it is in `adapter`.
"""

from gradlab.cells.own.adapter import OwnCell
from gradlab.cells.own.source import load

__all__ = ["OwnCell", "load"]
