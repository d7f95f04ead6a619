"""What the checks look at: runs as a user makes them, and the Jacobians that are within them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.cells.interface import Cell
from gradlab.config import from_mapping
from gradlab.drawn import Drawing, Member, schedule
from gradlab.engine.forward import Trajectory, forward
from gradlab.nonlinearity import Array
from gradlab.plan import settle
from gradlab.spec import Spec

ALL_SPECTRA = {"step": True, "product": True, "lyapunov": True, "values": "all"}


def planned(**keys: Any) -> Spec:
    """The experiment of a config with these keys."""
    return settle(from_mapping(keys, folder=".").config)[1]


def trajectory(spec: Spec) -> Trajectory:
    """The forward pass of all seeds of a run: its weights, inputs and states, kept whole."""
    drawing = Drawing([Member(0, spec, seed) for seed in spec.seeds])
    weights, start = schedule(spec, drawing.weights(0)), drawing.start(0)
    return forward(spec.network, weights, drawing.inputs(0, lambda: None), start, spec.steps)


def local_derivatives(way: Trajectory) -> Any:
    """Those of all steps, arrays (T, R, rows, B)."""
    steps, p = way.whole(), way.weights.over(np.arange(1, way.T + 1))
    return way.cell.linearize(p, steps.states[:-1], steps.activations, steps.states[1:])


def jacobians(way: Trajectory) -> Array:
    """J_1 .. J_T for every member and sequence: (T, R, B, D, D)."""
    cell: Cell = way.cell
    return cell.jacobian(way.weights.over(np.arange(1, way.T + 1)), local_derivatives(way))
