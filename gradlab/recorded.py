"""What a backward pass yielded as the arrays of a record: (R, N, ...), (R, ...)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.drawn import Member, Tensors
from gradlab.engine import clip as clipping
from gradlab.engine.lags import LagSplit, deviation
from gradlab.engine.largest_product import LargestProducts
from gradlab.engine.product_spectrum import ProductSpectrum
from gradlab.engine.recording import Gradients
from gradlab.engine.scaled import Scaled, hypot, norm
from gradlab.engine.spectrum import weight_eigenvalues, weight_singular_values
from gradlab.nonlinearity import Array
from gradlab.spec import Spec

Arrays = dict[str, Array]


def steps(gradients: Gradients, spec: Spec) -> Arrays:
    """What belongs to the steps."""
    arrays: Arrays = {}
    for part, scaled in gradients.norms.items():
        arrays |= _norms(f"grad_norm_{part}", scaled)
    if gradients.weight_norm is not None:
        arrays |= _norms("weight_grad_norm", gradients.weight_norm)
    for part, scaled in gradients.layer_norms.items():
        arrays |= _norms(f"grad_norm_{part}", scaled, "layer_")
    if gradients.layer_weight_norm is not None:
        arrays |= _norms("weight_grad_norm", gradients.layer_weight_norm, "layer_")
    for name in ("gate_mean", "gate_slope", "gate_saturation", "clip_scale"):
        arrays[name] = np.ascontiguousarray(getattr(gradients, name).swapaxes(0, 1))
    values = gradients.step_singular_values
    if values is not None:
        values = values.swapaxes(0, 1)
        arrays["step_singular_values"] = np.ascontiguousarray(values[..., : spec.kept("step")])
        if "step" not in spec.largest:
            arrays["step_sigma_min"] = np.ascontiguousarray(values[..., -1])
    if gradients.products is not None:
        arrays |= _products(gradients.products, spec)
    if gradients.lyapunov is not None:
        arrays["lyapunov_exponents"] = gradients.lyapunov / spec.topology.stride
    if gradients.path_norms is not None:
        with np.errstate(divide="ignore"):
            arrays["log10_path_norm"] = np.log10(gradients.path_norms).swapaxes(0, 1).copy()
    if gradients.factor_histogram is not None:
        arrays["factor_histogram"] = gradients.factor_histogram
    if gradients.gate_histogram is not None:
        arrays["gate_histogram"] = gradients.gate_histogram
    return arrays


def by_layer(each: Sequence[Gradients]) -> Arrays:
    """What belongs to the steps of chains that are layers, the first layer first.

    A chain's norms have every path of h_t already: those above enter it as a loss does.
    """
    arrays: Arrays = {}
    for part in each[0].norms:
        arrays |= _norms(f"grad_norm_{part}", _stacked([g.norms[part] for g in each]), "layer_")
    weights = [g.weight_norm for g in each if g.weight_norm is not None]
    if weights:
        arrays |= _norms("weight_grad_norm", _stacked(weights), "layer_")
    for name in ("gate_mean", "gate_slope", "gate_saturation"):
        gates = np.concatenate([getattr(g, name) for g in each], axis=-1)
        arrays[name] = np.ascontiguousarray(gates.swapaxes(0, 1))
    counts = [g.gate_histogram for g in each if g.gate_histogram is not None]
    if counts:
        arrays["gate_histogram"] = np.concatenate(counts, axis=1)
    scale = np.min([g.clip_scale for g in each], axis=0)
    return arrays | {"clip_scale": np.ascontiguousarray(scale.swapaxes(0, 1))}


def _stacked(each: Sequence[Scaled]) -> Scaled:
    """Norms (N, R) of several layers as (N, R, layers)."""
    return Scaled(*(np.stack(a, axis=-1) for a in zip(*each, strict=True)))


def _products(products: ProductSpectrum | LargestProducts, spec: Spec) -> Arrays:
    """On the rows of the record: NaN at those without, and at t = T, where there is no product."""
    there = np.searchsorted(spec.rows, products.rows)
    at_end = spec.rows == spec.steps

    def placed(a: Array) -> Array:
        out = np.full((a.shape[1], len(spec.rows), *a.shape[2:]), np.nan)
        out[:, there] = a.swapaxes(0, 1)
        out[:, at_end] = np.nan
        return out

    R, sequences = products.unresolved.shape[1:]
    unresolved = np.zeros((R, len(spec.rows), sequences), np.int64)
    unresolved[:, there] = products.unresolved.swapaxes(0, 1)
    found = {
        "log10_product_singular_values": placed(products.log_sigma / np.log(10.0)),
        "product_unresolved": unresolved,
    }
    if "product" in spec.largest or isinstance(products, LargestProducts):
        return found  # what is said of all values is not known
    return found | {
        "product_effective_rank": placed(products.effective_rank),
        "log10_product_condition": placed(products.log10_condition),
    }


def _norms(name: str, scaled: Scaled, prefix: str = "") -> Arrays:
    """Norms (N, R, ...) as they are and as log10, the members first."""
    return {
        prefix + name: np.ascontiguousarray(scaled.plain().swapaxes(0, 1)),
        f"{prefix}log10_{name}": np.ascontiguousarray(scaled.log10().swapaxes(0, 1)),
    }


def lags(split: LagSplit, stride: int) -> Arrays:
    """The split of dL/dW by lag; M lags. stride: steps of the sequence in one of the network."""
    return {
        "log10_lag_norm": split.norms.log10().T.copy(),
        "log10_lag_whole": split.whole.log10(),
        "lag_remainder": split.remainder.T.copy(),
        "lag_cosine": split.cosine.T.copy(),
        "memory_horizon": split.horizon * stride,
    }


def truncation_loss(cut: Mapping[str, Scaled], full: Mapping[str, Scaled]) -> Arrays:
    """How far the truncated gradient of the recurrent weights is from the whole one."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        lost, cosine = deviation({name: cut[name] for name in full}, full)
    return {"truncation_lost": lost, "truncation_cosine": cosine}


