"""What must not change a bit: the company of a member, and checkpoints."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gradlab.runner import run
from gradlab.verify.runs import ALL_SPECTRA, planned

CELLS = ("rnn", "lstm", "gru")
KEYS: dict[str, Any] = {
    "hidden_size": 17,
    "batch_size": 3,
    "weight_scale": 1.5,
    "spectrum": ALL_SPECTRA,
    "seq_len": 57,
}
ALONE = 1  # the seed that is computed by itself, too
SHARED = ("t", "lag_split_lag")  # arrays without an axis for the members


def members() -> float:
    """How many numbers of a record differ when a seed is computed among others."""
    count = 0
    for cell in CELLS:
        among = run(planned(cell=cell, seeds=[0, ALONE, 2], **KEYS)).arrays
        alone = run(planned(cell=cell, seeds=[ALONE], **KEYS)).arrays
        rows = {name: a if name in SHARED else a[1:2] for name, a in among.items()}
        count += different(rows, alone)
    return float(count)


def checkpoints() -> float:
    """How many numbers of a record differ when states are computed again."""
    count = 0
    for cell in CELLS:
        whole = run(planned(cell=cell, seeds=2, checkpoint="none", **KEYS)).arrays
        again = run(planned(cell=cell, seeds=2, checkpoint=16, **KEYS)).arrays
        count += different(whole, again)
    return float(count)


def different(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> int:
    """How many numbers differ, NaN and NaN do not. Raises ValueError for other arrays or shapes."""
    if {name: x.shape for name, x in a.items()} != {name: x.shape for name, x in b.items()}:
        raise ValueError("the two runs do not record the same arrays")
    return sum(int(((a[k] != b[k]) & ~((a[k] != a[k]) & (b[k] != b[k]))).sum()) for k in a)
