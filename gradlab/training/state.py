"""What a training holds between two updates: all that is needed to go on from there, to the bit.

On disk it is the arrays of one npz file, named `weights.NAME`, `SLOT.NAME` (what the optimiser
keeps of a tensor), `curve.NAME`, `taken`, `stopped`, `carried` and `update`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.nonlinearity import Array

Tensors = dict[str, Array]

# what is recorded at every update, (R, updates): NaN where there is nothing
CURVES = {
    "loss": "of the batch, before the update",
    "right": "share of right answers, of tasks with classes",
    "log10_norm": "log10 of the gradient's norm over all parameters, before clipping",
    "log10_clipped_norm": "and after it",
    "clip_rate": "the factor of clipping, 1 where it did not act",
    "spectral_radius": "of the recurrent weights before the update, the largest of several blocks",
    "nonfinite": "1 where loss or gradient were not finite, and the weights were left as they were",
}


@dataclass
class State:
    """Of R members, after `update` updates."""

    update: int
    tensors: Tensors  # (R, ...)
    slots: dict[str, Tensors]  # by the optimiser's name of it, then as the tensors
    taken: NDArray[np.int64]  # (R,) steps taken: updates but those that were left out
    stopped: NDArray[np.int64]  # (R,) the update after which it ended early, 0 while it goes on
    carried: Array  # (R, D, B) the state after the last step
    curves: dict[str, Array]  # (R, updates) each, NaN after `update`

    def arrays(self) -> dict[str, Array]:
        """All of it by name."""
        found: dict[str, Any] = {"update": np.array(self.update), "carried": self.carried}
        found |= {"taken": self.taken, "stopped": self.stopped}
        found |= {f"weights.{name}": a for name, a in self.tensors.items()}
        for slot, tensors in self.slots.items():
            found |= {f"{slot}.{name}": a for name, a in tensors.items()}
        return found | {f"curve.{name}": a for name, a in self.curves.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, Array], slots: tuple[str, ...]) -> State:
        """What `arrays` gave. Raises KeyError where something is missing."""

        def own(start: str) -> Tensors:
            begin = f"{start}."
            return {n.removeprefix(begin): a for n, a in arrays.items() if n.startswith(begin)}

        return cls(
            int(arrays["update"]),
            own("weights"),
            {slot: own(slot) for slot in slots},
            arrays["taken"],
            arrays["stopped"],
            arrays["carried"],
            {name: arrays[f"curve.{name}"] for name in CURVES},
        )
