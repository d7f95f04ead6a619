"""How many examples each random test has tried goes with its report (`tests/reliability.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fuzzing import COUNTS


@pytest.fixture(autouse=True)
def _examples(record_property: Callable[[str, object], None]) -> Iterator[None]:
    yield
    for what, count in COUNTS.items():
        record_property(f"examples: {what}", count)
