"""What stays in memory to the end of a run: the record, and what a training keeps of its way."""

from __future__ import annotations

from gradlab.engine.observe import GATE_BINS
from gradlab.engine.softmax import PIECE
from gradlab.lessons.rows import COLUMNS
from gradlab.memory import NUMBER, by_pieces, set_weights, state_rows
from gradlab.spec import Spec
from gradlab.trial import Step, one_step

FIELDS = 2 + len(COLUMNS)  # of a row of updates.csv: seed and update are the others
TEXT = 80  # bytes of a field as a number of Python and as text
LEARNED = 5  # tensors of a training: of the start, of now, a gradient, a step, and as they are kept
KEPT_TWICE = 2.3  # the arrays of a record: while they are filled, with their exponents, and made


def training(spec: Spec, members: int) -> float:
    """Of all members: the tensors with what the optimiser keeps, the curves, their text, the arrays
    of all snapshots, one by one and together, and a piece of one member's outputs. 0 for a run.
    """
    if spec.train is None:
        return 0.0
    train, numbers = spec.train, set_weights(spec)
    numbers += spec.outputs * (spec.H + 1) + train.task.symbols * spec.I
    copies = LEARNED + len(train.optimizer.slots)
    curves = train.updates * (NUMBER * 2 + TEXT) * FIELDS
    snapshots = 2 * len(train.snapshots) * records(spec, members) / KEPT_TWICE
    outputs = spec.dtype.itemsize * spec.B * len(spec.loss_steps) * spec.outputs
    piece = min(outputs, PIECE) if by_pieces(spec) else 0
    return members * (spec.dtype.itemsize * numbers * copies + curves) + snapshots + piece


def records(spec: Spec, members: int) -> float:
    """Of all members: the arrays, as they are filled and as they are handed over."""
    N, ends = len(spec.rows), len(spec.entries)
    step: Step = one_step(spec, 1, 1)
    layers = spec.topology.layers
    kinds = len(step.parts) + spec.weight_gradients
    norms = 2 * kinds * (1 if layers == 1 else layers + 1)
    gates = 3 * len(step.gates) * len(spec.chains)
    values = spec.sequences * (spec.values + 1) * len(spec.spectra - {"lyapunov"})
    arrays: float = N * ends * members * (norms + gates + values + 1)
    if "step" in spec.spectra - spec.largest:  # all of them, until those that are wanted are taken
        arrays += N * ends * members * spec.sequences * state_rows(spec) / KEPT_TWICE
    if spec.gate_histogram:
        arrays += ends * members * len(step.gates) * len(spec.chains) * (GATE_BINS + 2)
    if spec.lag_split:
        arrays += spec.steps * ends * members * 4
    return KEPT_TWICE * NUMBER * arrays
