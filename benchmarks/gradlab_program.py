"""gradlab through its public calls: a config in, records out.

`VARIANTS` are calls of the same workload with other wishes; `prepare` gives each as the peers' do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import gradlab
from benchmarks.material import Arrays
from benchmarks.workloads import Workload, config

SPECTRA: dict[str, Mapping[str, Any]] = {
    "top8": {"step": True, "product": True, "lyapunov": False, "values": 8},  # of W4
    "lapack": {"step": True, "product": True, "lyapunov": False, "values": 1},  # of W5
}


def prepare(w: Workload, folder: Path, variant: str, jobs: int) -> Callable[[], Arrays]:
    """The call. variant: "", "drawn" (inputs drawn by gradlab), "gradients" (those of the weights
    too), or a key of SPECTRA.
    """
    given = config(w, str(folder))
    if variant == "drawn":
        given["inputs"] = {"type": "normal"}
    elif variant == "gradients":
        given["weight_gradients"] = "all"
    elif variant:
        given["spectrum"] = dict(SPECTRA[variant])
    return (lambda: _swept(w, given, jobs)) if w.scales > 1 else (lambda: _run(w, given, jobs))


def _run(w: Workload, given: Mapping[str, Any], jobs: int) -> Arrays:
    return results(w, [gradlab.run(given, jobs=jobs)])


def _swept(w: Workload, given: Mapping[str, Any], jobs: int) -> Arrays:
    """Records on disk, and read again: the time is that of both."""
    folder = Path(tempfile.mkdtemp(prefix="gradlab-bench-"))
    try:
        found = gradlab.sweep(given, out=folder / "sweep", jobs=jobs)
        return results(w, [record for _, record in sorted(found.records(), key=lambda r: r[0])])
    finally:
        shutil.rmtree(folder)


def results(w: Workload, records: list[Any]) -> Arrays:
    """The records in the peers' form."""

    def of(name: str) -> Any:
        return np.concatenate([record[name] for record in records])

    found = {"dh": of("grad_norm_h")}
    if w.cell == "lstm":
        found["dc"] = of("grad_norm_c_total")
    if "shares" in w.wanted:
        found["dw"] = of("weight_grad_norm")[:, 1:]
    if "parameters" in w.wanted:
        found |= {"total": of("clip_norm"), "rate": of("clip_rate")}
    if "steps" in w.wanted:
        found["step"] = of("step_singular_values")[:, 1:, 0]
    if "products" in w.wanted:
        found["product"] = 10.0 ** of("log10_product_singular_values")[:, :-1, 0]
    return found
