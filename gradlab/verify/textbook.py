"""The textbooks' twenty steps of dh @ Wh.T, to the digit.

    np.random.seed(3); Wh = np.random.randn(3, 3) * scale; dh = np.ones((2, 3))
    twenty times: dh = dh @ Wh.T, and sqrt(sum(dh**2)) / 2

NORMS are these numbers in high precision, rounded to double.
"""

from __future__ import annotations

import numpy as np

from gradlab.runner import run
from gradlab.verify.runs import planned

BATCH, STEPS = 2, 20

# fmt: off
NORMS = {  # by scale
    1.0: (
        2.4684068094579303, 3.3357049741610365, 4.783279375373183, 6.279587332087613,
        8.080776465019053, 10.251163032292936, 12.936063506609896, 16.27686132778671,
        20.45482961834597, 25.688972842084667, 32.25315718048334, 40.48895641683867,
        50.82440730701906, 63.79612654485422, 80.07737014308978, 100.51298922051241,
        126.16331847536813, 158.35920648258812, 198.77107967611934, 249.49561542126673,
    ),
    0.5: (
        1.2342034047289652, 0.8339262435402591, 0.5979099219216478, 0.3924742082554758,
        0.2525242645318454, 0.16017442237957713, 0.10106299614538981, 0.06358148956166683,
        0.03995083909833197, 0.025086887541098307, 0.015748611904532882, 0.009884999125204753,
        0.0062041512825951, 0.00389380655180995, 0.002443767399386285, 0.0015337065005571352,
        0.0009625497320203257, 0.0006040924319556737, 0.00037912574706291073,
        0.0002379375604832332,
    ),
}
# fmt: on


def digits() -> float:
    """The relative error of the forty norms, through a run with numpy's legacy generator."""
    return float(np.max([_error(scale, norms) for scale, norms in NORMS.items()]))


def _error(scale: float, norms: tuple[float, ...]) -> float:
    found = run(
        planned(
            cell="linear",
            weight_scale=scale,
            seq_len=STEPS,
            hidden_size=3,
            batch_size=BATCH,
            init="randn",
            inputs="zeros",
            generator="mt19937",
            seeds=[3],
        )
    )["grad_norm_h"][0, -2::-1]
    return float(np.abs(found / BATCH / norms - 1).max())
