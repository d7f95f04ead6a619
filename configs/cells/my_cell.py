"""A leaky integrator, as an example of a cell of your own.

Each unit forgets a tenth of what it holds and takes in a tenth of what comes: between what was and
what comes, it is an average.
"""

import numpy as np

SOURCE = "Jaeger et al. 2007, Optimization and applications of echo state networks with leaky units"
EQUATIONS = "h_t = (1 - a) h_{t-1} + a tanh(W_hh h_{t-1} + W_ih x_t + b)"

LEAK = 0.1


def step(p, s, x):
    """The state after one step. s (members, H, sequences), x (members, I, sequences)."""
    return (1 - LEAK) * s + LEAK * np.tanh(p.weight_hh @ s + p.weight_ih @ x + p.bias_ih)
