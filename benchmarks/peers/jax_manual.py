"""The fastest JAX found: as `jax_vjp`, with the backward pass written by hand.

Local derivatives of all steps at once, the inputs' part and the parameters' gradients in one
product each. A linear cell has nothing to gain and stays as it is there.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.material import Arrays
from benchmarks.peers import jax_vjp
from benchmarks.peers.jax_vjp import norm, sigmoid, spectra
from benchmarks.workloads import CLIP, Workload

of_steps = jax.vmap(norm)


def prepare(w: Workload, arrays: Arrays) -> Callable[[], Arrays]:
    if w.cell == "linear":
        return jax_vjp.prepare(w, arrays)
    given = {name: jnp.asarray(a) for name, a in arrays.items()}
    x, dh = given.pop("x"), given.pop("dh")
    one = {"rnn": rnn, "lstm": lstm, "gru": gru}[w.cell]
    compiled = jax.jit(jax.vmap(lambda p, dh: one(w, p, x, dh)))

    def call() -> Arrays:
        return {name: np.asarray(a) for name, a in compiled(given, dh).items()}

    return call


def drives(w, p, x, bias):
    return (x.reshape(w.T * w.B, -1) @ p["W_ih"].T).reshape(w.T, w.B, -1) + bias


def rnn(w, p, x, dh):
    W, Wt = p["W_hh"], p["W_hh"].T

    def forward(h, u):
        h = jnp.tanh(u + h @ Wt)
        return h, h

    _, h = lax.scan(forward, jnp.zeros_like(dh), drives(w, p, x, p["b_ih"] + p["b_hh"]))
    slope = 1 - h * h
    _, each = lax.scan(lambda d, s: ((d * s) @ W,) * 2, dh, slope, reverse=True)
    found = {"dh": jnp.append(of_steps(each), norm(dh))}
    if "steps" in w.wanted:
        found |= spectra(w, slope[:, 0][:, :, None] * W)
    return found


def lstm(w, p, x, dh):
    W, Wt, zero = p["W_hh"], p["W_hh"].T, jnp.zeros_like(dh)

    def forward(state, u):
        h, c = state
        i, f, g, o = jnp.split(u + h @ Wt, 4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), jnp.tanh(g), sigmoid(o)
        new = f * c + i * g
        squashed = jnp.tanh(new)
        return (o * squashed, new), (h, c, i, f, g, o, squashed)

    u = drives(w, p, x, p["b_ih"] + p["b_hh"])
    _, (h, c, i, f, g, o, squashed) = lax.scan(forward, (zero, zero), u)
    of_c = jnp.stack([g * i * (1 - i), c * f * (1 - f), i * (1 - g * g)], axis=1)
    of_o, path = squashed * o * (1 - o), o * (1 - squashed * squashed)

    def back(d, given):
        of_c, of_o, path, f = given
        d_h, d_c = d
        d_c = d_c + d_h * path
        da = jnp.concatenate([*(d_c * of_c), d_h * of_o], -1)
        d_h = da @ W
        return (d_h, d_c * f), (d_h, d_c, da if "parameters" in w.wanted else None)

    (_, last), (d_h, d_c, da) = lax.scan(back, (dh, zero), (of_c, of_o, path, f), reverse=True)
    found = {
        "dh": jnp.append(of_steps(d_h), norm(dh)),
        "dc": jnp.concatenate([norm(last)[None], of_steps(d_c)]),
    }
    if "parameters" in w.wanted:
        found["dw"] = lax.map(lambda step: norm(step[0].T @ step[1]), (da, h))
        found |= clipped(w, da, da, h, x)
    return found


def gru(w, p, x, dh):
    W, Wt, H = p["W_hh"], p["W_hh"].T, w.H

    def forward(h, u):
        v = h @ Wt + p["b_hh"]
        r, z = jnp.split(sigmoid(u[:, : 2 * H] + v[:, : 2 * H]), 2, -1)
        n = jnp.tanh(u[:, 2 * H :] + r * v[:, 2 * H :])
        return n + z * (h - n), (h, r, z, n, v[:, 2 * H :])

    _, (h, r, z, n, v_n) = lax.scan(forward, jnp.zeros_like(dh), drives(w, p, x, p["b_ih"]))
    of_n, of_z = (1 - z) * (1 - n * n), (h - n) * z * (1 - z)
    of_r = of_n * v_n * r * (1 - r)

    def back(d, given):
        of_r, of_z, of_rn, z = given
        dv = jnp.concatenate([d * of_r, d * of_z, d * of_rn], -1)
        new = d * z + dv @ W
        return new, (new, d, dv)

    _, (d_h, d, dv) = lax.scan(back, dh, (of_r, of_z, of_n * r, z), reverse=True)
    du = jnp.concatenate([dv[..., : 2 * H], d * of_n], -1)
    return {"dh": jnp.append(of_steps(d_h), norm(dh))} | clipped(w, du, dv, h, x)


def clipped(w, du, dv, h, x):
    du, dv, h, x = (a.reshape(w.T * w.B, -1) for a in (du, dv, h, x))
    gradients = dv.T @ h, du.T @ x, du.sum(0), dv.sum(0)
    total = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients))
    return {"total": total, "rate": jnp.minimum(1.0, CLIP / (total + 1e-6))}
