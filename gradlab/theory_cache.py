"""The dynamic mean field, computed once: kept in the process and on disk, by its parameters.

It takes about a second, and a figure of a gated cell draws it. A file holds one set of parameters
and is named by a hash of them and of the algorithm; floats are written so that they come back to
the bit, and so a figure has the same bytes with a file and without. The folder is $GRADLAB_CACHE,
else $XDG_CACHE_HOME/gradlab, else ~/.cache/gradlab; it may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from gradlab.analysis import dmft
from gradlab.analysis.dmft import GatedTheory, dynamic_mean_field
from gradlab.errors import GradlabError
from gradlab.files import reason, write_whole

NUMBERS = ("log_slope", "q_h", "log_mean_square")
# all that the digits depend on, beside the parameters
ALGORITHM = (dmft.VERSION, dmft.STEPS, dmft.BACK, *dmft.FIT, dmft.SIZE, dmft.ROUNDS, dmft.DIGITS)

_log = logging.getLogger(__name__)


def folder() -> Path | None:
    """Where files are kept; None where the system has no such place."""
    chosen, shared = os.environ.get("GRADLAB_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen)
    if shared and Path(shared).is_absolute():  # the XDG rules: a relative one is none
        return Path(shared) / "gradlab"
    home = Path(os.path.expanduser("~"))
    return home / ".cache" / "gradlab" if home.is_absolute() else None


def gated(
    cell: str, g: float, s2: float, forget_bias: float = 0.0, bias: float = 0.0
) -> GatedTheory:
    """dynamic_mean_field(...) of these parameters, from the cache where it is there.

    Raises ValueError as it does.
    """
    return _kept(folder(), cell, float(g), float(s2), float(forget_bias), float(bias))


@lru_cache(maxsize=256)
def _kept(
    where: Path | None, cell: str, g: float, s2: float, forget_bias: float, bias: float
) -> GatedTheory:
    parameters = {"cell": cell, "g": g, "s2": s2, "forget_bias": forget_bias, "bias": bias}
    if where is None:
        return dynamic_mean_field(**parameters)
    path = where / f"{_key(parameters)}.json"
    found = _read(path, parameters)
    if found is None:
        found = dynamic_mean_field(**parameters)
        _write(path, parameters, found)
    return found


def _key(parameters: dict[str, Any]) -> str:
    text = json.dumps([ALGORITHM, parameters], sort_keys=True)
    return f"dynamic-mean-field-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _digest(data: dict[str, Any]) -> str:
    """Of all that a file holds beside it: a changed digit is found."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _read(path: Path, parameters: dict[str, Any]) -> GatedTheory | None:
    """What the file holds; None where there is none, or one that is not what was written."""
    try:
        data = json.loads(path.read_bytes())
        if data.pop("sha256") != _digest(data):
            raise ValueError("not what was written")
        curve = tuple(data["log_mean_square"])
        numbers = (data["log_slope"], data["q_h"], *curve)
        whole = all(isinstance(x, float) and math.isfinite(x) for x in numbers)
        if data["parameters"] != parameters or len(curve) != dmft.BACK + 1 or not whole:
            raise ValueError("not of these parameters")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        _log.info("computing again what %s should hold: %s", path, error)
        return None
    caveats = dmft.caveats(
        parameters["cell"], parameters["s2"], parameters["forget_bias"], parameters["bias"]
    )
    return GatedTheory(
        **parameters,
        log_slope=data["log_slope"],
        q_h=data["q_h"],
        log_mean_square=curve,
        caveats=caveats,
    )


def _write(path: Path, parameters: dict[str, Any], found: GatedTheory) -> None:
    """Keep it, if that can be done: a cache is no result, nothing is lost without it but a second.
    So a folder that cannot be written is told at the level of `-v` and no louder.
    """
    numbers = {name: value for name, value in asdict(found).items() if name in NUMBERS}
    data = {"parameters": parameters} | numbers
    text = json.dumps(data | {"sha256": _digest(data)}, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        _log.info("theory is not kept: cannot make %s: %s", path.parent, reason(error))
    except GradlabError as error:
        _log.info("theory is not kept: %s", error)
