"""Results beside each other: what differs in their configs, their numbers, their curves.

The first result is the one that the others are held against. In tables and figures each has a
letter, from A on.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradlab.record import Record

LETTERS = "ABCDEFGH"  # as many as there are colours and markers


@dataclass(frozen=True)
class Compared:
    """One of the results: its letter, what the user calls it, and its record."""

    letter: str
    label: str
    record: Record
