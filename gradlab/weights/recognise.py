"""Recurrent layers from the names and shapes of arrays."""

from __future__ import annotations

from collections.abc import Mapping

from gradlab.nonlinearity import Array
from gradlab.weights.layer import RecurrentLayer


def layers_of(arrays: Mapping[str, Array]) -> list[RecurrentLayer]:
    """The recurrent layers of a state dict, told from its names and shapes."""
    raise NotImplementedError
