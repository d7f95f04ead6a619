"""The stages that a run goes through, and what is held in each of them.

Weights are drawn, outputs read, the gradient is sent back, split by lag, clipped. What is held at
the same time is summed up. Factors count the copies that exist at the peak; they were found by
going through the code and held against the peaks of processes (tests/test_footprint.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from gradlab.engine.forward import BLOCK, block_steps
from gradlab.engine.lags import AT_ONCE
from gradlab.engine.largest_product import fits
from gradlab.engine.sums import largest_part
from gradlab.inputs import BLOCK as INPUT_BLOCK
from gradlab.memory import (
    NUMBER,
    PerStep,
    by_pieces,
    one_set,
    output_bytes,
    per_step,
    segment_steps,
    set_weights,
    side_by_side,
    state_rows,
    states_alone,
    tensor_shapes,
    weight_bytes,
    weight_sets,
)
from gradlab.sequences.recording import Recording
from gradlab.spec import Spec
from gradlab.spectral_bytes import at_work, looked_at

SOLVED = 3  # of the numbers of a matrix: it, what becomes of it, and LAPACK's own
MADE = 1.4  # of local derivatives: with what they are made of


@dataclass(frozen=True)
class Footprint:
    """Bytes by what they are for, at the peak."""

    weights: float
    states: float
    spectra: float
    outputs: float
    records: float
    figures: float = 0
    training: float = 0  # what stays of all members while they learn, and is told of it

    @property
    def bytes(self) -> float:
        """All of it."""
        return sum(vars(self).values())

    @property
    def largest(self) -> str:
        """What takes most."""
        return max(vars(self), key=lambda name: float(vars(self)[name]))


def stages(
    spec: Spec, every: int | None, piece: int = 1, alone: bool = True, within: int = 1
) -> Iterator[Footprint]:
    """The stages of one of the members of a piece, one after the other. alone: all members are of
    one experiment. within: threads that work on a member together.
    """
    step, each, width = per_step(spec), set_weights(spec), spec.dtype.itemsize
    inputs = step.inputs / (piece if alone and _same(spec) else 1)
    step = step._replace(kept=step.kept - step.inputs + int(inputs))
    held, largest = weight_bytes(spec), width * _largest(spec)
    states, dh = _held(spec, step, every), _entering(spec)
    drawing = _drawing(spec, every, states, inputs) + _inputs(spec) / piece

    def stage(weights: float, states: float, spectra: float = 0, outputs: float = 0) -> Footprint:
        return Footprint(weights, states, spectra, outputs, 0)

    # of all sets; stacked, where there are several, or with the parts of a tensor that is put
    # together; where the run's precision is another, one set in float64
    several = piece > 1 or not one_set(spec)
    drawn = NUMBER * each if width < NUMBER else 0
    yield stage(2 * held + drawn if several else held + max(drawn, largest), 0)
    yield stage(held, drawing)
    yield stage(held + width * _recurrent(spec, piece), states)
    for outputs in _outputs(spec):
        yield stage(held, states, outputs=outputs)
    # of all sets, and a term of their sum over steps
    gradients = held if spec.weight_gradients else 0
    term = float(within * width * _part(spec)) if spec.weight_gradients else 0.0
    if not spec.topology.tied:
        term = gradients  # the gradients of all sets, side by side
    elif spec.topology.phases and side_by_side(spec):  # a copy of its set for every step
        term += width * each * spec.steps
    block, meanwhile = states + _block(spec, step), _meanwhile(spec, step) if within > 1 else 0
    spectra = at_work(spec, step, piece, within)
    yield stage(held + gradients + term, block + meanwhile, spectra, dh)
    if spec.topology.phases:  # the gradients of both sets, side by side
        yield stage(held + 2 * gradients, states, 0, dh)
    if segment_steps(spec, every) < spec.steps:  # between blocks, whose memory waits
        waiting = drawing + _again(spec, step) + meanwhile
        steps_again = held if _signed(spec) and every is not None else 0
        yield stage(held + gradients + term + steps_again, waiting, spectra, dh)
    if "product" in spec.largest and fits(state_rows(spec), spec.steps):
        yield stage(held + gradients, states, looked_at(spec, step), dh)
    if spec.lag_split:
        yield stage(2 * held + _lags(spec), block, 0, dh)
    if len(spec.chains) > 1:  # what both directions hand to the layer below, added up
        yield stage(held + gradients, states + 2 * _handed(spec) * spec.steps, 0, dh)
    # the states are gone; gradients, and clipped
    clipped = gradients if spec.whole_clip is not None else 0
    yield stage(held + gradients + (clipped + largest if spec.weight_gradients else 0), 0)


def _recurrent(spec: Spec, piece: int) -> int:
    """Numbers in the recurrent matrices of which singular values are taken at the same time: twice
    where members are told apart, and those of the one that LAPACK is at.
    """
    matrices = len(spec.base.GATES) * (weight_sets(spec) // len(spec.entries))
    copies = 2 * matrices if piece > 1 else 0
    return (copies + SOLVED) * spec.H**2 if matrices else 0


def _largest(spec: Spec) -> int:
    """Numbers in the largest tensor of one set."""
    return max(prod(shape) for shape in tensor_shapes(spec, max(spec.I, spec.handed)).values())


def _part(spec: Spec) -> int:
    """Numbers of a tensor whose gradient is summed at a time."""
    return max(
        largest_part(shape) for shape in tensor_shapes(spec, max(spec.I, spec.handed)).values()
    )


def _lags(spec: Spec) -> float:
    """The whole, the sum so far, lags that are held at a time, and what they are made of."""
    shapes = tensor_shapes(spec, spec.I)
    names = {name for layer in spec.chain_weights for name in layer}
    split = sum(prod(shape) for name, shape in shapes.items() if name in names)
    split *= weight_sets(spec) // len(spec.entries)
    at_once = max(1, min(AT_ONCE // split, BLOCK, spec.steps))
    return spec.dtype.itemsize * split * (4 + 2.4 * at_once)


def _held(spec: Spec, step: PerStep, every: int | None) -> float:
    """States and activations of the steps that are held."""
    T, chains = spec.steps, len(spec.entries) * len(spec.chains)
    segment = segment_steps(spec, every)
    held: float = step.kept * segment
    if segment < T:  # the last segment of each chain, and of one the one at work; all marks
        last = T - (-(-T // segment) - 1) * segment
        marks = T if every is None else T / segment
        held = step.kept * (last + segment / chains) + step.state * marks
    if side_by_side(spec):  # with all local derivatives, and every loss term on its way
        held += (step.local + 3 * step.state + 2 * step.cotangents + step.shares) * T
    above = len(spec.chains) - 1  # the outputs of their layers, the gradients of one
    return held + (_handed(spec) * (above + 2) * T if above else 0)


def _handed(spec: Spec) -> int:
    """Bytes of a step of the inputs of a layer that are the outputs of the layer below."""
    return spec.handed * spec.dtype.itemsize * spec.B


def _block(spec: Spec, step: PerStep) -> float:
    """A block of steps at work: what its local derivatives are made of (where a kernel makes them,
    nothing); then they themselves, and its cotangents as columns.
    """
    n = _block_steps(spec, step)
    columns = _columns(spec, step) + step.shares if spec.weight_gradients else 0
    local = step.local - _waiting(spec, step)
    return _again(spec, step) + n * max(MADE * local, local + columns)


def _block_steps(spec: Spec, step: PerStep) -> int:
    """Steps of a block of one chain."""
    numbers = _state(spec, step) // spec.dtype.itemsize
    return min(block_steps(spec.steps, numbers), spec.steps)


def _state(spec: Spec, step: PerStep) -> int:
    """Bytes of a state of one chain."""
    return step.state // (len(spec.entries) * len(spec.chains))


def _columns(spec: Spec, step: PerStep) -> int:
    """Bytes of a step of what the products of gradients are made of."""
    return step.cotangents + _read(spec)


def _meanwhile(spec: Spec, step: PerStep) -> float:
    """What other threads have while a block is at work: the columns of the last one, and a matrix
    whose singular values are taken, with what LAPACK makes of it.
    """
    columns = _columns(spec, step) if spec.weight_gradients else 0
    return _block_steps(spec, step) * columns + SOLVED * spec.dtype.itemsize * spec.H**2


def _signed(spec: Spec) -> bool:
    """Whether steps are gone through with weights that are copied, and of other signs."""
    return states_alone(spec) and len(spec.base.GATES) > 1


def _again(spec: Spec, step: PerStep) -> float:
    """The memory of a block that is used again: delta, the cotangents with what their kernel has
    beside them, and the local derivatives that it makes.
    """
    each = step.cotangents + 2 * _state(spec, step) + _waiting(spec, step)
    return _block_steps(spec, step) * each


def _waiting(spec: Spec, step: PerStep) -> int:
    """Bytes of a step of the local derivatives that a kernel makes: not where weights change."""
    return step.reused if one_set(spec) else 0


def _read(spec: Spec) -> int:
    """Bytes of a step of the states and of the inputs that a product of gradients has."""
    return (spec.H + max(spec.I, spec.handed)) * spec.dtype.itemsize * spec.B


def _entering(spec: Spec) -> float:
    """The gradient that enters from the outputs, at all steps of the loss."""
    if spec.loss == "upstream":
        return 0
    return 2 * spec.dtype.itemsize * spec.B * spec.handed * len(spec.loss_steps)


def _outputs(spec: Spec) -> Iterator[float]:
    """The loss of outputs and targets, its gradient, and what both are made of."""
    if spec.loss == "upstream":
        return
    if by_pieces(spec):
        yield output_bytes(spec)
        return
    each = spec.dtype.itemsize * spec.B * len(spec.loss_steps)
    for outputs, read in ((5, 1), (3, 4)):  # copies at the peak of the one and of the other
        yield each * (outputs * spec.outputs + read * spec.handed)


def _drawing(spec: Spec, every: int | None, states: float, inputs: float) -> float:
    """Inputs (bytes a step) that have been drawn, when the last ones are."""
    if segment_steps(spec, every) < spec.steps:  # they are drawn again when the states are there
        return states
    return inputs * spec.steps / len(spec.entries) * (1 if len(spec.entries) == 1 else 1.5)


def _same(spec: Spec) -> bool:
    """Whether the members of an experiment share the memory of their inputs."""
    given = spec.inputs.given
    one = len(spec.entries) == 1 and spec.topology.stride == 1  # else each has copies
    return one and isinstance(given, Recording) and given.cut == "start"


def _inputs(spec: Spec) -> int:
    """A block of inputs as it is drawn, for one member of a piece after the other, in float64."""
    if spec.inputs.given is not None:
        return 0
    return NUMBER * min(INPUT_BLOCK, spec.T) * spec.I * spec.B
