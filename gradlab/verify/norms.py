"""Norms that float range does not end, and the bits within it."""

from __future__ import annotations

from math import log10

import numpy as np

from gradlab.engine.backward import sweep
from gradlab.engine.forward import Trajectory
from gradlab.engine.loss import Injection
from gradlab.engine.scaled import shift
from gradlab.nonlinearity import Array
from gradlab.runner import run_many
from gradlab.verify.runs import planned, trajectory

FAR = 100_000  # steps
GAINS = (0.8, 1.25)  # to 10^-9691 and back
SMALL = {"hidden_size": 7, "batch_size": 3, "seq_len": 60, "seeds": 1}


def far_norms() -> float:
    """W = g Q over FAR steps: log10 of the norm at t = 0 against log10|dh| + T log10 g."""
    H, B = 4, 2
    keys = {"cell": "linear", "hidden_size": H, "batch_size": B, "seq_len": FAR, "seeds": 1}
    orthogonal = {"recurrent": "orthogonal", "input": "zeros"}
    bare = {"inputs": "zeros", "spectrum": "none", "record_every": FAR}
    specs = [planned(**keys, **bare, init=orthogonal, weight_scale=g) for g in GAINS]
    found = [record["log10_grad_norm_h"][0, 0] for record in run_many(specs)]
    exact = [0.5 * log10(H * B) + FAR * log10(g) for g in GAINS]
    return float(np.abs(np.subtract(found, exact)).max())


def plain_bits() -> float:
    """How many numbers of delta differ from a loop in plain floats, in range to its ends."""
    return float(sum(different_from_plain(way) for way in plain_runs()))


def plain_runs() -> list[Trajectory]:
    """Runs whose delta shrinks to 1e-240, grows to 1e240, and stays."""
    shrinking = planned(cell="rnn", weight_scale=1e-4, **SMALL)
    growing = planned(cell="linear", weight_scale=1e4, inputs="zeros", **SMALL)
    staying = planned(cell="lstm", weight_scale=2.0, **SMALL)
    return [trajectory(spec) for spec in (shrinking, growing, staying)]


def different_from_plain(way: Trajectory) -> int:
    """How many numbers of delta_0 .. delta_T are not those of `plain_deltas`."""
    R, _, B = way.marks.shape[1:]
    H = way.marks.shape[2] // len(way.cell.STATE)
    loss = Injection(np.ones((R, H, B)), frozenset({way.T, 3}))
    plain, count = plain_deltas(way, loss), 0
    for block in sweep(way, loss):
        own = shift(block.delta.mantissa, block.delta.exponent)
        count += int((own != plain[block.t0 : block.t0 + len(own)]).sum())
    return count


def plain_deltas(way: Trajectory, loss: Injection) -> Array:
    """delta_0 .. delta_T (T + 1, R, D, B) by delta_{t-1} = J_t^T delta_t + dL_{t-1}/ds_{t-1}, with
    the local derivatives that the engine has.
    """
    local = {
        block.t0 + k: type(block.local)(*(field[k].copy() for field in block.local))
        for block in sweep(way, loss)
        for k in range(len(block.t))
    }
    delta = np.zeros((way.T + 1, *way.marks.shape[1:]))
    for t in range(way.T, -1, -1):
        if t < way.T:
            delta[t] = way.cell.vjp(way.weights.at(t + 1), local[t], delta[t + 1])[0]
        dh = loss.at(t)
        if dh is not None:
            delta[t, :, : dh.shape[1]] += dh
    return delta
