"""W1: whole processes, from their start to their end."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import material
from benchmarks.measure import Say, Timed, agreed
from benchmarks.programs import PROGRAMS, ROOT, environment
from benchmarks.running import Order, Process, taking_part
from benchmarks.workloads import TEXTBOOK, WORKLOADS

COLD = {  # what is asked of gradlab, by title
    "gradlab run --no-figures": ("run", "--no-figures"),
    "gradlab run, with its figures": ("run",),
    "gradlab --help": ("--help",),
}


def cold(order: Order, say: Say) -> dict[str, Timed]:
    """The programs of W1, checked against each other, and what gradlab does from cold."""
    w = WORKLOADS["W1"]
    with tempfile.TemporaryDirectory(prefix="gradlab-bench-") as scratch:
        folder = Path(scratch)
        for part in ("full", "checked"):
            (folder / part).mkdir()
        material.make(w, folder / "full")
        material.make(w, folder / "checked")
        for name in taking_part(w, order):
            process = Process(name, w, folder, order)
            try:
                process.begin()
            finally:
                process.end()
        agreed(taking_part(w, order), folder)
        commands = {}
        for title, words in COLD.items():
            run = [str(TEXTBOOK), "--quiet", "--force", "--out", str(folder / "out")]
            commands[title] = [sys.executable, "-m", "gradlab", *words]
            commands[title] += run if words[0] == "run" else []
        for name in taking_part(w, order):
            if PROGRAMS[name].kind != "gradlab":
                python = order.pythons[PROGRAMS[name].needs]
                command = [python, "-m", "benchmarks.worker", name, "W1", scratch, "--once"]
                commands[name] = command
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(ROOT / "benchmarks" / "cold.py"), str(order.rounds)],
            input=json.dumps(list(commands.values())),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(order.threads),
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    found = {}
    for title, runs in zip(commands, json.loads(done.stdout), strict=True):
        seconds, processor, peaks = zip(*runs, strict=True)
        found[title] = Timed(list(seconds), list(processor), max(peaks))
        say(f"W1 {title}: {found[title].median:.4g} s")
    return found
