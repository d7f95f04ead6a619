"""One backward pass, with everything that is recorded of it taken as the blocks go by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradlab.cells.interface import Factor, Paths, Shape
from gradlab.engine.backward import Block, sweep
from gradlab.engine.between import InputGradients
from gradlab.engine.clip import StepClip
from gradlab.engine.forward import Trajectory
from gradlab.engine.gradients import ParameterGradients, block_shares
from gradlab.engine.largest_product import LargestProducts, fits
from gradlab.engine.loss import Loss
from gradlab.engine.lyapunov import LyapunovExponents
from gradlab.engine.observe import FactorHistogram, GateHistogram, PathNorms
from gradlab.engine.product_spectrum import ProductSpectrum
from gradlab.engine.pulls import Running, StepPulls
from gradlab.engine.recording import Gradients, Products, Wanted, complete_start, empty, record
from gradlab.engine.scaled import Scaled
from gradlab.engine.sliding import sliding
from gradlab.engine.step_spectra import StepSpectra


@dataclass(frozen=True)
class Truncation:
    """Truncated BPTT: detached at the steps of `cuts`, or every loss term reaches so far back."""

    cuts: frozenset[int] | range = frozenset()
    reach: int | None = None
    entries: tuple[int, ...] = ()  # the steps with a loss term, for `reach`


def backpropagate(
    trajectory: Trajectory,
    loss: Loss,
    shapes: dict[str, Shape],
    wanted: Wanted,
    clip: StepClip | None = None,
    truncation: Truncation = Truncation(),
    inputs: InputGradients | None = None,
) -> Gradients:
    """Send the gradient from T to 0 and record it. shapes: of the tensors to differentiate by,
    where their gradients are wanted.

    inputs takes dL/dx_t, where it is wanted.
    """
    R, D = trajectory.marks.shape[1:3]
    cell, weights, dtype = trajectory.cell, trajectory.weights, trajectory.marks.dtype
    total = ParameterGradients(shapes if wanted.gradients else {}, R, dtype, wanted.sets)
    paths = PathNorms(cell, weights, wanted.rows, R) if isinstance(cell, Paths) else None
    factor = FactorHistogram(cell, weights, R) if isinstance(cell, Factor) else None
    gates = GateHistogram(cell, R) if wanted.gates else None
    products, exponents = _spectra(R, D, trajectory.T, wanted.products)
    running: list[Running] = [o for o in (products, exponents) if o is not None]
    steps = StepPulls(cell, weights, wanted.products.sequences, running) if running else None
    spectra = _steps(trajectory, wanted)
    observers = [o for o in (paths, factor, gates, spectra, steps, inputs) if o is not None]
    out: Gradients | None = None
    for block in _blocks(trajectory, loss, clip, truncation):
        if out is None:
            out = empty(trajectory, block, wanted, R)
        shares = block_shares(cell, block) if wanted.gradients else ()
        if wanted.gradients:
            total.add(shares, block.cotangents.exponent, weights.sets(block.t))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            record(trajectory, block, wanted, shares, out)
            for observer in observers:
                observer.add(block)
        del block, shares  # gone before the next are made
    assert out is not None  # T is at least 1
    out.parameters = total.total
    out.step_singular_values = None if spectra is None else spectra.values()
    out.path_norms = None if paths is None else paths.norms
    out.factor_histogram = None if factor is None else factor.counts
    out.gate_histogram = None if gates is None else gates.counts
    if products is not None:
        products.complete()
    out.products = products
    out.lyapunov = None if exponents is None else exponents.exponents()
    complete_start(trajectory, out)
    return out


def _steps(trajectory: Trajectory, wanted: Wanted) -> StepSpectra | None:
    """Of the Jacobians of single steps."""
    if not wanted.sequences:
        return None
    R, D = trajectory.marks.shape[1:3]
    shape = (R, wanted.sequences, D)
    cell, weights = trajectory.cell, trajectory.weights
    return StepSpectra(cell, weights, wanted.rows, shape, wanted.largest)


def _spectra(
    R: int, D: int, steps: int, wanted: Products
) -> tuple[ProductSpectrum | LargestProducts | None, LyapunovExponents | None]:
    """What goes along with the backward pass and sees every Jacobian."""
    values = None if wanted.values == D else wanted.values
    products: ProductSpectrum | LargestProducts | None = None
    exponents = None
    if len(wanted.rows) and wanted.largest and fits(D, steps):
        products = LargestProducts(wanted.rows, R, D, wanted.sequences, steps)
    elif len(wanted.rows):
        products = ProductSpectrum(wanted.rows, R, D, wanted.sequences, values)
    if wanted.lyapunov:
        exponents = LyapunovExponents(R, D, wanted.sequences)
    return products, exponents


def parameter_gradients(
    trajectory: Trajectory,
    loss: Loss,
    shapes: dict[str, Shape],
    sets: int,
    clip: StepClip | None = None,
) -> dict[str, Scaled]:
    """dL/d(tensor) alone, of the whole sequence."""
    R = trajectory.marks.shape[1]
    total = ParameterGradients(shapes, R, trajectory.marks.dtype, sets)
    for block in sweep(trajectory, loss, clip):
        own = trajectory.weights.sets(block.t)
        total.add(block_shares(trajectory.cell, block), block.cotangents.exponent, own)
        del block  # gone before the next is made
    return total.total


def _blocks(
    trajectory: Trajectory, loss: Loss, clip: StepClip | None, truncation: Truncation
) -> Iterator[Block]:
    if truncation.reach is not None:
        return sliding(trajectory, loss, truncation.entries, truncation.reach)
    return sweep(trajectory, loss, clip, truncation.cuts)
