"""PyTorch as one writes it: a module a member, a loop over the steps, retain_grad, backward.

Jacobians by torch.func (jacrev under vmap over the steps), values by torch.linalg.svdvals.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.func import jacrev, vmap

from benchmarks.material import Arrays
from benchmarks.workloads import CLIP, Workload

CELLS = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
TENSORS = {"W_hh": "weight_hh", "W_ih": "weight_ih", "b_ih": "bias_ih", "b_hh": "bias_hh"}


def prepare(w: Workload, arrays: Arrays) -> Callable[[], Arrays]:
    given = {name: torch.from_numpy(a) for name, a in arrays.items()}
    cells = [None if w.cell == "linear" else module(w, given, r) for r in range(w.R)]
    one = linear if w.cell == "linear" else member

    def call() -> Arrays:
        found = [one(w, given, r, cells[r]) for r in range(w.R)]
        return {name: torch.stack([f[name] for f in found]).numpy() for name in found[0]}

    return call


def module(w, given, r):
    cell = CELLS[w.cell](w.H, w.H, dtype=torch.float64)
    with torch.no_grad():
        for own, name in TENSORS.items():
            getattr(cell, name).copy_(given[own][r])
    return cell.requires_grad_("parameters" in w.wanted)


def norms(gradients):
    return torch.linalg.vector_norm(torch.stack(gradients), dim=(1, 2))


def linear(w, given, r, cell):
    h = torch.zeros(w.B, w.H, dtype=torch.float64, requires_grad=True)
    states = [h]
    for _ in range(w.T):
        h = h @ given["W_hh"][r].T
        h.retain_grad()
        states.append(h)
    (h * given["dh"][r]).sum().backward()
    return {"dh": norms([s.grad for s in states])}


def member(w, given, r, cell):
    x = given["x"]
    h = torch.zeros(w.B, w.H, dtype=torch.float64, requires_grad=True)
    c = torch.zeros_like(h, requires_grad=True)
    hs, cs, weights = [h], [c], []
    for t in range(w.T):
        if w.cell == "lstm" and "shares" in w.wanted:  # a weight of its own for every step
            weights.append(cell.weight_hh.clone())
            weights[-1].retain_grad()
            rest = cell.weight_ih, weights[-1], cell.bias_ih, cell.bias_hh
            h, c = torch._VF.lstm_cell(x[t], (h, c), *rest)
        elif w.cell == "lstm":
            h, c = cell(x[t], (h, c))
        else:
            h = cell(x[t], h)
        h.retain_grad()
        hs.append(h)
        if w.cell == "lstm":
            c.retain_grad()
            cs.append(c)
    (h * given["dh"][r]).sum().backward()
    found = {"dh": norms([s.grad for s in hs])}
    if w.cell == "lstm":
        found["dc"] = norms([s.grad for s in cs])
    if weights:
        found["dw"] = norms([own.grad for own in weights])
    if "parameters" in w.wanted:
        total = torch.nn.utils.clip_grad_norm_(cell.parameters(), CLIP)
        found |= {"total": total, "rate": torch.clamp(CLIP / (total + 1e-6), max=1.0)}
        cell.zero_grad()
    if "steps" in w.wanted:
        found |= values(w, cell, torch.stack(hs[:-1])[:, 0].detach(), x[:, 0])
    return found


@torch.no_grad()
def values(w, cell, states, x):
    def step(h, one):
        return cell(one[None], h[None])[0]

    jacobians = vmap(jacrev(step))(states, x)
    found = {"step": torch.linalg.svdvals(jacobians)[:, : w.kept]}
    if "products" in w.wanted:
        products = [jacobians[-1]]
        for t in range(w.T - 2, -1, -1):
            products.append(products[-1] @ jacobians[t])
        found["product"] = torch.linalg.svdvals(torch.stack(products[::-1]))[:, : w.kept]
    return found
