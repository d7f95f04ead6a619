"""The checkpoint that a training of gradlab leaves: weights of all its members, stacked.

Its arrays `weights.NAME` (R, ...) become `memberK.NAME`, K from 0 in the order of the config's
seeds: each member is a network of its own, with a prefix of its own.
"""

from __future__ import annotations

from gradlab.errors import GradlabError
from gradlab.nonlinearity import Array

START = "weights."
MARKS = {"metadata", "update", "taken", "stopped", "carried"}  # what only a checkpoint has


def unstacked(arrays: dict[str, Array], name: str) -> dict[str, Array]:
    """The weights of every member where this is a checkpoint, else the arrays as they are.

    Raises GradlabError where it is one whose weights are not those of so many members.
    """
    if not arrays.keys() >= MARKS:
        return arrays
    members = arrays["taken"].size
    stacked = {key.removeprefix(START): a for key, a in arrays.items() if key.startswith(START)}
    for key, array in stacked.items():
        if array.shape[:1] != (members,):
            raise GradlabError(
                f"{name}: {START}{key} has shape {array.shape}, and there are {members} members; "
                "the file is damaged, train again"
            )
    return {f"member{k}.{key}": a[k] for k in range(members) for key, a in stacked.items()}
