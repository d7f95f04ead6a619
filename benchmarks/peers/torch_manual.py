"""The fastest PyTorch found: all members in one product, the backward pass written by hand.

No autograd; the inputs' part of all steps in one product, gradients of the parameters too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.material import Arrays
from benchmarks.workloads import CLIP, Workload


def prepare(w: Workload, arrays: Arrays) -> Callable[[], Arrays]:
    p = {name: torch.from_numpy(a) for name, a in arrays.items()}
    p["Wt"] = p["W_hh"].mT.contiguous()
    p["Ut"] = p["W_ih"].mT.contiguous()
    one = {"linear": linear, "rnn": rnn, "lstm": lstm, "gru": gru}[w.cell]

    @torch.inference_mode()
    def call() -> Arrays:
        return {name: a.numpy() for name, a in one(w, p).items()}

    return call


def drives(w, p, bias):
    """U x_t + bias of all steps: (T, R, B, G H)."""
    u = p["x"].reshape(1, w.T * w.B, -1) @ p["Ut"] + bias[:, None]
    return u.reshape(w.R, w.T, w.B, -1).transpose(0, 1).contiguous()


def room(w, steps, rows=1):
    return torch.empty(steps, w.R, w.B, rows * w.H, dtype=torch.float64)


def norms(a):
    return torch.linalg.vector_norm(a, dim=(2, 3)).T


def linear(w, p):
    h = torch.zeros(w.R, w.B, w.H, dtype=torch.float64)
    for _ in range(w.T):
        h = h @ p["Wt"]
    dh = room(w, w.T + 1)
    dh[w.T] = p["dh"]
    for t in range(w.T - 1, -1, -1):
        torch.bmm(dh[t + 1], p["W_hh"], out=dh[t])
    return {"dh": norms(dh)}


def rnn(w, p):
    u = drives(w, p, p["b_ih"] + p["b_hh"])
    h, dh = room(w, w.T + 1), room(w, w.T + 1)
    h[0], dh[w.T] = 0, p["dh"]
    for t in range(w.T):
        torch.baddbmm(u[t], h[t], p["Wt"], out=h[t + 1])
        h[t + 1].tanh_()
    slope = 1 - h[1:] * h[1:]
    for t in range(w.T - 1, -1, -1):
        torch.bmm(dh[t + 1] * slope[t], p["W_hh"], out=dh[t])
    found = {"dh": norms(dh)}
    if "steps" in w.wanted:
        jacobians = slope[:, :, 0].transpose(0, 1)[..., None] * p["W_hh"][:, None]
        found["step"] = torch.linalg.svdvals(jacobians)[..., : w.kept]
    if "products" in w.wanted:
        products = torch.empty_like(jacobians)
        products[:, -1] = jacobians[:, -1]
        for t in range(w.T - 2, -1, -1):
            products[:, t] = products[:, t + 1] @ jacobians[:, t]
        found["product"] = torch.linalg.svdvals(products)[..., : w.kept]
    return found


def lstm(w, p):
    u = drives(w, p, p["b_ih"] + p["b_hh"])
    h, dh, dct = room(w, w.T + 1), room(w, w.T + 1), room(w, w.T + 1)
    h[0], dh[w.T] = 0, p["dh"]
    c, kept = torch.zeros_like(h[0]), []
    for t in range(w.T):
        i, f, g, o = torch.baddbmm(u[t], h[t], p["Wt"]).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        before, c = c, f * c + i * g
        squashed = c.tanh()
        torch.mul(o, squashed, out=h[t + 1])
        kept.append((before, i, f, g, o, squashed))
    das = room(w, w.T, 4) if "parameters" in w.wanted else None
    dc = torch.zeros_like(c)
    for t in range(w.T - 1, -1, -1):
        before, i, f, g, o, squashed = kept.pop()
        dc = dc + dh[t + 1] * o * (1 - squashed * squashed)
        dct[t + 1] = dc
        parts = (
            dc * g * i * (1 - i),
            dc * before * f * (1 - f),
            dc * i * (1 - g * g),
            dh[t + 1] * squashed * o * (1 - o),
        )
        da = torch.cat(parts, -1)
        torch.bmm(da, p["W_hh"], out=dh[t])
        dc = dc * f
        if das is not None:
            das[t] = da
    dct[0] = dc
    found = {"dh": norms(dh), "dc": norms(dct)}
    if das is not None:
        each = (torch.bmm(das[t].mT, h[t]) for t in range(w.T))  # one at a time in memory
        found["dw"] = torch.stack([torch.linalg.vector_norm(a, dim=(1, 2)) for a in each], 1)
        found |= clipped(w, p, das, das, h[:-1])
    return found


def gru(w, p):
    u, b, H = drives(w, p, p["b_ih"]), p["b_hh"][:, None], w.H
    h, dh = room(w, w.T + 1), room(w, w.T + 1)
    h[0], dh[w.T], kept = 0, p["dh"], []
    for t in range(w.T):
        v = torch.baddbmm(b, h[t], p["Wt"])
        r, z = torch.sigmoid(u[t, ..., : 2 * H] + v[..., : 2 * H]).chunk(2, -1)
        v_n = v[..., 2 * H :]
        n = torch.tanh(u[t, ..., 2 * H :] + r * v_n)
        torch.lerp(n, h[t], z, out=h[t + 1])
        kept.append((r, z, n, v_n))
    dus, dvs = room(w, w.T, 3), room(w, w.T, 3)
    for t in range(w.T - 1, -1, -1):
        r, z, n, v_n = kept.pop()
        da_n = dh[t + 1] * (1 - z) * (1 - n * n)
        da_z = dh[t + 1] * (h[t] - n) * z * (1 - z)
        da_r = da_n * v_n * r * (1 - r)
        torch.cat((da_r, da_z, da_n), -1, out=dus[t])
        torch.cat((da_r, da_z, da_n * r), -1, out=dvs[t])
        torch.baddbmm(dh[t + 1] * z, dvs[t], p["W_hh"], out=dh[t])
    return {"dh": norms(dh)} | clipped(w, p, dus, dvs, h[:-1])


def clipped(w, p, du, dv, h):
    """du, dv: cotangents of U x and of W h at all steps (T, R, B, G H); h (T, R, B, H)."""

    def rows(a):
        return a.transpose(0, 1).reshape(w.R, w.T * w.B, -1)

    du, dv = rows(du), rows(dv)
    dW, dU = dv.mT @ rows(h), du.mT @ p["x"].reshape(1, w.T * w.B, -1)
    squares = sum((g * g).sum((1, 2)) for g in (dW, dU))
    total = torch.sqrt(squares + sum((a.sum(1) ** 2).sum(1) for a in (du, dv)))
    return {"total": total, "rate": torch.clamp(CLIP / (total + 1e-6), max=1.0)}
