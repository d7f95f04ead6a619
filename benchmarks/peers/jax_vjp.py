"""JAX as one writes it: a scan forward, a scan of jax.vjp back, vmap over members, jit.

Jacobians by jacrev of the step under vmap over time. The first call compiles and is not timed.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.material import Arrays
from benchmarks.workloads import CLIP, Workload

jax.config.update("jax_enable_x64", True)
sigmoid = jax.nn.sigmoid


def prepare(w: Workload, arrays: Arrays) -> Callable[[], Arrays]:
    given = {name: jnp.asarray(a) for name, a in arrays.items()}
    x, dh = given.pop("x", jnp.zeros((w.T, w.B, w.H))), given.pop("dh")
    compiled = jax.jit(jax.vmap(lambda p, dh: member(w, p, x, dh)))

    def call() -> Arrays:
        return {name: np.asarray(a) for name, a in compiled(given, dh).items()}

    return call


def linear(p, state, x):
    return (state[0] @ p["W_hh"].T,)


def rnn(p, state, x):
    return (jnp.tanh(x @ p["W_ih"].T + p["b_ih"] + state[0] @ p["W_hh"].T + p["b_hh"]),)


def gates(p, h, x):
    a = x @ p["W_ih"].T + p["b_ih"] + h @ p["W_hh"].T + p["b_hh"]
    return jnp.split(a, 4, -1)


def lstm(p, state, x):
    i, f, g, o = gates(p, state[0], x)
    c = sigmoid(f) * state[1] + sigmoid(i) * jnp.tanh(g)
    return sigmoid(o) * jnp.tanh(c), c


def gru(p, state, x):
    r, z, n = jnp.split(x @ p["W_ih"].T + p["b_ih"], 3, -1)
    v_r, v_z, v_n = jnp.split(state[0] @ p["W_hh"].T + p["b_hh"], 3, -1)
    z = sigmoid(z + v_z)
    return ((1 - z) * jnp.tanh(n + sigmoid(r + v_r) * v_n) + z * state[0],)


CELLS = {"linear": linear, "rnn": rnn, "lstm": lstm, "gru": gru}


def norm(a):
    return jnp.sqrt(jnp.sum(a * a))


def member(w, p, x, dh):
    cell, zero = CELLS[w.cell], jnp.zeros_like(dh)
    parts = 2 if w.cell == "lstm" else 1
    _, before = lax.scan(lambda s, one: (cell(p, s, one), s), (zero,) * parts, x)

    def back(carry, given):
        d, gradient = carry
        s, one = given
        found = {}
        if "parameters" in w.wanted:
            _, pull = jax.vjp(lambda p, s: cell(p, s, one), p, s)
            share, d_before = pull(d)
            gradient = jax.tree.map(jnp.add, gradient, share)
            found["dw"] = norm(share["W_hh"])
        else:
            _, pull = jax.vjp(lambda s: cell(p, s, one), s)
            (d_before,) = pull(d)
        if w.cell == "lstm":  # with the path through h_t
            o = sigmoid(gates(p, s[0], one)[3])
            _, through = jax.vjp(lambda c: o * jnp.tanh(c), cell(p, s, one)[1])
            found["dc"] = norm(d[1] + through(d[0])[0])
        found["dh"] = norm(d_before[0])
        return (d_before, gradient), found

    start = (dh, zero)[:parts]
    nothing = jax.tree.map(jnp.zeros_like, p) if "parameters" in w.wanted else 0.0
    (d, gradient), each = lax.scan(back, (start, nothing), (before, x), reverse=True)
    found = {"dh": jnp.append(each["dh"], norm(dh))}
    if w.cell == "lstm":
        found["dc"] = jnp.concatenate([norm(d[1])[None], each["dc"]])
    if "shares" in w.wanted:
        found["dw"] = each["dw"]
    if "parameters" in w.wanted:
        total = jnp.sqrt(sum(jnp.sum(g * g) for g in gradient.values()))
        found |= {"total": total, "rate": jnp.minimum(1.0, CLIP / (total + 1e-6))}
    if "steps" in w.wanted:
        found |= values(w, lambda h, one: cell(p, (h[None],), one[None])[0][0], before[0], x)
    return found


def values(w, step, before, x):
    jacobians = jax.vmap(jax.jacrev(step))(before[:, 0], x[:, 0])
    return spectra(w, jacobians)


def spectra(w, jacobians):
    found = {"step": jnp.linalg.svd(jacobians, compute_uv=False)[:, : w.kept]}
    if "products" in w.wanted:
        _, products = lax.scan(lambda P, J: (P @ J,) * 2, jnp.eye(w.H), jacobians, reverse=True)
        found["product"] = jnp.linalg.svd(products, compute_uv=False)[:, : w.kept]
    return found
