"""How many cores this process may use, and how much memory it may still take.

What is looked at: memory that is free or can be freed, the limits of the control groups that the
process is in (containers, Slurm jobs), and the limits on the process itself (`ulimit -v`). Where
the system tells nothing, nothing is refused. GRADLAB_MEMORY (MiB) is believed instead.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from gradlab.errors import GradlabError, Problem

OVERRIDE = "GRADLAB_MEMORY"  # MiB
SHARE = 0.9  # of what is there: others take memory too
MIB = 2**20
ALWAYS = 2**16  # bytes that nobody is short of: asking the system takes longer than they

GROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def available() -> int | None:
    """Bytes that may still be taken; None where nothing is known. Raises GradlabError where
    GRADLAB_MEMORY is no number.
    """
    given = os.environ.get(OVERRIDE)
    if given:
        if not given.isdecimal() or not int(given):
            raise GradlabError(
                f"{OVERRIDE} is {given!r}; it is the memory to be used in MiB, for example 4096"
            )
        return int(given) * MIB
    found = [*_free(), *_groups(), *_limits()]
    return max(min(found), 0) if found else None


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def room(needed: float, why: str, change: str, key: str = "") -> None:
    """Raises GradlabError where so many bytes are more than there are. why: what takes them;
    change: what would take less; key: of the config.
    """
    if needed < ALWAYS:
        return
    there = available()
    if there is None or needed <= SHARE * there:
        return
    raise GradlabError(
        Problem(
            f"{why} would take about {size(needed)}, and {size(there)} of memory are free here; "
            f"{change} (or set {OVERRIDE}, in MiB, where more may be used)",
            (key,) if key else (),
        )
    )


def size(number: float) -> str:
    """Bytes in words: 3.2 GiB."""
    for unit in ("MiB", "GiB", "TiB"):
        number /= 1024 if unit != "MiB" else MIB
        if number < 1000 or unit == "TiB":
            break
    return f"{number:,.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"


def _free() -> Iterator[int]:
    """Of the whole machine, swap left aside: a run that swaps does not end."""
    try:
        fields = dict(line.split(":") for line in (PROC / "meminfo").read_text().splitlines())
        yield int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, LookupError):  # no Linux: half of all is a fair guess
        if "SC_PHYS_PAGES" in os.sysconf_names:
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _groups() -> Iterator[int]:
    """Of the process's control groups, and those that they are in: each has a limit of its own."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            yield from _group(GROUPS, name, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _group(GROUPS / "memory", name, *files)


def _group(root: Path, name: str, most: str, used: str, freeable: str) -> Iterator[int]:
    """The room in a group and in those above it. In a container the name may lead nowhere."""
    own = root / name.strip("/")
    for path in (own, *own.parents):
        limit = _number(path / most)
        taken = None if limit is None else _number(path / used)
        if limit is not None and taken is not None:
            yield limit - taken + _cached(path / "memory.stat", freeable)
        if path == root:
            break


def _number(path: Path) -> int | None:
    """What a file holds; None where it says `max`, or is not there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cached(path: Path, name: str) -> int:
    """Bytes of files that the system would drop first."""
    try:
        fields = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(fields.get(name, 0))


def _limits() -> Iterator[int]:
    """Of this process alone."""
    try:
        pages = (PROC / "self" / "statm").read_text().split()
    except OSError:  # no Linux
        return
    held = {resource.RLIMIT_AS: int(pages[0]), resource.RLIMIT_DATA: int(pages[5])}
    for which, taken in held.items():
        soft = resource.getrlimit(which)[0]
        if soft != resource.RLIM_INFINITY:
            yield soft - taken * resource.getpagesize()
