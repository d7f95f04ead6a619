"""Time and peak memory of commands that start cold: python -S -E cold.py ROUNDS < commands.json

stdin: a JSON list of commands, each a list of words. They run in turns; stdout: a JSON list with,
for every command, its runs: [seconds, processor seconds, MiB]. A process begins with the peak
memory of the one that started it, so this one is small: it imports nothing that is large. A command
that fails ends all, with what it said.
"""

from __future__ import annotations

import json
import os
import sys
import time


def once(command: list[str]) -> tuple[float, float, float]:
    """Seconds, processor seconds and MiB of a command whose output goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    begun = time.perf_counter()
    pid = os.posix_spawnp(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 1)]
    )
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - begun
    os.close(nowhere)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    commands = json.load(sys.stdin)
    runs: list[list[tuple[float, float, float]]] = [[] for _ in commands]
    for turn in range(int(sys.argv[1]) + 1):
        for found, command in zip(runs, commands, strict=True):
            one = once(command)
            if turn:  # the first one fills the file cache, and writes byte code
                found.append(one)
    json.dump(runs, sys.stdout)


if __name__ == "__main__":
    main()
