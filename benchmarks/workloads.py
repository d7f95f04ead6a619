"""The workloads W1 to W7: what is computed, and at which size.

Letters as everywhere: R members, B sequences, T steps, H hidden units and inputs. `wanted` names
the results that every program must yield, in a dictionary of arrays:

| wanted | results |
| --- | --- |
| norms | dh (R, T + 1): norm of dL/dh_t; of an LSTM also dc, of dL/dc_t |
| shares | dw (R, T): norm of the share of step t in dL/dW_hh |
| parameters | total (R,), rate (R,): norm of the gradient of all parameters, clipping to 1 |
| steps | step (R, T, H): singular values of J_t, of the first sequence |
| products | product (R, T, H): those of J_T ... J_t |
| largest | of the two the largest alone: (R, T, 1) |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

TEXTBOOK = Path(__file__).resolve().parents[1] / "configs" / "textbook_exploding.yaml"
GATES = {"linear": 1, "rnn": 1, "gru": 3, "lstm": 4}  # blocks of H rows in weight_hh
CLIP = 1.0
SCALES = (0.2, 2.0)  # weight_scale of W5, first and last


@dataclass(frozen=True)
class Workload:
    """One workload. scales: of a sweep over weight_scale, whose points have R / scales seeds."""

    name: str
    cell: str
    R: int
    B: int
    T: int
    H: int
    wanted: frozenset[str]
    scales: int = 1
    forget_bias: float = 1.0
    recorded: bool = True  # inputs from a file, the same for every member; else drawn by gradlab
    text: str = ""

    @property
    def seeds(self) -> int:
        """Members of one point."""
        return self.R // self.scales

    @property
    def flops(self) -> float:
        """Floating-point operations of the matrix products that cannot be avoided.

        Forward W h and U x, backward W^T delta; of the parameters delta h^T and delta x^T; the
        products of Jacobians. A linear cell without inputs has no U x. Elementwise work is not
        counted.
        """
        products = 3 if self.cell != "linear" else 2
        products += 2 * ("parameters" in self.wanted)
        steps = products * self.B * GATES[self.cell] * self.H**2
        jacobians = self.H**3 * ("products" in self.wanted)
        return 2.0 * self.R * self.T * (steps + jacobians)

    @property
    def decompositions(self) -> int:
        """How many H x H matrices all singular values are wanted of; `largest` needs none."""
        if "largest" in self.wanted:
            return 0
        return self.R * self.T * len(self.wanted & {"steps", "products"})

    @property
    def kept(self) -> int:
        """How many singular values of a matrix are wanted."""
        return 1 if "largest" in self.wanted else self.H


NORMS = frozenset({"norms"})
WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", "linear", 1, 2, 20, 3, NORMS, text="textbook, a cold process"),
        Workload("W2", "rnn", 32, 16, 200, 64, NORMS, text="norms"),
        Workload(
            "W3",
            "lstm",
            8,
            16,
            200,
            128,
            NORMS | {"shares", "parameters"},
            text="norms, share of every step, parameter gradients, clipping",
        ),
        Workload(
            "W4",
            "rnn",
            4,
            16,
            100,
            128,
            NORMS | {"steps", "products"},
            text="norms, all singular values of J_t and of the products",
        ),
        Workload(
            "W4s",
            "rnn",
            4,
            16,
            100,
            128,
            NORMS | {"steps"},
            text="as W4, without the products",
        ),
        Workload(
            "W5",
            "rnn",
            1024,
            4,
            100,
            32,
            NORMS | {"steps", "products", "largest"},
            scales=64,
            text="64 scales x 16 seeds: norms, largest singular values",
        ),
        Workload(
            "W6",
            "lstm",
            1,
            1,
            100_000,
            64,
            NORMS,
            forget_bias=9.2,
            recorded=False,
            text="norms over a long sequence",
        ),
        Workload(
            "W7",
            "gru",
            1,
            32,
            100,
            512,
            NORMS | {"parameters"},
            text="norms, parameter gradients of a wide cell",
        ),
    )
}


def checked(w: Workload) -> Workload:
    """The same workload at the size at which the programs are compared.

    Short, since rounding grows as a gradient does: at weight_scale 2 a hundred steps would leave no
    digit in common, though nobody is wrong.
    """
    scales = min(w.scales, 3)
    R = scales * 2 if w.scales > 1 else min(w.R, 3)
    return replace(w, R=R, T=min(w.T, 20), scales=scales)


def small(w: Workload) -> Workload:
    """The same workload at a size that takes milliseconds."""
    return replace(checked(w), B=min(w.B, 3), H=min(w.H, 6))


def config(w: Workload, folder: str) -> dict[str, Any]:
    """gradlab's config of a workload; folder holds its inputs file.

    What is not wanted and costs much is switched off: spectra, the split by lag, gradients of the
    weights. All else that a run records (gates, norms that cannot overflow) stays on. W1 is the
    textbook's config as it is.
    """
    if w.cell == "linear":
        textbook = yaml.safe_load(TEXTBOOK.read_text(encoding="utf-8"))
        return {key: value for key, value in textbook.items() if key != "expect"}
    given: dict[str, Any] = {
        "name": w.name,
        "cell": w.cell,
        "hidden_size": w.H,
        "input_size": w.H,
        "seq_len": w.T,
        "batch_size": w.B,
        "seeds": w.seeds,
        "init": {"input_scale": 0.5, "bias": 0.1, "forget_bias": _forget(w)},
        "inputs": {"type": "normal"},
        "loss": {"type": "upstream", "value": "normal"},
        "spectrum": spectrum(w),
        "weight_gradients": "all" if w.wanted & {"shares", "parameters"} else "none",
        "lag_split": "none",
        "gate_histogram": False,
    }
    if w.recorded:
        given["inputs"] = {"type": "file", "path": f"{folder}/inputs.npy", "cut": "start"}
    if "parameters" in w.wanted:
        given["clip"] = CLIP
    if w.scales > 1:
        first, last = SCALES
        given["sweep"] = {"weight_scale": {"linear": [first, last], "num": w.scales}}
    return given


def spectrum(w: Workload) -> dict[str, Any]:
    """The config's section."""
    how = "largest" if "largest" in w.wanted else True
    return {
        "step": "steps" in w.wanted and how,
        "product": "products" in w.wanted and how,
        "lyapunov": False,
        "values": 1 if "largest" in w.wanted else "all",
    }


def _forget(w: Workload) -> float:
    return w.forget_bias if w.cell == "lstm" else 0.0
