"""One experiment in plain numbers and arrays: what `runner.run` computes.

Below this layer there is no config.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradlab.cells import find
from gradlab.cells.interface import Cell
from gradlab.draws import GeneratorName
from gradlab.initial import Drawn, Loaded
from gradlab.inputs import Inputs
from gradlab.networks import network, suffixes
from gradlab.nonlinearity import Array

if TYPE_CHECKING:
    from gradlab.lessons.lesson import Training


@dataclass(frozen=True)
class Start:
    """The initial state: `kind` zeros, normal (std) or file (`given`, (D, B))."""

    kind: str
    std: float = 1.0
    given: Array | None = None


@dataclass(frozen=True)
class Topology:
    """How the cell is made a network, and which weights its steps have."""

    layers: int = 1
    residual: bool = False
    tied: bool = True
    block: int | None = None
    bidirectional: bool = False
    phases: tuple[int, ...] = ()  # steps of the encoder and of the decoder

    @property
    def stride(self) -> int:
        """Steps of the sequence that one step of the network is."""
        return self.block or 1

    @property
    def chained(self) -> bool:
        """Whether every layer has chains of its own: the next one needs both directions' ends."""
        return self.bidirectional and self.layers > 1

    def sets(self, steps: int) -> NDArray[np.int64]:
        """Which set of weights each of so many steps of the network has."""
        if not self.tied:
            return np.arange(steps)
        return np.repeat(np.arange(max(len(self.phases), 1)), self.phases or (steps,))


class Cut(NamedTuple):
    """Truncated BPTT: after so many steps of the network, and how."""

    steps: int
    mode: str


