"""Which axes a sweep has: those of the `sweep:` section, changed by what the command line says.

An override of a swept key takes the place of its axis, and so does one of a key around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gradlab.config.axes import Written
from gradlab.config.axis_syntax import from_section, from_text, keys_of, single
from gradlab.config.overrides import apply, place_of
from gradlab.config.problems import shown
from gradlab.config.source import Place, Source
from gradlab.config.swept import NOT_SWEPT, flaw_of, long_form, section, with_cell
from gradlab.errors import GradlabError, Problem

SWEEP = "sweep"


@dataclass(frozen=True)
class Slot:
    """An axis and where it was written."""

    axis: Written
    place: Place


@dataclass
class Found:
    """The axes, and the rest of the config with the overrides that are single values.

    faulty: the parts of the config that something was to be swept in, but with a fault. notes: what
    a user should know.
    """

    source: Source
    slots: list[Slot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)

    @property
    def sections(self) -> set[str]:
        """The parts of the config that depend on what is swept."""
        return self.faulty | {section(key) for slot in self.slots for key in slot.axis.keys}

    def refuse(self, error: GradlabError, place: Place) -> None:
        """Adds the error's problems, at that place, to those of the source."""
        text, order = place
        new = [Problem(p.message, (), text, order) for p in error.problems]
        self.source = replace(self.source, problems=(*self.source.problems, *new))

    def add(self, axis: Written, place: Place, index: int | None = None) -> None:
        """A new axis, at the end or at `index`."""
        flaws = [flaw for key in axis.keys if (flaw := flaw_of(key))]
        if flaws:
            self.faulty |= {section(key) for key in axis.keys}
            self.refuse(GradlabError(*flaws), place)
        else:
            self.slots.insert(len(self.slots) if index is None else index, Slot(axis, place))


def find(source: Source, overrides: Sequence[str]) -> Found:
    """The axes of a config with the overrides; what is wrong is in the source's problems."""
    data = {key: value for key, value in source.data.items() if key != SWEEP}
    found = Found(replace(source, data=data))
    _read_section(found, source)
    for i, override in enumerate(overrides):
        _override(found, override, i)
    _refuse_repeated(found)
    if not found.slots and not found.source.problems:
        trained = source.data.get("train") is not None
        values = "train.learning_rate=0.01,0.1" if trained else "weight_scale=0.5,1.0"
        single = "training is for `gradlab train`" if trained else "experiment is for `gradlab run`"
        message = (
            f"nothing is swept here: add a 'sweep' section or values such as {values}; "
            f"a single {single}"
        )
        found.refuse(GradlabError(message), Place(source.name, (0, 0)))
    return found


def _read_section(found: Found, source: Source) -> None:
    given = source.data.get(SWEEP)
    unread = {p.key[:2] for p in source.problems}
    if given is None or (SWEEP,) in unread:
        return
    if not isinstance(given, dict):
        message = f"sweep must be a mapping of keys to their values, not {shown(given)}"
        found.refuse(GradlabError(message), source.place((SWEEP,)))
        return
    for name, values in given.items():
        place = source.place((SWEEP, name))
        try:
            if (SWEEP, name) not in unread:
                found.add(from_section(name, values), place)
                continue
        except GradlabError as error:
            found.refuse(error, place)
        found.faulty |= _sections(name)


def _override(found: Found, override: str, index: int) -> None:
    name, equals, text = override.partition("=")
    place = place_of(override, index)
    top = name.partition(".")[0].strip()
    if top == SWEEP:
        fault = "the values of a swept key are given as weight_scale=0.1:3.0:30, without 'sweep'"
        found.refuse(GradlabError(fault), place)
        return
    if not equals or not name.strip() or top in NOT_SWEPT:
        found.source = apply(found.source, [override], index)
        return
    try:
        axis = from_text(name, text)
        keys = keys_of(name)
        at = _displace(found, keys, place)
    except GradlabError as error:
        found.faulty |= _sections(name)
        found.refuse(error, place)
        return
    if axis is not None:
        found.add(axis, place, at)
        return
    before = found.source.problems
    found.source = apply(found.source, [override], index)
    around = any(keys[0].startswith(f"{key}.") for s in found.slots for key in s.axis.keys)
    if around and found.source.problems == before:
        found.add(single(keys[0], text), place)  # set after the section, which is swept


def _displace(found: Found, keys: tuple[str, ...], place: Place) -> int | None:
    """Removes the axes of these keys, and gives the place of the first, if there was any.

    Raises GradlabError where an axis has other keys too.
    """
    gone: list[int] = []
    for i, slot in enumerate(found.slots):
        kept = [key for key in slot.axis.keys if not any(_sets(over, key) for over in keys)]
        if kept and len(kept) < len(slot.axis.keys):
            raise GradlabError(
                f"{', '.join(slot.axis.keys)} vary together in the sweep: override them together "
                f'with "{",".join(slot.axis.keys)}=[...],[...]"'
            )
        if kept:
            continue
        gone.append(i)
        if not {long_form(key) for key in slot.axis.keys} <= {long_form(key) for key in keys}:
            found.notes.append(f"{place.text}: replaces the axis {', '.join(slot.axis.keys)}")
    found.slots = [slot for i, slot in enumerate(found.slots) if i not in gone]
    return gone[0] if gone else None


def _sets(override: str, key: str) -> bool:
    return key.startswith(f"{override}.") or long_form(key) == long_form(override)


def _refuse_repeated(found: Found) -> None:
    first: dict[str, tuple[str, Place]] = {}
    for slot in found.slots:
        for key in slot.axis.keys:
            other, place = first.setdefault(long_form(key), (key, slot.place))
            if place is not slot.place or other != key:
                there = f", first at {place.text}" if place.text else ""
                fault = f"'{key}' is swept twice{there}; remove one"
                if other != key:
                    fault = f"'{key}' and '{other}' are the same key; sweep one of them"
                found.refuse(GradlabError(fault), slot.place)


def _sections(name: str) -> set[str]:
    return {section(key.strip()) for key in name.split(",")}


def faults_outside(found: Found, problems: Iterable[Problem]) -> list[Problem]:
    """Those of the config's problems that have nothing to do with what is swept."""
    sections = with_cell(found.sections, found.source.data)
    return [p for p in problems if section(top_of(p)) not in sections]


def top_of(problem: Problem) -> Any:
    """The top-level key that a problem is about."""
    return problem.key[0] if problem.key else ""
