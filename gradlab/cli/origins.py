"""With -v: where each value that is no default came from, a line each on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from gradlab.config import Config, Source, Sweep
    from gradlab.errors import Key

ENVIRONMENT, FILE = "ENVIRONMENT", "DEFAULT_MAP"  # what typer calls the sources of a parameter
NO_OPTIONS = {"config", "overrides", "axes", "verbose", "context"}


def tell_options(context: typer.Context) -> None:
    """The options of this call that are set, and where."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = getattr(context.get_parameter_source(name), "name", "DEFAULT")
        value = context.params.get(name)
        if name in NO_OPTIONS or source == "DEFAULT" or value is None:
            continue
        where = "command line"
        if source == ENVIRONMENT:
            where = f"environment, {parameter.envvar}"
        elif source == FILE:
            where = str((context.obj or {}).get(name, "settings"))
        option = max(parameter.opts, key=len)
        _say(f"{option} {str(value).lower() if isinstance(value, bool) else value}", where)


def tell_config(source: Source, config: Config, swept: Set[str] = frozenset()) -> None:
    """The keys of a config that differ from their defaults, and the options that a kind adds; not
    those in the sections that are swept.
    """
    from gradlab.config import settings
    from gradlab.config.axes import word
    from gradlab.config.kinds import KINDS
    from gradlab.config.shorthand import expand
    from gradlab.dotted import leaves

    given = {key: expand(key, value) for key, value in source.data.items()}
    usual = [*leaves(settings(config.model_construct(cell=config.cell)))]
    for key, value in leaves(settings(config)):
        top = str(key[0])
        if top in swept:
            continue
        if _is_given(given, key):
            if top == "cell" or (key, value) not in usual:
                place = source.place(key).text or "--weights"
                _say(f"{_dotted(key)} = {word(value)}", place)
        elif top in KINDS and top in given:
            _say(f"{_dotted(key)} = {word(value)}", f"default of {getattr(config, top).type}")


def tell_sweep(context: typer.Context, sweep: Sweep) -> None:
    """The options of a sweep, its axes, and what is common to its points."""
    tell_options(context)
    for axis, place in zip(sweep.axes, sweep.places, strict=True):
        _say(f"{axis.name}: {len(axis.values)} values", place.text)
    swept = {key.partition(".")[0] for key in sweep.keys}
    common = {key: value for key, value in sweep.source.data.items() if key not in swept}
    tell_config(replace(sweep.source, data=common), sweep.config(0), swept)


def _is_given(given: Any, key: Key) -> bool:
    for part in key:
        if not isinstance(given, Mapping) or part not in given:
            return False
        given = given[part]
    return True


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))


def _say(what: str, where: str) -> None:
    typer.echo(f"gradlab: {what} ({where})", err=True)
