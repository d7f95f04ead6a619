"""A small cell of a user's own, as a file that has `step` alone: a leaky integrator.

`gradlab verify` loads it as it would load a user's file, so it imports nothing of gradlab.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SOURCE = "Jaeger et al. 2007, Optimization and applications of echo state networks with leaky units"
EQUATIONS = "h_t = (1 - a) h_{t-1} + a tanh(W_hh h_{t-1} + W_ih x_t + b)"

LEAK = 0.3


def step(p: Any, s: Any, x: Any) -> Any:
    """The state after one step: s (members, H, sequences), x (members, I, sequences)."""
    return (1 - LEAK) * s + LEAK * np.tanh(p.weight_hh @ s + p.weight_ih @ x + p.bias_ih)
