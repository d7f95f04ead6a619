"""How to measure, and a program that runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.programs import PROGRAMS, ROOT, environment
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Order:
    """How to measure: rounds of all programs, unless that takes more than so many seconds a
    workload; never fewer than `fewest` rounds.
    """

    pythons: Mapping[str, str]  # by library, of those that are there; "" is for all others
    rounds: int = 5
    seconds: float = 60.0
    fewest: int = 2
    threads: int = 1
    small: bool = False


def taking_part(w: Workload, order: Order) -> list[str]:
    """The programs of a workload whose library is there."""
    return [n for n, p in PROGRAMS.items() if p.takes(w) and (p.needs or "") in order.pythons]


class Process:
    """A worker, started asleep: it begins when asked. name "": the machine's own rates."""

    def __init__(self, name: str, w: Workload, folder: Path, order: Order) -> None:
        self.name, self._errors = name, tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
        needs = PROGRAMS[name].needs if name else ""
        self._command = [order.pythons[needs], "-m", "benchmarks.floor", str(w.H)]
        if name:
            self._command[2:] = ["benchmarks.worker", name, w.name, str(folder)]
            self._command += ["--jobs", str(order.threads)] + ["--small"] * order.small
        # one thread each: the machine's own rates, and gradlab's jobs
        one = not name or PROGRAMS[name].kind == "gradlab"
        self._environment = environment(1 if one else order.threads)
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> dict[str, Any]:
        """Start it; what its first run came to."""
        self._start()
        return self._answer()

    def run(self) -> dict[str, Any]:
        """What one more run came to."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._died()
        return self._answer()

    def end(self) -> None:
        """Let it end."""
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=self._environment,
        )

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._died()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> None:
        self._errors.seek(0)
        said = self._errors.read().strip() or "it said nothing"
        raise RuntimeError(f"{self.name or 'floor'} ended before it answered: {said}")