def clipped(parameters: Mapping[str, Scaled], members: Sequence[Member]) -> Arrays:
    """Norms of the parameters' gradients, their global norm, and what clipping makes of it; nothing
    where there are none.
    """
    if not parameters:
        return {}
    norms = [norm(g) for g in parameters.values()]
    before = hypot(norms)
    arrays = {
        "log10_parameter_grad_norm": np.stack([own.log10() for own in norms], axis=-1),
        "clip_norm": before.plain(),
        "log10_clip_norm": before.log10(),
        "clip_rate": np.full(len(members), np.nan),
        "clipped_norm": np.full(len(members), np.nan),
    }
    by = {"global_norm": clipping.clip_by_global_norm, "value": clipping.clip_by_value}
    for clip, group in groupby(range(len(members)), key=lambda r: members[r].spec.clip):
        if clip is None or clip[1] not in by:
            continue
        some = list(group)
        rows = slice(some[0], some[-1] + 1)  # no copies
        own = {name: Scaled(g.mantissa[rows], g.exponent[rows]) for name, g in parameters.items()}
        found = by[clip[1]](own, clip[0])
        arrays["clip_rate"][rows] = found.rate
        arrays["clipped_norm"][rows] = found.clipped_norm.plain()
    return arrays


def lost(arrays: Arrays, members: Array) -> None:
    """There is no gradient through a state that is not finite: nothing of these members counts."""
    for array in arrays.values():
        array[members] = 0 if np.issubdtype(array.dtype, np.integer) else np.nan


def recurrent_spectrum(spec: Spec, tensors: Tensors) -> tuple[Arrays, list[str]]:
    """Singular values and, where they are told, eigenvalues and spectral radius of the recurrent
    blocks, and the blocks' names.

    Of weights that are fresh at every step: for each singular value the largest over the steps.
    """
    gates = len(spec.base.GATES)
    if not gates:
        return {}, []
    phases = ("encoder.", "decoder.") if spec.topology.phases else ("",)
    values: list[Array] = []
    eigenvalues: list[NDArray[np.complex128]] = []
    names: list[str] = []
    for layer in spec.weights:
        for tensor in layer:
            end = tensor.removeprefix("weight_hh")
            found = [weight_singular_values(gates, W) for W in tensors[tensor]]
            values += found if spec.topology.tied else [np.max(found, axis=0)]
            if spec.radius:
                eigenvalues += [weight_eigenvalues(gates, W) for W in tensors[tensor]]
            names += [f"{phase}{gate}{end}" for phase in phases for gate in spec.base.GATES]
    arrays: dict[str, NDArray[Any]] = {"weight_singular_values": np.concatenate(values, axis=1)}
    if spec.radius:
        arrays["weight_eigenvalues"] = np.concatenate(eigenvalues, axis=1)
        arrays["weight_spectral_radius"] = np.abs(arrays["weight_eigenvalues"][..., 0])
    return arrays, names
