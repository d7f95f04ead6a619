"""How much of the machine others took while something was measured, from /proc/stat."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

NOTICED = 0.2  # cores: above it a page says so


def busy() -> float:
    """Processor seconds that all processes of the machine have taken since it started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """Cores that others kept busy, over all that was measured between `begin` and `end`."""

    seconds: float = 0.0
    others: float = 0.0
    _begun: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    def begin(self) -> None:
        """Something is measured from now on."""
        self._begun = time.perf_counter(), busy()

    def end(self, own: float) -> None:
        """It took so many processor seconds itself."""
        begun, before = self._begun
        self.seconds += time.perf_counter() - begun
        self.others += busy() - before - own

    @property
    def cores(self) -> float:
        """Mean number of cores; the system counts in hundredths of a second."""
        return max(self.others, 0.0) / self.seconds if self.seconds else 0.0
