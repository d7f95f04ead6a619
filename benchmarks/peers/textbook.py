"""NumPy as in the textbooks: one member at a time, sequences in rows, one matrix at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.material import Arrays
from benchmarks.workloads import CLIP, Workload

norm = np.linalg.norm


def prepare(w: Workload, arrays: Arrays) -> Callable[[], Arrays]:
    one = {"linear": linear, "rnn": rnn, "lstm": lstm, "gru": gru}[w.cell]

    def call() -> Arrays:
        found = [
            one(w, {k: a if k == "x" else a[r] for k, a in arrays.items()}) for r in range(w.R)
        ]
        return {name: np.array([member[name] for member in found]) for name in found[0]}

    return call


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def linear(w, p):
    h = np.zeros((w.B, w.H))
    for _ in range(w.T):
        h = h @ p["W_hh"].T
    dh = p["dh"]
    norms = [norm(dh)]
    for _ in range(w.T):
        dh = dh @ p["W_hh"]
        norms.append(norm(dh))
    return {"dh": norms[::-1]}


def rnn(w, p):
    W, U, b, x = p["W_hh"], p["W_ih"], p["b_ih"] + p["b_hh"], p["x"]
    h = np.zeros((w.B, w.H))
    states = []
    for t in range(w.T):
        h = np.tanh(x[t] @ U.T + h @ W.T + b)
        states.append(h)
    dh = p["dh"]
    norms = [norm(dh)]
    for t in range(w.T - 1, -1, -1):
        dh = (dh * (1 - states[t] ** 2)) @ W
        norms.append(norm(dh))
    found = {"dh": norms[::-1]}
    if "steps" in w.wanted:
        jacobians = [(1 - h[0] ** 2)[:, None] * W for h in states]
        found["step"] = [np.linalg.svd(J, compute_uv=False)[: w.kept] for J in jacobians]
    if "products" in w.wanted:
        product, values = np.eye(w.H), []
        for J in reversed(jacobians):
            product = product @ J
            values.append(np.linalg.svd(product, compute_uv=False)[: w.kept])
        found["product"] = values[::-1]
    return found


def lstm(w, p):
    W, U, b, x, H = p["W_hh"], p["W_ih"], p["b_ih"] + p["b_hh"], p["x"], w.H
    h = c = np.zeros((w.B, H))
    kept = []
    for t in range(w.T):
        a = x[t] @ U.T + h @ W.T + b
        i, f, g, o = (
            sigmoid(a[:, :H]),
            sigmoid(a[:, H : 2 * H]),
            np.tanh(a[:, 2 * H : 3 * H]),
            sigmoid(a[:, 3 * H :]),
        )
        before = h, c
        c = f * c + i * g
        squashed = np.tanh(c)
        h = o * squashed
        kept.append((*before, i, f, g, o, squashed))
    dh, dc = p["dh"], np.zeros((w.B, H))
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    of_h, of_c, shares = [norm(dh)], [], []
    for t in range(w.T - 1, -1, -1):
        h, c, i, f, g, o, squashed = kept[t]
        dc = dc + dh * o * (1 - squashed**2)
        of_c.append(norm(dc))
        da = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - g**2),
                dh * squashed * o * (1 - o),
            ],
            axis=1,
        )
        if "parameters" in w.wanted:
            share = da.T @ h
            shares.append(norm(share))
            dW += share
            dU += da.T @ x[t]
            db += da.sum(axis=0)
        dh, dc = da @ W, dc * f
        of_h.append(norm(dh))
    of_c.append(norm(dc))
    found = {"dh": of_h[::-1], "dc": of_c[::-1]}
    if "parameters" in w.wanted:
        found |= {"dw": shares[::-1]} | clipped([dW, dU, db, db])
    return found


def gru(w, p):
    W, U, b_ih, b_hh, x, H = p["W_hh"], p["W_ih"], p["b_ih"], p["b_hh"], p["x"], w.H
    h = np.zeros((w.B, H))
    kept = []
    for t in range(w.T):
        u, v = x[t] @ U.T + b_ih, h @ W.T + b_hh
        r, z = sigmoid(u[:, :H] + v[:, :H]), sigmoid(u[:, H : 2 * H] + v[:, H : 2 * H])
        n = np.tanh(u[:, 2 * H :] + r * v[:, 2 * H :])
        kept.append((h, r, z, n, v[:, 2 * H :]))
        h = (1 - z) * n + z * h
    dh, norms = p["dh"], [norm(p["dh"])]
    dW, dU, db_ih, db_hh = (np.zeros_like(a) for a in (W, U, b_ih, b_hh))
    for t in range(w.T - 1, -1, -1):
        h, r, z, n, v_n = kept[t]
        da_n = dh * (1 - z) * (1 - n**2)
        da_z = dh * (h - n) * z * (1 - z)
        da_r = da_n * v_n * r * (1 - r)
        du = np.concatenate([da_r, da_z, da_n], axis=1)
        dv = np.concatenate([da_r, da_z, da_n * r], axis=1)
        dW += dv.T @ h
        dU += du.T @ x[t]
        db_ih += du.sum(axis=0)
        db_hh += dv.sum(axis=0)
        dh = dh * z + dv @ W
        norms.append(norm(dh))
    return {"dh": norms[::-1]} | clipped([dW, dU, db_ih, db_hh])


def clipped(gradients):
    total = np.sqrt(sum((g**2).sum() for g in gradients))
    return {"total": total, "rate": min(1.0, CLIP / (total + 1e-6))}
