"""The arrays that all programs get, from one source: gradlab's own seeds.

gradlab draws its weights from the seeds of its config, so the other programs are given what it
draws. What is drawn once for all members, the inputs, is a file that gradlab reads too. In the
peers' order, that of PyTorch: W_hh (R, G H, H), W_ih (R, G H, H), b_ih and b_hh (R, G H),
x (T, B, H) the same for all members, dh (R, B, H) the gradient at the last step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import SCALES, Workload, config

Arrays = dict[str, NDArray[Any]]
NAMES = {"W_hh": "weight_hh", "W_ih": "weight_ih", "b_ih": "bias_ih", "b_hh": "bias_hh"}
SEED = 20  # of the inputs file


def make(w: Workload, folder: Path) -> None:
    """Leave inputs.npy and material.npz in a folder."""
    from gradlab.config import from_mapping
    from gradlab.drawn import Drawing, Member
    from gradlab.engine.loss import upstream
    from gradlab.plan import settle

    if w.recorded:
        x = np.random.default_rng(SEED).standard_normal((w.B, w.T, w.H))
        np.save(folder / "inputs.npy", x)
    plain = {key: value for key, value in config(w, str(folder)).items() if key != "sweep"}
    _, spec = settle(from_mapping(plain).config)
    drawing = Drawing([Member(0, spec, seed) for seed in spec.seeds])
    tensors = drawing.weights(0)
    arrays: Arrays = {name: np.tile(tensors[own][0], (w.scales, 1, 1)) if tensors[own].ndim == 4
                      else np.tile(tensors[own][0], (w.scales, 1))
                      for name, own in NAMES.items()}  # fmt: skip
    each = [upstream(own, spec.loss_value, w.H, w.B).T for own in drawing.streams]
    arrays["dh"] = np.tile(np.stack(each), (w.scales, 1, 1))
    if w.scales > 1:
        scale = np.linspace(*SCALES, w.scales).repeat(w.seeds)
        arrays["W_hh"] *= scale[:, None, None]
    if w.cell != "linear":
        arrays["x"] = drawing.segment(0, w.T)[:, 0].swapaxes(1, 2)
    np.savez(folder / "material.npz", **{k: np.ascontiguousarray(a) for k, a in arrays.items()})


def read(folder: Path) -> Arrays:
    """What `make` has left."""
    with np.load(folder / "material.npz") as file:
        return {name: file[name] for name in file.files}