@dataclass(frozen=True)
class Spec:
    """One experiment in plain numbers and arrays: what `runner.run` computes."""

    cell: str
    options: dict[str, Any]
    H: int
    I: int
    B: int
    T: int
    topology: Topology
    weight_scale: float
    init: Drawn | Loaded
    inputs: Inputs
    start: Start
    loss: str
    loss_value: str
    loss_steps: tuple[int, ...]  # of the network, ascending
    targets: str
    outputs: int
    truncate: Cut | None
    lag_split: bool
    weight_gradients: bool  # of all tensors, and the share of every step in the recurrent ones
    clip: tuple[float, str] | None  # threshold, by
    checkpoint: int | Literal["auto", "none"]
    values: int  # singular values kept of a step or a product
    spectra: frozenset[str]  # of step, product, lyapunov: which are computed
    largest: frozenset[str]  # of step, product: of which the largest value alone
    every: int  # products at every m-th recorded step
    sequences: int
    gate_histogram: bool  # whether the gates' values are counted
    theory: str  # auto, full or none: which predictions the summary has
    compare: bool  # with weights of a file: also with ones drawn anew, and the edge
    seeds: tuple[int, ...]
    rows: NDArray[np.int64]
    dtype: np.dtype[Any]
    generator: GeneratorName
    config: dict[str, Any]  # as it goes into the record
    identity: str
    train: Training | None = None

    def norms_only(self) -> Spec:
        """The same experiment without what costs most beside the norms of dh. A clip by step_norm
        shapes these and stays; every other acts on gradients that are not there.
        """
        return replace(
            self,
            lag_split=False,
            weight_gradients=False,
            clip=self.step_clip,
            spectra=frozenset(),
            largest=frozenset(),
            gate_histogram=False,
            theory="none",
        )

    @property
    def shape(self) -> tuple[Any, ...]:
        """What experiments must share to be computed together."""
        return (
            (self.cell, tuple(sorted(self.options.items())), self.H, self.I, self.B, self.T),
            (self.topology, self.truncate, self.lag_split, self.weight_gradients),
            (self.targets, self.outputs),
            (self.loss, tuple(self.entries.items()), tuple(self.rows)),
            (self.values, self.spectra, self.largest, self.every, self.sequences),
            self.gate_histogram,
            (self.dtype.name, self.checkpoint, self.tensors, self.train and self.train.shape),
            self.step_clip is not None,
        )

    @property
    def step_clip(self) -> tuple[float, str] | None:
        """The clip of dh at every step; None where there is none of that kind."""
        return self.clip if self.clip is not None and self.clip[1] == "step_norm" else None

    @property
    def whole_clip(self) -> tuple[float, str] | None:
        """The clip of the gradient of all parameters; None where there is none of that kind."""
        return None if self.step_clip is not None else self.clip

    @property
    def steps(self) -> int:
        """Steps of the network: T, or the blocks of layers."""
        return self.T // self.topology.stride

    @cached_property
    def sets(self) -> NDArray[np.int64]:
        """Which set of weights each step of the network has."""
        return self.topology.sets(self.steps)

    def kept(self, spectrum: str) -> int:
        """How many singular values of a step or a product are."""
        return 1 if spectrum in self.largest else self.values

    @property
    def radius(self) -> bool:
        """Whether the spectral radius of the recurrent weights is told. It says nothing of weights
        that are fresh at every step, and takes longer than all else where no spectrum is wanted.
        """
        return self.topology.tied and bool(self.spectra)

    @property
    def entries(self) -> dict[str, tuple[int, ...]]:
        """The steps where the gradient enters, for each direction in its own time.

        `last` is the last step of each direction, a step of the sequence is the same for both.
        """
        found = {"forward": self.loss_steps}
        if self.topology.bidirectional:
            back = tuple(self.steps + 1 - t for t in reversed(self.loss_steps))
            found["backward"] = self.loss_steps if self.config["loss"]["at"] == "last" else back
        return found

    @property
    def meet(self) -> bool:
        """Whether the gradient enters both directions at one step of the sequence, and no other."""
        forward, backward = self.entries["forward"], self.entries.get("backward", ())
        return len(forward) == 1 and backward == (self.steps + 1 - forward[0],)

    @property
    def base(self) -> Cell:
        """The cell, of a user's own file as it was when the experiment was planned."""
        return find(self.cell, self.config["cell"].get("sha256"))

    @property
    def network(self) -> Cell:  # not cached: a module cannot be sent to a worker
        """The cell that one step of a chain of the network is."""
        shape = self.topology
        if shape.chained:
            return self.base
        return network(self.base, shape.layers, shape.residual, shape.block, shape.tied, self.H)

    @property
    def handed(self) -> int:
        """How wide the inputs of a layer are that come from the layer below."""
        return self.H * (2 if self.topology.bidirectional else 1)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What follows the tensors' names of each part of the network."""
        return suffixes(self.topology.layers, self.topology.block, self.topology.tied)

    @property
    def chains(self) -> tuple[str, ...]:
        """What follows the names of a chain's own tensors, from the first layer up."""
        return self.suffixes if self.topology.chained else ("",)

    @property
    def recurrent(self) -> str:
        """What the cell calls the tensor whose share of every step is recorded."""
        return "weight_hh" if self.base.GATES else "weight_ih"

    @property
    def chain_weights(self) -> tuple[tuple[str, ...], ...]:
        """`weights` of one chain, under its cell's names."""
        return ((self.recurrent,),) if self.topology.chained else self.weights

    @property
    def weights(self) -> tuple[tuple[str, ...], ...]:
        """For each layer, the tensors whose share of every step is recorded."""
        name = self.recurrent
        if self.topology.layers > 1:
            return tuple((f"{name}{end}",) for end in self.suffixes)
        return (tuple(f"{name}{end}" for end in self.suffixes),)

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the network's tensors."""
        biases = self.init.biases if isinstance(self.init, Drawn) else 2
        cell = self.network
        names = [
            f"{name}{end}"
            for end in self.chains
            for name in cell.shapes(self.H, self.I, biases, cell.Options(**self.options))
        ]
        present = self.init.tensors if isinstance(self.init, Loaded) else names
        return tuple(name for name in names if name in present)
