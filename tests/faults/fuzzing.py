"""Random tests: a few fixed examples as a rule, many others when GRADLAB_FUZZ says so.

GRADLAB_FUZZ=N: N times as many examples, drawn anew at every run (`make fuzz`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("GRADLAB_FUZZ", "0"))
COUNTS: Counter[str] = Counter()


def example_count(few: int) -> int:
    """How many examples, where `few` are tried as a rule."""
    return few * max(TIMES, 1)


def fuzz(few: int) -> Callable[[Any], Any]:
    """A random test: always the same `few` examples, or many others."""
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    how = settings(
        max_examples=example_count(few),
        derandomize=not TIMES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=slow,
    )
    return lambda test: pytest.mark.fuzz(how(test))


def counted(what: str) -> None:
    """One more example."""
    COUNTS[what] += 1


def counts() -> dict[str, int]:
    """Examples so far, by what they were of."""
    return dict(COUNTS)
