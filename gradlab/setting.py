"""An experiment as theory sees it: gains, variances and biases, read from a `Spec`."""

from __future__ import annotations

from dataclasses import dataclass

from gradlab.analysis import random_matrix
from gradlab.cells import FILE
from gradlab.initial import Drawn
from gradlab.spec import Spec, Start

LARGEST = 1e60  # of inputs and their weights: the square of the product is a float


@dataclass(frozen=True)
class Setting:
    """What the theories know of an experiment."""

    activation: str | None  # None for a cell with gates
    orthogonal: bool  # the recurrent weights; else their entries are independent
    g: float  # gain of the recurrent weights
    gain: float  # its part that is not weight_scale
    s2: float  # variance of the input part of a pre-activation
    bias: float
    forget_bias: float
    rests: bool  # the state starts at 0 and nothing moves it

    @property
    def linear_at_rest(self) -> bool:
        """Whether tanh never leaves 0, where it is the identity."""
        return self.rests and self.activation == "tanh"


def setting(spec: Spec) -> Setting:
    """Raises ValueError, with the reason, where no theory here is about the experiment."""
    _covered(spec)
    init, inputs = spec.init, spec.inputs
    if not isinstance(init, Drawn):
        raise ValueError("the weights are from a file, no random draw")
    gain = random_matrix.equivalent_gain(init.recurrent, spec.H)
    if gain is None:
        raise ValueError(f"init {init.recurrent}: the recurrent weights are no random draw")
    if max(abs(inputs.parameter), abs(init.input_scale)) > LARGEST:
        raise ValueError(f"inputs beyond {LARGEST:g}: no theory is computed there")
    s2 = random_matrix.input_variance(
        inputs.kind, inputs.parameter, init.input, spec.H, spec.I, init.input_scale
    )
    if s2 is None:
        name = f"init.input {init.input}" if init.input == "identity" else f"inputs {inputs.kind}"
        raise ValueError(f"{name}: the variance of the input part is not known")
    activation = "linear" if spec.cell == "linear" else spec.options.get("activation")
    return Setting(
        activation=activation,
        orthogonal=init.recurrent == "orthogonal",
        g=spec.weight_scale * gain,
        gain=gain,
        s2=s2,
        bias=init.bias,
        forget_bias=init.forget_bias,
        rests=_starts_at_zero(spec.start) and s2 == 0 and init.bias == 0,
    )


def _starts_at_zero(start: Start) -> bool:
    if start.given is not None:
        return not start.given.any()
    return start.kind == "zeros" or start.std == 0


VANILLA = ("linear", "rnn")
GATED = ("lstm", "gru", "gru_minimal")
WITHOUT = {
    "accumulator": "accumulator: its Jacobian is the identity, whatever the weights",
    "lstm_simple": "lstm_simple: no recurrent matrix, its Jacobian is diagonal",
}


def _covered(spec: Spec) -> None:
    """Raises ValueError for a cell or a network that no theory here is about."""
    if spec.cell.endswith(FILE):
        raise ValueError("a cell of your own: no theory here is about it")
    if spec.cell not in VANILLA + GATED:
        raise ValueError(WITHOUT.get(spec.cell, f"no theory here is about the cell {spec.cell}"))
    shape, gated = spec.topology, spec.cell in GATED
    networks = {
        "several layers with shared weights": shape.layers > 1,
        "both directions together": shape.bidirectional,
        "encoder and decoder": bool(shape.phases),
        "residual blocks": shape.block is not None,
        "a skip around shared weights": shape.residual and shape.tied,
        "a gated cell with fresh weights at every step": gated and not shape.tied,
    }
    for what, holds in networks.items():
        if holds:
            raise ValueError(f"no theory here is about {what}")
