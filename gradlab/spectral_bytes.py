"""What the singular values of one member take, in bytes: of steps and of products, and exponents.

A part of the stages of a run (gradlab/stages.py), which has the rest.
"""

from __future__ import annotations

from gradlab.cells.interface import Factor, Factored
from gradlab.engine.largest_product import AT_ONCE as LOOKED_AT
from gradlab.engine.largest_product import fits
from gradlab.engine.product_spectrum import TOGETHER
from gradlab.engine.step_spectra import JACOBIANS
from gradlab.memory import NUMBER, PerStep, state_rows
from gradlab.spec import Spec

# D x D matrices a sequence: at the peak of each spectrum, and what it keeps from step to step
SPECTRA = {"step": (2.5, 0), "product": (13, 3), "lyapunov": (9, 1)}
VECTORS = 3  # of D a sequence and step, where the largest product value alone is wanted
LOOKED = 6 * LOOKED_AT  # numbers a sequence and step when these are held against each other


def at_work(spec: Spec, step: PerStep, piece: int, within: int) -> float:
    """While the gradient is sent back: Jacobians, and running products and frames. One spectrum is
    at work while the others wait, and what other threads have of it.
    """
    kept = sum(SPECTRA[name][1] for name in spec.spectra)
    most = max((at_work - own for at_work, own in (SPECTRA[n] for n in spec.spectra)), default=0)
    matrix = spec.sequences * NUMBER * state_rows(spec) ** 2
    total = matrix * (kept + most) + _vectors(spec, step)
    if "product" in spec.spectra - spec.largest:  # those that are asked for together
        together = -(-TOGETHER // (piece * spec.sequences * state_rows(spec)))
        total += matrix * (2 * (together - 1) + (together if within > 1 else 0))
    if "step" in spec.spectra and within > 1:
        total += (within - 1) * SPECTRA["step"][0] * max(matrix, JACOBIANS / piece)
    return total


def _vectors(spec: Spec, step: PerStep) -> float:
    """Of one member, where the largest product value alone is wanted: what is known of every step,
    and the factors of its Jacobian, which are needed again.
    """
    D = state_rows(spec)
    if "product" not in spec.largest or not fits(D, spec.steps):
        return 0
    whole = not isinstance(spec.network, Factor | Factored)  # all local derivatives
    factors = step.local / spec.B if whole else spec.dtype.itemsize * D
    return spec.sequences * spec.steps * (NUMBER * VECTORS * D + factors)


def looked_at(spec: Spec, step: PerStep) -> float:
    """The vectors of all steps, held against each other when the backward pass is done."""
    return _vectors(spec, step) + spec.sequences * spec.steps * NUMBER * LOOKED
